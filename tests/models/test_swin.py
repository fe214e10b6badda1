"""Swin as a whole: sizes, names, the printed table, options, image sizes, errors, initial values. Its pieces, against
loops, are in test_swin_pieces.py, the agreement with transformers' Swin in test_parity.py."""

import copy
import math
import re

import numpy as np
import paddle
import paddle.nn as nn
import paddle.nn.functional as F
import pytest

from paddle_vit.models import SwinTransformer, create_model, list_models, swin
from paddle_vit.models.layers import DropPath
from paddle_vit.models.swin import BasicLayer, SwinTransformerBlock, WindowAttention

# Sizes that are different where the maths allows. Maps of 7x9 and, merged, 4x5; windows of 3 tile neither
SMALL = dict(
    image_size=(14, 27),
    patch_size=(2, 3),
    in_channels=2,
    num_classes=7,
    embed_dim=6,
    depths=(2, 3),
    num_heads=(2, 3),
    window_size=3,
    mlp_ratio=2.5,
)


def small(**changes):
    paddle.seed(5)
    return SwinTransformer(**{**SMALL, **changes})


def randn(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


def randomised(**changes):
    """A small model in which no parameter is at 0 or 1."""
    model = small(**changes)
    for seed, parameter in enumerate(model.parameters()):
        parameter.set_value(paddle.to_tensor(0.5 * randn(*parameter.shape, seed=seed)))
    return model


def an_image(batch=3, size=(14, 27)):
    return paddle.to_tensor(randn(batch, 2, *size))


def blocks_of(model):
    return [block for layer in model.layers for block in layer.blocks]


def count(layer):
    return sum(int(np.prod(parameter.shape)) for parameter in layer.parameters())


# -- sizes ------------------------------------------------------------------------------------------------------------

# What transformers 5.23 and timm 1.0.31 have, counted. The paper's tables 1 and 2: 28, 50, 88, 88, 197 and 197 million
COUNTS = {
    "swin_tiny_patch4_window7_224": 28_288_354,
    "swin_small_patch4_window7_224": 49_606_258,
    "swin_base_patch4_window7_224": 87_768_224,
    "swin_base_patch4_window12_384": 87_903_584,
    "swin_large_patch4_window7_224": 196_532_476,
    "swin_large_patch4_window12_384": 196_735_516,
}


def test_the_table_of_counts_is_complete():
    assert list(COUNTS) == list(swin.MODELS) == list_models("swin*")
    assert list_models("swin*384") == ["swin_base_patch4_window12_384", "swin_large_patch4_window12_384"]


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count(name, monkeypatch):
    """Models are too large to fill here: LazyGuard creates parameters that have a shape and no values yet."""
    monkeypatch.setattr(swin, "trunc_normal_", lambda parameter, std: parameter)
    monkeypatch.setattr(swin, "init_weights", lambda layer: None)
    with paddle.LazyGuard():
        model = create_model(name)
    window, size = (int(digits) for digits in re.search(r"window(\d+)_(\d+)", name).groups())
    assert model.patch_embed.image_size == (size, size)
    assert model.patch_embed.patch_size == (4, 4)
    assert {block.window_size for block in blocks_of(model)} == {window}
    assert {block.attn.head_dim for block in blocks_of(model)} == {32}  # section 3.3
    assert count(model) == COUNTS[name]


def test_model_table():
    model = create_model("swin_tiny_patch4_window7_224", num_classes=3, depths=(1, 1), num_heads=(3, 6), image_size=32)
    model.eval()
    assert model(paddle.zeros([2, 3, 32, 32])).shape == [2, 3]
    with pytest.raises(ValueError, match="did you mean swin_tiny_patch4_window7_224"):
        create_model("swin_tiny_patch4_windows7_224")
    with pytest.raises(TypeError, match="pool"):
        create_model("swin_tiny_patch4_window7_224", pool="mean")


def test_names_and_shapes():
    """Weights are loaded by these names: they are the package's interface. Index and mask are no weights."""
    model = small()
    expected = {
        "patch_embed.proj.weight": [6, 2, 2, 3],
        "patch_embed.proj.bias": [6],
        "patch_embed.norm.weight": [6],
        "patch_embed.norm.bias": [6],
        "layers.0.downsample.norm.weight": [24],
        "layers.0.downsample.norm.bias": [24],
        "layers.0.downsample.reduction.weight": [24, 12],
        "norm.weight": [12],
        "norm.bias": [12],
        "head.weight": [12, 7],
        "head.bias": [7],
    }
    for stage, (depth, C, heads, hidden) in enumerate([(2, 6, 2, 15), (3, 12, 3, 30)]):
        for i in range(depth):
            of_block = {
                "attn_norm.weight": [C],
                "attn_norm.bias": [C],
                "attn.relative_position_bias_table": [25, heads],
                "attn.qkv.weight": [C, 3 * C],
                "attn.qkv.bias": [3 * C],
                "attn.proj.weight": [C, C],
                "attn.proj.bias": [C],
                "mlp_norm.weight": [C],
                "mlp_norm.bias": [C],
                "mlp.fc1.weight": [C, hidden],
                "mlp.fc1.bias": [hidden],
                "mlp.fc2.weight": [hidden, C],
                "mlp.fc2.bias": [C],
            }
            expected |= {f"layers.{stage}.blocks.{i}.{name}": shape for name, shape in of_block.items()}
    assert {name: parameter.shape for name, parameter in model.named_parameters()} == expected
    assert set(model.state_dict()) == set(expected)
    buffers = {name for name, _ in model.named_buffers()}
    assert {name.rsplit(".", 1)[1] for name in buffers} == {"relative_position_index", "mask"}
    with_positions = {name: p.shape for name, p in small(absolute_position=True).named_parameters()}
    assert with_positions == {**expected, "position_embedding": [1, 7, 9, 6]}
    assert small().position_embedding is None


def test_weights_serve_other_image_sizes():
    """Masks belong to the image, weights do not."""
    model, larger = randomised(), small(image_size=(40, 33))
    missing, unexpected = larger.set_state_dict(model.state_dict())
    assert not missing and not unexpected
    masks = [block.mask for block in blocks_of(larger)]
    assert [None if mask is None else mask.shape for mask in masks] == [None, [28, 9, 9], None, [8, 9, 9], None]
    assert larger(an_image(size=(40, 33))).shape == [3, 7]


# -- the printed table ------------------------------------------------------------------------------------------------


def test_summary(capsys):
    """The stages of Swin-T, with a quarter of its channels: maps, windows, masks and tables."""
    depths, num_heads = (2, 2, 6, 2), (3, 6, 12, 24)
    model = SwinTransformer(embed_dim=24, depths=depths, num_heads=num_heads)
    total = paddle.summary(model, (1, 3, 224, 224))
    printed = capsys.readouterr().out
    assert int(total["total_params"]) == int(total["trainable_params"]) == count(model)
    assert f"Total params: {count(model):,}\n" in printed and "Non-trainable params: 0\n" in printed
    row = re.compile(r"\s*(\w+)-\d+\s+\[(.*)\]\s+(\[[\d, ]+\])\s+([\d,]+)\s*")
    rows = [found.groups() for found in map(row.fullmatch, printed.splitlines()) if found]
    maps = ["[1, 56, 56, 24]", "[1, 28, 28, 48]", "[1, 14, 14, 96]", "[1, 7, 7, 192]"]
    assert [takes for kind, takes, _, _ in rows if kind == "PatchMerging"] == maps[:3]
    assert [gives for kind, _, gives, _ in rows if kind == "BasicLayer"] == [*maps[1:], maps[3]]
    expected = []
    for nW, C, depth, heads in zip([64, 16, 4, 1], [24, 48, 96, 192], depths, num_heads, strict=True):
        masks = ["None", "None" if nW == 1 else f"[{nW}, 49, 49]"]
        expected += [(f"[{nW}, 49, {C}], {masks[i % 2]}", f"{169 * heads:,}") for i in range(depth)]
    assert [(takes, number) for kind, takes, _, number in rows if kind == "WindowAttention"] == expected


# -- options reach the layers they are for ----------------------------------------------------------------------------


def test_windows_and_shifts_of_each_stage():
    model = small(image_size=(36, 60), depths=(3, 4, 1), num_heads=(1, 2, 3), window_size=5)  # 18x20, 9x10, 5x5
    got = [[(block.window_size, block.shift_size) for block in layer.blocks] for layer in model.layers]
    assert got == [[(5, 0), (5, 2), (5, 0)], [(5, 0), (5, 2), (5, 0), (5, 2)], [(5, 0)]]
    model = small(window_size=4)  # 7x9, 4x5: the second stage has nothing to shift to
    got = [[(block.window_size, block.shift_size) for block in layer.blocks] for layer in model.layers]
    assert got == [[(4, 0), (4, 2)], [(4, 0), (4, 0), (4, 0)]]
    assert [layer.downsample is None for layer in model.layers] == [False, True]


def test_options_are_passed_down():
    model = small(dropout=0.2, attention_dropout=0.3, droppath=0.4, qkv_bias=False)
    assert model.dropout.p == 0.2
    for block in blocks_of(model):
        assert (block.attn.attention_dropout.p, block.attn.dropout.p, block.mlp.dropout.p) == (0.3, 0.2, 0.2)
        assert block.attn.qkv.bias is None
    assert np.allclose([block.drop_path.p for block in blocks_of(model)], [0.0, 0.1, 0.2, 0.3, 0.4])
    assert [block.drop_path.p for block in blocks_of(small(depths=(1,), num_heads=(2,), droppath=0.4))] == [0.0]
    layer = BasicLayer(6, (6, 6), 2, 2, window_size=3)
    assert [block.drop_path.p for block in layer.blocks] == [0.0, 0.0] and layer.downsample is None
    norms = [layer for layer in model.sublayers() if isinstance(layer, nn.LayerNorm)]
    assert len(norms) == 2 * 5 + 3 and {norm._epsilon for norm in norms} == {1e-5}


@pytest.mark.parametrize("option", ["dropout", "attention_dropout", "droppath"])
def test_dropout_acts_in_training_only(option):
    model, plain = small(**{option: 0.5}), small()
    plain.set_state_dict(model.state_dict())
    image = an_image(5)
    model.eval()
    plain.eval()
    assert np.array_equal(model(image).numpy(), plain(image).numpy())
    model.train()
    assert not np.allclose(model(image).numpy(), model(image).numpy())


def test_where_dropout_stands(monkeypatch):
    """With dropout replaced by a factor of 1.5 each place shows."""
    monkeypatch.setattr(nn.Dropout, "forward", lambda self, x: 1.5 * x if self.p else x)
    x, mask = paddle.to_tensor(randn(6, 9, 12)), paddle.to_tensor(randn(3, 9, 9))
    for dropout, attention_dropout, factor in [(0.5, 0.0, 1.5), (0.0, 0.5, 1.5), (0.5, 0.5, 2.25)]:
        attention = WindowAttention(12, 3, 3, dropout=dropout, attention_dropout=attention_dropout)
        plain = WindowAttention(12, 3, 3)
        plain.set_state_dict(attention.state_dict())  # biases are zero, so that a factor inside comes out
        assert np.allclose(attention(x, mask).numpy(), factor * plain(x, mask).numpy(), atol=1e-5)
    model = randomised(dropout=0.5, absolute_position=True)
    model.layers, model.norm = nn.LayerList(), nn.Identity()
    expected = 1.5 * (model.patch_embed(an_image()) + model.position_embedding)
    assert np.allclose(model.forward_features(an_image()).numpy(), expected.numpy(), atol=1e-5)


def test_attention_dropout_falls_on_the_weights():
    """Not on q, k or v: the rows of v arrive whole, or not at all, and what arrives is doubled at p = 0.5."""
    attention = WindowAttention(6, 1, 2, attention_dropout=0.5)
    for parameter in attention.parameters():
        parameter.set_value(paddle.zeros_like(parameter))
    attention.proj.weight.set_value(paddle.eye(6))
    attention.qkv.bias.set_value(paddle.concat([paddle.zeros([12]), paddle.ones([6])]))  # v is one, weights are 1/4
    paddle.seed(0)
    output = attention(paddle.zeros([50, 4, 6])).numpy()  # B N C
    assert np.allclose(output, output[:, :, :1]), "the channels of one token must share their fate"
    assert np.allclose(output * 2, np.round(output * 2), atol=1e-5), "each weight of 1/4 is dropped or doubled"
    assert 0.9 < output.mean() < 1.1


def test_drop_path_acts_on_both_branches_before_the_sum(monkeypatch):
    monkeypatch.setattr(DropPath, "forward", lambda self, x: 1.5 * x)
    block = SwinTransformerBlock(6, (6, 9), 2, 3, 1, droppath=0.5)
    x = paddle.to_tensor(randn(2, 6, 9, 6))
    middle = x + 1.5 * block.attend(block.attn_norm(x))
    expected = middle + 1.5 * block.mlp(block.mlp_norm(middle))
    assert np.allclose(block(x).numpy(), expected.numpy(), atol=1e-5)


OPTIONS = {
    "plain": {},
    "positions": dict(absolute_position=True),
    "qkv_bias": dict(qkv_bias=False),
    "features": dict(num_classes=0),
    "dropout": dict(dropout=0.1, attention_dropout=0.1),
    "droppath": dict(droppath=0.1),
    "window of 1": dict(window_size=1),
    "window over all": dict(window_size=50),
    "one stage": dict(depths=(1,), num_heads=(3,)),
    "a stage without blocks": dict(depths=(0, 2)),
    "square": dict(image_size=16, patch_size=2),
}


@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_every_parameter_gets_a_gradient(changes):
    model = randomised(**changes)
    logits = model(an_image(13, model.patch_embed.image_size))
    assert logits.shape == [13, changes.get("num_classes", 7) or 12]
    (logits * paddle.to_tensor(randn(*logits.shape, seed=1))).sum().backward()
    for name, parameter in model.named_parameters():
        # in a window of one token the softmax is 1 whatever q, k and the table are
        if "table" in name and changes.get("window_size") == 1:
            assert not parameter.grad.numpy().any()
            continue
        assert parameter.grad is not None, f"{name} has no gradient"
        assert np.abs(parameter.grad.numpy()).max() > 1e-6, f"the gradient of {name} is zero"


# -- images of any size -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size,maps",
    [
        ((37, 50), [(10, 13), (5, 7), (3, 4), (2, 2)]),
        ((33, 32), [(9, 8), (5, 4), (3, 2), (2, 1)]),
        ((4, 4), [(1, 1), (1, 1), (1, 1), (1, 1)]),
        ((224, 200), [(56, 50), (28, 25), (14, 13), (7, 7)]),
    ],
)
def test_any_image_size(size, maps):
    paddle.seed(0)
    model = SwinTransformer(size, embed_dim=4, depths=(2, 2, 2, 2), num_heads=(1, 2, 4, 8), num_classes=5)
    seen = []
    for layer in model.layers:
        layer.register_forward_pre_hook(lambda layer, inputs: seen.append(tuple(inputs[0].shape[1:])))
    image = paddle.to_tensor(randn(2, 3, *size))
    logits = model(image)
    assert seen == [(*resolution, 4 * 2**stage) for stage, resolution in enumerate(maps)]
    assert logits.shape == [2, 5] and np.isfinite(logits.numpy()).all()
    assert model.forward_features(image).shape == [2, *maps[-1], 32]
    F.cross_entropy(logits, paddle.to_tensor([0, 3])).backward()
    assert all(np.isfinite(parameter.grad.numpy()).all() for parameter in model.parameters())
    model.eval()
    assert np.allclose(model(image).numpy(), logits.numpy(), atol=1e-6), "nothing is random without dropout"


