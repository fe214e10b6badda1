"""The learning rate in numbers, and which parameters are decayed."""

import math

import pytest

from paddle_vit.models import VisionTransformer
from paddle_vit.training.recipe import has_weight_decay, learning_rate_at


@pytest.mark.parametrize(
    "progress,expected",
    [
        (0.0, 0.0),
        (0.05, 0.3),  # half of the warm-up
        (0.2, 0.6 * 0.5 * (1 + math.cos(math.pi / 9))),
        (0.1, 0.6),
        (0.55, 0.3),  # half of the cosine
        (1.0, 0.0),
        (1.5, 0.0),  # and not up again
    ],
)
def test_learning_rate(progress, expected):
    assert learning_rate_at(progress, peak=0.6, warmup=0.1) == pytest.approx(expected, abs=1e-12)


def test_learning_rate_without_warmup():
    assert learning_rate_at(0.0, peak=0.6) == 0.6
    assert learning_rate_at(0.5, peak=0.6) == pytest.approx(0.3)


def test_learning_rate_rises_then_falls_without_a_jump():
    rates = [learning_rate_at(i / 1000, peak=1.0, warmup=0.25) for i in range(1001)]
    assert max(rates) == rates[250] == 1.0
    assert rates[:251] == sorted(rates[:251])
    assert rates[250:] == sorted(rates[250:], reverse=True)
    assert max(abs(a - b) for a, b in zip(rates, rates[1:], strict=False)) < 0.005


def test_weight_decay():
    model = VisionTransformer(
        image_size=4, patch_size=2, embed_dim=8, depth=1, num_heads=2, num_classes=3, representation_size=5
    )
    decayed = {name for name, parameter in model.named_parameters() if has_weight_decay(name, parameter)}
    assert decayed == {
        "patch_embedding.patch_embedding.weight",
        "encoder.layers.0.attn.qkv.weight",
        "encoder.layers.0.attn.proj.weight",
        "encoder.layers.0.mlp.fc1.weight",
        "encoder.layers.0.mlp.fc2.weight",
        "pre_logits.weight",
        "head.weight",
    }


def test_weight_decay_spares_other_ways_to_hold_tokens():
    class Shape:
        def __init__(self, ndim):
            self.ndim = ndim

    assert not has_weight_decay("patch_embedding.position_embedding.weight", Shape(2))  # an nn.Embedding
    assert not has_weight_decay("distill_token", Shape(3))
    assert not has_weight_decay("norm.weight", Shape(1))
    assert has_weight_decay("patch_embedding.weight", Shape(4))
