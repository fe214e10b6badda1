"""What stands in a file of weights, recognised by its content: safetensors, numpy's .npz, torch's .pth and .bin (zip or the
older format), Paddle's .pdparams. Nothing of a file is executed, and arrays are read when they are asked for.
"""

import json
import math
import mmap
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from paddle_vit.models.pickles import (
    DTYPES,
    TORCH_MAGIC,
    Array,
    checked_shape,
    load_legacy_torch,
    load_paddle,
    load_torch,
)
from paddle_vit.models.unpickler import Refused, shown
from paddle_vit.models.weight_errors import Unusable, WeightsError
from paddle_vit.models.weight_labels import labels_beside, labels_in

# Where training scripts put the weights of a model in what they save
_WEIGHTS_IN = ("model", "state_dict", "model_state_dict", "module", "params", "model_ema", "state_dict_ema")

# Weights hardly compress; what unpacks to more than this, times the file's size, was made to fill memories, and so were many
# arrays in the same place
_MOST_EXPANSION = 4
_SMALL = 1 << 24  # bytes that are always allowed
_LONGEST_NAME = 300  # of an array; real ones have a third

_SAFETENSORS_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


@dataclass(frozen=True)
class Stored:
    """An array in a file, not read yet.

    shape: tuple of ints
    dtype: "float32", "float16", "bfloat16", "float64", or a type that weights do not have, such as "int64"
    raw: gives the array as it is stored, bfloat16 as uint16
    """

    shape: tuple
    dtype: str
    raw: Callable

    @property
    def num_bytes(self):
        return math.prod(self.shape) * np.dtype(DTYPES[self.dtype]).itemsize

    def read(self):
        """The array as float32, perhaps a view of the file, read-only."""
        array = self.raw()
        if self.dtype == "bfloat16":  # the upper half of a float32
            return (array.astype(np.uint32) << 16).view(np.float32)
        with np.errstate(over="ignore"):  # a float64 may become inf, which is looked for later
            return array.astype(np.float32, copy=False)

    def changed(self, shape, change):
        """The same after a function of the float32 array, which gives one of this shape."""
        return Stored(tuple(shape), "float32", lambda: change(self.read()))


@dataclass(frozen=True)
class WeightFile:
    """What stands in a file.

    path: where it lies
    kind: what wrote it, in words
    arrays: dict from the names in the file to Stored
    labels: names of the classes by number, where the file or a config.json beside it has them; else None
    paddle_layout: whether the matrices of Linear layers are [in, out] where nothing else tells
    """

    path: Path
    kind: str
    arrays: dict
    labels: dict | None = None
    paddle_layout: bool = False


def read_weight_file(path):
    """Open a file of weights.

    Args:
        path: a file; its name does not matter.

    Returns:
        WeightFile

    Raises:
        FileNotFoundError: there is no such file.
        WeightsError: it is of no known kind, damaged, or holds anything but arrays and plain containers.
    """
    path = Path(path).expanduser()
    view = _mapped(path)
    try:
        kind, content, extra = _read(view, path)
        arrays = {name: _stored(name, array) for name, array in content.items()}
        if sum(array.num_bytes for array in arrays.values()) > max(_SMALL, _MOST_EXPANSION * len(view)):
            raise ValueError("the arrays have more numbers than fit into the file")
    except Unusable as error:
        raise WeightsError(("unusable", dict(path=path, reason=str(error)))) from error
    except Refused as error:
        why = "training_state" if re.search(r"Namespace|CfgNode|[Cc]onfig", str(error)) else "command"
        advice = [(why, {})] if "it asks for" in str(error) else []
        raise WeightsError(("refused", dict(path=path, reason=str(error))), *advice) from error
    except ValueError as error:
        reason = str(error).removeprefix("damaged: ")
        raise WeightsError(("damaged", dict(path=path, size=len(view), reason=reason))) from error
    return WeightFile(path, kind, arrays, labels_in(extra) or labels_beside(path), kind.startswith("Paddle"))


