"""Pictures of what Swin does with a map of tokens: its stages, the merging, its cost, and how far a token sees."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullFormatter

from paddle_vit.models.sizes import patch_grid
from paddle_vit.visualize import TEST, TRAIN, displayed, finish, label, new_figure, without_ticks
from paddle_vit.visualize.augmentation import in_words
from paddle_vit.visualize.ideas import GRID, QUIET

CORNERS = ["#4477aa", "#ddcc77", "#44aa99", "#cc6677"]  # upper left, lower left, upper right, lower right
MERGED = "#9988bb"

NO_INFLUENCE = 1e-12  # smaller shares are no influence: a mask of -100 leaves exp(-100), which is not quite 0


def hierarchy_picture(image, window_size=7, path=None):
    """A photograph as the tokens of ViT, one map for all layers, and as those of Swin's four stages, with its windows.

    Each token has the mean colour of its pixels.

    Args:
        image: [channels, height, width], array or tensor, in any range of values; height and width multiples of 32.
        window_size: tokens.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure

    Raises:
        ValueError: the tokens do not tile the image.
    """
    shown = displayed(image)
    names = [label("ViT, every layer", "ViT，每一层")]
    names += [label(f"Swin, stage {stage}", f"Swin，阶段 {stage}") for stage in (1, 2, 3, 4)]
    channels = ["C", "C", "2C", "4C", "8C"]
    figure = new_figure(10, 1.95 * shown.shape[0] / shown.shape[1] + 0.95)
    panels = figure.subplots(1, 5)
    for number, (axes, name, pixels) in enumerate(zip(panels, names, (16, 4, 8, 16, 32), strict=True)):
        H, W = patch_grid(shown.shape[:2], pixels)
        tokens = shown.reshape(H, pixels, W, pixels, -1).mean(axis=(1, 3))  # H W, 3 colours or 1
        axes.imshow(tokens.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        if number > 0:
            for draw, size in ((axes.axhline, H), (axes.axvline, W)):
                for edge in (*range(0, size, window_size), size):
                    draw(edge - 0.5, color=GRID, linewidth=1.2, clip_on=False)
        grain = label(f"{pixels}x{pixels} pixels a token", f"每个 token {pixels}x{pixels} 像素")
        count = label(f"{H}x{W} tokens, {channels[number]}", f"{H}x{W} 个 token，{channels[number]}")
        axes.set_title(f"{name}\n{grain}\n{count}", fontsize=9)
        without_ticks(axes, frame=False)
    panels[0].set_xlabel(label("all tokens attend to all", "所有 token 互相注意"), fontsize=9)
    panels[1].set_xlabel(label("lines: windows", "线：窗口"), fontsize=9)
    return finish(figure, path)


def merging_picture(path=None):
    """Patch merging on a map of 4x4 tokens: four groups, their channels side by side, and the linear layer.

    Args:
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    numbers = np.arange(16).reshape(4, 4)
    figure = new_figure(10, 2.9)
    panels = figure.subplots(1, 4)
    titles = [
        label("16 tokens\n[B, 4, 4, C]", "16 个 token\n[B, 4, 4, C]"),
        label("four groups\neach [B, 2, 2, C]", "分成四组\n每组 [B, 2, 2, C]"),
        label("channels side by side\n[B, 2, 2, 4C]", "通道拼在一起\n[B, 2, 2, 4C]"),
        label("norm and reduction\n[B, 2, 2, 2C]", "norm 和 reduction\n[B, 2, 2, 2C]"),
    ]
    names = [label("upper left", "左上"), label("lower left", "左下")]
    names += [label("upper right", "右上"), label("lower right", "右下")]
    tokens, groups, joined, reduced = panels
    corners = [(row, column) for column in (0, 1) for row in (0, 1)]  # as PatchMerging takes them
    for corner, (colour, name, (down, across)) in enumerate(zip(CORNERS, names, corners, strict=True)):
        left, top = 2.5 * across, 2.8 * down
        groups.text(left + 1, top - 0.12, name, ha="center", va="bottom", fontsize=9)
        for row, column in np.ndindex(2, 2):
            number = numbers[2 * row + down, 2 * column + across]
            draw_part(tokens, 2 * column + across, 2 * row + down, 1, 1, colour, number)
            draw_part(groups, left + column, top + row, 1, 1, colour, number)
            draw_part(joined, 2.2 * column + corner / 2, 2.2 * row, 0.5, 2, colour, number)
    for row, column, half in np.ndindex(2, 2, 2):
        draw_part(reduced, 2.2 * column + 0.5 + half / 2, 2.2 * row, 0.5, 2, MERGED, "")
    for edge in (0, 2, 4):
        tokens.plot([0, 4], [edge] * 2, color="black", linewidth=1.5, clip_on=False)
        tokens.plot([edge] * 2, [0, 4], color="black", linewidth=1.5, clip_on=False)
    for axes, title, (width, height) in zip(panels, titles, ((4, 4), (4.5, 4.8), (4.2, 4.2), (4.2, 4.2)), strict=True):
        axes.set(xlim=(-0.1, width + 0.1), ylim=(height + 0.1, -0.7 if axes is groups else -0.1), aspect="equal")
        axes.set_title(title, fontsize=10)
        without_ticks(axes, frame=False)
    return finish(figure, path)


