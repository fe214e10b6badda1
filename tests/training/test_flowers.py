"""Flowers-102 and the MATLAB files in which it has its labels."""

import base64
import struct
import tarfile
import zlib

import numpy as np
import pytest
from PIL import Image

from paddle_vit.training.config import RecipeError
from paddle_vit.training.folders import read_flowers
from paddle_vit.training.matlab import read_matlab


def refuses(read, *words):
    with pytest.raises(RecipeError) as info:
        read()
    for word in words:
        assert str(word) in str(info.value), info.value


# Written by scipy 1.17.1, scipy.io.savemat(file, ..., do_compression=True):
#     labels uint8 [[1, 2, 3, 1, 2, 3, 102]], small uint16 [[300]], matrix np.arange(6.0).reshape(2, 3) - 0.5, text "flower",
#     cell np.array([1, "a"], dtype=object), z np.array([1 + 2j]), s {"a": 1}, e np.zeros((0, 3)),
#     f4 float32 [[1.5], [2.5]], i8 int64 [[-1]], flag [[True]], negative int8 [[-3, 4, 5, 6, 7]]
SCIPY = """
TUFUTEFCIDUuMCBNQVQtZmlsZSBQbGF0Zm9ybTogcG9zaXgsIENyZWF0ZWQgb246IFNhdCBOb3YgMjEgMTg6NTY6MjEgMjAyNgAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABSU0PAAAAMQAAAHic42NgYHAAYjYg5gBiTgYIYIXyGYGYHUqD1OQkJqXm
FDMwMMHEmZiBKI0BAFTPA3APAAAAKwAAAHic42NgYLAAYjYg5gBibgYIYIXyGZEwSKw4NzEnB0izMDAx6AAFATbMAsEPAAAAQAAAAHic42NgYMgA
YjYg5oDSIMAK5TMBMTMQM0LlchNLijIrGBg4gWwDBhh4sB9CszhA+fYQmgfK/wHlCzkAAGbRCEkPAAAALgAAAHic42NgYLAAYjYg5gBiFgYIYIXy
GaFyjECZktSKEgEoPy0nvzy1iIEBAEemBNwPAAAAQAAAAHic42NgYFgAxGxAzAHEjAwQwIrEZwLTLAzJqTk5fEC2BZJ6PizqGZHM4UEzF6TeAEk/
CwH9AkBWIpAGAJaoA8wPAAAAKwAAAHic42NgYPAAYjYg5gDRIAIIWKF8RjhmZKgC0pxQcQj4YI/KZ3AAAE4hAo8PAAAAOAAAAHic42NgYKgAYjYg
5gBiJgYIYIXyGeGYkaEYLM4CVsMIJBOBNB8QWyDp58OpHwJ4kMRBAACsygIRDwAAACQAAAB4nONjYGAwAGI2IOaA0iDACuWDADMQMwJhKpDmhIoB
ABdWANMPAAAALQAAAHic42NgYLAAYjYg5gBidgYIYIXymYCYEYyZGNJMIPIcYBUH7BkYFBwAKocCdw8AAAAmAAAAeJzjY2BgsABiNiDmAGI+Bghg
hfIZ4ZiJIROokAcq/h8KAEowCSIPAAAAJwAAAHic42NgYDAAYjYg5gBiTiYGMGCF8hnhmIUhLScxnQnIAvEBJCECCg8AAAAuAAAAeJzjY2BgcABi
NiDmgGIQYIWyGaFsRig/LzU9sSSzLBUm/peFlY0dSAMAazoE7Q==
"""


def element(kind, content, order="<"):
    return struct.pack(f"{order}2I", kind, len(content)) + content + bytes(-len(content) % 8)


def array(name, values, order="<", code="B", kind=2, flags=9):
    shape = struct.pack(f"{order}2i", 1, len(values))
    parts = [
        element(6, struct.pack(f"{order}2I", flags, 0), order),
        element(5, shape, order),
        element(1, name.encode(), order),
        element(kind, struct.pack(f"{order}{len(values)}{code}", *values), order),
    ]
    return element(14, b"".join(parts), order)


