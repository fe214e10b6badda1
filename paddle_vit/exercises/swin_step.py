"""Lesson 3, the exercises in step.py: cases and rules, as swin.py has them for the model.

What train_step does is seen from outside: in what it returns, and in the weights, the gradients and the scaler's factor
that it leaves behind. So every order of calls is right that comes to the same.
"""

import contextlib
import inspect
import sys

import numpy as np
import paddle
import paddle.nn as nn
import paddle.nn.functional as F

from paddle_vit.exercises import Case
from paddle_vit.exercises.vit import close

# --- clip_gradients ---------------------------------------------------------------------------------------------------

SHAPES = ([3, 4], [1], [5], [2, 1, 3])


def _parameters_with_gradients(draw, scale):
    """Parameters, and what their gradients are; the third has none."""
    parameters, gradients = [], []
    for shape in SHAPES:
        parameter = paddle.create_parameter(shape, "float32")
        parameter.set_value(draw.array(*shape, scale=0.3))
        parameters.append(parameter)
        gradients.append(draw.array(*shape, scale=scale))
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if parameter.shape != [5]:
            (parameter * paddle.to_tensor(gradient)).sum().backward()
    return parameters, [gradient for gradient in gradients if gradient.shape != (5,)]


def _clipped(step, draw, norm, max_norm):
    """What is returned, the parameters, and their gradients before, whose norm is norm, and after."""
    parameters, before = _parameters_with_gradients(draw, 1.0)
    factor = norm / np.sqrt(sum((gradient**2).sum() for gradient in before))
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.set_value(parameter.grad * float(factor))
    returned = step.clip_gradients(parameters, max_norm)
    after = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return returned, parameters, [gradient * float(factor) for gradient in before], after


def clip_gradients(step, draw, looks_at, norm, max_norm):
    returned, parameters, _, after = _clipped(step, draw, norm, max_norm)
    if looks_at == "the norm":
        return paddle.to_tensor(returned, dtype="float32") if type(returned) is float else returned
    if looks_at == "the weights":
        return [parameter.detach() for parameter in parameters]
    return after


def clipped_before_and_after(step, draw, norm, max_norm):
    _, _, before, after = _clipped(step, draw, norm, max_norm)
    return before, after


def _flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


def _shortened(outputs):
    """Together as long as allowed, 1.5, in the old direction."""
    before, after = _flat(outputs[:3]), _flat(outputs[3:])
    return close(np.linalg.norm(after), 1.5, 1e-4) and close(after / 1.5, before / np.linalg.norm(before), 1e-4)


def _unchanged(outputs):
    return close(_flat(outputs[:3]), _flat(outputs[3:]))


# --- train_step -------------------------------------------------------------------------------------------------------


class _Scaler:
    """Does on a CPU, where paddle.amp.GradScaler does nothing, what that does on a GPU."""

    def __init__(self, factor, parameters):
        self.factor, self.parameters = factor, parameters
        self.unscaled = self.overflow = False

    def scale(self, loss):
        return loss * self.factor

    def unscale_(self, optimizer):
        if self.unscaled:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        self.overflow = not all(bool(gradient.isfinite().all()) for gradient in gradients)
        for gradient in gradients:
            gradient.set_value(gradient / self.factor)
        self.unscaled = True

    def step(self, optimizer):
        if not self.unscaled:
            self.unscale_(optimizer)
        if not self.overflow:
            optimizer.step()

    def update(self):
        self.factor *= 0.5 if self.overflow else 2.0
        self.unscaled = self.overflow = False

    def minimize(self, optimizer, *_, **__):
        self.step(optimizer)
        self.update()


class _Model(nn.Layer):
    """One linear layer, or two on the same features; spare never gets a gradient."""

    def __init__(self, heads):
        super().__init__()
        self.drop = nn.Dropout(0.2)
        self.heads = nn.LayerList([nn.Linear(6, 4) for _ in range(heads)])
        self.spare = self.create_parameter([3])

    def forward(self, images):
        _autocast.noted.append(_autocast.precision)
        x = self.drop(images.flatten(1))
        outputs = tuple(head(x) for head in self.heads)
        return outputs if len(outputs) > 1 else outputs[0]


class _autocast:
    """Stands in for the context that Paddle opens for auto_cast: on a CPU that does nothing, and cannot be seen."""

    precision = "float32"
    noted = []  # the precision in each forward pass, and in each call of squared_error

    def __init__(self, enable, dtype, level, **_):
        self.inside = (dtype if level == "O1" else f"{dtype} {level}") if enable else "float32"

    def __enter__(self):
        self.before, _autocast.precision = _autocast.precision, self.inside

    def __exit__(self, *_):
        _autocast.precision = self.before


