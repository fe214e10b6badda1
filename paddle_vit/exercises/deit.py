"""Lesson 2: what is run for its exercises. What is said stands in deit.yaml, by the same names; see vit.py.

Here are the exercises of layers.py and deit.py, and the capstone; those of recipe.py stand in deit_recipe.py (labels,
losses, images) and deit_weights.py (weights and the learning rate).

What is random has no values to compare. Cases of such functions compare statistics that are rounded so coarsely that a
right answer always gives the same: the steps are eleven standard errors wide, so that chance leaves one less than once
in ten million.
"""

import math

import numpy as np
import paddle
import PIL.Image

from paddle_vit.exercises import Case, deit_recipe, deit_weights
from paddle_vit.exercises.vit import close

# --- layers.py: the truncated normal distribution ----------------------------------------------------------------------


def _filled(layers, shape, **options):
    parameter = paddle.create_parameter(list(shape), "float32")
    layers.trunc_normal_(parameter, *options.values())  # mean, std, a, b
    return parameter.numpy()


def trunc_normal_result(layers, draw, shape):
    """Type, shape and dtype of what is returned, without its random values."""
    returned = layers.trunc_normal_(paddle.create_parameter(list(shape), "float32"))
    return paddle.zeros_like(returned) if isinstance(returned, paddle.Tensor) else returned


def trunc_normal_statistics(layers, draw, shape, **options):
    values = _filled(layers, shape, **options).astype("float64")
    # float32 draws hit the ends of the distribution once in millions; a right answer may leave that one infinite
    values = values.clip(options["mean"] - 6 * options["std"], options["mean"] + 6 * options["std"])
    mean, std, share = _truncated(**options)
    inside = np.abs(values - options["mean"]) < options["std"]
    return np.array(
        [
            _rounded(values.mean(), mean, 0.09 * std),
            _rounded(values.std(), std, 0.064 * std),
            _rounded(inside.mean(), share, 0.045),
        ]
    )


def _rounded(value, truth, step):
    """value, rounded to truth or a whole number of steps from it."""
    return truth + step * np.round((value - truth) / step)


def _truncated(mean, std, a, b):
    """Mean and standard deviation of the distribution, and the share nearer to mean than std."""
    low, high = (a - mean) / std, (b - mean) / std
    total = _phi(high) - _phi(low)
    density_low, density_high = (math.exp(-x * x / 2) / math.sqrt(2 * math.pi) for x in (low, high))
    shift = (density_low - density_high) / total
    variance = 1 + (low * density_low - high * density_high) / total - shift**2
    share = (_phi(min(high, 1.0)) - _phi(max(low, -1.0))) / total
    return mean + std * shift, std * math.sqrt(variance), share


def _phi(x):
    """The standard normal distribution function."""
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def trunc_normal_itself(layers, draw):
    parameter = paddle.create_parameter([3, 7], "float32", default_initializer=paddle.nn.initializer.Constant(9.0))
    returned = layers.trunc_normal_(parameter)
    return returned is parameter, parameter


def _filled_itself(outputs):
    same, values = outputs
    return bool(same) and bool((values != 9).all())


def trunc_normal_values(layers, draw, shape, **options):
    return _filled(layers, shape, **options)


def _inside(outputs):
    (values,) = outputs
    return values.min() >= 0.5 - 1e-4 and values.max() <= 3 + 1e-4


def _follows_the_curve(outputs):
    """Kolmogorov's test: the largest distance of the distribution functions, above the bound once in a million."""
    values = np.sort(outputs[0].astype("float64").ravel())
    wanted = np.array([_phi(x) for x in np.linspace(-2, 2, 801)])
    wanted = (wanted - wanted[0]) / (wanted[-1] - wanted[0])
    seen = np.searchsorted(values, np.linspace(-2, 2, 801), side="right") / len(values)
    return np.abs(seen - wanted).max() < math.sqrt(math.log(2e6) / (2 * len(values)))


def trunc_normal_twice(layers, draw):
    return [_filled(layers, (3, 1, 2)), _filled(layers, (3, 1, 2))]


def _all_different(outputs):
    one, other = outputs
    return len(np.unique(np.concatenate([one, other]))) >= one.size + other.size - 1  # float32 may coincide


# --- layers.py: stochastic depth --------------------------------------------------------------------------------------


def drop_path(layers, draw, shape, p):
    return layers.drop_path(draw.tensor(*shape), p, draw.train)


def drop_path_of_zeros(layers, draw, shape, p):
    """Only type, shape and dtype can be seen."""
    return layers.drop_path(paddle.zeros(list(shape)), p, draw.train)


