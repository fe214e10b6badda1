"""The references are the papers' models: they agree with transformers' ViT and DeiT, with the same weights, in outputs and
gradients.

fixtures/make_vit_fixtures.py and make_deit_fixtures.py made the expected values. Here neither torch nor transformers is
needed.
"""

import json
from pathlib import Path

import numpy as np
import paddle
import paddle.nn as nn
import paddle.nn.functional as F
import pytest

from paddle_vit.models import DeiT, DistilledPatchEmbedding, VisionTransformer, vit

FIXTURES = Path(__file__).parent / "fixtures"
TOLERANCE = 2e-5  # of the largest value. Right: below 2e-6. A wrong epsilon or the tanh GELU: above 1e-4, tested below
NAMES = ["vit_faint", "vit_no_qkv_bias", "vit_oblong", "vit_resized"]
DEIT_NAMES = ["deit_faint", "deit_oblong", "deit_resized"]


def load(name):
    with np.load(FIXTURES / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def build(arrays, kind=VisionTransformer):
    """Our model with their weights; every name and shape has to fit."""
    model = kind(**json.loads(str(arrays["config"])))
    weights = {key.removeprefix("weights/"): value for key, value in arrays.items() if key.startswith("weights/")}
    parameters = dict(model.named_parameters())
    assert {name: p.shape for name, p in parameters.items()} == {name: list(w.shape) for name, w in weights.items()}
    for name, parameter in parameters.items():
        parameter.set_value(weights[name])
    height, width = arrays["image"].shape[2:]
    if model.patch_embedding.image_size != (height, width):
        model.set_image_size((height, width))
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


@pytest.mark.parametrize("name", NAMES)
def test_logits_and_gradient(name):
    arrays = load(name)
    logits, gradient = errors(build(arrays), arrays)
    assert logits < TOLERANCE, f"logits differ from transformers' by {logits:.2g} of the largest"
    assert gradient < TOLERANCE, f"the image's gradient differs from transformers' by {gradient:.2g} of the largest"


@pytest.mark.parametrize("name", DEIT_NAMES)
def test_logits_and_gradients_of_deit(name):
    arrays = load(name)
    for what, size in deit_errors(build(arrays, DeiT), arrays).items():
        assert size < TOLERANCE, f"{what} differs from transformers' by {size:.2g} of the largest"


def test_fixtures_are_complete_and_small():
    files = sorted(FIXTURES.glob("deit_*.npz")) + sorted(FIXTURES.glob("vit_*.npz"))
    assert [file.stem for file in files] == DEIT_NAMES + NAMES
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
