"""Pickles that want to run something, or to take time and memory without end: refused by name, nothing executed, the model as
it was. Each in the four kinds of files that have pickles.
"""

import os
import pickle
import struct
import subprocess

import pytest
from hostile import refused
from pickle_code import (
    EMPTY_TUPLE,
    FALSE,
    NONE,
    array,
    call,
    dtype,
    mapping,
    named,
    number,
    numbers,
    program,
    several,
    text,
    torch_legacy,
    torch_zip,
)

FILES = {
    "torch": lambda code: torch_zip(program(code), {}),
    "legacy torch": lambda code: torch_legacy(program(code), {}),
    "pdparams 2": lambda code: program(code),
    "pdparams 4": lambda code: program(code, protocol=4),
}
every_file = pytest.mark.parametrize("file", FILES)


def refuse(file, code, tmp_path, says):
    """As hostile.refused, for a dict with a value of this code."""
    return refused(FILES[file](mapping(a=code)), tmp_path, says)


COMMAND = text("touch executed")  # in the folder of the test, where refused() would find it
CALLS = [
    ("posix", "system", COMMAND),
    ("nt", "system", COMMAND),
    ("os", "popen", COMMAND),
    ("subprocess", "getoutput", COMMAND),
    ("subprocess", "Popen", several(text("touch"), text("executed"))),
    ("builtins", "eval", text("open('executed', 'w')")),
    (
        "__builtin__",
        "eval",
        text("open('executed', 'w')"),
    ),  # Python 2's name, which Python 3's unpickler would translate
    ("builtins", "exec", text("open('executed', 'w')")),
    ("builtins", "compile", text("1"), text("x"), text("eval")),
    ("builtins", "__import__", text("antigravity")),
    ("builtins", "getattr", named("collections", "OrderedDict"), text("__init__")),
    ("builtins", "open", text("executed"), text("w")),
    ("io", "open", text("executed"), text("w")),
    ("importlib", "import_module", text("antigravity")),
    ("operator", "attrgetter", text("__class__")),
    ("operator", "methodcaller", text("read")),
    ("functools", "partial", named("collections", "OrderedDict")),
    ("copyreg", "_reconstructor", named("collections", "OrderedDict"), NONE, NONE),
    ("copy_reg", "_reconstructor", named("collections", "OrderedDict"), NONE, NONE),
    ("pickle", "loads", text("cposix\nsystem\n")),
    ("runpy", "run_path", text("executed")),
    ("numpy", "load", text("weights.bin")),
    ("numpy", "save", text("executed"), number(1)),
    ("numpy.core.multiarray", "fromfile", text("weights.bin")),
    ("numpy.core.multiarray", "_reconstruct.__globals__", NONE),
    ("numpy.testing._private.utils", "runstring", text("1"), NONE),
    ("torch", "load", text("weights.bin")),
    ("torch._utils", "_rebuild_wrapper_subclass", NONE),
    ("torch.storage", "_load_from_bytes", text("cposix\nsystem\n")),
    ("torch.hub", "load", text("a/b")),
    ("torch.jit", "load", text("weights.bin")),
    ("paddle", "load", text("weights.bin")),
    ("collections", "OrderedDict.__init__", NONE),
    ("collections", "defaultdict", named("collections", "OrderedDict")),
    ("argparse", "Namespace"),
    ("yacs.config", "CfgNode"),
    ("types", "CodeType"),
    ("weakref", "finalize", NONE),
    ("paddle_vit.models.weight_files", "WeightsError", text("trust me")),
    ("", "", NONE),
]