def drop_path_of_ones(layers, draw, shape, p):
    out = layers.drop_path(paddle.ones(list(shape)), p, draw.train).numpy()
    rows = out.reshape([len(out), -1])
    kept = (rows != 0).mean(axis=1)
    return np.array([rows.min(), rows.max(), _rounded(kept.mean(), 1 - p, 0.08), ((kept > 0) & (kept < 1)).sum()])


def drop_path_of_shapes(layers, draw, p):
    inputs = [draw.tensor(*shape) for shape in ([64], [64, 3], [64, 3, 5], [64, 2, 3, 5])]
    return [(x, layers.drop_path(x, p, True)) for x in inputs]


def _whole_samples(outputs):
    return all(map(_whole, outputs[::2], outputs[1::2]))


def _whole(x, out):
    """Whether each sample is 0 or its input divided by 1 - p, for p = 0.4, and both occur."""
    if out.shape != x.shape:
        return False
    x, out = x.reshape([len(x), -1]), out.reshape([len(x), -1])
    dropped = (out == 0).all(axis=1)
    return 0 < dropped.sum() < len(x) and close(out[~dropped], x[~dropped] / 0.6)


def drop_path_gradient(layers, draw):
    x = draw.tensor(64, 3, 5)
    out = layers.drop_path(x, 0.4, True)
    gradient = paddle.zeros_like(x) if out.stop_gradient else paddle.grad(out.sum(), x)[0]
    return out, x, gradient


def _gradient_follows(outputs):
    out, x, gradient = outputs
    return close(gradient * x, out)


def drop_path_twice(layers, draw):
    x = draw.tensor(64, 3)
    return layers.drop_path(x, 0.4, True), layers.drop_path(x, 0.4, True)


def drop_path_of_pairs(layers, draw):
    """How many of two samples are kept, 128 times."""
    x = paddle.ones([2, 1])
    return paddle.concat([layers.drop_path(x, 0.5, True).sum(axis=0) / 2 for _ in range(128)])


def _pairs_by_chance(outputs):
    (kept,) = outputs  # 0, 1 or 2, with probabilities 1/4, 1/2 and 1/4
    return 0.24 < (kept == 1).mean() < 0.76


# --- deit.py ----------------------------------------------------------------------------------------------------------


def _patch_embedding(
    deit, draw, image_size=(6, 15), patch_size=(2, 3), in_channels=2, embed_dim=20, batch=3, **options
):
    layer = deit.DistilledPatchEmbedding(
        image_size=image_size, patch_size=patch_size, in_channels=in_channels, embed_dim=embed_dim, **options
    )
    return draw.layer(layer), draw.tensor(batch, in_channels, *image_size)


def patch_embedding(deit, draw, **options):
    layer, image = _patch_embedding(deit, draw, **options)
    return layer(image)


def add_class_token(deit, draw, batch=3):
    layer, _ = _patch_embedding(deit, draw)
    return layer.add_class_token(draw.tensor(batch, 7, 20))


def two_images(deit, draw):
    layer, image = _patch_embedding(deit, draw)
    return layer(image), layer(-image)


def _two_tokens_stay(outputs):
    one, other = outputs
    same = one.shape[1] == 17 and close(one[:, :2], other[:, :2]) and close(one[:, :2], one[:1, :2])
    return same and all(not close(one[:, place], other[:, place]) for place in range(2, 17))


def tokens_and_rest(deit, draw):
    layer, _ = _patch_embedding(deit, draw)
    x = draw.tensor(3, 7, 20)
    return layer.add_class_token(x), x, layer.class_token, layer.distill_token


def _class_then_distill(outputs):
    out, x, first, second = outputs
    return (
        out.shape == (3, 9, 20)
        and close(out[:, 2:], x)
        and close(out[:, :1], np.broadcast_to(first, (3, 1, 20)))
        and close(out[:, 1:2], np.broadcast_to(second, (3, 1, 20)))
    )


def _deit(deit, **options):
    # no encoder layers unless asked for: they are ViT's, and take the most time to create
    sizes = dict(
        image_size=(6, 10), patch_size=(3, 2), in_channels=2, num_classes=7, embed_dim=24, depth=0, num_heads=3
    )
    return deit.DeiT(**{**sizes, **options})


def whole_model(deit, draw, batch=3, **options):
    return draw.layer(_deit(deit, **options))(draw.tensor(batch, 2, 6, 10))


def initial_heads(deit, draw):
    model = _deit(deit, embed_dim=48, num_classes=29)
    first, *heads = model.patch_embedding.patch_embedding, model.head, model.head_distill
    return [layer.weight for layer in (first, *heads)], [layer.bias for layer in (first, *heads)]