def test_each_image_for_itself():
    """Windows of all images lie in one axis: none may be mistaken for another's."""
    model, images = randomised(), an_image(3)
    together = model.forward_features(images).numpy()
    for i in range(3):
        assert np.allclose(model.forward_features(images[i : i + 1]).numpy(), together[i], atol=1e-5)
        assert np.abs(together[i] - together[i - 1]).max() > 0.1


def test_features_and_head():
    model, image = randomised(num_classes=0), an_image()
    assert isinstance(model.head, nn.Identity)
    features = model.forward_features(image).numpy()
    assert features.shape == (3, 4, 5, 12)
    assert np.allclose(model(image).numpy(), features.mean(axis=(1, 2)), atol=1e-6)
    model = randomised()
    maps = randn(3, 4, 5, 12)
    expected = maps.mean(axis=(1, 2)) @ model.head.weight.numpy() + model.head.bias.numpy()
    assert np.allclose(model.forward_head(paddle.to_tensor(maps)).numpy(), expected, atol=1e-5)


def test_a_copy_is_a_model_of_its_own():
    model, image = randomised(), an_image()
    before = model(image).numpy()
    other = copy.deepcopy(model)
    assert np.array_equal(other(image).numpy(), before)
    for parameter in other.parameters():
        parameter.set_value(parameter * 0.5)
    assert not np.allclose(other(image).numpy(), before, atol=0.1)
    assert np.array_equal(model(image).numpy(), before)


