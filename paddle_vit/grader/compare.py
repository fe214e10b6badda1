"""Compare what was seen of the learner's code with what was seen of the reference; report the first difference."""

import math
from dataclasses import dataclass, field

import numpy as np

# Right answers differ by under 8e-7 of a tensor's scale, a wrong epsilon or the tanh GELU by over 1e-4 on the cases.
TOLERANCE = 2e-5


@dataclass(frozen=True)
class Difference:
    """What differs: the key of a message in messages.py, and what to put into it."""

    key: str
    values: dict = field(default_factory=dict)


def compare(expected, actual):
    """The first difference between two observations (see observe.py), or None.

    Order: exception, parameters, initial values, type, shape, dtype, values, gradients, inputs changed in place.

    Raises:
        ValueError: actual is not an observation.
    """
    try:
        if expected["error"] is not None:  # a known mistake that raises, beside the learner's code
            return None if _same_error(expected, actual) else Difference("other_error")
        return (
            _raised(expected, actual)
            or _parameters(expected["parameters"], actual["parameters"])
            or _initial(expected["initial"], actual["initial"], expected["parameters"])
            or _outputs(expected, actual)
            or _gradients(expected["gradients"], actual["gradients"])
            or _inputs(expected["inputs"], actual["inputs"])
        )
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"not an observation: {error!r}") from None


def _same_error(expected, actual):
    one, other = expected["error"], actual["error"]
    same = other is not None and one["type"] == other["type"] and one["message"] == other["message"]
    return same and not _parameters(expected["parameters"], actual["parameters"])


def _raised(expected, actual):
    if actual["error"] is None:
        return None
    # Code that fails because a parameter is not there, or of another shape: say that, it comes first
    parameters = actual["parameters"] and _parameters(expected["parameters"], actual["parameters"])
    return parameters or Difference("raised", {key: actual["error"][key] for key in ("type", "message", "where")})


def _parameters(expected, actual):
    missing, extra = (
        [name for name in expected if name not in actual],
        [name for name in actual if name not in expected],
    )
    if missing and extra:
        return Difference("parameters_renamed", dict(missing=_shortened(missing), extra=_shortened(extra)))
    if missing:
        return Difference("parameters_missing", dict(names=_shortened(missing)))
    if extra:
        return Difference("parameters_extra", dict(names=_shortened(extra)))
    for name, shape in expected.items():
        if _without_leading_ones(shape) != _without_leading_ones(actual[name]):
            return Difference("parameter_shape", dict(name=name, expected=list(shape), actual=list(actual[name])))
    return None


def _shortened(names):
    """Names in a line: all of a few, else what they begin with."""
    if len(names) <= 4:
        return ", ".join(names)
    beginnings = {}
    for name in names:
        beginnings.setdefault(name.split(".")[0], []).append(name)
    return ", ".join(one[0] if len(one) == 1 else f"{begin}.* ({len(one)})" for begin, one in beginnings.items())


def _without_leading_ones(shape):
    """[1, T, C] as [T, C]: leading axes of 1 broadcast away, so a table [T, C] serves as well."""
    shape = list(shape)
    while len(shape) > 1 and shape[0] == 1:
        shape.pop(0)
    return shape


def _initial(expected, actual, shapes):
    for name, (mean, std) in expected.items():
        other_mean, other_std = actual[name]
        # Both are estimates from n draws: six standard errors for chance, and a fifth of room, which admits the
        # truncation of Paddle 2.6 (0.88 std) and fails every other common choice.
        error = std / math.sqrt(max(math.prod(shapes[name]), 1))
        near_mean = abs(other_mean - mean) <= 0.2 * std + 8.5 * error + 1e-7
        near_std = abs(other_std - std) <= 0.2 * std + 6 * error + 1e-7
        if not (near_mean and near_std):
            mean = 0.0 if abs(mean) < 0.2 * std + 8.5 * error else mean  # drawn around 0
            values = dict(name=name, mean=mean, std=std, other_mean=other_mean, other_std=other_std)
            return Difference("initial_values", values)
    return None


def _outputs(expected, actual):
    if expected["kind"] != actual["kind"]:
        return Difference(
            "kind_none" if actual["kind"] == "None" else "kind", dict(expected=expected["kind"], actual=actual["kind"])
        )
    outputs = list(zip(expected["outputs"], actual["outputs"], strict=True))
    for place, (one, other) in enumerate(outputs):
        if one.shape != other.shape:
            return _at(place, outputs, "shape", expected=list(one.shape), actual=list(other.shape))
    for place, (one, other) in enumerate(zip(expected["dtypes"], actual["dtypes"], strict=True)):
        if one != other:
            return _at(place, outputs, "dtype", expected=one, actual=other)
    scale = _largest(expected["outputs"])
    for place, (one, other) in enumerate(outputs):
        values = _values(one, other, scale)
        if values and expected["dtypes"][place] == "number" and not one.shape:
            show = _truth if expected["kind"] == "bool" else "{:.6g}".format
            return _at(place, outputs, "number", expected=show(float(one)), actual=show(float(other)))
        if values:
            return _at(place, outputs, "not_finite" if values["largest"] is None else "values", **values)
    return None


def _truth(value):
    return str(bool(value))


def _at(place, outputs, key, **values):
    return Difference(key, dict(values, place=place + 1 if len(outputs) > 1 else None))


def _gradients(expected, actual):
    scale = _largest(gradient for gradient in expected.values() if gradient is not None)
    for name, one in expected.items():
        other = actual[name]
        if one is None and other is None:
            continue
        if other is None:
            if np.abs(one).max() > TOLERANCE * scale:
                return Difference("gradient_missing", dict(name=name))
            continue
        if one is None:
            one = np.zeros_like(other)
        if one.shape != other.shape and one.size == other.size:
            other = other.reshape(one.shape)  # a parameter with fewer leading axes of 1
        if one.shape != other.shape or _values(one, other, scale):
            return Difference("gradient", dict(name=name))
    return None


def _inputs(expected, actual):
    for place, (one, other) in enumerate(zip(expected, actual, strict=True)):
        if one.shape != other.shape or not np.array_equal(one, other):
            return Difference("input_changed", dict(place=place + 1))
    return None


def _largest(arrays):
    return max((float(np.abs(array).max()) for array in arrays if array.size), default=0.0)


def _values(one, other, scale):
    """Where and how far two arrays of one shape differ, or None; scale is the largest number of the whole case."""
    if not one.size:
        return None
    one, other = one.astype("float64"), other.astype("float64")
    finite = np.isfinite(one) & np.isfinite(other)  # what is expected may be a known mistake's
    if not finite.all():
        first = np.argwhere(~finite)[0]
        return dict(where=first.tolist(), largest=None, actual=str(other[tuple(first)]))
    error = np.abs(one - other)
    allowed = TOLERANCE * max(float(np.abs(one).max()), 1e-2 * scale, 1e-12)
    if error.max() <= allowed:
        return None
    first = tuple(np.argwhere(error > allowed)[0])
    return dict(
        where=[int(index) for index in first],
        expected=float(one[first]),
        actual=float(other[first]),
        largest=float(error.max()),
        share=float((error > allowed).mean()),
    )
