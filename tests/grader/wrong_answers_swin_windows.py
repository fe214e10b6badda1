"""Wrong answers without a name, lesson 3: patches, windows and the relative position index. As in wrong_answers.py."""

WRONG_ANSWERS = [
    (
        "PatchEmbed.__init__",
        "of another name",
        """
        def __init__(self, image_size=224, patch_size=4, in_channels=3, embed_dim=96):
            super().__init__()
            self.image_size, self.patch_size = pair(image_size), pair(patch_size)
            self.grid = padded_grid(image_size, patch_size)
            self.patch_embedding = nn.Conv2D(in_channels, embed_dim, self.patch_size, self.patch_size)
            self.norm = nn.LayerNorm(embed_dim, epsilon=1e-5)
        """,
    ),
    (
        "PatchEmbed.__init__",
        "a batch norm over the channels",
        """
        def __init__(self, image_size=224, patch_size=4, in_channels=3, embed_dim=96):
            super().__init__()
            self.image_size, self.patch_size = pair(image_size), pair(patch_size)
            self.grid = padded_grid(image_size, patch_size)
            self.proj = nn.Conv2D(in_channels, embed_dim, self.patch_size, self.patch_size)
            self.norm = nn.BatchNorm2D(embed_dim, data_format="NHWC")
        """,
    ),
    (
        "PatchEmbed.__init__",
        "kernels that overlap",
        """
        def __init__(self, image_size=224, patch_size=4, in_channels=3, embed_dim=96):
            super().__init__()
            self.image_size, self.patch_size = pair(image_size), pair(patch_size)
            self.grid = padded_grid(image_size, patch_size)
            kernel = [2 * size - 1 for size in self.patch_size]
            self.proj = nn.Conv2D(in_channels, embed_dim, kernel, self.patch_size, padding=[size - 1 for size in self.patch_size])
            self.norm = nn.LayerNorm(embed_dim, epsilon=1e-5)
        """,
    ),
    (
        "PatchEmbed.__init__",
        "epsilon 1e-4",
        """
        def __init__(self, image_size=224, patch_size=4, in_channels=3, embed_dim=96):
            super().__init__()
            self.image_size, self.patch_size = pair(image_size), pair(patch_size)
            self.grid = padded_grid(image_size, patch_size)
            self.proj = nn.Conv2D(in_channels, embed_dim, self.patch_size, self.patch_size)
            self.norm = nn.LayerNorm(embed_dim, epsilon=1e-4)
        """,
    ),
    (
        "PatchEmbed.forward",
        "rows padded below, columns at the left",
        """
        def forward(self, image):
            bottom, left = -image.shape[2] % self.patch_size[0], -image.shape[3] % self.patch_size[1]
            image = F.pad(image, [left, 0, 0, bottom])
            return self.norm(self.proj(image).transpose([0, 2, 3, 1]))
        """,
    ),
    (
        "PatchEmbed.forward",
        "the image resized to whole patches",
        """
        def forward(self, image):
            size = [round_up(one, patch) for one, patch in zip(image.shape[2:], self.patch_size)]
            image = F.interpolate(image, size, mode="nearest")
            return self.norm(self.proj(image).transpose([0, 2, 3, 1]))
        """,
    ),
    (
        "PatchEmbed.forward",
        "padded with ones",
        """
        def forward(self, image):
            bottom, right = -image.shape[2] % self.patch_size[0], -image.shape[3] % self.patch_size[1]
            image = F.pad(image, [0, right, 0, bottom], value=1.0)
            return self.norm(self.proj(image).transpose([0, 2, 3, 1]))
        """,
    ),
    (
        "PatchEmbed.forward",
        "both paddings by the height of the patch",
        """
        def forward(self, image):
            bottom, right = -image.shape[2] % self.patch_size[0], -image.shape[3] % self.patch_size[0]
            image = F.pad(image, [0, right, 0, bottom])
            return self.norm(self.proj(image).transpose([0, 2, 3, 1]))
        """,
    ),
    (
        "PatchEmbed.forward",
        "normalised without the norm's weight and bias",
        """
        def forward(self, image):
            bottom, right = -image.shape[2] % self.patch_size[0], -image.shape[3] % self.patch_size[1]
            x = self.proj(F.pad(image, [0, right, 0, bottom])).transpose([0, 2, 3, 1])
            return F.layer_norm(x, x.shape[-1:], epsilon=1e-5)
        """,
    ),
    (
        "PatchEmbed.forward",
        "normalised over the channels and the map",
        """
        def forward(self, image):
            bottom, right = -image.shape[2] % self.patch_size[0], -image.shape[3] % self.patch_size[1]
            x = self.proj(F.pad(image, [0, right, 0, bottom])).transpose([0, 2, 3, 1])
            return F.layer_norm(x, x.shape[1:], epsilon=1e-5) * self.norm.weight + self.norm.bias
        """,
    ),
    (
        "window_partition",
        "windows from below",
        """
        def window_partition(x, window_size):
            B, H, W, C = x.shape
            M = window_size
            x = x.reshape([B, H // M, M, W // M, M, C]).flip(axis=[1])
            return x.transpose([0, 1, 3, 2, 4, 5]).reshape([-1, M, M, C])
        """,
    ),
    (
        "window_partition",
        "numbered by columns and turned",
        """
        def window_partition(x, window_size):
            B, H, W, C = x.shape
            M = window_size
            x = x.transpose([0, 2, 1, 3]).reshape([B, W // M, M, H // M, M, C])
            return x.transpose([0, 1, 3, 2, 4, 5]).reshape([-1, M, M, C])
        """,
    ),
    (
        "window_partition",
        "windows that overlap by one token",
        """
        def window_partition(x, window_size):
            B, H, W, C = x.shape
            M = window_size
            windows = []
            for top in range(0, H, M):
                for left in range(0, W, M):
                    y, z = max(top - 1, 0), max(left - 1, 0)
                    windows.append(x[:, y:y + M, z:z + M])
            return paddle.stack(windows, axis=1).flatten(0, 1)
        """,
    ),
    (
        "window_partition",
        "stacked along the first axis, so windows before images",
        """
        def window_partition(x, window_size):
            rows = x.split(x.shape[1] // window_size, axis=1)
            return paddle.concat([w for row in rows[::-1] for w in row.split(x.shape[2] // window_size, axis=2)])
        """,
    ),
    (
        "window_partition",
        "through numpy, so without gradient",
        """
        def window_partition(x, window_size):
            B, H, W, C = x.shape
            M = window_size
            a = x.numpy().reshape(B, H // M, M, W // M, M, C).transpose(0, 1, 3, 2, 4, 5)
            return paddle.to_tensor(a.reshape(-1, M, M, C))
        """,
    ),
    (
        "window_reverse",
        "windows one below the other, from left to right",
        """
        def window_reverse(windows, window_size, H, W):
            M, C = window_size, windows.shape[-1]
            x = windows.reshape([-1, W // M, H // M, M, M, C])
            return x.transpose([0, 2, 4, 1, 3, 5]).reshape([-1, H, W, C])
        """,
    ),
    (
        "window_reverse",
        "turned by half",
        """
        def window_reverse(windows, window_size, H, W):
            M, C = window_size, windows.shape[-1]
            x = windows.reshape([-1, H // M, W // M, M, M, C])
            return x.transpose([0, 1, 3, 2, 4, 5]).reshape([-1, H, W, C]).flip(axis=[1, 2])
        """,
    ),
    (
        "window_reverse",
        "one image for all, windows added up",
        """
        def window_reverse(windows, window_size, H, W):
            M, C = window_size, windows.shape[-1]
            x = windows.reshape([-1, H // M, W // M, M, M, C])
            x = x.transpose([0, 1, 3, 2, 4, 5]).reshape([-1, H, W, C])
            return x.mean(axis=0, keepdim=True).expand_as(x)
        """,
    ),
    (
        "window_reverse",
        "the gradient cut",
        """
        def window_reverse(windows, window_size, H, W):
            M, C = window_size, windows.shape[-1]
            x = windows.detach().reshape([-1, H // M, W // M, M, M, C])
            return x.transpose([0, 1, 3, 2, 4, 5]).reshape([-1, H, W, C])
        """,
    ),
    (
        "relative_position_index",
        "from i to j, rows and columns exchanged",
        """
        def relative_position_index(window_size):
            M = window_size
            token = paddle.arange(M * M)
            row, column = token // M, token % M
            dy = row.unsqueeze(0) - row.unsqueeze(1)
            dx = column.unsqueeze(0) - column.unsqueeze(1)
            return (dx + M - 1) * (2 * M - 1) + dy + M - 1
        """,
    ),
    (
        "relative_position_index",
        "the distance from the first token of the row, without j",
        """
        def relative_position_index(window_size):
            M = window_size
            token = paddle.arange(M * M)
            row, column = (token // M).unsqueeze(1), (token % M).unsqueeze(1)
            return ((row + M - 1) * (2 * M - 1) + column + M - 1).expand([M * M, M * M])
        """,
    ),
    (
        "relative_position_index",
        "times 2M + 1",
        """
        def relative_position_index(window_size):
            M = window_size
            token = paddle.arange(M * M)
            row, column = token // M, token % M
            dy = row.unsqueeze(1) - row.unsqueeze(0)
            dx = column.unsqueeze(1) - column.unsqueeze(0)
            return (dy + M - 1) * (2 * M + 1) + dx + M - 1
        """,
    ),
    (
        "relative_position_index",
        "the authors' way, with the second axis multiplied",
        """
        def relative_position_index(window_size):
            axis = paddle.arange(window_size)
            coords = paddle.stack(paddle.meshgrid([axis, axis])).flatten(1)
            relative = (coords.unsqueeze(2) - coords.unsqueeze(1)).transpose([2, 1, 0]) + window_size - 1
            return relative[:, :, 0] + relative[:, :, 1] * (2 * window_size - 1)
        """,
    ),
    (
        "relative_position_index",
        "right for windows of 3 only",
        """
        def relative_position_index(window_size):
            M = window_size
            token = paddle.arange(M * M)
            dy = (token // M).unsqueeze(1) - (token // M).unsqueeze(0)
            dx = (token % M).unsqueeze(1) - (token % M).unsqueeze(0)
            return (dy + M - 1) * 5 + dx + M - 1
        """,
    ),
    (
        "relative_position_index",
        "as floating-point numbers",
        """
        def relative_position_index(window_size):
            M = window_size
            token = paddle.arange(M * M)
            dy = (token // M).unsqueeze(1) - (token // M).unsqueeze(0)
            dx = (token % M).unsqueeze(1) - (token % M).unsqueeze(0)
            return ((dy + M - 1) * (2 * M - 1) + dx + M - 1).astype("float32")
        """,
    ),
]
