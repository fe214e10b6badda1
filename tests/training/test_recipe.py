"""Moving averages, the learning rate in numbers, which parameters are decayed, and what holds of the whole recipe."""

import inspect
import math
import random

import numpy as np
import paddle
import paddle.nn as nn
import pytest
from PIL import Image

from paddle_vit.models import DeiT, VisionTransformer
from paddle_vit.training import recipe
from paddle_vit.training.recipe import (
    ema_decay_at,
    has_weight_decay,
    learning_rate_at,
    scaled_learning_rate,
    update_ema,
)

# -- the learning rate ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size,expected", [(512, 5e-4), (1024, 1e-3), (64, 6.25e-5), (4096, 4e-3)])
def test_scaled_learning_rate(batch_size, expected):
    assert scaled_learning_rate(5e-4, batch_size) == pytest.approx(expected, rel=1e-12)
    assert scaled_learning_rate(0.1, batch_size, base=256) == pytest.approx(0.1 * batch_size / 256, rel=1e-12)


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


@pytest.mark.parametrize(
    "progress,expected",
    [
        (0.0, 0.0),  # the warm-up starts from 0, not from the minimum
        (0.05, 0.3),
        (0.1, 0.6),
        (0.55, 0.325),  # half way between peak and minimum
        (1.0, 0.05),
        (1.5, 0.05),
    ],
)
def test_learning_rate_with_a_minimum(progress, expected):
    assert learning_rate_at(progress, peak=0.6, warmup=0.1, minimum=0.05) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("warmup", [0, 5, 39])
@pytest.mark.parametrize("minimum", [0.0, 1e-5])
def test_learning_rate_is_that_of_paddles_schedulers(warmup, minimum):
    """Step by step; after the end theirs climbs again, ours does not."""
    steps, peak = 60, 1e-3
    scheduler = paddle.optimizer.lr.CosineAnnealingDecay(peak, T_max=steps - warmup, eta_min=minimum)
    if warmup:
        scheduler = paddle.optimizer.lr.LinearWarmup(scheduler, warmup, start_lr=0.0, end_lr=peak)
    for step in range(steps + 1):
        ours = learning_rate_at(step / steps, peak, warmup / steps, minimum)
        assert ours == pytest.approx(scheduler(), abs=1e-6 * peak), step
        scheduler.step()
    assert learning_rate_at(1.2, peak, warmup / steps, minimum) == minimum


# -- weight decay -----------------------------------------------------------------------------------------------------


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
    assert not has_weight_decay("layers.0.blocks.0.attn.relative_position_bias_table", Shape(2))
    assert not has_weight_decay("norm.weight", Shape(1))
    assert has_weight_decay("patch_embedding.weight", Shape(4))


def test_weight_decay_of_all_parameters_of_a_deit():
    model = DeiT(image_size=4, patch_size=2, embed_dim=8, depth=2, num_heads=2, num_classes=3)
    decayed = {name: has_weight_decay(name, parameter) for name, parameter in model.named_parameters()}
    linear = ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"]
    matrices = ["patch_embedding.patch_embedding", "head", "head_distill"]
    matrices += [f"encoder.layers.{i}.{name}" for i in range(2) for name in linear]
    norms = ["encoder.norm"] + [f"encoder.layers.{i}.{name}_norm" for i in range(2) for name in ("attn", "mlp")]
    tokens = ["class_token", "distill_token", "position_embedding"]
    assert decayed == {
        **{f"{name}.weight": True for name in matrices},
        **{f"{name}.bias": False for name in matrices + norms},
        **{f"{name}.weight": False for name in norms},
        **{f"patch_embedding.{name}": False for name in tokens},
    }
    assert {type(value) for value in decayed.values()} == {bool}


def test_weight_decay_looks_at_whole_parts_of_a_name():
    matrix = paddle.zeros([2, 2])
    assert has_weight_decay("class_token_projection.weight", matrix)
    assert has_weight_decay("my_position_embedding.weight", matrix)
    assert not has_weight_decay("encoder.class_token.weight", matrix)


# -- moving averages --------------------------------------------------------------------------------------------------


def randn(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


def network():
    """With parameters of several shapes, one of them frozen, with running statistics and another buffer."""
    model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1D(5), nn.Linear(5, 2, bias_attr=False))
    model[2].weight.stop_gradient = True
    model.register_buffer("table", paddle.zeros([4]))
    return model


def fill(model, seed):
    for i, (name, value) in enumerate(model.state_dict().items()):
        values = randn(*value.shape, seed=100 * seed + i)
        value.set_value(paddle.to_tensor(abs(values) if name.endswith("variance") else values))


def numbers(state):
    return {name: value.numpy().copy() for name, value in state.items()}


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.99996, 1.0])
def test_update_ema(decay):
    """Against a loop, over ten steps."""
    model = network()
    fill(model, 0)
    averages = {name: value.clone().detach() for name, value in model.state_dict().items()}
    tensors = dict(averages)
    expected = {name: value.astype("float64") for name, value in numbers(averages).items()}
    assert len(expected) == 8
    for step in range(1, 11):
        fill(model, step)
        before, gradients = numbers(model.state_dict()), [p.stop_gradient for p in model.parameters()]
        assert update_ema(averages, model, decay) is None
        after = numbers(model.state_dict())
        assert all(np.array_equal(before[name], after[name]) for name in before), "the model stays as it is"
        assert [p.stop_gradient for p in model.parameters()] == gradients
        for name, value in before.items():
            expected[name] = decay * expected[name] + (1 - decay) * value.astype("float64")
            assert np.abs(averages[name].numpy() - expected[name]).max() < 1e-5
    for name, tensor in averages.items():
        assert tensor is tensors[name], "changed in place"
        assert tensor.dtype == paddle.float32 and tensor.stop_gradient


