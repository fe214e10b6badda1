"""Pictures of what a Vision Transformer looks at."""

import math

import numpy as np
import paddle
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from paddle_vit.visualize import displayed, finish, label, new_figure, without_ticks

# From nothing to red: weights lie over the image like ink
FRAME = "#4477aa"
INK = LinearSegmentedColormap.from_list("ink", ["#cc331100", "#cc3311c4"])


def attention_maps(model, image):
    """Attention weights of every layer and head for one image.

    Computed with the model's own pieces, in eval mode: in each layer attn_norm, attn.qkv, attn.split_heads and
    attn.attention_weights, then the whole layer for the input of the next. Works for any model with these names, the
    learner's own included.

    Args:
        model: VisionTransformer
        image: [in_channels, height, width], array or tensor.

    Returns:
        [layers, H, T, T] float32 numpy array; row i says how much token i looks at each token, and sums to 1
    """
    was_training = model.training
    model.eval()
    maps = []
    with paddle.no_grad():
        x = model.patch_embedding(paddle.to_tensor(np.asarray(image, dtype="float32")[None]))  # 1 T C
        for layer in model.encoder.layers:
            q, k, _ = layer.attn.split_heads(layer.attn.qkv(layer.attn_norm(x)))  # each 1 H T D
            maps.append(layer.attn.attention_weights(q, k)[0].numpy())  # H T T
            x = layer(x)
    if was_training:
        model.train()
    return np.stack(maps)  # layers H T T


def attention_rollout(maps):
    """How much of each input token arrives in each output token (Abnar & Zuidema, ACL 2020).

    Heads are averaged, the residual connection counts as half an identity, layers multiply.

    Args:
        maps: [layers, H, T, T] of attention_maps

    Returns:
        [T, T], every row sums to 1
    """
    rollout = np.eye(maps.shape[-1], dtype=maps.dtype)
    for weights in maps.mean(axis=1):  # T T
        rollout = 0.5 * (weights + np.eye(len(weights), dtype=weights.dtype)) @ rollout
    return rollout


