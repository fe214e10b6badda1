"""How a file's weights are fitted to a model: other classes, other resolutions, what is missing, left over or wrong."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import paddle.nn as nn
import pytest
from safetensors.numpy import save_file
from test_published import FILES, FOLDER, build, error, errors, expected_of

from paddle_vit.grader.handin import definitions_from_code
from paddle_vit.models import DeiT, SwinTransformer, VisionTransformer, vit, weight_names, weights
from paddle_vit.models.vit import Attention
from paddle_vit.models.weight_checks import together
from paddle_vit.models.weight_errors import TEXTS, WeightsError
from paddle_vit.models.weight_files import Stored, WeightFile, read_weight_file
from paddle_vit.models.weight_names import family, translate
from paddle_vit.models.weights import head_arguments, load_weights
from paddle_vit.training import save_weights

SMALL = dict(image_size=16, patch_size=4, num_classes=5, embed_dim=12, depth=2, num_heads=3, mlp_ratio=2.0)
SMALL_SWIN = dict(
    image_size=24, patch_size=2, num_classes=5, embed_dim=12, depths=(2, 2), num_heads=(1, 3), window_size=3
)


def small(seed, kind=VisionTransformer, **changes):
    paddle.seed(seed)
    return kind(**{**(SMALL_SWIN if kind is SwinTransformer else SMALL), **changes})


def values(model):
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def saved(model, path):
    save_weights(model, path / "weights.safetensors")
    return path / "weights.safetensors"


def refused(model, path, **arguments):
    """The error's text; the model has not changed."""
    before = values(model)
    with pytest.raises(WeightsError) as caught:
        load_weights(model, path, **arguments)
    assert same(values(model), before)
    return str(caught.value)


# Names


@pytest.mark.parametrize("kind", [VisionTransformer, DeiT, SwinTransformer])
def test_the_rules_leave_our_own_names_alone(kind):
    names = values(small(0, kind))
    if kind is VisionTransformer:
        names |= values(small(0, representation_size=4))
    if kind is SwinTransformer:
        names |= values(small(0, kind, absolute_position=True))
    rules = weight_names._RULES + (weight_names._SWIN_RULES if kind is SwinTransformer else weight_names._VIT_RULES)
    assert [weight_names._renamed(name, rules) for name in names] == list(names)
    assert family(names) == ("swin" if kind is SwinTransformer else "vit")


def test_other_layers_keep_their_names(tmp_path):
    """An own checkpoint of a model that is none of ours, with names that a rule would change."""

    class Own(nn.Layer):
        def __init__(self):
            super().__init__()
            self.layers = nn.LayerList([nn.Linear(3, 4), nn.Linear(4, 4)])
            self.fc, self.norm1 = nn.Linear(4, 2), nn.BatchNorm1D(4)

    source, target = Own(), Own()
    loaded = load_weights(target, saved(source, tmp_path))
    assert same(values(source), values(target)) and not loaded.fresh + loaded.resized + loaded.unused


@pytest.mark.parametrize("file", [name for name in FILES if name.endswith((".safetensors", ".npz", ".pdparams"))])
def test_every_array_is_accounted_for(file, monkeypatch):
    """Take one away: it is missed by name. Add one: it is left over by name. All but what a model builds by itself."""
    expected, whole = expected_of(file), read_weight_file(FOLDER / file)
    model = build(expected)
    outside = ("opt/state", "opt/0")  # of a training state
    derived = ("relative_position_index", "attn_mask", "relative_position_bias")
    for name in whole.arrays:
        if name.endswith(derived) or name.startswith(outside):
            continue
        less = replace(whole, arrays={n: a for n, a in whole.arrays.items() if n != name})
        monkeypatch.setattr(weights, "read_weight_file", lambda _, less=less: less)
        text = refused(model, file)
        assert "missing in the file" in text or "weights of neither" in text, name
    prefix = next((p for p in ("opt/target/", "params/") if any(name.startswith(p) for name in whole.arrays)), "")
    for name in ("gamma_1", "blocks.0.attn.q_norm.weight", "head.extra"):
        more = {**whole.arrays, prefix + name: Stored((2,), "float32", lambda: np.ones(2, np.float32))}
        more = replace(whole, arrays=more)
        monkeypatch.setattr(weights, "read_weight_file", lambda _, more=more: more)
        assert "left over (names in the file):\n    " + prefix + name in refused(model, file)