# -- errors give the numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes,text",
    [
        (dict(image_size=(1, 27)), "an image of 1x27 pixels is smaller than a patch of 2x3"),
        (dict(image_size=2), "an image of 2x2 pixels is smaller than a patch of 2x3"),
        (dict(patch_size=0), "an image of 14x27 pixels is smaller than a patch of 0x0"),
        (dict(num_heads=(4, 3)), "embed_dim=6 cannot be split into num_heads=4"),
        (dict(num_heads=(2, 5)), "embed_dim=12 cannot be split into num_heads=5"),
        (dict(num_heads=(2, 0)), "embed_dim=12 cannot be split into num_heads=0"),
        (
            dict(depths=(2, 2, 2)),
            re.escape("depths=(2, 2, 2) and num_heads=(2, 3) must be lists with one entry for each stage"),
        ),
        (
            dict(num_heads=(2,)),
            re.escape("depths=(2, 3) and num_heads=(2,) must be lists with one entry for each stage"),
        ),
        (dict(depths=2), re.escape("depths=2 and num_heads=(2, 3) must be lists with one entry for each stage")),
        (dict(depths=(-1, 2)), re.escape("depths=(-1, 2) and num_heads=(2, 3) must be lists")),
        (dict(depths=(), num_heads=()), re.escape("depths=() and num_heads=()")),
        (dict(window_size=0), "window_size must be a whole number of at least 1, got 0"),
        (dict(window_size=-1), "window_size must be a whole number of at least 1, got -1"),
        (dict(window_size=3.5), "window_size must be a whole number of at least 1, got 3.5"),
        (dict(window_size=(7, 7)), re.escape("window_size must be a whole number of at least 1, got (7, 7)")),
    ],
)
def test_constructor_errors(changes, text):
    with pytest.raises(ValueError, match=text):
        small(**changes)


@pytest.mark.parametrize("shape", [[2, 2, 14, 26], [2, 2, 27, 14], [2, 3, 14, 27], [2, 14, 27], [2, 14, 27, 2]])
def test_forward_errors(shape):
    with pytest.raises(ValueError) as error:
        small()(paddle.zeros(shape))
    assert "[B, 2, 14, 27]" in str(error.value) and str(shape) in str(error.value)


# -- initial values ---------------------------------------------------------------------------------------------------


def test_initial_values():
    paddle.seed(0)
    model = SwinTransformer(64, 4, 3, 100, 96, (2, 2), (3, 6), window_size=7, absolute_position=True)
    for name, parameter in model.named_parameters():
        values = parameter.numpy()
        if name.endswith("bias"):
            assert (values == 0).all(), name
        elif "norm" in name:
            assert (values == 1).all(), name
        else:  # linear and patch weights, tables, positions; bounds of five standard errors
            spread = 5 / math.sqrt(2 * values.size)
            assert abs(values.std() / 0.02 - 1) < spread, f"{name} has a standard deviation of {values.std():.4f}"
            assert abs(values.mean()) < 5 * 0.02 / math.sqrt(values.size), name
