"""Pictures of the ideas in a Vision Transformer: they need no model."""

import numpy as np
import paddle
import paddle.nn as nn
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from paddle_vit.models.layers import drop_path
from paddle_vit.models.sizes import pair, patch_grid
from paddle_vit.visualize import TEST, TRAIN, displayed, finish, label, new_figure, without_ticks

QKV = {"q": "#4477aa", "k": "#ccbb44", "v": "#aa3377"}  # told apart by colour-blind readers
QUIET = "#e8e8e8"
GRID, PAGE = "#ee3377", "#d5e0ea"  # lines and background that neither black nor white pixels hide


def patches_picture(image, patch_size, path=None):
    """An image with the grid of patches, and the patches pulled apart and numbered row by row from 0.

    Of more than eight patches a row or column only the first row and the first column are numbered.

    Args:
        image: [channels, height, width], array or tensor, in any range of values.
        patch_size: pixels, an int or (height, width).
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure

    Raises:
        ValueError: the patches do not tile the image.
    """
    shown = displayed(image)
    (height, width), (patch_height, patch_width) = shown.shape[:2], pair(patch_size)
    rows, columns = patch_grid((height, width), patch_size)
    figure = new_figure(9, 4.5 * height / width + 0.5)
    whole, apart = figure.subplots(1, 2)

    whole.imshow(shown, cmap="gray", vmin=0, vmax=1)
    for row in range(1, rows):
        whole.axhline(row * patch_height - 0.5, color=GRID, linewidth=0.8)
    for column in range(1, columns):
        whole.axvline(column * patch_width - 0.5, color=GRID, linewidth=0.8)
    whole.set_title(label(f"image, {height}x{width} pixels", f"图像，{height}x{width} 像素"))

    step = 1.2  # a patch is 1 wide, the gap 0.2
    for number in range(rows * columns):
        row, column = divmod(number, columns)
        patch = shown[row * patch_height :, column * patch_width :][:patch_height, :patch_width]
        left, top = column * step, row * step
        apart.imshow(patch, cmap="gray", vmin=0, vmax=1, extent=(left, left + 1, top + 1, top), aspect="auto")
        if max(rows, columns) <= 8 or 0 in (row, column):
            text = apart.text(left + 0.06, top + 0.06, str(number), color="white", fontsize=8, ha="left", va="top")
            text.set_path_effects([withStroke(linewidth=2, foreground="black")])
    apart.set(xlim=(-0.2, columns * step), ylim=(rows * step, -0.2), aspect=patch_height / patch_width, facecolor=PAGE)
    apart.set_title(
        label(
            f"{rows * columns} patches of {patch_height}x{patch_width} pixels",
            f"{rows * columns} 个图像块，每块 {patch_height}x{patch_width} 像素",
        )
    )
    without_ticks(whole, frame=False)
    without_ticks(apart, frame=False)
    return finish(figure, path)