def matlab(*arrays, packed=True, order="<"):
    header = b"MATLAB 5.0 MAT-file".ljust(124) + (b"\0\1IM" if order == "<" else b"\1\0MI")
    if packed:
        packs = [zlib.compress(each) for each in arrays]
        arrays = [struct.pack(f"{order}2I", 15, len(pack)) + pack for pack in packs]
    return header + b"".join(arrays)


@pytest.fixture
def mat(tmp_path):
    return tmp_path / "file.mat"


def test_matlab_file_of_scipy(mat):
    mat.write_bytes(base64.b64decode(SCIPY))
    wanted = {
        "labels": np.uint8([[1, 2, 3, 1, 2, 3, 102]]),
        "small": np.uint16([[300]]),
        "matrix": np.arange(6.0).reshape(2, 3) - 0.5,
        "e": np.zeros((0, 3)),
        "f4": np.float32([[1.5], [2.5]]),
        "i8": np.int64([[-1]]),
        "flag": np.uint8([[1]]),
        "negative": np.int8([[-3, 4, 5, 6, 7]]),
    }
    arrays = read_matlab(mat)
    assert arrays.keys() == wanted.keys()
    for name, values in wanted.items():
        assert arrays[name].dtype == values.dtype and np.array_equal(arrays[name], values), name


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [False, True])
def test_matlab_files_of_either_order(mat, order, packed):
    arrays = [array("a", [1, 2, 300], order, "H", 4), array("negative", [-1, 0.5], order, "d", 9)]
    mat.write_bytes(matlab(*arrays, packed=packed, order=order))
    arrays = read_matlab(mat)
    assert {name: values.tolist() for name, values in arrays.items()} == {"a": [[1, 2, 300]], "negative": [[-1, 0.5]]}


@pytest.mark.parametrize("packed", [False, True])
def test_every_cut_of_a_matlab_file_is_refused(mat, packed):
    content = matlab(array("labels", range(50)), packed=packed)
    for cut in range(len(content)):
        if cut != 128:  # a whole file without arrays
            mat.write_bytes(content[:cut])
            refuses(lambda: read_matlab(mat), mat, "no MATLAB file of version 5" if cut < 128 else "damaged or cut off")


def test_matlab_files_that_make_no_sense(mat):
    whole = matlab(array("labels", [1, 2]), packed=False)
    mat.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n")
    refuses(lambda: read_matlab(mat), "no MATLAB file of version 5", "-v7")
    places = {
        132: (0x7F, "an element of 127 bytes goes beyond the end"),
        160: (3, "an array [3, 2] has 2 numbers"),
        163: (0xFF, "an array [-16777215, 2] has 2 numbers"),
        184: (77, "numbers of the unknown kind 77"),
        186: (5, "an element of 5 bytes goes beyond the end"),
    }
    for place, (byte, message) in places.items():
        mat.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
        refuses(lambda: read_matlab(mat), mat, message)
    mat.write_bytes(whole[:144] + b"\x01" + whole[145:])  # a cell
    assert read_matlab(mat) == {}


def test_a_matlab_file_that_unpacks_to_gigabytes(mat, monkeypatch):
    monkeypatch.setattr("paddle_vit.training.matlab._LARGEST", 1000)
    mat.write_bytes(matlab(array("labels", [1] * 2000)))
    refuses(lambda: read_matlab(mat), mat, "has no end")


# Flowers

LABELS = [1, 102, 3, 2, 2, 57, 9]
IDS = dict(trnid=[5, 1], valid=[4], tstid=[7, 2, 3, 6])


@pytest.fixture
def flowers(tmp_path):
    write_flowers(tmp_path, LABELS, **IDS)
    (tmp_path / "jpg").mkdir()
    for number in range(1, 8):
        Image.new("RGB", (8 + number, 5), (30 * number, 0, 99)).save(tmp_path / "jpg" / f"image_{number:05}.jpg")
    return tmp_path


def write_flowers(folder, labels, **ids):
    (folder / "imagelabels.mat").write_bytes(matlab(array("labels", labels, code="h", kind=3)))
    (folder / "setid.mat").write_bytes(
        matlab(*(array(name, numbers, code="d", kind=9) for name, numbers in ids.items()))
    )


