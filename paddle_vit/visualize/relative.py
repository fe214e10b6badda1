"""Pictures of relative positions: how the index is made, step by step, and the biases that were learned for it."""

import numpy as np
from matplotlib import colormaps
from matplotlib.patches import Rectangle

from paddle_vit.models.swin import relative_position_index
from paddle_vit.visualize import TEST, finish, label, new_figure, without_ticks
from paddle_vit.visualize.augmentation import in_words

OFFSETS, NUMBERS = "PuOr", "viridis"  # of numbers around 0, and of numbers from 0 on


def relative_index_words_picture(words=None, path=None):
    """Relative positions in a sentence: i - j, then + (M - 1), then the table of 2M - 1 numbers that it points into.

    Args:
        words: strings; None for three of the reader's language.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    words = words or label("I like you", "我 喜欢 你").split()
    M = len(words)
    place = np.arange(M)
    offsets = place[:, None] - place  # M M
    figure = new_figure(9, 0.4 * M + 1.9)
    first, second, table = figure.subplots(1, 3, width_ratios=[1, 1, 0.9])
    draw_numbers(first, offsets, OFFSETS, (1 - M, M - 1))
    first.set_title("i - j", fontsize=11)
    draw_numbers(second, offsets + M - 1, NUMBERS, (0, 2 * M - 2))
    second.set_title(f"+ (M - 1) = + {M - 1}", fontsize=11)
    for axes in (first, second):
        axes.set_xticks(place, words)
        axes.set_yticks(place, words)
        axes.set_xlabel(label("j: word that is looked at", "j：被看的词"))
    first.set_ylabel(label("i: word that looks", "i：在看的词"))

    draw_numbers(table, np.arange(2 * M - 1)[:, None], NUMBERS, (0, 2 * M - 2))
    for row in range(2 * M - 1):
        table.text(0.7, row, f"$b_{{{row}}}$", va="center", fontsize=11)
        table.text(1.6, row, meaning(row - M + 1), va="center", fontsize=9)
    table.set(xlim=(-0.5, 6.8), aspect="auto")
    table.set_title(label(f"table of 2M - 1 = {2 * M - 1} numbers", f"表：2M - 1 = {2 * M - 1} 个数"), fontsize=11)
    table.axis("off")
    table.title.set_visible(True)
    return finish(figure, path)


def meaning(offset):
    """i - j in words."""
    if offset == 0:
        return label("the word itself", "这个词自己")
    count = abs(offset)
    words = "word" if count == 1 else "words"
    if offset < 0:
        return label(f"{count} {words} to the right", f"右边第 {count} 个词")
    return label(f"{count} {words} to the left", f"左边第 {count} 个词")


def relative_index_picture(window_size=2, index=None, path=None):
    """The relative position index of a window, step by step, and why the rows are multiplied by 2M - 1.

    Args:
        window_size: M, 2 or 3: of larger windows the numbers would be too small to read.
        index: [N, N], array or tensor, what relative_position_index returned; None for that of the course.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    M, wide = window_size, 2 * window_size - 1
    index = np.asarray(relative_position_index(M) if index is None else index)
    row, column = np.divmod(np.arange(M * M), M)
    dy, dx = row[:, None] - row, column[:, None] - column  # N N
    figure = new_figure(10.5, 5.2)
    layout = [["window", "dy", "dy up", "dy times", "index"], ["window", "dx", "dx up", "why", "why"]]
    panels = figure.subplot_mosaic(layout, width_ratios=[0.75, 1, 1, 1, 1])

    window = panels["window"]
    draw_numbers(window, np.arange(M * M).reshape(M, M), None, (0, 1))
    window.set_title(label("tokens of a window", "窗口里的 token"), fontsize=10)
    steps = [
        ("dy", dy, label("dy: rows from j to i", "dy：从 j 到 i 的行数"), OFFSETS, (1 - M, M - 1)),
        ("dx", dx, label("dx: columns from j to i", "dx：从 j 到 i 的列数"), OFFSETS, (1 - M, M - 1)),
        ("dy up", dy + M - 1, "dy + (M - 1)", NUMBERS, (0, wide**2 - 1)),
        ("dx up", dx + M - 1, "dx + (M - 1)", NUMBERS, (0, wide**2 - 1)),
        ("dy times", (dy + M - 1) * wide, f"(dy + (M - 1)) × {wide}", NUMBERS, (0, wide**2 - 1)),
        ("index", index, label("index: the sum", "索引：两者之和"), NUMBERS, (0, wide**2 - 1)),
    ]
    for name, numbers, title, colours, limits in steps:
        draw_numbers(panels[name], numbers, colours, limits)
        panels[name].set_title(title, fontsize=10)
    for name in ("dy", "dx"):
        panels[name].set_ylabel("token i", fontsize=9)
        panels[name].set_xlabel("token j", fontsize=9)
    draw_why(panels["why"], M)
    return finish(figure, path)


