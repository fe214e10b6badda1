"""Run a case and write down everything that can be seen of it, as plain arrays.

The same function runs the reference, the learner's code and the known mistakes, so that two observations differ only
where the code does.
"""

import contextlib
import hashlib
import math
import random

import numpy as np
import paddle
import paddle.nn.functional as F

from paddle_vit.models import layers

_real = {
    (F, "dropout"): F.dropout,
    (F, "scaled_dot_product_attention"): F.scaled_dot_product_attention,
    (layers, "drop_path"): layers.drop_path,
}


def _fixed_dropout(x, p=0.5, axis=None, training=True, mode="upscale_in_train", *_, **__):
    if not training:
        return x * (1.0 if mode == "upscale_in_train" else 1.0 - p)
    # axis 0 drops whole samples: that is drop path, which must not be mistaken for dropout of single numbers
    return x * (1.0 + (p if axis is None else p / 2))


def _fixed_drop_path(x, p=0.0, training=True):
    return _fixed_dropout(x, p, axis=0, training=training)


def _fixed_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, training=True, **_):
    q, k, v = (x.transpose([0, 2, 1, 3]) for x in (query, key, value))  # B H T D
    scores = paddle.matmul(q * q.shape[-1] ** -0.5, k, transpose_y=True)  # B H T T
    if attn_mask is not None:
        visible = attn_mask.dtype == paddle.bool
        scores = paddle.where(attn_mask, scores, paddle.full_like(scores, -1e9)) if visible else scores + attn_mask
    if is_causal:
        scores = scores + paddle.triu(paddle.full_like(scores, -1e9), diagonal=1)
    weights = _fixed_dropout(F.softmax(scores, axis=-1), dropout_p, training=training)
    return (weights @ v).transpose([0, 2, 1, 3])


@contextlib.contextmanager
def fixed_dropout():
    """Replace random dropout by a fixed factor that depends on its probability.

    Random draws differ between right answers that draw in another order or shape; the factor does not, and still shows
    a dropout that is missing, misplaced or active in evaluation.
    """
    stand_ins = dict(zip(_real, (_fixed_dropout, _fixed_attention, _fixed_drop_path), strict=True))
    before = {place: getattr(*place) for place in stand_ins}
    for (module, name), stand_in in stand_ins.items():
        setattr(module, name, stand_in)
    try:
        yield
    finally:
        for (module, name), function in before.items():
            setattr(module, name, function)


@contextlib.contextmanager
def _random_dropout():
    before = {place: getattr(*place) for place in _real}
    for (module, name), function in _real.items():
        setattr(module, name, function)
    try:
        yield
    finally:
        for (module, name), function in before.items():
            setattr(module, name, function)


