"""Wrong answers without a name, lesson 3: merging, stages, the model. As in wrong_answers.py."""

_STAGE = """
def __init__(self, embed_dim, resolution, depth, num_heads, window_size=7, mlp_ratio=4.0, qkv_bias=True,
             dropout=0.0, attention_dropout=0.0, droppath=(), downsample=False):
    super().__init__()
    rates = droppath or [0.0] * depth
    self.blocks = nn.LayerList([
        SwinTransformerBlock(embed_dim, {resolution}, num_heads, {window}, {shift}, mlp_ratio, qkv_bias,
                             dropout, attention_dropout, {rate})
        for i in range({depth})
    ])
    self.downsample = PatchMerging(embed_dim) if {downsample} else None
"""


def _stage(**changed):
    right = dict(
        resolution="resolution",
        window="window_size",
        shift="window_size // 2 if i % 2 else 0",
        rate="rates[i]",
        depth="depth",
        downsample="downsample",
    )
    return _STAGE.format(**{**right, **changed})


_MODEL = """
def __init__(self, image_size=224, patch_size=4, in_channels=3, num_classes=1000, embed_dim=96,
             depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24), window_size=7, mlp_ratio=4.0, qkv_bias=True,
             dropout=0.0, attention_dropout=0.0, droppath=0.0, *, absolute_position=False):
    super().__init__()
    self.in_channels = in_channels
    self.patch_embed = PatchEmbed(image_size, patch_size, in_channels, embed_dim)
    self.position_embedding = None
    if absolute_position:
        self.position_embedding = self.create_parameter([1, {grid}, embed_dim])
        trunc_normal_(self.position_embedding, std={std})
    self.dropout = nn.Dropout(dropout)
    total, first = sum(depths), 0
    rates = [{rate} for i in range(total)]
    resolution, channels, stages = self.patch_embed.grid, embed_dim, []
    for stage, (depth, heads) in enumerate(zip(depths, num_heads)):
        last = stage == len(depths) - 1
        stages.append(BasicLayer(channels, {resolution}, depth, heads, window_size, mlp_ratio, qkv_bias, dropout,
                                 attention_dropout, {rates}, downsample=not last))
        first += depth
        if not last:
            resolution, channels = [(size + 1) // 2 for size in resolution], 2 * channels
    self.layers = nn.LayerList(stages)
    self.norm = nn.LayerNorm(channels, epsilon={epsilon})
    self.head = nn.Linear(channels, num_classes) if num_classes > {least} else nn.Identity()
    {initialise}
"""


def _model(**changed):
    right = dict(
        grid="*self.patch_embed.grid",
        std="0.02",
        rate="droppath * i / max(total - 1, 1)",
        resolution="resolution",
        rates="rates[first : first + depth]",
        epsilon="1e-5",
        least="0",
        initialise="self.apply(init_weights)",
    )
    return _MODEL.format(**{**right, **changed})


