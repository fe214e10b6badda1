"""Arrays out of pickles, and nothing else: torch's .pth and .bin, Paddle's .pdparams.

The names that such files ask for get stand-ins here; neither torch nor Paddle is loaded. What is no array, container, number
or text is refused, see unpickler.py. The pickle may call the stand-ins with anything, so each checks what it gets.
"""

import math
from collections import OrderedDict

import numpy as np

from paddle_vit.models.unpickler import Bounded, Refused, load, shown

# What arrays of a file can be: numpy's names, and bfloat16, which numpy does not know
DTYPES = {
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "bfloat16": "<u2",  # the upper half of a float32
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "|i1",
    "uint8": "|u1",
    "bool": "|b1",
}

_TORCH_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}

_MOST_DIMENSIONS = 32  # numpy 1 has no more
_MOST_NUMBERS = 1 << 48


def checked_shape(shape):
    """shape as a tuple, or a ValueError if no array can have it."""
    if not isinstance(shape, (tuple, list)) or len(shape) > _MOST_DIMENSIONS or not all(map(_count, shape)):
        raise ValueError("an array of an impossible shape")
    if math.prod(max(size, 1) for size in shape) > _MOST_NUMBERS:
        raise ValueError(f"an array of the impossible shape {list(shape)}")
    return tuple(shape)


def _count(number):
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= _MOST_NUMBERS


class Array:
    """An array that a pickle describes: numpy's, with its bytes, or torch's, a view of a storage."""

    __slots__ = ("shape", "dtype", "_make")

    def __init__(self, shape=None, dtype=None, make=None):
        self.shape, self.dtype, self._make = shape, dtype, make

    def set_state(self, state):
        """As numpy.ndarray's __setstate__: (version, shape, dtype, Fortran order, bytes)."""
        _, shape, dtype, fortran, content = state
        if not isinstance(dtype, _Dtype) or not isinstance(content, (bytes, memoryview)):
            raise Refused("it has an array of Python objects")
        shape, stored, order = checked_shape(shape), dtype.numpy, "F" if fortran else "C"
        if math.prod(shape) * stored.itemsize != len(content):
            raise ValueError(f"an array of shape {list(shape)} with {len(content)} bytes")

        def make():
            numbers = np.frombuffer(content, stored).reshape(shape, order=order)
            return numbers.astype(stored.newbyteorder("="), copy=False)

        self.shape, self.dtype, self._make = shape, dtype.name, make

    def numpy(self):
        """The array, bfloat16 as uint16; a view of what was read if it can be, read-only."""
        return self._make()


class _Dtype:
    """numpy.dtype in a pickle: a code such as "f4", then a state whose second entry is the order of bytes."""

    __slots__ = ("numpy", "name")

    _CODES = {code[1:]: name for name, code in DTYPES.items()}  # Paddle, too, has bfloat16 as u2

    def __init__(self, code):
        if not isinstance(code, str) or code not in self._CODES:
            raise Refused(f"it has arrays of the type {shown(code)}, which no weights have")
        self.numpy, self.name = np.dtype(code), self._CODES[code]

    def set_state(self, state):
        order, *fields = state[1:5]
        if order not in ("<", ">", "|", "=") or any(field is not None for field in fields):
            raise Refused("it has arrays of a type with parts, which no weights have")
        self.numpy = self.numpy.newbyteorder(order)


class Storage:
    """Numbers in a row in a torch file, of which tensors are views. content is set when it is known where they lie."""

    __slots__ = ("dtype", "size", "content")

    def __init__(self, dtype, size):
        if not isinstance(dtype, str) or dtype not in DTYPES or not _count(size):
            raise ValueError(f"a storage of {shown(size)} numbers of type {shown(dtype)}")
        self.dtype, self.size, self.content = dtype, size, None

    @property
    def num_bytes(self):
        return self.size * np.dtype(DTYPES[self.dtype]).itemsize

    def view(self, offset, shape, strides):
        """The tensor that begins at offset, counted in numbers; strides likewise. What torch calls _rebuild_tensor_v2."""
        shape, strides = checked_shape(shape), tuple(strides)
        if not all(map(_count, (offset, *strides))) or len(shape) != len(strides):
            raise ValueError(f"a tensor of shape {list(shape)} that lies nowhere in its numbers")
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        if math.prod(shape) and not math.prod(shape) <= self.size > last:
            raise ValueError(f"a tensor of shape {list(shape)} that does not lie in its {self.size} numbers")

        def make():
            if not math.prod(shape):
                return np.empty(shape, DTYPES[self.dtype])
            numbers = np.frombuffer(self.content, DTYPES[self.dtype], self.size)[offset:]
            steps = [stride * numbers.itemsize for stride in strides]
            return np.lib.stride_tricks.as_strided(numbers, shape, steps, writeable=False)

        return Array(shape, self.dtype, make)


