"""Zip files that are damaged or made to do harm, NumPy's and torch's, and arrays of NumPy in them."""

import io
import struct
import zipfile

import numpy as np
import pytest
from hostile import arrays_of, npz, refused, same, values, zipped
from pickle_code import mapping, program, storage, tensor, torch_file, torch_zip
from test_published import FOLDER, build, expected_of

from paddle_vit.models.weights import load_weights


def npy(head, data=bytes(48), version=b"\x01\x00"):
    head = head.encode()
    length = struct.pack("<H" if version < b"\x02" else "<I", len(head))
    return zipped({"norm.bias.npy": b"\x93NUMPY" + version + length + head + data})


def npy_head(descr="'<f4'", fortran="False", shape="(12,)"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


NPY = {
    "objects": (npz({"norm.bias": np.array([{}, print], object)}), "Python objects"),
    "a call": (npy("__import__('os').system('touch executed')\n"), "no header"),
    "a call as shape": (npy(npy_head(shape="exit(1)")), "no header"),
    "parentheses": (npy(npy_head(shape="(" * 9000 + ")" * 9000)), "no header"),
    "signs": (npy(npy_head(shape="(" + "-" * 9900 + "1,)")), "no header"),
    "a long header": (npy(npy_head() + " " * (1 << 20), version=b"\x02\x00"), "no header"),
    "a cut header": (npy(npy_head()[:-20], b""), "no header"),
    "version 9": (npy(npy_head(), version=b"\x09\x00"), "no header"),
    "no npy": (zipped({"norm.bias.npy": b"\x80\x04cos\nsystem\n."}), "no header"),
    "a shape of overflow": (npy(npy_head(shape="(4294967296, 4294967296, 12)")), "impossible shape"),
    "a negative shape": (npy(npy_head(shape="(-3, -4)")), "impossible shape"),
    "a shape of truth": (npy(npy_head(shape="(True, 12)")), "impossible shape"),
    "a shape of 40 dimensions": (npy(npy_head(shape="(12," + "1," * 39 + ")")), "impossible shape"),
    "an empty shape of overflow": (npy(npy_head(shape=f"(0, {1 << 62})"), b""), "impossible shape"),
    "a shape that is too small": (npy(npy_head(shape="(11,)")), "has 48 bytes"),
    "fields": (npy(npy_head("[('a', '<f4'), ('b', '<f4')]", shape="(6,)")), "of the type"),
    "a field of bfloat16's size": (npy(npy_head("[('a', '<u2')]", shape="(24,)")), "of the type"),
    "half numbers": (npy(npy_head("'<u2'", shape="(24,)")), "of the type <u2"),
    "arrays in arrays": (npy(npy_head("('<f4', (2,))", shape="(6,)")), "of the type"),
}


@pytest.mark.parametrize("what", NPY)
def test_hostile_npz(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(*(NPY[what][0], tmp_path, NPY[what][1]), model="google_vit.npz")


# Places in the records of a zip file: its directory's entries, and its end
ENTRY, END = b"PK\x01\x02", b"PK\x05\x06"
FLAGS, METHOD, PACKED, SIZE, OFFSET = 8, 10, 20, 24, 42


def changed(content, place, format, number, record=ENTRY, name=b""):
    """content with another number in the (last) record of this kind, or in the directory's entry of this name."""
    start = content.rindex(record, 0, content.rindex(name)) if name else content.rindex(record)
    result = bytearray(content)
    struct.pack_into(format, result, start + place, number)
    return bytes(result)


def torch_zeros(size, compression=zipfile.ZIP_DEFLATED, keys=("0",)):
    code = program(mapping(**{"cls_token": tensor(storage("0", "FloatStorage", size), 0, [size], [1])}))
    return torch_zip(code, {key: np.zeros(size, "f4") for key in keys}, compression)


def bomb(name="cls_token.npy", start=b"", byte=b"\0"):
    """240 MB of the same. Made in small parts: memory that was used once is free for the one who reads it, too."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(name, "w") as member,
    ):
        member.write(start)
        for _ in range(240):
            member.write(byte * (1 << 20))
    return file.getvalue()


STORED, DEFLATED = torch_zeros(1000, zipfile.ZIP_STORED), torch_zeros(1000)
TWINS = torch_zeros(1000, zipfile.ZIP_STORED, keys=("1", "0"))
FIRST = TWINS.index(b"PK\x03\x04", TWINS.index(b"byteorder"))  # where the first of the twins lies
PICKLE = b"\x80\x02}."
ZIPS = {
    "a bomb of numbers": ("would unpack to 251,658,", bomb),
    "a bomb that lies": ("cannot be unpacked: Bad CRC-32", lambda: changed(bomb(), SIZE, "<I", 4000)),
    "a bomb of a pickle": ("would unpack to", lambda: bomb("a/data.pkl", b"\x80\x02", b"]")),
    "a bomb of bzip2": ("in a way that no file", lambda: zipped({"a/data.pkl": bytes(1 << 20)}, zipfile.ZIP_BZIP2)),
    "a bomb of lzma": ("in a way that no file", lambda: zipped({"a/data.pkl": bytes(1 << 20)}, zipfile.ZIP_LZMA)),
    "much in one place": ("would unpack to", lambda: changed(STORED, SIZE, "<I", 1 << 30)),
    "encrypted": ("archive/data/0 is encrypted", lambda: changed(STORED, FLAGS, "<H", 1)),
    "an unknown compression": ("in a way that no file", lambda: changed(STORED, METHOD, "<H", 77)),
    "plain numbers that claim to be packed": ("cannot be unpacked", lambda: changed(STORED, METHOD, "<H", 8)),
    "packed numbers that claim to be plain": ("has another size", lambda: changed(DEFLATED, METHOD, "<H", 0)),
    "a member outside": ("cannot be unpacked", lambda: changed(STORED, OFFSET, "<I", 1 << 31)),
    "a member in another": ("cannot be unpacked", lambda: changed(STORED, OFFSET, "<I", FIRST + 1)),
    "two members in one place": ("cannot be unpacked", lambda: changed(TWINS, OFFSET, "<I", FIRST)),
    "a member that ends outside": ("are not there", lambda: changed(STORED, SIZE, "<I", 9000)),
    "a directory before the file": (
        "end is missing or makes no sense",
        lambda: changed(STORED, 12, "<I", 1 << 31, END),
    ),
    "a directory elsewhere": ("damaged", lambda: changed(STORED, 16, "<I", 1, END)),
    "no storage": ("4,000 bytes of storage 0 are not there", lambda: torch_zeros(1000, keys=("1",))),
    "two pickles": ("neither numpy's .npz nor", lambda: zipped({"a/data.pkl": PICKLE, "b/data.pkl": PICKLE})),
    "another order of bytes": ("another order of bytes", lambda: zipped({"data.pkl": PICKLE, "byteorder": b"big"})),
    "an empty archive": ("neither numpy's .npz nor", lambda: zipped({"word": ""})),
}


@pytest.mark.parametrize("what", ZIPS)
def test_hostile_zips(what, tmp_path):
    says, content = ZIPS[what]
    refused(content(), tmp_path, says)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("ending", ["", "\0x"])
def test_two_members_of_the_same_name(ending, tmp_path):
    """Readers differ in which of them they take."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("cls_token.npy", "cls_token.npy" + ending):
            member = zipfile.ZipInfo("x")
            member.filename = name
            archive.writestr(member, b"\x93NUMPY")
    refused(file.getvalue(), tmp_path, "two members of the zip file have the same name")


def test_zip64(tmp_path):
    """As torch writes it from 4 GB on."""
    plain = torch_file(arrays_of("timm_vit.safetensors"))
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(tmp_path / "weights", "w") as new:
        for name in old.namelist():
            with new.open(name, "w", force_zip64=True) as member:
                member.write(old.read(name))
    ours = build(expected_of("timm_vit.safetensors"))
    load_weights(ours, tmp_path / "weights")
    theirs = build(expected_of("timm_vit.safetensors"))
    load_weights(theirs, FOLDER / "timm_vit.safetensors")
    assert same(values(ours), values(theirs))
