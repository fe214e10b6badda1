"""Right answers of another shape, lesson 3: patches, windows and the relative position index. As in alternatives.py."""

ALTERNATIVES = [
    (
        "PatchEmbed.__init__",
        "everything by keyword, lists for pairs",
        "",
        """
        def __init__(self, image_size=224, patch_size=4, in_channels=3, embed_dim=96):
            super(PatchEmbed, self).__init__()
            self.norm = nn.LayerNorm(normalized_shape=[embed_dim], epsilon=0.00001)
            self.patch_size = pair(patch_size)
            self.image_size = pair(image_size)
            self.grid = padded_grid(image_size, patch_size)
            size = list(self.patch_size)
            self.proj = nn.Conv2D(in_channels=in_channels, out_channels=embed_dim, kernel_size=size, stride=size, padding=0)
        """,
    ),
    (
        "PatchEmbed.__init__",
        "Paddle's default epsilon, initial values of its own, one attribute more",
        "from paddle import ParamAttr\nfrom paddle.nn.initializer import TruncatedNormal\n",
        """
        def __init__(self, image_size=224, patch_size=4, in_channels=3, embed_dim=96, norm_layer=nn.LayerNorm):
            super().__init__()
            self.image_size, self.patch_size = pair(image_size), pair(patch_size)
            self.grid = padded_grid(image_size, patch_size)
            self.embed_dim = embed_dim
            init = ParamAttr(initializer=TruncatedNormal(std=.02))
            self.proj = nn.Conv2D(in_channels, embed_dim, self.patch_size, self.patch_size, weight_attr=init)
            self.norm = norm_layer(embed_dim)
        """,
    ),
    (
        "PatchEmbed.forward",
        "as the authors: side after side, flatten, norm, back to the map",
        "",
        """
        def forward(self, x):
            _, _, H, W = x.shape
            if W % self.patch_size[1] != 0:
                x = F.pad(x, (0, self.patch_size[1] - W % self.patch_size[1], 0, 0))
            if H % self.patch_size[0] != 0:
                x = F.pad(x, (0, 0, 0, self.patch_size[0] - H % self.patch_size[0]))
            x = self.proj(x)
            Wh, Ww = x.shape[2], x.shape[3]
            x = x.flatten(2).transpose([0, 2, 1])
            x = self.norm(x)
            return x.reshape([-1, Wh, Ww, x.shape[-1]])
        """,
    ),
    (
        "PatchEmbed.forward",
        "padded to the grid by concat, the patches by reshape and a matmul",
        "",
        """
        def forward(self, image):
            B, c, height, width = image.shape
            (H, W), (h, w) = self.grid, self.patch_size
            image = paddle.concat([image, paddle.zeros([B, c, H * h - height, width])], axis=2) if H * h > height else image
            image = paddle.concat([image, paddle.zeros([B, c, H * h, W * w - width])], axis=3) if W * w > width else image
            x = image.reshape([B, c, H, h, W, w]).transpose([0, 2, 4, 1, 3, 5]).flatten(3)
            return self.norm(x @ self.proj.weight.flatten(1).t() + self.proj.bias)
        """,
    ),
    (
        "PatchEmbed.forward",
        "F.unfold, and the norm written out",
        "",
        """
        def forward(self, image):
            h, w = self.patch_size
            bottom, right = -image.shape[2] % h, -image.shape[3] % w
            image = nn.Pad2D([0, right, 0, bottom])(image)
            x = F.unfold(image, [h, w], strides=[h, w]).transpose([0, 2, 1])
            x = F.linear(x, self.proj.weight.flatten(1).t(), self.proj.bias)
            x = x.reshape([x.shape[0], image.shape[2] // h, image.shape[3] // w, -1])
            x = x - x.mean(axis=-1, keepdim=True)
            x = x / paddle.sqrt((x * x).mean(axis=-1, keepdim=True) + 1e-5)
            return x * self.norm.weight + self.norm.bias
        """,
    ),
    (
        "PatchEmbed.forward",
        "a picture of zeros into which the image is written",
        "",
        """
        def forward(self, image):
            whole = [round_up(image.shape[2], self.patch_size[0]), round_up(image.shape[3], self.patch_size[1])]
            padded = paddle.zeros([image.shape[0], image.shape[1], *whole])
            padded[:, :, :image.shape[2], :image.shape[3]] = image
            return self.norm(paddle.moveaxis(self.proj(padded), 1, -1))
        """,
    ),
    (
        "window_partition",
        "a double loop with slices",
        "",
        """
        def window_partition(x, window_size):
            B, H, W, C = x.shape
            windows = []
            for b in range(B):
                for top in range(0, H, window_size):
                    for left in range(0, W, window_size):
                        windows.append(x[b, top:top + window_size, left:left + window_size])
            return paddle.stack(windows)
        """,
    ),
    (
        "window_partition",
        "as the authors, another name for the map",
        "",
        """
        def window_partition(feature_map, size):
            B, H, W, C = feature_map.shape
            x = paddle.reshape(feature_map, (B, H // size, size, W // size, size, C))
            return paddle.transpose(x, perm=(0, 1, 3, 2, 4, 5)).reshape((B * (H // size) * (W // size), size, size, C))
        """,
    ),
    (
        "window_partition",
        "einsum",
        "",
        """
        def window_partition(x, window_size):
            B, H, W, C = x.shape
            M = window_size
            x = x.reshape([B, H // M, M, W // M, M, C])
            return paddle.einsum('brmcnd->brcmnd', x).flatten(0, 2)
        """,
    ),
    (
        "window_partition",
        "split in rows, then in columns",
        "",
        """
        def window_partition(x, window_size):
            rows = x.split(x.shape[1] // window_size, axis=1)
            windows = [w for row in rows for w in row.split(x.shape[2] // window_size, axis=2)]
            return paddle.stack(windows, axis=1).flatten(0, 1)
        """,
    ),
    (
        "window_partition",
        "F.unfold",
        "",
        """
        def window_partition(x, window_size):
            C = x.shape[-1]
            x = F.unfold(x.transpose([0, 3, 1, 2]), window_size, strides=window_size)  # B C*M*M nW
            return x.transpose([0, 2, 1]).reshape([-1, C, window_size, window_size]).transpose([0, 2, 3, 1])
        """,
    ),
    (
        "window_reverse",
        "as the authors: B by division",
        "",
        """
        def window_reverse(windows, window_size, H, W):
            B = int(windows.shape[0] / (H * W / window_size / window_size))
            x = windows.reshape([B, H // window_size, W // window_size, window_size, window_size, -1])
            x = x.transpose([0, 1, 3, 2, 4, 5]).reshape([B, H, W, -1])
            return x
        """,
    ),
    (
        "window_reverse",
        "windows side by side, rows one below the other",
        "",
        """
        def window_reverse(windows, window_size, H, W):
            rows, columns = H // window_size, W // window_size
            images = []
            for first in range(0, len(windows), rows * columns):
                lines = []
                for r in range(rows):
                    start = first + r * columns
                    lines.append(paddle.concat([windows[start + c] for c in range(columns)], axis=1))
                images.append(paddle.concat(lines, axis=0))
            return paddle.stack(images)
        """,
    ),
    (
        "window_reverse",
        "tokens gathered by number",
        "",
        """
        def window_reverse(windows, M, H, W):
            tokens = windows.reshape([-1, H * W, windows.shape[-1]])
            y, x = paddle.arange(H).unsqueeze(1), paddle.arange(W).unsqueeze(0)
            place = (y // M * (W // M) + x // M) * M * M + y % M * M + x % M
            return tokens.index_select(place.flatten(), axis=1).reshape([-1, H, W, windows.shape[-1]])
        """,
    ),
    (
        "window_reverse",
        "two axes swapped, then flattened twice",
        "",
        """
        def window_reverse(windows, window_size, H, W):
            x = windows.unflatten(0, [-1, H // window_size, W // window_size])
            return paddle.moveaxis(x, 3, 2).flatten(1, 2).flatten(2, 3)
        """,
    ),
    (
        "relative_position_index",
        "as the authors: coordinates, shifted and multiplied in place",
        "",
        """
        def relative_position_index(window_size):
            coords_h = paddle.arange(window_size)
            coords_w = paddle.arange(window_size)
            coords = paddle.stack(paddle.meshgrid([coords_h, coords_w]))  # 2, Wh, Ww
            coords_flatten = paddle.flatten(coords, 1)  # 2, Wh*Ww
            relative_coords = coords_flatten.unsqueeze(2) - coords_flatten.unsqueeze(1)  # 2, Wh*Ww, Wh*Ww
            relative_coords = relative_coords.transpose([1, 2, 0])
            relative_coords[:, :, 0] += window_size - 1
            relative_coords[:, :, 1] += window_size - 1
            relative_coords[:, :, 0] *= 2 * window_size - 1
            return relative_coords.sum(-1)
        """,
    ),
    (
        "relative_position_index",
        "a double loop over pairs",
        "",
        """
        def relative_position_index(window_size):
            M = window_size
            index = []
            for i in range(M * M):
                line = []
                for j in range(M * M):
                    dy, dx = i // M - j // M, i % M - j % M
                    line.append((dy + M - 1) * (2 * M - 1) + dx + M - 1)
                index.append(line)
            return paddle.to_tensor(index)
        """,
    ),
    (
        "relative_position_index",
        "in numpy, one number a token",
        "import numpy as np\n",
        """
        def relative_position_index(window_size):
            rows, columns = np.indices((window_size, window_size))
            place = (rows * (2 * window_size - 1) + columns).ravel()
            middle = 2 * window_size * (window_size - 1)
            return paddle.to_tensor(np.subtract.outer(place, place) + middle, dtype='int64')
        """,
    ),
    (
        "relative_position_index",
        "helper for one axis",
        """
        def steps(coordinate, M):
            return paddle.reshape(coordinate, [-1, 1]) - paddle.reshape(coordinate, [1, -1]) + (M - 1)
        """,
        """
        def relative_position_index(window_size):
            down = steps(paddle.arange(window_size).repeat_interleave(window_size), window_size)
            right = steps(paddle.tile(paddle.arange(window_size), [window_size]), window_size)
            return paddle.cast(down * (2 * window_size - 1) + right, 'int64')
        """,
    ),
]