def _mapped(path):
    """memoryview of a file, which is read where it is looked at."""
    if path.is_dir():
        raise WeightsError(("folder", dict(path=path, example=path / "model.safetensors")))
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if not path.is_file():
        raise WeightsError(
            ("unreadable", dict(path=path, reason="a device or a pipe"))
        )  # opening it might wait for ever
    try:
        with open(path, "rb") as file:
            if not file.seek(0, 2):
                raise WeightsError(("empty", dict(path=path)))
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise WeightsError(("unreadable", dict(path=path, reason=error.strerror))) from error


def _read(view, path):
    """(kind, dict from names to arrays, what else the file says) by the first bytes."""
    start = bytes(view[:64])
    if start.startswith(b"PK\x03\x04"):
        return _read_zip(view, path)
    if start[:1] == b"\x80" and len(start) > 1 and start[1] <= 5:
        if TORCH_MAGIC.to_bytes(10, "little") in start:
            return "torch's older format", *_weights_in(load_legacy_torch(view))
        return "Paddle's pickle", *_weights_in(load_paddle(view))
    if len(start) > 8 and start[8:9] == b"{":
        return "safetensors", *_read_safetensors(view, path)
    for begin, what in _KNOWN_STRANGERS.items():
        if start.lstrip().lower().startswith(begin):
            raise Unusable(f"@{what}")
    raise Unusable(
        f"it begins with {start[:8]!r}, like no kind of weights that is known: safetensors, .npz, torch's .pth and .bin, "
        f"Paddle's .pdparams; or it is damaged"
    )


# First bytes -> key of what is said
_KNOWN_STRANGERS = {
    b"version https://git-lfs": "lfs",
    b"<!doctype": "web_page",
    b"<html": "web_page",
    b"\x89hdf": "hdf5",
    b"\x1f\x8b": "archive",
    b"{": "json",
}


def _read_safetensors(view, path):
    """The library checks the header, its offsets and the length of the file; the numbers are looked at in place."""
    try:
        with safe_open(path, framework="numpy") as checked:
            metadata = checked.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"no complete safetensors file: {shown(str(error))}") from error
    start = 8 + struct.unpack("<Q", view[:8])[0]
    header = json.loads(str(view[8:start], "utf-8"), object_pairs_hook=_without_duplicates)
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        dtype = _SAFETENSORS_DTYPES.get(entry["dtype"])
        if dtype is None:
            raise Unusable(f"{shown(name)} is of the type {entry['dtype']}, which no weights here have")
        begin, end = entry["data_offsets"]
        arrays[name] = _in_place(view[start + begin : start + end], dtype, entry["shape"])
    return arrays, metadata


