"""Wrong answers without a name, lesson 3: the attention inside of windows. As in wrong_answers.py."""

WRONG_ANSWERS = [
    (
        "WindowAttention.__init__",
        "dropouts exchanged on their way to ViT",
        """
        def __init__(self, embed_dim=96, num_heads=3, window_size=7, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
            super().__init__(embed_dim, num_heads, qkv_bias, attention_dropout, dropout)
            self.window_size = window_size
            self.relative_position_bias_table = trunc_normal_(self.create_parameter([(2 * window_size - 1) ** 2, num_heads]))
            self.register_buffer("relative_position_index", relative_position_index(window_size), persistable=False)
        """,
    ),
    (
        "WindowAttention.__init__",
        "qkv_bias not passed on",
        """
        def __init__(self, embed_dim=96, num_heads=3, window_size=7, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
            super().__init__(embed_dim, num_heads, dropout=dropout, attention_dropout=attention_dropout)
            self.window_size = window_size
            self.relative_position_bias_table = trunc_normal_(self.create_parameter([(2 * window_size - 1) ** 2, num_heads]))
            self.register_buffer("relative_position_index", relative_position_index(window_size), persistable=False)
        """,
    ),
    (
        "WindowAttention.__init__",
        "the table not trained",
        """
        def __init__(self, embed_dim=96, num_heads=3, window_size=7, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
            super().__init__(embed_dim, num_heads, qkv_bias, dropout, attention_dropout)
            self.window_size = window_size
            self.relative_position_bias_table = trunc_normal_(self.create_parameter([(2 * window_size - 1) ** 2, num_heads]))
            self.relative_position_bias_table.stop_gradient = True
            self.register_buffer("relative_position_index", relative_position_index(window_size), persistable=False)
        """,
    ),
    (
        "WindowAttention.__init__",
        "half the spread",
        """
        def __init__(self, embed_dim=96, num_heads=3, window_size=7, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
            super().__init__(embed_dim, num_heads, qkv_bias, dropout, attention_dropout)
            self.window_size = window_size
            self.relative_position_bias_table = self.create_parameter([(2 * window_size - 1) ** 2, num_heads])
            trunc_normal_(self.relative_position_bias_table, std=0.01)
            self.register_buffer("relative_position_index", relative_position_index(window_size), persistable=False)
        """,
    ),
    (
        "WindowAttention.__init__",
        "the index a list",
        """
        def __init__(self, embed_dim=96, num_heads=3, window_size=7, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
            super().__init__(embed_dim, num_heads, qkv_bias, dropout, attention_dropout)
            self.window_size = window_size
            self.relative_position_bias_table = trunc_normal_(self.create_parameter([(2 * window_size - 1) ** 2, num_heads]))
            self.relative_position_index = relative_position_index(window_size).tolist()
        """,
    ),
    (
        "WindowAttention.__init__",
        "the table of another name",
        """
        def __init__(self, embed_dim=96, num_heads=3, window_size=7, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
            super().__init__(embed_dim, num_heads, qkv_bias, dropout, attention_dropout)
            self.window_size = window_size
            self.relative_position_table = trunc_normal_(self.create_parameter([(2 * window_size - 1) ** 2, num_heads]))
            self.register_buffer("relative_position_index", relative_position_index(window_size), persistable=False)
        """,
    ),
    (
        "WindowAttention.relative_position_bias",
        "heads in the reverse order",
        """
        def relative_position_bias(self):
            bias = F.embedding(self.relative_position_index, self.relative_position_bias_table)
            return bias.transpose([2, 0, 1]).flip(axis=[0])
        """,
    ),
    (
        "WindowAttention.relative_position_bias",
        "the first N * N rows of the table, without the index",
        """
        def relative_position_bias(self):
            N = self.window_size ** 2
            row = paddle.arange(N * N) % self.relative_position_bias_table.shape[0]
            return self.relative_position_bias_table[row].reshape([N, N, -1]).transpose([2, 0, 1])
        """,
    ),
    (
        "WindowAttention.relative_position_bias",
        "squashed by a sigmoid, as in the second version of Swin",
        """
        def relative_position_bias(self):
            bias = F.embedding(self.relative_position_index, self.relative_position_bias_table)
            return 16 * F.sigmoid(bias.transpose([2, 0, 1]))
        """,
    ),
    (
        "WindowAttention.relative_position_bias",
        "the row of zero steps taken for padding",
        """
        def relative_position_bias(self):
            middle = self.relative_position_bias_table.shape[0] // 2
            bias = F.embedding(self.relative_position_index, self.relative_position_bias_table, padding_idx=middle)
            return bias.transpose([2, 0, 1])
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "the softmax over all pairs of a window",
        """
        def attention_weights(self, q, k, mask=None):
            scores = paddle.matmul(q * self.head_dim**-0.5, k, transpose_y=True) + self.relative_position_bias()
            if mask is not None:
                scores = scores + paddle.tile(mask, [q.shape[0] // mask.shape[0], 1, 1]).unsqueeze(1)
            return F.softmax(scores.flatten(2), axis=-1).reshape(scores.shape)
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "the mask also divided by sqrt(D), and only a little hidden",
        """
        def attention_weights(self, q, k, mask=None):
            scores = paddle.matmul(q, k, transpose_y=True)
            if mask is not None:
                scores = scores + paddle.tile(mask * 0.02, [q.shape[0] // mask.shape[0], 1, 1]).unsqueeze(1)
            return F.softmax(scores * self.head_dim**-0.5 + self.relative_position_bias(), axis=-1)
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "the mask repeated window by window, and subtracted",
        """
        def attention_weights(self, q, k, mask=None):
            scores = paddle.matmul(q * self.head_dim**-0.5, k, transpose_y=True) + self.relative_position_bias()
            if mask is not None:
                scores = scores - mask.repeat_interleave(q.shape[0] // mask.shape[0], axis=0).unsqueeze(1)
            return F.softmax(scores, axis=-1)
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "the mask summed over all windows",
        """
        def attention_weights(self, q, k, mask=None):
            scores = paddle.matmul(q * self.head_dim**-0.5, k, transpose_y=True) + self.relative_position_bias()
            if mask is not None:
                scores = scores + mask.min(axis=0)
            return F.softmax(scores, axis=-1)
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "no softmax with a mask, and no bias either",
        """
        def attention_weights(self, q, k, mask=None):
            scores = paddle.matmul(q * self.head_dim**-0.5, k, transpose_y=True)
            if mask is not None:
                return scores + paddle.tile(mask, [q.shape[0] // mask.shape[0], 1, 1]).unsqueeze(1)
            return F.softmax(scores + self.relative_position_bias(), axis=-1)
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "the bias transposed where there is a mask",
        """
        def attention_weights(self, q, k, mask=None):
            scores, bias = paddle.matmul(q * self.head_dim**-0.5, k, transpose_y=True), self.relative_position_bias()
            if mask is not None:
                scores = scores + paddle.tile(mask, [q.shape[0] // mask.shape[0], 1, 1]).unsqueeze(1)
                bias = bias.transpose([0, 2, 1])
            return F.softmax(scores + bias, axis=-1)
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "the bias detached",
        """
        def attention_weights(self, q, k, mask=None):
            scores = paddle.matmul(q * self.head_dim**-0.5, k, transpose_y=True) + self.relative_position_bias().detach()
            if mask is not None:
                scores = scores + paddle.tile(mask, [q.shape[0] // mask.shape[0], 1, 1]).unsqueeze(1)
            return F.softmax(scores, axis=-1)
        """,
    ),
    (
        "WindowAttention.forward",
        "dropout on the tokens that come in",
        """
        def forward(self, x, mask=None):
            if mask is not None:
                check_mask(x, mask)
            q, k, v = self.split_heads(self.qkv(self.dropout(x)))
            weights = self.attention_dropout(self.attention_weights(q, k, mask))
            return self.proj(self.merge_heads(weights @ v))
        """,
    ),
    (
        "WindowAttention.forward",
        "the bias added to the weights once more",
        """
        def forward(self, x, mask=None):
            if mask is not None:
                check_mask(x, mask)
            q, k, v = self.split_heads(self.qkv(x))
            weights = self.attention_dropout(self.attention_weights(q, k, mask) + self.relative_position_bias())
            return self.dropout(self.proj(self.merge_heads(weights @ v)))
        """,
    ),
    (
        "WindowAttention.forward",
        "the parts of qkv in another order",
        """
        def forward(self, x, mask=None):
            if mask is not None:
                check_mask(x, mask)
            v, q, k = self.split_heads(self.qkv(x))
            weights = self.attention_dropout(self.attention_weights(q, k, mask))
            return self.dropout(self.proj(self.merge_heads(weights @ v)))
        """,
    ),
    (
        "WindowAttention.forward",
        "ViT's own weights where there is no mask, so without the bias",
        """
        def forward(self, x, mask=None):
            q, k, v = self.split_heads(self.qkv(x))
            if mask is None:
                weights = super().attention_weights(q, k)
            else:
                check_mask(x, mask)
                weights = self.attention_weights(q, k, mask)
            return self.dropout(self.proj(self.merge_heads(self.attention_dropout(weights) @ v)))
        """,
    ),
    (
        "WindowAttention.forward",
        "one mask for all windows, of what is hidden in each of them",
        """
        def forward(self, x, mask=None):
            if mask is not None:
                check_mask(x, mask)
                mask = mask.max(axis=0, keepdim=True)
            q, k, v = self.split_heads(self.qkv(x))
            weights = self.attention_dropout(self.attention_weights(q, k, mask))
            return self.dropout(self.proj(self.merge_heads(weights @ v)))
        """,
    ),
    (
        "WindowAttention.forward",
        "attention dropout on the weights and on the result",
        """
        def forward(self, x, mask=None):
            if mask is not None:
                check_mask(x, mask)
            q, k, v = self.split_heads(self.qkv(x))
            weights = self.attention_dropout(self.attention_weights(q, k, mask))
            return self.dropout(self.proj(self.attention_dropout(self.merge_heads(weights @ v))))
        """,
    ),
]