def sincos_picture(table, path=None):
    """A table of sine-cosine positions as colours, and three of its channels as curves.

    Args:
        table: [N, C], sincos_1d or sincos_2d, array or tensor.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    table = np.asarray(table)
    num_channels = table.shape[1]
    chosen = sorted({0, num_channels // 8 // 2 * 2, num_channels // 2})  # fast, slower; the first of the columns in 2-D
    figure = new_figure(9, 3.6)
    colours, curves = figure.subplots(1, 2)

    drawn = colours.imshow(table, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    colours.set(xlabel=label("channel", "通道"), ylabel=label("position", "位置"))
    colours.set_title(label("the table", "整张表"))
    figure.colorbar(drawn, ax=colours, ticks=[-1, 0, 1])
    for channel, colour, marker in zip(chosen, QKV.values(), "os^", strict=False):
        name = label(f"channel {channel}", f"通道 {channel}")
        curves.plot(table[:, channel], color=colour, marker=marker, markersize=4, label=name)
    curves.set(xlabel=label("position", "位置"), ylim=(-1.1, 1.1), yticks=[-1, 0, 1])
    curves.set_title(label("some of its columns", "其中几列"))
    curves.xaxis.set_major_locator(MaxNLocator(integer=True))
    curves.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    curves.spines[["top", "right"]].set_visible(False)
    return finish(figure, path)


def heads_picture(num_tokens=3, num_heads=2, head_dim=3, path=None):
    """Where each number of the output of the qkv layer goes, for one sample.

    Above the output [T, 3C], its numbers counted row by row; below what split_heads gives: q, k and v of each head,
    [T, D]. The same number is the same cell. Colour tells q, k and v, shade the head.

    Args:
        num_tokens, num_heads, head_dim: T, H, D; C = H * D.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    width = num_heads * head_dim  # C
    numbers = np.arange(num_tokens * 3 * width).reshape(num_tokens, 3, num_heads, head_dim)  # T 3 H D
    figure = new_figure(9, 0.32 * num_tokens * (1 + num_heads) + 0.45 * num_heads + 1.6)
    ratios = [num_tokens + 2.2, num_heads * (num_tokens + 1.4)]
    before, after = figure.subplots(2, 1, height_ratios=ratios)

    for part, (name, colour) in enumerate(QKV.items()):
        for head in range(num_heads):
            shade = lighter(colour, 0.35 + 0.45 * head / max(num_heads - 1, 1))
            title = label(f"{name}, head {head}", f"{name}，头 {head}")
            cells = numbers[:, part, head]  # T D
            left = part * width + head * head_dim
            draw_cells(before, left, 0, cells, shade)
            before.text(left + head_dim / 2, -0.25, title, ha="center", fontsize=9)
            left, top = part * (width + 1), head * (num_tokens + 1.2)
            draw_cells(after, left, top, cells, shade)
            after.text(left + head_dim / 2, top - 0.25, title, ha="center", fontsize=9)
    before.set(xlim=(-0.1, 3 * width + 0.1), ylim=(num_tokens + 0.1, -1.1))
    after.set(xlim=(-0.1, 3 * width + 2.1), ylim=(num_heads * (num_tokens + 1.2) - 1.1, -1.1))
    sizes = f"T = {num_tokens}, H = {num_heads}, D = {head_dim}, C = {width}"
    before.set_title(label("output of qkv, [T, 3C]", "qkv 的输出，[T, 3C]") + f"    {sizes}", loc="left")
    after.set_title(
        label(
            "after reshape and transpose: q, k, v, each [H, T, D]", "reshape 和 transpose 之后：q、k、v，各为 [H, T, D]"
        ),
        loc="left",
    )
    without_ticks(before, frame=False)
    without_ticks(after, frame=False)
    return finish(figure, path)


def lighter(colour, share):
    """A colour mixed with white: 0 leaves it, 1 is white."""
    return tuple(share + (1 - share) * value for value in to_rgb(colour))


def draw_cells(axes, left, top, values, colour):
    """A table of values [rows, columns] as cells of side 1, from (left, top) down; colour is one or [rows, columns]."""
    rows, columns = values.shape
    colours = colour if isinstance(colour, list) else [[colour] * columns] * rows
    for row in range(rows):
        for column in range(columns):
            x, y = left + column, top + row
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colours[row][column], edgecolor="white"))
            axes.text(x + 0.5, y + 0.5, f"{values[row, column]:.3g}", ha="center", va="center_baseline", fontsize=8)


def scale_picture(path=None):
    """Why attention divides by sqrt(D): softmax of q k over 16 keys, with the scale and without.

    q and the keys are drawn from the standard normal distribution, so that q k has standard deviation sqrt(D).

    Args:
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    rng = np.random.Generator(np.random.PCG64(0))
    figure = new_figure(9, 3.2)
    panels = figure.subplots(1, 3, sharey=True)
    for axes, dim in zip(panels, (4, 64, 1024), strict=True):
        q, keys = rng.standard_normal(dim), rng.standard_normal((16, dim))
        scores = keys @ q  # 16
        ranks = np.arange(1, 17)
        without, with_scale = (np.sort(softmax(each))[::-1] for each in (scores, scores / np.sqrt(dim)))
        axes.plot(ranks, without, color=TEST, marker="s", markersize=4, label="softmax(q k)")
        axes.plot(ranks, with_scale, color=TRAIN, marker="o", markersize=4, label="softmax(q k / √D)")
        axes.set(ylim=(-0.03, 1.03), xticks=[1, 4, 8, 12, 16], xlabel=label("keys, largest first", "键，从大到小"))
        axes.set_title(f"D = {dim}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel(label("weight", "权重"))
    panels[0].legend(loc="upper right", frameon=False)
    return finish(figure, path)


def softmax(scores):
    """Of a vector; the largest is taken off first, so that nothing overflows."""
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def one_query_picture(weights, query, path=None):
    """A matrix of attention weights with one row framed: what this query takes from every key.

    Up to twelve tokens the weights are written into the cells.

    Args:
        weights: [T, T], array or tensor; rows are queries and sum to 1.
        query: the number of the row.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    weights = np.asarray(weights)
    num_tokens = len(weights)
    figure = new_figure(5.6, 4.6)
    axes = figure.subplots()
    drawn = axes.imshow(weights, cmap="Blues", vmin=0)
    axes.add_patch(Rectangle((-0.5, query - 0.5), num_tokens, 1, fill=False, edgecolor=TEST, linewidth=2.5))
    total = f"{weights[query].sum():.2f}"
    axes.set_title(label(f"query {query}: its row sums to {total}", f"查询 {query}：这一行的和为 {total}"), fontsize=11)
    if num_tokens <= 12:
        axes.set(xticks=range(num_tokens), yticks=range(num_tokens))
        for row, column in np.ndindex(weights.shape):
            colour = "white" if weights[row, column] > 0.6 * weights.max() else "black"
            text = f"{weights[row, column]:.2f}".lstrip("0")
            axes.text(column, row, text, color=colour, fontsize=8, ha="center", va="center")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=label("key: token that is looked at", "键：被看的 token"))
    axes.set(ylabel=label("query: token that looks", "查询：在看的 token"))
    axes.spines[:].set_visible(False)
    figure.colorbar(drawn, ax=axes).set_label(label("weight", "权重"))
    return finish(figure, path)


