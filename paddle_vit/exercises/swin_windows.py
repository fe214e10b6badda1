"""Lesson 3: cases and rules of the patches, the windows and the attention inside of them, as in swin.py."""

import numpy as np
import paddle

from paddle_vit.exercises import Case
from paddle_vit.exercises.vit import close

# --- the definitions at work ------------------------------------------------------------------------------------------


def _patch_embed(swin, draw, image_size=(7, 13), patch_size=(2, 3), in_channels=2, embed_dim=10, batch=3, branch=1.0):
    layer = swin.PatchEmbed(image_size=image_size, patch_size=patch_size, in_channels=in_channels, embed_dim=embed_dim)
    return draw.layer(layer, scale=branch), draw.tensor(batch, in_channels, *image_size)


def patch_embed(swin, draw, **options):
    layer, image = _patch_embed(swin, draw, **options)
    return layer(image)


def window_partition(swin, draw, resolution, window_size, batch=2, channels=5):
    return swin.window_partition(draw.tensor(batch, *resolution, channels), window_size)


def window_reverse(swin, draw, resolution, window_size, batch=2, channels=5):
    H, W = resolution
    count = batch * (H // window_size) * (W // window_size)
    return swin.window_reverse(draw.tensor(count, window_size, window_size, channels), window_size, H, W)


def relative_position_index(swin, draw, window_size):
    return swin.relative_position_index(window_size)


def _window_attention(swin, draw, embed_dim=21, num_heads=3, window_size=2, **options):
    layer = swin.WindowAttention(embed_dim=embed_dim, num_heads=num_heads, window_size=window_size, **options)
    return draw.layer(layer)


def relative_position_bias(swin, draw, **options):
    return _window_attention(swin, draw, **options).relative_position_bias()


def _mask(draw, count, tokens):
    """Pairs drawn by chance; i may see j where j does not see i, so that rows and columns cannot be confused."""
    apart = draw.generator().random((count, tokens, tokens)) < 0.4
    apart[:, range(tokens), range(tokens)] = False  # itself a token may always see
    return paddle.to_tensor(np.where(apart, -100.0, 0.0).astype("float32"))


def attention_weights(swin, draw, windows, images=2, masked=False, embed_dim=21, num_heads=3, window_size=2):
    layer = _window_attention(swin, draw, embed_dim, num_heads, window_size)
    shape = [images * windows, num_heads, window_size**2, embed_dim // num_heads]
    mask = _mask(draw, windows, window_size**2) if masked else None
    return layer.attention_weights(draw.tensor(*shape), draw.tensor(*shape), mask)


def window_attention(swin, draw, windows, images=2, masked=False, embed_dim=21, window_size=2, **options):
    layer = _window_attention(swin, draw, embed_dim, window_size=window_size, **options)
    mask = _mask(draw, windows, window_size**2) if masked else None
    return layer(draw.tensor(images * windows, window_size**2, embed_dim), mask)


CASES = {
    "PatchEmbed.__init__": [
        Case(patch_embed),
        Case(patch_embed, dict(image_size=(10, 5), patch_size=4, in_channels=3, embed_dim=7)),
        Case(patch_embed, dict(branch=0.03)),
    ],
    "PatchEmbed.forward": [
        Case(patch_embed),
        Case(patch_embed, dict(image_size=(5, 8), patch_size=4, in_channels=3, embed_dim=7, batch=1)),
        Case(patch_embed, dict(image_size=(6, 15), batch=2)),
    ],
    "window_partition": [
        Case(window_partition, dict(resolution=(6, 9), window_size=3)),
        Case(window_partition, dict(resolution=(8, 4), window_size=2, batch=3)),
        Case(window_partition, dict(resolution=(4, 4), window_size=4, batch=1)),
    ],
    "window_reverse": [
        Case(window_reverse, dict(resolution=(6, 9), window_size=3)),
        Case(window_reverse, dict(resolution=(8, 4), window_size=2, batch=3)),
        Case(window_reverse, dict(resolution=(4, 4), window_size=4, batch=1)),
    ],
    "relative_position_index": [
        Case(relative_position_index, dict(window_size=3)),
        Case(relative_position_index, dict(window_size=2)),
        Case(relative_position_index, dict(window_size=5)),
        Case(relative_position_index, dict(window_size=1)),
    ],
    "WindowAttention.__init__": [
        Case(window_attention, dict(windows=5, masked=True, dropout=0.4, attention_dropout=0.2), train=True),
        Case(window_attention, dict(windows=2, embed_dim=10, num_heads=2, window_size=3, qkv_bias=False)),
        # so large that the spread of the table can be told, at any width far from that of Paddle's default
        Case(relative_position_bias, dict(window_size=12), initial="relative_position_bias_table"),
    ],
    "WindowAttention.relative_position_bias": [
        Case(relative_position_bias, dict(window_size=3)),
        Case(relative_position_bias, dict(embed_dim=10, num_heads=5, window_size=2)),
        Case(relative_position_bias, dict(embed_dim=5, num_heads=1, window_size=4)),
    ],
    "WindowAttention.attention_weights": [
        Case(attention_weights, dict(windows=5)),
        Case(attention_weights, dict(windows=5, masked=True)),
        Case(attention_weights, dict(windows=2, images=3, masked=True, embed_dim=10, num_heads=2, window_size=3)),
        Case(attention_weights, dict(windows=1, images=1, masked=True)),
    ],
    "WindowAttention.forward": [
        Case(window_attention, dict(windows=5, masked=True)),
        Case(window_attention, dict(windows=5, masked=True, dropout=0.4, attention_dropout=0.2), train=True),
        Case(window_attention, dict(windows=2, images=3, embed_dim=10, num_heads=2, window_size=3, qkv_bias=False)),
        Case(window_attention, dict(windows=1, images=1, masked=True, dropout=0.4, attention_dropout=0.2)),
    ],
}

# --- rules that hold for every right answer ---------------------------------------------------------------------------


def _with_patch(image):
    """The image with other pixels in row 1, column 2 of the patches, which are 2x3 pixels."""
    patch = paddle.zeros_like(image)
    patch[:, :, 2:4, 6:9] = paddle.to_tensor([[1.0, -2.0, 3.0], [0.5, 1.5, -1.0]])
    return image + patch


def places_of_a_patch(swin, draw):
    layer, image = _patch_embed(swin, draw, image_size=(8, 15))
    return (layer.proj(_with_patch(image)) - layer.proj(image)).transpose([0, 2, 3, 1])


def token_of_a_patch(swin, draw):
    layer, image = _patch_embed(swin, draw)
    return layer(_with_patch(image)) - layer(image)


def _row_one_column_two(outputs):
    (change,) = outputs  # B H W C
    places = np.argwhere(abs(change).max(axis=(0, 3)) > 1e-3)
    return change.shape[1:3] == (4, 5) and places.tolist() == [[1, 2]]


def padded_by_hand(swin, draw):
    layer, image = _patch_embed(swin, draw)
    whole = swin.PatchEmbed(image_size=(8, 15), patch_size=(2, 3), in_channels=2, embed_dim=10)
    whole.set_state_dict(layer.state_dict())
    padded = paddle.zeros([3, 2, 8, 15])
    padded[:, :, :7, :13] = image
    return layer(image), whole(padded)


def fresh_tokens(swin, draw):
    layer = swin.PatchEmbed(image_size=(7, 13), patch_size=(2, 3), in_channels=2, embed_dim=10)
    return layer(draw.tensor(3, 2, 7, 13, scale=3.0))


def _normalised(outputs):
    (tokens,) = outputs
    return close(tokens.mean(axis=-1), 0.0) and close(tokens.var(axis=-1), 1.0, 1e-2)


def cut_map(swin, draw):
    x = draw.tensor(2, 6, 9, 5)
    return swin.window_partition(x, 3), x


def _cut_out(outputs):
    windows, x = outputs
    cut = [x[b, row : row + 3, column : column + 3] for b in range(2) for row in (0, 3) for column in (0, 3, 6)]
    return close(windows, np.stack(cut))


def cut_and_joined(swin, draw):
    x = draw.tensor(2, 9, 6, 5)
    return swin.window_reverse(swin.window_partition(x, 3), 3, 9, 6), x


def joined_and_cut(swin, draw):
    windows = draw.tensor(12, 3, 3, 5)
    return swin.window_partition(swin.window_reverse(windows, 3, 6, 9), 3), windows


def numbered_windows(swin, draw):
    """Each window filled with its own number."""
    windows = paddle.arange(12, dtype="float32").reshape([12, 1, 1, 1]).expand([12, 2, 2, 1])
    return swin.window_reverse(windows, 2, 4, 6)


def _in_reading_order(outputs):
    (x,) = outputs
    wanted = np.array(
        [[[6 * b + 3 * (row // 2) + column // 2 for column in range(6)] for row in range(4)] for b in (0, 1)]
    )
    return close(x, wanted[..., None])


def _rows_of_table(M):
    """The index by a double loop over pairs of tokens."""
    index = np.zeros([M * M, M * M], "int64")
    for i in range(M * M):
        for j in range(M * M):
            down, right = i // M - j // M, i % M - j % M
            index[i, j] = (down + M - 1) * (2 * M - 1) + right + M - 1
    return index


def _every_step_its_row(outputs):
    (index,) = outputs
    rows = {}
    for i, j in np.ndindex(16, 16):
        rows.setdefault((i // 4 - j // 4, i % 4 - j % 4), set()).add(int(index[i, j]))
    one_each = all(len(found) == 1 for found in rows.values())
    return index.shape == (16, 16) and one_each and set().union(*rows.values()) == set(range(49))


def _center_on_the_diagonal(outputs):
    (index,) = outputs  # M = 4: no step at all is row 24 of 49, and there and back again are equally far from it
    return (np.diag(index) == 24).all() and (index + index.T == 48).all() and index[1, 0] == 25 and index[4, 0] == 31


def index_of_a_layer(swin, draw):
    layer = _window_attention(swin, draw, window_size=3)
    names, saved = dict(layer.named_buffers()), layer.state_dict()
    return (
        layer.relative_position_index,
        "relative_position_index" in names and "relative_position_index" not in saved,
        "relative_position_bias_table" in saved,
    )


def _kept_not_saved(outputs):
    index, buffer, table = outputs
    return np.array_equal(index, _rows_of_table(3)) and bool(buffer) and bool(table)


def bias_and_table(swin, draw):
    layer = _window_attention(swin, draw, window_size=3)
    return layer.relative_position_bias(), layer.relative_position_bias_table


def _looked_up(outputs):
    bias, table = outputs
    return bias.shape == (3, 9, 9) and close(bias, table[_rows_of_table(3)].transpose(2, 0, 1), 0)


def weights_of_both_branches(swin, draw):
    layer = _window_attention(swin, draw)
    q, k = draw.tensor(10, 3, 4, 7), draw.tensor(10, 3, 4, 7)
    mask = _mask(draw, 5, 4)
    return layer.attention_weights(q, k), layer.attention_weights(q, k, mask), mask


def _rows_sum_to_one(outputs):
    return all((weights >= 0).all() and close(weights.sum(-1), 1.0) for weights in outputs[:2])


def _no_weight_for_masked(outputs):
    _, weights, mask = outputs
    visible = np.broadcast_to((mask == 0)[None, :, None], (2, 5, 3, 4, 4))
    weights = weights.reshape([2, 5, 3, 4, 4])
    return close(weights[~visible], 0.0) and (weights[visible] > 1e-6).all()


def weights_of_equal_tokens(swin, draw):
    layer, q = _window_attention(swin, draw), paddle.zeros([2, 3, 4, 7])
    return layer.attention_weights(q, draw.tensor(2, 3, 4, 7)), layer.relative_position_bias()


def _softmax_of_bias(outputs):
    weights, bias = outputs
    wanted = np.exp(bias) / np.exp(bias).sum(-1, keepdims=True)
    return weights.shape == (2, 3, 4, 4) and close(weights, wanted[None])


def one_window_changed(swin, draw):
    layer, x, mask = _window_attention(swin, draw), draw.tensor(10, 4, 21), _mask(draw, 5, 4)
    change = paddle.zeros_like(x)
    change[7] = 1.0
    return layer(x + change, mask) - layer(x, mask), layer(x + change) - layer(x)


def _window_seven(outputs):
    return all(np.flatnonzero(abs(change).max(axis=(1, 2)) > 1e-4).tolist() == [7] for change in outputs)


def hidden_token_changed(swin, draw):
    """In window 1 of each image nobody may look at token 2, but for token 2 itself."""
    layer, x = _window_attention(swin, draw), draw.tensor(6, 4, 21)
    mask, change = paddle.zeros([3, 4, 4]), paddle.zeros_like(x)
    mask[1, :, 2] = -100.0
    mask[1, 2, 2] = 0.0
    change[:, 2] = 1.0
    return layer(x + change, mask) - layer(x, mask)


def _hidden_in_window_one(outputs):
    (change,) = outputs
    seen = abs(change).max(axis=-1).reshape([2, 3, 4]) > 1e-4
    wanted = np.ones([2, 3, 4], bool)
    wanted[:, 1] = [False, False, True, False]
    return np.array_equal(seen, wanted)


def masks_that_do_not_fit(swin, draw):
    """Which of them are refused: rows without windows, windows of one token, windows that make no whole image."""
    layer, x, refused = _window_attention(swin, draw, num_heads=1), draw.tensor(8, 4, 21), []
    for shape in ([4, 4], [2, 1, 1], [3, 4, 4]):
        try:
            layer(x, paddle.zeros(shape))
            refused.append(False)
        except ValueError:
            refused.append(True)
    return np.array(refused)


def dropped_weights(swin, draw):
    """With v = 1 everywhere and the projection switched off, each head's output shows the sum of its weights."""
    layer = _window_attention(swin, draw, embed_dim=12, window_size=3, attention_dropout=0.5)
    values = layer.qkv.weight.clone()
    values[:, 24:] = 0.0
    layer.qkv.weight.set_value(values)
    layer.qkv.bias.set_value(paddle.concat([layer.qkv.bias[:24], paddle.ones([12])]))
    layer.proj.weight.set_value(paddle.eye(12))
    layer.proj.bias.set_value(paddle.zeros([12]))
    return layer(draw.tensor(7, 9, 12))


def _heads_agree(outputs):
    (out,) = outputs
    heads = out.reshape([7, 9, 3, 4])
    return close(heads, heads[..., :1]) and heads[..., 0].std() > 0.01


PROPERTIES = {
    "patches_do_not_overlap": Case(places_of_a_patch, holds=_row_one_column_two),
    "own_token_only": Case(token_of_a_patch, holds=_row_one_column_two),
    "padding_is_zeros_below_and_right": Case(padded_by_hand, holds=lambda outputs: close(*outputs)),
    "tokens_normalised": Case(fresh_tokens, holds=_normalised),
    "windows_cut_out": Case(cut_map, holds=_cut_out),
    "partition_can_be_undone": Case(cut_and_joined, holds=lambda outputs: close(*outputs)),
    "undoes_partition": Case(cut_and_joined, holds=lambda outputs: close(*outputs)),
    "partition_undoes_it": Case(joined_and_cut, holds=lambda outputs: close(*outputs)),
    "windows_in_reading_order": Case(numbered_windows, holds=_in_reading_order),
    "every_step_its_row": Case(relative_position_index, dict(window_size=4), holds=_every_step_its_row),
    "center_on_the_diagonal": Case(relative_position_index, dict(window_size=4), holds=_center_on_the_diagonal),
    "index_kept_not_saved": Case(index_of_a_layer, holds=_kept_not_saved),
    "bias_looked_up": Case(bias_and_table, holds=_looked_up),
    "window_rows_sum_to_one": Case(weights_of_both_branches, holds=_rows_sum_to_one),
    "masked_pairs_get_nothing": Case(weights_of_both_branches, holds=_no_weight_for_masked),
    "bias_decides_among_equals": Case(weights_of_equal_tokens, holds=_softmax_of_bias),
    "windows_do_not_mix": Case(one_window_changed, holds=_window_seven),
    "hidden_token_unseen": Case(hidden_token_changed, holds=_hidden_in_window_one),
    "other_masks_refused": Case(masks_that_do_not_fit, holds=lambda outputs: bool(outputs[0].all())),
    "window_weights_are_dropped": Case(dropped_weights, train=True, real_dropout=True, holds=_heads_agree),
}