def attention_picture(model, image, path=None):
    """An image, what the class token looks at in each head of the last layer, and the rollout of all layers.

    Without a class token (mean pooling) the mean over all image tokens takes its place. Weights lie as red ink over the
    pale image, each patch a block: full ink is the largest weight of all heads, so that heads can be compared, or of
    the rollout.

    Args:
        model: VisionTransformer
        image: [in_channels, height, width], array or tensor, in any range of values.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    maps = attention_maps(model, image)  # layers H T T
    grid = model.patch_embedding.grid
    heads = [on_patches(weights, grid) for weights in maps[-1]]
    rollout = on_patches(attention_rollout(maps), grid)
    shown = displayed(image)

    figure, (first, *middle, last) = panels(len(heads) + 2, shown.shape)
    first.imshow(shown, cmap="gray", vmin=0, vmax=1)
    first.set_title(label("image", "图像"), fontsize=10)
    largest = max(weights.max() for weights in heads)
    for number, (axes, weights) in enumerate(zip(middle, heads, strict=True)):
        draw_weights(axes, weights, shown, largest)
        axes.set_title(label(f"head {number}", f"头 {number}"), fontsize=10)
    draw_weights(last, rollout, shown, rollout.max())
    last.set_title("rollout", fontsize=10)
    if len(maps[0, 0]) > grid[0] * grid[1]:
        who = label("the class token looks", "类别 token 看的地方")
    else:
        who = label("the image tokens look on average", "图像 token 平均看的地方")
    explained = label(
        f"Red: where {who} (last layer).\nRollout: through all layers, with heads averaged\n"
        "and residual connections counted.",
        f"红色：{who} (最后一层)。\nrollout：经过所有层，各头取平均，并计入残差连接。",
    )
    figure.supxlabel(explained, fontsize=9)
    return finish(figure, path)


def panels(count, shape):
    """A figure with count axes for pictures of shape (height, width, ...), in rows of at most seven."""
    rows = math.ceil(count / 7)
    columns = math.ceil(count / rows)
    figure = new_figure(1.5 * columns, rows * (1.35 * shape[0] / shape[1] + 0.6) + 0.5)
    axes = figure.subplots(rows, columns).ravel()
    for each in axes:
        without_ticks(each)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def on_patches(weights, grid):
    """What the first token gives to the image tokens, [T, T] to [rows, columns]; the mean token where all are image."""
    num_prefix = len(weights) - grid[0] * grid[1]
    row = weights[0] if num_prefix else weights.mean(axis=0)  # T
    return row[num_prefix:].reshape(grid)


def draw_weights(axes, weights, shown, largest):
    """Weights [rows, columns] as ink over a pale gray image, [height, width] or [height, width, 3] of displayed()."""
    height, width = shown.shape[:2]
    gray = shown if shown.ndim == 2 else shown.mean(axis=-1)
    axes.imshow(gray, cmap="gray", vmin=-2, vmax=1)  # from pale gray to white
    area = (-0.5, width - 0.5, height - 0.5, -0.5)  # left right bottom top, as imshow places pixels
    axes.imshow(weights, cmap=INK, vmin=0, vmax=largest, extent=area, interpolation="nearest")
    axes.set_xlabel(label(f"up to {percent(weights.max())}", f"最大 {percent(weights.max())}"), fontsize=9)


def percent(share):
    """A share in words; below 10 % with a decimal, since one of 196 patches may get 0.5 %."""
    return f"{share:.0%}" if share >= 0.0995 else f"{share:.1%}"


def head_picture(model, image, layer, head, query=None, path=None):
    """The attention of one head: the image with the query framed, and where the query looks.

    Weights lie as red ink over the pale image, each patch a block; full ink is the largest of them.

    Args:
        model: VisionTransformer
        image: [in_channels, height, width], array or tensor, in any range of values.
        layer, head: counted from 0; negative numbers count from the end.
        query: the number of a patch, row by row from 0; None for the class token.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure

    Raises:
        ValueError: no query, and a model without class token.
        IndexError: no such layer, head or patch.
    """
    maps = attention_maps(model, image)  # layers H T T
    layer, head = range(maps.shape[0])[layer], range(maps.shape[1])[head]
    rows, columns = model.patch_embedding.grid
    num_prefix = maps.shape[-1] - rows * columns
    if query is None and not num_prefix:
        raise ValueError("this model has no class token: choose a patch as query")
    if query is not None and not 0 <= query < rows * columns:
        raise IndexError(f"there is no patch {query}: the patches are 0 to {rows * columns - 1}")
    weights = maps[layer, head, 0 if query is None else num_prefix + query]  # T
    on_image = weights[num_prefix:].reshape(rows, columns)
    shown = displayed(image)
    height, width = shown.shape[:2]

    figure = new_figure(7.4, 3.4 * height / width + 0.9)
    whole, looked_at = figure.subplots(1, 2)
    whole.imshow(shown, cmap="gray", vmin=0, vmax=1)
    if query is None:
        whole.set_title(label("query: class token", "查询：类别 token"))
    else:
        whole.set_title(label(f"query: patch {query}", f"查询：图像块 {query}"))
        for axes in (whole, looked_at):
            row, column = divmod(query, columns)
            corner = (column * width / columns - 0.5, row * height / rows - 0.5)
            axes.add_patch(
                Rectangle(corner, width / columns, height / rows, fill=False, edgecolor=FRAME, linewidth=2.5)
            )
    draw_weights(looked_at, on_image, shown, on_image.max())
    looked_at.set_title(label(f"layer {layer}, head {head}", f"第 {layer} 层，头 {head}"))
    share = percent(on_image.max())
    text = label(f"red: where it looks, up to {share} a patch", f"红色：它看的地方，每块最多 {share}")
    if num_prefix:
        rest = percent(weights[:num_prefix].sum())
        text += label(f"\non the class token: {rest}", f"\n类别 token 占 {rest}")
    looked_at.set_xlabel(text, fontsize=9)
    without_ticks(whole)
    without_ticks(looked_at)
    return finish(figure, path)
