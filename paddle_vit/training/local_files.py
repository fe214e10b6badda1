"""Data on this machine: found, read and compared with what it should be, or a RecipeError that says what is wrong with it."""

import gzip
import os
import tarfile
from pathlib import Path, PurePosixPath

import numpy as np

from paddle_vit.training.config import RecipeError

GZIP = b"\x1f\x8b"  # what such files begin with
_LARGEST = 1 << 30  # of a file in an archive: CIFAR-100's is 155 MB


def existing(path):
    """path as a Path, "~" replaced.

    Raises:
        RecipeError: there is nothing.
    """
    if not str(path):
        raise RecipeError("the path of the data is empty: give a folder or file on this machine, nothing is downloaded")
    path = Path(os.path.expanduser(path))
    if not os.path.exists(path):
        raise RecipeError(f"there is no {path}: give the path of the data on this machine, nothing is downloaded")
    return path


def content_of(path):
    """The bytes of a file.

    Raises:
        RecipeError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror or error}") from error


def names_in(folder):
    """What is in a folder, sorted.

    Raises:
        RecipeError: it cannot be read.
    """
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise RecipeError(f"{folder} cannot be read: {error.strerror or error}") from error


def holds(folder):
    """What is in a folder, for a message."""
    names = names_in(folder)
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return f"it holds {', '.join(map(brief, names[:10]))}{more}" if names else "it is empty"


def brief(value):
    """Something out of a file for a message: short, and without what could control a terminal."""
    if isinstance(value, str):
        return value[:1000] if value[:1000].isprintable() else ascii(value[:1000])
    small = isinstance(value, float) or isinstance(value, int) and value.bit_length() < 64
    return repr(value) if small else type(value).__name__


def checked_labels(labels, num_classes, source):
    """labels as an array [N] int64.

    Args:
        labels: list
        num_classes: they must be from 0 to one less.
        source: where they come from, for the message.

    Raises:
        RecipeError: others.
    """
    wrong = [label for label in labels if type(label) is not int or not 0 <= label < num_classes]
    if wrong:
        raise RecipeError(
            f"{source}: labels must be whole numbers from 0 to {num_classes - 1}, and {len(wrong):,} of {len(labels):,} "
            f"are not, the first of them {brief(wrong[0])}: is it the right file?"
        )
    return np.array(labels, dtype=np.int64)


def check_pair(train, test, source):
    """Raise a RecipeError unless two Splits have images of one size, and more than one class to tell apart."""
    sizes = [list(split.images.shape[1:]) for split in (train, test)]
    if sizes[0] != sizes[1]:
        raise RecipeError(f"{source}: training images {sizes[0]} and test images {sizes[1]} must be of one size")
    if len(np.unique(train.labels)) < 2:
        raise RecipeError(
            f"{source}: all training images have the label {train.labels[0]}: at least two classes needed"
        )


def read_archive(path, wanted):
    """Some files of a tar archive, packed or not. Nothing is written to the disk, and links are left out.

    Args:
        path: Path
        wanted: function from a file's name, without folders, to whether it is read.

    Yields:
        name, without folders; content, bytes

    Raises:
        RecipeError: it is no such archive, damaged, or cut off.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == GZIP
        with gzip.open(path) if packed else open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                if not 0 <= member.size <= _LARGEST:
                    raise RecipeError(
                        f"{path}: {brief(name)} has {member.size:,} bytes, no file of this data has so many"
                    )
                if member.isfile() and wanted(name):
                    yield name, archive.extractfile(member).read()
            while file.read(1 << 20):  # to the end, where the checksum stands
                pass
    except RecipeError:
        raise
    except Exception as error:  # whatever nonsense makes of tarfile and zlib
        reason = " ".join(str(error).split())
        raise RecipeError(f"{path} is no complete .tar.gz archive ({reason}): copy it again") from error