WRONG_ANSWERS = [
    (
        "PatchMerging.__init__",
        "bias and epsilon",
        """
        def __init__(self, embed_dim):
            super().__init__()
            self.norm = nn.LayerNorm(4 * embed_dim, epsilon=1e-12)
            self.reduction = nn.Linear(4 * embed_dim, 2 * embed_dim, bias_attr=False)
        """,
    ),
    (
        "PatchMerging.__init__",
        "a convolution",
        """
        def __init__(self, embed_dim):
            super().__init__()
            self.norm = nn.LayerNorm(4 * embed_dim, epsilon=1e-5)
            self.reduction = nn.Conv2D(4 * embed_dim, 2 * embed_dim, 1, bias_attr=False)
        """,
    ),
    (
        "PatchMerging.__init__",
        "another name",
        """
        def __init__(self, embed_dim):
            super().__init__()
            self.norm = nn.LayerNorm(4 * embed_dim, epsilon=1e-5)
            self.reduce = nn.Linear(4 * embed_dim, 2 * embed_dim, bias_attr=False)
        """,
    ),
    *(
        (
            "PatchMerging.forward",
            name,
            f"""
            def forward(self, x):
                x = pad_to_windows(x, 2)
                B, H, W, C = x.shape
                x = {joined}
                return self.reduction(self.norm(x))
            """,
        )
        for name, joined in {
            "from the lower right corner on": (
                "paddle.concat([x[:, row::2, column::2] for column in (1, 0) for row in (1, 0)], axis=-1)"
            ),
            "one corner four times": "paddle.concat([x[:, ::2, ::2]] * 4, axis=-1)",
            "rows and columns of the result exchanged": (
                "paddle.concat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], axis=-1)"
                ".transpose([0, 2, 1, 3]).reshape([B, H // 2, W // 2, 4 * C])"
            ),
            "normalised corner by corner": (
                "paddle.concat([(c - c.mean(-1, keepdim=True)) / (c.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt() "
                "for c in [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]], axis=-1)"
            ),
            "four tokens in a row, rounded": (
                "x.reshape([B, H // 2, 2, W // 2, 2, C]).transpose([0, 1, 3, 2, 5, 4]).flatten(3)"
            ),
        }.items()
    ),
    ("BasicLayer.__init__", "half of the tokens shifted", _stage(shift="resolution[0] // 2 if i % 2 else 0")),
    ("BasicLayer.__init__", "one token short of half", _stage(shift="(window_size - 1) // 2 if i % 2 else 0")),
    ("BasicLayer.__init__", "the other way", _stage(shift="window_size - window_size // 2 - 1 if i % 2 else 0")),
    ("BasicLayer.__init__", "every third block", _stage(shift="window_size // 2 if i % 3 == 1 else 0")),
    ("BasicLayer.__init__", "a window of half the size", _stage(window="window_size // 2")),
    ("BasicLayer.__init__", "one block more", _stage(depth="depth + 1", rate="rates[min(i, depth - 1)]")),
    ("BasicLayer.__init__", "the first rate", _stage(rate="rates[0]")),
    ("BasicLayer.__init__", "the mean rate", _stage(rate="sum(rates) / depth")),
    ("BasicLayer.__init__", "sides exchanged", _stage(resolution="resolution[::-1]")),
    ("BasicLayer.__init__", "merging when not asked", _stage(downsample="not downsample")),
    ("SwinTransformer.__init__", "no maps", _model(resolution="self.patch_embed.image_size")),
    ("SwinTransformer.__init__", "sides exchanged", _model(resolution="resolution[::-1]")),
    (
        "SwinTransformer.__init__",
        "a square of positions",
        _model(grid="self.patch_embed.grid[0], self.patch_embed.grid[0]"),
    ),
    ("SwinTransformer.__init__", "positions of spread 1", _model(std="1.0")),
    ("SwinTransformer.__init__", "from the first block on", _model(rate="droppath * (i + 1) / total")),
    ("SwinTransformer.__init__", "backwards", _model(rate="droppath * (total - 1 - i) / max(total - 1, 1)")),
    ("SwinTransformer.__init__", "rates squared", _model(rate="droppath * (i / max(total - 1, 1)) ** 2")),
    ("SwinTransformer.__init__", "the last rates", _model(rates="rates[-depth:]")),
    ("SwinTransformer.__init__", "no epsilon", _model(epsilon="1e-12")),
    ("SwinTransformer.__init__", "always a head", _model(least="-1")),
    ("SwinTransformer.__init__", "only the stages initialised", _model(initialise="self.layers.apply(init_weights)")),
    (
        "SwinTransformer.__init__",
        "all but the head initialised",
        _model(initialise="head, self.head = self.head, nn.Identity(); self.apply(init_weights); self.head = head"),
    ),
    *(
        (
            "SwinTransformer.forward_features",
            name,
            f"""
            def forward_features(self, image):
                positions = 0.0 if self.position_embedding is None else self.position_embedding
                x = self.patch_embed(image)
                {line}
                return self.norm(x)
            """,
        )
        for name, line in {
            "the stages without their merging": (
                "x = self.dropout(x + positions); x = [x := block(x) for layer in self.layers for block in layer.blocks][-1]"
            ),
            "positions twice": (
                "x = self.dropout(x + positions + positions); x = [x := layer(x) for layer in self.layers][-1]"
            ),
            "dropout of the positions only": (
                "x = x + (0.0 if self.position_embedding is None else self.dropout(positions)); "
                "x = [x := layer(x) for layer in self.layers][-1]"
            ),
            "a residual connection around the first stage": (
                "x = self.dropout(x + positions); first, *rest = self.layers; y = x; "
                "x = [y := block(y) for block in first.blocks][-1] + x; "
                "x = x if first.downsample is None else first.downsample(x); "
                "x = [x] + [x := layer(x) for layer in rest]; x = x[-1]"
            ),
        }.items()
    ),
    *(
        ("SwinTransformer.forward_head", name, f"def forward_head(self, x):\n    return {value}\n")
        for name, value in {
            "the middle token": "self.head(x[:, x.shape[1] // 2, x.shape[2] // 2])",
            "the mean of the border": "self.head((x[:, 0].mean(1) + x[:, -1].mean(1)) / 2)",
            "divided by the rows only": "self.head(x.sum([1, 2]) / x.shape[1])",
            "all but the first token": "self.head(x.flatten(1, 2)[:, 1:].mean(1))",
            "averaged over the images": "self.head(x.mean([0, 1, 2], keepdim=True).flatten(1)).expand([x.shape[0], -1])",
        }.items()
    ),
]