def draw_why(axes, window_size):
    """Every pair (dy + M - 1, dx + M - 1) with its sum, and with the sum after the multiplication."""
    wide = 2 * window_size - 1
    up, across = np.mgrid[:wide, :wide]
    second = wide + 1.5  # where the second table begins
    for left, numbers, title in (
        (0, up + across, label("without × (2M - 1)", "不乘 (2M - 1)")),
        (second, up * wide + across, label(f"with × {wide}", f"乘 {wide}")),
    ):
        for (y, x), number in np.ndenumerate(numbers):
            draw_cell(axes, left + x, y, number, colormaps[NUMBERS](number / (wide**2 - 1)))
        for y, x in ((1, 2), (2, 1)):
            axes.add_patch(Rectangle((left + x - 0.42, y - 0.42), 0.84, 0.84, fill=False, ec=TEST, lw=2.5))
        axes.text(left + (wide - 1) / 2, -0.75, title, ha="center", va="bottom", fontsize=9)
    one, other = wide + 2, 2 * wide + 1
    text = label(
        f"rows: dy + (M - 1), columns: dx + (M - 1)\n(1, 2) and (2, 1): both 3 without it, {one} and {other} with it",
        f"行：dy + (M - 1)，列：dx + (M - 1)\n(1, 2) 和 (2, 1)：不乘都是 3，乘了是 {one} 和 {other}",
    )
    axes.text(wide + 0.25, wide - 0.3, text, ha="center", va="top", fontsize=9)
    axes.set(xlim=(-0.6, second + wide - 0.4), ylim=(wide + 0.1 * wide + 0.4, -1.6), aspect="equal")
    without_ticks(axes, frame=False)


def draw_numbers(axes, numbers, colours, limits):
    """A matrix as coloured cells with its numbers.

    Args:
        colours: name of a colormap; None for pale cells.
        limits: numbers of the first and of the last colour.
    """
    low, high = limits
    for (row, column), number in np.ndenumerate(numbers):
        face = colormaps[colours]((number - low) / (high - low)) if colours else (0.91, 0.91, 0.91, 1.0)
        draw_cell(axes, column, row, number, face)
    rows, columns = numbers.shape
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")
    without_ticks(axes, frame=False)


def draw_cell(axes, x, y, number, face):
    """A cell around (x, y), its number in black or white, whichever can be read."""
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=face, edgecolor="white"))
    bright = np.dot(face[:3], [0.299, 0.587, 0.114])
    axes.text(x, y, str(number), ha="center", va="center", fontsize=8, color="black" if bright > 0.5 else "white")


def bias_picture(tables, names=None, path=None):
    """What each head adds to the scores for a key at each place around the query, which stands in the middle.

    Args:
        tables: list of relative position bias tables [(2M - 1)^2, nH], arrays or tensors; the first eight heads of each
            are shown.
        names: of the tables, a string or (English, Chinese) each; None for none.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    tables = [np.asarray(table)[:, :8] for table in tables]
    most = max(table.shape[1] for table in tables)
    limit = max(np.abs(table).max() for table in tables)
    figure = new_figure(9, len(tables) * (8.0 / max(most, 5) + 0.35) + 0.3)
    panels = figure.subplots(len(tables), most, squeeze=False)
    for number, (table, row) in enumerate(zip(tables, panels, strict=True)):
        wide = round(len(table) ** 0.5)  # 2M - 1
        reach = wide // 2 + 0.5
        # A row of the table says where the query is, seen from the key; turned round, where the key is, seen from the query
        maps = table[::-1].T.reshape(-1, wide, wide)  # nH, rows below, columns to the right
        for head, axes in enumerate(row):
            if head >= len(maps):
                axes.remove()
                continue
            drawn = axes.imshow(
                maps[head], cmap="RdBu_r", vmin=-limit, vmax=limit, extent=(-reach, reach, reach, -reach)
            )
            axes.plot(0, 0, "o", color="black", markersize=3)
            axes.set_title(label(f"head {head}", f"头 {head}"), fontsize=9)
            ends = [1 - (wide + 1) // 2, 0, (wide + 1) // 2 - 1]
            axes.set_xticks(ends, ends, fontsize=8)
            axes.set_yticks(ends, ends if head == 0 else [], fontsize=8)
        if names is not None:
            row[0].set_ylabel(in_words(names[number]), fontsize=9)
    bar = figure.colorbar(drawn, ax=figure.axes, pad=0.02, aspect=12 * len(tables))
    bar.ax.tick_params(labelsize=8)
    explained = label(
        "place of the key as seen from the query (dot): columns to the right, rows below",
        "从查询 (黑点) 看，键的位置：横向是右边第几列，纵向是下边第几行",
    )
    figure.supxlabel(explained, fontsize=9)
    return finish(figure, path)
