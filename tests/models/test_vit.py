"""The Vision Transformer piece by piece: counts, gradients, options, errors, and brute force in numpy."""

import math

import numpy as np
import paddle
import paddle.nn as nn
import pytest

from paddle_vit.models import VisionTransformer, create_model, list_models
from paddle_vit.models.layers import DropPath, drop_path, init_weights, trunc_normal_
from paddle_vit.models.vit import (
    MODELS,
    SIZES,
    Attention,
    Encoder,
    EncoderLayer,
    Mlp,
    PatchEmbedding,
    fixed_position_embedding,
    resize_position_embedding,
    sincos_1d,
    sincos_2d,
)

# Sizes that are different primes where the maths allows, so that no two axes can be mistaken for each other
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
    return VisionTransformer(**{**SMALL, **changes})


def randn(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


def count(layer):
    return sum(int(np.prod(parameter.shape)) for parameter in layer.parameters())


# -- sizes ------------------------------------------------------------------------------------------------------------

# With 1000 classes. The published ones (timm's table of results, in millions there): 5.72, 22.05, 22.88, 86.57, 88.22,
# 304.33, 306.54, 632.05 at 224 pixels, 86.86 and 304.72 at 384 pixels with patches of 16.
COUNTS = {
    "vit_tiny_patch16_224": 5_717_416,
    "vit_tiny_patch16_384": 5_790_376,
    "vit_small_patch8_224": 22_055_272,
    "vit_small_patch16_224": 22_050_664,
    "vit_small_patch16_384": 22_196_584,
    "vit_small_patch32_224": 22_878_952,
    "vit_small_patch32_384": 22_915_432,
    "vit_base_patch8_224": 86_576_872,
    "vit_base_patch16_224": 86_567_656,
    "vit_base_patch16_384": 86_859_496,
    "vit_base_patch32_224": 88_224_232,
    "vit_base_patch32_384": 88_297_192,
    "vit_large_patch14_224": 304_203_752,
    "vit_large_patch16_224": 304_326_632,
    "vit_large_patch16_384": 304_715_752,
    "vit_large_patch32_224": 306_535_400,
    "vit_large_patch32_384": 306_632_680,
    "vit_huge_patch14_224": 632_045_800,
}


def test_the_table_of_counts_is_complete():
    assert list(COUNTS) == list(MODELS)


@pytest.fixture(scope="module")
def parameters_of_a_layer():
    return {
        size: count(EncoderLayer(arguments["embed_dim"], arguments["num_heads"])) for size, arguments in SIZES.items()
    }


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count(name, parameters_of_a_layer):
    """Models are too large to build whole here: one layer is built, the others have as many parameters."""
    layers_left_out = MODELS[name]["depth"] - 1
    model = create_model(name, depth=1)
    assert len(model.encoder.layers) == 1
    assert count(model) + layers_left_out * parameters_of_a_layer[name.split("_")[1]] == COUNTS[name]


def test_layers_of_a_stack_are_all_counted():
    one, two, five = (count(small(depth=depth)) for depth in (1, 2, 5))
    assert five - one == 4 * (two - one) == 4 * count(EncoderLayer(12, 3, 2.5))
    assert count(create_model("vit_tiny_patch16_224")) == COUNTS["vit_tiny_patch16_224"]


def test_model_table():
    assert list_models("vit_*") == list(MODELS)
    assert list_models("vit_huge*") == ["vit_huge_patch14_224"]
    model = create_model("vit_tiny_patch16_224", num_classes=3, depth=1)
    assert model(paddle.zeros([2, 3, 224, 224])).shape == [2, 3]
    with pytest.raises(ValueError, match="did you mean vit_base_patch16_224"):
        create_model("vit_base_pach16_224")
    with pytest.raises(TypeError, match="no_such_option"):
        create_model("vit_tiny_patch16_224", no_such_option=1)


# -- every parameter takes part ---------------------------------------------------------------------------------------

OPTIONS = {
    "plain": {},
    "qkv_bias": dict(qkv_bias=False),
    "mean": dict(pool="mean"),
    "sincos-1d": dict(position="sincos-1d"),
    "sincos-2d": dict(position="sincos-2d"),
    "no position": dict(position="none"),
    "mean, sincos-2d": dict(pool="mean", position="sincos-2d"),
    "mean, no position": dict(pool="mean", position="none"),
    "representation": dict(representation_size=11),
    "features": dict(num_classes=0),
    "features of a representation": dict(num_classes=0, representation_size=11),
    "dropout": dict(dropout=0.1, attention_dropout=0.1),
    "droppath": dict(droppath=0.1),
}


@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_every_parameter_gets_a_gradient(changes):
    model = small(**changes)
    for parameter in model.parameters():
        parameter.set_value(paddle.to_tensor(0.5 * randn(*parameter.shape, seed=3)))
    model.train()
    output = model(paddle.to_tensor(randn(13, 2, 6, 15)))
    features = changes.get("representation_size", 12)
    assert output.shape == [13, 7 if changes.get("num_classes", 7) else features]
    (output * paddle.to_tensor(randn(*output.shape, seed=1))).sum().backward()
    for name, parameter in model.named_parameters():
        assert not parameter.stop_gradient
        assert parameter.grad is not None, f"{name} has no gradient"
        assert np.abs(parameter.grad.numpy()).max() > 1e-5, f"the gradient of {name} is zero"


@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_eval_is_deterministic(changes):
    model = small(**changes)
    model.eval()
    image = paddle.to_tensor(randn(3, 2, 6, 15))
    assert np.array_equal(model(image).numpy(), model(image).numpy())


def test_names_and_shapes():
    """Weights are loaded by these names: they are the package's interface."""
    shapes = {name: parameter.shape for name, parameter in small(representation_size=11).named_parameters()}
    per_layer = {
        "attn_norm.weight": [12],
        "attn_norm.bias": [12],
        "attn.qkv.weight": [12, 36],
        "attn.qkv.bias": [36],
        "attn.proj.weight": [12, 12],
        "attn.proj.bias": [12],
        "mlp_norm.weight": [12],
        "mlp_norm.bias": [12],
        "mlp.fc1.weight": [12, 30],
        "mlp.fc1.bias": [30],
        "mlp.fc2.weight": [30, 12],
        "mlp.fc2.bias": [12],
    }
    assert shapes == {
        "patch_embedding.class_token": [1, 1, 12],
        "patch_embedding.position_embedding": [1, 10, 12],
        "patch_embedding.patch_embedding.weight": [12, 2, 2, 5],
        "patch_embedding.patch_embedding.bias": [12],
        **{f"encoder.layers.{i}.{name}": shape for i in range(2) for name, shape in per_layer.items()},
        "encoder.norm.weight": [12],
        "encoder.norm.bias": [12],
        "pre_logits.weight": [12, 11],
        "pre_logits.bias": [11],
        "head.weight": [11, 7],
        "head.bias": [7],
    }


def test_fixed_positions_are_no_weights():
    for position in ("sincos-1d", "sincos-2d", "none"):
        assert not [name for name in small(position=position).state_dict() if "position" in name]


# -- options reach the layers they are for ----------------------------------------------------------------------------


def test_dropout_rates_are_passed_down():
    model = small(dropout=0.2, attention_dropout=0.3, droppath=0.4, depth=5)
    assert model.patch_embedding.dropout.p == 0.2
    for layer in model.encoder.layers:
        assert (layer.attn.attention_dropout.p, layer.attn.dropout.p, layer.mlp.dropout.p) == (0.3, 0.2, 0.2)
    rates = [layer.drop_path.p for layer in model.encoder.layers]
    assert np.allclose(rates, [0.0, 0.1, 0.2, 0.3, 0.4])
    assert Encoder(12, depth=1, num_heads=3, droppath=0.4).layers[0].drop_path.p == 0.0


@pytest.mark.parametrize("option", ["dropout", "attention_dropout", "droppath"])
def test_dropout_acts_in_training_only(option):
    model, plain = small(**{option: 0.5}), small()
    plain.set_state_dict(model.state_dict())
    image = paddle.to_tensor(randn(5, 2, 6, 15))
    model.eval()
    plain.eval()
    assert np.array_equal(model(image).numpy(), plain(image).numpy())
    model.train()
    assert not np.allclose(model(image).numpy(), model(image).numpy())


def test_attention_dropout_falls_on_the_weights():
    """Not on q, k or v: the rows of v arrive whole, or not at all, and what arrives is doubled at p = 0.5."""
    attention = Attention(embed_dim=6, num_heads=1, attention_dropout=0.5)
    for linear in (attention.qkv, attention.proj):
        linear.weight.set_value(paddle.zeros_like(linear.weight))
    attention.proj.weight.set_value(paddle.eye(6))
    bias = paddle.zeros([18])
    bias[12:] = 1.0  # v is all ones, scores are all zero: the output is the sum of the weights of a row
    attention.qkv.bias.set_value(bias)
    attention.train()
    paddle.seed(0)
    output = attention(paddle.zeros([50, 5, 6])).numpy()  # B T C
    assert np.allclose(output, output[:, :, :1]), "the channels of one token must share their fate"
    assert np.allclose(output * 5 / 2, np.round(output * 5 / 2), atol=1e-5), "each weight of 1/5 is dropped or doubled"
    assert 0.9 < output.mean() < 1.1


def test_where_dropout_stands(monkeypatch):
    """With dropout replaced by a factor of 1.5 each place shows: twice in the MLP, on attention's weights and output."""
    monkeypatch.setattr(nn.Dropout, "forward", lambda self, x: 1.5 * x if self.p else x)
    x = paddle.to_tensor(randn(2, 7, 12))
    mlp = Mlp(12, dropout=0.5)
    hidden = mlp.fc1(x)
    expected = 1.5 * mlp.fc2(1.5 * paddle.nn.functional.gelu(hidden))
    assert np.allclose(mlp(x).numpy(), expected.numpy(), atol=1e-5)
    for dropout, attention_dropout, factor in [(0.5, 0.0, 1.5), (0.0, 0.5, 1.5), (0.5, 0.5, 2.25)]:
        attention = Attention(12, 3, dropout=dropout, attention_dropout=attention_dropout)
        plain = Attention(12, 3)
        plain.set_state_dict(attention.state_dict())  # biases are zero, so that a factor inside comes out
        assert np.allclose(attention(x).numpy(), factor * plain(x).numpy(), atol=1e-5)
    embedding = PatchEmbedding((6, 15), (2, 5), in_channels=2, embed_dim=12, dropout=0.5)
    image = paddle.to_tensor(randn(3, 2, 6, 15))
    expected = 1.5 * (embedding.add_class_token(embedding.embed_patches(image)) + embedding.position_embedding)
    assert np.allclose(embedding(image).numpy(), expected.numpy(), atol=1e-6)


def test_drop_path_acts_on_both_branches_before_the_sum(monkeypatch):
    monkeypatch.setattr(DropPath, "forward", lambda self, x: 1.5 * x)
    layer, x = EncoderLayer(12, 3, droppath=0.5), paddle.to_tensor(randn(2, 7, 12))
    middle = x + 1.5 * layer.attn(layer.attn_norm(x))
    expected = middle + 1.5 * layer.mlp(layer.mlp_norm(middle))
    assert np.allclose(layer(x).numpy(), expected.numpy(), atol=1e-5)
    assert not np.allclose(layer(x).numpy(), x.numpy(), atol=0.1)


def test_qkv_bias():
    assert Attention(12, 3, qkv_bias=True).qkv.bias.shape == [36]
    assert Attention(12, 3, qkv_bias=False).qkv.bias is None
    assert all(layer.attn.qkv.bias is None for layer in small(qkv_bias=False).encoder.layers)


def test_norms_have_the_published_epsilon():
    norms = [layer for layer in small().sublayers() if isinstance(layer, nn.LayerNorm)]
    assert len(norms) == 5
    assert {norm._epsilon for norm in norms} == {1e-6}


def test_pooling():
    tokens = paddle.to_tensor(randn(3, 10, 12))
    model = small()
    assert np.allclose(model.forward_head(tokens).numpy(), model.head(tokens[:, 0]).numpy(), atol=1e-6)
    model = small(pool="mean")
    assert model.patch_embedding.class_token is None
    assert model.patch_embedding.position_embedding.shape == [1, 9, 12]
    mean = paddle.to_tensor(tokens.numpy().mean(axis=1))
    assert np.allclose(model.forward_head(tokens).numpy(), model.head(mean).numpy(), atol=1e-6)


def test_representation_goes_through_tanh():
    model = small(representation_size=11)
    tokens = paddle.to_tensor(30.0 * randn(3, 10, 12))
    hidden = np.tanh(tokens.numpy()[:, 0] @ model.pre_logits.weight.numpy() + model.pre_logits.bias.numpy())
    expected = hidden @ model.head.weight.numpy() + model.head.bias.numpy()
    assert np.allclose(model.forward_head(tokens).numpy(), expected, atol=1e-5)


def test_embedding_in_its_order():
    """Patches row by row, class token first, positions on all of them."""
    embedding = PatchEmbedding((6, 15), (2, 5), in_channels=2, embed_dim=12)
    image = randn(3, 2, 6, 15)
    weight = embedding.patch_embedding.weight.numpy().reshape(12, -1)  # C 2*2*5
    bias = randn(12, seed=4)
    embedding.patch_embedding.bias.set_value(paddle.to_tensor(bias))
    tokens = []
    for row in range(3):
        for column in range(3):
            patch = image[:, :, 2 * row : 2 * row + 2, 5 * column : 5 * column + 5].reshape(3, -1)
            tokens.append(patch @ weight.T + bias)
    class_token = np.broadcast_to(embedding.class_token.numpy()[0], (3, 12))
    expected = np.stack([class_token, *tokens], axis=1) + embedding.position_embedding.numpy()
    assert np.allclose(embedding(paddle.to_tensor(image)).numpy(), expected, atol=1e-6)


# -- attention and MLP against numpy ----------------------------------------------------------------------------------


def test_attention_against_numpy():
    B, T, H, D = 2, 7, 3, 5
    C = H * D
    attention = Attention(embed_dim=C, num_heads=H)
    weights = {name: randn(*p.shape, seed=i) for i, (name, p) in enumerate(attention.named_parameters())}
    for name, parameter in attention.named_parameters():
        parameter.set_value(paddle.to_tensor(weights[name]))
    x = 0.3 * randn(B, T, C, seed=9)
    expected = np.zeros((B, T, C))
    for b in range(B):
        qkv = x[b].astype("float64") @ weights["qkv.weight"] + weights["qkv.bias"]  # T 3C
        merged = np.zeros((T, C))
        for h in range(H):
            q, k, v = (qkv[:, part * C + h * D : part * C + (h + 1) * D] for part in range(3))  # each T D
            for i in range(T):
                scores = np.array([q[i] @ k[j] for j in range(T)]) / math.sqrt(D)
                shares = np.exp(scores) / np.exp(scores).sum()
                merged[i, h * D : (h + 1) * D] = sum(shares[j] * v[j] for j in range(T))
        expected[b] = merged @ weights["proj.weight"] + weights["proj.bias"]
    output = attention(paddle.to_tensor(x)).numpy()
    assert np.abs(output - expected).max() < 2e-5 * np.abs(expected).max()


def test_attention_rows_sum_to_one_and_heads_come_back():
    attention = Attention(embed_dim=15, num_heads=3)
    q, k, v = attention.split_heads(paddle.to_tensor(randn(2, 7, 45)))
    assert q.shape == k.shape == v.shape == [2, 3, 7, 5]
    assert np.allclose(attention.attention_weights(q, k).sum(axis=-1).numpy(), 1.0, atol=1e-6)
    assert np.array_equal(attention.merge_heads(v).numpy(), randn(2, 7, 45)[:, :, 30:])


def test_mlp_against_numpy():
    mlp = Mlp(embed_dim=5, mlp_ratio=2.7)
    assert mlp.fc1.weight.shape == [5, 13]  # int(13.5)
    x = randn(2, 3, 5)
    hidden = x @ mlp.fc1.weight.numpy() + mlp.fc1.bias.numpy()
    gelu = hidden * 0.5 * (1.0 + np.vectorize(math.erf)(hidden / math.sqrt(2.0)))
    expected = gelu @ mlp.fc2.weight.numpy() + mlp.fc2.bias.numpy()
    assert np.abs(mlp(paddle.to_tensor(x)).numpy() - expected).max() < 2e-5 * np.abs(expected).max()


# -- positions --------------------------------------------------------------------------------------------------------


def angle(position, channel, dim):
    return position / 10000.0 ** (2 * (channel // 2) / dim)


def brute_1d(num_positions, dim):
    return [
        [(math.sin if c % 2 == 0 else math.cos)(angle(p, c, dim)) for c in range(dim)] for p in range(num_positions)
    ]


@pytest.mark.parametrize("num_positions,dim", [(1, 2), (7, 10), (197, 24)])
def test_sincos_1d(num_positions, dim):
    assert np.allclose(sincos_1d(num_positions, dim).numpy(), brute_1d(num_positions, dim), atol=2e-5)


@pytest.mark.parametrize("grid,dim", [((1, 1), 4), ((3, 5), 12), ((7, 2), 20)])
def test_sincos_2d(grid, dim):
    rows, columns = brute_1d(grid[0], dim // 2), brute_1d(grid[1], dim // 2)
    expected = [rows[r] + columns[c] for r in range(grid[0]) for c in range(grid[1])]
    assert np.allclose(sincos_2d(grid, dim).numpy(), expected, atol=2e-5)


def test_fixed_position_embedding():
    table = fixed_position_embedding("sincos-2d", (3, 5), 12, class_token=True).numpy()
    assert table.shape == (1, 16, 12)
    assert (table[0, 0] == 0).all()
    assert np.array_equal(table[0, 1:], sincos_2d((3, 5), 12).numpy())
    without = fixed_position_embedding("sincos-1d", (3, 5), 12, class_token=False).numpy()
    assert np.array_equal(without[0], sincos_1d(15, 12).numpy())
    assert fixed_position_embedding("none", (3, 5), 12, class_token=True) is None


def test_resize_keeps_what_it_should():
    table = randn(1, 1 + 6, 4)
    same = resize_position_embedding(paddle.to_tensor(table), (2, 3), (2, 3)).numpy()
    assert np.allclose(same, table, atol=1e-6)
    larger = resize_position_embedding(paddle.to_tensor(table), (2, 3), (5, 7)).numpy()
    assert larger.shape == (1, 36, 4)
    assert np.array_equal(larger[:, 0], table[:, 0]), "the class token has no place in the image"
    two = resize_position_embedding(paddle.to_tensor(table), (1, 5), (1, 5), num_prefix=2).numpy()
    assert np.allclose(two, table, atol=1e-6)
    none = resize_position_embedding(paddle.to_tensor(table[:, 1:]), (2, 3), (4, 3), num_prefix=0).numpy()
    assert none.shape == (1, 12, 4)


def test_resize_does_not_mix_rows_and_columns():
    """A table that depends on the column alone still does afterwards."""
    columns = np.array([0.0, 1.0, 3.0], dtype="float32")
    table = np.broadcast_to(columns, (2, 3)).reshape(1, 6, 1)
    resized = resize_position_embedding(paddle.to_tensor(table.copy()), (2, 3), (4, 5), num_prefix=0).numpy()
    resized = resized.reshape(4, 5)
    assert np.allclose(resized, resized[0], atol=1e-6)
    assert (np.diff(resized[0]) > 0).all()


@pytest.mark.parametrize("position", ["learned", "sincos-1d", "sincos-2d", "none"])
@pytest.mark.parametrize("pool", ["class", "mean"])
def test_set_image_size(position, pool):
    model = small(position=position, pool=pool)
    model.eval()
    before = {name: p.numpy() for name, p in model.named_parameters()}
    model.set_image_size((8, 20))
    assert model(paddle.to_tensor(randn(2, 2, 8, 20))).shape == [2, 7]
    with pytest.raises(ValueError, match=r"\[B, 2, 8, 20\], got \[2, 2, 6, 15\]"):
        model(paddle.to_tensor(randn(2, 2, 6, 15)))
    after = dict(model.named_parameters())
    assert list(after) == list(before), "no parameter may come, go or change its place"
    changed = [name for name, p in after.items() if p.shape != list(before[name].shape)]
    assert changed == (["patch_embedding.position_embedding"] if position == "learned" else [])
    for name in set(before) - set(changed):
        assert np.array_equal(after[name].numpy(), before[name])
    loss = model(paddle.to_tensor(randn(2, 2, 8, 20))).sum()
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.set_image_size((6, 15))
    assert model(paddle.to_tensor(randn(2, 2, 6, 15))).shape == [2, 7]


# -- errors give the numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes,text",
    [
        (dict(image_size=(6, 16)), "patches of 2x5 pixels do not tile an image of 6x16"),
        (dict(image_size=(7, 15)), "patches of 2x5 pixels do not tile an image of 7x15"),
        (dict(patch_size=0), "patches of 0x0 pixels do not tile an image of 6x15"),
        (dict(num_heads=5), "embed_dim=12 cannot be split into num_heads=5"),
        (dict(num_heads=0), "embed_dim=12 cannot be split into num_heads=0"),
        (dict(pool="max"), "pool='max' is not one of 'class', 'mean'"),
        (dict(position="sincos"), "position='sincos' is not one of"),
        (dict(position="sincos-2d", embed_dim=15, num_heads=3), "divisible by 4, got 15"),
        (dict(position="sincos-1d", embed_dim=15, num_heads=3), "divisible by 2, got 15"),
    ],
)
def test_constructor_errors(changes, text):
    with pytest.raises(ValueError, match=text):
        small(**changes)


@pytest.mark.parametrize("shape", [[2, 2, 6, 10], [2, 2, 15, 6], [2, 3, 6, 15], [2, 6, 15], [2, 6, 15, 2]])
def test_forward_errors(shape):
    with pytest.raises(ValueError) as error:
        small()(paddle.zeros(shape))
    assert "[B, 2, 6, 15]" in str(error.value) and str(shape) in str(error.value)


# -- initial values and random layers ---------------------------------------------------------------------------------


def normal_cdf(x):
    return 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


@pytest.mark.parametrize(
    "mean,std,a,b", [(0.0, 0.02, -2.0, 2.0), (0.0, 1.0, -2.0, 2.0), (0.5, 1.5, -1.0, 1.2), (0.0, 1.0, 0.3, 9.0)]
)
def test_trunc_normal_distribution(mean, std, a, b):
    """Kolmogorov and Smirnov's distance to the exact distribution function, with the bounds as absolute values."""
    paddle.seed(3)
    parameter = paddle.create_parameter([211, 499], "float32")
    assert trunc_normal_(parameter, mean, std, a, b) is parameter
    values = np.sort(parameter.numpy().astype("float64").ravel())
    assert a <= values[0] and values[-1] <= b
    low, high = normal_cdf((a - mean) / std), normal_cdf((b - mean) / std)
    expected = (normal_cdf((values - mean) / std) - low) / (high - low)
    steps = np.arange(1, len(values) + 1) / len(values)
    assert np.abs(expected - steps).max() < 1.63 / math.sqrt(len(values))  # exceeded by chance once in 100 seeds


def test_trunc_normal_is_not_cut_at_two_standard_deviations():
    """Paddle 2.6's own would give a standard deviation of 0.0176 and nothing beyond 0.04."""
    paddle.seed(3)
    values = trunc_normal_(paddle.create_parameter([211, 499], "float32"), std=0.02).numpy()
    assert abs(values.std() - 0.02) < 2e-4
    assert np.abs(values).max() > 0.07
    assert abs((np.abs(values) > 0.04).mean() - 0.0455) < 0.003
    assert not np.array_equal(values, trunc_normal_(paddle.create_parameter([211, 499], "float32")).numpy())
    paddle.seed(3)
    again = trunc_normal_(paddle.create_parameter([211, 499], "float32")).numpy()
    assert np.array_equal(values, again), "paddle.seed must repeat it"


def test_initial_values():
    paddle.seed(0)
    model = VisionTransformer(
        image_size=32, patch_size=4, num_classes=100, embed_dim=96, depth=2, num_heads=3, representation_size=100
    )
    for name, parameter in model.named_parameters():
        values = parameter.numpy()
        if name.endswith("bias"):
            assert (values == 0).all(), name
        elif "norm" in name:
            assert (values == 1).all(), name
        else:  # linear and patch weights, class token, positions
            spread = 4 / math.sqrt(2 * values.size)  # four standard errors of a standard deviation
            assert abs(values.std() / 0.02 - 1) < spread, f"{name} has a standard deviation of {values.std():.4f}"
            assert abs(values.mean()) < 4 * 0.02 / math.sqrt(values.size), name
    wide = PatchEmbedding(image_size=4, patch_size=4, embed_dim=4093).class_token.numpy()  # enough values to tell
    assert abs(wide.std() / 0.02 - 1) < 4 / math.sqrt(2 * 4093)
    first, second = (layer.attn.qkv.weight.numpy() for layer in model.encoder.layers)
    assert not np.allclose(first, second), "each layer draws its own weights"


def test_init_weights_leaves_other_layers_alone():
    layers = nn.Sequential(nn.Linear(3, 4, bias_attr=False), nn.LayerNorm(4), nn.Embedding(5, 4))
    embedding = layers[2].weight.numpy()
    layers.apply(init_weights)
    assert np.array_equal(layers[2].weight.numpy(), embedding)
    assert (layers[1].weight.numpy() == 1).all()


def test_drop_path():
    p, x = 0.3, paddle.ones([4001, 2, 3])
    paddle.seed(1)
    y = drop_path(x, p).numpy()
    assert np.array_equal(y, np.broadcast_to(y[:, :1, :1], y.shape)), "a sample is dropped whole"
    kept = y[:, 0, 0]
    assert np.allclose(np.unique(kept), [0.0, 1 / (1 - p)])
    assert abs((kept == 0).mean() - p) < 4 * math.sqrt(p * (1 - p) / 4001)
    assert np.array_equal(drop_path(x, p, training=False).numpy(), x.numpy())
    assert np.array_equal(drop_path(x, 0.0).numpy(), x.numpy())


def test_drop_path_layer_follows_the_mode():
    layer, x = DropPath(0.5), paddle.to_tensor(randn(200, 3))
    layer.eval()
    assert np.array_equal(layer(x).numpy(), x.numpy())
    layer.train()
    dropped = (layer(x).numpy() == 0).all(axis=1)
    assert 60 < dropped.sum() < 140
    assert "p=0.5" in repr(layer)


def test_drop_path_gradient():
    x = paddle.ones([50, 3])
    x.stop_gradient = False
    y = drop_path(x, 0.5)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy(), y.numpy()), "of what is dropped nothing, of what is kept twice as much"
