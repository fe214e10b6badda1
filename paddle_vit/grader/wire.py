"""Observations as bytes: what crosses from the process with the learner's code to the one that judges.

Plain data only: a JSON header in which each array is replaced by its shape, dtype and place, then the arrays' bytes.
Never pickle: decoding what a hostile process wrote must execute nothing.
"""

import json
import math

import numpy as np

_DTYPES = {"bool", "uint8", "uint16", "int8", "int16", "int32", "int64", "float16", "float32", "float64"} | {
    "complex64",
    "complex128",
}


def encode(value):
    """Nested dicts, lists, strings, numbers, None and numpy arrays to bytes."""
    blobs = []

    def plain(part):
        if isinstance(part, np.ndarray):
            blobs.append(part.tobytes())
            return {"~array": [list(part.shape), part.dtype.name]}
        if isinstance(part, dict):
            return {str(key): plain(item) for key, item in part.items()}
        if isinstance(part, (list, tuple)):
            return [plain(item) for item in part]
        return part

    header = json.dumps(plain(value)).encode()
    return b"".join([len(header).to_bytes(8, "little"), header, *blobs])


def decode(data):
    """The inverse of encode, tuples as lists.

    Raises:
        ValueError: the bytes are damaged, or not made by encode.
    """
    try:
        end = 8 + int.from_bytes(data[:8], "little")
        if not 8 <= end <= len(data):
            raise ValueError("no header")
        place = end

        def restore(part):
            nonlocal place
            if isinstance(part, list):
                return [restore(item) for item in part]
            if not isinstance(part, dict):
                return part
            if set(part) != {"~array"}:
                return {key: restore(item) for key, item in part.items()}
            shape, dtype = part["~array"]
            if dtype not in _DTYPES or not all(type(size) is int and size >= 0 for size in shape):
                raise ValueError("an array of an unknown kind")
            count = math.prod(shape)
            array = np.frombuffer(data, dtype, count, place).reshape(shape) if count else np.zeros(shape, dtype)
            place += array.nbytes
            return array

        value = restore(json.loads(data[8:end]))
        if place != len(data):
            raise ValueError("bytes left over")
        return value
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError, MemoryError) as error:
        raise ValueError(f"not an observation: {error}") from None
