"""Right answers of another shape, lesson 3: shifted windows and the block around them. As in alternatives.py."""

ALTERNATIVES = [
    (
        "cyclic_shift",
        "cut in two along each axis and joined the other way round",
        "",
        """
        def cyclic_shift(x, shift_size):
            x = paddle.concat([x[:, shift_size:], x[:, :shift_size]], axis=1)
            return paddle.concat([x[:, :, shift_size:], x[:, :, :shift_size]], axis=2)
        """,
    ),
    (
        "cyclic_shift",
        "one axis after the other, renamed arguments",
        "",
        """
        def cyclic_shift(feature_map, s):
            shifted = feature_map.roll(-s, 2)
            return shifted.roll(-s, axis=1)
        """,
    ),
    (
        "cyclic_shift",
        "by the numbers of rows and columns",
        "",
        """
        def cyclic_shift(x, shift_size):
            _, H, W, _ = x.shape
            rows = (paddle.arange(H) + shift_size) % H
            columns = (paddle.arange(W) + shift_size) % W
            return x.index_select(rows, axis=1).index_select(columns, axis=2)
        """,
    ),
    (
        "cyclic_shift",
        "a loop over all places",
        "",
        """
        def cyclic_shift(x, shift_size):
            B, H, W, C = x.shape
            rows = []
            for i in range(H):
                row = [x[:, (i + shift_size) % H, (j + shift_size) % W] for j in range(W)]
                rows.append(paddle.stack(row, axis=1))
            return paddle.stack(rows, axis=1)
        """,
    ),
    (
        "shifted_window_mask",
        "the paper authors' way: nine slices of a map of numbers",
        "",
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            H, W = resolution
            img_mask = paddle.zeros((1, H, W, 1))
            h_slices = (slice(0, -window_size), slice(-window_size, -shift_size), slice(-shift_size, None))
            w_slices = (slice(0, -window_size), slice(-window_size, -shift_size), slice(-shift_size, None))
            cnt = 0
            for h in h_slices:
                for w in w_slices:
                    img_mask[:, h, w, :] = cnt
                    cnt += 1
            mask_windows = window_partition(img_mask, window_size)
            mask_windows = mask_windows.reshape((-1, window_size * window_size))
            attn_mask = mask_windows.unsqueeze(1) - mask_windows.unsqueeze(2)
            attn_mask = paddle.where(attn_mask != 0, paddle.ones_like(attn_mask) * float(-100.0), attn_mask)
            return paddle.where(attn_mask == 0, paddle.zeros_like(attn_mask), attn_mask)
        """,
    ),
    (
        "shifted_window_mask",
        "four regions, since no window holds rows of the first and the second band",
        "",
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            H, W = resolution
            region = paddle.zeros([1, H, W, 1])
            region[:, H - shift_size:] += 1
            region[:, :, W - shift_size:] += 2
            region = window_partition(region, window_size).reshape([-1, window_size**2])
            return (region.unsqueeze(1) != region.unsqueeze(2)).astype('float32') * -100
        """,
    ),
    (
        "shifted_window_mask",
        "rows and columns compared by themselves, in numpy",
        "import numpy as np\n",
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            bands = []
            for size in resolution:
                band = np.zeros(size)
                band[-window_size:-shift_size] = 1
                band[-shift_size:] = 2
                bands.append(band)
            rows, columns = np.meshgrid(*bands, indexing='ij')
            masks = []
            for top in range(0, resolution[0], window_size):
                for left in range(0, resolution[1], window_size):
                    r = rows[top:top + window_size, left:left + window_size].ravel()
                    c = columns[top:top + window_size, left:left + window_size].ravel()
                    same = (r[:, None] == r) & (c[:, None] == c)
                    masks.append(np.where(same, 0, -100))
            return paddle.to_tensor(np.stack(masks), dtype='float32')
        """,
    ),
    (
        "shifted_window_mask",
        "from where each token came: near before the shift",
        "",
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            H, W = resolution
            if min(resolution) < 2 * window_size:  # too small a map to tell by distances
                down = (paddle.arange(H) - H + shift_size >= 0).astype('int64') * 10 * H
                right = (paddle.arange(W) - W + shift_size >= 0).astype('int64') * 10 * W
            else:
                down = (paddle.arange(H) + shift_size) % H
                right = (paddle.arange(W) + shift_size) % W
            place = paddle.stack(paddle.meshgrid(down, right), axis=-1).unsqueeze(0)
            place = window_partition(place, window_size).flatten(1, 2)
            distance = (place.unsqueeze(1) - place.unsqueeze(2)).abs().max(axis=-1)
            return paddle.where(distance < window_size, paddle.zeros([1]), paddle.full([1], -100.0))
        """,
    ),
    (
        "shifted_window_mask",
        "a loop over all pairs of a window, with a helper",
        """
        def _region(i, size, window_size, shift_size):
            if i < size - window_size:
                return 0
            return 1 if i < size - shift_size else 2
        """,
        """
        def shifted_window_mask(resolution, window_size, shift_size):
            H, W = resolution
            M = window_size
            masks = []
            for wi in range(H // M):
                for wj in range(W // M):
                    tokens = []
                    for i in range(M):
                        for j in range(M):
                            tokens.append((_region(wi * M + i, H, M, shift_size), _region(wj * M + j, W, M, shift_size)))
                    masks.append([[0.0 if a == b else -100.0 for a in tokens] for b in tokens])
            return paddle.to_tensor(masks)
        """,
    ),
    (
        "fit_window",
        "min of all three",
        "",
        """
        def fit_window(resolution, window_size, shift_size):
            fitted = min(window_size, *resolution)
            return fitted, shift_size if fitted < min(resolution) else 0
        """,
    ),
    (
        "fit_window",
        "the other case first, by rows and columns",
        "",
        """
        def fit_window(input_resolution, window_size, shift_size):
            H, W = input_resolution
            if H > window_size and W > window_size:
                return [window_size, shift_size]
            window_size = H if H < W else W
            shift_size = 0
            return [window_size, shift_size]
        """,
    ),
    (
        "fit_window",
        "two questions",
        "",
        """
        def fit_window(resolution, window_size, shift_size):
            shorter = sorted(resolution)[0]
            if shorter < window_size:
                window_size, shift_size = shorter, 0
            elif shorter == window_size:
                shift_size = 0
            return (window_size, shift_size)
        """,
    ),
    (
        "SwinTransformerBlock.__init__",
        "in another order, the mask as a plain attribute, by keyword",
        "import math\n",
        """
        def __init__(self, embed_dim, resolution, num_heads, window_size=7, shift_size=0, mlp_ratio=4.0, qkv_bias=True,
                     dropout=0.0, attention_dropout=0.0, droppath=0.0):
            super().__init__()
            self.drop_path = DropPath(p=droppath)
            self.mlp = Mlp(embed_dim=embed_dim, mlp_ratio=mlp_ratio, dropout=dropout)
            self.window_size, self.shift_size = fit_window(resolution, window_size, shift_size)
            self.attn = WindowAttention(
                embed_dim, num_heads=num_heads, window_size=self.window_size, qkv_bias=qkv_bias, dropout=dropout,
                attention_dropout=attention_dropout)
            self.mlp_norm = nn.LayerNorm(embed_dim)
            self.attn_norm = nn.LayerNorm(embed_dim)
            if self.shift_size:
                H = self.window_size * math.ceil(resolution[0] / self.window_size)
                W = self.window_size * math.ceil(resolution[1] / self.window_size)
                self.mask = shifted_window_mask((H, W), self.window_size, self.shift_size)
            else:
                self.mask = None
        """,
    ),
    (
        "SwinTransformerBlock.__init__",
        "the size of the padded map from pad_to_windows",
        "",
        """
        def __init__(self, embed_dim, resolution, num_heads, window_size=7, shift_size=0, mlp_ratio=4., qkv_bias=True,
                     dropout=0., attention_dropout=0., droppath=0.):
            super().__init__()
            M, s = fit_window(resolution, window_size, shift_size)
            self.window_size = M
            self.shift_size = s
            if s > 0:
                _, H, W, _ = pad_to_windows(paddle.zeros([1, *resolution, 1]), M).shape
                mask = shifted_window_mask((H, W), M, s)
                self.register_buffer('mask', mask, persistable=False)
            else:
                self.register_buffer('mask', None)
            self.attn_norm = nn.LayerNorm([embed_dim], epsilon=1e-05)
            self.mlp_norm = nn.LayerNorm(normalized_shape=embed_dim, epsilon=1e-05)
            self.attn = WindowAttention(embed_dim, num_heads, M, qkv_bias, dropout, attention_dropout)
            self.mlp = Mlp(embed_dim, mlp_ratio, dropout)
            self.drop_path = DropPath(droppath)
            self.resolution = resolution
        """,
    ),
    (
        "SwinTransformerBlock.attend",
        "the paper authors' way, shifting always",
        "",
        """
        def attend(self, x):
            B, H, W, C = x.shape
            pad_b = (self.window_size - H % self.window_size) % self.window_size
            pad_r = (self.window_size - W % self.window_size) % self.window_size
            x = F.pad(x, [0, pad_r, 0, pad_b], data_format='NHWC')
            _, Hp, Wp, _ = x.shape
            shifted_x = paddle.roll(x, shifts=(-self.shift_size, -self.shift_size), axis=(1, 2))
            x_windows = window_partition(shifted_x, self.window_size)
            x_windows = x_windows.reshape((-1, self.window_size * self.window_size, C))
            attn_windows = self.attn(x_windows, mask=self.mask)
            attn_windows = attn_windows.reshape((-1, self.window_size, self.window_size, C))
            shifted_x = window_reverse(attn_windows, self.window_size, Hp, Wp)
            x = paddle.roll(shifted_x, shifts=(self.shift_size, self.shift_size), axis=(1, 2))
            if pad_r > 0 or pad_b > 0:
                x = x[:, :H, :W, :]
            return x
        """,
    ),
    (
        "SwinTransformerBlock.attend",
        "padded with concat, windows by reshape and transpose",
        "import math\n",
        """
        def attend(self, x):
            B, H, W, C = x.shape
            M, s = self.window_size, self.shift_size
            rows, columns = math.ceil(H / M), math.ceil(W / M)
            if rows * M > H:
                x = paddle.concat([x, paddle.zeros([B, rows * M - H, W, C])], axis=1)
            if columns * M > W:
                x = paddle.concat([x, paddle.zeros([B, rows * M, columns * M - W, C])], axis=2)
            if s:
                x = cyclic_shift(x, s)
            x = x.reshape([B, rows, M, columns, M, C]).transpose([0, 1, 3, 2, 4, 5]).reshape([-1, M * M, C])
            x = self.attn(x) if self.mask is None else self.attn(x, self.mask)
            x = x.reshape([B, rows, columns, M, M, C]).transpose([0, 1, 3, 2, 4, 5])
            x = x.reshape([B, rows * M, columns * M, C])
            if s:
                x = cyclic_shift(x, -s)
            x = x[:, :H]
            return x[:, :, :W]
        """,
    ),
    (
        "SwinTransformerBlock.attend",
        "image by image and window by window",
        "",
        """
        def attend(self, x):
            H, W = x.shape[1:3]
            M = self.window_size
            x = cyclic_shift(pad_to_windows(x, M), self.shift_size)
            images = []
            for image in x.split(x.shape[0], axis=0):
                rows, place = [], 0
                for top in range(0, x.shape[1], M):
                    row = []
                    for left in range(0, x.shape[2], M):
                        window = image[:, top:top + M, left:left + M]
                        mask = None if self.mask is None else self.mask[place:place + 1]
                        row.append(self.attn(window.flatten(1, 2), mask).reshape(window.shape))
                        place += 1
                    rows.append(paddle.concat(row, axis=2))
                images.append(paddle.concat(rows, axis=1))
            return cyclic_shift(paddle.concat(images), -self.shift_size)[:, 0:H, 0:W]
        """,
    ),
    (
        "SwinTransformerBlock.attend",
        "the mask repeated for every image, windows by unfold",
        "",
        """
        def attend(self, x):
            B, H, W, C = x.shape
            M = self.window_size
            x = pad_to_windows(x, M)
            Hp, Wp = x.shape[1], x.shape[2]
            x = cyclic_shift(x, self.shift_size).transpose([0, 3, 1, 2])
            windows = F.unfold(x, M, strides=M).reshape([B, C, M * M, -1])
            windows = windows.transpose([0, 3, 2, 1]).flatten(0, 1)
            mask = self.mask
            if mask is not None:
                mask = mask.tile([B, 1, 1])
            windows = self.attn(windows, mask).reshape([B, -1, M * M, C])
            x = F.fold(windows.transpose([0, 3, 2, 1]).flatten(1, 2), [Hp, Wp], M, strides=M)
            return cyclic_shift(x.transpose([0, 2, 3, 1]), -self.shift_size)[:, :H, :W]
        """,
    ),
    (
        "SwinTransformerBlock.forward",
        "the paper authors' way, with a shortcut",
        "",
        """
        def forward(self, x):
            shortcut = x
            x = self.attn_norm(x)
            x = self.attend(x)
            x = shortcut + self.drop_path(x)
            x = x + self.drop_path(self.mlp(self.mlp_norm(x)))
            return x
        """,
    ),
    (
        "SwinTransformerBlock.forward",
        "the MLP on a row of tokens, in place of a map",
        "",
        """
        def forward(self, inputs):
            B, H, W, C = inputs.shape
            attended = inputs + self.drop_path(self.attend(self.attn_norm(inputs)))
            tokens = attended.reshape([B, H * W, C])
            tokens = tokens + self.drop_path(self.mlp(self.mlp_norm(tokens)))
            return tokens.reshape([B, H, W, C])
        """,
    ),
    (
        "SwinTransformerBlock.forward",
        "a loop over both branches",
        "",
        """
        def forward(self, x):
            for norm, branch in ((self.attn_norm, self.attend), (self.mlp_norm, self.mlp)):
                x = paddle.add(self.drop_path(branch(norm(x))), x)
            return x
        """,
    ),
]
