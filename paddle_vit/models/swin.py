"""Swin Transformer: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV 2021,
arXiv:2103.14030.

What differs from ViT: tokens lie on a map and attend inside of windows only; every second block shifts the windows; after
each stage but the last, four tokens become one. Axes, by the same letter everywhere:
    B     images in a batch
    H, W  rows and columns of tokens, the map
    C     channels of a token (embed_dim); of a later stage twice as many
    M     rows and columns of a window (window_size)
    N     tokens of a window, M * M
    nW    windows of an image
    nH    attention heads
    D     channels of one head, C / nH
    K     classes
"""

import paddle
import paddle.nn as nn
import paddle.nn.functional as F

from paddle_vit.models.layers import DropPath, init_weights, trunc_normal_
from paddle_vit.models.sizes import (
    check_image,
    check_mask,
    check_stages,
    check_window,
    padded_grid,
    pair,
    round_up,
)
from paddle_vit.models.vit import Attention, Mlp


class PatchEmbed(nn.Layer):
    """Image to a map of tokens (paper, section 3.1): patches of 4x4 pixels, one linear layer, a norm."""

    def __init__(self, image_size=224, patch_size=4, in_channels=3, embed_dim=96):
        """Create, under these names:

        proj: nn.Conv2D from in_channels to embed_dim, one step a patch, with bias
        norm: nn.LayerNorm over C channels with epsilon 1e-5

        image_size, patch_size (pixels) and grid (H, W) are given, each as (height, width).
        """
        super().__init__()
        self.image_size = pair(image_size)
        self.patch_size = pair(patch_size)
        self.grid = padded_grid(image_size, patch_size)
        self.proj = nn.Conv2D(in_channels, embed_dim, kernel_size=self.patch_size, stride=self.patch_size)
        self.norm = nn.LayerNorm(embed_dim, epsilon=1e-5)

    def forward(self, image):
        """Pad the image to whole patches, turn each patch into a token, normalise every token.

        Args:
            image: [B, in_channels, height, width]; zeros are added at the bottom and at the right where the patches do
                not tile it.

        Returns:
            [B, H, W, C]
        """
        height, width = (round_up(size, patch) for size, patch in zip(image.shape[2:], self.patch_size, strict=True))
        image = F.pad(image, [0, width - image.shape[3], 0, height - image.shape[2]])  # left, right, top, bottom
        x = self.proj(image)  # B C H W
        return self.norm(x.transpose([0, 2, 3, 1]))  # B H W C