def test_two_arrays_with_one_name():
    arrays = {
        name: Stored((1, 1, 4), "float32", None)
        for name in ("cls_token", "embeddings.cls_token", "blocks.0.norm1.bias")
    }
    with pytest.raises(
        WeightsError, match="f has two arrays for patch_embedding.class_token: cls_token and embeddings.cls_token"
    ):
        translate(WeightFile(Path("f"), "", arrays))


def test_matrices_of_two_layouts():
    shapes = {"blocks.0.mlp.fc1.weight": (4, 8), "blocks.0.mlp.fc2.weight": (4, 8), "blocks.0.mlp.fc1.bias": (8,)}
    shapes["blocks.0.mlp.fc2.bias"] = (4,)
    arrays = {name: Stored(shape, "float32", None) for name, shape in shapes.items()}
    with pytest.raises(WeightsError, match=r"f mixes two layouts: some matrices are \[in, out\], others \[out, in\]"):
        translate(WeightFile(Path("f"), "", arrays))


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (17, 5), (5, 33), (100, 31)])
def test_transposed(shape):
    matrix = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    result = weight_names.transposed(matrix)
    assert np.array_equal(result, matrix.T) and result.flags.c_contiguous


# Mistakes that shapes do not show are seen in the numbers


def from_torch(file):
    return file.endswith((".pth", ".bin")) or (file.endswith(".safetensors") and "own" not in file)


@pytest.mark.parametrize("file", [file for file in FILES if from_torch(file)])
def test_sees_square_matrices_that_are_not_transposed(file, monkeypatch):
    right = weight_names._is_matrix
    monkeypatch.setattr(
        weight_names, "_is_matrix", lambda name, stored: right(name, stored) and stored.shape[0] != stored.shape[1]
    )
    expected = expected_of(file)
    model = build(expected)
    load_weights(model, FOLDER / file)
    assert max(errors(model, expected).values()) > 1e-3


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith(("transformers", "google"))])
def test_sees_q_k_v_in_another_order(file, monkeypatch):
    right = np.concatenate
    monkeypatch.setattr(
        weight_names.np, "concatenate", lambda parts, axis: right(parts[::-1] if len(parts) == 3 else parts, axis=axis)
    )
    expected = expected_of(file)
    model = build(expected)
    load_weights(model, FOLDER / file)
    assert max(errors(model, expected).values()) > 1e-3


# Other classes


@pytest.mark.parametrize("kind", [VisionTransformer, DeiT, SwinTransformer])
def test_another_number_of_classes_leaves_the_heads(kind, tmp_path):
    source, target = small(1, kind), small(2, kind, num_classes=3)
    before = values(target)
    loaded = load_weights(target, saved(source, tmp_path))
    heads = [name for name in before if name.startswith("head")]
    assert len(heads) == (4 if kind is DeiT else 2) and list(loaded.fresh) == heads and not loaded.unused
    after, theirs = values(target), values(source)
    for name in after:
        assert np.array_equal(after[name], (before if name in heads else theirs)[name]), name


def test_a_model_without_head_takes_the_rest(tmp_path):
    source, target = small(1, representation_size=4), small(2, num_classes=0)
    loaded = load_weights(target, saved(source, tmp_path))
    assert sorted(loaded.unused) == ["head.bias", "head.weight", "pre_logits.bias", "pre_logits.weight"]
    assert not loaded.fresh
    theirs = values(source)
    assert all(np.array_equal(value, theirs[name]) for name, value in values(target).items())


def test_the_hidden_layer_of_pre_training_goes_with_its_head(tmp_path):
    path = saved(small(1, representation_size=4), tmp_path)
    loaded = load_weights(small(2, num_classes=3), path)  # fine-tuning, as Google's code does it
    assert loaded.fresh == ("head.weight", "head.bias")
    assert sorted(loaded.unused) == ["pre_logits.bias", "pre_logits.weight"]
    text = refused(small(2), path)  # the same number of classes: then the head is meant
    assert "left over (names in the file):\n    pre_logits.bias\n    pre_logits.weight" in text
    assert "create_model(..., representation_size=4)" in text
    assert head_arguments(path) == {"num_classes": 5, "representation_size": 4}
    assert not load_weights(small(2, **head_arguments(path)), path).fresh


