"""MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100, read from the files as they were published. Nothing in them is executed.

Data is not trusted: what a file says of itself is compared with what it holds.
"""

import gzip
import math
import re
import struct
import zlib
from typing import NamedTuple

import numpy as np

from paddle_vit.training.config import RecipeError
from paddle_vit.training.data import Split
from paddle_vit.training.local_files import (
    GZIP,
    check_pair,
    checked_labels,
    content_of,
    existing,
    holds,
    names_in,
    read_archive,
)


class Pixels:
    """Images of one size that stay bytes until they are asked for: a quarter of the memory.

    Args:
        array: [N, C, height, width] uint8
    """

    def __init__(self, array):
        self.array = array

    def __len__(self):
        return len(self.array)

    @property
    def shape(self):
        return self.array.shape

    def __getitem__(self, indices):
        """The images at indices, [b, C, height, width] float32 in -1..1."""
        images = self.array[indices].astype(np.float32)
        images /= 127.5
        images -= 1.0
        return images


# MNIST and Fashion-MNIST

_IDX = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")
_IDX_FILES = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]


def read_mnist(path):
    """MNIST (LeCun et al., 1998) or Fashion-MNIST (Xiao et al., 2017), whose files have the same names.

    Args:
        path: the folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
            t10k-labels-idx1-ubyte, each also with .gz, or with a dot in the place of the dash before idx.

    Returns:
        train, test: Split, with Pixels [N, 1, 28, 28]

    Raises:
        RecipeError: a file that is missing, damaged, or does not fit the others.
    """
    folder = existing(path)
    if not folder.is_dir():
        raise RecipeError(f"{folder} is a file: give the folder with {', '.join(_IDX_FILES)}")
    found = {}
    for name in names_in(folder):
        match = _IDX.fullmatch(name)
        if match and (folder / name).is_file():
            found.setdefault(f"{match[1]}-{match[2]}", folder / name)  # where both are there .gz comes later
    missing = [name for name in _IDX_FILES if name.split("-idx")[0] not in found]
    if missing:
        raise RecipeError(f"{folder} lacks {', '.join(missing)} (or the same with .gz): {holds(folder)}")
    train, test = (_read_part(found[f"{part}-images"], found[f"{part}-labels"]) for part in ("train", "t10k"))
    check_pair(train, test, folder)
    return train, test


def _read_part(images_file, labels_file):
    images, labels = _read_idx(images_file, 3), _read_idx(labels_file, 1)
    if len(images) != len(labels):
        raise RecipeError(
            f"{images_file} has {len(images):,} images, and {labels_file.name} {len(labels):,} labels: "
            f"take both from one data set"
        )
    return Split(Pixels(images[:, None]), checked_labels(labels.tolist(), 10, labels_file))  # N 1 height width


def _read_idx(path, dimensions):
    """An array of bytes in the IDX format: two zeros, the type (8 for bytes), how many dimensions, their sizes, the bytes."""
    content = content_of(path)
    if content[:2] == GZIP:  # browsers unpack some files and leave them the name .gz
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise RecipeError(f"{path} is damaged or cut off ({error}): copy it again") from error
    start, magic = 4 + 4 * dimensions, bytes([0, 0, 8, dimensions])
    if content[:4] != magic:
        kind = {1: "labels", 3: "images"}[dimensions]
        raise RecipeError(
            f"{path}: a file of {kind} begins with the bytes {magic.hex(' ')}, and this one with "
            f"{content[:4].hex(' ') or 'nothing'}: is it another file, or a damaged one?"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:start]) if len(content) >= start else ()
    if not shape or math.prod(shape) != len(content) - start:
        expected = f"{' x '.join(map(str, shape))} bytes" if shape else "more"
        raise RecipeError(
            f"{path} is damaged or cut off: expected {expected} after its header, got {max(len(content) - start, 0):,}: "
            f"copy it again"
        )
    if not math.prod(shape):
        raise RecipeError(f"{path} is an array of {' x '.join(map(str, shape))}: it has nothing to train with")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


# CIFAR


class _Version(NamedTuple):
    """One of the ways in which a CIFAR was published."""

    folder: str  # in the archive
    archive: str
    train: tuple  # names of files
    test: str
    class_names: str  # file

    @property
    def needed(self):
        return (*self.train, self.test)


