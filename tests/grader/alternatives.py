"""Right answers of another shape: every one must pass. (target, name, helpers and imports before, definition)"""

ALTERNATIVES = [
    (
        "PatchEmbedding.__init__",
        "initialisers of its own, an nn.Embedding's weight as table, arguments by keyword",
        "import math\nfrom paddle.nn.initializer import TruncatedNormal\n",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, embed_dim=768, dropout=0., class_token=True, position='learned'):
            super(PatchEmbedding, self).__init__()
            self.image_size = pair(image_size)
            self.patch_size = pair(patch_size)
            self.grid = patch_grid(image_size, patch_size)
            n = math.prod(self.grid)
            self.patch_embedding = nn.Conv2D(in_channels=in_channels, out_channels=embed_dim, kernel_size=list(self.patch_size), stride=list(self.patch_size))
            if class_token:
                self.class_token = paddle.create_parameter([1, 1, embed_dim], 'float32', default_initializer=TruncatedNormal(std=.02))
                n += 1
            else:
                self.class_token = None
            if position == 'learned':
                self.position_embedding = nn.Embedding(n, embed_dim, weight_attr=paddle.ParamAttr(initializer=nn.initializer.Normal(0., .02))).weight
            else:
                self.position_embedding = fixed_position_embedding(position, self.grid, embed_dim, class_token)
            self.dropout = nn.Dropout(p=dropout)
        """,
    ),
    (
        "PatchEmbedding.embed_patches",
        "flatten and Linear with the convolution's weights",
        "",
        """
        def embed_patches(self, image):
            B, c, _, _ = image.shape
            (rows, columns), (h, w) = self.grid, self.patch_size
            x = image.reshape([B, c, rows, h, columns, w]).transpose([0, 2, 4, 1, 3, 5])
            x = x.reshape([B, rows * columns, c * h * w])
            weight = self.patch_embedding.weight
            return x @ weight.reshape([weight.shape[0], -1]).t() + self.patch_embedding.bias
        """,
    ),
    (
        "PatchEmbedding.embed_patches",
        "one reshape after a transpose",
        "",
        """
        def embed_patches(self, x):
            x = self.patch_embedding(x)
            return paddle.transpose(x, perm=[0, 2, 3, 1]).reshape([x.shape[0], -1, x.shape[1]])
        """,
    ),
    (
        "PatchEmbedding.add_class_token",
        "tile and early return, another name for the argument",
        "",
        """
        def add_class_token(self, tokens):
            if self.class_token is not None:
                return paddle.concat((paddle.tile(self.class_token, [tokens.shape[0], 1, 1]), tokens), 1)
            return tokens
        """,
    ),
    (
        "PatchEmbedding.add_class_token",
        "added to zeros, so that it broadcasts",
        "",
        """
        def add_class_token(self, x):
            if self.class_token is None:
                return x
            token = paddle.zeros([x.shape[0], 1, x.shape[2]]) + self.class_token
            return paddle.concat([token, x], axis=-2)
        """,
    ),
    (
        "PatchEmbedding.forward",
        "positions looked up as an embedding",
        "import paddle.nn.functional as functional\n",
        """
        def forward(self, image):
            x = self.add_class_token(self.embed_patches(image))
            if self.position_embedding is None:
                return self.dropout(x)
            T = x.shape[1]
            x = x + functional.embedding(paddle.arange(T), self.position_embedding[0])
            return functional.dropout(x, self.dropout.p, training=self.training)
        """,
    ),
    (
        "sincos_1d",
        "loops in numpy",
        "import numpy as np\n",
        """
        def sincos_1d(num_positions, dim):
            table = np.zeros((num_positions, dim))
            for p in range(num_positions):
                for i in range(dim // 2):
                    angle = p / 10000 ** (2 * i / dim)
                    table[p, 2 * i], table[p, 2 * i + 1] = np.sin(angle), np.cos(angle)
            return paddle.to_tensor(table, dtype='float32')
        """,
    ),
    (
        "sincos_1d",
        "exp of a log, written into even and odd channels",
        "import math\n",
        """
        def sincos_1d(n, dim):
            table = paddle.zeros([n, dim])
            position = paddle.arange(0, n).astype('float32').reshape([n, 1])
            step = paddle.exp(paddle.arange(0, dim, 2).astype('float32') * (-math.log(10000.0) / dim))
            table[:, 0::2] = paddle.sin(position * step)
            table[:, 1::2] = paddle.cos(position * step)
            return table
        """,
    ),
    (
        "sincos_2d",
        "rows and columns by division",
        "",
        """
        def sincos_2d(grid, dim):
            rows, columns = grid
            n = paddle.arange(rows * columns)
            row = paddle.index_select(sincos_1d(rows, dim // 2), n // columns)
            column = paddle.index_select(sincos_1d(columns, dim // 2), n % columns)
            return paddle.concat([row, column], axis=1)
        """,
    ),
    (
        "sincos_2d",
        "a loop over the patches",
        "",
        """
        def sincos_2d(grid, dim):
            tables = [sincos_1d(size, dim // 2) for size in grid]
            return paddle.stack([paddle.concat([tables[0][r], tables[1][c]]) for r in range(grid[0]) for c in range(grid[1])])
        """,
    ),
    (
        "Attention.__init__",
        "bias_attr as a bool, a constant of the class, a parameter more with a default",
        "",
        """
        def __init__(self, embed_dim=768, num_heads=12, qkv_bias=True, dropout=0.0, attention_dropout=0.0, name=None):
            super().__init__()
            self.num_heads = num_heads
            self.head_dim = head_width(embed_dim, num_heads)
            self.scale = self.head_dim ** -0.5
            self.qkv = nn.Linear(embed_dim, 3 * embed_dim, bias_attr=qkv_bias)
            self.attention_dropout = nn.Dropout(attention_dropout)
            self.proj = nn.Linear(embed_dim, embed_dim, bias_attr=True)
            self.softmax = nn.Softmax(axis=-1)
            self.dropout = nn.Dropout(dropout)
        """,
    ),
    (
        "Attention.split_heads",
        "chunk first, then a helper of its own",
        "",
        """
        def split_heads(self, qkv):
            return [self._one(part) for part in qkv.chunk(3, axis=-1)]

        def _one(self, x):
            return x.reshape([x.shape[0], x.shape[1], self.num_heads, self.head_dim]).transpose([0, 2, 1, 3])
        """,
    ),
    (
        "Attention.split_heads",
        "a helper outside of the class, with a private method name",
        """
        def heads_of(x, heads):
            B, T, C = x.shape
            return paddle.transpose(paddle.reshape(x, (B, T, heads, C // heads)), (0, 2, 1, 3))
        """,
        """
        def split_heads(self, qkv):
            C = qkv.shape[-1] // 3
            return tuple(heads_of(qkv[..., i * C:(i + 1) * C], self.num_heads) for i in range(3))
        """,
    ),
    (
        "Attention.attention_weights",
        "einsum and a softmax by hand",
        "",
        """
        def attention_weights(self, q, k):
            scores = paddle.einsum('bhid,bhjd->bhij', q, k) / self.head_dim ** 0.5
            scores = scores - scores.max(axis=-1, keepdim=True)
            e = paddle.exp(scores)
            return e / e.sum(axis=-1, keepdim=True)
        """,
    ),
    (
        "Attention.attention_weights",
        "loops over samples and heads, both scaled by the fourth root",
        "from math import sqrt\n",
        """
        def attention_weights(self, q, k):
            root = sqrt(sqrt(q.shape[-1]))
            samples = []
            for b in range(q.shape[0]):
                heads = []
                for h in range(q.shape[1]):
                    heads.append(nn.Softmax()(paddle.matmul(q[b, h] / root, (k[b, h] / root).t())))
                samples.append(paddle.stack(heads))
            return paddle.stack(samples)
        """,
    ),
    (
        "Attention.merge_heads",
        "heads concatenated one by one",
        "",
        """
        def merge_heads(self, x):
            return paddle.concat([x[:, h] for h in range(x.shape[1])], axis=-1)
        """,
    ),
    (
        "Attention.forward",
        "scaled_dot_product_attention",
        "",
        """
        def forward(self, x):
            B, T, C = x.shape
            q, k, v = self.qkv(x).reshape([B, T, 3, self.num_heads, self.head_dim]).unbind(2)
            x = F.scaled_dot_product_attention(q, k, v, dropout_p=self.attention_dropout.p, training=self.training)
            return self.dropout(self.proj(x.reshape([B, T, C])))
        """,
    ),
    (
        "Attention.forward",
        "einsum, without the helpers",
        "",
        """
        def forward(self, x):
            B, T, C = x.shape
            H = self.num_heads
            qkv = self.qkv(x)
            q, k, v = (qkv[:, :, i * C:(i + 1) * C].reshape([B, T, H, C // H]) for i in range(3))
            w = F.softmax(paddle.einsum('bihd,bjhd->bhij', q, k) * (C // H) ** -.5)
            w = F.dropout(w, self.attention_dropout.p, training=self.training)
            return self.dropout(self.proj(paddle.einsum('bhij,bjhd->bihd', w, v).reshape([B, T, C])))
        """,
    ),
    (
        "Mlp.__init__",
        "a parameter renamed is refused, so by keyword; width computed otherwise",
        "",
        """
        def __init__(self, embed_dim=768, mlp_ratio=4, dropout=0):
            super(Mlp, self).__init__()
            width = int(mlp_ratio * embed_dim)
            self.fc1, self.fc2 = nn.Linear(embed_dim, width), nn.Linear(width, embed_dim)
            self.act = nn.GELU()
            self.dropout = nn.Dropout(dropout)
        """,
    ),
    (
        "Mlp.forward",
        "GELU by the error function",
        "",
        """
        def forward(self, x):
            x = self.fc1(x)
            x = 0.5 * x * (1 + paddle.erf(x / 2 ** 0.5))
            x = self.dropout(x)
            x = self.fc2(x)
            x = self.dropout(x)
            return x
        """,
    ),
    (
        "EncoderLayer.__init__",
        "everything by keyword",
        "",
        """
        def __init__(self, embed_dim=768, num_heads=12, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0, droppath=0.0):
            super().__init__()
            eps = 1e-6
            self.mlp_norm = nn.LayerNorm([embed_dim], epsilon=eps)
            self.attn_norm = nn.LayerNorm([embed_dim], epsilon=eps)
            self.mlp = Mlp(embed_dim=embed_dim, mlp_ratio=mlp_ratio, dropout=dropout)
            self.attn = Attention(embed_dim=embed_dim, num_heads=num_heads, qkv_bias=qkv_bias, attention_dropout=attention_dropout, dropout=dropout)
            self.drop_path = DropPath(droppath)
        """,
    ),
    (
        "EncoderLayer.forward",
        "step by step, with the functional drop path",
        "from paddle_vit.models.layers import drop_path\n",
        """
        def forward(self, x):
            h = x
            x = self.attn_norm(x)
            x = self.attn(x)
            x = drop_path(x, self.drop_path.p, self.training)
            x = h + x
            h = x
            x = self.mlp_norm(x)
            x = self.mlp(x)
            x = F.dropout(x, self.drop_path.p, axis=0, training=self.training)
            x += h
            return x
        """,
    ),
    (
        "Encoder.__init__",
        "linspace and append",
        "import numpy as np\n",
        """
        def __init__(self, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0, droppath=0.0):
            super().__init__()
            self.layers = nn.LayerList()
            for rate in np.linspace(0, droppath, depth):
                self.layers.append(EncoderLayer(embed_dim, num_heads, mlp_ratio, qkv_bias, dropout, attention_dropout, droppath=float(rate)))
            self.norm = nn.LayerNorm(embed_dim, 1e-6)
        """,
    ),
    (
        "Encoder.forward",
        "by index",
        "",
        """
        def forward(self, tokens):
            for i in range(len(self.layers)):
                tokens = self.layers[i](tokens)
            tokens = self.norm(tokens)
            return tokens
        """,
    ),
    (
        "VisionTransformer.__init__",
        "by keyword, the head in branches",
        "",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, num_classes=1000, embed_dim=768, depth=12, num_heads=12,
                     mlp_ratio=4., qkv_bias=True, dropout=0., attention_dropout=0., droppath=0., *,
                     pool='class', position='learned', representation_size=None):
            super().__init__()
            self.in_channels = in_channels
            self.pool = check_pool(pool)
            self.encoder = Encoder(embed_dim=embed_dim, depth=depth, num_heads=num_heads, mlp_ratio=mlp_ratio, qkv_bias=qkv_bias,
                                   dropout=dropout, attention_dropout=attention_dropout, droppath=droppath)
            self.patch_embedding = PatchEmbedding(image_size=image_size, patch_size=patch_size, in_channels=in_channels,
                                                  embed_dim=embed_dim, dropout=dropout, position=position,
                                                  class_token=(pool != 'mean'))
            if representation_size:
                self.pre_logits = nn.Linear(embed_dim, representation_size)
                embed_dim = representation_size
            else:
                self.pre_logits = None
            if num_classes == 0:
                self.head = nn.Identity()
            else:
                self.head = nn.Linear(embed_dim, num_classes)
            for layer in self.sublayers():
                init_weights(layer)
        """,
    ),
    (
        "VisionTransformer.forward_head",
        "AdaptiveAvgPool1D as in the first version of many courses",
        "",
        """
        def forward_head(self, x):
            if self.pool == 'mean':
                x = nn.AdaptiveAvgPool1D(1)(x.transpose([0, 2, 1])).squeeze(-1)
            else:
                x, *_ = x.unbind(axis=1)
            if self.pre_logits is not None:
                x = F.tanh(self.pre_logits(x))
            return self.head(x)
        """,
    ),
    (
        "resize_position_embedding",
        "Upsample as a layer, the prefix by slicing at the end",
        "",
        """
        def resize_position_embedding(position_embedding, old_grid, new_grid, num_prefix=1):
            (h, w), C = old_grid, position_embedding.shape[2]
            grid = position_embedding[0, num_prefix:].t().reshape([1, C, h, w])
            grid = nn.Upsample(size=list(new_grid), mode='bicubic')(grid)
            rows = grid[0].flatten(1).t().unsqueeze(0)
            if num_prefix == 0:
                return rows
            return paddle.concat([position_embedding[:, 0:num_prefix, :], rows], 1)
        """,
    ),
    (
        "Attention.attention_weights",
        "an attribute of the learner's own constructor, a number",
        "",
        """
        def __init__(self, embed_dim=768, num_heads=12, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
            super().__init__()
            self.num_heads = num_heads
            self.head_dim = head_width(embed_dim, num_heads)
            self.scale = self.head_dim ** -0.5
            self.softmax = nn.Softmax(-1)

        def attention_weights(self, q, k):
            return self.softmax((q @ k.transpose([0, 1, 3, 2])) * self.scale)
        """,
    ),
    (
        "Mlp.forward",
        "attributes of the learner's own constructor, layers",
        "",
        """
        def __init__(self, embed_dim=768, mlp_ratio=4.0, dropout=0.0):
            super().__init__()
            self.fc1 = nn.Linear(embed_dim, int(embed_dim * mlp_ratio))
            self.act = nn.GELU()
            self.drop1 = nn.Dropout(dropout)
            self.fc2 = nn.Linear(int(embed_dim * mlp_ratio), embed_dim)
            self.drop2 = nn.Dropout(dropout)

        def forward(self, x):
            return self.drop2(self.fc2(self.drop1(self.act(self.fc1(x)))))
        """,
    ),
]
