"""Pickles written by hand, operation by operation, and the files of torch and Paddle around them.

Every function gives the bytes that put one value on the stack of the unpickler. So a test can say what no pickler would.
"""

import io
import pickle
import struct
import zipfile

import numpy as np

from paddle_vit.models.pickles import TORCH_MAGIC

NONE, TRUE, FALSE, EMPTY_TUPLE = b"N", b"\x88", b"\x89", b")"

STORAGES = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage", "b1": "BoolStorage"}


def text(value):
    content = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(content)) + content


def number(value):
    if -(1 << 31) <= value < 1 << 31:
        return pickle.BININT + struct.pack("<i", value)
    content = pickle.encode_long(value)
    return pickle.LONG4 + struct.pack("<i", len(content)) + content


def several(*values):
    """A tuple of values that are code already."""
    return pickle.MARK + b"".join(values) + pickle.TUPLE


def numbers(values):
    return several(*map(number, values))


def named(module, name):
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def call(function, *arguments):
    return function + several(*arguments) + pickle.REDUCE


def mapping(**values):
    return pickle.EMPTY_DICT + pickle.MARK + b"".join(text(k) + v for k, v in values.items()) + pickle.SETITEMS


def program(value, protocol=2):
    return pickle.PROTO + bytes([protocol]) + value + pickle.STOP


def storage(key, kind, size, *more):
    """A reference to numbers outside of the pickle; legacy files have None after the size."""
    return (
        several(text("storage"), named("torch", kind), text(key), text("cpu"), number(size), *more) + pickle.BINPERSID
    )


def tensor(stored, offset, shape, strides):
    hooks = call(named("collections", "OrderedDict"))
    rest = (number(offset), numbers(shape), numbers(strides), FALSE, hooks)
    return call(named("torch._utils", "_rebuild_tensor_v2"), stored, *rest)


def dtype(code, order="<", *parts):
    state = several(number(3), text(order), *(parts or (NONE,) * 3), number(-1), number(-1), number(0))
    return call(named("numpy", "dtype"), text(code), FALSE, TRUE) + state + pickle.BUILD


def array(shape, kind, content, fortran=FALSE):
    """An array of NumPy; all but the content, bytes, is code."""
    start = call(
        named("numpy.core.multiarray", "_reconstruct"), named("numpy", "ndarray"), several(number(0)), text("b")
    )
    content = pickle.BINBYTES + struct.pack("<I", len(content)) + content
    return start + several(number(1), shape, kind, fortran, content) + pickle.BUILD


def torch_zip(code, storages, compression=zipfile.ZIP_STORED):
    """A file of torch: the pickle's code, and a dict from keys to arrays."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", code)
        archive.writestr("archive/byteorder", "little")
        for key, numbers in storages.items():
            archive.writestr(f"archive/data/{key}", numbers.tobytes())
    return file.getvalue()


def torch_legacy(code, storages):
    """The same before torch 1.6."""
    facts = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    head = b"".join(pickle.dumps(part, 2) for part in (TORCH_MAGIC, 1001, facts))
    tail = b"".join(struct.pack("<q", numbers.size) + numbers.tobytes() for numbers in storages.values())
    return head + code + pickle.dumps(list(storages), 2) + tail


def torch_file(arrays, legacy=False, compression=zipfile.ZIP_STORED):
    """A file of torch with these arrays, each in a storage of its own."""
    code, storages = {}, {}
    for position, (name, values) in enumerate(arrays.items()):
        storages[str(position)] = np.ascontiguousarray(values)
        stored = storage(str(position), STORAGES[values.dtype.str[1:]], values.size, *([NONE] if legacy else []))
        strides = [stride // values.itemsize for stride in np.empty(values.shape, values.dtype).strides]
        code[name] = tensor(stored, 0, values.shape, strides)
    code = program(mapping(**code))
    return torch_legacy(code, storages) if legacy else torch_zip(code, storages, compression)