def _std_and_zero(outputs):
    weights, biases = outputs[:3], outputs[3:]
    spread = all(0.015 < weight.std() < 0.025 for weight in weights) and all(close(bias, 0.0) for bias in biases)
    return spread and not close(weights[1], weights[2])


def forward_head(deit, draw, batch=3, **options):
    model = draw.layer(_deit(deit, **options))
    return model.forward_head(draw.tensor(batch, 12, 24))


def heads_in_both_modes(deit, draw):
    model, x = draw.layer(_deit(deit)), draw.tensor(3, 12, 24)
    model.train()
    first, second = model.forward_head(x)
    model.eval()
    return model.forward_head(x), first, second


def _mean_of_the_pair(outputs):
    mean, first, second = outputs
    return mean.shape == (3, 7) and not close(first, second) and close(mean, (first + second) / 2)


def heads_of_changed_tokens(deit, draw):
    """The pair in training: as it is, then with all tokens changed but the first, then all but the second."""
    model, x = draw.layer(_deit(deit)), draw.tensor(3, 12, 24)
    model.train()
    first_kept = paddle.concat([x[:, :1], -x[:, 1:]], axis=1)
    second_kept = paddle.concat([-x[:, :1], x[:, 1:2], -x[:, 2:]], axis=1)
    return [model.forward_head(tokens) for tokens in (x, first_kept, second_kept)]


def _each_its_token(outputs):
    first, second, first_kept, second_lost, first_lost, second_kept = outputs
    stay = close(first, first_kept) and close(second, second_kept)
    return stay and not close(first, first_lost) and not close(second, second_lost)


def _eval_and_train(run, **options):
    return [Case(run, options), Case(run, options, train=True)]


_SHOWS = (
    {"zh": "均值", "en": "the mean"},
    {"zh": "标准差", "en": "the standard deviation"},
    {"zh": "与均值 mean 相差不到一个 std 的数所占的比例", "en": "the share of numbers nearer to mean than std"},
)
_COUNTS = (
    {"zh": "最小的结果", "en": "the smallest result"},
    {"zh": "最大的结果", "en": "the largest result"},
    {"zh": "保留下来的比例", "en": "the share that is kept"},
    {"zh": "只有一部分被丢弃的样本数", "en": "the number of samples that are dropped in part"},
)

CASES = {
    "trunc_normal_": [
        Case(trunc_normal_result, dict(shape=(3, 1, 2))),
        Case(trunc_normal_result, dict(shape=(5,))),
        Case(trunc_normal_statistics, dict(shape=(150, 100), mean=0.0, std=0.02, a=-2.0, b=2.0), shows=_SHOWS),
        Case(trunc_normal_statistics, dict(shape=(3, 50, 100), mean=0.5, std=2.0, a=-1.0, b=4.0), shows=_SHOWS),
    ],
    "drop_path": [
        Case(drop_path, dict(shape=(3, 5, 7), p=0.4)),
        Case(drop_path, dict(shape=(2, 3, 5, 4), p=0.0), train=True),
        *(
            Case(drop_path_of_zeros, dict(shape=shape, p=0.4), train=True, real_dropout=True)
            for shape in ((5,), (5, 3), (5, 3, 2), (5, 2, 3, 4))
        ),
        *(
            Case(drop_path_of_ones, dict(shape=(5000, 2, 3), p=p), train=True, real_dropout=True, shows=_COUNTS)
            for p in (0.1, 0.4, 0.7)
        ),
    ],
    "DistilledPatchEmbedding.__init__": [
        *_eval_and_train(patch_embedding, dropout=0.3),
        Case(patch_embedding, dict(image_size=(10, 4), patch_size=2, in_channels=3, batch=1)),
        # at other widths Paddle's default initial values would have nearly the right spread
        Case(
            patch_embedding,
            dict(image_size=(2, 4), patch_size=2, embed_dim=256),
            initial=("class_token", "distill_token", "position_embedding"),
        ),
    ],
    "DistilledPatchEmbedding.add_class_token": [
        Case(add_class_token),
        Case(add_class_token, dict(batch=1)),
        Case(patch_embedding, dict(dropout=0.3), train=True),
    ],
    "DeiT.__init__": [
        Case(
            whole_model,
            dict(
                num_classes=1, depth=1, mlp_ratio=2.5, qkv_bias=False, dropout=0.3, attention_dropout=0.2, droppath=0.4
            ),
            train=True,
        ),
        Case(whole_model, dict(num_classes=0), train=True),
        Case(whole_model, dict(embed_dim=96, num_classes=53), initial=("",)),
    ],
    "DeiT.forward_head": [
        *_eval_and_train(forward_head),
        Case(forward_head, dict(num_classes=0, batch=1)),
    ],
    **deit_recipe.CASES,
    **deit_weights.CASES,
}

