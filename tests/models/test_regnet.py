"""RegNetY: agreement with transformers' RegNet, the published sizes, initial values, errors, running statistics.

fixtures/make_regnet_fixtures.py made the expected values. Here neither torch nor transformers is needed.
"""

import json
from pathlib import Path

import numpy as np
import paddle
import paddle.nn as nn
import paddle.nn.functional as F
import pytest

from paddle_vit.models.regnet import MODELS, Block, ConvNorm, RegNet, SqueezeExcitation, design

# Paddle says so in every training forward of a BatchNorm
pytestmark = pytest.mark.filterwarnings("ignore:When training, we now always track")

FIXTURES = Path(__file__).parent / "fixtures"
TOLERANCE = 2e-5  # of the largest value. Right: below 2e-6. The mistakes tested below: above 1e-4
NAMES = ["regnet_odd", "regnet_small_image"]

# Sizes that are different where the maths allows, so that no two axes can be mistaken for each other
SMALL = dict(in_channels=2, num_classes=7, stem_width=10, widths=(12, 18), depths=(1, 2), group_width=6)


def small(**changes):
    paddle.seed(5)
    return RegNet(**{**SMALL, **changes})


def randn(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


def trained(layer):
    """Parameters without the running statistics, which Paddle lists among them."""
    return {name: parameter for name, parameter in layer.named_parameters() if not parameter.stop_gradient}


def statistics(layer):
    return {name: parameter for name, parameter in layer.named_parameters() if parameter.stop_gradient}


def count(layer):
    return sum(int(np.prod(parameter.shape)) for parameter in trained(layer).values())


# -- parity -----------------------------------------------------------------------------------------------------------


def load(name):
    with np.load(FIXTURES / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def build(arrays, **changes):
    """Our model with their weights; every name and shape has to fit."""
    model = RegNet(**{**json.loads(str(arrays["config"])), **changes})
    for kind, ours in (("weights/", trained(model)), ("buffers/", statistics(model))):
        theirs = {key.removeprefix(kind): value for key, value in arrays.items() if key.startswith(kind)}
        shapes = {name: list(parameter.shape) for name, parameter in ours.items()}
        assert shapes == {name: list(value.shape) for name, value in theirs.items()}
        for name, parameter in ours.items():
            parameter.set_value(theirs[name])
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
    files = sorted(FIXTURES.glob("regnet_*.npz"))
    assert [file.stem for file in files] == NAMES
    for file in files:
        assert file.stat().st_size < 100_000, file
        for key, array in load(file.stem).items():
            trivial = key.startswith(("weights/", "buffers/")) and ((array == 0) | (array == 1)).any()
            assert not trivial, f"{file.name}: {key} has values at which a mistake could hide"


# The comparison can fail: each of these slips would be seen


@pytest.mark.parametrize("where", ["stem", "conv1", "conv2", "conv3", "shortcut"])
@pytest.mark.parametrize("epsilon", [1e-3, 1e-6])
def test_sees_a_wrong_epsilon(where, epsilon):
    arrays = load("regnet_odd")
    model = build(arrays)
    named = [layer for name, layer in model.named_sublayers() if name.split(".")[-1] == where]
    changed = [layer for layer in named if isinstance(layer, ConvNorm)]  # not the empty shortcuts
    assert changed
    for layer in changed:
        layer.norm._epsilon = epsilon
    assert max(errors(model, arrays)) > 5 * TOLERANCE


@pytest.mark.parametrize("se_ratio", [0.2, 0.3])
def test_sees_another_width_of_squeeze_and_excitation(se_ratio):
    with pytest.raises(AssertionError, match="se.fc1"):
        build(load("regnet_odd"), se_ratio=se_ratio)


@pytest.mark.parametrize("name", NAMES)
def test_sees_squeeze_and_excitation_left_out(name, monkeypatch):
    arrays = load(name)
    monkeypatch.setattr(SqueezeExcitation, "forward", lambda self, x: x)
    assert max(errors(build(arrays), arrays)) > 100 * TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_sees_another_sigmoid(name, monkeypatch):
    arrays = load(name)
    monkeypatch.setattr(F, "sigmoid", F.hardsigmoid)
    assert max(errors(build(arrays), arrays)) > 5 * TOLERANCE


def relu_before_the_sum(self, x):
    shortcut = self.shortcut(x)
    x = F.relu(self.conv2(F.relu(self.conv1(x))))
    return shortcut + F.relu(self.conv3(self.se(x)))


def squeeze_at_the_end(self, x):
    shortcut = self.shortcut(x)
    x = F.relu(self.conv2(F.relu(self.conv1(x))))
    return F.relu(shortcut + self.se(self.conv3(x)))


@pytest.mark.parametrize("wrong", [relu_before_the_sum, squeeze_at_the_end])
@pytest.mark.parametrize("name", NAMES)
def test_sees_another_order_in_the_block(name, wrong, monkeypatch):
    arrays = load(name)
    monkeypatch.setattr(Block, "forward", wrong)
    assert max(errors(build(arrays), arrays)) > 100 * TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_sees_the_stride_in_the_first_convolution(name):
    arrays = load(name)
    model = build(arrays)
    for layer in model.sublayers():
        if isinstance(layer, Block):
            layer.conv1.conv._stride, layer.conv2.conv._stride = layer.conv2.conv._stride, layer.conv1.conv._stride
    assert max(errors(model, arrays)) > 100 * TOLERANCE


# -- sizes ------------------------------------------------------------------------------------------------------------

# With 1000 classes. 004, 016, 032, 160 and 320: num_params in torchvision/models/regnet.py. The others: counted in
# transformers' RegNetForImageClassification with the same widths, depths and groups_width (embedding_size=32), which
# gives the five above too; they agree with the millions that the authors publish (pycls, MODEL_ZOO.md): 3.2, 4.3, 6.1,
# 6.3, 11.2, 19.4, 20.6, 30.6, 39.2, 51.8, 83.6, 145.0. torchvision's regnet_y_800mf and regnet_y_8gf are other networks:
# it rounds widths to multiples of the group width by another rule. The digits: worked out by hand below.
COUNTS = {
    "regnety_digits": 35_446,
    "regnety_002": 3_162_996,
    "regnety_004": 4_344_144,
    "regnety_006": 6_055_160,
    "regnety_008": 6_263_168,
    "regnety_016": 11_202_430,
    "regnety_032": 19_436_338,
    "regnety_040": 20_646_656,
    "regnety_064": 30_583_252,
    "regnety_080": 39_180_068,
    "regnety_120": 51_822_544,
    "regnety_160": 83_590_140,
    "regnety_320": 145_046_770,
}


def test_the_table_of_counts_is_complete_and_in_order():
    assert list(COUNTS) == list(MODELS)
    assert list(COUNTS.values()) == sorted(COUNTS.values())


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count(name):
    sizes = dict(in_channels=1, num_classes=10) if name == "regnety_digits" else {}
    with paddle.LazyGuard():  # shapes without values: 145 million of them would take long
        model = RegNet(**sizes, **MODELS[name])
    assert count(model) == COUNTS[name]


def block_by_hand(before, width, group_width, shortcut):
    hidden = before // 4
    convolutions = before * width + 9 * group_width * width + width * width
    squeeze = (width + 1) * hidden + (hidden + 1) * width
    return convolutions + 3 * 2 * width + squeeze + shortcut * (before * width + 2 * width)


def test_the_digits_by_hand():
    stem, head = 9 * 16 + 2 * 16, (64 + 1) * 10
    blocks = block_by_hand(16, 32, 8, True) + block_by_hand(32, 64, 8, True) + block_by_hand(64, 64, 8, False)
    assert stem + blocks + head == COUNTS["regnety_digits"]


# Figure 16 of the paper
STAGES = {
    "regnety_002": ((24, 56, 152, 368), (1, 1, 4, 7)),
    "regnety_040": ((128, 192, 512, 1088), (2, 6, 12, 2)),
    "regnety_160": ((224, 448, 1232, 3024), (2, 4, 11, 1)),
}


@pytest.mark.parametrize("name", STAGES)
def test_stages(name):
    assert (MODELS[name]["widths"], MODELS[name]["depths"]) == STAGES[name]


def test_design_by_hand():
    """Widths 16, 32, 48, 64: exponents 0, 1, 1.58, 2 of 2 give 16, 32, 64, 64; groups of 24 make 24, 24, 72."""
    assert design(16, 16, 2.0, depth=4, group_width=8) == dict(widths=(16, 32, 64), depths=(1, 1, 2), group_width=8)
    assert design(16, 16, 2.0, depth=4, group_width=24) == dict(widths=(24, 24, 72), depths=(1, 1, 2), group_width=24)


# -- shapes -----------------------------------------------------------------------------------------------------------


def test_digits():
    model = RegNet(image_size=(8, 8), in_channels=1, num_classes=10, **MODELS["regnety_digits"])
    image = paddle.to_tensor(randn(2, 1, 8, 8))
    assert list(model.stem(image).shape) == [2, 16, 8, 8]
    assert list(model.forward_features(image).shape) == [2, 64, 2, 2]
    assert list(model(image).shape) == [2, 10]


def test_published_model():
    model = RegNet(**MODELS["regnety_002"])
    model.eval()
    image = paddle.to_tensor(randn(1, 3, 224, 224))
    assert list(model.forward_features(image).shape) == [1, 368, 7, 7]
    assert list(model(image).shape) == [1, 1000]


@pytest.mark.parametrize("height, width", [(1, 1), (5, 8), (33, 14)])
def test_any_image_size(height, width):
    model = small(image_size=99)
    features = model.forward_features(paddle.to_tensor(randn(3, 2, height, width)))
    assert list(features.shape) == [3, 18, -(-height // 8), -(-width // 8)]


def test_features_without_a_head():
    model = small(num_classes=0)
    model.eval()
    image = paddle.to_tensor(randn(3, 2, 9, 12))
    expected = model.forward_features(image).numpy().mean(axis=(2, 3))
    np.testing.assert_allclose(model(image).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_shortcut_only_where_the_shape_changes():
    kinds = [[type(block.shortcut) for block in stage] for stage in small().stages]
    assert kinds == [[ConvNorm], [ConvNorm, nn.Identity]]
    assert isinstance(Block(12, 12, 2, 6, 0.25).shortcut, ConvNorm)


def test_every_parameter_gets_a_gradient():
    model = small()
    (model(paddle.to_tensor(randn(13, 2, 15, 18))) * paddle.to_tensor(randn(13, 7, seed=1))).sum().backward()
    for name, parameter in trained(model).items():
        assert parameter.grad is not None and np.abs(parameter.grad.numpy()).max() > 0, name


# -- initial values ---------------------------------------------------------------------------------------------------


def test_initial_values():
    model = small(num_classes=300, widths=(48, 192), group_width=24)
    for layer in model.sublayers():
        if isinstance(layer, nn.Conv2D) and layer.weight.size >= 2000:
            out_channels, _, height, width = layer.weight.shape
            expected = np.sqrt(2.0 / (height * width * out_channels))
            np.testing.assert_allclose(layer.weight.numpy().std(), expected, rtol=0.08)
        if isinstance(layer, nn.BatchNorm2D):
            assert (layer.weight.numpy() == 1).all() and (layer.bias.numpy() == 0).all()
            assert (layer._mean.numpy() == 0).all() and (layer._variance.numpy() == 1).all()
    np.testing.assert_allclose(model.head.weight.numpy().std(), 0.01, rtol=0.03)
    biases = [model.head.bias] + [
        fc.bias for stage in model.stages for block in stage for fc in (block.se.fc1, block.se.fc2)
    ]
    assert all((bias.numpy() == 0).all() for bias in biases)


def test_the_seed_decides_the_initial_values():
    same, again, other = small(), small(), RegNet(**SMALL)
    first, second, third = (model.stages[0][0].conv2.conv.weight.numpy() for model in (same, again, other))
    assert (first == second).all() and (first != third).any()


# -- running statistics -----------------------------------------------------------------------------------------------


def test_training_moves_the_running_statistics():
    model = small()
    image = paddle.to_tensor(randn(5, 2, 9, 12))
    features = model.stem.conv(image).numpy()  # before any norm
    model.train()
    model(image)
    np.testing.assert_allclose(model.stem.norm._mean.numpy(), 0.1 * features.mean(axis=(0, 2, 3)), atol=1e-6)
    for name, statistic in statistics(model).items():
        assert (statistic.numpy() != (1 if name.endswith("_variance") else 0)).all(), name


def test_evaluation_leaves_the_running_statistics_and_treats_images_alone():
    model = small()
    image = paddle.to_tensor(randn(5, 2, 9, 12))
    model.train()
    model(image)
    model.eval()
    before = {name: statistic.numpy().copy() for name, statistic in statistics(model).items()}
    together = model(image).numpy()
    np.testing.assert_allclose(model(image[:1]).numpy(), together[:1], rtol=1e-4, atol=1e-6)
    for name, statistic in statistics(model).items():
        assert (statistic.numpy() == before[name]).all(), name


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 9, 12), (2, 3, 9, 12), (1, 2, 2, 9, 12)])
def test_wrong_images(shape):
    with pytest.raises(ValueError, match=r"\[B, 2, height, width\], got \[" + ", ".join(map(str, shape))):
        small()(paddle.zeros(shape))


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(depths=(1,)), "one of each"),
        (dict(depths=(1, 0)), "positive"),
        (dict(widths=(), depths=()), "positive"),
        (dict(group_width=5), "group_width=5 does not divide"),
        (dict(group_width=0), "group_width=0 does not divide"),
        (dict(se_ratio=0.01), "se_ratio=0.01 leaves no channel"),
    ],
)
def test_wrong_sizes(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)