class Draw:
    """Parameters and inputs of a case: random, and the same for the same seed whatever the code around does."""

    def __init__(self, seed, train):
        self.seed, self.train = seed, train
        self.layers, self.inputs = [], []

    def _normal(self, name, shape):
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "little")).standard_normal(shape).astype("float32")

    def tensor(self, *shape, scale=1.0):
        """An input of normal numbers with standard deviation scale, whose gradient is compared."""
        x = paddle.to_tensor(self._normal(f"input {len(self.inputs)}", shape) * scale, stop_gradient=False)
        self.inputs.append(x)
        return x

    def array(self, *shape, scale=1.0):
        """The same as a numpy array."""
        x = self._normal(f"input {len(self.inputs)}", shape) * np.float32(scale)
        self.inputs.append(x)
        return x

    def generator(self, number=0):
        """A numpy Generator to pass in; another number, other draws."""
        digest = hashlib.sha256(f"{self.seed}/generator {number}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "little"))

    def layer(self, layer, scale=1.0):
        """Fill every parameter by its name, put the layer in the mode of the case, and return it.

        Nothing is left at 0 or 1, where mistakes hide. scale multiplies all but the weights of norms.
        """
        place = len(self.layers)
        self.layers.append((layer, _initial(layer)))
        for name, parameter in layer.named_parameters():
            shape = list(parameter.shape)
            values = self._normal(f"layer {place} {name}", shape)
            if name.endswith("norm.weight"):
                values = 1.0 + 0.3 * values
            elif name.endswith("weight"):  # Linear [in, out], Conv2D [out, in, height, width]: outputs of order 1
                values *= scale / math.sqrt(shape[0] if len(shape) == 2 else math.prod(shape[1:]))
            else:
                values *= 0.5 * scale
            parameter.set_value(values)
        layer.train() if self.train else layer.eval()
        return layer


def _initial(layer):
    """Name -> [mean, standard deviation] of every parameter as it was created."""
    found = {}
    for name, parameter in layer.named_parameters():
        values = parameter.numpy().astype("float64")
        found[name] = [float(values.mean()), float(values.std())] if values.size else [0.0, 0.0]
    return found


def start_threads():
    """Use a matmul in a forked child's first thread: when another thread is first, Paddle crashes in OpenMP."""
    paddle.matmul(paddle.ones([2, 2]), paddle.ones([2, 2]))


def case_seed(seed, place):
    """The seed of a lesson's case, from the one that the learner is told."""
    return seed * 100 + place


def holds(case, seen):
    """Whether a property holds in an observation."""
    if seen["error"] is not None:
        return False
    try:
        return bool(case.holds(seen["outputs"]))
    except (ValueError, IndexError, TypeError):  # other shapes than the rule can look at
        return False


def observe(case, module, seed, backward=True, where=None):
    """Run case with the definitions in module.

    Args:
        case: a Case.
        module: the namespace with the definitions.
        seed: of parameters, inputs and cotangents.
        backward: compute gradients too.
        where: function(traceback) -> dict with the place of an exception in the learner's code, or None.

    Returns:
        A dict of plain data and arrays (see wire.py): error, or parameters (name -> shape), initial (name -> mean and
        std), kind (type as text), outputs (arrays), dtypes, inputs (as they are afterwards), gradients (name -> array).
    """
    # global generators too, so that one who draws from them by mistake draws the same each time
    paddle.seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    draw = Draw(seed, case.train)
    try:
        with _random_dropout() if case.real_dropout else contextlib.nullcontext():
            result = case.run(module, draw, **case.options)
            outputs = list(_leaves(result))
            gradients = _gradients(draw, outputs) if backward and case.holds is None else {}
    except BaseException as error:  # whatever it is, it is the learner's, and it is what they must be told
        return {**observe_error(error, where), **_parameters(draw, case)}
    return {
        "error": None,
        **_parameters(draw, case),
        "kind": _kind(result),
        "outputs": [_array(output) for output in outputs],
        "dtypes": [_dtype(output) for output in outputs],
        "inputs": [_array(x) for x in draw.inputs],
        "gradients": gradients,
    }


def observe_error(error, where=None):
    """The observation of code that raised."""
    place = where(error.__traceback__) if where else None
    seen = {"type": type(error).__name__, "message": _text(error), "where": place}
    return {"error": seen, "parameters": {}, "initial": {}}


def _parameters(draw, case):
    shapes, initial = {}, {}
    for place, (layer, values) in enumerate(draw.layers):
        prefix = f"{place}:" if place else ""
        shapes.update({prefix + name: list(parameter.shape) for name, parameter in layer.named_parameters()})
        initial.update({prefix + name: value for name, value in values.items() if name.endswith(case.initial or "\0")})
    return {"parameters": shapes, "initial": initial}


def _text(error):
    try:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
    except BaseException:
        return "(its message could not be read)"
    # Paddle puts a C++ report around what matters: keep the line that says it
    for line in lines:
        if "Error: " in line and ("[Hint" in line or "(at " in line or "Error:" in line.split(" ", 1)[0]):
            return line.strip()[:600]
    return " ".join(lines)[:600]


def _is_tensor(value):
    return type(value) in (paddle.Tensor, paddle.base.framework.EagerParamBase)


def _is_array(value):
    return type(value) is np.ndarray and value.dtype.kind in "biuf"


def _is_number(value):
    """A number or truth value, Python's or numpy's."""
    return type(value) in (bool, int, float) or isinstance(value, (np.bool_, np.integer, np.floating))


def _is_image(value):
    return type(value).__module__.startswith("PIL.") and hasattr(value, "mode")


def _leaves(value):
    if type(value) in (tuple, list):
        for item in value:
            yield from _leaves(item)
    elif _is_tensor(value) or _is_array(value) or _is_number(value) or _is_image(value):
        yield value


def _kind(value):
    """The type as text; a list counts as a tuple, whole numbers as numbers. Only exact types count, so that no subclass
    can pass for a tensor."""
    if _is_tensor(value):
        return "Tensor"
    if type(value) in (tuple, list):
        return "(" + ", ".join(_kind(item) for item in value) + ")"
    if _is_array(value):
        return "numpy.ndarray"
    if _is_number(value):
        return "bool" if isinstance(value, (bool, np.bool_)) else "number"
    if _is_image(value):
        return f"image of mode {value.mode}"
    kind = type(value)
    return (
        "None"
        if value is None
        else kind.__name__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__name__}"
    )


def _dtype(output):
    """The name of the type of the numbers; of a single number Python has only one."""
    return "number" if _is_number(output) or _is_image(output) else str(output.dtype).rsplit(".", 1)[-1]


def _array(output):
    if _is_tensor(output):
        return np.asarray(output.numpy())
    array = np.array(output)  # a copy: what was handed in may still change
    return array.astype("float64") if _is_number(output) else array


def _gradients(draw, outputs):
    """Gradients of the outputs under random cotangents; the sum of a softmax or of a LayerNorm would have none."""
    named = {f"input {place}": x for place, x in enumerate(draw.inputs) if _is_tensor(x)}
    for place, (layer, _) in enumerate(draw.layers):
        named.update({(f"{place}:" if place else "") + name: p for name, p in layer.named_parameters()})
    loss = None
    for place, output in enumerate(outputs):
        if not _is_tensor(output) or output.stop_gradient or output.dtype not in (paddle.float32, paddle.float64):
            continue
        cotangent = paddle.to_tensor(draw._normal(f"cotangent {place}", list(output.shape))).astype(output.dtype)
        term = (output * cotangent).sum()
        loss = term if loss is None else loss + term
    if loss is None:
        return dict.fromkeys(named)
    loss.backward()
    return {name: None if tensor.grad is None else _array(tensor.grad) for name, tensor in named.items()}