def test_a_file_without_head_can_be_fine_tuned_when_that_is_meant():
    file = FOLDER / "transformers_vit_pooler.safetensors"
    model = build(expected_of(file.name), num_classes=3, representation_size=None)
    text = refused(model, file)
    assert "(names of the model):\n    head.weight\n    head.bias" in text and "left over" in text
    assert "The file has no head." in text and "allow='head.*'" in text
    loaded = load_weights(model, file, allow="head.*")
    assert loaded.fresh == ("head.weight", "head.bias") and sorted(loaded.unused) == [
        "pooler.dense.bias",
        "pooler.dense.weight",
    ]


def test_head_arguments():
    assert head_arguments(FOLDER / "google_vit_in21k.npz") == {"num_classes": 7, "representation_size": 10}
    assert head_arguments(FOLDER / "transformers_vit_pooler.safetensors") == {
        "num_classes": 0,
        "representation_size": 12,
    }
    assert head_arguments(FOLDER / "timm_swin.pth") == {"num_classes": 7}


# Other resolutions


@pytest.mark.parametrize("kind", [VisionTransformer, DeiT])
@pytest.mark.parametrize("size", [(24, 24), (8, 20), (16, 20)])
def test_positions_are_resized_as_set_image_size_does(kind, size, tmp_path):
    source, target = small(1, kind), small(2, kind, image_size=size)
    loaded = load_weights(target, saved(source, tmp_path))
    assert loaded.resized == ("patch_embedding.position_embedding",)
    source.set_image_size(size)
    assert same(values(source), values(target))


def test_as_many_patches_of_another_shape_are_not_resized(tmp_path):
    """16 patches are 4x4 in one model and 2x8 in the other: a file does not say which, so that they are taken in order."""
    source, target = small(1), small(2, image_size=(8, 32))
    assert not load_weights(target, saved(source, tmp_path)).resized
    assert same(values(source), values(target))


def test_positions_of_an_oblong_image_at_another_size_are_refused(tmp_path):
    text = refused(small(2, image_size=24), saved(small(1, image_size=(8, 12)), tmp_path))
    assert "position_embedding [1, 7, 12], [1, 37, 12]" in text


def test_bias_tables_and_positions_of_swin_are_resized(tmp_path):
    source = small(1, SwinTransformer, absolute_position=True)
    target = small(2, SwinTransformer, absolute_position=True, window_size=4, image_size=(32, 40))
    loaded = load_weights(target, saved(source, tmp_path))
    tables = [name for name in values(target) if name.endswith("relative_position_bias_table")]
    assert sorted(loaded.resized) == sorted([*tables, "position_embedding"])
    theirs, ours = values(source), values(target)
    table = theirs["layers.1.blocks.0.attn.relative_position_bias_table"]  # 25 3, over (dy, dx)
    square = paddle.to_tensor(table.reshape(1, 5, 5, 3).transpose(0, 3, 1, 2))
    square = nn.functional.interpolate(square, size=[7, 7], mode="bicubic", align_corners=False).numpy()
    assert np.array_equal(ours["layers.1.blocks.0.attn.relative_position_bias_table"], square[0].reshape(3, 49).T)
    assert ours["position_embedding"].shape == (1, 16, 20, 12)
    assert np.array_equal(ours["norm.weight"], theirs["norm.weight"])


# What is missing, left over or wrong


def test_a_mismatch_lists_every_name(tmp_path):
    text = refused(small(2, depth=3), saved(small(1, representation_size=4, num_classes=5), tmp_path))
    missing, left_over, shape = (text.index(word) for word in ("missing in", "left over (", "of another shape ("))
    for name in values(small(0, depth=1)):
        if name.startswith("encoder.layers.0."):
            assert missing < text.index(name.replace(".0.", ".2.", 1)) < left_over
    assert left_over < text.index("pre_logits.bias") < text.index("pre_logits.weight") < shape
    assert "head.weight [4, 5], [12, 5]" in text[shape:]
    assert "layers.0" not in text and "patches" not in text, "what fits is not worth a word"
    assert text.index("It has 2 layers, the model 3.") < missing


def test_layers_that_fare_alike_are_told_together(tmp_path):
    text = refused(small(2), saved(small(1, depth=6), tmp_path))
    assert "encoder.layers.{2-5}.mlp.fc1.weight" in text and text.count("fc1.weight") == 1
    text = refused(small(2, mlp_ratio=3.0), saved(small(1), tmp_path))
    assert "encoder.layers.{0-1}.mlp.fc1.weight [12, 24], [12, 36]" in text


def test_another_width_is_told_first_hand(tmp_path):
    text = refused(small(2, embed_dim=24), saved(small(1), tmp_path))
    assert "Its tokens have 12 channels, the model's 24: choose the model of that size." in text.splitlines()[1]