@contextlib.contextmanager
def _seen_autocast():
    module = sys.modules["paddle.amp.auto_cast"]  # by its name: paddle.amp.auto_cast is the function in it
    real = module.amp_guard

    def seen(*args, **kwargs):
        bound = inspect.signature(real).bind(*args, **kwargs)
        bound.apply_defaults()
        return _autocast(**bound.arguments)

    module.amp_guard = seen
    try:
        yield
    finally:
        module.amp_guard = real


def of_two_heads(outputs, targets):
    """A criterion that takes both outputs apart, as a distillation loss does."""
    first, second = outputs
    return 0.3 * F.cross_entropy(first, targets) + 0.7 * ((second - first) ** 2).mean()


def squared_error(outputs, targets):
    _autocast.noted.append(_autocast.precision)
    return ((F.softmax(outputs) - targets) ** 2).mean()


_CRITERIA = {
    "cross_entropy": {},  # the default
    "squared_error": dict(criterion=squared_error),
    "of_two_heads": dict(criterion=of_two_heads),
}


def _after_steps(step, draw, calls, criterion="cross_entropy", scale=None, **options):
    """Results, model and scaler after a call of train_step for each of calls: (images,) or (images, share, update)."""
    model = draw.layer(_Model(2 if criterion == "of_two_heads" else 1))
    optimizer = paddle.optimizer.SGD(learning_rate=0.5, parameters=model.parameters())
    total = sum(call[0] for call in calls)
    images, places = draw.tensor(total, 2, 1, 3).detach(), np.arange(total)
    targets = paddle.to_tensor(places * places % 4)
    if criterion == "squared_error":
        targets = 0.1 + 0.6 * F.one_hot(targets, 4)
    scaler = _Scaler(scale, model.parameters()) if scale else None
    options.update({} if scaler is None else dict(scaler=scaler), **_CRITERIA[criterion])
    results, start = [], 0
    _autocast.noted.clear()
    with _seen_autocast():
        for count, *rest in calls:
            part = slice(start, start + count)
            more = dict(zip(("share", "update"), rest, strict=False))
            results.append(step.train_step(model, images[part], targets[part], optimizer, **options, **more))
            start += count
    return results, model, scaler


def train_step(step, draw, looks_at, calls, **options):
    results, model, scaler = _after_steps(step, draw, calls, **options)
    if looks_at == "what is returned":
        return _detached(results[-1])
    if looks_at == "the precision":
        return np.array([["float32", "float16", "bfloat16"].index(name) for name in _autocast.noted])
    if looks_at == "the scaler":
        return scaler.factor
    if looks_at == "all weights are finite":
        return bool(_weights(model).isfinite().all())
    return _weights(model) if looks_at == "the weights" else _gradients(model)


def _detached(result):
    """Tensors without their graph, which has been used up; that they have none is a rule of its own."""
    if isinstance(result, (tuple, list)):
        return [_detached(one) for one in result]
    return result.detach() if isinstance(result, paddle.Tensor) else result


def _weights(model):
    return paddle.concat([parameter.detach().flatten() for parameter in model.parameters()])


def _gradients(model):
    """All in one; zeros where there is none, which comes to the same."""
    parameters = model.parameters()
    gradients = [paddle.zeros_like(one) if one.grad is None else one.grad for one in parameters]
    return paddle.concat([gradient.detach().flatten() for gradient in gradients])


def same_weights(step, draw, ways):
    """The weights that several ways of training lead to, from the same weights, on the same images."""
    models = [_after_steps(step, type(draw)(draw.seed, draw.train), **way)[1] for way in ways]
    return [_weights(model) for model in models]


def _agree(outputs):
    return all(close(outputs[0], other) for other in outputs[1:])


def gradients_left(step, draw, calls):
    _, model, _ = _after_steps(step, draw, calls)
    return _gradients(model)


def hold_no_graph(step, draw, calls, criterion):
    results, _, _ = _after_steps(step, draw, calls, criterion)
    return [one.stop_gradient for one in results[-1]]


# --- accuracy ---------------------------------------------------------------------------------------------------------


def _ranked(draw, ranks, num_classes):
    """Logits, and labels which are at these places in their order, the highest being 0."""
    logits = draw.tensor(len(ranks), num_classes)
    order = np.argsort(-logits.numpy(), axis=1)
    return logits, paddle.to_tensor([int(row[rank]) for row, rank in zip(order, ranks, strict=True)])