def draw_part(axes, left, top, width, height, colour, number):
    """A token, or C of its channels, with the number of the token that they come from."""
    axes.add_patch(Rectangle((left, top), width, height, facecolor=colour, edgecolor="white"))
    axes.text(left + width / 2, top + height / 2, str(number), ha="center", va="center", fontsize=8)


def cost_picture(tokens, vit_seconds, swin_seconds, path=None):
    """Measured time of attention among all tokens and of attention in windows, over the number of tokens.

    At the right both axes are logarithmic: there a power of the number of tokens is a line, and its slope the exponent. It
    is fitted to the second half of the points, where what every call costs no longer counts.

    Args:
        tokens: numbers of tokens, growing.
        vit_seconds, swin_seconds: of one call each; either may be shorter, it then belongs to the first of tokens.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    figure = new_figure(9, 3.6)
    linear, logarithmic = figure.subplots(1, 2)
    kinds = [
        (label("ViT: all tokens", "ViT：所有 token"), vit_seconds, TEST, "s"),
        (label("Swin: windows", "Swin：窗口"), swin_seconds, TRAIN, "o"),
    ]
    for name, seconds, colour, marker in kinds:
        times = 1000 * np.asarray(seconds, dtype="float64")
        counts = np.asarray(tokens, dtype="float64")[: len(times)]
        linear.plot(counts, times, color=colour, marker=marker, markersize=5, label=name)
        logarithmic.plot(counts, times, marker, color=colour, markersize=5)
        late = slice(min(len(times) // 2, len(times) - 2), None)
        slope, start = np.polyfit(np.log(counts[late]), np.log(times[late]), 1)
        fitted = np.exp(start) * counts[late] ** slope
        power = label(f"slope {slope:.2f}", f"斜率 {slope:.2f}")
        logarithmic.plot(counts[late], fitted, color=colour, linewidth=2, label=power)
    logarithmic.set(xscale="log", yscale="log")
    logarithmic.set_xticks(tokens, tokens, rotation=45)
    logarithmic.xaxis.set_minor_formatter(NullFormatter())
    linear.set_title(label("time of one call", "一次调用的时间"), fontsize=11)
    logarithmic.set_title(label("the same, both axes logarithmic", "同样的数据，两轴取对数"), fontsize=11)
    for axes in (linear, logarithmic):
        axes.set_xlabel(label("tokens", "token 数"))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    linear.legend(loc="center right", frameon=False)
    logarithmic.legend(loc="upper left", frameon=False)
    linear.set_ylabel(label("milliseconds", "毫秒"))
    linear.set(xlim=(0, None), ylim=(0, None))
    return finish(figure, path)


def receptive_field_picture(fields, names, window_size=None, token=None, path=None):
    """How strongly each token of a map acts on one token of the output, as shares of the strongest.

    Tokens with less than NO_INFLUENCE of the strongest are gray and not counted.

    Args:
        fields: list of [H, W], arrays or tensors: for each token of the input the mean |gradient| of the one output token.
        names: one for each, a string or (English, Chinese).
        window_size: draws the windows (without a shift); None for none.
        token: (row, column) of the output token; None for (H // 2, W // 2).
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    fields = [np.asarray(field, dtype="float64") for field in fields]
    H, W = fields[0].shape
    row, column = token or (H // 2, W // 2)
    width = min(9, 2.9 * len(fields) + 0.7)
    figure = new_figure(width, (width - 0.9) / len(fields) * H / W + 0.75)
    panels = figure.subplots(1, len(fields), squeeze=False)[0]
    for axes, field, name in zip(panels, fields, names, strict=True):
        shares = np.ma.masked_less(field / field.max(), NO_INFLUENCE)
        drawn = axes.imshow(shares, cmap="viridis", norm=LogNorm(1e-4, 1, clip=True), interpolation="nearest")
        axes.set_facecolor(QUIET)
        if window_size is not None:
            for draw, size in ((axes.axhline, H), (axes.axvline, W)):
                for edge in range(window_size, size, window_size):
                    draw(edge - 0.5, color="white", linewidth=1)
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=GRID, linewidth=2))
        count = shares.count()
        seen = label(f"{count} of {field.size} tokens", f"{field.size} 个 token 中的 {count} 个")
        axes.set_title(f"{in_words(name)}\n{seen}", fontsize=9)
        without_ticks(axes)
    bar = figure.colorbar(drawn, ax=list(panels), pad=0.02, extend="min")
    bar.ax.tick_params(labelsize=8)
    bar.set_label(label("share of the strongest", "与最强者之比"), fontsize=9)
    panels[0].set_xlabel(label("gray: no influence", "灰色：没有影响"), fontsize=9)
    return finish(figure, path)
