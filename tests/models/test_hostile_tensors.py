"""Files of torch whose tensors refer to what is not there, and pickles that hold other things than weights."""

import pickle
import struct

import numpy as np
import pytest
from hostile import refused, zipped
from pickle_code import (
    EMPTY_TUPLE,
    NONE,
    STORAGES,
    mapping,
    named,
    number,
    program,
    several,
    storage,
    tensor,
    text,
    torch_legacy,
    torch_zip,
)

NUMBERS = {"0": np.arange(12, dtype="f4")}
FLOATS = named("torch", "FloatStorage")
TWICE = pickle.BINPUT + b"\x07" + pickle.BINGET + b"\x07" + pickle.TUPLE2


def reference(kind="storage", dtype=FLOATS, key="0", size=12):
    """The parts of a reference to a storage; each may be code."""
    parts = [text(kind) if isinstance(kind, str) else kind, dtype, text(key) if isinstance(key, str) else key]
    return *parts, text("cpu"), number(size) if isinstance(size, int) else size


NO_STORAGE, NOT_THERE = "which is no storage of numbers", "are not there"
REFERENCES = {
    "another kind": (reference("module"), f"it refers to module 0, {NO_STORAGE}"),
    "a kind that is a list": (reference(pickle.EMPTY_LIST), NO_STORAGE),
    "a key that is a list": (reference(key=pickle.EMPTY_LIST), NO_STORAGE),
    "tuples in tuples as key": (reference(key=EMPTY_TUPLE + pickle.TUPLE1 * 200_000), NO_STORAGE),
    "an exponential key": (reference(key=EMPTY_TUPLE + TWICE * 200), NO_STORAGE),
    "an exponential type": (reference(dtype=EMPTY_TUPLE + TWICE * 200), "a storage of 12 numbers of type tuple"),
    "an unknown type": (reference(dtype=text("float12")), "a storage of 12 numbers of type float12"),
    "a type with code": (reference(dtype=named("torch", "QUInt8Storage")), "it asks for torch.QUInt8Storage"),
    "a negative size": (reference(size=-12), "a storage of -12 numbers"),
    "a size that is text": (reference(size=text("12")), "a storage of 12 numbers"),
    "a huge size": (reference(size=1 << 60), "a storage of 1152921504606846976 numbers"),
    "a size of a megabyte": (reference(size=1 << 8_000_000), "a storage of a huge number numbers"),
    "a size beyond the file": (reference(size=1 << 40), NOT_THERE),
    "a size that is a bit too large": (reference(size=13), NOT_THERE),
    "a key that is not there": (reference(key="1"), ""),
    "a key with a way out": (reference(key="../../../../etc/passwd"), ""),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("what", REFERENCES)
def test_references(what, legacy, tmp_path):
    parts, says = REFERENCES[what]
    stored = several(*parts, *[NONE] * legacy) + pickle.BINPERSID
    code = program(mapping(a=tensor(stored, 0, [12], [1])))
    message = refused((torch_legacy if legacy else torch_zip)(code, NUMBERS), tmp_path, says)
    assert says or NOT_THERE in message or "the numbers are not those of its tensors" in message


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("pid", [text("0"), number(0), NONE, EMPTY_TUPLE, mapping(), several(*[text("storage")] * 99)])
def test_references_of_another_form(pid, legacy, tmp_path):
    code = program(mapping(a=tensor(pid + pickle.BINPERSID, 0, [12], [1])))
    refused((torch_legacy if legacy else torch_zip)(code, NUMBERS), tmp_path, "damaged")


def test_references_in_a_file_of_paddle(tmp_path):
    refused(program(mapping(a=storage("0", "FloatStorage", 12))), tmp_path, "it asks for torch.FloatStorage")
    refused(program(mapping(a=text("0") + pickle.BINPERSID)), tmp_path, "it refers to objects outside of the file")


def test_a_part_of_a_storage(tmp_path):
    """Before torch 0.4; their offset would have to be minded."""
    code = program(mapping(a=tensor(storage("0", "FloatStorage", 12, EMPTY_TUPLE), 0, [12], [1])))
    refused(torch_legacy(code, NUMBERS), tmp_path, NO_STORAGE)


NOWHERE = "that lies nowhere in its numbers"
VIEWS = {
    "behind the end": ((1, [12], [1]), "a tensor of shape [12] that does not lie in its 12 numbers"),
    "far behind the end": ((1 << 40, [1], [1]), "does not lie in"),
    "before the beginning": ((-1, [12], [1]), NOWHERE),
    "backwards": ((11, [12], [-1]), NOWHERE),
    "too large steps": ((0, [4], [4]), "does not lie in"),
    "huge steps": ((0, [2], [1 << 47]), "does not lie in"),
    "steps of overflow": ((0, [2], [1 << 62]), NOWHERE),
    "steps of a megabyte": ((0, [2], [1 << 8_000_000]), NOWHERE),
    "too many steps": ((0, [12], [1, 1]), NOWHERE),
    "the same numbers for ever": ((0, [1 << 30], [0]), "does not lie in"),
    "a shape of overflow": ((0, [1 << 32, 1 << 32], [0, 0]), "impossible shape"),
    "a negative shape": ((0, [-3, -4], [4, 1]), "impossible shape"),
    "a shape of 40 dimensions": ((0, [1] * 40, [1] * 40), "impossible shape"),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("what", VIEWS)
def test_views_that_do_not_lie_in_their_storage(what, legacy, tmp_path):
    view, says = VIEWS[what]
    code = program(mapping(a=tensor(storage("0", "FloatStorage", 12, *[NONE] * legacy), *view)))
    refused((torch_legacy if legacy else torch_zip)(code, NUMBERS), tmp_path, says)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_storage_in_two_types(legacy, tmp_path):
    """The first counts: as double, its twelve numbers would end behind the file."""
    both = [storage("0", kind, 12, *[NONE] * legacy) for kind in ("FloatStorage", "DoubleStorage")]
    code = program(mapping(**{f"a{position}": tensor(each, 0, [12], [1]) for position, each in enumerate(both)}))
    refused((torch_legacy if legacy else torch_zip)(code, NUMBERS), tmp_path, "neither ViT, DeiT nor Swin")


def test_what_is_no_storage(tmp_path):
    code = program(mapping(a=tensor(mapping(view=NONE), 0, [12], [1])))
    refused(torch_zip(code, NUMBERS), tmp_path, "damaged")


@pytest.mark.parametrize("kind", STORAGES.values())
def test_many_views_of_the_same_numbers(kind, tmp_path):
    """Each would be read: a file of some megabytes could keep a machine busy for hours."""
    size = 1 << 18
    several_times = {f"blocks.{i}.attn_mask": tensor(storage("0", kind, size), 0, [size], [1]) for i in range(300)}
    numbers = np.zeros(size, next(code for code, name in STORAGES.items() if name == kind))
    refused(
        torch_zip(program(mapping(**several_times)), {"0": numbers}), tmp_path, "more numbers than fit into the file"
    )


def legacy(facts=None, keys=None, count=12, code=None):
    """A file of torch before 1.6 with one part that is wrong."""
    plain = program(mapping(a=tensor(storage("0", "FloatStorage", 12, NONE), 0, [12], [1])))
    content = torch_legacy(code or plain, NUMBERS)
    if facts is not None:
        begin, end = content.index(b"\x80\x02}"), content.index(plain)
        content = content[:begin] + pickle.dumps(facts, 2) + content[end:]
    if keys is not None:
        content = content.replace(pickle.dumps(["0"], 2), pickle.dumps(keys, 2))
    return content.replace(struct.pack("<q", 12), struct.pack("<q", count))


LEGACY = {
    "another machine": (legacy(facts={"little_endian": False}), "another order of bytes"),
    "facts that are a list": (legacy(facts=[1]), "another order of bytes"),
    "no list of keys": (legacy(keys={"0": 1}), "not those of its tensors"),
    "a list of numbers": (legacy(keys=[0]), "not those of its tensors"),
    "keys in keys": (legacy(keys=[["0"]]), "not those of its tensors"),
    "no key": (legacy(keys=[]), "not those of its tensors"),
    "a key too much": (legacy(keys=["0", "1"]), "not those of its tensors"),
    "a key twice": (legacy(keys=["0", "0"]), "not those of its tensors"),
    "too many numbers": (legacy(count=13), "48 bytes of numbers are not there"),
    "a count of -1": (legacy(count=-1), "48 bytes of numbers are not there"),
    "no pickles": (legacy()[:20], "ends in the middle"),
    "a magic number without a file": (pickle.dumps(0x1950A86A20F9469CFC6C, 2), "ends in the middle"),
}


@pytest.mark.parametrize("what", LEGACY)
def test_older_files_of_torch(what, tmp_path):
    content, says = LEGACY[what]
    refused(content, tmp_path, says)


SELF = pickle.EMPTY_DICT + pickle.BINPUT + b"\x07" + text("model") + pickle.BINGET + b"\x07" + pickle.SETITEM
ONE = np.ones(3, "f4")
CONTENTS = {
    "a list": ([ONE], "holds a list, not a dict of arrays"),
    "an array": (ONE, "not a dict of arrays"),
    "a number": (3, "holds a int, not a dict of arrays"),
    "nothing": (None, "not a dict of arrays"),
    "a dict of numbers": ({"a": 1}, "holds no arrays, nor a dict of them under model, state_dict"),
    "a dict in itself": (SELF, "holds no arrays"),
    "a function": (named("_codecs", "encode"), "holds a function, not a dict"),
    "arrays and others": ({"a": ONE, "b": [ONE], "c": "d"}, "what is no array: b, c"),
    "arrays without names": ({0: ONE}, "which is no name of a parameter"),
    "a name of control characters": ({"\x1b[2J": ONE}, r"'\x1b[2J', which is no name of a parameter"),
    "a name that is no Unicode": ({"\ud800": ONE}, "which is no name of a parameter"),
    "an endless name": ({"a." * 100_000: ONE}, "which is no name of a parameter"),
    "an endless number in a name": ({f"blocks.{'1' * 5000}.norm1.weight": ONE}, "which is no name of a parameter"),
    "endless others": ({"a": ONE, **{f"{i}" * 200: 1 for i in range(5000)}}, "what is no array"),
}


@pytest.mark.parametrize("what", CONTENTS)
def test_pickles_of_other_things(what, tmp_path):
    content, says = CONTENTS[what]
    content = program(content) if isinstance(content, bytes) else pickle.dumps(content, 2)
    assert "\x1b" not in refused(content, tmp_path, says)
    refused(zipped({"a/data.pkl": content}), tmp_path, says)