@every_file
@pytest.mark.parametrize("module, name, arguments", [(each[0], each[1], each[2:]) for each in CALLS])
def test_functions_are_refused_by_name(file, module, name, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse(file, call(named(module, name), *arguments), tmp_path, f"it asks for {module}.{name}")
    if file == "pdparams 4":
        by_stack = text(module) + text(name) + pickle.STACK_GLOBAL
        refuse(file, call(by_stack, *arguments), tmp_path, f"it asks for {module}.{name}")


class Runs:
    """What an attacker would write."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "function, arguments",
    [(os.system, ["touch executed"]), (subprocess.Popen, [["touch", "executed"]]), (eval, ["open('executed', 'w')"])],
)
def test_objects_that_run_something(protocol, function, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({"a": Runs(function, *arguments)}, protocol)
    name = "eval" if function is eval else function.__name__
    # protocols 0 and 1 have no mark at their beginning, neither torch nor Paddle writes them
    refused(content, tmp_path, f".{name}" if protocol > 1 else "like no kind of weights")
    legacy = torch_legacy(pickle.dumps(Runs(function, *arguments), max(protocol, 2)), {})
    refused(legacy, tmp_path, f".{name}")
    # in the pickles around the object: the magic number's, the list of keys
    refused(legacy + pickle.dumps(Runs(function, *arguments), max(protocol, 2)), tmp_path, f".{name}")
    keys = torch_legacy(program(mapping()), {}).removesuffix(pickle.dumps([], 2))
    refused(keys + pickle.dumps(Runs(function, *arguments), max(protocol, 2)), tmp_path, f".{name}")


ORDERED = named("collections", "OrderedDict")
OPERATIONS = {
    "INST": pickle.MARK + COMMAND + pickle.INST + b"posix\nsystem\n",
    "OBJ": pickle.MARK + ORDERED + pickle.OBJ,
    "NEWOBJ": ORDERED + EMPTY_TUPLE + pickle.NEWOBJ,
    "NEWOBJ_EX": ORDERED + EMPTY_TUPLE + mapping() + pickle.NEWOBJ_EX,
    "EXT1": pickle.EXT1 + b"\x01",
    "EXT2": pickle.EXT2 + b"\x01\x00",
    "EXT4": pickle.EXT4 + b"\x01\x00\x00\x00",
    "NEXT_BUFFER": pickle.NEXT_BUFFER,
    "READONLY_BUFFER": text("a") + pickle.READONLY_BUFFER,
    "BYTEARRAY8": pickle.BYTEARRAY8 + struct.pack("<Q", 1 << 62),
    "FROZENSET": pickle.MARK + number(1) + pickle.FROZENSET,
    "PERSID": pickle.PERSID + b"0\n",
    "STRING": pickle.STRING + b"'a'\n",
    "INT": pickle.INT + b"9" * 500_000 + b"\n",
    "LONG": pickle.LONG + b"9" * 500_000 + b"L\n",
}


@every_file
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_refused_by_name(file, name, tmp_path):
    refuse(file, OPERATIONS[name], tmp_path, f"it asks for the operation {name}, which weights do not need")


def nested(value, operation, times):
    return value + operation * times


def doubled(value, times):
    """A tuple of twice the same, of which a tuple of twice the same, ...: 2**times values in a few bytes."""
    return value + times * (pickle.BINPUT + b"\x07" + pickle.BINGET + b"\x07" + pickle.TUPLE2)


def item(key, value=NONE):
    """A dict with any key."""
    return pickle.EMPTY_DICT + key + value + pickle.SETITEM


def again(value, operations, times):
    """A value to which operations refer as number 7 of the memo, many times."""
    return value + pickle.BINPUT + b"\x07" + pickle.POP + pickle.MARK + operations * times + pickle.TUPLE


def build(thing, state):
    return thing + state + pickle.BUILD


def reconstruct(*state):
    return build(call(named("numpy.core.multiarray", "_reconstruct")), several(*state))


def shaped(*shape, size=48):
    return array(numbers(shape), dtype("f4"), bytes(size))


BIG = number(1 << 8_000_000)
SEVEN = pickle.BINGET + b"\x07"
ENCODE = named("_codecs", "encode")
FOUR = number(1) + numbers([12]) + dtype("f4") + FALSE
MACHINES = {
    # calls of what is no function, or of one of ours with nonsense
    "a call of text": (call(text("os.system"), COMMAND), "not callable"),
    "a call of an array's class": (call(named("numpy", "ndarray"), numbers([1 << 40])), "not callable"),
    "a dict with content in its call": (call(ORDERED, several(several(text("a"), NONE))), "damaged"),
    "a call with a list": (ORDERED + pickle.EMPTY_LIST + pickle.REDUCE, "with what are no arguments"),
    "a call with too much": (call(ORDERED, *[NONE] * 100), "with what are no arguments"),
    "text from a number": (call(ENCODE, number(1), text("latin1")), "damaged"),
    "another encoding": (call(ENCODE, text("os"), text("rot13")), "it encodes text as rot13"),
    "an encoding that is no text": (call(ENCODE, text("os"), pickle.EMPTY_LIST), "it encodes text as list"),
    # states of what has none
    "attributes of a dict": (build(mapping(), several(NONE, mapping(keys=NONE))), "sets the state of a dict"),
    "attributes of a function": (build(ENCODE, several(NONE, mapping(__code__=NONE))), "sets the state of a function"),
    "attributes of an array": (reconstruct(NONE, mapping(_make=ENCODE)), "damaged"),
    "attributes of a type": (build(dtype("f4"), several(NONE, mapping(name=text("int8")))), "a type with parts"),
    "a method as state": (build(mapping(__setstate__=ENCODE), several(COMMAND, text("latin1"))), "the state of a dict"),
    # items where none belong
    "items of a list": (pickle.EMPTY_LIST + number(0) + NONE + pickle.SETITEM, "sets items of a list"),
    "items of a function": (ENCODE + text("__code__") + NONE + pickle.SETITEM, "sets items of a function"),
    "an odd number of items": (pickle.EMPTY_DICT + pickle.MARK + text("a") + pickle.SETITEMS, "damaged"),
    "appended to a dict": (mapping() + NONE + pickle.APPEND, "damaged"),
    # the machine itself
    "an empty stack": (pickle.POP * 9, "damaged"),
    "no mark": (pickle.POP_MARK * 9, "damaged"),
    "no such memo": (pickle.LONG_BINGET + b"\xff" * 4, "Memo value not found"),
    "no such operation": (b"\xff", "no operation has the byte 255"),
    "a name that is no text": (number(1) + number(2) + pickle.STACK_GLOBAL, "requires str"),
    "a name without an end": (pickle.GLOBAL + b"a" * 100_000, "middle of a line"),
    "a name of control characters": (named("\x1b[2J", "x"), r"it asks for '\x1b[2J'.x"),
    "protocol 200": (pickle.PROTO + b"\xc8", "unsupported pickle protocol"),
    # lengths beyond the file
    "text of 2**32": (pickle.BINUNICODE + b"\xff" * 4, "ends in the middle"),
    "text of 2**62": (pickle.BINUNICODE8 + struct.pack("<Q", 1 << 62), "ends in the middle"),
    "bytes of 2**62": (pickle.BINBYTES8 + struct.pack("<Q", 1 << 62), "ends in the middle"),
    "bytes of 2**64": (pickle.BINBYTES8 + b"\xff" * 8, "exceeds"),
    "a number of 2**31 bytes": (pickle.LONG4 + struct.pack("<i", (1 << 31) - 1), "ends in the middle"),
    "a number of negative length": (pickle.LONG4 + struct.pack("<i", -1), "negative byte count"),
    "a frame of 2**62": (pickle.FRAME + struct.pack("<Q", 1 << 62), "ends in the middle"),
    "a frame that is not over": ((pickle.FRAME + struct.pack("<Q", 9)) * 2, "damaged"),
    # without end
    "tuples in tuples as key": (item(nested(EMPTY_TUPLE, pickle.TUPLE1, 200_000)), "keys are tuple, not text"),
    "exponential key": (item(doubled(EMPTY_TUPLE, 200)), "keys are tuple, not text"),
    "colliding keys": (item(number((1 << 61) - 1)), "keys are int, not text"),
    "tuples in tuples as type": (call(named("numpy", "dtype"), nested(NONE, pickle.TUPLE1, 200_000)), "type tuple"),
    "exponential type": (call(named("numpy", "dtype"), doubled(NONE, 200)), "type tuple"),
    "a million steps": (pickle.EMPTY_LIST * 1_050_000, "takes more than 1,048,576 steps"),
    "the same text again and again": (
        again(text("a" * 100_000), call(ENCODE, SEVEN, text("latin1")), 10_000),
        "it encodes text as latin1, more than there is",
    ),
    "a call of a long tuple": (again(several(*[NONE] * 100_000), ORDERED + SEVEN + pickle.REDUCE, 9), "no arguments"),
    # arrays
    "objects": (call(named("numpy", "dtype"), text("O8"), FALSE, FALSE), "of the type O8"),
    "fields": (call(named("numpy", "dtype"), text("V8"), FALSE, FALSE), "of the type V8"),
    "fields in the state": (
        array(numbers([12]), dtype("f4", "|", NONE, several(text("a")), mapping()), bytes(48)),
        "parts",
    ),
    "two types in one": (call(named("numpy", "dtype"), text("f,f"), FALSE, FALSE), "of the type f,f"),
    "no order of bytes": (array(numbers([12]), dtype("f4", "S"), bytes(48)), "a type with parts"),
    "a list as content": (reconstruct(FOUR, pickle.EMPTY_LIST), "an array of Python objects"),
    "text as content": (reconstruct(FOUR, text("a" * 48)), "an array of Python objects"),
    "no type": (reconstruct(number(1), numbers([48]), NONE, FALSE, pickle.BINBYTES + b"\0" * 4), "Python objects"),
    "a state that is too short": (reconstruct(number(1), numbers([12])), "damaged"),
    "no state": (call(named("numpy.core.multiarray", "_reconstruct")), "the array a has no content"),
    "another size": (shaped(13), "an array of shape [13] with 48 bytes"),
    "a negative shape": (shaped(-3, -4), "impossible shape"),
    "a shape of overflow": (shaped(1 << 32, 1 << 32, 3), "impossible shape"),
    "a shape of overflow and nothing": (shaped(0, 1 << 40, 1 << 40, size=0), "impossible shape"),
    "a shape of huge numbers": (
        again(BIG, b"", 0) + pickle.POP + array(several(*[SEVEN] * 9000), dtype("f4"), b""),
        "impossible shape",
    ),
    "a shape of text": (array(several(text("a"), number(12)), dtype("f4"), bytes(48)), "impossible shape"),
    "a shape that is a dict": (array(mapping(a=NONE), dtype("f4"), bytes(48)), "impossible shape"),
    "a shape of truth": (array(several(b"\x88", number(12)), dtype("f4"), bytes(48)), "impossible shape"),
    "40 dimensions": (shaped(12, *[1] * 39), "impossible shape"),
}


@pytest.mark.parametrize("file", ["legacy torch", "pdparams 2"])
@pytest.mark.parametrize("what", MACHINES)
def test_pickles_that_make_no_sense(file, what, tmp_path):
    code, says = MACHINES[what]
    refuse(file, code, tmp_path, says)
