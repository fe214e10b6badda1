"""Right answers of another shape, lesson 3: merging, stages, the model. As in alternatives.py."""

ALTERNATIVES = [
    (
        "PatchMerging.__init__",
        "as the paper's authors write it",
        "",
        """
        def __init__(self, embed_dim, norm_layer=nn.LayerNorm):
            super().__init__()
            self.dim = embed_dim
            self.reduction = nn.Linear(4 * self.dim, 2 * self.dim, bias_attr=False)
            self.norm = norm_layer(4 * self.dim)
        """,
    ),
    (
        "PatchMerging.__init__",
        "the number of corners by name",
        "CORNERS = 2 * 2\n",
        """
        def __init__(self, embed_dim):
            super(PatchMerging, self).__init__()
            joined = CORNERS * embed_dim
            self.norm, self.reduction = nn.LayerNorm([joined], 1e-5), nn.Linear(joined, joined // 2, None, False)
        """,
    ),
    (
        "PatchMerging.forward",
        "as the paper's authors write it, padded by hand",
        "import paddle.nn.functional as F\n",
        """
        def forward(self, x):
            B, H, W, C = x.shape
            if H % 2 == 1 or W % 2 == 1:
                x = F.pad(x, [0, 0, 0, H % 2, 0, W % 2, 0, 0])
            x0 = x[:, 0::2, 0::2, :]
            x1 = x[:, 1::2, 0::2, :]
            x2 = x[:, 0::2, 1::2, :]
            x3 = x[:, 1::2, 1::2, :]
            x = paddle.concat([x0, x1, x2, x3], -1)
            x = self.norm(x)
            return self.reduction(x)
        """,
    ),
    (
        "PatchMerging.forward",
        "as in timm: one reshape and one transpose, rows of zeros concatenated",
        "",
        """
        def forward(self, x):
            if x.shape[1] % 2:
                x = paddle.concat([x, paddle.zeros_like(x[:, :1])], axis=1)
            if x.shape[2] % 2:
                x = paddle.concat([x, paddle.zeros_like(x[:, :, :1])], axis=2)
            B, H, W, C = x.shape
            x = x.reshape([B, H // 2, 2, W // 2, 2, C]).transpose([0, 1, 3, 4, 2, 5]).flatten(3)
            return self.reduction(self.norm(x))
        """,
    ),
    (
        "PatchMerging.forward",
        "unfold, which goes row by row and channel by channel, put in order",
        "import paddle.nn.functional as F\n",
        """
        def forward(self, x):
            x = pad_to_windows(x, 2)
            B, H, W, C = x.shape
            x = F.unfold(x.transpose([0, 3, 1, 2]), kernel_sizes=2, strides=2)
            x = x.reshape([B, C, 2, 2, H // 2, W // 2]).transpose([0, 4, 5, 3, 2, 1])
            return self.reduction(self.norm(x.reshape([B, H // 2, W // 2, 4 * C])))
        """,
    ),
    (
        "BasicLayer.__init__",
        "a loop with append, arguments by name",
        "",
        """
        def __init__(self, embed_dim, resolution, depth, num_heads, window_size=7, mlp_ratio=4.0, qkv_bias=True,
                     dropout=0.0, attention_dropout=0.0, droppath=(), downsample=False):
            super().__init__()
            self.blocks = nn.LayerList()
            for i in range(depth):
                block = SwinTransformerBlock(
                    embed_dim=embed_dim, resolution=resolution, num_heads=num_heads, window_size=window_size,
                    shift_size=0 if i % 2 == 0 else window_size // 2, mlp_ratio=mlp_ratio, qkv_bias=qkv_bias,
                    dropout=dropout, attention_dropout=attention_dropout,
                    droppath=droppath[i] if len(droppath) > 0 else 0.0)
                self.blocks.append(block)
            self.downsample = None
            if downsample:
                self.downsample = PatchMerging(embed_dim)
        """,
    ),
    (
        "BasicLayer.__init__",
        "shifts and rates zipped",
        "from itertools import cycle\n",
        """
        def __init__(self, embed_dim, resolution, depth, num_heads, window_size=7, mlp_ratio=4., qkv_bias=True,
                     dropout=0., attention_dropout=0., droppath=(), downsample=False):
            super().__init__()
            shifts = cycle([0, window_size // 2])
            rates = list(droppath) if droppath else depth * [0.]
            blocks = [SwinTransformerBlock(embed_dim, resolution, num_heads, window_size, shift, mlp_ratio, qkv_bias,
                                           dropout, attention_dropout, rate) for rate, shift in zip(rates, shifts)]
            self.blocks = nn.LayerList(blocks)
            self.downsample = PatchMerging(embed_dim) if downsample else None
        """,
    ),
    (
        "SwinTransformer.__init__",
        "as the paper's authors write it: channels and resolution from powers of two, rates from linspace",
        "import numpy as np\n",
        """
        def __init__(self, image_size=224, patch_size=4, in_channels=3, num_classes=1000, embed_dim=96,
                     depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24), window_size=7, mlp_ratio=4.0, qkv_bias=True,
                     dropout=0.0, attention_dropout=0.0, droppath=0.0, *, absolute_position=False):
            super().__init__()
            self.in_channels = in_channels
            self.num_layers = len(depths)
            self.patch_embed = PatchEmbed(image_size, patch_size, in_channels, embed_dim)
            H, W = self.patch_embed.grid
            self.position_embedding = None
            if absolute_position:
                weight = paddle.create_parameter([1, H, W, embed_dim], 'float32')
                self.position_embedding = trunc_normal_(weight, std=.02)
            self.dropout = nn.Dropout(p=dropout)
            dpr = [float(x) for x in np.linspace(0, droppath, sum(depths))]
            self.layers = nn.LayerList()
            for i in range(self.num_layers):
                self.layers.append(BasicLayer(
                    embed_dim=int(embed_dim * 2 ** i),
                    resolution=(-(-H // 2 ** i), -(-W // 2 ** i)),
                    depth=depths[i], num_heads=num_heads[i], window_size=window_size, mlp_ratio=mlp_ratio,
                    qkv_bias=qkv_bias, dropout=dropout, attention_dropout=attention_dropout,
                    droppath=dpr[sum(depths[:i]):sum(depths[:i + 1])],
                    downsample=(i < self.num_layers - 1)))
            self.num_features = int(embed_dim * 2 ** (self.num_layers - 1))
            self.norm = nn.LayerNorm(self.num_features, epsilon=1e-5)
            self.head = nn.Linear(self.num_features, num_classes) if num_classes > 0 else nn.Identity()
            self.apply(init_weights)
        """,
    ),
    (
        "SwinTransformer.__init__",
        "rates drawn from an iterator, layers initialised one by one",
        "",
        """
        def __init__(self, image_size=224, patch_size=4, in_channels=3, num_classes=1000, embed_dim=96,
                     depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24), window_size=7, mlp_ratio=4.0, qkv_bias=True,
                     dropout=0.0, attention_dropout=0.0, droppath=0.0, *, absolute_position=False):
            super().__init__()
            check_stages(depths, num_heads)
            self.in_channels = in_channels
            self.patch_embed = PatchEmbed(image_size, patch_size, in_channels, embed_dim)
            if absolute_position:
                self.position_embedding = self.create_parameter(
                    [1, *self.patch_embed.grid, embed_dim],
                    default_initializer=paddle.nn.initializer.TruncatedNormal(std=0.02))
            else:
                self.position_embedding = None
            self.dropout = nn.Dropout(dropout)
            rates = iter(paddle.linspace(0, droppath, sum(depths)).tolist())
            width, size, layers = embed_dim, self.patch_embed.grid, []
            for depth, heads in zip(depths, num_heads):
                more = len(layers) + 1 < len(depths)
                layers.append(BasicLayer(width, size, depth, heads, window_size, mlp_ratio, qkv_bias, dropout,
                                         attention_dropout, [next(rates) for _ in range(depth)], more))
                if more:
                    width *= 2
                    size = tuple(side // 2 + side % 2 for side in size)
            self.layers = nn.LayerList(layers)
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, num_classes) if num_classes else nn.Identity()
            for layer in self.sublayers():
                init_weights(layer)
        """,
    ),
    (
        "SwinTransformer.forward_features",
        "without the check, zeros for positions",
        "",
        """
        def forward_features(self, x):
            x = self.patch_embed(x)
            x = self.dropout(x + (0 if self.position_embedding is None else self.position_embedding))
            for i in range(len(self.layers)):
                x = self.layers[i](x)
            return self.norm(x)
        """,
    ),
    (
        "SwinTransformer.forward_features",
        "stages folded with reduce, blocks called by hand",
        "from functools import reduce\n",
        """
        def forward_features(self, image):
            def stage(x, layer):
                x = reduce(lambda tokens, block: block(tokens), layer.blocks, x)
                return layer.downsample(x) if layer.downsample is not None else x
            check_image(image, self.patch_embed.image_size, self.in_channels)
            tokens = self.patch_embed(image)
            if self.position_embedding is not None:
                tokens = paddle.add(tokens, self.position_embedding)
            return self.norm(reduce(stage, self.layers, self.dropout(tokens)))
        """,
    ),
    (
        "SwinTransformer.forward_head",
        "as the paper's authors write it, with pooling",
        "",
        """
        def forward_head(self, x):
            x = x.flatten(1, 2)
            x = nn.AdaptiveAvgPool1D(1)(x.transpose([0, 2, 1]))
            return self.head(paddle.flatten(x, 1))
        """,
    ),
    (
        "SwinTransformer.forward_head",
        "the mean of each token's logits",
        "",
        """
        def forward_head(self, features):
            logits = self.head(features)
            return logits.mean(1).mean(1)
        """,
    ),
    (
        "SwinTransformer.forward_head",
        "einsum",
        "",
        """
        def forward_head(self, x):
            B, H, W, C = x.shape
            return self.head(paddle.einsum('bhwc->bc', x) / (H * W))
        """,
    ),
]
