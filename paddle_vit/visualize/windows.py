"""Pictures of windows on a photograph: which tokens share one, how they are shifted, and what the mask keeps apart.

They are drawn with the functions that they explain, so that a wrong function shows.
"""

import numpy as np
import paddle
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from paddle_vit.models.sizes import patch_grid
from paddle_vit.visualize import TEST, TRAIN, displayed, finish, label, new_figure, without_ticks
from paddle_vit.visualize.augmentation import CLASSES

MAY, MAY_NOT = "#e4ebf2", TRAIN
MASK = LinearSegmentedColormap.from_list("mask", [MAY_NOT, MAY]).with_extremes(over=TEST)  # nothing is above 0


def windows_picture(image, window_partition, cyclic_shift, window_size=7, shift_size=3, token_pixels=16, path=None):
    """A photograph with the window of each token as colour and number: without a shift, and with it.

    Numbers of tokens go through the functions; so each token, at its place in the photograph, gets the number of the
    window in which it arrives.

    Args:
        image: [channels, height, width], array or tensor, in any range of values.
        window_partition, cyclic_shift: the functions of models.swin, or your own.
        window_size, shift_size: tokens.
        token_pixels: height and width of a token in pixels.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure

    Raises:
        ValueError: the tokens do not tile the image.
    """
    H, W = patch_grid(np.shape(image)[1:], token_pixels)
    tokens = paddle.arange(H * W, dtype="float32").reshape([1, H, W, 1])
    titles = [
        label("windows", "窗口"),
        label(f"windows after a shift by {shift_size}", f"移位 {shift_size} 之后的窗口"),
    ]
    figure = new_figure(9, 4.45 * H / W + 0.55)
    panels = figure.subplots(1, 2)
    for axes, title, x in zip(panels, titles, (tokens, cyclic_shift(tokens, shift_size)), strict=True):
        windows = np.asarray(window_partition(x, window_size)).astype(int)  # nW M M 1
        window_of = np.zeros(H * W, dtype=int)
        for number, window in enumerate(windows):
            window_of[window.ravel()] = number
        window_of = window_of.reshape(H, W)
        axes.imshow(coloured(image, window_of), interpolation="nearest")
        draw_pieces(axes, window_of, token_pixels)
        axes.set_title(title, fontsize=11)
        without_ticks(axes, frame=False)
    explained = label(
        "same number: same window. A window of several pieces is one that the shift put together: a mask keeps them apart.",
        "编号相同，就在同一个窗口里。由几块组成的窗口是移位拼出来的：掩码把这几块隔开。",
    )
    figure.supxlabel(explained, fontsize=9)
    return finish(figure, path)


def shift_picture(image, cyclic_shift, window_size=7, shift_size=3, token_pixels=16, path=None):
    """A photograph before and after the cyclic shift, with the nine regions of the mask, and the windows after it.

    Args:
        image: [channels, height, width], array or tensor, in any range of values.
        cyclic_shift: the function of models.swin, or your own.
        window_size, shift_size: tokens.
        token_pixels: height and width of a token in pixels.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure

    Raises:
        ValueError: the tokens do not tile the image.
    """
    resolution = patch_grid(np.shape(image)[1:], token_pixels)
    regions = regions_after_shift(resolution, window_size, shift_size)  # H W
    before = np.roll(regions, (shift_size, shift_size), (0, 1))  # each region at the place that it comes from
    photo = coloured(image, before)  # height width 3
    shifted = cyclic_shift(paddle.to_tensor(photo[None]), shift_size * token_pixels).numpy()[0]
    after = cyclic_shift(paddle.to_tensor(before.astype("float32"))[None, :, :, None], shift_size)
    after = after.numpy()[0, :, :, 0].astype(int)
    H, W = resolution
    figure = new_figure(9, 4.45 * H / W + 0.35)
    left, right = figure.subplots(1, 2)
    for axes, shown, numbers in ((left, photo, before), (right, shifted, after)):
        axes.imshow(shown, interpolation="nearest")
        draw_pieces(axes, numbers, token_pixels)
        without_ticks(axes, frame=False)
    draw_windows(right, resolution, window_size, token_pixels)
    left.set_title(label("before, with the nine regions", "移位之前，九个区域"), fontsize=11)
    by = f"({shift_size}, {shift_size})"
    title = label(f"after a shift by {by}; dashed: windows", f"移位 {by} 之后；虚线：窗口")
    right.set_title(title, fontsize=11)
    return finish(figure, path)


