"""Lesson 3: cases and rules of the shifted windows and of the block around them, as in swin.py."""

import numpy as np
import paddle

from paddle_vit.exercises import Case
from paddle_vit.exercises.vit import close

# --- the definitions at work ------------------------------------------------------------------------------------------


def cyclic_shift(swin, draw, resolution, shift_size, batch=2):
    return swin.cyclic_shift(draw.tensor(batch, *resolution, 3), shift_size)


def shifted_window_mask(swin, draw, resolution, window_size, shift_size):
    return swin.shifted_window_mask(resolution, window_size, shift_size)


def fit_window(swin, draw, resolution, window_size, shift_size):
    return swin.fit_window(resolution, window_size, shift_size)


def _block(swin, draw, resolution, embed_dim=12, num_heads=2, window_size=3, mlp_ratio=1.5, branch=1.0, **options):
    layer = swin.SwinTransformerBlock(
        embed_dim, resolution, num_heads, window_size=window_size, mlp_ratio=mlp_ratio, **options
    )
    return draw.layer(layer, scale=branch)


def block(swin, draw, resolution, batch=2, embed_dim=12, scale=1.0, **options):
    layer = _block(swin, draw, resolution, embed_dim, **options)
    return layer(draw.tensor(batch, *resolution, embed_dim, scale=scale))


def attend(swin, draw, resolution, batch=2, embed_dim=12, **options):
    layer = _block(swin, draw, resolution, embed_dim, **options)
    return layer.attend(draw.tensor(batch, *resolution, embed_dim))


CASES = {
    "cyclic_shift": [
        Case(cyclic_shift, dict(resolution=(5, 7), shift_size=2, batch=3)),
        Case(cyclic_shift, dict(resolution=(8, 4), shift_size=1)),
        Case(cyclic_shift, dict(resolution=(6, 5), shift_size=-2)),
    ],
    # the shift is half of the window in none of them
    "shifted_window_mask": [
        Case(shifted_window_mask, dict(resolution=(6, 9), window_size=3, shift_size=2)),
        Case(shifted_window_mask, dict(resolution=(12, 8), window_size=4, shift_size=1)),
        Case(shifted_window_mask, dict(resolution=(10, 15), window_size=5, shift_size=3)),
        Case(shifted_window_mask, dict(resolution=(3, 6), window_size=3, shift_size=2)),
    ],
    "fit_window": [
        Case(fit_window, dict(resolution=(5, 9), window_size=4, shift_size=2)),
        Case(fit_window, dict(resolution=(9, 4), window_size=4, shift_size=2)),
        Case(fit_window, dict(resolution=(6, 9), window_size=3, shift_size=1)),
        Case(fit_window, dict(resolution=(3, 9), window_size=4, shift_size=1)),
        Case(fit_window, dict(resolution=(9, 2), window_size=5, shift_size=2)),
        Case(fit_window, dict(resolution=[7, 6], window_size=8, shift_size=4)),
        Case(fit_window, dict(resolution=(8, 7), window_size=5, shift_size=0)),
    ],
    "SwinTransformerBlock.__init__": [
        Case(
            block,
            dict(
                resolution=(5, 7),
                shift_size=2,
                mlp_ratio=2.5,
                qkv_bias=False,
                dropout=0.3,
                attention_dropout=0.2,
                droppath=0.4,
            ),
            train=True,
        ),
        Case(block, dict(resolution=(3, 8), window_size=4, shift_size=2, num_heads=4, dropout=0.3, droppath=0.4)),
        Case(block, dict(resolution=(6, 9), shift_size=0)),
        Case(block, dict(resolution=(4, 6), window_size=2, shift_size=1, scale=0.01, branch=0.03)),
    ],
    "SwinTransformerBlock.attend": [
        Case(attend, dict(resolution=(5, 7), shift_size=2)),
        Case(attend, dict(resolution=(8, 12), window_size=4, shift_size=1, batch=1)),
        Case(attend, dict(resolution=(4, 6), window_size=2, dropout=0.3, attention_dropout=0.2), train=True),
        Case(attend, dict(resolution=(3, 8), window_size=4, shift_size=2)),
        Case(attend, dict(resolution=(10, 4), shift_size=1)),
    ],
    "SwinTransformerBlock.forward": [
        Case(block, dict(resolution=(5, 7), shift_size=2, dropout=0.3, attention_dropout=0.2, droppath=0.4)),
        Case(block, dict(resolution=(4, 6), window_size=2, dropout=0.3, droppath=0.4), train=True),
        Case(block, dict(resolution=(6, 3), shift_size=1, scale=0.03, branch=0.03, batch=1)),
    ],
}

