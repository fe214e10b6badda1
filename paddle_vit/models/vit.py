"""Vision Transformer (ViT): Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, arXiv:2010.11929.

Axes, by the same letter everywhere:
    B  images in a batch
    N  image tokens, one a patch
    T  all tokens: 1 + N with a class token, N without
    C  channels of a token (embed_dim)
    H  attention heads
    D  channels of one head, C / H
    K  classes
"""

import paddle
import paddle.nn as nn
import paddle.nn.functional as F

from paddle_vit.models.layers import DropPath, init_weights, trunc_normal_
from paddle_vit.models.sizes import check_image, head_width, pair, patch_grid


class PatchEmbedding(nn.Layer):
    """Image to tokens (section 3.1, equation 1): patches, class token, positions."""

    def __init__(
        self,
        image_size=224,
        patch_size=16,
        in_channels=3,
        embed_dim=768,
        dropout=0.0,
        class_token=True,
        position="learned",
    ):
        """Create, under these names:

        patch_embedding: nn.Conv2D from in_channels to embed_dim, one step a patch, with bias
        class_token: parameter [1, 1, C], filled by trunc_normal_(parameter, std=0.02); None when class_token is false
        position_embedding: when position is "learned" a parameter [1, T, C], filled in the same way, where T counts the
            class token if there is one; otherwise what fixed_position_embedding(position, self.grid, embed_dim,
            class_token) returns, a table that is not trained
        dropout: nn.Dropout with probability dropout

        image_size, patch_size (pixels) and grid (patches) are given, each as (height, width).
        """
        super().__init__()
        self.image_size = pair(image_size)
        self.patch_size = pair(patch_size)
        self.grid = patch_grid(image_size, patch_size)
        self.patch_embedding = nn.Conv2D(in_channels, embed_dim, kernel_size=self.patch_size, stride=self.patch_size)
        self.class_token = None
        if class_token:
            self.class_token = self.create_parameter([1, 1, embed_dim])
            trunc_normal_(self.class_token, std=0.02)
        if position == "learned":
            num_tokens = self.grid[0] * self.grid[1] + (1 if class_token else 0)
            self.position_embedding = self.create_parameter([1, num_tokens, embed_dim])
            trunc_normal_(self.position_embedding, std=0.02)
        else:
            table = fixed_position_embedding(position, self.grid, embed_dim, class_token)
            self.register_buffer("position_embedding", table, persistable=False)
        self.dropout = nn.Dropout(dropout)

    def embed_patches(self, image):
        """Turn each patch into a token with the one convolution. Patches are numbered row by row.

        Args:
            image: [B, in_channels, height, width]

        Returns:
            [B, N, C]
        """
        x = self.patch_embedding(image)  # B C rows columns
        return x.flatten(2).transpose([0, 2, 1])  # B N C

    def add_class_token(self, x):
        """Put the class token before the image tokens of every sample; without a class token return x as it is.

        Args:
            x: [B, N, C]

        Returns:
            [B, T, C]
        """
        if self.class_token is None:
            return x
        class_token = self.class_token.expand([x.shape[0], -1, -1])  # B 1 C
        return paddle.concat([class_token, x], axis=1)  # B 1+N C

    def forward(self, image):
        """Equation 1: patches to tokens, class token first, positions added to all tokens, then self.dropout.

        self.position_embedding is None when there are no positions.

        Args:
            image: [B, in_channels, height, width]

        Returns:
            [B, T, C]
        """
        x = self.embed_patches(image)  # B N C
        x = self.add_class_token(x)  # B T C
        if self.position_embedding is not None:
            x = x + self.position_embedding
        return self.dropout(x)


def sincos_1d(num_positions, dim):
    """Fixed sine-cosine table of positions in a row (Vaswani et al., 2017, section 3.5).

    Channel 2i of position p is sin(p / 10000^(2i / dim)), channel 2i + 1 is cos of the same angle.

    Args:
        num_positions: N, the positions are 0 to N - 1.
        dim: C, channels, an even number.

    Returns:
        [N, C] float32
    """
    position = paddle.arange(num_positions, dtype="float32").unsqueeze(1)  # N 1
    frequency = 10000.0 ** (-paddle.arange(0, dim, 2, dtype="float32") / dim)  # C/2
    angle = position * frequency  # N C/2
    return paddle.stack([paddle.sin(angle), paddle.cos(angle)], axis=-1).flatten(1)  # N C