def norms_picture(path=None):
    """Which numbers of a block [B, T, C] share one mean and variance in LayerNorm and in BatchNorm.

    Args:
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    samples, tokens, channels = 3, 4, 6
    figure = new_figure(7, 4.6)
    layer, batch = figure.subplots(2, 1)
    one_token = np.zeros((samples, tokens, channels), dtype=bool)
    one_token[0, 1] = True
    one_channel = np.zeros_like(one_token)
    one_channel[:, :, 2] = True
    draw_block(layer, one_token, TRAIN)
    draw_block(batch, one_channel, TEST)
    layer.set_title(label("LayerNorm: C numbers of one token", "LayerNorm：一个 token 的 C 个数"))
    batch.set_title(label("BatchNorm: B T numbers of one channel", "BatchNorm：一个通道的 B T 个数"))
    return finish(figure, path)


def draw_block(axes, marked, colour):
    """A block [B, T, C] as B slices of T x C, side by side, with the marked cells in colour."""
    samples, tokens, channels = marked.shape
    step = channels + 0.7
    for (sample, token, channel), is_marked in np.ndenumerate(marked):
        face = colour if is_marked else QUIET
        axes.add_patch(Rectangle((sample * step + channel, token), 1, 1, facecolor=face, edgecolor="white"))
    for sample in range(samples):
        name = label(f"sample {sample}", f"样本 {sample}")
        axes.text(sample * step + channels / 2, -0.3, name, ha="center", fontsize=9)
    axes.set(xlim=(-0.1, samples * step - 0.6), ylim=(tokens + 0.1, -1.2), aspect="equal")
    axes.set(xlabel=label("C channels", "C 个通道"), ylabel=label("T tokens", "T 个 token"))
    without_ticks(axes, frame=False)


def gelu_picture(path=None):
    """GELU (x times the share of the standard normal distribution below x) beside ReLU.

    Args:
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    x = np.linspace(-4, 3, 141, dtype="float32")
    figure = new_figure(5.4, 3.4)
    axes = figure.subplots()
    axes.plot(x, np.maximum(x, 0), color=TEST, linestyle="--", label="ReLU")
    axes.plot(x, nn.functional.gelu(paddle.to_tensor(x)).numpy(), color=TRAIN, label="GELU")
    axes.set(xlabel="x", xlim=(-4, 3), ylim=(-0.5, 3))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", frameon=False)
    return finish(figure, path)


def drop_picture(path=None):
    """Dropout and drop path with p = 0.5 on the same block of ones, a row for each sample: what is kept becomes 1 / (1 - p) = 2.

    Args:
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    ones = paddle.ones([6, 8])
    state = paddle.get_rng_state()
    paddle.seed(5)
    blocks = [ones, nn.Dropout(0.5)(ones), drop_path(ones, 0.5)]
    paddle.set_rng_state(state)
    titles = [
        label("before", "之前"),
        label("dropout: single numbers", "Dropout：单个的数"),
        label("drop path: whole samples", "DropPath：整个样本"),
    ]
    figure = new_figure(9, 2.8)
    panels = figure.subplots(1, 3)
    for axes, block, title in zip(panels, blocks, titles, strict=True):
        axes.imshow(block.numpy(), cmap="Blues", vmin=0, vmax=3)
        for (row, column), value in np.ndenumerate(block.numpy()):
            axes.text(column, row, f"{value:g}", ha="center", va="center", fontsize=8)
        axes.set_title(title)
        axes.set_xlabel(label("numbers of a sample", "一个样本里的数"))
        without_ticks(axes)
    panels[0].set_ylabel(label("B samples", "B 个样本"))
    return finish(figure, path)
