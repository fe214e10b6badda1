"""The references are the papers' models: they agree with transformers' ViT, DeiT and Swin, with the same weights, in
outputs and gradients.

fixtures/make_vit_fixtures.py, make_deit_fixtures.py and make_swin_fixtures.py made the expected values. Here neither torch
nor transformers is needed.
"""

import json
from pathlib import Path

import numpy as np
import paddle
import paddle.nn as nn
import paddle.nn.functional as F
import pytest

from paddle_vit.models import DeiT, DistilledPatchEmbedding, SwinTransformer, VisionTransformer, swin, vit

FIXTURES = Path(__file__).parent / "fixtures"
TOLERANCE = 2e-5  # of the largest value. Right: below 2e-6. A wrong epsilon or the tanh GELU: above 1e-4, tested below
NAMES = ["vit_faint", "vit_no_qkv_bias", "vit_oblong", "vit_resized"]
DEIT_NAMES = ["deit_faint", "deit_oblong", "deit_resized"]
SWIN_NAMES = ["swin_faint", "swin_last_stage", "swin_padded", "swin_positions", "swin_shifted"]


def load(name):
    with np.load(FIXTURES / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def build(arrays, kind=VisionTransformer):
    """Our model with their weights; every name and shape has to fit."""
    config = json.loads(str(arrays["config"]))
    model = kind(**config)
    weights = {key.removeprefix("weights/"): value for key, value in arrays.items() if key.startswith("weights/")}
    parameters = dict(model.named_parameters())
    assert {name: p.shape for name, p in parameters.items()} == {name: list(w.shape) for name, w in weights.items()}
    for name, parameter in parameters.items():
        parameter.set_value(weights[name])
    size = list(arrays["image"].shape[2:])
    if size != config["image_size"]:
        model.set_image_size(size)
    model.eval()
    return model


def error(ours, theirs):
    """Largest difference over the largest value."""
    return float(np.abs(ours.numpy() - theirs).max() / np.abs(theirs).max())


def errors(model, arrays):
    """Those of the logits and of the gradient of the image."""
    image = paddle.to_tensor(arrays["image"], stop_gradient=False)
    logits = model(image)
    (logits * paddle.to_tensor(arrays["cotangent"])).sum().backward()
    return [error(logits, arrays["logits"]), error(image.grad, arrays["gradient"])]


def deit_errors(model, arrays):
    """Those of a DeiT: in training of each head's logits, in evaluation of their mean, and of the image's gradients.

    The model has no random layers: dropout and droppath are 0.
    """
    image = paddle.to_tensor(arrays["image"], stop_gradient=False)
    cotangent, distilled_cotangent = (paddle.to_tensor(arrays[key]) for key in ("cotangent", "distilled_cotangent"))
    model.train()
    logits, distilled = model(image)
    ((logits * cotangent).sum() + (distilled * distilled_cotangent).sum()).backward()
    result = {
        "logits": error(logits, arrays["logits"]),
        "distilled_logits": error(distilled, arrays["distilled_logits"]),
        "gradient": error(image.grad, arrays["gradient"]),
    }
    image = paddle.to_tensor(arrays["image"], stop_gradient=False)
    model.eval()
    mean = model(image)
    (mean * cotangent).sum().backward()
    result["mean_logits"] = error(mean, arrays["mean_logits"])
    result["mean_gradient"] = error(image.grad, arrays["mean_gradient"])
    return result


@pytest.mark.parametrize(
    "name,kind", [(name, VisionTransformer) for name in NAMES] + [(name, SwinTransformer) for name in SWIN_NAMES]
)
def test_logits_and_gradient(name, kind):
    arrays = load(name)
    logits, gradient = errors(build(arrays, kind), arrays)
    assert logits < TOLERANCE, f"logits differ from transformers' by {logits:.2g} of the largest"
    assert gradient < TOLERANCE, f"the image's gradient differs from transformers' by {gradient:.2g} of the largest"


@pytest.mark.parametrize("name", DEIT_NAMES)
def test_logits_and_gradients_of_deit(name):
    arrays = load(name)
    for what, size in deit_errors(build(arrays, DeiT), arrays).items():
        assert size < TOLERANCE, f"{what} differs from transformers' by {size:.2g} of the largest"


def test_fixtures_are_complete_and_small():
    files = [file for family in ("deit", "swin", "vit") for file in sorted(FIXTURES.glob(f"{family}_*.npz"))]
    assert [file.stem for file in files] == DEIT_NAMES + SWIN_NAMES + NAMES
    for file in files:
        assert file.stat().st_size < 200_000, file
        for key, array in load(file.stem).items():
            trivial = key.startswith("weights/") and ((array == 0) | (array == 1)).any()
            assert not trivial, f"{file.name}: {key} has values at which a mistake could hide"


# The comparison can fail: each of these slips in the reference would be seen


@pytest.mark.parametrize("norm", ["attn_norm", "mlp_norm", "last"])
@pytest.mark.parametrize("epsilon", [1e-5, 1e-12])
def test_sees_a_wrong_epsilon(norm, epsilon):
    arrays = load("vit_faint")
    model = build(arrays)
    norms = [model.encoder.norm] if norm == "last" else [getattr(layer, norm) for layer in model.encoder.layers]
    for layer in norms:
        assert isinstance(layer, nn.LayerNorm)
        layer._epsilon = epsilon
    assert max(errors(model, arrays)) > 5 * TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_sees_the_tanh_gelu(name, monkeypatch):
    arrays = load(name)
    exact = F.gelu
    monkeypatch.setattr(vit.F, "gelu", lambda x: exact(x, approximate=True))
    assert max(errors(build(arrays), arrays)) > 5 * TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_sees_keys_taken_for_queries(name, monkeypatch):
    arrays = load(name)
    right = vit.Attention.attention_weights
    monkeypatch.setattr(vit.Attention, "attention_weights", lambda self, q, k: right(self, k, q))
    assert max(errors(build(arrays), arrays)) > 100 * TOLERANCE


def test_sees_nearest_neighbours_for_bicubic(monkeypatch):
    arrays = load("vit_resized")
    right = F.interpolate
    monkeypatch.setattr(vit.F, "interpolate", lambda x, size, **_: right(x, size=size, mode="nearest"))
    assert max(errors(build(arrays), arrays)) > 100 * TOLERANCE


@pytest.mark.parametrize("norm", ["attn_norm", "mlp_norm", "last"])
def test_sees_a_wrong_epsilon_in_deit(norm):
    arrays = load("deit_faint")
    model = build(arrays, DeiT)
    for layer in [model.encoder.norm] if norm == "last" else [getattr(layer, norm) for layer in model.encoder.layers]:
        layer._epsilon = 1e-5
    assert all(size > 5 * TOLERANCE for size in deit_errors(model, arrays).values())


@pytest.mark.parametrize("name", DEIT_NAMES)
def test_sees_tokens_of_deit_swapped(name, monkeypatch):
    """The distillation token first: its position, and the head that reads it, are then the class token's."""
    arrays = load(name)
    right = DistilledPatchEmbedding.add_class_token

    def swapped(self, x):
        x = right(self, x)
        return paddle.concat([x[:, 1:2], x[:, 0:1], x[:, 2:]], axis=1)

    monkeypatch.setattr(DistilledPatchEmbedding, "add_class_token", swapped)
    assert all(size > 100 * TOLERANCE for size in deit_errors(build(arrays, DeiT), arrays).values())


@pytest.mark.parametrize("name", DEIT_NAMES)
def test_sees_positions_of_the_two_tokens_swapped(name):
    arrays = load(name)
    table = "weights/patch_embedding.position_embedding"
    arrays[table][:, :2] = arrays[table][:, 1::-1].copy()
    assert all(size > 100 * TOLERANCE for size in deit_errors(build(arrays, DeiT), arrays).values())


@pytest.mark.parametrize("name", DEIT_NAMES)
def test_sees_heads_of_deit_swapped(name):
    arrays = load(name)
    model = build(arrays, DeiT)
    model.head, model.head_distill = model.head_distill, model.head
    assert all(size > 100 * TOLERANCE for size in deit_errors(model, arrays).values())


@pytest.mark.parametrize("name", DEIT_NAMES)
def test_sees_both_heads_on_one_token(name, monkeypatch):
    arrays = load(name)
    right = DeiT.forward_head
    for index, kept in [(0, "logits"), (1, "distilled_logits")]:

        def wrong(self, x, index=index):
            return right(self, paddle.concat([x[:, index : index + 1]] * 2, axis=1))

        monkeypatch.setattr(DeiT, "forward_head", wrong)
        for what, size in deit_errors(build(arrays, DeiT), arrays).items():
            assert (size < TOLERANCE) if what == kept else (size > 100 * TOLERANCE)


def test_sees_one_prefix_token_for_two(monkeypatch):
    """The distillation token's position taken for one of the image's when positions are resized."""
    arrays = load("deit_resized")
    right = vit.resize_position_embedding

    def wrong(table, old_grid, new_grid, num_prefix):
        assert num_prefix == 2
        table = paddle.concat([table[:, :1], table[:, 2:], table[:, 1:2]], axis=1)  # one patch late
        return right(table, old_grid, new_grid, num_prefix)

    monkeypatch.setattr(vit, "resize_position_embedding", wrong)
    assert all(size > 100 * TOLERANCE for size in deit_errors(build(arrays, DeiT), arrays).values())


@pytest.mark.parametrize("kind", ["patch_embed.norm", "attn_norm", "mlp_norm", "downsample.norm", "last"])
@pytest.mark.parametrize("epsilon", [1e-6, 1e-12])
def test_sees_a_wrong_epsilon_in_swin(kind, epsilon):
    arrays = load("swin_faint")
    model = build(arrays, SwinTransformer)
    norms = {name: layer for name, layer in model.named_sublayers() if isinstance(layer, nn.LayerNorm)}
    wrong = [model.norm] if kind == "last" else [layer for name, layer in norms.items() if name.endswith(kind)]
    assert wrong
    for layer in wrong:
        layer._epsilon = epsilon
    assert max(errors(model, arrays)) > 5 * TOLERANCE


def swapped_offsets(window_size):
    """relative_position_index with rows and columns exchanged."""
    return RIGHT_INDEX(window_size).reshape([window_size] * 4).transpose([1, 0, 3, 2]).reshape([window_size**2] * 2)


def rows_first(self, x):
    """PatchMerging.forward in the order of reading."""
    x = swin.pad_to_windows(x, 2)
    corners = [x[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    return self.reduction(self.norm(paddle.concat(corners, axis=-1)))


RIGHT_INDEX = swin.relative_position_index
RIGHT_MASK = swin.shifted_window_mask
RIGHT_SHIFT = swin.cyclic_shift
RIGHT_ATTEND = swin.SwinTransformerBlock.attend
SLIPS = {
    "the index from i to j": ("relative_position_index", lambda M: RIGHT_INDEX(M).t()),
    "rows and columns in the index": ("relative_position_index", swapped_offsets),
    "no mask": ("shifted_window_mask", lambda *sizes: 0 * RIGHT_MASK(*sizes)),
    "the shift the other way": ("cyclic_shift", lambda x, shift_size: RIGHT_SHIFT(x, -shift_size)),
    "no shift": ("cyclic_shift", lambda x, shift_size: x),
}


@pytest.mark.parametrize("name", SWIN_NAMES)
@pytest.mark.parametrize("slip", SLIPS)
def test_sees_slips_in_windows(slip, name, monkeypatch):
    monkeypatch.setattr(swin, *SLIPS[slip])
    arrays = load(name)
    assert max(errors(build(arrays, SwinTransformer), arrays)) > 50 * TOLERANCE


@pytest.mark.parametrize("name", SWIN_NAMES)
def test_sees_a_merging_row_by_row(name, monkeypatch):
    monkeypatch.setattr(swin.PatchMerging, "forward", rows_first)
    arrays = load(name)
    assert max(errors(build(arrays, SwinTransformer), arrays)) > 50 * TOLERANCE


def test_sees_a_shift_where_the_window_fills_the_map(monkeypatch):
    monkeypatch.setattr(swin, "fit_window", lambda resolution, M, shift: (min(*resolution, M), shift))
    arrays = load("swin_last_stage")
    assert max(errors(build(arrays, SwinTransformer), arrays)) > 50 * TOLERANCE


def norm_after_padding(self, x):
    """SwinTransformerBlock.forward with a norm that turns the zeros of the padding into its bias."""
    padded = self.attn_norm(swin.pad_to_windows(x, self.window_size))
    x = x + self.attend(padded)[:, : x.shape[1], : x.shape[2]]
    return x + self.mlp(self.mlp_norm(x))


def shift_before_padding(self, x):
    """SwinTransformerBlock.attend with a shift around all of it."""
    shift_size, self.shift_size = self.shift_size, 0
    x = RIGHT_ATTEND(self, RIGHT_SHIFT(x, shift_size))
    self.shift_size = shift_size
    return RIGHT_SHIFT(x, -shift_size)


@pytest.mark.parametrize("method,wrong", [("forward", norm_after_padding), ("attend", shift_before_padding)])
def test_sees_slips_in_padding(method, wrong, monkeypatch):
    monkeypatch.setattr(swin.SwinTransformerBlock, method, wrong)
    arrays = load("swin_padded")
    assert max(errors(build(arrays, SwinTransformer), arrays)) > 50 * TOLERANCE
    arrays = load("swin_shifted")  # without padding neither makes a difference
    assert max(errors(build(arrays, SwinTransformer), arrays)) < TOLERANCE
