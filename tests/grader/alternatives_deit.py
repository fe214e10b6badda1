"""Right answers of another shape, lesson 2: layers.py, deit.py and the last section of recipe.py. As in alternatives.py."""

ALTERNATIVES = [
    (
        "trunc_normal_",
        "redrawn in numpy until all are inside",
        "import numpy as np\n",
        """
        def trunc_normal_(parameter, mean=0.0, std=0.02, a=-2.0, b=2.0):
            values = np.random.normal(mean, std, parameter.shape)
            while True:
                outside = (values < a) | (values > b)
                if not outside.any():
                    break
                values[outside] = np.random.normal(mean, std, outside.sum())
            parameter.set_value(values.astype("float32"))
            return parameter
        """,
    ),
    (
        "trunc_normal_",
        "redrawn with Paddle where it is outside, assigned",
        "",
        """
        def trunc_normal_(x, mean=0., std=.02, a=-2., b=2.):
            values = paddle.randn(x.shape) * std + mean
            while bool(((values < a) | (values > b)).any()):
                fresh = paddle.randn(x.shape) * std + mean
                values = paddle.where((values < a) | (values > b), fresh, values)
            paddle.assign(values, x)
            return x
        """,
    ),
    (
        "trunc_normal_",
        "one number after another, in Python",
        "import random\n",
        """
        def trunc_normal_(tensor, mean=0.0, std=0.02, a=-2.0, b=2.0):
            numbers, wanted = [], math.prod(tensor.shape)
            while len(numbers) < wanted:
                number = random.gauss(mean, std)
                if a <= number <= b:
                    numbers.append(number)
            with paddle.no_grad():
                tensor[:] = paddle.to_tensor(numbers, dtype='float32').reshape(tensor.shape)
            return tensor
        """,
    ),
    (
        "trunc_normal_",
        "as in timm: in place, step by step",
        "",
        """
        def trunc_normal_(tensor, mean=0.0, std=0.02, a=-2.0, b=2.0):
            def norm_cdf(x):
                return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0

            with paddle.no_grad():
                l = norm_cdf((a - mean) / std)
                u = norm_cdf((b - mean) / std)
                tensor.uniform_(2 * l - 1, 2 * u - 1)
                tensor.erfinv_()
                tensor.multiply_(paddle.to_tensor(std * math.sqrt(2.0)))
                tensor.add_(paddle.to_tensor(mean))
                tensor.clip_(a, b)
                return tensor
        """,
    ),
    (
        "trunc_normal_",
        "the distribution's own table, read backwards",
        "import numpy as np\nfrom statistics import NormalDist\n",
        """
        def trunc_normal_(parameter, mean=0.0, std=0.02, a=-2.0, b=2.0):
            normal = NormalDist(mean, std)
            low, high = max(a, mean - 6 * std), min(b, mean + 6 * std)
            x = np.linspace(low, high, 4000)
            u = np.random.uniform(normal.cdf(low), normal.cdf(high), size=tuple(parameter.shape))
            parameter.set_value(np.interp(u, [normal.cdf(value) for value in x], x).astype('float32'))
            return parameter
        """,
    ),
    (
        "trunc_normal_",
        "Paddle's own initializer, where it cuts at absolute bounds",
        "import inspect\nfrom paddle.nn.initializer import Normal, TruncatedNormal\n",
        """
        def trunc_normal_(parameter, mean=0.0, std=0.02, a=-2.0, b=2.0):
            if 'a' in inspect.signature(TruncatedNormal.__init__).parameters:
                TruncatedNormal(mean=mean, std=std, a=a, b=b)(parameter)
                return parameter
            fresh = paddle.create_parameter(parameter.shape, 'float32')
            Normal(mean, std)(parameter)
            while True:
                outside = (parameter < a).logical_or(parameter > b)
                if not outside.any():
                    return parameter
                Normal(mean, std)(fresh)
                parameter.set_value(paddle.where(outside, fresh, parameter).detach())
        """,
    ),
    (
        "drop_path",
        "uniform numbers below the probability of keeping",
        "",
        """
        def drop_path(x, drop_prob=0., training=False):
            if drop_prob > 0 and training:
                keep_prob = 1 - drop_prob
                random_tensor = keep_prob + paddle.rand([x.shape[0]] + [1] * (x.ndim - 1))
                return x.divide(paddle.to_tensor(keep_prob)) * paddle.floor(random_tensor)
            return x
        """,
    ),
    (
        "drop_path",
        "dropout along the batch",
        "import paddle.nn.functional as F\n",
        """
        def drop_path(x, p=0.0, training=True):
            return F.dropout(x, p=p, axis=0, training=training, mode='upscale_in_train')
        """,
    ),
    (
        "drop_path",
        "a loop over the samples, with numpy's random numbers",
        "import numpy as np\n",
        """
        def drop_path(x, p=0.0, training=True):
            if training and p:
                samples = []
                for sample in x:
                    samples.append(sample * 0.0 if np.random.rand() < p else sample / (1 - p))
                x = paddle.stack(samples)
            return x
        """,
    ),
    (
        "drop_path",
        "where",
        "",
        """
        def drop_path(x, p=0.0, training=True):
            if not training or p == 0:
                return x + 0
            kept = paddle.rand((x.shape[0],)) >= p
            kept = kept.reshape([-1] + [1] * (len(x.shape) - 1)).expand(x.shape)
            return paddle.where(kept, x / (1 - p), paddle.zeros_like(x))
        """,
    ),
    (
        "DistilledPatchEmbedding.__init__",
        "initialisers of its own, arguments by keyword",
        "from paddle.nn.initializer import Normal, TruncatedNormal\n",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, embed_dim=768, dropout=0.):
            super(DistilledPatchEmbedding, self).__init__(image_size=image_size, patch_size=patch_size,
                                                          in_channels=in_channels, embed_dim=embed_dim, dropout=dropout)
            rows, columns = self.grid
            self.position_embedding = paddle.create_parameter([1, rows * columns + 2, embed_dim], 'float32', default_initializer=Normal(0., .02))
            self.distill_token = self.create_parameter(shape=(1, 1, embed_dim), attr=paddle.ParamAttr(initializer=TruncatedNormal(std=.02)))
        """,
    ),
    (
        "DistilledPatchEmbedding.__init__",
        "N from the parameter that ViT made",
        "",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, embed_dim=768, dropout=0.0):
            super().__init__(image_size, patch_size, in_channels, embed_dim, dropout)
            n = self.position_embedding.shape[1] + 1
            self.distill_token = trunc_normal_(self.create_parameter([1, 1, embed_dim]), std=0.02)
            self.position_embedding = trunc_normal_(self.create_parameter([1, n, embed_dim]), std=0.02)
        """,
    ),
    (
        "DistilledPatchEmbedding.__init__",
        "added under its name, a list as initial value",
        "import numpy as np\n",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, embed_dim=768, dropout=0.0):
            super().__init__(image_size, patch_size, in_channels, embed_dim, dropout)
            init = nn.initializer.TruncatedNormal(std=0.02)
            self.add_parameter("distill_token", self.create_parameter([1, 1, embed_dim], default_initializer=init))
            shape = [1, int(np.prod(self.grid)) + 2, embed_dim]
            self.position_embedding = self.create_parameter(shape, default_initializer=init, is_bias=False)
        """,
    ),
    (
        "DistilledPatchEmbedding.add_class_token",
        "ViT's own method, then the second token between",
        "",
        """
        def add_class_token(self, x):
            x = super().add_class_token(x)
            distill = paddle.tile(self.distill_token, [x.shape[0], 1, 1])
            return paddle.concat([x[:, :1], distill, x[:, 1:]], axis=1)
        """,
    ),
    (
        "DistilledPatchEmbedding.add_class_token",
        "both joined first, broadcast afterwards",
        "",
        """
        def add_class_token(self, tokens):
            both = paddle.concat((self.class_token, self.distill_token), axis=1)
            both = paddle.broadcast_to(both, [tokens.shape[0], 2, tokens.shape[2]])
            return paddle.concat((both, tokens), axis=-2)
        """,
    ),
    (
        "DistilledPatchEmbedding.add_class_token",
        "sample by sample",
        "",
        """
        def add_class_token(self, x):
            return paddle.stack([paddle.concat([self.class_token[0], self.distill_token[0], one]) for one in x])
        """,
    ),
    (
        "DeiT.__init__",
        "everything by keyword, init_weights on the whole",
        "",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, num_classes=1000, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4., qkv_bias=True, dropout=0., attention_dropout=0., droppath=0.):
            super().__init__(image_size=image_size, patch_size=patch_size, in_channels=in_channels, num_classes=num_classes, embed_dim=embed_dim, depth=depth, num_heads=num_heads, mlp_ratio=mlp_ratio, qkv_bias=qkv_bias, dropout=dropout, attention_dropout=attention_dropout, droppath=droppath)
            if num_classes == 0:
                self.head_distill = nn.Identity()
            else:
                self.head_distill = nn.Linear(in_features=embed_dim, out_features=num_classes, bias_attr=True)
            self.patch_embedding = DistilledPatchEmbedding(image_size=image_size, patch_size=patch_size, in_channels=in_channels, embed_dim=embed_dim, dropout=dropout)
            self.apply(init_weights)
        """,
    ),
    (
        "DeiT.__init__",
        "arguments collected, initial values by attributes",
        "from paddle.nn.initializer import Constant, Normal\n",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, num_classes=1000, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4., qkv_bias=True, dropout=0., attention_dropout=0., droppath=0.):
            super().__init__(image_size, patch_size, in_channels, num_classes, embed_dim, depth, num_heads, mlp_ratio, qkv_bias, dropout, attention_dropout, droppath)
            first = (image_size, patch_size, in_channels, embed_dim)
            self.patch_embedding = DistilledPatchEmbedding(*first, dropout=dropout)
            init_weights(self.patch_embedding.patch_embedding)
            self.head_distill = nn.Identity()
            if num_classes:
                self.head_distill = nn.Linear(embed_dim, num_classes, weight_attr=Normal(std=0.02), bias_attr=Constant(0.0))
        """,
    ),
    (
        "DeiT.__init__",
        "the second head made like the first",
        "import copy\n",
        """
        def __init__(self, image_size=224, patch_size=16, in_channels=3, num_classes=1000, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4., qkv_bias=True, dropout=0., attention_dropout=0., droppath=0.):
            super().__init__(image_size, patch_size, in_channels, num_classes, embed_dim, depth, num_heads, mlp_ratio, qkv_bias, dropout, attention_dropout, droppath)
            self.patch_embedding = DistilledPatchEmbedding(image_size, patch_size, in_channels, embed_dim, dropout)
            self.head_distill = copy.deepcopy(self.head)
            for layer in (self.patch_embedding, self.head_distill):
                layer.apply(init_weights)
        """,
    ),
    (
        "DeiT.forward_head",
        "unbound tokens, a stacked mean",
        "",
        """
        def forward_head(self, tokens):
            first, second = tokens[:, :2].unbind(axis=1)
            pair = [self.head(first), self.head_distill(second)]
            return pair if self.training else paddle.stack(pair).mean(axis=0)
        """,
    ),
    (
        "DeiT.forward_head",
        "heads on all tokens, evaluation first",
        "",
        """
        def forward_head(self, x):
            one = self.head(x)[:, 0, :]
            two = self.head_distill(x)[:, 1, :]
            if not self.training:
                return 0.5 * one + 0.5 * two
            return (one, two)
        """,
    ),
    (
        "DeiT.forward_head",
        "an operation for each",
        "",
        """
        def forward_head(self, x):
            one = self.head(paddle.index_select(x, paddle.to_tensor([0]), axis=1).squeeze(1))
            two = self.head_distill(paddle.slice(x, axes=[1], starts=[1], ends=[2]).squeeze(axis=1))
            mean = paddle.add(one, two) / 2
            return (one, two) if self.training else mean
        """,
    ),
    (
        "update_ema",
        "bound anew in the dict, weights detached",
        "",
        """
        def update_ema(averages, model, decay):
            for name, weight in model.state_dict().items():
                averages[name] = decay * averages[name] + (1 - decay) * weight.detach()
        """,
    ),
    (
        "update_ema",
        "in place, step by step",
        "",
        """
        @paddle.no_grad()
        def update_ema(averages, model, decay):
            state = model.state_dict()
            for name in averages:
                averages[name].scale_(decay)
                averages[name].add_(state[name] * (1 - decay))
        """,
    ),
    (
        "update_ema",
        "a small step towards the weights, in numpy",
        "import numpy as np\n",
        """
        def update_ema(ema, model, decay):
            for key, value in model.state_dict().items():
                old = ema[key].numpy()
                ema[key] = paddle.to_tensor(old + (value.numpy() - old) * np.float32(1 - decay))
        """,
    ),
    (
        "update_ema",
        "lerp and assign",
        "",
        """
        def update_ema(averages, model, decay):
            with paddle.no_grad():
                for (name, theta), m in zip(model.state_dict().items(), averages.values()):
                    paddle.assign(paddle.lerp(theta, m, decay), m)
        """,
    ),
    (
        "scaled_learning_rate",
        "the ratio first, in numpy",
        "import numpy as np\n",
        """
        def scaled_learning_rate(lr, batch, base=512):
            ratio = np.float64(batch) / base
            return ratio * lr
        """,
    ),
    (
        "scaled_learning_rate",
        "the rate of one image",
        "",
        """
        def scaled_learning_rate(learning_rate, batch_size, base=512.0):
            per_image = learning_rate / base
            return float(per_image * batch_size)
        """,
    ),
    (
        "learning_rate_at",
        "numpy, all in one chain, the squared cosine of half the angle",
        "import numpy as np\n",
        """
        def learning_rate_at(t, peak, warmup=0.0, minimum=0.0):
            if t < warmup:
                lr = peak * (t / warmup)
            elif t < 1:
                lr = minimum + (peak - minimum) * np.cos(np.pi / 2 * (t - warmup) / (1 - warmup)) ** 2
            else:
                lr = minimum
            return lr
        """,
    ),
    (
        "learning_rate_at",
        "the progress held at the end",
        "",
        """
        def learning_rate_at(progress, peak, warmup=0.0, minimum=0.0):
            if warmup > 0 and progress <= warmup:
                return progress / warmup * peak
            share = min((progress - warmup) / (1 - warmup), 1.0)
            return peak - (peak - minimum) * (1 - math.cos(math.pi * share)) / 2
        """,
    ),
    (
        "learning_rate_at",
        "with Paddle",
        "",
        """
        def learning_rate_at(progress, peak, warmup=0.0, minimum=0.0):
            if progress < warmup:
                return peak * progress / warmup
            share = paddle.clip(paddle.to_tensor((progress - warmup) / (1 - warmup), dtype='float64'), 0.0, 1.0)
            return float(minimum + 0.5 * (peak - minimum) * (1 + paddle.cos(share * math.pi)))
        """,
    ),
    (
        "has_weight_decay",
        "a loop over the parts of the name",
        "",
        """
        def has_weight_decay(name, parameter):
            for part in name.split('.'):
                if part in ('class_token', 'distill_token', 'position_embedding', 'relative_position_bias_table'):
                    return False
            if len(parameter.shape) == 1:
                return False
            return True
        """,
    ),
    (
        "has_weight_decay",
        "a regular expression",
        "import re\n",
        """
        def has_weight_decay(name, p):
            special = re.search(r'(^|\\.)(class_token|distill_token|position_embedding|relative_position_bias_table)(\\.|$)', name)
            return p.ndim >= 2 and special is None
        """,
    ),
    (
        "has_weight_decay",
        "dots around the name",
        "",
        """
        def has_weight_decay(name, parameter):
            words = "class_token", "distill_token", "position_embedding", "relative_position_bias_table"
            tokens = any(f".{word}." in f".{name}." for word in words)
            return not (tokens or parameter.ndim <= 1)
        """,
    ),
]
