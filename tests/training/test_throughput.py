"""What a model costs: operations against numbers computed by hand and the papers', and that the measuring measures."""

import time

import paddle
import paddle.nn as nn
import pytest

import paddle_vit
from paddle_vit.models import DeiT, SwinTransformer, VisionTransformer
from paddle_vit.training.throughput import count_flops, count_parameters, measure

C, HIDDEN = 12, 36
PER_TOKEN = C * 3 * C + C * C + 2 * C * HIDDEN  # qkv, proj, fc1 and fc2
SMALL = dict(in_channels=3, num_classes=5, embed_dim=C, mlp_ratio=3.0)


def attention(tokens):
    """Multiply-adds of both products for tokens that all look at each other."""
    return 2 * tokens * tokens * C


def test_a_vit_by_hand():
    model = VisionTransformer(image_size=(8, 6), patch_size=2, depth=2, num_heads=3, **SMALL)
    patches = 12 * C * 3 * 2 * 2
    layer = 13 * PER_TOKEN + attention(13)
    assert count_flops(model, [3, 8, 6]) == 2 * (patches + 2 * layer + C * 5)


def test_a_deit_has_one_token_and_one_head_more():
    model = DeiT(image_size=(8, 6), patch_size=2, depth=1, num_heads=3, **SMALL)
    assert count_flops(model, [3, 8, 6]) == 2 * (12 * C * 3 * 2 * 2 + 14 * PER_TOKEN + attention(14) + 2 * C * 5)


def test_a_swin_attends_in_windows():
    model = SwinTransformer(image_size=24, patch_size=2, depths=(2,), num_heads=(3,), window_size=4, **SMALL)
    layer = 144 * PER_TOKEN + 9 * attention(16)
    assert count_flops(model, [3, 24, 24]) == 2 * (144 * C * 3 * 2 * 2 + 2 * layer + C * 5)


def test_padding_is_computed_and_so_counted():
    model = SwinTransformer(image_size=22, patch_size=2, depths=(1,), num_heads=(3,), window_size=4, **SMALL)
    inside, padded = 121, 144  # tokens: the MLP sees the ones, the windows all
    layer = padded * (C * 3 * C + C * C) + inside * 2 * C * HIDDEN + 9 * attention(16)
    assert count_flops(model, [3, 22, 22]) == 2 * (inside * C * 3 * 2 * 2 + layer + C * 5)


def test_convolutions_with_groups():
    model = nn.Sequential(nn.Conv2D(6, 10, 3, stride=2, padding=1, groups=2), nn.Flatten(), nn.Linear(10 * 3 * 4, 7))
    assert count_flops(model, [6, 5, 7]) == 2 * (10 * 3 * 4 * (6 // 2) * 3 * 3 + 10 * 3 * 4 * 7)


@pytest.mark.parametrize(
    ("name", "billions", "depth"),
    [
        ("deit_small_patch16_224", 4.6, 12),  # table 5 of the DeiT paper, as the authors' later tables round it
        ("vit_base_patch16_224", 17.6, 12),
        ("swin_tiny_patch4_window7_224", 4.5, None),  # table 1 of the Swin paper
    ],
)
def test_the_papers_numbers(name, billions, depth):
    """Papers count a multiply-add once. All layers of a ViT cost the same, so two of them tell what twelve do."""
    if depth is None:
        flops = count_flops(paddle_vit.create_model(name), [3, 224, 224])
    else:
        one, two = (count_flops(paddle_vit.create_model(name, depth=layers), [3, 224, 224]) for layers in (1, 2))
        flops = one + (depth - 1) * (two - one)
    assert flops / 2e9 == pytest.approx(billions, rel=0.03)


def test_counting_leaves_the_model_as_it_was():
    model = DeiT(image_size=8, patch_size=2, depth=1, num_heads=3, **SMALL)
    model.train()
    first = count_flops(model, [3, 8, 8])
    assert model.training and isinstance(model(paddle.zeros([2, 3, 8, 8])), tuple)
    assert count_flops(model, [3, 8, 8]) == first  # no hook has stayed to count twice
    assert not any(layer._forward_post_hooks for layer in model.sublayers(include_self=True))


class Sleeper(nn.Layer):
    """Takes 10 ms for every image, and must not be asked in training mode."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)
        self.asked = []

    def forward(self, images):
        assert not self.training
        self.asked.append(len(images))
        time.sleep(0.01 * len(images))
        return self.head(images.flatten(1))


def test_rates_and_latency():
    model = Sleeper()
    cost = measure(model, [1, 2, 2], [5, 1], passes=20, seconds=0.2)
    assert list(cost.images_per_second) == [1, 5]
    assert all(25 < rate <= 100 for rate in cost.images_per_second.values()), cost
    assert 0.01 <= cost.latency <= cost.latency_95 < 1
    assert model.asked.count(1) >= 20 and model.asked.count(5) >= 3
    assert cost.parameters == count_parameters(model) == 4 * 3 + 3
    assert cost.flops == 2 * 12
    assert model.training


def test_memory_is_that_of_the_process():
    cost = measure(Sleeper(), [1, 2, 2], [1], passes=1)
    assert cost.memory is None or 2**27 < cost.memory < 2**37, cost.memory  # Paddle alone takes 250 MB
    assert cost.gpu_memory is None or paddle.get_device() != "cpu"
