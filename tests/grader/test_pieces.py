"""The grader's parts by themselves: reading, encoding, comparing, wording."""

import ast
import string

import numpy as np
import pytest
from helpers import LESSON

from paddle_vit.grader import wire
from paddle_vit.grader.collect import collect_sources
from paddle_vit.grader.compare import TOLERANCE, compare
from paddle_vit.grader.magics import without_magics
from paddle_vit.grader.messages import MESSAGES, STATES

# --- wire -------------------------------------------------------------------------------------------------------------


def test_what_is_encoded_is_decoded():
    value = {
        "a": np.arange(6, dtype="float32").reshape(2, 3),
        "zero dimensions": np.array(2.5),
        "empty": np.zeros((0, 3), "int64"),
        "plain": [1, None, "text 文字", True, 2.5, {"b": np.array([True, False])}],
        "not contiguous": np.arange(6.0).reshape(2, 3).T,
    }
    back = wire.decode(wire.encode(value))
    for name in ("a", "zero dimensions", "empty", "not contiguous"):
        assert back[name].shape == value[name].shape and back[name].dtype == value[name].dtype
        assert np.array_equal(back[name], value[name])
    assert back["plain"][:5] == value["plain"][:5]
    assert back["plain"][5]["b"].tolist() == [True, False]


def damaged():
    good = wire.encode({"a": np.ones(3, "float32")})
    header = b'{"~array": [[1000000000000], "float32"]}'
    yield from (b"", b"x", good[:-1], good + b"x", b"\xff" * 8 + good)
    for text in (
        header,
        b'{"~array": [[-1], "float32"]}',
        b'{"~array": [[2], "object"]}',
        b'{"~array": 3}',
        b"[" * 10**5,
    ):
        yield len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize("data", list(damaged()), ids=range(10))
def test_damaged_bytes_are_refused(data):
    with pytest.raises(ValueError, match="not an observation"):
        wire.decode(data)


# --- compare ----------------------------------------------------------------------------------------------------------


def seen(**changes):
    observation = dict(
        error=None,
        parameters={"w": [2, 3]},
        initial={},
        kind="Tensor",
        outputs=[np.array([[1.0, -2.0], [0.5, 3.0]], "float32")],
        dtypes=["float32"],
        inputs=[np.ones(3, "float32")],
        gradients={"w": np.full((2, 3), 2.0, "float32"), "unused": None},
    )
    return {**observation, **changes}


def key(**changes):
    difference = compare(seen(), seen(**changes))
    return difference and difference.key


def test_equal_observations_do_not_differ():
    assert key() is None
    assert key(outputs=[seen()["outputs"][0] * (1 + 5e-6)]) is None
    assert key(parameters={"w": [1, 1, 2, 3]}) is None  # leading ones broadcast away
    assert key(gradients={"w": seen()["gradients"]["w"], "unused": np.zeros(3, "float32")}) is None


def test_each_difference_has_its_name():
    output = seen()["outputs"][0]
    assert key(error={"type": "ValueError", "message": "x", "where": None}) == "raised"
    assert key(parameters={}) == "parameters_missing"
    assert key(parameters={"w": [2, 3], "b": [3]}) == "parameters_extra"
    assert key(parameters={"v": [2, 3]}) == "parameters_renamed"
    assert key(parameters={"w": [3, 2]}) == "parameter_shape"
    assert key(kind="None", outputs=[]) == "kind_none"
    assert key(kind="str", outputs=[]) == "kind"
    assert key(outputs=[output[None]]) == "shape"
    assert key(dtypes=["float64"]) == "dtype"
    assert key(outputs=[output + 10 * TOLERANCE * 3]) == "values"
    assert key(outputs=[output * np.nan]) == "not_finite"
    assert key(gradients={"w": None, "unused": None}) == "gradient_missing"
    assert key(gradients={"w": seen()["gradients"]["w"] * 1.01, "unused": None}) == "gradient"
    assert key(gradients={"w": seen()["gradients"]["w"], "unused": np.ones(2, "float32")}) == "gradient"
    assert key(inputs=[np.zeros(3, "float32")]) == "input_changed"


