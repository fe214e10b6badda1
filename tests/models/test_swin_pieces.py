"""Swin's windows, piece by piece, against loops in numpy that do without the tricks: no shift, no mask, no index."""

import numpy as np
import paddle
import pytest

from paddle_vit.models.swin import (
    PatchEmbed,
    PatchMerging,
    SwinTransformerBlock,
    WindowAttention,
    cyclic_shift,
    fit_window,
    pad_to_windows,
    relative_position_index,
    shifted_window_mask,
    window_partition,
    window_reverse,
)
from paddle_vit.models.vit import Attention


def randn(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


def randomised(layer):
    """No parameter at 0 or 1."""
    for seed, (name, parameter) in enumerate(layer.named_parameters()):
        scale = 1.0 if "table" in name else 0.5
        parameter.set_value(paddle.to_tensor(scale * randn(*parameter.shape, seed=100 + seed)))
    return layer


def double(tensor):
    return tensor.numpy().astype("float64")


def linear(layer, x):
    return x @ double(layer.weight) + (0.0 if layer.bias is None else double(layer.bias))


def layer_norm(layer, x):
    x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    return x * double(layer.weight) + double(layer.bias)


def window_of(row, column, M, shift):
    """Where a token lies when the borders of the windows, not the tokens, are moved: shift tokens down and to the right.

    The borders cut the map into whole windows inside and into pieces of windows along its edge, -1 and the last.
    """
    return (row - shift) // M, (column - shift) // M


# -- partition and reverse --------------------------------------------------------------------------------------------

MAPS = [(6, 9, 3), (4, 4, 4), (8, 4, 2), (2, 3, 1)]  # H, W, M


@pytest.mark.parametrize("H,W,M", MAPS)
def test_window_partition(H, W, M):
    x = randn(3, H, W, 5)
    windows = []
    for image in x:
        for top in range(0, H, M):
            for left in range(0, W, M):
                windows.append(image[top : top + M, left : left + M])
    assert np.array_equal(window_partition(paddle.to_tensor(x), M).numpy(), np.stack(windows))


@pytest.mark.parametrize("H,W,M", MAPS)
def test_window_reverse(H, W, M):
    x = paddle.to_tensor(randn(3, H, W, 5))
    assert np.array_equal(window_reverse(window_partition(x, M), M, H, W).numpy(), x.numpy())
    windows = randn(2 * (H // M) * (W // M), M, M, 5)
    expected = np.zeros((2, H, W, 5), "float32")
    for index, window in enumerate(windows):
        image, place = divmod(index, (H // M) * (W // M))
        row, column = divmod(place, W // M)
        expected[image, row * M : row * M + M, column * M : column * M + M] = window
    assert np.array_equal(window_reverse(paddle.to_tensor(windows), M, H, W).numpy(), expected)


# -- relative positions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("M", [1, 2, 3, 5, 7])
def test_relative_position_index(M):
    index = relative_position_index(M)
    assert index.dtype == paddle.int64 and index.shape == [M * M, M * M]
    rows = {}  # relative position -> row of the table
    for i in range(M * M):
        for j in range(M * M):
            dy, dx = i // M - j // M, i % M - j % M
            assert index[i, j].item() == (dy + M - 1) * (2 * M - 1) + dx + M - 1
            rows.setdefault((dy, dx), set()).add(index[i, j].item())
    assert len(rows) == (2 * M - 1) ** 2, "every row of the table is used"
    assert sorted(row for (row,) in rows.values()) == list(range((2 * M - 1) ** 2)), "and by one relative position"


def test_relative_position_bias():
    attention = randomised(WindowAttention(6, 2, 3))
    table, bias = attention.relative_position_bias_table.numpy(), attention.relative_position_bias().numpy()
    assert bias.shape == (2, 9, 9)
    for head in range(2):
        for i in range(9):
            for j in range(9):
                row = (i // 3 - j // 3 + 2) * 5 + i % 3 - j % 3 + 2
                assert bias[head, i, j] == table[row, head]


def test_gradient_of_the_table():
    """Each entry gets the sum over the pairs that share it: 9 pairs lie at (0, 0), one at each corner of the table."""
    attention = WindowAttention(6, 2, 3)
    attention.relative_position_bias().sum().backward()
    gradient = attention.relative_position_bias_table.grad.numpy().reshape(5, 5, 2)
    pairs = [3 - abs(offset) for offset in range(-2, 3)]
    assert np.array_equal(gradient, np.stack([np.outer(pairs, pairs)] * 2, axis=-1))


# -- shift and mask ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 3])
def test_cyclic_shift(shift):
    x = randn(2, 4, 5, 3)
    expected = np.empty_like(x)
    for row in range(4):
        for column in range(5):
            expected[:, row, column] = x[:, (row + shift) % 4, (column + shift) % 5]
    shifted = cyclic_shift(paddle.to_tensor(x), shift)
    assert np.array_equal(shifted.numpy(), expected)
    assert np.array_equal(cyclic_shift(shifted, -shift).numpy(), x)


@pytest.mark.parametrize("H,W,M,shift", [(6, 9, 3, 1), (6, 9, 3, 2), (8, 12, 4, 2), (4, 8, 4, 1), (14, 21, 7, 3)])
def test_shifted_window_mask(H, W, M, shift):
    """Every token carries its place of before the shift: two may look if the moved borders do not part them."""
    rows, columns = np.meshgrid(np.arange(H), np.arange(W), indexing="ij")
    rows, columns = (np.roll(place, (-shift, -shift), (0, 1)) for place in (rows, columns))
    expected = []
    for top in range(0, H, M):
        for left in range(0, W, M):
            window = (slice(top, top + M), slice(left, left + M))
            tokens = [
                window_of(*place, M, shift) for place in zip(rows[window].flat, columns[window].flat, strict=True)
            ]
            expected.append([[0.0 if one == other else -100.0 for other in tokens] for one in tokens])
    mask = shifted_window_mask((H, W), M, shift)
    assert mask.dtype == paddle.float32
    assert np.array_equal(mask.numpy(), np.array(expected))


def test_nine_regions():
    """A map of 2x2 windows: the shift makes nine groups of tokens that see each other, 2, 4 and 2 rows and columns."""
    mask = shifted_window_mask((8, 8), 4, 2).numpy()
    groups = {(window, *np.flatnonzero(row == 0)) for window in range(4) for row in mask[window]}
    assert sorted(len(tokens) - 1 for tokens in groups) == [4, 4, 4, 4, 8, 8, 8, 8, 16]
    assert len([1 for window in mask if not window.any()]) == 1, "the upper left window is left whole"
    assert (mask == mask.transpose(0, 2, 1)).all() and not mask[:, range(16), range(16)].any()


@pytest.mark.parametrize(
    "resolution,window,shift,expected",
    [
        ((14, 14), 7, 3, (7, 3)),
        ((14, 8), 7, 0, (7, 0)),
        ((7, 7), 7, 3, (7, 0)),
        ((7, 14), 7, 3, (7, 0)),
        ((14, 7), 7, 3, (7, 0)),
        ((3, 5), 7, 3, (3, 0)),
        ((20, 2), 7, 3, (2, 0)),
        ((1, 1), 12, 6, (1, 0)),
    ],
)
def test_fit_window(resolution, window, shift, expected):
    assert fit_window(resolution, window, shift) == expected


@pytest.mark.parametrize("H,W,M", [(5, 7, 4), (4, 7, 4), (5, 8, 4), (8, 4, 4), (1, 1, 3), (3, 5, 2), (3, 5, 1)])
def test_pad_to_windows(H, W, M):
    x = randn(2, H, W, 3)
    padded = pad_to_windows(paddle.to_tensor(x), M).numpy()
    height, width = (next(size for size in range(n, n + M) if size % M == 0) for n in (H, W))
    assert padded.shape == (2, height, width, 3)
    assert np.array_equal(padded[:, :H, :W], x)
    assert not padded[:, H:].any() and not padded[:, :, W:].any()


# -- attention --------------------------------------------------------------------------------------------------------


def test_attention_weights_with_a_mask():
    """Two images of three windows: window by window, head by head."""
    attention = randomised(WindowAttention(6, 2, 2))
    q, k = randn(6, 2, 4, 3, seed=1), randn(6, 2, 4, 3, seed=2)
    mask = randn(3, 4, 4, seed=3)
    weights = attention.attention_weights(*map(paddle.to_tensor, (q, k, mask))).numpy()
    assert weights.shape == (6, 2, 4, 4)
    bias = double(attention.relative_position_bias())
    for window in range(6):
        for head in range(2):
            scores = q[window, head] @ k[window, head].T / np.sqrt(3) + bias[head] + mask[window % 3]
            expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            assert np.allclose(weights[window, head], expected, atol=1e-6)
    without = attention.attention_weights(paddle.to_tensor(q), paddle.to_tensor(k))
    of_zeros = attention.attention_weights(paddle.to_tensor(q), paddle.to_tensor(k), paddle.zeros([3, 4, 4]))
    assert np.allclose(without.numpy(), of_zeros.numpy(), atol=1e-7)
    assert not np.allclose(without.numpy(), weights, atol=0.05)


def test_without_bias_and_mask_it_is_vit():
    attention = randomised(WindowAttention(12, 3, 2, qkv_bias=False))
    attention.relative_position_bias_table.set_value(paddle.zeros([9, 3]))
    plain = Attention(12, 3, qkv_bias=False)
    plain.set_state_dict({name: p for name, p in attention.state_dict().items() if "table" not in name})
    x = paddle.to_tensor(randn(5, 4, 12))
    assert np.allclose(attention(x).numpy(), plain(x).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "shape", [[2, 9, 9], [4, 4, 4], [12, 4, 4], [4, 4], [3, 1, 4, 4]], ids=["N", "nW", "more", "two axes", "four axes"]
)
def test_a_mask_for_other_windows(shape):
    attention, x = WindowAttention(6, 2, 2), paddle.zeros([6, 4, 6])
    assert attention(x, paddle.zeros([3, 4, 4])).shape == [6, 4, 6]
    with pytest.raises(ValueError) as error:
        attention(x, paddle.zeros(shape))
    for text in ("[6, 4, 6]", "[nW, 4, 4]", "divide 6", str(shape)):
        assert text in str(error.value)


# -- the block --------------------------------------------------------------------------------------------------------

# H, W, window, shift asked for; then window and shift that fit
BLOCKS = [
    ((6, 9), 3, 0, 3, 0),
    ((6, 9), 3, 1, 3, 1),
    ((8, 12), 4, 2, 4, 2),
    ((7, 10), 4, 2, 4, 2),
    ((7, 8), 4, 2, 4, 2),
    ((5, 6), 4, 0, 4, 0),
    ((5, 8), 5, 2, 5, 0),
    ((3, 7), 4, 2, 3, 0),
    ((2, 2), 1, 0, 1, 0),
]


def attend_by_loops(attn, x, M, shift):
    """[B, H, W, C], each token by itself: it looks at those that the moved borders do not part from it."""
    B, H, W, C = x.shape
    height, width = (-(-size // M) * M for size in (H, W))
    padded = np.zeros((B, height, width, C))
    padded[:, :H, :W] = x
    heads, D = attn.num_heads, C // attn.num_heads
    q, k, v = np.moveaxis(linear(attn.qkv, padded).reshape(B, height, width, 3, heads, D), 3, 0)
    table = double(attn.relative_position_bias_table)
    out = np.zeros((B, H, W, heads, D))
    places = [(row, column) for row in range(height) for column in range(width)]
    for row in range(H):
        for column in range(W):
            mine = window_of(row, column, M, shift)
            seen = [place for place in places if window_of(*place, M, shift) == mine]
            rows, columns = np.array(seen).T
            bias = table[(row - rows + M - 1) * (2 * M - 1) + column - columns + M - 1]  # n heads
            scores = (q[:, row, column, None] * k[:, rows, columns]).sum(-1) / np.sqrt(D) + bias  # B n heads
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            out[:, row, column] = (weights[..., None] * v[:, rows, columns]).sum(axis=1)
    return linear(attn.proj, out.reshape(B, H, W, C))


@pytest.mark.parametrize("resolution,window,shift,fitted,fitted_shift", BLOCKS)
def test_attend_against_loops(resolution, window, shift, fitted, fitted_shift):
    block = randomised(SwinTransformerBlock(6, resolution, 2, window, shift))
    assert (block.window_size, block.shift_size) == (fitted, fitted_shift) and (block.mask is None) == (
        not fitted_shift
    )
    x = randn(2, *resolution, 6)
    expected = attend_by_loops(block.attn, x, fitted, fitted_shift)
    ours = block.attend(paddle.to_tensor(x)).numpy()
    assert ours.shape == x.shape
    assert np.abs(ours - expected).max() < 5e-6 * np.abs(expected).max()


def test_block_against_loops():
    block = randomised(SwinTransformerBlock(6, (7, 10), 2, 4, 2, mlp_ratio=2.5))
    x = randn(2, 7, 10, 6)
    middle = x + attend_by_loops(block.attn, layer_norm(block.attn_norm, x), 4, 2)
    normed = paddle.to_tensor(layer_norm(block.mlp_norm, middle).astype("float32"))
    expected = middle + double(block.mlp(normed))  # ViT's, proven there
    assert np.abs(block(paddle.to_tensor(x)).numpy() - expected).max() < 5e-6 * np.abs(expected).max()


@pytest.mark.parametrize("resolution,window,shift,fitted,fitted_shift", BLOCKS)
def test_who_hears_whom(resolution, window, shift, fitted, fitted_shift):
    """Gradients: a token takes from all tokens of its window, whole or cut by the edge, and from no other."""
    block = randomised(SwinTransformerBlock(6, resolution, 2, window, shift))
    H, W = resolution
    places = [(row, column) for row in range(H) for column in range(W)]
    x = paddle.to_tensor(np.repeat(randn(1, H, W, 6), H * W, axis=0), stop_gradient=False)  # a copy for each token
    out = block(x).reshape([H * W, H * W, 6])
    tokens = paddle.arange(H * W)
    asked = out[tokens, tokens]  # of copy i the token i
    (asked * paddle.to_tensor(randn(6, seed=1))).sum().backward()
    heard = np.abs(x.grad.numpy()).max(axis=-1).reshape(H * W, H * W)
    windows = [window_of(*place, fitted, fitted_shift) for place in places]
    same = np.array([[one == other for other in windows] for one in windows])
    assert heard[same].min() > 1e-6
    assert not same.all()
    assert heard[~same].max(initial=0.0) < 1e-20, "what -100 leaves of a softmax"


# -- patches and their merging ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("H,W", [(4, 6), (5, 6), (4, 7), (3, 5), (1, 1)])
def test_patch_merging(H, W):
    merging = randomised(PatchMerging(3))
    x = randn(2, H, W, 3)
    rows, columns = -(-H // 2), -(-W // 2)
    expected = np.zeros((2, rows, columns, 6))
    for row in range(rows):
        for column in range(columns):
            four = []
            for r, c in [(0, 0), (1, 0), (0, 1), (1, 1)]:  # upper left, lower left, upper right, lower right
                inside = 2 * row + r < H and 2 * column + c < W
                four.append(x[:, 2 * row + r, 2 * column + c] if inside else np.zeros((2, 3)))
            expected[:, row, column] = linear(merging.reduction, layer_norm(merging.norm, np.concatenate(four, axis=1)))
    assert merging.reduction.bias is None
    assert np.allclose(merging(paddle.to_tensor(x)).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("size", [(6, 9), (5, 9), (6, 7), (3, 5), (2, 3)])
def test_patch_embed(size):
    """Patches of 2 rows and 3 columns, which need not tile the image."""
    embed = randomised(PatchEmbed(size, (2, 3), in_channels=2, embed_dim=5))
    x = randn(3, 2, *size)
    rows, columns = -(-size[0] // 2), -(-size[1] // 3)
    assert embed.grid == (rows, columns)
    padded = np.zeros((3, 2, 2 * rows, 3 * columns))
    padded[:, :, : size[0], : size[1]] = x
    weight = double(embed.proj.weight).reshape(5, -1)  # C 2*2*3
    for row in range(rows):
        for column in range(columns):
            patch = padded[:, :, 2 * row : 2 * row + 2, 3 * column : 3 * column + 3].reshape(3, -1)
            expected = layer_norm(embed.norm, patch @ weight.T + double(embed.proj.bias))
            assert np.allclose(embed(paddle.to_tensor(x))[:, row, column].numpy(), expected, atol=1e-5)
