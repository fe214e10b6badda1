"""Pictures of tokens and of their positions."""

import numpy as np
import paddle

from paddle_vit.visualize import finish, label, new_figure, without_ticks


def tokens_picture(patch_embedding, image, path=None):
    """What PatchEmbedding adds to what: image tokens, the class token before them, positions, their sum.

    All numbers are the layer's own, on one scale of colours; dropout is off. Shown are the first 17 tokens and the
    first 48 channels. Steps that the layer does not have (no class token, no positions) are left out.

    Args:
        patch_embedding: PatchEmbedding, or a layer with the same names.
        image: [in_channels, height, width], array or tensor, as the layer takes it.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    was_training = patch_embedding.training
    patch_embedding.eval()
    with paddle.no_grad():
        batch = paddle.to_tensor(np.asarray(image, dtype="float32")[None])
        image_tokens = patch_embedding.embed_patches(batch)  # 1 N C
        tokens = patch_embedding.add_class_token(image_tokens)  # 1 T C
        result = patch_embedding(batch)  # 1 T C
    if was_training:
        patch_embedding.train()
    num_prefix = tokens.shape[1] - image_tokens.shape[1]
    steps = [(label("image tokens", "图像 token"), image_tokens)]
    if num_prefix:
        steps.append((label("→ class token first", "→ 类别 token 放最前"), tokens))
    if patch_embedding.position_embedding is not None:
        steps.append((label("+ position embedding", "+ 位置编码"), patch_embedding.position_embedding))
        steps.append((label("= what the encoder gets", "= 送进编码器的 token"), result))

    num_rows, num_channels = min(tokens.shape[1], 17), min(tokens.shape[2], 48)
    blocks = [block.numpy()[0, : num_rows - (block is image_tokens) * num_prefix, :num_channels] for _, block in steps]
    limit = max(np.abs(block).max() for block in blocks)
    figure = new_figure(2.4 * len(steps) + 0.8, 3.4)
    panels = figure.subplots(1, len(steps), squeeze=False)[0]
    for axes, (title, whole), block in zip(panels, steps, blocks, strict=True):
        first = num_prefix if whole is image_tokens else 0  # image tokens stand where they stand after the class token
        area = (-0.5, num_channels - 0.5, first + len(block) - 0.5, first - 0.5)
        drawn = axes.imshow(
            block, cmap="RdBu_r", vmin=-limit, vmax=limit, extent=area, aspect="auto", interpolation="nearest"
        )
        axes.set(xlim=area[:2], ylim=(num_rows - 0.5, -0.5), yticks=range(0, num_rows, 4))
        axes.spines[:].set_visible(False)
        axes.set_title(f"{title}\n{list(whole.shape[1:])}", fontsize=10)
        axes.set_xlabel(
            label("channel", "通道") if num_channels == tokens.shape[2] else label("first channels", "前面的通道")
        )
    panels[0].set_ylabel("token" if num_rows == tokens.shape[1] else label("first tokens", "前面的 token"))
    for axes in panels[1:]:
        axes.set_yticks([])
    figure.colorbar(drawn, ax=list(panels), pad=0.02)
    return finish(figure, path)


def position_similarity_picture(table, grid, path=None):
    """How alike the position embeddings of the patches are (Figure 7 of the ViT paper, centre).

    One small map a patch, at the place of the patch: the cosine between its position embedding and that of every
    patch, each at its own place. Of a larger grid seven rows and columns of maps are shown, evenly spaced.

    Args:
        table: [1, T, C] or [T, C], array or tensor. Tokens before the image tokens are left out.
        grid: (rows, columns) of patches.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    rows, columns = grid
    vectors = image_positions(table, grid).reshape(rows * columns, -1)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (vectors @ vectors.T).reshape(rows, columns, rows, columns)
    shown_rows, shown_columns = evenly(rows, 7), evenly(columns, 7)

    # All maps in one array, with nothing between them
    gap = 1 + max(grid) // 8
    high, wide = rows + gap, columns + gap
    canvas = np.full((len(shown_rows) * high - gap, len(shown_columns) * wide - gap), np.nan)
    for i, row in enumerate(shown_rows):
        for j, column in enumerate(shown_columns):
            canvas[i * high :, j * wide :][:rows, :columns] = cosines[row, column]
    figure = new_figure(5.6, 4.8 * canvas.shape[0] / canvas.shape[1] + 0.2)
    axes = figure.subplots()
    drawn = axes.imshow(canvas, cmap="viridis", vmin=min(0.0, cosines.min()), vmax=1, interpolation="nearest")
    axes.set_xticks([j * wide + (columns - 1) / 2 for j in range(len(shown_columns))], shown_columns)
    axes.set_yticks([i * high + (rows - 1) / 2 for i in range(len(shown_rows))], shown_rows)
    axes.set(xlabel=label("column of the patch", "图像块所在列"), ylabel=label("row of the patch", "图像块所在行"))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(drawn, ax=axes, shrink=0.8).set_label(label("cosine similarity", "余弦相似度"))
    return finish(figure, path)


def image_positions(table, grid):
    """The rows of the image tokens of a table [1, T, C] or [T, C], as [rows, columns, C]."""
    table = np.asarray(table)
    table = table[0] if table.ndim == 3 else table
    return table[len(table) - grid[0] * grid[1] :].reshape(*grid, -1)


def evenly(count, at_most):
    """Numbers from 0 to count - 1, all or at_most of them in even steps, with the first and the last."""
    return [int(number) for number in np.linspace(0, count - 1, min(count, at_most)).round()]


def resize_picture(before, after, old_grid, new_grid, path=None):
    """Four channels of a position embedding before and after it was resized to another grid.

    Args:
        before, after: [1, T, C] or [T, C], array or tensor. Tokens before the image tokens are left out.
        old_grid, new_grid: (rows, columns) of patches.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    old, new = image_positions(before, old_grid), image_positions(after, new_grid)  # rows columns C
    spread = np.ptp(old, axis=(0, 1))  # C
    varied = np.flatnonzero(spread > 1e-3 * spread.max())  # drawn in full contrast, rounding would look like a pattern
    chosen = varied[evenly(len(varied), 4)] if len(varied) else evenly(old.shape[-1], 4)
    figure = new_figure(8, 4.2)
    panels = figure.subplots(2, len(chosen))
    for channel, (above, below) in zip(chosen, panels.T, strict=True):
        limits = dict(vmin=old[..., channel].min(), vmax=old[..., channel].max())
        above.imshow(old[..., channel], cmap="viridis", interpolation="nearest", **limits)
        below.imshow(new[..., channel], cmap="viridis", interpolation="nearest", **limits)
        above.set_title(label(f"channel {channel}", f"通道 {channel}"))
    for axes in panels.ravel():
        without_ticks(axes, frame=False)
    panels[0, 0].set_ylabel(label("before: ", "之前：") + f"{old_grid[0]}x{old_grid[1]}")
    panels[1, 0].set_ylabel(label("after: ", "之后：") + f"{new_grid[0]}x{new_grid[1]}")
    return finish(figure, path)