def test_the_tolerance_is_relative_to_the_tensor():
    output = seen()["outputs"][0]
    assert key(outputs=[output + 0.9 * TOLERANCE * 3]) is None
    assert key(outputs=[output + 1.1 * TOLERANCE * 3]) == "values"


def test_initial_values():
    expected = seen(initial={"w": [0.0, 0.02]}, parameters={"w": [100, 100]})
    for mean, std, differs in (
        (0.0, 0.02, False),
        (0.0, 0.0176, False),
        (0.0, 0.0, True),
        (1.0, 0.0, True),
        (0.0, 1.0, True),
    ):
        assert bool(compare(expected, {**expected, "initial": {"w": [mean, std]}})) is differs
    constant = seen(initial={"w": [1.0, 0.0]})
    assert compare(constant, seen(initial={"w": [1.0, 0.0]})) is None
    assert compare(constant, seen(initial={"w": [1.0, 0.02]})).key == "initial_values"


@pytest.mark.parametrize(
    "damage", [{"outputs": "x"}, {"parameters": None}, {"error": 3}, {"dtypes": []}, {"gradients": {}}]
)
def test_what_is_not_an_observation_is_refused(damage):
    with pytest.raises(ValueError):
        compare(seen(), seen(**damage))


# --- magics and collecting --------------------------------------------------------------------------------------------

CELLS = {
    "x = 5 % 3\n": "x = 5 % 3\n",
    "%matplotlib inline\nx = 1\n": "pass\nx = 1\n",
    "!ls\n  \nx = 1": "pass\n  \nx = 1",
    "files = !ls\n": "files = None\n",
    "t = %timeit -o f()\n": "t = None\n",
    "x??\ny = 1\n": "pass\ny = 1\n",
    "if True:\n    !ls -l\n": "if True:\n    pass\n",
    "%%time\nx = 1\n": "\nx = 1\n",
    "%%bash\nls\n": "\n\n",
    "\n%%html\n<b>\n": "\n\n\n",
    "y = (5\n% 3)\n!ls\n": "y = (5\n% 3)\npass\n",
    "t = '''\n%kept\n!kept\n'''\n!ls\n": "t = '''\n%kept\n!kept\n'''\npass\n",
    "!ls \\\n  -l\nx = 1\n": "pass\n\nx = 1\n",
    "s = 'a % b' # don't\n!ls\n": "s = 'a % b' # don't\npass\n",
}


@pytest.mark.parametrize("cell", CELLS)
def test_magics_become_harmless_on_the_same_lines(cell):
    assert without_magics(cell) == CELLS[cell]
    ast.parse(without_magics(cell))


def test_a_syntax_error_leaves_the_rest_readable():
    text = (
        "import math\n\nclass A:\n    def one(self):\n        return 1\n\n    def two(self):\n        return (2\n\n"
        "    def three(self):\n        return 3\n\ndef four():\n    return 4\n\ndef five(:\n    pass\n\n"
        "TEXT = '''\ndef not_a_function():\n'''\n"
    )
    hand_in = collect_sources([("a.py", text)])
    assert set(hand_in.definitions) == {"A.one", "A.three", "four"}
    assert set(hand_in.unreadable) == {"A.two", "five"}
    assert hand_in.unreadable["five"].line == 16
    assert hand_in.definitions["A.three"][0].node.lineno == 10
    assert hand_in.definitions["four"][0].node.lineno == 13


# --- words ------------------------------------------------------------------------------------------------------------


def test_every_message_is_there_in_both_languages_with_the_same_values():
    def fields(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for name, message in {**MESSAGES, **STATES}.items():
        assert set(message) == {"zh", "en"}, name
        assert fields(message["zh"]) == fields(message["en"]), name


def test_a_wrong_target_is_no_exercise():
    with pytest.raises(ValueError):
        LESSON.find("9.9")
