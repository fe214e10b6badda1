"""DeiT: what it has beside ViT, sizes, names, the two tokens and heads, options, errors, initial values."""

import math
import re

import numpy as np
import paddle
import paddle.nn as nn
import pytest

from paddle_vit.models import DeiT, DistilledPatchEmbedding, VisionTransformer, create_model, list_models
from paddle_vit.models.deit import MODELS
from paddle_vit.models.vit import SIZES, EncoderLayer

# Sizes that are different where the maths allows, so that no two axes can be mistaken for each other
SMALL = dict(
    image_size=(6, 15),
    patch_size=(2, 5),
    in_channels=2,
    num_classes=7,
    embed_dim=12,
    depth=2,
    num_heads=3,
    mlp_ratio=2.5,
)


def small(**changes):
    paddle.seed(5)
    return DeiT(**{**SMALL, **changes})


def randn(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


def randomised(**changes):
    """A small model in which no parameter is at 0 or 1."""
    model = small(**changes)
    for seed, parameter in enumerate(model.parameters()):
        parameter.set_value(paddle.to_tensor(0.5 * randn(*parameter.shape, seed=seed)))
    return model


def count(layer):
    return sum(int(np.prod(parameter.shape)) for parameter in layer.parameters())


# -- sizes ------------------------------------------------------------------------------------------------------------

# With 1000 classes. timm's tables have, in millions, 5.72, 22.05, 86.57, 86.86 and distilled 5.91, 22.44, 87.34, 87.63;
# the authors' README 5, 22, 86, 87 and 6, 22, 87, 88. To the unit it is arithmetic. Without distillation DeiT is ViT, so
# these are test_vit.py's. With it come the token (C), its position (C) and its head (1000 C + 1000): 1002 C + 1000 more.
COUNTS = {
    "deit_tiny_patch16_224": 5_717_416,
    "deit_small_patch16_224": 22_050_664,
    "deit_base_patch16_224": 86_567_656,
    "deit_base_patch16_384": 86_859_496,
    "deit_tiny_distilled_patch16_224": 5_910_800,
    "deit_small_distilled_patch16_224": 22_436_432,
    "deit_base_distilled_patch16_224": 87_338_192,
    "deit_base_distilled_patch16_384": 87_630_032,
}


def test_the_table_of_counts_is_complete():
    assert list(COUNTS) == list(MODELS) == list_models("deit_*")
    for name, width in [("tiny", 192), ("small", 384), ("base", 768)]:
        more = COUNTS[f"deit_{name}_distilled_patch16_224"] - COUNTS[f"deit_{name}_patch16_224"]
        assert more == 1002 * width + 1000


@pytest.fixture(scope="module")
def parameters_of_a_layer():
    sizes = {size: SIZES[size] for size in ("tiny", "small", "base")}
    return {size: count(EncoderLayer(a["embed_dim"], a["num_heads"])) for size, a in sizes.items()}


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count(name, parameters_of_a_layer):
    """Models are too large to build whole here: they are built without layers, which all have as many parameters."""
    arguments = MODELS[name][1]
    model = create_model(name, depth=0)
    assert type(model) is (DeiT if "distilled" in name else VisionTransformer)
    assert model.patch_embedding.image_size == (int(name[-3:]),) * 2
    assert arguments["depth"] == 12
    assert arguments["embed_dim"] // arguments["num_heads"] == 64  # the paper's table 1
    assert count(model) + 12 * parameters_of_a_layer[name.split("_")[1]] == COUNTS[name]


def test_parameter_count_of_a_whole_model():
    model = create_model("deit_tiny_distilled_patch16_224")
    assert len(model.encoder.layers) == 12
    assert count(model) == COUNTS["deit_tiny_distilled_patch16_224"]


def test_model_table():
    assert list_models("deit_*distilled*384") == ["deit_base_distilled_patch16_384"]
    model = create_model("deit_tiny_distilled_patch16_224", num_classes=3, depth=1)
    model.eval()
    assert model(paddle.zeros([2, 3, 224, 224])).shape == [2, 3]
    with pytest.raises(ValueError, match="did you mean deit_tiny_distilled_patch16_224"):
        create_model("deit_tiny_destilled_patch16_224")
    with pytest.raises(TypeError, match="pool"):
        create_model("deit_tiny_distilled_patch16_224", pool="mean")


def test_names_and_shapes():
    """Weights are loaded by these names: they are the package's interface."""
    shapes = {name: parameter.shape for name, parameter in small().named_parameters()}
    vit = {name: parameter.shape for name, parameter in VisionTransformer(**SMALL).named_parameters()}
    more = {
        "patch_embedding.distill_token": [1, 1, 12],
        "patch_embedding.position_embedding": [1, 2 + 9, 12],
        "head_distill.weight": [12, 7],
        "head_distill.bias": [7],
    }
    assert shapes == {**vit, **more}
    assert set(small().state_dict()) == set(shapes)


# -- the printed table ------------------------------------------------------------------------------------------------


def rows_of(printed):
    """What paddle.summary printed: a (layer, input shape, output shape, number of parameters) for each row."""
    row = re.compile(r"\s*(\w+)-\d+\s+\[(\[[\d, ]+\])\]\s+(\[[\d, ]+\])\s+([\d,]+)\s*")

    def numbers(text):
        return [int(digits) for digits in re.findall(r"\d+", text)]

    found = filter(None, (row.fullmatch(line) for line in printed.splitlines()))
    return [(m[1], numbers(m[2]), numbers(m[3]), int(m[4].replace(",", ""))) for m in found]


def test_summary(capsys):
    """The table that the lesson reads, number by number."""
    total = paddle.summary(DeiT(depth=3, num_heads=4, qkv_bias=False), (4, 3, 224, 224))
    printed = capsys.readouterr().out
    assert int(total["total_params"]) == int(total["trainable_params"]) == 23_540_432
    assert "Total params: 23,540,432" in printed
    assert "Non-trainable params: 0\n" in printed
    image, tokens, token = [4, 3, 224, 224], [4, 198, 768], [4, 768]
    rows = rows_of(printed)
    counted = [row for row in rows if row[3]]
    layer = [
        ("LayerNorm", tokens, tokens, 1_536),
        ("Linear", tokens, [4, 198, 2304], 1_769_472),
        ("Linear", tokens, tokens, 590_592),
        ("LayerNorm", tokens, tokens, 1_536),
        ("Linear", tokens, [4, 198, 3072], 2_362_368),
        ("Linear", [4, 198, 3072], tokens, 2_360_064),
    ]
    assert counted == [
        ("Conv2D", image, [4, 768, 14, 14], 590_592),
        ("DistilledPatchEmbedding", image, tokens, 153_600),
        *layer * 3,
        ("LayerNorm", tokens, tokens, 1_536),
        ("Linear", token, [4, 1000], 769_000),
        ("Linear", token, [4, 1000], 769_000),
    ]
    assert sum(row[3] for row in layer) == 7_085_568
    assert sum(row[3] for row in counted) == 590_592 + 153_600 + 3 * 7_085_568 + 1_536 + 2 * 769_000 == 23_540_432
    kinds = [row[0] for row in rows]
    assert [kinds.count(kind) for kind in ("EncoderLayer", "Attention", "Mlp", "Encoder")] == [3, 3, 3, 1]


# -- two tokens, two heads --------------------------------------------------------------------------------------------


def test_a_pair_in_training_and_its_mean_in_evaluation():
    model = randomised()
    image = paddle.to_tensor(randn(4, 2, 6, 15))
    assert model.training
    output = model(image)
    assert isinstance(output, tuple) and len(output) == 2
    logits, distilled = (tensor.numpy() for tensor in output)
    assert logits.shape == distilled.shape == (4, 7)
    assert not np.allclose(logits, distilled, atol=0.1)
    model.eval()
    mean = model(image)
    assert isinstance(mean, paddle.Tensor)
    assert np.allclose(mean.numpy(), (logits + distilled) / 2, atol=1e-6)
    assert np.array_equal(mean.numpy(), model(image).numpy())


def test_each_head_reads_its_own_token():
    model = randomised()
    tokens = randn(4, 11, 12, seed=9)
    logits, distilled = model.forward_head(paddle.to_tensor(tokens))
    for output, head, index in [(logits, model.head, 0), (distilled, model.head_distill, 1)]:
        expected = tokens[:, index] @ head.weight.numpy() + head.bias.numpy()
        assert np.allclose(output.numpy(), expected, atol=1e-5)
    model.eval()
    expected = (logits.numpy() + distilled.numpy()) / 2
    assert np.allclose(model.forward_head(paddle.to_tensor(tokens)).numpy(), expected, atol=1e-6)


def test_embedding_in_its_order():
    """Class token, distillation token, patches row by row; positions on all of them."""
    embedding = DistilledPatchEmbedding((6, 15), (2, 5), in_channels=2, embed_dim=12)
    for seed, parameter in enumerate(embedding.parameters()):
        parameter.set_value(paddle.to_tensor(randn(*parameter.shape, seed=seed)))
    image = randn(3, 2, 6, 15, seed=20)
    weight = embedding.patch_embedding.weight.numpy().reshape(12, -1)  # C 2*2*5
    bias = embedding.patch_embedding.bias.numpy()
    tokens = [
        np.broadcast_to(getattr(embedding, name).numpy()[0], (3, 12)) for name in ("class_token", "distill_token")
    ]
    for row in range(3):
        for column in range(3):
            patch = image[:, :, 2 * row : 2 * row + 2, 5 * column : 5 * column + 5].reshape(3, -1)
            tokens.append(patch @ weight.T + bias)
    expected = np.stack(tokens, axis=1) + embedding.position_embedding.numpy()
    assert np.allclose(embedding(paddle.to_tensor(image)).numpy(), expected, atol=1e-5)


def test_without_layers_no_token_sees_another():
    """Only attention carries anything from one token to the next: each head then knows its own token alone."""
    model = randomised(depth=0)
    before = [output.numpy() for output in model(paddle.to_tensor(randn(4, 2, 6, 15)))]
    for output in before:
        assert np.allclose(output, output[0], atol=1e-6), "the images cannot have been seen"
    token = model.patch_embedding.distill_token
    token.set_value(paddle.to_tensor(randn(1, 1, 12, seed=30)))
    logits, distilled = (output.numpy() for output in model(paddle.to_tensor(randn(4, 2, 6, 15))))
    assert np.array_equal(logits, before[0])
    assert not np.allclose(distilled, before[1], atol=0.1)


def test_through_the_layers_every_token_reaches_both_heads():
    model = randomised(depth=1)
    image = paddle.to_tensor(randn(4, 2, 6, 15), stop_gradient=False)
    for index, own, other in [(0, model.head, model.head_distill), (1, model.head_distill, model.head)]:
        model.clear_gradients()
        image.clear_gradient()
        output = model(image)[index]
        (output * paddle.to_tensor(randn(4, 7, seed=1))).sum().backward()
        embedding = model.patch_embedding
        for parameter in (embedding.class_token, embedding.distill_token, image, own.weight):
            assert np.abs(parameter.grad.numpy()).max() > 1e-3
        positions = np.abs(embedding.position_embedding.grad.numpy()).max(axis=(0, 2))
        assert positions.shape == (11,) and positions.min() > 1e-4
        assert other.weight.grad is None or not other.weight.grad.numpy().any()


OPTIONS = {
    "plain": {},
    "qkv_bias": dict(qkv_bias=False),
    "features": dict(num_classes=0),
    "dropout": dict(dropout=0.1, attention_dropout=0.1),
    "droppath": dict(droppath=0.1),
}


@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_every_parameter_gets_a_gradient(changes):
    model = randomised(**changes)
    logits, distilled = model(paddle.to_tensor(randn(13, 2, 6, 15)))
    assert logits.shape == distilled.shape == [13, changes.get("num_classes", 7) or 12]
    weights = paddle.to_tensor(randn(2, *logits.shape, seed=1))
    ((logits * weights[0]).sum() + (distilled * weights[1]).sum()).backward()
    for name, parameter in model.named_parameters():
        assert not parameter.stop_gradient
        assert parameter.grad is not None, f"{name} has no gradient"
        assert np.abs(parameter.grad.numpy()).max() > 1e-5, f"the gradient of {name} is zero"


def test_features():
    model = small(num_classes=0)
    assert isinstance(model.head, nn.Identity) and isinstance(model.head_distill, nn.Identity)
    image = paddle.to_tensor(randn(4, 2, 6, 15))
    tokens = model.forward_features(image).numpy()
    assert tokens.shape == (4, 11, 12)
    for index, output in enumerate(model(image)):
        assert np.allclose(output.numpy(), tokens[:, index], atol=1e-6)
    model.eval()
    assert np.allclose(model(image).numpy(), tokens[:, :2].mean(axis=1), atol=1e-6)


# -- options reach the layers they are for ----------------------------------------------------------------------------


def test_options_are_passed_down():
    model = small(dropout=0.2, attention_dropout=0.3, droppath=0.4, depth=5, qkv_bias=False)
    assert model.patch_embedding.dropout.p == 0.2
    assert len(model.encoder.layers) == 5
    for layer in model.encoder.layers:
        assert (layer.attn.attention_dropout.p, layer.attn.dropout.p, layer.mlp.dropout.p) == (0.3, 0.2, 0.2)
        assert layer.attn.qkv.bias is None and layer.attn.num_heads == 3
        assert layer.mlp.fc1.weight.shape == [12, 30]
    assert np.allclose([layer.drop_path.p for layer in model.encoder.layers], [0.0, 0.1, 0.2, 0.3, 0.4])
    assert small().encoder.layers[1].attn.qkv.bias.shape == [36]


@pytest.mark.parametrize("option", ["dropout", "attention_dropout", "droppath"])
def test_dropout_acts_in_training_only(option):
    model, plain = small(**{option: 0.5}), small()
    plain.set_state_dict(model.state_dict())
    image = paddle.to_tensor(randn(5, 2, 6, 15))
    model.eval()
    plain.eval()
    assert np.array_equal(model(image).numpy(), plain(image).numpy())
    model.train()
    for first, second in zip(model(image), model(image), strict=True):
        assert not np.allclose(first.numpy(), second.numpy())


# -- another resolution -----------------------------------------------------------------------------------------------


def test_set_image_size():
    model = randomised()
    before = {name: p.numpy() for name, p in model.named_parameters()}
    table = "patch_embedding.position_embedding"
    model.set_image_size((10, 20))
    after = dict(model.named_parameters())
    assert list(after) == list(before), "no parameter may come, go or change its place"
    assert [name for name, p in after.items() if p.shape != list(before[name].shape)] == [table]
    assert after[table].shape == [1, 2 + 5 * 4, 12]
    assert np.array_equal(after[table].numpy()[:, :2], before[table][:, :2]), "two tokens have no place in the image"
    for name in set(before) - {table}:
        assert np.array_equal(after[name].numpy(), before[name])
    logits, distilled = model(paddle.to_tensor(randn(3, 2, 10, 20)))
    assert logits.shape == distilled.shape == [3, 7]
    (logits.sum() + distilled.sum()).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with pytest.raises(ValueError, match=r"\[B, 2, 10, 20\], got \[2, 2, 6, 15\]"):
        model(paddle.to_tensor(randn(2, 2, 6, 15)))


def test_the_same_size_changes_nothing():
    model, image = randomised(), paddle.to_tensor(randn(3, 2, 6, 15))
    model.eval()
    before = model(image).numpy()
    model.set_image_size((6, 15))
    assert np.allclose(model(image).numpy(), before, atol=1e-5)


# -- errors give the numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes,text",
    [
        (dict(image_size=(6, 16)), "patches of 2x5 pixels do not tile an image of 6x16"),
        (dict(image_size=(7, 15)), "patches of 2x5 pixels do not tile an image of 7x15"),
        (dict(patch_size=0), "patches of 0x0 pixels do not tile an image of 6x15"),
        (dict(num_heads=5), "embed_dim=12 cannot be split into num_heads=5"),
        (dict(num_heads=0), "embed_dim=12 cannot be split into num_heads=0"),
    ],
)
def test_constructor_errors(changes, text):
    with pytest.raises(ValueError, match=text):
        small(**changes)