def _without_duplicates(pairs):
    """A dict of JSON. The standard leaves open which of two entries of the same name counts; the library takes the last."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("two entries of the header have the same name")
    return result


def _in_place(view, dtype, shape, order="C"):
    """An array whose numbers lie in view."""
    shape = checked_shape(shape)
    numpy_dtype = np.dtype(DTYPES[dtype])
    if math.prod(shape) * numpy_dtype.itemsize != len(view):
        raise ValueError(f"an array of shape {list(shape)} has {len(view)} bytes")
    return Stored(shape, dtype, lambda: np.frombuffer(view, numpy_dtype).reshape(shape, order=order))


def _read_zip(view, path):
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, struct.error, OverflowError, ValueError, OSError, NotImplementedError) as error:
        raise ValueError(f"a zip file whose end is missing or makes no sense ({error})") from error
    with archive:
        return _read_archive(view, archive)


def _read_archive(view, archive):
    """Numpy's archives have members NAME.npy, torch's a folder with data.pkl and one member for each storage."""
    members = {member.filename: member for member in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise ValueError("two members of the zip file have the same name")
    unpacked = sum(member.file_size for member in members.values())
    if unpacked > max(_SMALL, _MOST_EXPANSION * len(view)):
        raise ValueError(f"it would unpack to {unpacked:,} bytes from {len(view):,}: no weights compress like that")
    pickles = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) == 1:
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}constants.pkl" in members:
            raise Unusable("a TorchScript program: it holds code. Take the state_dict of the same model")
        order = members.get(f"{folder}byteorder")
        if order is not None and bytes(_member(view, archive, order)) != b"little":
            raise Unusable("written on a machine with another order of bytes")

        def storage_content(key, num_bytes):
            member = members.get(f"{folder}data/{key}")
            if member is None or member.file_size != num_bytes:
                raise ValueError(f"the {num_bytes:,} bytes of storage {shown(key)} are not there")
            return _member(view, archive, member)

        content = load_torch(_member(view, archive, members[pickles[0]]), storage_content)
        return "torch's zip format", *_weights_in(content)
    if members and all(name.endswith(".npy") for name in members):
        arrays = {name.removesuffix(".npy"): _read_npy(_member(view, archive, each)) for name, each in members.items()}
        return "numpy's .npz", arrays, {}
    raise Unusable("a zip file, but neither numpy's .npz nor torch's: " + _some(members))


def _member(view, archive, member):
    """The bytes of a member: where they lie, or unpacked if they are compressed."""
    name, size = shown(member.filename), member.file_size
    if member.flag_bits & 1:
        raise Refused(f"{name} is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Python unpacks the other ways all at once, however much it is
        raise Refused(f"{name} is compressed in a way that no file of weights is")
    try:
        with archive.open(member) as file:  # looks at the header in front of the member
            if member.compress_type == zipfile.ZIP_DEFLATED:
                content = memoryview(file.read(size + 1))  # without a number all is unpacked, whatever size says
            else:
                lengths = view[member.header_offset + 26 : member.header_offset + 30]  # of the name and of extra data
                start = member.header_offset + 30 + sum(struct.unpack("<HH", lengths))
                content = view[start : start + member.compress_size]
    except Exception as error:  # zlib.error, BadZipFile, NotImplementedError, EOFError, ...
        raise ValueError(f"{name} cannot be unpacked: {shown(str(error))}") from error
    if len(content) != size:
        raise ValueError(f"{name} has another size than its {size:,} bytes, or the file ends in it")
    return content


def _read_npy(view):
    file = BytesIO(view[:65536])  # the header is far shorter
    try:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = header(file)
    except Exception as error:  # numpy hands the header to Python's parser, which has many ways to complain
        raise ValueError(f"no header of a numpy array: {shown(str(error))}") from error
    if dtype.hasobject:
        raise Refused("it holds Python objects, not numbers")
    # numpy writes bfloat16 of other libraries as two nameless bytes
    name = "bfloat16" if dtype.str in ("|V2", "<V2") and not dtype.names else dtype.name
    if DTYPES.get(name) not in (dtype.str, "<u2"):
        raise Unusable(f"an array of the type {shown(dtype.str)}, which no weights here have")
    return _in_place(view[file.tell() :], name, shape, "F" if fortran else "C")


def _weights_in(content, depth=0):
    """(the weights, what else there is) in what a pickle held: a dict of arrays, or a dict with such a dict in it."""
    if not isinstance(content, Mapping):
        raise Unusable(f"holds a {type(content).__name__}, not a dict of arrays")
    if any(isinstance(value, Array) for value in content.values()):
        arrays = {name: value for name, value in content.items() if name != "StructuredToParameterName@@"}
        strangers = [str(name) for name, value in arrays.items() if not isinstance(value, Array)]
        if strangers:
            raise Unusable(f"holds among its arrays what is no array: {_some(strangers)}")
        return arrays, {}
    for key in _WEIGHTS_IN:
        if isinstance(content.get(key), Mapping) and depth < 3:  # a dict may be in itself
            return _weights_in(content[key], depth + 1)[0], content
    raise Unusable(f"holds no arrays, nor a dict of them under {', '.join(_WEIGHTS_IN)}: {_some(content)}")


def _stored(name, array):
    if not isinstance(name, str) or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ValueError(f"an array is called {shown(name)}, which is no name of a parameter")
    if array.shape is None:
        raise ValueError(f"the array {name} has no content")
    return array if isinstance(array, Stored) else Stored(array.shape, array.dtype, array.numpy)


def _some(names, most=12):
    names = list(map(shown, names))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