def test_other_patches_and_channels_are_told_first(tmp_path):
    path = saved(small(1), tmp_path)
    assert "Its patches have 4x4 pixels, the model's 8x8" in refused(small(2, patch_size=8), path).splitlines()[1]
    assert "for images of 3 channels, the model for 1: set in_channels=3" in refused(small(2, in_channels=1), path)


def test_together_says_neither_less_nor_more():
    swin = [f"layers.{stage}.blocks.{block}.w" for stage, depth in enumerate([2, 2, 6, 2]) for block in range(depth)]
    assert list(together(swin)) == [
        "layers.{0-1,3}.blocks.{0-1}.w".replace("0-1,3", "0,1,3"),
        "layers.2.blocks.{0-5}.w",
    ]
    assert list(together(["a", "b.1.c", "b.3.c", "b.2.d"])) == ["a", "b.{1,3}.c", "b.2.d"]
    assert list(together(["e.0.f [1], [2]", "e.1.f [1], [2]", "e.1.f [3], [4]"])) == [
        "e.{0-1}.f [1], [2]",
        "e.1.f [3], [4]",
    ]
    assert list(together([])) == [] and list(together(["x{0}.{}.y"])) == ["x{0}.{}.y"]


def test_every_message_is_there_in_both_languages():
    for key, texts in TEXTS.items():
        fields = [set(re.findall(r"\{(\w+)", texts[language])) for language in ("en", "zh")]
        assert fields[0] == fields[1], key
        assert not re.search(r"[\u4e00-\u9fff]", texts["en"]), key
        assert re.search(r"[\u4e00-\u9fff]", texts["zh"]) or key == "family_swin"


def test_a_message_in_chinese(tmp_path):
    with pytest.raises(WeightsError) as caught:
        load_weights(small(2, depth=3, embed_dim=24), saved(small(1), tmp_path))
    text = caught.value.text("zh")
    assert (
        "与模型不符" in text
        and "每个 token 有 12 个通道，模型是 24 个" in text
        and "文件里有 2 层，模型有 3 层" in text
    )
    assert "文件中缺少 (模型里的名称)：\n    encoder.layers.2.attn_norm.weight" in text
    with pytest.raises(WeightsError) as caught:
        load_weights(small(2, SwinTransformer), saved(small(1), tmp_path))
    assert caught.value.text("zh").endswith("是 ViT 或 DeiT 的权重，而模型是 Swin：请用 vit_* 或 deit_* 模型")


def test_another_family(tmp_path):
    text = refused(small(2, SwinTransformer), saved(small(1), tmp_path))
    assert "holds weights of a ViT or DeiT, but the model is a Swin: take a model vit_* or deit_*" in text
    text = refused(nn.Linear(2, 3), saved(small(1, SwinTransformer), tmp_path))
    assert "weights of a Swin, but the model is neither ViT, DeiT nor Swin: take a model swin_*" in text


def test_distilled_or_not(tmp_path):
    assert "take a model with distilled in its name" in refused(small(2), saved(small(1, DeiT), tmp_path))
    text = refused(small(2, DeiT), saved(small(1), tmp_path))
    assert "take the model without distilled in its name" in text and "patch_embedding.distill_token" in text


def test_what_is_allowed_may_be_missing_or_left_over(tmp_path):
    source, target = small(1), small(2, DeiT)
    before, path = values(target), saved(source, tmp_path)
    assert "allow=" not in refused(target, path), "not the way out of a wrong file"
    assert "head_distill" in refused(target, path, allow="*distill_token")
    loaded = load_weights(target, path, allow=["*distill_token", "head_distill.*"])
    assert set(loaded.fresh) == {"patch_embedding.distill_token", "head_distill.weight", "head_distill.bias"}
    assert not loaded.resized, "a row came in, but the grid is the same"
    after, theirs = values(target), values(source)
    positions = "patch_embedding.position_embedding"
    assert np.array_equal(after[positions][:, 0], theirs[positions][:, 0]), "the class token's"
    assert np.array_equal(after[positions][:, 1], before[positions][:, 1]), "the distillation token's stays"
    assert np.array_equal(after[positions][:, 2:], theirs[positions][:, 1:])
    assert np.array_equal(after["head_distill.weight"], before["head_distill.weight"])

    other = small(3)
    loaded = load_weights(other, saved(source := small(4, DeiT), tmp_path), allow=["*distill*"])
    assert set(loaded.unused) == {"patch_embedding.distill_token", "head_distill.weight", "head_distill.bias"}
    assert np.array_equal(values(other)[positions], np.delete(values(source)[positions], 1, axis=1))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["encoder.layers.1.attn.qkv.weight", "patch_embedding.class_token", "head.bias"])