def test_update_ema_is_exact_at_its_ends():
    model = network()
    fill(model, 1)
    averages = {name: paddle.zeros_like(value) for name, value in model.state_dict().items()}
    update_ema(averages, model, 1.0)
    assert all((value == 0).all() for value in numbers(averages).values())
    update_ema(averages, model, 0.0)
    assert all(np.array_equal(value, model.state_dict()[name].numpy()) for name, value in numbers(averages).items())


def test_update_ema_leaves_training_alone():
    """Also between forward and backward, and with averages that are another model's weights."""
    model, shadow = network(), network()
    fill(model, 1)
    model.eval()
    x = paddle.to_tensor(randn(4, 3))
    model(x).sum().backward()
    expected = model[0].weight.grad.numpy().copy()
    model.clear_gradients()
    loss = model(x).sum()
    update_ema(shadow.state_dict(), model, 0.25)
    loss.backward()
    assert np.abs(expected).max() > 0.1 and np.array_equal(model[0].weight.grad.numpy(), expected)
    assert all(parameter.grad is None for parameter in shadow.parameters())
    assert not shadow[0].weight.stop_gradient
    update_ema(shadow.state_dict(), model, 0.0)
    shadow.eval()
    assert np.array_equal(shadow(x).numpy(), model(x).numpy())


def test_ema_decay():
    assert ema_decay_at(0) == pytest.approx(0.1)
    assert ema_decay_at(1) == pytest.approx(2 / 11)
    assert ema_decay_at(90) == pytest.approx(0.91)
    decays = [ema_decay_at(step) for step in range(0, 400_000, 997)]
    assert decays == sorted(decays) and decays[-1] == ema_decay_at(10**9) == 0.99996
    assert decays[100] < 0.99996
    assert ema_decay_at(0, decay=0.05) == 0.05
    assert ema_decay_at(10_000, decay=0.9) == 0.9


# -- the whole recipe -------------------------------------------------------------------------------------------------


def generator():
    return np.random.Generator(np.random.PCG64(3))


def calls():
    """For every function of the recipe the arguments of a call."""
    images, targets = randn(4, 3, 12, 12), np.eye(5, dtype="float32")[:4]
    logits, teacher = paddle.to_tensor(randn(4, 5)), paddle.to_tensor(randn(4, 5, seed=1))
    model = network()
    averages = {name: value.clone().detach() for name, value in model.state_dict().items()}
    picture = Image.fromarray(np.arange(12 * 9, dtype=np.uint8).reshape(12, 9))
    return {
        "smooth_labels": (np.array([0, 4, 2]), 5),
        "soft_distillation_loss": (logits, teacher),
        "hard_distillation_loss": (logits, teacher),
        "distilled_loss": ((logits, teacher), paddle.to_tensor(targets), teacher),
        "soft_cross_entropy": (logits, paddle.to_tensor(targets)),
        "average_teachers": ([logits, teacher],),
        "mixup": (images, targets, generator()),
        "cutmix_box": (12, 9, 0.4, generator()),
        "cutmix": (images, targets, generator()),
        "mix": (images, targets, generator()),
        "random_erasing": (images[0], generator(), 1.0),
        "rand_augment": (picture, generator(), 8),
        "update_ema": (averages, model, 0.9),
        "ema_decay_at": (3,),
        "scaled_learning_rate": (5e-4, 1024),
        "learning_rate_at": (0.4, 1.0),
        "has_weight_decay": ("head.weight", logits),
        "check_labels": ([0, 4], 5, 0.1),
        "check_temperature": (3.0,),
        "check_distillation": ("hard", 0.5),
        "check_batch": (images,),
        "check_area": ((0.1, 0.2),),
        "check_share": (0.3,),
    }


def plain(value):
    """Tensors, arrays, images and containers of them as things that can be compared."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, nn.Layer):
        return plain(value.state_dict())
    if isinstance(value, (paddle.Tensor, np.ndarray, Image.Image)):
        array = np.array(value)
        return str(array.dtype), array.tolist()
    return None if isinstance(value, np.random.Generator) else value


OWN = (recipe.__name__, "paddle_vit.training.checks")
FUNCTIONS = [name for name, f in inspect.getmembers(recipe, inspect.isfunction) if f.__module__ in OWN]


def test_every_function_is_called_below():
    assert set(FUNCTIONS) == set(calls())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_global_generator_is_touched(name):
    def draw():
        return random.random(), np.random.random(), paddle.uniform([2]).tolist()

    def seed():
        random.seed(7)
        np.random.seed(7)
        paddle.seed(7)

    arguments = calls()[name]
    seed()
    expected = draw(), draw()
    seed()
    first = draw()
    getattr(recipe, name)(*arguments)
    assert (first, draw()) == expected


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_call_gives_the_same_and_changes_no_argument(name):
    if name == "update_ema":  # in place, and tested above
        return
    arguments, again = calls()[name], calls()[name]
    before = plain(arguments)
    first = plain(getattr(recipe, name)(*arguments))
    assert plain(getattr(recipe, name)(*again)) == first
    assert plain(arguments) == before


@pytest.mark.parametrize("name", ["mixup", "cutmix", "mix", "random_erasing"])
def test_read_only_arguments_are_enough(name):
    arguments = calls()[name]
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            argument.flags.writeable = False
    result = getattr(recipe, name)(*arguments)
    for array in result if isinstance(result, tuple) else (result,):
        assert array.dtype == np.float32
