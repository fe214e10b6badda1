"""Wrong answers that have no name: what a tired learner writes, and a clever one. (target, name, definition)"""

WRONG_ANSWERS = [
    (
        "PatchEmbedding.__init__",
        "positions with std 1",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, embed_dim=768, dropout=0.0, class_token=True, position="learned"):
            super().__init__()
            self.image_size, self.patch_size, self.grid = pair(image_size), pair(patch_size), patch_grid(image_size, patch_size)
            self.patch_embedding = nn.Conv2D(in_channels, embed_dim, self.patch_size, self.patch_size)
            self.class_token = self.create_parameter([1, 1, embed_dim]) if class_token else None
            if class_token:
                trunc_normal_(self.class_token, std=0.02)
            n = self.grid[0] * self.grid[1] + bool(class_token)
            if position == "learned":
                self.position_embedding = self.create_parameter([1, n, embed_dim], default_initializer=nn.initializer.Normal())
            else:
                self.position_embedding = fixed_position_embedding(position, self.grid, embed_dim, class_token)
            self.dropout = nn.Dropout(dropout)
        """,
    ),
    (
        "PatchEmbedding.__init__",
        "patches without a bias",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, embed_dim=768, dropout=0.0, class_token=True, position="learned"):
            super().__init__()
            self.image_size, self.patch_size, self.grid = pair(image_size), pair(patch_size), patch_grid(image_size, patch_size)
            self.patch_embedding = nn.Conv2D(in_channels, embed_dim, self.patch_size, self.patch_size, bias_attr=False)
            self.class_token = trunc_normal_(self.create_parameter([1, 1, embed_dim])) if class_token else None
            n = self.grid[0] * self.grid[1] + bool(class_token)
            if position == "learned":
                self.position_embedding = trunc_normal_(self.create_parameter([1, n, embed_dim]))
            else:
                self.position_embedding = fixed_position_embedding(position, self.grid, embed_dim, class_token)
            self.dropout = nn.Dropout(dropout)
        """,
    ),
    (
        "PatchEmbedding.embed_patches",
        "normalised on the way",
        """
        def embed_patches(self, image):
            x = self.patch_embedding(image).flatten(2).transpose([0, 2, 1])
            return F.normalize(x, axis=-1)
        """,
    ),
    (
        "PatchEmbedding.embed_patches",
        "through numpy, so without gradient",
        """
        def embed_patches(self, image):
            x = self.patch_embedding(image).flatten(2).transpose([0, 2, 1])
            return paddle.to_tensor(x.numpy())
        """,
    ),
    (
        "PatchEmbedding.add_class_token",
        "the token detached",
        """
        def add_class_token(self, x):
            if self.class_token is None:
                return x
            return paddle.concat([self.class_token.detach().expand([x.shape[0], -1, -1]), x], axis=1)
        """,
    ),
    (
        "PatchEmbedding.add_class_token",
        "only for a batch of three",
        """
        def add_class_token(self, x):
            if self.class_token is None:
                return x
            token = paddle.concat([self.class_token, self.class_token, self.class_token * 1.0001], axis=0)
            return paddle.concat([token, x], axis=1)
        """,
    ),
    (
        "PatchEmbedding.forward",
        "positions added twice",
        """
        def forward(self, image):
            x = self.add_class_token(self.embed_patches(image))
            if self.position_embedding is not None:
                x = x + 2 * self.position_embedding
            return self.dropout(x)
        """,
    ),
    (
        "PatchEmbedding.forward",
        "dropout in evaluation too",
        """
        def forward(self, image):
            x = self.add_class_token(self.embed_patches(image))
            if self.position_embedding is not None:
                x = x + self.position_embedding
            return F.dropout(x, self.dropout.p if self.dropout.p else 0.1)
        """,
    ),
    (
        "sincos_1d",
        "base 1000",
        """
        def sincos_1d(num_positions, dim):
            angle = paddle.arange(num_positions, dtype="float32").unsqueeze(1) * 1000.0 ** (-paddle.arange(0, dim, 2, dtype="float32") / dim)
            return paddle.stack([angle.sin(), angle.cos()], axis=-1).flatten(1)
        """,
    ),
    (
        "sincos_1d",
        "float64",
        """
        def sincos_1d(num_positions, dim):
            angle = paddle.arange(num_positions, dtype="float64").unsqueeze(1) * 10000.0 ** (-paddle.arange(0, dim, 2, dtype="float64") / dim)
            return paddle.stack([angle.sin(), angle.cos()], axis=-1).flatten(1)
        """,
    ),
    (
        "sincos_2d",
        "frequencies of the full width in each half",
        """
        def sincos_2d(grid, dim):
            rows, columns = grid
            row = sincos_1d(rows, dim)[:, : dim // 2].unsqueeze(1).expand([rows, columns, dim // 2])
            column = sincos_1d(columns, dim)[:, : dim // 2].unsqueeze(0).expand([rows, columns, dim // 2])
            return paddle.concat([row, column], axis=-1).flatten(0, 1)
        """,
    ),
    (
        "Attention.__init__",
        "three Linears",
        """
        def __init__(self, embed_dim=768, num_heads=12, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
            super().__init__()
            self.num_heads, self.head_dim = num_heads, head_width(embed_dim, num_heads)
            self.q, self.k, self.v = (nn.Linear(embed_dim, embed_dim) for _ in range(3))
            self.proj = nn.Linear(embed_dim, embed_dim)
            self.attention_dropout, self.dropout = nn.Dropout(attention_dropout), nn.Dropout(dropout)
        """,
    ),
    (
        "Attention.split_heads",
        "stacked instead of three",
        """
        def split_heads(self, qkv):
            B, T, _ = qkv.shape
            return qkv.reshape([B, T, 3, self.num_heads, self.head_dim]).transpose([2, 0, 3, 1, 4])
        """,
    ),
    (
        "Attention.split_heads",
        "heads dealt out in turn",
        """
        def split_heads(self, qkv):
            B, T, _ = qkv.shape
            q, k, v = qkv.chunk(3, axis=-1)
            return tuple(x.reshape([B, T, self.head_dim, self.num_heads]).transpose([0, 3, 1, 2])[:, ::-1] for x in (q, k, v))
        """,
    ),
    (
        "Attention.attention_weights",
        "scaled by sqrt of the number of tokens",
        """
        def attention_weights(self, q, k):
            return F.softmax(paddle.matmul(q, k, transpose_y=True) * q.shape[2] ** -0.5, axis=-1)
        """,
    ),
    (
        "Attention.attention_weights",
        "scaled by sqrt(D) of the first case only",
        """
        def attention_weights(self, q, k):
            return F.softmax(paddle.matmul(q, k, transpose_y=True) / 2.0, axis=-1)
        """,
    ),
    (
        "Attention.attention_weights",
        "softmax by hand with a small constant",
        """
        def attention_weights(self, q, k):
            e = paddle.exp(paddle.matmul(q, k, transpose_y=True) * self.head_dim ** -0.5)
            return e / (e.sum(axis=-1, keepdim=True) + 1e-2)
        """,
    ),
    (
        "Attention.attention_weights",
        "no gradient to the keys",
        """
        def attention_weights(self, q, k):
            return F.softmax(paddle.matmul(q, k.detach(), transpose_y=True) * self.head_dim ** -0.5, axis=-1)
        """,
    ),
    (
        "Attention.attention_weights",
        "causal",
        """
        def attention_weights(self, q, k):
            scores = paddle.matmul(q, k, transpose_y=True) * self.head_dim ** -0.5
            return F.softmax(scores + paddle.triu(paddle.full_like(scores, -1e9), 1), axis=-1)
        """,
    ),
    (
        "Attention.merge_heads",
        "heads summed and repeated",
        """
        def merge_heads(self, x):
            return paddle.tile(x.sum(axis=1), [1, 1, x.shape[1]])
        """,
    ),
    (
        "Attention.forward",
        "one head after another over the tokens",
        """
        def forward(self, x):
            q, k, v = self.split_heads(self.qkv(x))
            w = self.attention_dropout(self.attention_weights(q, k))
            return self.dropout(self.proj((w @ v).reshape([x.shape[0], x.shape[1], -1])))
        """,
    ),
    (
        "Attention.forward",
        "in place of attention the mean of the values",
        """
        def forward(self, x):
            q, k, v = self.split_heads(self.qkv(x))
            return self.dropout(self.proj(self.merge_heads(v.mean(axis=2, keepdim=True).expand(v.shape))))
        """,
    ),
    (
        "Attention.forward",
        "dropout on scores",
        """
        def forward(self, x):
            q, k, v = self.split_heads(self.qkv(x))
            s = self.attention_dropout(paddle.matmul(q, k, transpose_y=True) * self.head_dim ** -0.5)
            return self.dropout(self.proj(self.merge_heads(F.softmax(s, axis=-1) @ v)))
        """,
    ),
    (
        "Mlp.__init__",
        "rounded width",
        """
        def __init__(self, embed_dim=768, mlp_ratio=4.0, dropout=0.0):
            super().__init__()
            hidden = -int(-embed_dim * mlp_ratio // 1)
            self.fc1, self.fc2, self.dropout = nn.Linear(embed_dim, hidden), nn.Linear(hidden, embed_dim), nn.Dropout(dropout)
        """,
    ),
    (
        "Mlp.forward",
        "sigmoid approximation of GELU",
        """
        def forward(self, x):
            x = self.fc1(x)
            return self.dropout(self.fc2(self.dropout(x * F.sigmoid(1.702 * x))))
        """,
    ),
    (
        "Mlp.forward",
        "residual inside",
        """
        def forward(self, x):
            return x + self.dropout(self.fc2(self.dropout(F.gelu(self.fc1(x)))))
        """,
    ),
    (
        "EncoderLayer.__init__",
        "epsilon wrong in the second norm only",
        """
        def __init__(self, embed_dim=768, num_heads=12, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0, droppath=0.0):
            super().__init__()
            self.attn_norm, self.mlp_norm = nn.LayerNorm(embed_dim, epsilon=1e-6), nn.LayerNorm(embed_dim)
            self.attn = Attention(embed_dim, num_heads, qkv_bias, dropout, attention_dropout)
            self.mlp, self.drop_path = Mlp(embed_dim, mlp_ratio, dropout), DropPath(droppath)
        """,
    ),
    (
        "EncoderLayer.forward",
        "branches subtracted",
        """
        def forward(self, x):
            x = x - self.drop_path(self.attn(self.attn_norm(x)))
            return x - self.drop_path(self.mlp(self.mlp_norm(x)))
        """,
    ),
    (
        "Encoder.__init__",
        "one layer too few",
        """
        def __init__(self, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0, droppath=0.0):
            super().__init__()
            rates = [droppath * i / max(depth - 1, 1) for i in range(depth)]
            self.layers = nn.LayerList([EncoderLayer(embed_dim, num_heads, mlp_ratio, qkv_bias, dropout, attention_dropout, rates[i]) for i in range(1, depth)])
            self.norm = nn.LayerNorm(embed_dim, epsilon=1e-6)
        """,
    ),
    (
        "Encoder.forward",
        "without gradient to the first layers",
        """
        def forward(self, x):
            for layer in self.layers:
                x = layer(x.detach())
            return self.norm(x)
        """,
    ),
    (
        "VisionTransformer.__init__",
        "head initialised with zeros",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, num_classes=1000, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0, droppath=0.0, *, pool="class", position="learned", representation_size=None):
            super().__init__()
            self.in_channels, self.pool = in_channels, check_pool(pool)
            self.patch_embedding = PatchEmbedding(image_size, patch_size, in_channels, embed_dim, dropout, pool == "class", position)
            self.encoder = Encoder(embed_dim, depth, num_heads, mlp_ratio, qkv_bias, dropout, attention_dropout, droppath)
            self.pre_logits = nn.Linear(embed_dim, representation_size) if representation_size else None
            self.head = nn.Linear(representation_size or embed_dim, num_classes) if num_classes else nn.Identity()
            self.apply(init_weights)
            if num_classes:
                self.head.weight.set_value(paddle.zeros_like(self.head.weight))
        """,
    ),
    (
        "resize_position_embedding",
        "nearest neighbour",
        """
        def resize_position_embedding(position_embedding, old_grid, new_grid, num_prefix=1):
            prefix, image = position_embedding[:, :num_prefix], position_embedding[:, num_prefix:]
            image = image.reshape([1, *old_grid, image.shape[-1]]).transpose([0, 3, 1, 2])
            image = F.interpolate(image, size=list(new_grid), mode="nearest").flatten(2).transpose([0, 2, 1])
            return paddle.concat([prefix, image], axis=1) if num_prefix else image
        """,
    ),
    (
        "PatchEmbedding.embed_patches",
        "squeezed, which breaks a batch of one",
        """
        def embed_patches(self, image):
            return self.patch_embedding(image).flatten(2).transpose([0, 2, 1]).squeeze()
        """,
    ),
    (
        "PatchEmbedding.forward",
        "dropout that is never switched off",
        """
        def forward(self, image):
            x = self.add_class_token(self.embed_patches(image))
            if self.position_embedding is not None:
                x = x + self.position_embedding
            return F.dropout(x, self.dropout.p)
        """,
    ),
    (
        "Attention.merge_heads",
        "squeezed, which breaks a batch of one",
        """
        def merge_heads(self, x):
            return x.transpose([0, 2, 1, 3]).flatten(2).squeeze()
        """,
    ),
    (
        "Mlp.__init__",
        "dropout that scales in evaluation",
        """
        def __init__(self, embed_dim=768, mlp_ratio=4.0, dropout=0.0):
            super().__init__()
            hidden = int(embed_dim * mlp_ratio)
            self.fc1, self.fc2 = nn.Linear(embed_dim, hidden), nn.Linear(hidden, embed_dim)
            self.dropout = nn.Dropout(dropout, mode="downscale_in_infer")
        """,
    ),
    (
        "Encoder.__init__",
        "copies of one layer, all with the same weights",
        """
        def __init__(self, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0, droppath=0.0):
            super().__init__()
            import copy
            layer = EncoderLayer(embed_dim, num_heads, mlp_ratio, qkv_bias, dropout, attention_dropout)
            self.layers = nn.LayerList([copy.deepcopy(layer) for _ in range(depth)])
            for i, one in enumerate(self.layers):
                one.drop_path.p = droppath * i / max(depth - 1, 1)
            self.norm = nn.LayerNorm(embed_dim, epsilon=1e-6)
        """,
    ),
    (
        "VisionTransformer.forward_head",
        "squeezed, which breaks a batch of one",
        """
        def forward_head(self, x):
            x = x[:, :1].squeeze() if self.pool == "class" else x.mean(axis=1)
            if self.pre_logits is not None:
                x = paddle.tanh(self.pre_logits(x))
            return self.head(x)
        """,
    ),
    (
        "resize_position_embedding",
        "by the ratio of the sizes, which is rounded",
        """
        def resize_position_embedding(position_embedding, old_grid, new_grid, num_prefix=1):
            prefix, image = position_embedding[:, :num_prefix], position_embedding[:, num_prefix:]
            image = image.reshape([1, *old_grid, image.shape[-1]]).transpose([0, 3, 1, 2])
            ratio = [new_grid[0] / old_grid[0], new_grid[1] / old_grid[1]]
            image = F.interpolate(image, scale_factor=ratio, mode="bicubic").flatten(2).transpose([0, 2, 1])
            return paddle.concat([prefix, image], axis=1) if num_prefix else image
        """,
    ),
    (
        "Attention.forward",
        "an error where a rule is tried",  # as wrong as dropout on the values, but not the same
        """
        def forward(self, x):
            q, k, v = self.split_heads(self.qkv(x))
            weights = self.attention_dropout(self.attention_weights(q, k))
            if self.training and x.shape[1] == 11:
                raise RuntimeError("eleven tokens")
            return self.dropout(self.proj(self.merge_heads(weights @ v)))
        """,
    ),
]