PROPERTIES = {
    "filled_itself": Case(trunc_normal_itself, holds=_filled_itself),
    "nothing_outside": Case(trunc_normal_values, dict(shape=(20, 35), mean=1.0, std=1.5, a=0.5, b=3.0), holds=_inside),
    "curve_keeps_its_shape": Case(
        trunc_normal_values, dict(shape=(200, 200), mean=0.0, std=1.0, a=-2.0, b=2.0), holds=_follows_the_curve
    ),
    "fills_differ": Case(trunc_normal_twice, holds=_all_different),
    "samples_whole": Case(drop_path_of_shapes, dict(p=0.4), train=True, real_dropout=True, holds=_whole_samples),
    "gradient_as_the_output": Case(drop_path_gradient, train=True, real_dropout=True, holds=_gradient_follows),
    "masks_differ": Case(drop_path_twice, train=True, real_dropout=True, holds=lambda outputs: not close(*outputs)),
    "samples_by_themselves": Case(drop_path_of_pairs, train=True, real_dropout=True, holds=_pairs_by_chance),
    "two_tokens_ignore_image": Case(two_images, holds=_two_tokens_stay),
    "class_then_distill": Case(tokens_and_rest, holds=_class_then_distill),
    "heads_start_different": Case(initial_heads, holds=_std_and_zero),
    "mean_of_the_pair": Case(heads_in_both_modes, holds=_mean_of_the_pair),
    "each_head_its_token": Case(heads_of_changed_tokens, train=True, holds=_each_its_token),
    **deit_recipe.PROPERTIES,
    **deit_weights.PROPERTIES,
}


# --- all parts together: once every exercise is passed, a training of all of the learner's code ------------------------


def augmented_batch(course, generator):
    """Four images of noise, augmented, erased and mixed, with their targets, as arrays."""
    images = []
    for _ in range(4):
        image = PIL.Image.fromarray(generator.integers(0, 256, (6, 10, 3), dtype="uint8"))
        image = course.rand_augment(image, generator)
        image = np.asarray(image, dtype="float32").transpose(2, 0, 1) / 255
        images.append(course.random_erasing(image, generator, 0.5))
    targets = course.smooth_labels(np.array([4, 0, 2, 6]), 7, 0.1)
    return course.mix(np.stack(images).astype("float32"), targets.astype("float32"), generator)


def one_step(course, draw):
    """Two steps of DeiT's recipe in small: the losses, how far each parameter moved, and how far from its average.

    Drop path is the learner's own in each layer, and so are the initial values of the tokens.
    """
    model = draw.layer(_deit(course, in_channels=3, depth=3, dropout=0.1, droppath=0.1))
    for layer in model.encoder.layers:
        layer.drop_path.forward = lambda x, p=layer.drop_path.p: course.drop_path(x, p, True)
    course.trunc_normal_(model.patch_embedding.distill_token)
    before = [parameter.clone() for parameter in model.parameters()]
    averages = {name: value.clone().detach() for name, value in model.state_dict().items()}
    decayed = {p.name for name, p in model.named_parameters() if course.has_weight_decay(name, p)}
    optimizer = paddle.optimizer.AdamW(
        learning_rate=0.0,
        parameters=model.parameters(),
        weight_decay=0.05,
        apply_decay_param_fun=decayed.__contains__,
    )
    peak, losses = course.scaled_learning_rate(0.1, 4), []
    for step, kind in enumerate(("hard", "soft")):
        optimizer.set_lr(float(course.learning_rate_at((step + 0.5) / 2, peak, 0.3, 1e-5)))
        images, targets = augmented_batch(course, draw.generator(step))
        loss = course.distilled_loss(
            model(paddle.to_tensor(images)), paddle.to_tensor(targets), paddle.randn([4, 7]), kind
        )
        losses.append(loss.detach())
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        course.update_ema(averages, model, 0.9)
    moved = [(one - other).abs().max() for one, other in zip(before, model.parameters(), strict=True)]
    behind = [(averages[name] - value).abs().max() for name, value in model.named_parameters()]
    return losses, paddle.stack(moved), paddle.stack(behind)


def _learns(outputs):
    *losses, moved, behind = outputs
    return bool(np.isfinite(losses).all() and (moved > 0).all() and (behind > 0).all())


CAPSTONE = [
    Case(whole_model, dict(depth=3, mlp_ratio=2.5, dropout=0.3, attention_dropout=0.2, droppath=0.4), train=True),
    Case(whole_model, dict(depth=2, dropout=0.3, attention_dropout=0.2, droppath=0.4, batch=1)),
    Case(one_step, train=True, real_dropout=True, holds=_learns),
]