# --- rules that hold for every right answer ---------------------------------------------------------------------------


def shifted_map(swin, draw):
    x = draw.tensor(2, 5, 7, 3)
    return swin.cyclic_shift(x, 2), x


def _every_token_moved(outputs):
    shifted, x = outputs
    places = np.ndindex(5, 7)
    return all(close(shifted[:, row - 2, column - 2], x[:, row, column], 0) for row, column in places)


def shifted_there_and_back(swin, draw):
    x = draw.tensor(2, 5, 7, 3)
    there = swin.cyclic_shift(x, 2)
    return swin.cyclic_shift(there, -2), x, there


def _back_again(outputs):
    back, x, there = outputs
    return np.array_equal(back, x) and not close(there, x)


def _were_near(outputs):
    """For windows of 4 tokens and a shift by 3: a pair may look if it was in reach of a window before the shift too."""
    (mask,) = outputs
    down, right = np.divmod(np.arange(8 * 12), 12)
    place = np.stack([(down + 3) % 8, (right + 3) % 12])  # from where each token of the shifted map came
    place = place.reshape([2, 2, 4, 3, 4]).transpose([0, 1, 3, 2, 4]).reshape([2, 6, 16])  # nW N
    near = (abs(place[:, :, :, None] - place[:, :, None]) < 4).all(axis=0)  # nW N N
    return np.array_equal(mask == 0, near)


def _sees_itself(outputs):
    (mask,) = outputs
    return close(mask[:, range(9), range(9)], 0, 0) and np.array_equal(mask, mask.transpose([0, 2, 1]))


def _only_the_last_windows(outputs):
    (mask,) = outputs  # 3 rows of 3 windows: those of the last row and column hold what came round
    closed = (mask != 0).any(axis=(1, 2)).reshape([3, 3])
    return np.array_equal(closed, [[False, False, True], [False, False, True], [True, True, True]])


_MAPS = [(height, width) for height in (2, 4, 5, 9) for width in (3, 4, 7)]


def windows_for_maps(swin, draw):
    return [swin.fit_window(resolution, 4, 2) for resolution in _MAPS]


def _windows_lie_inside(outputs):
    pairs = np.array(outputs).reshape([len(_MAPS), 2])
    return all(1 <= window <= min(size) and window <= 4 for (window, _), size in zip(pairs, _MAPS, strict=True))


def _shifted_where_windows_move(outputs):
    pairs = np.array(outputs).reshape([len(_MAPS), 2])
    return all(shift == (2 if min(size) > 4 else 0) for (_, shift), size in zip(pairs, _MAPS, strict=True))


def masks_without_shift(swin, draw):
    """Whether there is none in a block that is not shifted, and in one whose map is a single window wide."""
    maps = (((6, 9), 0), ((3, 8), 2))
    return [
        swin.SwinTransformerBlock(12, size, 2, window_size=3, shift_size=shift).mask is None for size, shift in maps
    ]


def mask_of_a_block(swin, draw):
    layer = swin.SwinTransformerBlock(12, (5, 7), 2, window_size=3, shift_size=2)
    return "mask" in dict(layer.named_buffers()), "mask" not in layer.state_dict(), layer.mask


def _kept_not_saved(outputs):
    kept, not_saved, mask = outputs
    return bool(kept) and bool(not_saved) and mask.shape == (6, 9, 9)


def fitted_windows(swin, draw):
    layer = swin.SwinTransformerBlock(12, (2, 9), 2, window_size=4, shift_size=1)
    rows = layer.attn.relative_position_bias_table.shape[0]
    return layer.window_size, layer.shift_size, layer.attn.window_size, rows


def _replace_attention(layer, seen):
    """Let attn give back its windows as they are, and write down how many weights it would have computed."""

    def unchanged(windows, mask=None):
        seen.append(windows.shape[0] * windows.shape[1] ** 2)
        return windows

    layer.attn.forward = unchanged