def _containers():
    """Names of containers. They are called without content, which follows: copies of copies could fill the memory."""
    return {("collections", "OrderedDict"): lambda: OrderedDict()}


def _numpy_names(length):
    """Names that NumPy's arrays need, in a file of this length."""
    names = {("numpy", "dtype"): lambda code, *_: _Dtype(code)}
    names["numpy", "ndarray"] = "ndarray"  # named, never called
    for core in ("numpy.core.multiarray", "numpy._core.multiarray"):
        names[core, "_reconstruct"] = lambda *_: Array()
        names[core, "scalar"] = lambda dtype, content: (dtype.name, content)  # of no use here, and no harm
    left = length  # no file holds more text than its length, but the same text could be asked for again and again

    def encode(text, encoding):
        """Bytes in a pickle of protocol 2, as Paddle 2.0 wrote it."""
        nonlocal left
        left -= len(text)
        if encoding != "latin1" or left < 0:
            raise Refused(f"it encodes text as {shown(encoding)}, more than there is in the file")
        return text.encode("latin1")

    names["_codecs", "encode"] = encode
    names["__builtin__", "bytes"] = lambda: b""  # of an array without numbers, in protocol 2
    return names


def load_paddle(view):
    """What paddle.save wrote.

    Args:
        view: memoryview of the whole file.

    Returns:
        dicts, lists, tuples, numbers and strings, with Array in the place of arrays

    Raises:
        ValueError: damaged, or (Refused) it holds other things.
    """
    names = _containers() | _numpy_names(len(view))
    names["builtins", "tuple"] = names["__builtin__", "tuple"] = _tensor
    return load(Bounded(view), names)


def _tensor(named):
    """A tensor in a nested dict: Paddle makes a tuple of its name and its array."""
    if not isinstance(named, (tuple, list)) or len(named) != 2 or not isinstance(named[1], Array):
        raise Refused("it makes tuples of other things than a name and an array")
    return named[1]


def _torch_names(length):
    names = _containers() | _numpy_names(length)  # NumPy's scalars: losses, accuracies
    for storage, dtype in _TORCH_STORAGES.items():
        names["torch", storage] = dtype
    for version in ("_rebuild_tensor", "_rebuild_tensor_v2"):
        names["torch._utils", version] = lambda storage, offset, shape, strides, *_: storage.view(
            offset, shape, strides
        )
    names["torch._utils", "_rebuild_parameter"] = lambda array, *_: array
    return names


def load_torch(view, storage_content):
    """What torch.save wrote into data.pkl of a zip file.

    Args:
        view: memoryview of data.pkl.
        storage_content: function from a storage's key and its number of bytes to these bytes, as a memoryview.

    Returns:
        as load_paddle

    Raises:
        ValueError: damaged, or (Refused) it holds other things.
    """
    storages = {}

    def persistent_load(pid):
        kind, dtype, key, _, size = pid
        if not isinstance(kind, str) or kind != "storage" or not isinstance(key, str):
            raise Refused(f"it refers to {shown(kind)} {shown(key)}, which is no storage of numbers")
        if key not in storages:
            storages[key] = Storage(dtype, size)
            storages[key].content = storage_content(key, storages[key].num_bytes)
        return storages[key]

    return load(Bounded(view), _torch_names(len(view)), persistent_load)


TORCH_MAGIC = 0x1950A86A20F9469CFC6C


def load_legacy_torch(view):
    """What torch.save wrote before torch 1.6: five pickles (a magic number, a version, facts of the machine, the object,
    the keys of its storages), then for each key the count and the numbers.

    Args:
        view: memoryview of the whole file.

    Returns:
        as load_paddle

    Raises:
        ValueError: damaged, or (Refused) it holds other things.
    """
    file, storages = Bounded(view), {}

    def persistent_load(pid):
        kind, dtype, key, _, size, part = pid
        if not isinstance(kind, str) or kind != "storage" or not isinstance(key, str) or part is not None:
            raise Refused(f"it refers to {shown(kind)} {shown(key)}, which is no storage of numbers")
        return storages.setdefault(key, Storage(dtype, size))

    magic, _, machine = (load(file, _containers()) for _ in range(3))
    if magic != TORCH_MAGIC or not isinstance(machine, dict) or not machine.get("little_endian", True):
        raise ValueError("damaged, or written on a machine with another order of bytes")
    content = load(file, _torch_names(len(view)), persistent_load)
    keys = load(file, _containers())
    # the second list is of the same keys, in the file's order
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or sorted(keys) != sorted(storages):
        raise ValueError("damaged: the numbers are not those of its tensors")
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(file.read(8), "little")
        start, file.position = file.position, file.position + storage.num_bytes
        if count != storage.size or file.position > len(view):
            raise ValueError(f"damaged: {storage.num_bytes:,} bytes of numbers are not there")
        storage.content = view[start : file.position]
    return content
