"""Pictures of what a Vision Transformer looks at."""

import math

import numpy as np
import paddle

from paddle_vit.visualize import finish, new_figure


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

    Without a class token (mean pooling) the mean over all image tokens takes its place. Dark is zero; bright is the
    largest weight of all heads, so that heads can be compared, or of the rollout. Thin lines repeat the outline of the
    image.

    Args:
        model: VisionTransformer
        image: [in_channels, height, width], array or tensor; the mean of the channels is shown.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    maps = attention_maps(model, image)  # layers H T T
    grid = model.patch_embedding.grid
    heads = [on_patches(weights, grid) for weights in maps[-1]]
    rollout = on_patches(attention_rollout(maps), grid)
    shown = np.asarray(image).mean(axis=0)  # height width

    figure, (first, *middle, last) = panels(len(heads) + 2, shown.shape)
    first.imshow(shown, cmap="gray")
    first.set_title("image", fontsize=10)
    brightest = max(weights.max() for weights in heads)
    for number, (axes, weights) in enumerate(zip(middle, heads, strict=True), start=1):
        draw_weights(axes, weights, shown, brightest)
        axes.set_title(f"head {number}", fontsize=10)
    draw_weights(last, rollout, shown, rollout.max())
    last.set_title("rollout", fontsize=10)
    return finish(figure, path)


def panels(count, shape):
    """A figure with count axes for pictures of shape (height, width), in rows of at most seven."""
    rows = math.ceil(count / 7)
    columns = math.ceil(count / rows)
    figure = new_figure(1.5 * columns, rows * (1.35 * shape[0] / shape[1] + 0.6))
    axes = figure.subplots(rows, columns).ravel()
    for each in axes:
        each.set(xticks=[], yticks=[])
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def on_patches(weights, grid):
    """What the first token gives to the image tokens, [T, T] to [rows, columns]; the mean token where all are image."""
    num_prefix = len(weights) - grid[0] * grid[1]
    row = weights[0] if num_prefix else weights.mean(axis=0)  # T
    return row[num_prefix:].reshape(grid)


def draw_weights(axes, weights, image, brightest):
    """Weights [rows, columns] over the area of an image [height, width], with the outline of what is bright in it."""
    height, width = image.shape
    area = (-0.5, width - 0.5, height - 0.5, -0.5)  # left right bottom top, as imshow places pixels
    axes.imshow(weights, cmap="viridis", vmin=0.0, vmax=brightest, extent=area)
    axes.set_xlabel(f"up to {weights.max():.0%}", fontsize=9)
    low, high = image.min(), image.max()
    if low < high:
        framed = np.pad(image, 1, constant_values=low)  # so that the outline closes at the border
        x, y = np.arange(-1, width + 1), np.arange(-1, height + 1)
        axes.contour(x, y, framed, levels=[(low + high) / 2], colors="white", linewidths=0.9)
        axes.set(xlim=area[:2], ylim=area[2:])