def attend_to_nothing(swin, draw):
    outputs = []
    for resolution, shift in (((5, 7), 2), ((3, 8), 0)):
        layer, x = _block(swin, draw, resolution, shift_size=shift), draw.tensor(2, *resolution, 12)
        _replace_attention(layer, [])
        outputs += [layer.attend(x), x]
    return outputs


def _each_unchanged(outputs):
    return all(close(one, other) for one, other in zip(outputs[::2], outputs[1::2], strict=True))


def weights_by_width(swin, draw):
    counts = []
    for width in (6, 12):
        layer, seen = _block(swin, draw, (6, width), shift_size=1), []
        _replace_attention(layer, seen)
        layer.attend(draw.tensor(1, 6, width, 12))
        counts.append(sum(seen))
    return paddle.to_tensor(counts)


def _influence(swin, draw, run):
    """For each pair of tokens on a map of 5x7, how much the output at the second changes with the first: 35 35."""
    layer, x = _block(swin, draw, (5, 7), shift_size=2), draw.tensor(1, 5, 7, 12)
    change = paddle.eye(35).reshape([35, 5, 7, 1]) * draw.tensor(1, 1, 1, 12, scale=3.0)  # an image for each token
    return (run(layer, x + change) - run(layer, x)).abs().max(axis=-1).flatten(1)


def influence_in_attend(swin, draw):
    return _influence(swin, draw, lambda layer, x: layer.attend(x))


def influence_in_block(swin, draw):
    return _influence(swin, draw, lambda layer, x: layer(x))


def _inside_shifted_windows(outputs):
    """Windows of 3 tokens, moved by 2: the first ones reach from -1 to 1, the next from 2 to 4."""
    (change,) = outputs
    down, right = np.divmod(np.arange(35), 7)
    window = np.stack([(down - 2) // 3, (right - 2) // 3])
    together = (window[:, :, None] == window[:, None]).all(axis=0)
    return change.shape == (35, 35) and np.array_equal(change > 1e-5, together)


def no_branches(swin, draw):
    layer = _block(swin, draw, (5, 7), shift_size=2, droppath=0.4)
    for last in (layer.attn.proj, layer.mlp.fc2):
        last.weight.set_value(paddle.zeros_like(last.weight))
        last.bias.set_value(paddle.zeros_like(last.bias))
    x = draw.tensor(2, 5, 7, 12)
    return layer(x), x


PROPERTIES = {
    "every_token_moved": Case(shifted_map, holds=_every_token_moved),
    "shift_can_be_undone": Case(shifted_there_and_back, holds=_back_again),
    "pairs_were_near": Case(
        shifted_window_mask, dict(resolution=(8, 12), window_size=4, shift_size=3), holds=_were_near
    ),
    "token_sees_itself": Case(
        shifted_window_mask, dict(resolution=(6, 9), window_size=3, shift_size=1), holds=_sees_itself
    ),
    "only_the_last_windows_masked": Case(
        shifted_window_mask, dict(resolution=(9, 9), window_size=3, shift_size=1), holds=_only_the_last_windows
    ),
    "windows_lie_inside": Case(windows_for_maps, holds=_windows_lie_inside),
    "shifted_where_windows_move": Case(windows_for_maps, holds=_shifted_where_windows_move),
    "mask_only_with_shift": Case(masks_without_shift, holds=all),
    "mask_kept_not_saved": Case(mask_of_a_block, holds=_kept_not_saved),
    "attention_knows_the_fitted_window": Case(
        fitted_windows, holds=lambda outputs: close(np.array(outputs), [2, 0, 2, 9], 0)
    ),
    "unchanged_without_attention": Case(attend_to_nothing, holds=_each_unchanged),
    "cost_grows_linearly": Case(weights_by_width, holds=lambda outputs: close(outputs[0], np.array([4, 8]) * 9**2, 0)),
    "attends_inside_shifted_windows": Case(influence_in_attend, holds=_inside_shifted_windows),
    "block_stays_inside_its_windows": Case(influence_in_block, holds=_inside_shifted_windows),
    "identity_without_branches": Case(no_branches, train=True, holds=_each_unchanged),
}