def test_numbers_that_are_not_finite(bad, name, tmp_path):
    arrays = values(small(1))
    arrays[name][(-1,) * arrays[name].ndim] = bad
    save_file(arrays, tmp_path / "w.safetensors")
    assert (
        f"has NaN or infinite numbers: its training diverged, or it is damaged. Take another file.\n    {name}"
        in refused(small(2), tmp_path / "w.safetensors")
    )


def test_large_numbers_are_finite(tmp_path):
    arrays = values(small(1))
    arrays["head.bias"][:] = 3e38  # their sum is infinite
    save_file(arrays, tmp_path / "w.safetensors")
    load_weights(target := small(2), tmp_path / "w.safetensors")
    assert (target.head.bias.numpy() == np.float32(3e38)).all()


def test_whole_numbers_are_no_weights(tmp_path):
    arrays = values(small(1))
    arrays["head.weight"] = arrays["head.weight"].astype(np.int64)
    save_file(arrays, tmp_path / "w.safetensors")
    assert "head.weight [12, 5] int64, [12, 5]" in refused(small(2), tmp_path / "w.safetensors")


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file .*nowhere"):
        load_weights(small(1), tmp_path / "nowhere.pth")


# Other models than the reference


class ApartAttention(Attention):
    """A learner's attention with a layer each for q, k and v."""

    def __init__(self, embed_dim=12, num_heads=3, *_):
        super().__init__(embed_dim, num_heads)
        del self.qkv
        self.q, self.k, self.v = (nn.Linear(embed_dim, embed_dim) for _ in range(3))

    def forward(self, x):
        q, k, v = (self.split_one(layer(x)) for layer in (self.q, self.k, self.v))
        return self.proj(self.merge_heads(self.attention_weights(q, k) @ v))

    def split_one(self, x):
        return x.reshape([*x.shape[:2], self.num_heads, self.head_dim]).transpose([0, 2, 1, 3])


@pytest.mark.parametrize("file", ["timm_vit.safetensors", "transformers_vit.safetensors", "google_vit.npz"])
def test_a_model_with_q_k_and_v_apart(file, monkeypatch):
    monkeypatch.setattr(vit, "Attention", ApartAttention)
    expected = expected_of(file)
    model = build(expected)
    assert "encoder.layers.0.attn.q.weight" in values(model)
    load_weights(model, FOLDER / file)
    assert max(errors(model, expected).values()) < 2e-5


def test_the_learners_own_model():
    """Classes of their own, not the package's."""
    code = Path(vit.__file__)
    own = definitions_from_code("vit", [str(code)], "en")["VisionTransformer"]
    assert own is not VisionTransformer
    expected = expected_of("timm_vit.pth")
    model = own(**json.loads(str(expected["config"])))
    load_weights(model, FOLDER / "timm_vit.pth")
    assert max(errors(model, expected).values()) < 2e-5


def test_a_model_in_half_precision(tmp_path):
    target = small(2)
    target.to(dtype="float16")
    load_weights(target, saved(source := small(1), tmp_path))
    assert target.head.weight.dtype == paddle.float16
    assert error(target.head.weight.astype("float32"), source.head.weight.numpy()) < 1e-3


# Names of classes


@pytest.mark.parametrize(
    "config,labels",
    [
        ({"id2label": {str(i): f"fish {i}" for i in range(5)}}, {i: f"fish {i}" for i in range(5)}),
        ({"label_names": list("鱼鸟猫狗马")}, dict(enumerate("鱼鸟猫狗马"))),
        ({"id2label": {str(i): f"LABEL_{i}" for i in range(5)}}, None),
        ({"label_names": ["of", "another", "number", "of", "classes", "!"]}, None),
        ({"id2label": {"zero": "tench"}}, None),
        ({"id2label": 3}, None),
        ([1, 2], None),
        (None, None),
    ],
)
def test_labels_from_the_config_beside_the_file(config, labels, tmp_path):
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    path = saved(small(1), tmp_path)
    assert load_weights(small(2), path).labels == labels
    assert load_weights(small(2, num_classes=3), path).labels is None, "they are not this head's"