def accuracy(step, draw, ranks, num_classes, **options):
    return step.accuracy(*_ranked(draw, ranks, num_classes), *options.values())  # topk


def _counted(outputs):
    """Ranks 0, 0, 1, 2, 4, 3, 0: how many are below each k."""
    return close(np.array(outputs), np.array([3, 4, 5, 6, 7]) / 7)


# --- what is run ------------------------------------------------------------------------------------------------------

_LONG, _SHORT = dict(norm=3.0, max_norm=1.5), dict(norm=1.5, max_norm=3.0)
# four images at once, and in parts: images, share, update
_WHOLE, _HALVES, _UNEQUAL = ((4,),), ((2, 0.5, False), (2, 0.5, True)), ((1, 0.25, False), (3, 0.75, True))
_TWO_BATCHES = ((2, 0.5, False), (2, 0.5, True), (1, 0.25, False), (3, 0.75, True))


def _seen(run, *looks, **options):
    return [Case(run, dict(looks_at=one, **options)) for one in looks]


CASES = {
    "clip_gradients": [
        *_seen(clip_gradients, "the gradients", "the norm", "the weights", **_LONG),
        *_seen(clip_gradients, "the gradients", "the norm", **_SHORT),
        *_seen(clip_gradients, "the gradients", norm=0.5, max_norm=0.2),
        *_seen(clip_gradients, "the norm", norm=5.0, max_norm=float("inf")),
    ],
    "train_step": [
        *_seen(train_step, "what is returned", "the weights", "the gradients", calls=_WHOLE),
        *_seen(train_step, "what is returned", "the weights", calls=_WHOLE, criterion="squared_error"),
        *_seen(train_step, "what is returned", "the weights", calls=_WHOLE, criterion="of_two_heads"),
        *_seen(train_step, "what is returned", "the gradients", calls=((4, 0.25, False),)),
        *_seen(train_step, "the weights", calls=_TWO_BATCHES, max_norm=0.1),
        *_seen(train_step, "the weights", calls=_UNEQUAL, scale=8.0, max_norm=0.1),
        *_seen(train_step, "what is returned", "the weights", "the scaler", calls=((4,), (3,)), scale=8.0),
        *_seen(train_step, "all weights are finite", "the scaler", calls=_WHOLE, scale=1e39),  # no gradient is
        *_seen(train_step, "the precision", calls=((2,),), precision="float16", criterion="squared_error"),
        *_seen(train_step, "the precision", calls=((2,),), precision="bfloat16", criterion="squared_error"),
        *_seen(train_step, "the precision", calls=((2,),), criterion="squared_error"),
        Case(train_step, dict(looks_at="what is returned", calls=_WHOLE), train=True),
    ],
    "accuracy": [
        Case(accuracy, dict(ranks=(0, 0, 1, 2, 4, 3, 0), num_classes=5)),
        Case(accuracy, dict(ranks=(0, 0, 1, 2, 4, 3, 0), num_classes=5, topk=(1, 3))),
        Case(accuracy, dict(ranks=(0, 3, 1, 3, 2, 5), num_classes=6, topk=[4, 1, 2])),
        Case(accuracy, dict(ranks=(1,), num_classes=3, topk=(2, 1))),
    ],
}

PROPERTIES = {
    "direction_stays": Case(clipped_before_and_after, _LONG, holds=_shortened),
    "short_ones_stay": Case(clipped_before_and_after, dict(norm=5.0, max_norm=float("inf")), holds=_unchanged),
    "parts_add_up": Case(
        same_weights, dict(ways=[dict(calls=one) for one in (_WHOLE, _HALVES, _UNEQUAL)]), holds=_agree
    ),
    "clipped_as_they_are": Case(
        same_weights, dict(ways=[dict(calls=_WHOLE, max_norm=0.1, scale=scale) for scale in (1.0, 64.0)]), holds=_agree
    ),
    "waits_for_the_last": Case(same_weights, dict(ways=[dict(calls=()), dict(calls=((4, 0.5, False),))]), holds=_agree),
    "nothing_left": Case(gradients_left, dict(calls=_HALVES), holds=lambda outputs: close(outputs[0], 0.0)),
    "no_graph": Case(hold_no_graph, dict(calls=((2,),), criterion="of_two_heads"), holds=all),
    "grows_to_one": Case(
        accuracy, dict(ranks=(0, 0, 1, 2, 4, 3, 0), num_classes=5, topk=(1, 2, 3, 4, 5)), holds=_counted
    ),
}
