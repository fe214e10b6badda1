"""Arrays of numbers out of MATLAB's files of version 5 (MAT-File Format, The MathWorks), in which Flowers-102 has its labels.

Such a file is a header of 128 bytes, then elements: a tag with the kind and the number of bytes, and the bytes. An element
may hold others, packed by zlib or as the parts of an array.
"""

import itertools
import math
import struct
import zlib

import numpy as np

from paddle_vit.training.config import RecipeError
from paddle_vit.training.local_files import content_of

# Kinds of elements
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_ARRAY, _PACKED = 14, 15

_NUMERIC_CLASSES = range(6, 16)  # of arrays; others are texts, cells, structures
_COMPLEX = 0x800
_LARGEST = 1 << 27  # bytes that a packed element may grow to


def read_matlab(path):
    """The arrays of real numbers in a file; others are left out.

    Args:
        path: Path

    Returns:
        dict from names to arrays

    Raises:
        RecipeError: it is no such file, damaged, or cut off.
    """
    content = content_of(path)
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])  # the letters MI as a number, in the order of its bytes
    if order is None:
        raise RecipeError(
            f"{path} is no MATLAB file of version 5: take the published file, or save it in MATLAB with -v7 or -v6"
        )
    try:
        return dict(_arrays(memoryview(content)[128:], order))
    except (ValueError, IndexError, struct.error, zlib.error, RecursionError) as error:
        raise RecipeError(f"{path} is damaged or cut off ({error}): copy it again") from error


def _elements(view, order):
    """Yields kind, bytes."""
    at = 0
    while at < len(view):
        kind, size = struct.unpack_from(f"{order}2I", view, at)
        start, stop = at + 8, at + 8 + size
        at = stop if kind == _PACKED else stop + -size % 8
        if kind >> 16:  # four bytes or fewer stand in the tag
            kind, size = kind & 0xFFFF, kind >> 16
            start, stop, at = start - 4, start - 4 + size, start
        if stop > len(view) or stop > at:
            raise ValueError(f"an element of {size:,} bytes goes beyond the end")
        yield kind, view[start:stop]


def _arrays(view, order):
    for kind, content in _elements(view, order):
        if kind == _PACKED:
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(content, _LARGEST)
            if not unpacker.eof:
                raise ValueError("a packed element has no end")
            yield from _arrays(memoryview(content), order)
        elif kind == _ARRAY:
            yield from _array(content, order)


def _array(view, order):
    """Yields name, array; nothing if it holds anything but real numbers."""
    parts = list(itertools.islice(_elements(view, order), 4))  # flags, shape, name, numbers
    (flags,) = struct.unpack_from(f"{order}I", parts[0][1])
    if flags & 0xFF not in _NUMERIC_CLASSES or flags & _COMPLEX:
        return
    shape = np.frombuffer(parts[1][1], f"{order}i4").tolist()
    name = str(parts[2][1], "latin1")
    kind, content = parts[3]
    if kind not in _NUMBERS:
        raise ValueError(f"numbers of the unknown kind {kind}")
    numbers = np.frombuffer(content, order + _NUMBERS[kind])
    if min(shape) < 0 or math.prod(shape) != len(numbers):
        raise ValueError(f"an array {shape} has {len(numbers):,} numbers")
    yield name, numbers.reshape(shape, order="F")
