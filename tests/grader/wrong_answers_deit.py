"""Wrong answers without a name, lesson 2: layers.py, deit.py, the last section of recipe.py. As in wrong_answers.py."""

WRONG_ANSWERS = [
    (
        "trunc_normal_",
        "the standard deviation right, the shape a triangle",
        """
        def trunc_normal_(parameter, mean=0.0, std=0.02, a=-2.0, b=2.0):
            low, high = max((a - mean) / std, -6.0), min((b - mean) / std, 6.0)
            density = [math.exp(-x * x / 2) for x in (low, high)]
            share = (math.erf(high / 2**0.5) - math.erf(low / 2**0.5)) / 2 * (2 * math.pi) ** 0.5
            shift = (density[0] - density[1]) / share
            spread = (1 + (low * density[0] - high * density[1]) / share - shift**2) ** 0.5
            triangle = paddle.rand(parameter.shape) - paddle.rand(parameter.shape)
            values = mean + std * (shift + spread * 6**0.5 * triangle)
            parameter.set_value(values.clip(a, b))
            return parameter
        """,
    ),
    (
        "trunc_normal_",
        "std taken for the variance",
        """
        def trunc_normal_(parameter, mean=0.0, std=0.02, a=-2.0, b=2.0):
            values = paddle.normal(mean, std**0.5, parameter.shape)
            while bool(((values < a) | (values > b)).any()):
                values = paddle.where((values < a) | (values > b), paddle.normal(mean, std**0.5, parameter.shape), values)
            parameter.set_value(values)
            return parameter
        """,
    ),
    (
        "trunc_normal_",
        "one number, repeated",
        """
        def trunc_normal_(parameter, mean=0.0, std=0.02, a=-2.0, b=2.0):
            parameter.set_value(paddle.full(parameter.shape, paddle.normal(mean, std, [1]).clip(a, b).item()))
            return parameter
        """,
    ),
    (
        "trunc_normal_",
        "normal numbers of the right spread, what is outside folded back",
        """
        def trunc_normal_(parameter, mean=0.0, std=0.02, a=-2.0, b=2.0):
            values = paddle.normal(mean, std, parameter.shape)
            values = paddle.where(values < a, 2 * a - values, values)
            values = paddle.where(values > b, 2 * b - values, values)
            parameter.set_value(values)
            return parameter
        """,
    ),
    (
        "trunc_normal_",
        "outside replaced by the mean",
        """
        def trunc_normal_(parameter, mean=0.0, std=0.02, a=-2.0, b=2.0):
            values = paddle.normal(mean, std, parameter.shape)
            inside = (values >= a).logical_and(values <= b)
            parameter.set_value(paddle.where(inside, values, paddle.full_like(values, mean)))
            return parameter
        """,
    ),
    (
        "trunc_normal_",
        "the same numbers in every row",
        """
        def trunc_normal_(parameter, mean=0.0, std=0.02, a=-2.0, b=2.0):
            values = paddle.normal(mean, std, parameter.shape[-1:])
            while bool(((values < a) | (values > b)).any()):
                values = paddle.where((values < a) | (values > b), paddle.normal(mean, std, parameter.shape[-1:]), values)
            parameter.set_value(values.expand(parameter.shape))
            return parameter
        """,
    ),
    (
        "drop_path",
        "just round(p * B) samples dropped",
        """
        def drop_path(x, p=0.0, training=True):
            if not training or p == 0.0:
                return x
            dropped = paddle.randperm(x.shape[0]) < round(p * x.shape[0])
            keep = 1.0 - dropped.astype(x.dtype).reshape([-1] + [1] * (x.ndim - 1))
            return x * keep / (1.0 - p)
        """,
    ),
    (
        "drop_path",
        "detached",
        """
        def drop_path(x, p=0.0, training=True):
            if not training or p == 0.0:
                return x
            keep = paddle.bernoulli(paddle.full([x.shape[0]] + [1] * (x.ndim - 1), 1.0 - p))
            return (x * keep / (1.0 - p)).detach()
        """,
    ),
    (
        "drop_path",
        "divided by the share that was kept",
        """
        def drop_path(x, p=0.0, training=True):
            if not training or p == 0.0:
                return x
            keep = paddle.bernoulli(paddle.full([x.shape[0]] + [1] * (x.ndim - 1), 1.0 - p))
            return x * keep / keep.mean().clip(min=1e-3)
        """,
    ),
    (
        "drop_path",
        "half of p",
        """
        def drop_path(x, p=0.0, training=True):
            if not training or p == 0.0:
                return x
            keep = paddle.bernoulli(paddle.full([x.shape[0]] + [1] * (x.ndim - 1), 1.0 - p / 2))
            return x * keep / (1.0 - p)
        """,
    ),
    (
        "drop_path",
        "the gradient not divided",
        """
        def drop_path(x, p=0.0, training=True):
            if not training or p == 0.0:
                return x
            keep = paddle.bernoulli(paddle.full([x.shape[0]] + [1] * (x.ndim - 1), 1.0 - p))
            return x * keep + (x * keep * p / (1.0 - p)).detach()
        """,
    ),
    (
        "DistilledPatchEmbedding.__init__",
        "the distillation token of another name",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, embed_dim=768, dropout=0.0):
            super().__init__(image_size, patch_size, in_channels, embed_dim, dropout)
            self.dist_token = self.create_parameter([1, 1, embed_dim])
            trunc_normal_(self.dist_token, std=0.02)
            self.position_embedding = self.create_parameter([1, 2 + self.grid[0] * self.grid[1], embed_dim])
            trunc_normal_(self.position_embedding, std=0.02)
        """,
    ),
    (
        "DistilledPatchEmbedding.__init__",
        "a table of two tokens more than ViT's",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, embed_dim=768, dropout=0.0):
            super().__init__(image_size, patch_size, in_channels, embed_dim, dropout)
            self.distill_token = trunc_normal_(self.create_parameter([1, 1, embed_dim]))
            self.position_embedding = trunc_normal_(self.create_parameter([1, 2 + self.position_embedding.shape[1], embed_dim]))
        """,
    ),
    (
        "DistilledPatchEmbedding.__init__",
        "dropout off",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, embed_dim=768, dropout=0.0):
            super().__init__(image_size, patch_size, in_channels, embed_dim)
            self.distill_token = trunc_normal_(self.create_parameter([1, 1, embed_dim]))
            self.position_embedding = trunc_normal_(self.create_parameter([1, 2 + self.grid[0] * self.grid[1], embed_dim]))
        """,
    ),
    (
        "DistilledPatchEmbedding.__init__",
        "positions that are not trained",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, embed_dim=768, dropout=0.0):
            super().__init__(image_size, patch_size, in_channels, embed_dim, dropout)
            self.distill_token = trunc_normal_(self.create_parameter([1, 1, embed_dim]))
            self.position_embedding = trunc_normal_(self.create_parameter([1, 2 + self.grid[0] * self.grid[1], embed_dim]))
            self.position_embedding.stop_gradient = True
        """,
    ),
    (
        "DistilledPatchEmbedding.add_class_token",
        "the distillation token detached",
        """
        def add_class_token(self, x):
            class_token = self.class_token.expand([x.shape[0], -1, -1])
            distill_token = self.distill_token.detach().expand([x.shape[0], -1, -1])
            return paddle.concat([class_token, distill_token, x], axis=1)
        """,
    ),
    (
        "DistilledPatchEmbedding.add_class_token",
        "in the place of the first image token",
        """
        def add_class_token(self, x):
            x = super().add_class_token(x)
            return paddle.concat([x[:, :1], self.distill_token.expand([x.shape[0], -1, -1]), x[:, 2:]], axis=1)
        """,
    ),
    (
        "DistilledPatchEmbedding.add_class_token",
        "squeezed, which breaks a batch of one",
        """
        def add_class_token(self, x):
            both = paddle.concat([self.class_token, self.distill_token], axis=1).expand([x.shape[0], -1, -1])
            return paddle.concat([both, x], axis=1).squeeze()
        """,
    ),
    (
        "DeiT.__init__",
        "the distilled embedding for square images only",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, num_classes=1000, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0, droppath=0.0):
            super().__init__(image_size, patch_size, in_channels, num_classes, embed_dim, depth, num_heads, mlp_ratio, qkv_bias, dropout, attention_dropout, droppath)
            image_size = image_size[0] if isinstance(image_size, tuple) else image_size
            self.patch_embedding = DistilledPatchEmbedding(image_size, patch_size, in_channels, embed_dim, dropout)
            self.head_distill = nn.Linear(embed_dim, num_classes) if num_classes else nn.Identity()
            self.apply(init_weights)
        """,
    ),
    (
        "DeiT.__init__",
        "a hidden layer in the second head",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, num_classes=1000, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0, droppath=0.0):
            super().__init__(image_size, patch_size, in_channels, num_classes, embed_dim, depth, num_heads, mlp_ratio, qkv_bias, dropout, attention_dropout, droppath)
            self.patch_embedding = DistilledPatchEmbedding(image_size, patch_size, in_channels, embed_dim, dropout)
            self.head_distill = nn.Sequential(nn.Linear(embed_dim, embed_dim), nn.Linear(embed_dim, num_classes))
            self.apply(init_weights)
        """,
    ),
    (
        "DeiT.__init__",
        "attention dropout and dropout swapped on their way to ViT",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, num_classes=1000, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0, droppath=0.0):
            super().__init__(image_size, patch_size, in_channels, num_classes, embed_dim, depth, num_heads, mlp_ratio, qkv_bias, attention_dropout, dropout, droppath)
            self.patch_embedding = DistilledPatchEmbedding(image_size, patch_size, in_channels, embed_dim, dropout)
            self.head_distill = nn.Linear(embed_dim, num_classes) if num_classes else nn.Identity()
            self.apply(init_weights)
        """,
    ),
    (
        "DeiT.__init__",
        "the second head starts as a copy of the first",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, num_classes=1000, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0, droppath=0.0):
            super().__init__(image_size, patch_size, in_channels, num_classes, embed_dim, depth, num_heads, mlp_ratio, qkv_bias, dropout, attention_dropout, droppath)
            self.patch_embedding = DistilledPatchEmbedding(image_size, patch_size, in_channels, embed_dim, dropout)
            self.patch_embedding.apply(init_weights)
            import copy
            self.head_distill = copy.deepcopy(self.head)
        """,
    ),
    (
        "DeiT.forward_head",
        "logits weighted two to one",
        """
        def forward_head(self, x):
            logits, distilled = self.head(x[:, 0]), self.head_distill(x[:, 1])
            return (logits, distilled) if self.training else (2 * logits + distilled) / 3
        """,
    ),
    (
        "DeiT.forward_head",
        "squeezed, which breaks a batch of one",
        """
        def forward_head(self, x):
            logits, distilled = self.head(x[:, :1].squeeze()), self.head_distill(x[:, 1:2].squeeze())
            return (logits, distilled) if self.training else (logits + distilled) / 2
        """,
    ),
    (
        "DeiT.forward_head",
        "no gradient through the distillation token",
        """
        def forward_head(self, x):
            logits, distilled = self.head(x[:, 0]), self.head_distill(x[:, 1].detach())
            return (logits, distilled) if self.training else (logits + distilled) / 2
        """,
    ),
    (
        "DeiT.forward_head",
        "the pair joined into one tensor",
        """
        def forward_head(self, x):
            pair = paddle.stack([self.head(x[:, 0]), self.head_distill(x[:, 1])])
            return pair if self.training else pair.mean(axis=0)
        """,
    ),
    (
        "update_ema",
        "the decay applied twice",
        """
        def update_ema(averages, model, decay):
            with paddle.no_grad():
                for name, value in model.state_dict().items():
                    for _ in range(2):
                        averages[name].set_value(averages[name] * decay + value * (1 - decay))
        """,
    ),
    (
        "update_ema",
        "detached, but the averages halved",
        """
        def update_ema(averages, model, decay):
            for name, value in model.state_dict().items():
                averages[name] = (averages[name] * decay + value.detach() * (1 - decay)) / 2
        """,
    ),
    (
        "update_ema",
        "weights only, no biases",
        """
        def update_ema(averages, model, decay):
            with paddle.no_grad():
                for name, value in model.state_dict().items():
                    if name.endswith("weight"):
                        averages[name].set_value(averages[name] * decay + value * (1 - decay))
        """,
    ),
    (
        "update_ema",
        "the model follows its average too",
        """
        def update_ema(averages, model, decay):
            with paddle.no_grad():
                for name, value in model.state_dict().items():
                    averages[name].set_value(averages[name] * decay + value * (1 - decay))
                    value.set_value(averages[name])
        """,
    ),
    (
        "scaled_learning_rate",
        "never above the given rate",
        """
        def scaled_learning_rate(learning_rate, batch_size, base=512):
            return learning_rate * min(batch_size / base, 1.0)
        """,
    ),
    (
        "scaled_learning_rate",
        "rounded to four places",
        """
        def scaled_learning_rate(learning_rate, batch_size, base=512):
            return round(learning_rate * batch_size / base, 4)
        """,
    ),
    (
        "scaled_learning_rate",
        "as a text",
        """
        def scaled_learning_rate(learning_rate, batch_size, base=512):
            return f"{learning_rate * batch_size / base}"
        """,
    ),
    (
        "learning_rate_at",
        "a warm-up along a cosine",
        """
        def learning_rate_at(progress, peak, warmup=0.0, minimum=0.0):
            if progress < warmup:
                return peak * (1 - math.cos(math.pi * progress / warmup)) / 2
            share = min((progress - warmup) / (1 - warmup), 1.0)
            return minimum + (peak - minimum) * (1 + math.cos(math.pi * share)) / 2
        """,
    ),
    (
        "learning_rate_at",
        "0 after the end",
        """
        def learning_rate_at(progress, peak, warmup=0.0, minimum=0.0):
            if progress < warmup:
                return peak * progress / warmup
            if progress > 1:
                return 0.0
            return minimum + (peak - minimum) * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup))) / 2
        """,
    ),
    (
        "learning_rate_at",
        "exponential decay between the same ends",
        """
        def learning_rate_at(progress, peak, warmup=0.0, minimum=0.0):
            if progress < warmup:
                return peak * progress / warmup
            share = min((progress - warmup) / (1 - warmup), 1.0)
            return max(peak * (max(minimum, 1e-6) / peak) ** share, minimum)
        """,
    ),
    (
        "has_weight_decay",
        "tokens by their shape: a first axis of 1",
        """
        def has_weight_decay(name, parameter):
            return parameter.ndim > 1 and parameter.shape[0] > 1
        """,
    ),
    (
        "has_weight_decay",
        "what ends in weight and belongs to no norm",
        """
        def has_weight_decay(name, parameter):
            return name.endswith("weight") and "norm" not in name
        """,
    ),
    (
        "has_weight_decay",
        "the rate instead of a truth value",
        """
        def has_weight_decay(name, parameter):
            words = {"class_token", "distill_token", "position_embedding", "relative_position_bias_table"}
            return 0.05 if parameter.ndim > 1 and not words & set(name.split(".")) else 0.0
        """,
    ),
]
