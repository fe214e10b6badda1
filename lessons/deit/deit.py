# 数据高效的图像 Transformer (DeiT)：填写下面每个 TODO，然后运行 paddle-vit grade deit。提示：paddle-vit hint deit。
# The data-efficient image transformer (DeiT): fill in every TODO below, then run paddle-vit grade deit. For a hint: paddle-vit hint deit.
"""Data-efficient image Transformer (DeiT): Touvron et al., "Training data-efficient image transformers & distillation
through attention", ICML 2021, arXiv:2012.12877.

What differs from ViT: a second token, which learns from a teacher, and a second head, which reads it. Axes as in vit.py:
B images, N image tokens, C channels, K classes; T is here 2 + N, the class token, the distillation token and the image
tokens.
"""

import paddle
import paddle.nn as nn

from paddle_vit.models.layers import init_weights, trunc_normal_
from paddle_vit.models.vit import SIZES, PatchEmbedding, VisionTransformer


class DistilledPatchEmbedding(PatchEmbedding):
    """PatchEmbedding of ViT with one token more (section 4, "distillation through attention")."""

    def __init__(self, image_size=224, patch_size=16, in_channels=3, embed_dim=768, dropout=0.0):
        """Beside what ViT's PatchEmbedding has already created, create, under these names:

        distill_token: parameter [1, 1, C], filled by trunc_normal_(parameter, std=0.02)
        position_embedding: parameter [1, 2 + N, C], filled in the same way, in the place of ViT's, which has a row less

        The call of ViT's constructor is given. It has set grid to (rows, columns) of patches; N = rows * columns.
        """
        super().__init__(image_size, patch_size, in_channels, embed_dim, dropout)
        # TODO 2.3  创建蒸馏 token，以及 2 + N 行的位置编码 / create the distillation token, and a position embedding of 2 + N rows
        raise NotImplementedError("TODO 2.3 DistilledPatchEmbedding.__init__")

    def add_class_token(self, x):
        """Put the class token, then the distillation token, before the image tokens of every sample.

        ViT's forward calls this method; so here it adds two tokens and not one.

        Args:
            x: [B, N, C]

        Returns:
            [B, 2 + N, C]
        """
        # TODO 2.4  把类别 token、蒸馏 token 依次放到每个样本的图像 token 之前 / put the class token, then the distillation token, before the image tokens of every sample
        raise NotImplementedError("TODO 2.4 DistilledPatchEmbedding.add_class_token")


class DeiT(VisionTransformer):
    """DeiT. Images [B, in_channels, height, width] in; in training a pair of logits out, in evaluation their mean."""

    def __init__(
        self,
        image_size=224,
        patch_size=16,
        in_channels=3,
        num_classes=1000,
        embed_dim=768,
        depth=12,
        num_heads=12,
        mlp_ratio=4.0,
        qkv_bias=True,
        dropout=0.0,
        attention_dropout=0.0,
        droppath=0.0,
    ):
        """Beside what VisionTransformer has already created, create, under these names:

        patch_embedding: DistilledPatchEmbedding, which gets image_size, patch_size, in_channels, embed_dim and dropout,
            in the place of ViT's
        head_distill: nn.Linear from C to num_classes, with bias; nn.Identity when num_classes is 0

        At the end apply init_weights to both. The call of ViT's constructor, which creates all the rest, is given.

        Args:
            image_size, patch_size: pixels, an int or (height, width).

        Raises:
            ValueError: patches that do not tile the image, heads that do not divide embed_dim.
        """
        super().__init__(
            image_size,
            patch_size,
            in_channels,
            num_classes,
            embed_dim,
            depth,
            num_heads,
            mlp_ratio,
            qkv_bias,
            dropout,
            attention_dropout,
            droppath,
        )
        # TODO 2.5  换上带蒸馏 token 的嵌入，创建第二个分类头，并初始化二者 / put the distilled embedding in its place, create the second head, initialise both
        raise NotImplementedError("TODO 2.5 DeiT.__init__")

    def forward_head(self, x):
        """Logits of both heads: head reads the class token, head_distill the distillation token.

        Args:
            x: [B, 2 + N, C], what the encoder gives

        Returns:
            in training a pair of logits, of head and of head_distill, each [B, K], for a loss of its own each;
            in evaluation their mean, [B, K] (the authors' code averages logits; the paper adds softmax outputs)
        """
        # TODO 2.6  两个分类头各读一个 token；训练时返回一对 logits，评估时返回均值 / each head reads its token; in training return both logits, in evaluation their mean
        raise NotImplementedError("TODO 2.6 DeiT.forward_head")


# size, image sizes for which weights were published, with the distillation token and without (paper, table 5)
_PUBLISHED = [("tiny", (224,)), ("small", (224,)), ("base", (224, 384))]

# name as in timm -> model, its arguments. Without distillation DeiT is ViT, trained by another recipe.
MODELS = {
    f"deit_{size}{distilled}_patch16_{image}": (model, dict(image_size=image, patch_size=16, **SIZES[size]))
    for distilled, model in (("", VisionTransformer), ("_distilled", DeiT))
    for size, images in _PUBLISHED
    for image in images
}