def window_partition(x, window_size):
    """Cut every map into windows (paper, section 3.2). Windows are numbered row by row, those of the first image first.

    Args:
        x: [B, H, W, C]
        window_size: M, which divides H and W.

    Returns:
        [B*nW, M, M, C]
    """
    B, H, W, C = x.shape
    M = window_size
    x = x.reshape([B, H // M, M, W // M, M, C])  # B rows M columns M C, rows and columns of windows
    return x.transpose([0, 1, 3, 2, 4, 5]).reshape([-1, M, M, C])  # B*nW M M C


def window_reverse(windows, window_size, H, W):
    """Put windows together again: the inverse of window_partition.

    Args:
        windows: [B*nW, M, M, C]
        window_size: M, which divides H and W.
        H, W: rows and columns of the map.

    Returns:
        [B, H, W, C]
    """
    M, C = window_size, windows.shape[-1]
    x = windows.reshape([-1, H // M, W // M, M, M, C])  # B rows columns M M C
    return x.transpose([0, 1, 3, 2, 4, 5]).reshape([-1, H, W, C])  # B H W C


def relative_position_index(window_size):
    """For each pair of tokens in a window, the row of the bias table that belongs to their relative position.

    Token i stands in row i // M and column i % M of the window. From token j to token i it is dy rows and dx columns, each
    from -(M - 1) to M - 1. The row of the table is (dy + M - 1) * (2M - 1) + dx + M - 1 (paper, section 3.2).

    Args:
        window_size: M

    Returns:
        [N, N] int64, at [i, j] a number from 0 to (2M - 1)^2 - 1
    """
    M = window_size
    token = paddle.arange(M * M)  # N
    row, column = token // M, token % M
    dy = row.unsqueeze(1) - row.unsqueeze(0)  # N N
    dx = column.unsqueeze(1) - column.unsqueeze(0)  # N N
    return (dy + M - 1) * (2 * M - 1) + dx + M - 1  # N N


class WindowAttention(Attention):
    """ViT's attention among the N tokens of a window, with a relative position bias and a mask (paper, section 3.2)."""

    def __init__(self, embed_dim=96, num_heads=3, window_size=7, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
        """Beside what ViT's Attention has already created (qkv, proj and the dropouts), create, under these names:

        relative_position_bias_table: parameter [(2M - 1)^2, nH], filled by trunc_normal_(parameter, std=0.02): for each
            relative position a number for each head
        relative_position_index: buffer [N, N], what the function of this name returns; not persistable

        The call of Attention's constructor and window_size (M) are given.
        """
        super().__init__(embed_dim, num_heads, qkv_bias, dropout, attention_dropout)
        self.window_size = check_window(window_size)
        self.relative_position_bias_table = self.create_parameter([(2 * window_size - 1) ** 2, num_heads])
        trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", relative_position_index(window_size), persistable=False)

    def relative_position_bias(self):
        """B of the paper's equation 4: for each pair of tokens the row of the table that relative_position_index names, then heads first.

        Returns:
            [nH, N, N]
        """
        bias = F.embedding(self.relative_position_index, self.relative_position_bias_table)  # N N nH
        return bias.transpose([2, 0, 1])  # nH N N

    def attention_weights(self, q, k, mask=None):
        """How much each token looks at each of its window: softmax(q k^T / sqrt(D) + B + mask), the paper's equation 4.

        Args:
            q, k: [B*nW, nH, N, D]
            mask: None, or [nW, N, N], added to the scores of all heads: 0 where a token may look, -100 where not. One for
                each window of an image, the same for every image.

        Returns:
            [B*nW, nH, N, N], every row sums to 1
        """
        scores = paddle.matmul(q * self.head_dim**-0.5, k, transpose_y=True)  # B*nW nH N N
        bias = self.relative_position_bias().unsqueeze(0)  # 1 nH N N
        if mask is not None:
            bias = bias + mask.unsqueeze(1)  # nW nH N N
        scores = scores.reshape([-1, *bias.shape]) + bias  # B nW nH N N; without a mask B*nW 1 nH N N
        return F.softmax(scores, axis=-1).flatten(0, 1)  # B*nW nH N N

    def forward(self, x, mask=None):
        """As in ViT, in each window: qkv, split_heads, attention_weights with the mask, attention_dropout on the weights,
        weights @ v, merge_heads, proj, dropout.

        Args:
            x: [B*nW, N, C]
            mask: None or [nW, N, N], see attention_weights.

        Returns:
            [B*nW, N, C]

        Raises:
            ValueError: a mask for other windows; check_mask(x, mask), called first when there is a mask, raises it.
        """
        if mask is not None:
            check_mask(x, mask)
        q, k, v = self.split_heads(self.qkv(x))  # each B*nW nH N D
        weights = self.attention_dropout(self.attention_weights(q, k, mask))  # B*nW nH N N
        x = self.merge_heads(weights @ v)  # B*nW N C
        return self.dropout(self.proj(x))


def cyclic_shift(x, shift_size):
    """Move every map up and to the left; what leaves it comes in again at the bottom and at the right (paper, figure 4).

    Args:
        x: [B, H, W, C]
        shift_size: tokens; a negative number moves down and to the right, and so undoes the shift.

    Returns:
        [B, H, W, C]
    """
    return paddle.roll(x, shifts=(-shift_size, -shift_size), axis=(1, 2))


def shifted_window_mask(resolution, window_size, shift_size):
    """Which tokens may look at each other in the windows of a map after cyclic_shift (paper, figure 4).

    The shift puts side by side what was not. The rows of the shifted map fall into three bands: from 0 to H - M - 1, from
    H - M to H - shift_size - 1, and the last shift_size ones, which came in from the top; the columns likewise. That makes
    nine regions. Two tokens of a window may look at each other when they lie in the same region. (The first border lies
    between two windows, so only the second one ever separates tokens of one window; the paper draws both.)

    Args:
        resolution: (H, W), multiples of M.
        window_size: M
        shift_size: from 1 to M - 1.

    Returns:
        [nW, N, N] float32: 0 for a pair that may, -100 for one that may not; windows as in window_partition
    """
    band_of_row, band_of_column = (
        (paddle.arange(size) >= size - window_size).astype("int64")
        + (paddle.arange(size) >= size - shift_size).astype("int64")
        for size in resolution
    )  # H, W: 0, 1 or 2
    region = 3 * band_of_row.unsqueeze(1) + band_of_column  # H W: 0 to 8
    region = window_partition(region.reshape([1, *resolution, 1]), window_size).flatten(1)  # nW N
    apart = region.unsqueeze(1) != region.unsqueeze(2)  # nW N N
    return -100.0 * apart.astype("float32")


def fit_window(resolution, window_size, shift_size):
    """Window and shift for a map: where the map is no larger than the window, the window covers its shorter side and there
    is no shift, since there is nothing to shift to.

    Args:
        resolution: (H, W)
        window_size: M
        shift_size: tokens

    Returns:
        window_size, shift_size
    """
    if min(resolution) <= window_size:
        return min(resolution), 0
    return window_size, shift_size


def pad_to_windows(x, window_size):
    """Add zeros at the bottom and at the right until windows tile the maps.

    Args:
        x: [B, H, W, C]
        window_size: M

    Returns:
        [B, H', W', C], H' and W' the next multiples of M
    """
    _, H, W, _ = x.shape
    bottom, right = round_up(H, window_size) - H, round_up(W, window_size) - W
    if not (bottom or right):
        return x
    return F.pad(x, [0, right, 0, bottom], data_format="NHWC")  # left, right, top, bottom


class SwinTransformerBlock(nn.Layer):
    """Attention in windows and an MLP, each behind a norm and beside a residual connection (paper, equation 3)."""

    def __init__(
        self,
        embed_dim,
        resolution,
        num_heads,
        window_size=7,
        shift_size=0,
        mlp_ratio=4.0,
        qkv_bias=True,
        dropout=0.0,
        attention_dropout=0.0,
        droppath=0.0,
    ):
        """Create, under these names:

        window_size, shift_size: what fit_window(resolution, window_size, shift_size) returns
        mask: buffer, what shifted_window_mask returns for the map padded to whole windows; None without a shift; not
            persistable
        attn_norm, mlp_norm: nn.LayerNorm over C channels with epsilon 1e-5
        attn: WindowAttention, which gets embed_dim, num_heads, the fitted window_size (self.window_size, not the
            argument), qkv_bias, dropout and attention_dropout
        mlp: Mlp, which gets embed_dim, mlp_ratio and dropout
        drop_path: DropPath with probability droppath

        Args:
            resolution: (H, W) of the maps that will come.
        """
        super().__init__()
        self.window_size, self.shift_size = fit_window(resolution, check_window(window_size), shift_size)
        mask = None
        if self.shift_size > 0:
            padded = [round_up(size, self.window_size) for size in resolution]
            mask = shifted_window_mask(padded, self.window_size, self.shift_size)
        self.register_buffer("mask", mask, persistable=False)
        self.attn_norm = nn.LayerNorm(embed_dim, epsilon=1e-5)
        self.attn = WindowAttention(embed_dim, num_heads, self.window_size, qkv_bias, dropout, attention_dropout)
        self.mlp_norm = nn.LayerNorm(embed_dim, epsilon=1e-5)
        self.mlp = Mlp(embed_dim, mlp_ratio, dropout)
        self.drop_path = DropPath(droppath)

    def attend(self, x):
        """Attention in the windows of the maps, shifted or not.

        Pad to whole windows, shift, partition, attn with the mask, reverse, shift back, cut off what was padded. Nothing
        hides the zeros of the padding: tokens look at them like at any other.

        Args:
            x: [B, H, W, C]

        Returns:
            [B, H, W, C]
        """
        _, H, W, C = x.shape
        x = pad_to_windows(x, self.window_size)  # B H' W' C
        _, padded_H, padded_W, _ = x.shape
        if self.shift_size > 0:
            x = cyclic_shift(x, self.shift_size)
        windows = window_partition(x, self.window_size)  # B*nW M M C
        windows = self.attn(windows.flatten(1, 2), self.mask)  # B*nW N C
        windows = windows.reshape([-1, self.window_size, self.window_size, C])  # B*nW M M C
        x = window_reverse(windows, self.window_size, padded_H, padded_W)  # B H' W' C
        if self.shift_size > 0:
            x = cyclic_shift(x, -self.shift_size)
        return x[:, :H, :W]  # B H W C

    def forward(self, x):
        """The paper's equation 3: x + attend(norm(x)), then x + mlp(norm(x)); drop_path acts on each branch, before the sum.

        Args:
            x: [B, H, W, C]

        Returns:
            [B, H, W, C]
        """
        x = x + self.drop_path(self.attend(self.attn_norm(x)))
        return x + self.drop_path(self.mlp(self.mlp_norm(x)))


class PatchMerging(nn.Layer):
    """Four neighbouring tokens become one of twice the channels (paper, section 3.1)."""

    def __init__(self, embed_dim):
        """Create, under these names:

        norm: nn.LayerNorm over 4C channels with epsilon 1e-5
        reduction: nn.Linear, 4C to 2C, without bias
        """
        super().__init__()
        self.norm = nn.LayerNorm(4 * embed_dim, epsilon=1e-5)
        self.reduction = nn.Linear(4 * embed_dim, 2 * embed_dim, bias_attr=False)

    def forward(self, x):
        """Put the channels of each 2x2 tokens side by side, then norm, then reduction.

        The order is that of the published weights: the upper left token, the lower left, the upper right, the lower right.

        Args:
            x: [B, H, W, C]; a row or column of zeros is added where H or W is odd: pad_to_windows(x, 2).

        Returns:
            [B, H/2, W/2, 2C], halves rounded up
        """
        x = pad_to_windows(x, 2)
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]  # each B H/2 W/2 C
        x = paddle.concat(corners, axis=-1)  # B H/2 W/2 4C
        return self.reduction(self.norm(x))  # B H/2 W/2 2C


class BasicLayer(nn.Layer):
    """A stage: blocks with windows and shifted windows in turn, then the merging (in the paper's figure 3 it opens the next stage)."""

    def __init__(
        self,
        embed_dim,
        resolution,
        depth,
        num_heads,
        window_size=7,
        mlp_ratio=4.0,
        qkv_bias=True,
        dropout=0.0,
        attention_dropout=0.0,
        droppath=(),
        downsample=False,
    ):
        """Create, under these names:

        blocks: nn.LayerList of depth SwinTransformerBlocks. Every second one, beginning with the second, gets shift_size
            M // 2, the others 0. Each gets its own number of droppath.
        downsample: PatchMerging when downsample is true, else None

        Args:
            resolution: (H, W) of the maps that will come.
            droppath: probability of dropping a path for each block in turn; empty for none.
        """
        super().__init__()
        rates = list(droppath) or [0.0] * depth
        self.blocks = nn.LayerList(
            [
                SwinTransformerBlock(
                    embed_dim,
                    resolution,
                    num_heads,
                    window_size,
                    window_size // 2 if i % 2 else 0,
                    mlp_ratio,
                    qkv_bias,
                    dropout,
                    attention_dropout,
                    rates[i],
                )
                for i in range(depth)
            ]
        )
        self.downsample = PatchMerging(embed_dim) if downsample else None

    def forward(self, x):
        for block in self.blocks:
            x = block(x)  # B H W C
        return x if self.downsample is None else self.downsample(x)  # B H/2 W/2 2C after a merging


class SwinTransformer(nn.Layer):
    """Swin. Images [B, in_channels, height, width] in, logits [B, K] out; features [B, C] when num_classes is 0."""

    def __init__(
        self,
        image_size=224,
        patch_size=4,
        in_channels=3,
        num_classes=1000,
        embed_dim=96,
        depths=(2, 2, 6, 2),
        num_heads=(3, 6, 12, 24),
        window_size=7,
        mlp_ratio=4.0,
        qkv_bias=True,
        dropout=0.0,
        attention_dropout=0.0,
        droppath=0.0,
        *,
        absolute_position=False,
    ):
        """Create, under these names:

        patch_embed: PatchEmbed
        position_embedding: parameter [1, H, W, C], filled by trunc_normal_(parameter, std=0.02), when absolute_position is
            true; else None
        dropout: nn.Dropout with probability dropout
        layers: nn.LayerList of BasicLayers, one a stage, all but the last with downsample. From stage to stage the channels
            double and the resolution, of the first stage patch_embed.grid, halves, rounded up. The probability of dropping a path grows linearly over all blocks
            of all stages, from 0 in the first to droppath in the last; a single block has 0.
        norm: nn.LayerNorm over the last stage's channels with epsilon 1e-5
        head: nn.Linear to num_classes, with bias; nn.Identity when num_classes is 0

        At the end apply init_weights to the whole model. in_channels is given.

        Args:
            image_size, patch_size: pixels, an int or (height, width).
            depths, num_heads: blocks and attention heads of each stage.

        Raises:
            ValueError: an image smaller than a patch, heads that do not divide the channels of their stage, a window below
                1, depths and num_heads of different lengths.
        """
        super().__init__()
        check_stages(depths, num_heads)
        self.in_channels = in_channels
        self.patch_embed = PatchEmbed(image_size, patch_size, in_channels, embed_dim)
        self.position_embedding = None
        if absolute_position:
            self.position_embedding = self.create_parameter([1, *self.patch_embed.grid, embed_dim])
            trunc_normal_(self.position_embedding, std=0.02)
        self.dropout = nn.Dropout(dropout)
        total = sum(depths)
        rates = [droppath * i / max(total - 1, 1) for i in range(total)]
        resolution, channels, stages = self.patch_embed.grid, embed_dim, []
        for stage, (depth, heads) in enumerate(zip(depths, num_heads, strict=True)):
            last = stage == len(depths) - 1
            stages.append(
                BasicLayer(
                    channels,
                    resolution,
                    depth,
                    heads,
                    window_size,
                    mlp_ratio,
                    qkv_bias,
                    dropout,
                    attention_dropout,
                    rates[:depth],
                    downsample=not last,
                )
            )
            rates = rates[depth:]
            if not last:
                resolution, channels = [(size + 1) // 2 for size in resolution], 2 * channels
        self.layers = nn.LayerList(stages)
        self.norm = nn.LayerNorm(channels, epsilon=1e-5)
        self.head = nn.Linear(channels, num_classes) if num_classes > 0 else nn.Identity()
        self.apply(init_weights)

    def forward_features(self, image):
        """Image to the normalised map of the last stage: patch_embed, positions where there are any, dropout, all stages,
        norm.

        Args:
            image: [B, in_channels, height, width]

        Returns:
            [B, H, W, C] of the last stage

        Raises:
            ValueError: images of another size or number of channels; check_image(image, self.patch_embed.image_size,
                self.in_channels), called first, raises it.
        """
        check_image(image, self.patch_embed.image_size, self.in_channels)
        x = self.patch_embed(image)  # B H W C
        if self.position_embedding is not None:
            x = x + self.position_embedding
        x = self.dropout(x)
        for layer in self.layers:
            x = layer(x)  # B H/2 W/2 2C, but for the last
        return self.norm(x)

    def forward_head(self, x):
        """Mean over all tokens of the map, then head.

        Args:
            x: [B, H, W, C], what forward_features gives

        Returns:
            [B, K]
        """
        return self.head(x.mean(axis=[1, 2]))  # B C, B K

    def forward(self, image):
        return self.forward_head(self.forward_features(image))


# Section 3.3 of the paper: channels of the first stage, blocks and heads of each
SIZES = {
    "tiny": dict(embed_dim=96, depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24)),
    "small": dict(embed_dim=96, depths=(2, 2, 18, 2), num_heads=(3, 6, 12, 24)),
    "base": dict(embed_dim=128, depths=(2, 2, 18, 2), num_heads=(4, 8, 16, 32)),
    "large": dict(embed_dim=192, depths=(2, 2, 18, 2), num_heads=(6, 12, 24, 48)),
}

# size, (window, image size) for which weights were published (tables 1 and 2)
_PUBLISHED = [
    ("tiny", [(7, 224)]),
    ("small", [(7, 224)]),
    ("base", [(7, 224), (12, 384)]),
    ("large", [(7, 224), (12, 384)]),
]

# name as in timm -> arguments of SwinTransformer
MODELS = {
    f"swin_{size}_patch4_window{window}_{image}": dict(image_size=image, window_size=window, **SIZES[size])
    for size, variants in _PUBLISHED
    for window, image in variants
}