def pack(folder, names=None, mode="w:gz"):
    with tarfile.open(folder / "102flowers.tgz", mode) as archive:
        for file in sorted((folder / "jpg").iterdir()):
            if names is None or file.name in names:
                archive.add(file, f"jpg/{file.name}")
            file.unlink()
    (folder / "jpg").rmdir()


@pytest.mark.parametrize("packed", [False, True])
def test_flowers(flowers, packed):
    if packed:
        pack(flowers)
    train, test, names = read_flowers(flowers)
    assert train.labels.tolist() == [1, 0, 1] and test.labels.tolist() == [8, 101, 2, 56] and names is None
    for split, numbers in ((train, [5, 1, 4]), (test, [7, 2, 3, 6])):
        assert split.labels.dtype == np.int64 and len(split.images) == len(numbers)
        assert [split.images.open(place).width - 8 for place in range(len(numbers))] == numbers


def test_flowers_that_are_missing(flowers):
    (flowers / "jpg" / "image_00003.jpg").unlink()
    (flowers / "jpg" / "image_00007.jpg").unlink()
    refuses(lambda: read_flowers(flowers), "2 of 4 images are not there", "image_00007.jpg", "image_00003.jpg")
    pack(flowers)
    refuses(lambda: read_flowers(flowers), "2 of 4 images are not there: image_00007.jpg, image_00003.jpg")
    assert len(read_flowers(flowers, limit=2).test.images.bad) == 2


def test_flowers_files_that_are_missing(flowers):
    pack(flowers)
    (flowers / "102flowers.tgz").rename(flowers / "flowers.tgz")
    (flowers / "setid.mat").unlink()
    refuses(lambda: read_flowers(flowers), f"{flowers} lacks setid.mat, jpg or 102flowers.tgz: it holds flowers.tgz")
    refuses(lambda: read_flowers(flowers / "imagelabels.mat"), "is a file: give the folder")


def test_flowers_archive_cut_off(flowers):
    pack(flowers)
    content = (flowers / "102flowers.tgz").read_bytes()
    (flowers / "102flowers.tgz").write_bytes(content[: len(content) // 2])
    refuses(lambda: read_flowers(flowers), flowers / "102flowers.tgz", "no complete .tar.gz archive")


def test_an_archive_that_leads_out_writes_nothing(flowers):
    pack(flowers, names=[])
    with tarfile.open(flowers / "102flowers.tgz", "w:gz") as archive:
        for name in ("../outside.jpg", "/tmp/outside.jpg", "jpg/../../image_00001.jpg"):
            archive.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("jpg/image_00002.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "/etc/passwd"
        archive.addfile(link)
    before = sorted(flowers.parent.rglob("*"))
    refuses(lambda: read_flowers(flowers), "3 of 3 images are not there")
    assert sorted(flowers.parent.rglob("*")) == before


FLOWERS = {
    "no such label": (dict(labels=[103, *LABELS[1:]]), "imagelabels.mat: labels must be whole numbers from 0 to 101"),
    "label 0": (dict(labels=[0, *LABELS[1:]]), "the first of them -1"),
    "too few labels": (dict(labels=LABELS[:-1]), "setid.mat has image 7, and imagelabels.mat 6 labels"),
    "image 0": (dict(tstid=[0, 2, 3, 6]), "setid.mat"),
    "in two parts": (dict(valid=[7]), "none may be in two"),
    "no test images": (dict(tstid=[]), "every part needs images"),
    "half": (dict(valid=[0.5]), "valid must be whole numbers"),
    "no number": (dict(valid=[float("nan")]), "valid must be whole numbers"),
    "huge": (dict(valid=[1e300]), "valid must be whole numbers"),
}


@pytest.mark.parametrize("kind", FLOWERS)
def test_flowers_that_do_not_fit(flowers, kind):
    changes, message = FLOWERS[kind]
    write_flowers(flowers, **{"labels": LABELS, **IDS, **changes})
    refuses(lambda: read_flowers(flowers), message)


def test_matlab_files_mixed_up(flowers):
    (flowers / "setid.mat").write_bytes((flowers / "imagelabels.mat").read_bytes())
    refuses(lambda: read_flowers(flowers), flowers / "setid.mat", "no array of numbers called trnid")