def test_set_image_size_errors():
    model = small()
    with pytest.raises(ValueError, match="patches of 2x5 pixels do not tile an image of 8x16"):
        model.set_image_size((8, 16))
    assert model(paddle.zeros([2, 2, 6, 15]))[0].shape == [2, 7], "a refused size leaves the model as it was"


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("shape", [[2, 2, 6, 10], [2, 2, 15, 6], [2, 3, 6, 15], [2, 6, 15], [2, 6, 15, 2]])
def test_forward_errors(shape, mode):
    model = small()
    getattr(model, mode)()
    with pytest.raises(ValueError) as error:
        model(paddle.zeros(shape))
    assert "[B, 2, 6, 15]" in str(error.value) and str(shape) in str(error.value)


# -- initial values ---------------------------------------------------------------------------------------------------


def test_initial_values():
    paddle.seed(0)
    model = DeiT(image_size=32, patch_size=4, num_classes=100, embed_dim=96, depth=2, num_heads=3)
    for name, parameter in model.named_parameters():
        values = parameter.numpy()
        if name.endswith("bias"):
            assert (values == 0).all(), name
        elif "norm" in name:
            assert (values == 1).all(), name
        else:  # linear and patch weights, tokens, positions; bounds of five standard errors
            spread = 5 / math.sqrt(2 * values.size)
            assert abs(values.std() / 0.02 - 1) < spread, f"{name} has a standard deviation of {values.std():.4f}"
            assert abs(values.mean()) < 5 * 0.02 / math.sqrt(values.size), name
    embedding = model.patch_embedding
    assert not np.allclose(embedding.class_token.numpy(), embedding.distill_token.numpy())
    assert not np.allclose(model.head.weight.numpy(), model.head_distill.weight.numpy())


def test_initial_values_of_the_tokens():
    """So wide that there are enough values to tell; normal, and not cut at two standard deviations."""
    paddle.seed(1)
    embedding = DistilledPatchEmbedding(image_size=2, patch_size=2, in_channels=1, embed_dim=40_000)
    tables = [embedding.class_token, embedding.distill_token, embedding.position_embedding]
    for values in [tables[0][0, 0], tables[1][0, 0], *tables[2][0].unbind(0)]:
        values = values.numpy()
        assert abs(values.std() / 0.02 - 1) < 5 / math.sqrt(2 * values.size)
        assert abs(values.mean()) < 5 * 0.02 / math.sqrt(values.size)
        assert abs((np.abs(values) > 0.04).mean() - 0.0455) < 5 * math.sqrt(0.0455 / values.size)
