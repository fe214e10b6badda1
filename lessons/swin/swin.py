# 移位窗口 Transformer (Swin)：填写下面每个 TODO，然后运行 paddle-vit grade swin。提示：paddle-vit hint swin。
# The shifted-window transformer (Swin): fill in every TODO below, then run paddle-vit grade swin. For a hint: paddle-vit hint swin.
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
        # TODO 3.1  创建卷积与它之后的 LayerNorm / create the convolution and the norm behind it
        raise NotImplementedError("TODO 3.1 PatchEmbed.__init__")

    def forward(self, image):
        """Pad the image to whole patches, turn each patch into a token, normalise every token.

        Args:
            image: [B, in_channels, height, width]; zeros are added at the bottom and at the right where the patches do
                not tile it.

        Returns:
            [B, H, W, C]
        """
        # TODO 3.2  补零到整块，卷积，通道移到最后，归一化 / pad to whole patches, convolve, move the channels to the end, normalise
        raise NotImplementedError("TODO 3.2 PatchEmbed.forward")


def window_partition(x, window_size):
    """Cut every map into windows (paper, section 3.2). Windows are numbered row by row, those of the first image first.

    Args:
        x: [B, H, W, C]
        window_size: M, which divides H and W.

    Returns:
        [B*nW, M, M, C]
    """
    # TODO 3.3  把每张特征图切成 M x M 的窗口，逐行编号 / cut every map into windows of M x M tokens, numbered row by row
    raise NotImplementedError("TODO 3.3 window_partition")


def window_reverse(windows, window_size, H, W):
    """Put windows together again: the inverse of window_partition.

    Args:
        windows: [B*nW, M, M, C]
        window_size: M, which divides H and W.
        H, W: rows and columns of the map.

    Returns:
        [B, H, W, C]
    """
    # TODO 3.4  把窗口拼回特征图，与 window_partition 互逆 / put the windows together again, the inverse of window_partition
    raise NotImplementedError("TODO 3.4 window_reverse")


def relative_position_index(window_size):
    """For each pair of tokens in a window, the row of the bias table that belongs to their relative position.

    Token i stands in row i // M and column i % M of the window. From token j to token i it is dy rows and dx columns, each
    from -(M - 1) to M - 1. The row of the table is (dy + M - 1) * (2M - 1) + dx + M - 1 (paper, section 3.2).

    Args:
        window_size: M

    Returns:
        [N, N] int64, at [i, j] a number from 0 to (2M - 1)^2 - 1
    """
    # TODO 3.5  为窗口里的每一对 token 算出偏置表的行号 / for each pair of tokens in a window, the row of the bias table
    raise NotImplementedError("TODO 3.5 relative_position_index")


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
        # TODO 3.6  创建相对位置偏置表与相对位置索引 / create the table of relative position biases and the index
        raise NotImplementedError("TODO 3.6 WindowAttention.__init__")

    def relative_position_bias(self):
        """B of the paper's equation 4: for each pair of tokens the row of the table that relative_position_index names, then heads first.

        Returns:
            [nH, N, N]
        """
        # TODO 3.7  按索引从表中取出每一对 token 的偏置，头移到最前 / look up the bias of each pair in the table, heads first
        raise NotImplementedError("TODO 3.7 WindowAttention.relative_position_bias")

    def attention_weights(self, q, k, mask=None):
        """How much each token looks at each of its window: softmax(q k^T / sqrt(D) + B + mask), the paper's equation 4.

        Args:
            q, k: [B*nW, nH, N, D]
            mask: None, or [nW, N, N], added to the scores of all heads: 0 where a token may look, -100 where not. One for
                each window of an image, the same for every image.

        Returns:
            [B*nW, nH, N, N], every row sums to 1
        """
        # TODO 3.8  缩放点积，加上偏置与掩码，再 softmax / scaled dot products, plus bias, plus mask, then softmax
        raise NotImplementedError("TODO 3.8 WindowAttention.attention_weights")

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
        # TODO 3.9  检查掩码，然后与 ViT 一样，只是权重带掩码 / check the mask, then as in ViT, with the mask for the weights
        raise NotImplementedError("TODO 3.9 WindowAttention.forward")


