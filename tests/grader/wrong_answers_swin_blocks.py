"""Wrong answers without a name, lesson 3: shifted windows and the block around them. As in wrong_answers.py."""

_SIGNATURE = """
        def __init__(self, embed_dim, resolution, num_heads, window_size=7, shift_size=0, mlp_ratio=4.0, qkv_bias=True,
                     dropout=0.0, attention_dropout=0.0, droppath=0.0):
            super().__init__()
            self.window_size, self.shift_size = fit_window(resolution, window_size, shift_size)
            mask = None
            padded = [round_up(size, self.window_size) for size in resolution]
"""

_MASK = """
            if self.shift_size > 0:
                mask = shifted_window_mask(padded, self.window_size, self.shift_size)
            self.register_buffer('mask', mask, persistable=False)
"""

_NORMS = """
            self.attn_norm = nn.LayerNorm(embed_dim, epsilon=1e-5)
            self.mlp_norm = nn.LayerNorm(embed_dim, epsilon=1e-5)
"""

_ATTENTION = """
            self.attn = WindowAttention(embed_dim, num_heads, self.window_size, qkv_bias, dropout, attention_dropout)
"""

_MLP = """
            self.mlp = Mlp(embed_dim, mlp_ratio, dropout)
            self.drop_path = DropPath(droppath)
"""