def mask_picture(mask, resolution, window_size, shift_size, path=None):
    """The regions of a shifted map, and beside it the mask of each window: who may look at whom.

    Args:
        mask: [nW, N, N], array or tensor, what shifted_window_mask returned.
        resolution: (H, W) of the map.
        window_size, shift_size: tokens.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    mask = np.asarray(mask)
    H, W = resolution
    rows, columns = H // window_size, W // window_size
    regions = regions_after_shift(resolution, window_size, shift_size)
    figure = new_figure(9, 4.2 * max(H / W, rows / columns) + 0.9)
    grid = figure.add_gridspec(1, 2)
    whole = figure.add_subplot(grid[0])
    whole.imshow(np.array([to_rgb(colour) for colour in CLASSES])[regions], interpolation="nearest")
    draw_pieces(whole, regions, 1)
    draw_windows(whole, resolution, window_size, 1)
    whole.set_title(label("regions of the shifted map; dashed: windows", "移位之后的区域；虚线：窗口"), fontsize=11)
    whole.set_anchor("N")  # in the middle of its place the layout would cut its title off
    without_ticks(whole, frame=False)
    small = grid[1].subgridspec(rows, columns).subplots(squeeze=False)
    for number, (axes, scores) in enumerate(zip(small.ravel(), mask, strict=True)):
        axes.imshow(scores, cmap=MASK, vmin=-100, vmax=0, interpolation="nearest")
        axes.set_title(label(f"window {number}", f"窗口 {number}") if columns <= 4 else number, fontsize=9, pad=3)
        without_ticks(axes)
    small[-1, 0].set_xlabel(label("key", "键"), fontsize=9)
    small[-1, 0].set_ylabel(label("query", "查询"), fontsize=9)
    kinds = [
        Patch(facecolor=MAY, edgecolor="black", label=label("0: may look", "0：可以看")),
        Patch(facecolor=MAY_NOT, edgecolor="black", label=label("-100: may not", "-100：不可以看")),
    ]
    if mask.max() > 0:
        kinds.append(Patch(facecolor=TEST, edgecolor="black", label=label("above 0: wrong", "大于 0：不对")))
    figure.legend(handles=kinds, loc="outside lower right", ncols=len(kinds), frameon=False, fontsize=9)
    return finish(figure, path)


def regions_after_shift(resolution, window_size, shift_size):
    """The region (0 to 8) of each token of a shifted map, by the rule in shifted_window_mask: [H, W]."""
    bands = []
    for size in resolution:
        band = np.zeros(size, dtype=int)
        band[size - window_size :] = 1
        band[size - shift_size :] = 2
        bands.append(band)
    return 3 * bands[0][:, None] + bands[1]


def coloured(image, numbers):
    """An image, tinted in each token with the colour of its number.

    Args:
        image: [channels, height, width]
        numbers: [H, W]

    Returns:
        [height, width, 3] float32, from 0 to 1
    """
    shown = displayed(image)
    shown = shown if shown.ndim == 3 else np.stack([shown] * 3, axis=-1)
    tints = np.array([to_rgb(colour) for colour in CLASSES], dtype="float32")[numbers % len(CLASSES)]  # H W 3
    tall, wide = shown.shape[0] // len(numbers), shown.shape[1] // len(numbers[0])
    return 0.55 * shown + 0.45 * tints.repeat(tall, axis=0).repeat(wide, axis=1)


def draw_pieces(axes, numbers, token_pixels):
    """Lines where neighbouring tokens have different numbers, and each number in the upper left corner of its pieces."""
    H, W = numbers.shape
    columns = np.arange(W + 1) * token_pixels - 0.5  # between pixels
    rows = np.arange(H + 1) * token_pixels - 0.5
    above = np.pad(np.diff(numbers, axis=0) != 0, ((1, 0), (0, 0)), constant_values=True)  # H W: other than its upper
    before = np.pad(np.diff(numbers, axis=1) != 0, ((0, 0), (1, 0)), constant_values=True)  # other than its left one
    for row, column in np.argwhere(above):
        if row > 0:
            axes.plot(columns[column : column + 2], [rows[row]] * 2, color="white", linewidth=1.6)
    for row, column in np.argwhere(before):
        if column > 0:
            axes.plot([columns[column]] * 2, rows[row : row + 2], color="white", linewidth=1.6)
    for row, column in np.argwhere(above & before):
        style = dict(color="white", fontsize=10, ha="left", va="top", textcoords="offset points")
        text = axes.annotate(str(numbers[row, column]), (columns[column], rows[row]), (3, -3), **style)
        text.set_path_effects([withStroke(linewidth=2.5, foreground="black")])
    axes.set(xlim=(columns[0], columns[-1]), ylim=(rows[-1], rows[0]))


def draw_windows(axes, resolution, window_size, token_pixels):
    """Dashed lines around the windows of a map."""
    H, W = resolution
    for draw, size in ((axes.axhline, H), (axes.axvline, W)):
        for edge in range(0, size + 1, window_size):
            draw(edge * token_pixels - 0.5, color="black", linewidth=2, linestyle=(0, (4, 3)), clip_on=False)