def cyclic_shift(x, shift_size):
    """Move every map up and to the left; what leaves it comes in again at the bottom and at the right (paper, figure 4).

    Args:
        x: [B, H, W, C]
        shift_size: tokens; a negative number moves down and to the right, and so undoes the shift.

    Returns:
        [B, H, W, C]
    """
    # TODO 3.10  把每张图向上、向左移动 shift_size 个 token，移出去的从另一边回来 / move every map up and to the left by shift_size tokens; what leaves it comes in at the other side
    raise NotImplementedError("TODO 3.10 cyclic_shift")


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
    # TODO 3.11  给移位之后的图划分区域，同一窗口里不同区域的两个 token 得 -100，其余为 0 / divide the shifted map into regions; two tokens of a window in different regions get -100, all others 0
    raise NotImplementedError("TODO 3.11 shifted_window_mask")


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
    # TODO 3.12  图的短边不大于窗口时，窗口取短边，不移位；否则原样返回 / where the map's shorter side is no larger than the window, that side becomes the window and nothing is shifted; otherwise return both as they are
    raise NotImplementedError("TODO 3.12 fit_window")


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
        # TODO 3.13  调整窗口与移位，准备掩码，创建两个层归一化、窗口注意力、MLP 与 DropPath / fit window and shift, prepare the mask, create two norms, the window attention, the MLP and DropPath
        raise NotImplementedError("TODO 3.13 SwinTransformerBlock.__init__")

    def attend(self, x):
        """Attention in the windows of the maps, shifted or not.

        Pad to whole windows, shift, partition, attn with the mask, reverse, shift back, cut off what was padded. Nothing
        hides the zeros of the padding: tokens look at them like at any other.

        Args:
            x: [B, H, W, C]

        Returns:
            [B, H, W, C]
        """
        # TODO 3.14  补零，移位，切成窗口，做注意力，拼回去，移回去，裁掉补的零 / pad, shift, cut into windows, attend, put together, shift back, cut off the padding
        raise NotImplementedError("TODO 3.14 SwinTransformerBlock.attend")

    def forward(self, x):
        """The paper's equation 3: x + attend(norm(x)), then x + mlp(norm(x)); drop_path acts on each branch, before the sum.

        Args:
            x: [B, H, W, C]

        Returns:
            [B, H, W, C]
        """
        # TODO 3.15  两个分支：前置归一化，attend 或 mlp，DropPath，残差连接 / two branches: pre-norm, attend or mlp, drop path, residual
        raise NotImplementedError("TODO 3.15 SwinTransformerBlock.forward")


class PatchMerging(nn.Layer):
    """Four neighbouring tokens become one of twice the channels (paper, section 3.1)."""

    def __init__(self, embed_dim):
        """Create, under these names:

        norm: nn.LayerNorm over 4C channels with epsilon 1e-5
        reduction: nn.Linear, 4C to 2C, without bias
        """
        super().__init__()
        # TODO 3.16  创建归一化层与没有偏置的全连接层 / create the norm, and a linear layer without bias
        raise NotImplementedError("TODO 3.16 PatchMerging.__init__")

    def forward(self, x):
        """Put the channels of each 2x2 tokens side by side, then norm, then reduction.

        The order is that of the published weights: the upper left token, the lower left, the upper right, the lower right.

        Args:
            x: [B, H, W, C]; a row or column of zeros is added where H or W is odd: pad_to_windows(x, 2).

        Returns:
            [B, H/2, W/2, 2C], halves rounded up
        """
        # TODO 3.17  补齐到偶数，2x2 个 token 的通道拼在一起，norm，再 reduction / pad to even sizes, join the channels of 2x2 tokens, norm, then reduction
        raise NotImplementedError("TODO 3.17 PatchMerging.forward")


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
        # TODO 3.18  创建 depth 个块，每隔一个移位；需要时创建 PatchMerging / create depth blocks, every second one shifted, and where asked a PatchMerging
        raise NotImplementedError("TODO 3.18 BasicLayer.__init__")

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
        self.in_channels = in_channels
        # TODO 3.19  创建图像块嵌入、位置编码、各个阶段、归一化层与分类头，并初始化 / create the patch embedding, positions, stages, norm and head, and initialise them
        raise NotImplementedError("TODO 3.19 SwinTransformer.__init__")

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
        # TODO 3.20  图像块嵌入、位置编码、dropout、所有阶段、归一化 / patch embedding, positions, dropout, all stages, norm
        raise NotImplementedError("TODO 3.20 SwinTransformer.forward_features")

    def forward_head(self, x):
        """Mean over all tokens of the map, then head.

        Args:
            x: [B, H, W, C], what forward_features gives

        Returns:
            [B, K]
        """
        # TODO 3.21  对图上所有 token 求平均，再经过 head / mean over all tokens of the map, then head
        raise NotImplementedError("TODO 3.21 SwinTransformer.forward_head")

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