_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_CIFAR = {
    10: (
        _Version("cifar-10-batches-py", "cifar-10-python.tar.gz", _BATCHES, "test_batch", "batches.meta"),
        _Version(
            "cifar-10-batches-bin",
            "cifar-10-binary.tar.gz",
            tuple(f"{name}.bin" for name in _BATCHES),
            "test_batch.bin",
            "batches.meta.txt",
        ),
    ),
    100: (
        _Version("cifar-100-python", "cifar-100-python.tar.gz", ("train",), "test", "meta"),
        _Version("cifar-100-binary", "cifar-100-binary.tar.gz", ("train.bin",), "test.bin", "fine_label_names.txt"),
    ),
}


def read_cifar(path, num_classes):
    """CIFAR-10 or CIFAR-100 (Krizhevsky, 2009), the Python or the binary version; CIFAR-100 with its fine labels.

    Args:
        path: the archive (.tar.gz, read in place), the folder that was unpacked from it, or a folder with one of these.
        num_classes: 10 or 100

    Returns:
        train, test: Split, with Pixels [N, 3, 32, 32]
        class_names: list of str, or None where the file that has them is not there

    Raises:
        RecipeError: a file that is missing, damaged, or wants to run something.
    """
    path = existing(path)
    versions = _CIFAR[num_classes]
    places = [path]
    if path.is_dir():
        inside = [path / name for version in versions for name in (version.folder, version.archive)]
        places += [place for place in inside if place.exists()]
    closest = None
    for place in places:
        contents = _contents(place, {name for version in versions for name in (*version.needed, version.class_names)})
        for version in versions:
            missing = [name for name in version.needed if name not in contents]
            if not missing:
                return _read_version(contents, version, num_classes, place)
            if len(missing) < len(version.needed) and (closest is None or len(missing) < len(closest[1])):
                closest = place, missing
    if closest:
        raise RecipeError(
            f"{closest[0]} lacks {', '.join(closest[1])}: unpack or copy the whole of CIFAR-{num_classes}"
        )
    wanted = " or ".join(f"{version.archive} (in it {version.train[0]}, {version.test})" for version in versions)
    there = holds(path) if path.is_dir() else "it has none of these files"
    raise RecipeError(f"{path} is not CIFAR-{num_classes}, expected {wanted}, packed or unpacked: {there}")


def _contents(place, names):
    """Those of the named files that are in a folder or an archive: name -> bytes."""
    if place.is_dir():
        return {name: content_of(place / name) for name in names if (place / name).is_file()}
    return dict(read_archive(place, names.__contains__))


def _read_version(contents, version, num_classes, place):
    read_part = _read_binary if version.test.endswith(".bin") else _read_python

    def split(names):
        parts = [read_part(contents[name], place / name, num_classes) for name in names]
        images, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
        return Split(Pixels(images.reshape(-1, 3, 32, 32)), labels)  # N 3072 to N C height width

    train, test = split(version.train), split([version.test])
    check_pair(train, test, place)
    class_names = None
    if version.class_names in contents:
        class_names = _read_names(contents[version.class_names], place / version.class_names, num_classes)
    return train, test, class_names


def _read_names(content, source, num_classes):
    if source.suffix == ".txt":
        names = str(content, "latin1").split()
    else:
        from paddle_vit.training.cifar_pickles import read_pickle

        names = read_pickle(content, source).get("label_names" if num_classes == 10 else "fine_label_names")
    names = names if isinstance(names, list) else []
    names = [str(each, "latin1") if isinstance(each, bytes) else each for each in names]
    if len(names) != num_classes or not all(isinstance(each, str) for each in names):
        raise RecipeError(f"{source}: expected the names of {num_classes} classes, got {len(names):,}: copy it again")
    return names


def _read_binary(content, source, num_classes):
    """Images of 3072 bytes, each after its label; CIFAR-100 has two labels, the fine one last."""
    size = 3072 + (1 if num_classes == 10 else 2)
    if not content or len(content) % size:
        raise RecipeError(
            f"{source} is damaged or cut off: expected a multiple of {size:,} bytes (label, image), got {len(content):,}"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    return records[:, -3072:], checked_labels(records[:, -3073].tolist(), num_classes, source)


def _read_python(content, source, num_classes):
    from paddle_vit.training.cifar_pickles import read_batch  # loads Paddle

    images, labels = read_batch(content, source, "labels" if num_classes == 10 else "fine_labels")
    return images, checked_labels(labels, num_classes, source)
