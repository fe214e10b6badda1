"""The reference is the paper's model: it agrees with transformers' ViT, with the same weights, in outputs and gradients.

fixtures/make_vit_fixtures.py made the expected values. Here neither torch nor transformers is needed.
"""

import json
from pathlib import Path

import numpy as np
import paddle
import paddle.nn as nn
import paddle.nn.functional as F
import pytest

from paddle_vit.models import VisionTransformer, vit

FIXTURES = Path(__file__).parent / "fixtures"
TOLERANCE = 2e-5  # of the largest value. Right: below 2e-6. A wrong epsilon or the tanh GELU: above 1e-4, tested below
NAMES = ["vit_faint", "vit_no_qkv_bias", "vit_oblong", "vit_resized"]


def load(name):
    with np.load(FIXTURES / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def build(arrays):
    """Our model with their weights; every name and shape has to fit."""
    model = VisionTransformer(**json.loads(str(arrays["config"])))
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


def errors(model, arrays):
    """Largest difference over the largest value, for the logits and for the gradient of the image."""
    image = paddle.to_tensor(arrays["image"], stop_gradient=False)
    logits = model(image)
    (logits * paddle.to_tensor(arrays["cotangent"])).sum().backward()
    pairs = [(logits.numpy(), arrays["logits"]), (image.grad.numpy(), arrays["gradient"])]
    return [float(np.abs(ours - theirs).max() / np.abs(theirs).max()) for ours, theirs in pairs]


@pytest.mark.parametrize("name", NAMES)
def test_logits_and_gradient(name):
    arrays = load(name)
    logits, gradient = errors(build(arrays), arrays)
    assert logits < TOLERANCE, f"logits differ from transformers' by {logits:.2g} of the largest"
    assert gradient < TOLERANCE, f"the image's gradient differs from transformers' by {gradient:.2g} of the largest"


def test_fixtures_are_complete_and_small():
    files = sorted(FIXTURES.glob("vit_*.npz"))
    assert [file.stem for file in files] == NAMES
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
