"""Right answers of another shape, lesson 3: the attention inside of windows. As in alternatives.py."""

ALTERNATIVES = [
    (
        "WindowAttention.__init__",
        "the initializer given to create_parameter",
        "from paddle.nn.initializer import TruncatedNormal\n",
        """
        def __init__(self, embed_dim=96, num_heads=3, window_size=7, qkv_bias=True, dropout=0., attention_dropout=0.):
            super().__init__(embed_dim=embed_dim, num_heads=num_heads, qkv_bias=qkv_bias, dropout=dropout, attention_dropout=attention_dropout)
            self.window_size = window_size
            rows = (2 * window_size - 1) * (2 * window_size - 1)
            self.relative_position_bias_table = paddle.create_parameter([rows, num_heads], 'float32', default_initializer=TruncatedNormal(std=.02))
            self.relative_position_index = relative_position_index(window_size)
        """,
    ),
    (
        "WindowAttention.__init__",
        "the table of an nn.Embedding, filled afterwards",
        "",
        """
        def __init__(self, embed_dim=96, num_heads=3, window_size=7, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
            super(WindowAttention, self).__init__(embed_dim, num_heads, qkv_bias, dropout, attention_dropout)
            self.window_size = check_window(window_size)
            index = relative_position_index(self.window_size)
            self.register_buffer('relative_position_index', index, False)
            self.add_parameter('relative_position_bias_table', nn.Embedding(int(index.max()) + 1, self.num_heads).weight)
            trunc_normal_(self.relative_position_bias_table)
        """,
    ),
    (
        "WindowAttention.relative_position_bias",
        "as the authors: one long row, reshape, permute",
        "",
        """
        def relative_position_bias(self):
            index = self.relative_position_index.reshape([-1])
            bias = self.relative_position_bias_table[index]
            N = self.window_size * self.window_size
            return bias.reshape([N, N, -1]).transpose([2, 0, 1])
        """,
    ),
    (
        "WindowAttention.relative_position_bias",
        "heads first, then gathered along the rows of the table",
        "",
        """
        def relative_position_bias(self):
            table = self.relative_position_bias_table.t()
            N = self.window_size ** 2
            return paddle.index_select(table, self.relative_position_index.flatten(), axis=1).reshape([self.num_heads, N, N])
        """,
    ),
    (
        "WindowAttention.relative_position_bias",
        "one-hot rows times the table",
        "",
        """
        def relative_position_bias(self):
            table = self.relative_position_bias_table
            one_hot = F.one_hot(self.relative_position_index, table.shape[0])
            return paddle.einsum('ijr,rh->hij', one_hot, table)
        """,
    ),
    (
        "WindowAttention.relative_position_bias",
        "head after head, stacked",
        "",
        """
        def relative_position_bias(self):
            columns = self.relative_position_bias_table.unbind(axis=1)
            N = self.window_size ** 2
            return paddle.stack([paddle.gather(c, self.relative_position_index.flatten()).reshape([N, N]) for c in columns])
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "as the authors: the mask in a branch of its own, softmax in both",
        "",
        """
        def attention_weights(self, q, k, mask=None):
            B_, nH, N, _ = q.shape
            q = q * self.head_dim ** -0.5
            attn = q @ k.transpose([0, 1, 3, 2])
            attn = attn + self.relative_position_bias().unsqueeze(0)
            if mask is not None:
                nW = mask.shape[0]
                attn = attn.reshape([B_ // nW, nW, nH, N, N]) + mask.unsqueeze(1).unsqueeze(0)
                attn = attn.reshape([-1, nH, N, N])
                attn = F.softmax(attn, axis=-1)
            else:
                attn = F.softmax(attn, axis=-1)
            return attn
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "the mask tiled over the images, einsum, one softmax",
        "import math\n",
        """
        def attention_weights(self, query, key, window_mask=None):
            scores = paddle.einsum('bhid,bhjd->bhij', query, key) / math.sqrt(self.head_dim)
            scores += self.relative_position_bias()
            if window_mask is not None:
                images = query.shape[0] // window_mask.shape[0]
                scores = scores + paddle.tile(window_mask, [images, 1, 1]).unsqueeze(1)
            return nn.Softmax(axis=-1)(scores)
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "image by image, the softmax written out",
        "",
        """
        def attention_weights(self, q, k, mask=None):
            nW = q.shape[0] if mask is None else mask.shape[0]
            mask = 0.0 if mask is None else mask.unsqueeze(1)
            done = []
            for first in range(0, q.shape[0], nW):
                s = q[first:first + nW] @ k[first:first + nW].transpose([0, 1, 3, 2]) * self.head_dim ** -0.5
                s = s + self.relative_position_bias() + mask
                e = paddle.exp(s - s.max(axis=-1, keepdim=True).detach())
                done.append(e / e.sum(axis=-1, keepdim=True))
            return paddle.concat(done)
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "hidden pairs filled with a large negative number",
        "",
        """
        def attention_weights(self, q, k, mask=None):
            scores = paddle.matmul(q, k, transpose_y=True) * (self.head_dim ** -0.5) + self.relative_position_bias()
            if mask is None:
                return F.softmax(scores, -1)
            scores = scores.reshape([-1, mask.shape[0], *scores.shape[1:]])
            hidden = (mask < 0).unsqueeze(1).unsqueeze(0).expand(scores.shape)
            scores = paddle.where(hidden, paddle.full_like(scores, -1e9), scores)
            return F.softmax(scores, -1).flatten(0, 1)
        """,
    ),
    (
        "WindowAttention.attention_weights",
        "the mask added before the bias, the scale shared by q and k",
        "",
        """
        def attention_weights(self, q, k, mask=None):
            scale = self.head_dim ** -0.25
            scores = paddle.matmul(q * scale, k * scale, transpose_y=True)
            if mask is not None:
                B = scores.shape[0] // mask.shape[0]
                mask = mask.unsqueeze(0).expand([B, -1, -1, -1]).flatten(0, 1)
                scores = scores + mask.unsqueeze(1)
            scores = scores + self.relative_position_bias()
            return paddle.exp(F.log_softmax(scores, axis=-1))
        """,
    ),
    (
        "WindowAttention.forward",
        "one name for all, a check of its own",
        "",
        """
        def forward(self, x, mask=None):
            if mask is not None:
                if mask.ndim != 3 or mask.shape[1] != x.shape[1] or mask.shape[2] != x.shape[1] or x.shape[0] % mask.shape[0]:
                    raise ValueError('this mask is for other windows')
            q, k, v = self.split_heads(self.qkv(x))
            attn = self.attention_weights(q, k, mask=mask)
            attn = self.attention_dropout(attn)
            x = paddle.matmul(attn, v)
            x = self.merge_heads(x)
            x = self.proj(x)
            x = self.dropout(x)
            return x
        """,
    ),
    (
        "WindowAttention.forward",
        "heads split and merged by hand, as the authors do it",
        "",
        """
        def forward(self, x, mask=None):
            if mask is not None:
                check_mask(x, mask)
            B_, N, C = x.shape
            qkv = self.qkv(x).reshape([B_, N, 3, self.num_heads, C // self.num_heads]).transpose([2, 0, 3, 1, 4])
            q, k, v = qkv[0], qkv[1], qkv[2]
            attn = self.attention_dropout(self.attention_weights(q, k, mask))
            x = (attn @ v).transpose([0, 2, 1, 3]).reshape([B_, N, C])
            return self.dropout(self.proj(x))
        """,
    ),
    (
        "WindowAttention.forward",
        "F.dropout, einsum and F.linear",
        "",
        """
        def forward(self, windows, mask=None):
            check_mask(windows, mask) if mask is not None else None
            q, k, v = self.split_heads(self.qkv(windows))
            weights = F.dropout(self.attention_weights(q, k, mask), self.attention_dropout.p, training=self.training)
            out = paddle.einsum('bhij,bhjd->bihd', weights, v).flatten(2)
            return F.dropout(F.linear(out, self.proj.weight, self.proj.bias), p=self.dropout.p, training=self.training)
        """,
    ),
]