def sincos_2d(grid, dim):
    """Fixed sine-cosine table of positions on a grid: half of the channels tell the row, half the column.

    Args:
        grid: (rows, columns) of patches; N = rows * columns. Patches are numbered row by row.
        dim: C, channels, divisible by 4. Channels 0 to C/2 - 1 hold sincos_1d of the row, the others of the column.

    Returns:
        [N, C] float32
    """
    rows, columns = grid
    row = sincos_1d(rows, dim // 2).unsqueeze(1).expand([rows, columns, dim // 2])
    column = sincos_1d(columns, dim // 2).unsqueeze(0).expand([rows, columns, dim // 2])
    return paddle.concat([row, column], axis=-1).flatten(0, 1)  # N C


def fixed_position_embedding(position, grid, embed_dim, class_token):
    """The table for position "sincos-1d" or "sincos-2d", zeros for the class token; None for "none".

    Returns:
        [1, T, C] float32, or None

    Raises:
        ValueError: an unknown kind, or channels that the sines and cosines cannot share equally.
    """
    if position == "none":
        return None
    parts = {"sincos-1d": 2, "sincos-2d": 4}.get(position)
    if parts is None:
        raise ValueError(f"position={position!r} is not one of 'learned', 'sincos-1d', 'sincos-2d', 'none'")
    if embed_dim % parts:
        raise ValueError(f"position={position!r} needs an embed_dim divisible by {parts}, got {embed_dim}")
    if position == "sincos-1d":
        table = sincos_1d(grid[0] * grid[1], embed_dim)  # N C
    else:
        table = sincos_2d(grid, embed_dim)  # N C
    if class_token:
        table = paddle.concat([paddle.zeros([1, embed_dim]), table])  # 1+N C
    return table.unsqueeze(0)  # 1 T C


class Attention(nn.Layer):
    """Multi-head self-attention (appendix A, equations 5 to 8): every token looks at every token."""

    def __init__(self, embed_dim=768, num_heads=12, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
        """Create, under these names:

        qkv: nn.Linear, C to 3C, with a bias only when qkv_bias is true: q, k and v of all heads at once
        attention_dropout: nn.Dropout with probability attention_dropout, for the weights
        proj: nn.Linear, C to C, with bias
        dropout: nn.Dropout with probability dropout, for the output

        num_heads (H) and head_dim (D) are given.
        """
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = head_width(embed_dim, num_heads)
        self.qkv = nn.Linear(embed_dim, embed_dim * 3, bias_attr=None if qkv_bias else False)
        self.attention_dropout = nn.Dropout(attention_dropout)
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def split_heads(self, qkv):
        """Take q, k and v of every head out of the channels.

        Args:
            qkv: [B, T, 3C]; along the channels come all of q, then all of k, then all of v, and inside each of them
                head after head.

        Returns:
            q, k, v, each [B, H, T, D]
        """
        B, T, _ = qkv.shape
        qkv = qkv.reshape([B, T, 3, self.num_heads, self.head_dim])  # B T 3 H D
        q, k, v = qkv.transpose([2, 0, 3, 1, 4]).unbind(0)  # each B H T D
        return q, k, v

    def attention_weights(self, q, k):
        """How much each token (row) looks at each token (column): softmax(q k^T / sqrt(D)), equation 6.

        Args:
            q, k: [B, H, T, D]

        Returns:
            [B, H, T, T], every row sums to 1
        """
        scores = paddle.matmul(q * self.head_dim**-0.5, k, transpose_y=True)  # B H T T
        return F.softmax(scores, axis=-1)

    def merge_heads(self, x):
        """Put the heads' results side by side in the channels, head after head: the inverse of split_heads for one of
        q, k, v.

        Args:
            x: [B, H, T, D]

        Returns:
            [B, T, C]
        """
        return x.transpose([0, 2, 1, 3]).flatten(2)  # B T C

    def forward(self, x):
        """Equations 5 to 8: weights @ v in each head, then the projection.

        qkv, split_heads, attention_weights, attention_dropout on the weights, weights @ v, merge_heads, proj, dropout.

        Args:
            x: [B, T, C]

        Returns:
            [B, T, C]
        """
        q, k, v = self.split_heads(self.qkv(x))  # each B H T D
        weights = self.attention_dropout(self.attention_weights(q, k))  # B H T T
        x = self.merge_heads(weights @ v)  # B T C
        return self.dropout(self.proj(x))


class Mlp(nn.Layer):
    """The same two-layer network for every token (section 3.1: "two layers with a GELU non-linearity")."""

    def __init__(self, embed_dim=768, mlp_ratio=4.0, dropout=0.0):
        """Create, under these names:

        fc1: nn.Linear, C to int(C * mlp_ratio), with bias
        fc2: nn.Linear, back to C, with bias
        dropout: nn.Dropout with probability dropout
        """
        super().__init__()
        hidden = int(embed_dim * mlp_ratio)
        self.fc1 = nn.Linear(embed_dim, hidden)
        self.fc2 = nn.Linear(hidden, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        """fc1, the exact GELU (not its tanh approximation), self.dropout, fc2, self.dropout.

        Args:
            x: [B, T, C]

        Returns:
            [B, T, C]
        """
        x = self.dropout(F.gelu(self.fc1(x)))  # B T hidden
        return self.dropout(self.fc2(x))  # B T C


class EncoderLayer(nn.Layer):
    """Attention and MLP, each behind a LayerNorm and beside a residual connection (equations 2 and 3)."""

    def __init__(
        self,
        embed_dim=768,
        num_heads=12,
        mlp_ratio=4.0,
        qkv_bias=True,
        dropout=0.0,
        attention_dropout=0.0,
        droppath=0.0,
    ):
        """Create, under these names:

        attn_norm, mlp_norm: nn.LayerNorm over C channels with epsilon 1e-6
        attn: Attention, which gets embed_dim, num_heads, qkv_bias, dropout and attention_dropout
        mlp: Mlp, which gets embed_dim, mlp_ratio and dropout
        drop_path: DropPath with probability droppath
        """
        super().__init__()
        self.attn_norm = nn.LayerNorm(embed_dim, epsilon=1e-6)
        self.attn = Attention(embed_dim, num_heads, qkv_bias, dropout, attention_dropout)
        self.mlp_norm = nn.LayerNorm(embed_dim, epsilon=1e-6)
        self.mlp = Mlp(embed_dim, mlp_ratio, dropout)
        self.drop_path = DropPath(droppath)

    def forward(self, x):
        """Equations 2 and 3: x + attn(norm(x)), then x + mlp(norm(x)); drop_path acts on each branch, before the sum.

        Args:
            x: [B, T, C]

        Returns:
            [B, T, C]
        """
        x = x + self.drop_path(self.attn(self.attn_norm(x)))
        return x + self.drop_path(self.mlp(self.mlp_norm(x)))


class Encoder(nn.Layer):
    """A stack of encoder layers and a last LayerNorm."""

    def __init__(
        self,
        embed_dim=768,
        depth=12,
        num_heads=12,
        mlp_ratio=4.0,
        qkv_bias=True,
        dropout=0.0,
        attention_dropout=0.0,
        droppath=0.0,
    ):
        """Create, under these names:

        layers: nn.LayerList of depth EncoderLayers, each with its own weights. The probability of dropping a path grows
            linearly from 0 in the first layer to droppath in the last; a single layer has 0.
        norm: nn.LayerNorm over C channels with epsilon 1e-6
        """
        super().__init__()
        rates = [droppath * i / max(depth - 1, 1) for i in range(depth)]
        self.layers = nn.LayerList(
            [
                EncoderLayer(embed_dim, num_heads, mlp_ratio, qkv_bias, dropout, attention_dropout, rate)
                for rate in rates
            ]
        )
        self.norm = nn.LayerNorm(embed_dim, epsilon=1e-6)

    def forward(self, x):
        """All layers in turn, then the norm.

        Args:
            x: [B, T, C]

        Returns:
            [B, T, C]
        """
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class VisionTransformer(nn.Layer):
    """ViT. Images [B, in_channels, height, width] in, logits [B, K] out; features [B, C] when num_classes is 0."""

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
        *,
        pool="class",
        position="learned",
        representation_size=None,
    ):
        """Create, under these names:

        patch_embedding: PatchEmbedding, with a class token only when pool is "class", and with dropout
        encoder: Encoder
        pre_logits: nn.Linear, C to representation_size, with bias; None when representation_size is None
        head: nn.Linear to num_classes, with bias, from C or from representation_size; nn.Identity when num_classes is 0

        At the end apply init_weights to the whole model. in_channels and pool are given.

        Args:
            image_size, patch_size: pixels, an int or (height, width).
            pool: what the head reads: "class", the class token; "mean", the mean of all image tokens.
            position: "learned", "sincos-1d", "sincos-2d" or "none".
            representation_size: channels of the hidden layer of the head in pre-training (section 3.1); None in
                fine-tuning.

        Raises:
            ValueError: patches that do not tile the image, heads that do not divide embed_dim, an unknown position or
                pool.
        """
        super().__init__()
        self.in_channels = in_channels
        self.pool = check_pool(pool)
        self.patch_embedding = PatchEmbedding(
            image_size, patch_size, in_channels, embed_dim, dropout, class_token=pool == "class", position=position
        )
        self.encoder = Encoder(embed_dim, depth, num_heads, mlp_ratio, qkv_bias, dropout, attention_dropout, droppath)
        self.pre_logits = None
        if representation_size is not None:
            self.pre_logits = nn.Linear(embed_dim, representation_size)
        features = embed_dim if representation_size is None else representation_size
        self.head = nn.Linear(features, num_classes) if num_classes > 0 else nn.Identity()
        self.apply(init_weights)

    def forward_features(self, image):
        """Image to normalised tokens.

        Args:
            image: [B, in_channels, height, width]

        Returns:
            [B, T, C], the class token, if there is one, first

        Raises:
            ValueError: images of another size or number of channels.
        """
        check_image(image, self.patch_embedding.image_size, self.in_channels)
        return self.encoder(self.patch_embedding(image))

    def forward_head(self, x):
        """Tokens to logits (equation 4): pool, then pre_logits and tanh where there is such a layer, then head.

        Args:
            x: [B, T, C], what the encoder gives

        Returns:
            [B, K]
        """
        x = x[:, 0] if self.pool == "class" else x.mean(axis=1)  # B C
        if self.pre_logits is not None:
            x = paddle.tanh(self.pre_logits(x))  # B representation_size
        return self.head(x)  # B K

    def forward(self, image):
        return self.forward_head(self.forward_features(image))

    def set_image_size(self, image_size):
        """Make the model take another resolution: same patches, more or fewer of them, positions resized (section 3.2).

        Args:
            image_size: pixels, an int or (height, width).

        Raises:
            ValueError: the patches do not tile the image.
        """
        embedding = self.patch_embedding
        old_grid, grid = embedding.grid, patch_grid(image_size, embedding.patch_size)
        table = embedding.position_embedding
        if table is not None:
            num_prefix = table.shape[1] - old_grid[0] * old_grid[1]
            with paddle.no_grad():
                resized = resize_position_embedding(table, old_grid, grid, num_prefix)
            if table.stop_gradient:
                embedding.register_buffer("position_embedding", resized, persistable=False)
            else:
                embedding.position_embedding = embedding.create_parameter(resized.shape)
                embedding.position_embedding.set_value(resized)
        embedding.image_size, embedding.grid = pair(image_size), grid


def check_pool(pool):
    """pool, if it is one that the head knows.

    Raises:
        ValueError: it is not.
    """
    if pool not in ("class", "mean"):
        raise ValueError(f"pool={pool!r} is not one of 'class', 'mean'")
    return pool


def resize_position_embedding(position_embedding, old_grid, new_grid, num_prefix=1):
    """Position embeddings for another resolution (section 3.2): bicubic interpolation on the grid of patches.

    The rows of the tokens that stand before the image tokens are kept as they are. Interpolation is bicubic with
    align_corners false.

    Args:
        position_embedding: [1, P + N, C]
        old_grid, new_grid: (rows, columns) of patches; N = old rows * old columns, patches numbered row by row.
        num_prefix: P, tokens before the image tokens: 1 for the class token, 0 for none.

    Returns:
        [1, P + N', C] with N' = new rows * new columns
    """
    prefix, image = position_embedding[:, :num_prefix], position_embedding[:, num_prefix:]  # 1 P C, 1 N C
    image = image.reshape([1, *old_grid, image.shape[-1]]).transpose([0, 3, 1, 2])  # 1 C rows columns
    image = F.interpolate(image, size=list(new_grid), mode="bicubic", align_corners=False)
    image = image.flatten(2).transpose([0, 2, 1])  # 1 N' C
    return paddle.concat([prefix, image], axis=1) if num_prefix else image


# Table 1 of the paper, and the smaller ones of "How to train your ViT?" (Steiner et al., TMLR 2022, table 2)
SIZES = {
    "tiny": dict(embed_dim=192, depth=12, num_heads=3),
    "small": dict(embed_dim=384, depth=12, num_heads=6),
    "base": dict(embed_dim=768, depth=12, num_heads=12),
    "large": dict(embed_dim=1024, depth=24, num_heads=16),
    "huge": dict(embed_dim=1280, depth=32, num_heads=16),
}

# size, patch, image sizes for which weights were published
_PUBLISHED = [
    ("tiny", 16, (224, 384)),
    ("small", 8, (224,)),
    ("small", 16, (224, 384)),
    ("small", 32, (224, 384)),
    ("base", 8, (224,)),
    ("base", 16, (224, 384)),
    ("base", 32, (224, 384)),
    ("large", 14, (224,)),
    ("large", 16, (224, 384)),
    ("large", 32, (224, 384)),
    ("huge", 14, (224,)),
]

# name as in timm -> arguments of VisionTransformer
MODELS = {
    f"vit_{size}_patch{patch}_{image}": dict(image_size=image, patch_size=patch, **SIZES[size])
    for size, patch, images in _PUBLISHED
    for image in images
}