WRONG_ANSWERS = [
    (
        "cyclic_shift",
        "the columns twice as far as the rows",
        """
        def cyclic_shift(x, shift_size):
            return paddle.roll(x, shifts=(-shift_size, -2 * shift_size), axis=(1, 2))
        """,
    ),
    (
        "cyclic_shift",
        "a slice that is off by one",
        """
        def cyclic_shift(x, shift_size):
            x = paddle.concat([x[:, shift_size + 1:], x[:, :shift_size + 1]], axis=1)
            return paddle.concat([x[:, :, shift_size + 1:], x[:, :, :shift_size + 1]], axis=2)
        """,
    ),
    (
        "cyclic_shift",
        "nothing where the shift is negative",
        """
        def cyclic_shift(x, shift_size):
            if shift_size > 0:
                x = paddle.roll(x, shifts=(-shift_size, -shift_size), axis=(1, 2))
            return x
        """,
    ),
    (
        "cyclic_shift",
        "through numpy, which loses the gradient",
        """
        def cyclic_shift(x, shift_size):
            return paddle.to_tensor(x.numpy()).roll((-shift_size, -shift_size), (1, 2))
        """,
    ),
    (
        "cyclic_shift",
        "the map turned over to move backwards",
        """
        def cyclic_shift(x, shift_size):
            return paddle.roll(x.flip([1, 2]), shifts=(shift_size, shift_size), axis=(1, 2))
        """,
    ),
    (
        "shifted_window_mask",
        "minus infinity",
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            H, W = resolution
            region = paddle.zeros([1, H, W, 1])
            region[:, H - shift_size:] += 1
            region[:, :, W - shift_size:] += 2
            region = window_partition(region, window_size).flatten(1)
            apart = region.unsqueeze(1) != region.unsqueeze(2)
            return paddle.where(apart, paddle.full([1], -float('inf')), paddle.zeros([1]))
        """,
    ),
    (
        "shifted_window_mask",
        "whole numbers",
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            H, W = resolution
            region = paddle.zeros([1, H, W, 1])
            region[:, H - shift_size:] += 1
            region[:, :, W - shift_size:] += 2
            region = window_partition(region, window_size).flatten(1)
            return -100 * (region.unsqueeze(1) != region.unsqueeze(2)).astype('int64')
        """,
    ),
    (
        "shifted_window_mask",
        "the difference of the regions, not whether they differ",
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            H, W = resolution
            region = paddle.zeros([1, H, W, 1])
            region[:, H - shift_size:] += 1
            region[:, :, W - shift_size:] += 2
            region = window_partition(region, window_size).flatten(1)
            return -100.0 * (region.unsqueeze(1) - region.unsqueeze(2)).abs()
        """,
    ),
    (
        "shifted_window_mask",
        "apart only where both the rows and the columns are",
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            H, W = resolution
            row = (paddle.arange(H) >= H - shift_size).astype('float32').reshape([1, H, 1, 1]).expand([1, H, W, 1])
            column = (paddle.arange(W) >= W - shift_size).astype('float32').reshape([1, 1, W, 1]).expand([1, H, W, 1])
            row, column = window_partition(row, window_size).flatten(1), window_partition(column, window_size).flatten(1)
            apart = (row.unsqueeze(1) != row.unsqueeze(2)) & (column.unsqueeze(1) != column.unsqueeze(2))
            return -100.0 * apart.astype('float32')
        """,
    ),
    (
        "shifted_window_mask",
        "every window divided, not only the last ones",
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            row, column = ((paddle.arange(size) % window_size >= window_size - shift_size).astype('int64')
                           for size in resolution)
            region = (2 * row.unsqueeze(1) + column).reshape([1, *resolution, 1])
            region = window_partition(region, window_size).flatten(1)
            return -100.0 * (region.unsqueeze(1) != region.unsqueeze(2)).astype('float32')
        """,
    ),
    (
        "shifted_window_mask",
        "the corner window not divided",
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            H, W = resolution
            region = paddle.zeros([1, H, W, 1])
            region[:, H - shift_size:] += 1
            region[:, :, W - shift_size:] += 2
            region[:, H - window_size:, W - window_size:] = 4
            region = window_partition(region, window_size).flatten(1)
            return -100.0 * (region.unsqueeze(1) != region.unsqueeze(2)).astype('float32')
        """,
    ),
    (
        "shifted_window_mask",
        "an axis more, for the heads",
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            H, W = resolution
            region = paddle.zeros([1, H, W, 1])
            region[:, H - shift_size:] += 1
            region[:, :, W - shift_size:] += 2
            region = window_partition(region, window_size).flatten(1)
            return -100.0 * (region.unsqueeze(1) != region.unsqueeze(2)).astype('float32').unsqueeze(1)
        """,
    ),
    (
        "fit_window",
        "a window for each side",
        """
        def fit_window(resolution, window_size, shift_size):
            if min(resolution) <= window_size:
                return tuple(min(size, window_size) for size in resolution), 0
            return window_size, shift_size
        """,
    ),
    (
        "fit_window",
        "fitted wherever windows do not tile the map",
        """
        def fit_window(resolution, window_size, shift_size):
            if any(size % window_size for size in resolution):
                return min(window_size, *resolution), 0
            return window_size, shift_size
        """,
    ),
    (
        "fit_window",
        "the shift counted to the window",
        """
        def fit_window(resolution, window_size, shift_size):
            if min(resolution) < window_size + shift_size:
                return min(window_size, *resolution), 0
            return window_size, shift_size
        """,
    ),
    (
        "fit_window",
        "the window alone",
        """
        def fit_window(resolution, window_size, shift_size):
            return min(window_size, *resolution)
        """,
    ),
    (
        "SwinTransformerBlock.__init__",
        "ViT's epsilon in the first norm only",
        _SIGNATURE + _MASK + _NORMS.replace("1e-5", "1e-6", 1) + _ATTENTION + _MLP,
    ),
    (
        "SwinTransformerBlock.__init__",
        "ViT's epsilon in the second norm only",
        _SIGNATURE + _MASK + _NORMS[::-1].replace("5-e1", "6-e1", 1)[::-1] + _ATTENTION + _MLP,
    ),
    (
        "SwinTransformerBlock.__init__",
        "the mask of the map rounded down",
        _SIGNATURE.replace("round_up(size, self.window_size)", "size // self.window_size * self.window_size")
        + _MASK
        + _NORMS
        + _ATTENTION
        + _MLP,
    ),
    (
        "SwinTransformerBlock.__init__",
        "the mask of a shift the other way",
        _SIGNATURE
        + _MASK.replace("self.window_size, self.shift_size)", "self.window_size, self.window_size - self.shift_size)")
        + _NORMS
        + _ATTENTION
        + _MLP,
    ),
    (
        "SwinTransformerBlock.__init__",
        "the mask a parameter, not trained",
        _SIGNATURE
        + """
            self.mask = None
            if self.shift_size > 0:
                mask = shifted_window_mask(padded, self.window_size, self.shift_size)
                self.mask = self.create_parameter(mask.shape)
                self.mask.set_value(mask)
                self.mask.stop_gradient = True
        """
        + _NORMS
        + _ATTENTION
        + _MLP,
    ),
    (
        "SwinTransformerBlock.__init__",
        "the mask made but never kept",
        _SIGNATURE + _MASK.replace("'mask', mask,", "'mask', None,") + _NORMS + _ATTENTION + _MLP,
    ),
    (
        "SwinTransformerBlock.__init__",
        "no dropout behind the projection",
        _SIGNATURE + _MASK + _NORMS + _ATTENTION.replace("qkv_bias, dropout,", "qkv_bias, 0.0,") + _MLP,
    ),
    (
        "SwinTransformerBlock.__init__",
        "the ratio of the MLP rounded",
        _SIGNATURE + _MASK + _NORMS + _ATTENTION + _MLP.replace("mlp_ratio", "round(mlp_ratio)"),
    ),
    (
        "SwinTransformerBlock.__init__",
        "drop path given to the MLP as dropout",
        _SIGNATURE + _MASK + _NORMS + _ATTENTION + _MLP.replace("mlp_ratio, dropout", "mlp_ratio, droppath"),
    ),
    (
        "SwinTransformerBlock.__init__",
        "ViT's attention",
        _SIGNATURE
        + _MASK
        + _NORMS
        + "\n            self.attn = Attention(embed_dim, num_heads, qkv_bias, dropout, attention_dropout)\n"
        + _MLP,
    ),
    (
        "SwinTransformerBlock.attend",
        "padded on both sides",
        """
        def attend(self, x):
            _, H, W, C = x.shape
            M = self.window_size
            down, right = round_up(H, M) - H, round_up(W, M) - W
            top, left = down // 2, right // 2
            x = F.pad(x, [left, right - left, top, down - top], data_format='NHWC')
            _, Hp, Wp, _ = x.shape
            x = window_partition(cyclic_shift(x, self.shift_size), M).flatten(1, 2)
            x = self.attn(x, self.mask).reshape([-1, M, M, C])
            x = cyclic_shift(window_reverse(x, M, Hp, Wp), -self.shift_size)
            return x[:, top:top + H, left:left + W]
        """,
    ),
    (
        "SwinTransformerBlock.attend",
        "padded with copies of the border",
        """
        def attend(self, x):
            _, H, W, C = x.shape
            M = self.window_size
            Hp, Wp = round_up(H, M), round_up(W, M)
            x = x.index_select(paddle.arange(Hp).clip(0, H - 1), axis=1)
            x = x.index_select(paddle.arange(Wp).clip(0, W - 1), axis=2)
            x = window_partition(cyclic_shift(x, self.shift_size), M).flatten(1, 2)
            x = self.attn(x, self.mask).reshape([-1, M, M, C])
            return cyclic_shift(window_reverse(x, M, Hp, Wp), -self.shift_size)[:, :H, :W]
        """,
    ),
    (
        "SwinTransformerBlock.attend",
        "nobody looks at the padding",
        """
        def attend(self, x):
            B, H, W, C = x.shape
            M = self.window_size
            inside = pad_to_windows(paddle.ones([1, H, W, 1]), M)
            x = pad_to_windows(x, M)
            _, Hp, Wp, _ = x.shape
            x = window_partition(cyclic_shift(x, self.shift_size), M).flatten(1, 2)
            outside = 1 - window_partition(cyclic_shift(inside, self.shift_size), M).reshape([-1, 1, M * M])
            mask = -100.0 * outside.expand([-1, M * M, M * M])
            x = self.attn(x, mask if self.mask is None else paddle.minimum(mask, self.mask)).reshape([-1, M, M, C])
            return cyclic_shift(window_reverse(x, M, Hp, Wp), -self.shift_size)[:, :H, :W]
        """,
    ),
    (
        "SwinTransformerBlock.attend",
        "shifted back along the rows only",
        """
        def attend(self, x):
            _, H, W, C = x.shape
            M = self.window_size
            x = pad_to_windows(x, M)
            _, Hp, Wp, _ = x.shape
            x = window_partition(cyclic_shift(x, self.shift_size), M).flatten(1, 2)
            x = window_reverse(self.attn(x, self.mask).reshape([-1, M, M, C]), M, Hp, Wp)
            return paddle.roll(x, self.shift_size, 1)[:, :H, :W]
        """,
    ),
    (
        "SwinTransformerBlock.attend",
        "shifted on to a whole window, not back",
        """
        def attend(self, x):
            _, H, W, C = x.shape
            M = self.window_size
            x = pad_to_windows(x, M)
            _, Hp, Wp, _ = x.shape
            x = window_partition(cyclic_shift(x, self.shift_size), M).flatten(1, 2)
            x = window_reverse(self.attn(x, self.mask).reshape([-1, M, M, C]), M, Hp, Wp)
            return cyclic_shift(x, M - self.shift_size if self.shift_size else 0)[:, :H, :W]
        """,
    ),
    (
        "SwinTransformerBlock.attend",
        "tokens of a window column by column",
        """
        def attend(self, x):
            _, H, W, C = x.shape
            M = self.window_size
            x = pad_to_windows(x, M)
            _, Hp, Wp, _ = x.shape
            x = window_partition(cyclic_shift(x, self.shift_size), M).transpose([0, 2, 1, 3]).flatten(1, 2)
            x = self.attn(x, self.mask).reshape([-1, M, M, C]).transpose([0, 2, 1, 3])
            return cyclic_shift(window_reverse(x, M, Hp, Wp), -self.shift_size)[:, :H, :W]
        """,
    ),
    (
        "SwinTransformerBlock.attend",
        "each row of the mask repeated for the images, one after the other",
        """
        def attend(self, x):
            B, H, W, C = x.shape
            M = self.window_size
            x = pad_to_windows(x, M)
            _, Hp, Wp, _ = x.shape
            x = window_partition(cyclic_shift(x, self.shift_size), M).flatten(1, 2)
            mask = None if self.mask is None else self.mask.repeat_interleave(B, axis=0)
            x = window_reverse(self.attn(x, mask).reshape([-1, M, M, C]), M, Hp, Wp)
            return cyclic_shift(x, -self.shift_size)[:, :H, :W]
        """,
    ),
    (
        "SwinTransformerBlock.attend",
        "not shifted where the map is padded",
        """
        def attend(self, x):
            _, H, W, C = x.shape
            M = self.window_size
            x = pad_to_windows(x, M)
            _, Hp, Wp, _ = x.shape
            shift = self.shift_size if (H, W) == (Hp, Wp) else 0
            x = window_partition(cyclic_shift(x, shift), M).flatten(1, 2)
            x = window_reverse(self.attn(x, self.mask if shift else None).reshape([-1, M, M, C]), M, Hp, Wp)
            return cyclic_shift(x, -shift)[:, :H, :W]
        """,
    ),
    (
        "SwinTransformerBlock.forward",
        "one norm for both branches, used once",
        """
        def forward(self, x):
            y = self.attn_norm(x)
            return x + self.drop_path(self.attend(y)) + self.drop_path(self.mlp(self.mlp_norm(y)))
        """,
    ),
    (
        "SwinTransformerBlock.forward",
        "the MLP first",
        """
        def forward(self, x):
            x = x + self.drop_path(self.mlp(self.mlp_norm(x)))
            return x + self.drop_path(self.attend(self.attn_norm(x)))
        """,
    ),
    (
        "SwinTransformerBlock.forward",
        "norms without their weights",
        """
        def forward(self, x):
            x = x + self.drop_path(self.attend(F.layer_norm(x, x.shape[-1:])))
            return x + self.drop_path(self.mlp(F.layer_norm(x, x.shape[-1:])))
        """,
    ),
    (
        "SwinTransformerBlock.forward",
        "both branches dropped together, and twice",
        """
        def forward(self, x):
            branch = self.drop_path(self.attend(self.attn_norm(x)))
            return x + self.drop_path(branch + self.mlp(self.mlp_norm(x + branch)))
        """,
    ),
    (
        "SwinTransformerBlock.forward",
        "a row of tokens, not a map",
        """
        def forward(self, x):
            x = x + self.drop_path(self.attend(self.attn_norm(x)))
            return (x + self.drop_path(self.mlp(self.mlp_norm(x)))).flatten(1, 2)
        """,
    ),
]
