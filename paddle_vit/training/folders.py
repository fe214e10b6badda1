"""Image files on this machine: folders of classes, lists of files, and Flowers-102. Files are listed, not opened."""

import itertools
import os
import re
import zlib
from typing import NamedTuple

import numpy as np

from paddle_vit.training.config import RecipeError
from paddle_vit.training.data import Split
from paddle_vit.training.local_files import brief, checked_labels, content_of, existing, holds, read_archive
from paddle_vit.training.matlab import read_matlab
from paddle_vit.training.photos import SUFFIXES, Packed, Photos, is_image


class Folder(NamedTuple):
    """A data set of image files."""

    train: Split  # images: Photos
    test: Split
    class_names: list  # of str; None if the files have none


def read_folder(path, limit=0):
    """A data set of one's own, in one of three layouts.

    ImageNet's: train/CLASS/*.jpg, and val/CLASS/*.jpg or test/CLASS/*.jpg. PaddleClas': train_list.txt and val_list.txt
    with lines such as "train/n01440764/1.jpg 0", paths from this folder on, and where it is there labels.txt with the names
    of the classes, a line each. Or CLASS/*.jpg alone: then a fifth of every class is for testing, always the same.
    Classes are numbered in the order of their names.

    Args:
        path: the folder.
        limit: how many images in train, and in test, may be missing or damaged; see Photos.

    Returns:
        Folder

    Raises:
        RecipeError: a layout that is none of these, a class without images, a list that makes no sense.
    """
    folder = _folder(path)
    if os.path.isfile(os.path.join(folder, "train_list.txt")):
        return _read_lists(folder, limit)
    if os.path.isdir(os.path.join(folder, "train")):
        return _read_two_folders(folder, limit)
    return _read_one_folder(folder, limit)


def _folder(path):
    folder = existing(path)
    if not folder.is_dir():
        raise RecipeError(f"{folder} is a file: give the folder that holds the data, unpacked")
    return folder


# Folders of classes


def _read_two_folders(folder, limit):
    other = next((name for name in ("val", "test") if (folder / name).is_dir()), None)
    if other is None:
        raise RecipeError(
            f"{folder} has a folder train, but none called val or test: add one, or give {folder / 'train'}, of which then "
            f"a fifth is for testing"
        )
    names = _class_names(folder / "train")
    test_names = _class_names(folder / other, least=1)
    unknown = sorted(set(test_names) - set(names))
    if unknown:
        raise RecipeError(
            f"{folder / other} has classes that {folder / 'train'} does not have: {_first_ten(unknown)}: "
            f"the folders of a class must have the same name in both"
        )
    train, test = _files_by_class(folder / "train", names), _files_by_class(folder / other, test_names)
    number_of = {name: number for number, name in enumerate(names)}
    numbers = [number_of[name] for name in test_names]
    return Folder(_split(train, range(len(names)), limit), _split(test, numbers, limit), names)


def _read_one_folder(folder, limit):
    alone = [name for name in ("val", "test") if (folder / name).is_dir()]
    if alone:
        raise RecipeError(f"{folder} has a folder {alone[0]}, but neither train nor train_list.txt: {holds(folder)}")
    names = _class_names(folder)
    files = _files_by_class(folder, names)
    single = [name for name, paths in zip(names, files, strict=True) if len(paths) < 2]
    if single:
        raise RecipeError(
            f"{folder}: these classes have one image, and training and testing need one each: {single[:10]}"
        )
    train, test = zip(*(_divide(name, paths) for name, paths in zip(names, files, strict=True)), strict=True)
    return Folder(_split(train, range(len(names)), limit), _split(test, range(len(names)), limit), names)


def _divide(name, paths):
    """Four fifths and one fifth of a class's images. Chance decides, and depends on the names alone."""
    seed = zlib.crc32(name.encode(errors="surrogateescape"))
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(paths)).tolist()
    count = max(round(len(paths) / 5), 1)
    return [paths[place] for place in sorted(order[count:])], [paths[place] for place in sorted(order[:count])]


def _class_names(folder, least=2):
    """Names of the folders in a folder, sorted."""
    with _scan(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    if len(names) < least:
        wanted, count = "one" if least == 1 else "two", f"one, {brief(names[0])}" if names else "none"
        raise RecipeError(
            f"{folder} must have a folder for each class, at least {wanted}, and has {count}: {holds(folder)}"
        )
    return names


def _files_by_class(folder, names):
    files = [_images_in(os.path.join(folder, name)) for name in names]
    empty = [name for name, paths in zip(names, files, strict=True) if not paths]
    if empty:
        raise RecipeError(
            f"{folder}: no images ({', '.join(SUFFIXES)}) in the classes {_first_ten(empty)}: "
            f"add some, or delete these folders"
        )
    return files


def _images_in(folder):
    """Paths of the images in a folder and the folders in it, in the order of their names."""
    with _scan(folder) as entries:
        entries = sorted(entries, key=lambda entry: entry.name)
    paths = []
    for entry in entries:
        if entry.is_dir():
            # a link could lead back here
            if not entry.name.startswith(".") and not entry.is_symlink():
                paths += _images_in(entry.path)
        elif is_image(entry.name):
            paths.append(entry.path)
    return paths


def _scan(folder):
    try:
        return os.scandir(folder)
    except OSError as error:
        raise RecipeError(f"{folder} cannot be read: {error.strerror or error}") from error


def _split(files, numbers, limit):
    """Split of the files of each class, where numbers are the classes'."""
    labels = np.repeat(np.array(numbers, dtype=np.int64), [len(paths) for paths in files])
    return Split(Photos(list(itertools.chain.from_iterable(files)), limit, labels), labels)


def _first_ten(names):
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return f"{', '.join(brief(name) for name in names[:10])}{more}"


# Lists of files

_LINE = re.compile(r"(.*\S)\s+(-?[0-9]{1,9})")
_OUTSIDE = re.compile(r"[/\\]|[A-Za-z]:|(.*[/\\])?\.\.([/\\]|$)")  # absolute, or with .. among its folders


def _read_lists(folder, limit):
    train_list = folder / "train_list.txt"
    test_list = next((folder / name for name in ("val_list.txt", "test_list.txt") if (folder / name).is_file()), None)
    if test_list is None:
        raise RecipeError(f"{folder} has a train_list.txt, but no val_list.txt: {holds(folder)}")
    (train, labels), (test, test_labels) = (_read_list(each, folder) for each in (train_list, test_list))
    num_classes = max(labels) + 1
    present = set(labels)
    if min(labels) < 0 or len(present) < num_classes:
        missing = itertools.islice((number for number in range(num_classes) if number not in present), 10)
        wrong = f"{min(labels)} is below 0" if min(labels) < 0 else f"these are missing: {', '.join(map(str, missing))}"
        raise RecipeError(
            f"{train_list}: labels must be all numbers from 0 to {num_classes - 1}, the highest there is, and {wrong}"
        )
    if num_classes < 2:
        raise RecipeError(f"{train_list}: all images have the label 0: at least two classes are needed")
    unknown = sorted(set(test_labels) - present)
    if unknown:
        raise RecipeError(f"{test_list} has labels that no image of {train_list.name} has: {unknown[:10]}")
    class_names = _read_names(folder / "labels.txt", num_classes)
    train, test = (
        Split(Photos(paths, limit, numbers), numbers)
        for paths, numbers in ((train, np.array(labels)), (test, np.array(test_labels)))
    )
    return Folder(train, test, class_names)


def _read_list(file, folder):
    """Paths and labels of a list."""
    paths, labels = [], []
    for number, line in _lines(file):
        match = _LINE.fullmatch(line)
        if not match:
            raise RecipeError(
                f"{file}, line {number}: expected a path and a label, as in cats/1.jpg 0, not {brief(line)}"
            )
        if _OUTSIDE.match(match[1]):
            raise RecipeError(
                f"{file}, line {number}: {brief(match[1])} leads out of {folder}: write paths from that folder on"
            )
        paths.append(os.path.join(folder, match[1]))
        labels.append(int(match[2]))
    if not paths:
        raise RecipeError(f"{file} lists no images: write a line for each, as in cats/1.jpg 0")
    return paths, labels


def _lines(file):
    """Lines that are not blank, with their numbers."""
    try:
        text = str(content_of(file), "utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{file} is not text in UTF-8: {error}") from error
    return [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _read_names(file, num_classes):
    """The names of the classes, a line each; its number may stand before it. Without such a file their numbers."""
    if not file.is_file():
        return [str(number) for number in range(num_classes)]
    names = [line for _, line in _lines(file)]
    if len(names) != num_classes:
        raise RecipeError(
            f"{file} has {len(names):,} names, and train_list.txt {num_classes:,} classes: write a line for each"
        )
    if all(name.split()[0] == str(number) and len(name.split()) > 1 for number, name in enumerate(names)):
        names = [name.split(maxsplit=1)[1] for name in names]
    return names


# Flowers-102


def read_flowers(path, limit=0):
    """Flowers-102 (Nilsback & Zisserman, ICVGIP 2008), divided as papers on transfer do: 2,040 images to train with, which
    are its training and validation images, and 6,149 to test.

    Args:
        path: the folder with imagelabels.mat, setid.mat, and the images: the folder jpg, or 102flowers.tgz, which then is
            read into memory, 330 MB. To unpack it: tar xzf 102flowers.tgz
        limit: how many images in train, and in test, may be missing or damaged; see Photos.

    Returns:
        Folder, without class_names

    Raises:
        RecipeError: a file that is missing, damaged, or does not fit the others.
    """
    folder = _folder(path)
    missing = [name for name in ("imagelabels.mat", "setid.mat") if not (folder / name).is_file()]
    if not (folder / "jpg").is_dir() and not (folder / "102flowers.tgz").is_file():
        missing.append("jpg or 102flowers.tgz")
    if missing:
        raise RecipeError(f"{folder} lacks {', '.join(missing)}: {holds(folder)}")
    labels = _whole_numbers(folder / "imagelabels.mat", "labels")
    labels = checked_labels([label - 1 for label in labels], 102, folder / "imagelabels.mat")  # there they begin with 1
    ids = {name: _whole_numbers(folder / "setid.mat", name) for name in ("trnid", "valid", "tstid")}
    train, test = ids["trnid"] + ids["valid"], ids["tstid"]
    if not train or not test or len(set(train + test)) < len(train + test):
        raise RecipeError(f"{folder / 'setid.mat'}: every part needs images, and none may be in two: copy it again")
    if not 1 <= min(train + test) <= max(train + test) <= len(labels):
        raise RecipeError(
            f"{folder / 'setid.mat'} has image {max(train + test):,}, and imagelabels.mat {len(labels):,} labels: "
            f"take both from one data set"
        )
    if (folder / "jpg").is_dir():
        names = [os.path.join(folder, "jpg", f"image_{number:05}.jpg") for number in range(1, len(labels) + 1)]
    else:
        contents = dict(read_archive(folder / "102flowers.tgz", is_image))
        names = [f"image_{number:05}.jpg" for number in range(1, len(labels) + 1)]
        names = [Packed(name, contents.get(name, b"")) for name in names]

    def split(numbers):
        places = np.array(numbers) - 1
        return Split(Photos([names[place] for place in places], limit, labels[places]), labels[places])

    return Folder(split(train), split(test), None)


def _whole_numbers(file, name):
    """An array of a MATLAB file as a list of int."""
    arrays = read_matlab(file)
    if name not in arrays:
        raise RecipeError(f"{file} has no array of numbers called {name}: take the published file")
    numbers = arrays[name].ravel(order="F")
    if not np.all(np.abs(numbers.astype(np.float64)) < 2**31) or np.any(numbers != np.rint(numbers)):
        raise RecipeError(f"{file}: {name} must be whole numbers: take the published file")
    return numbers.astype(np.int64).tolist()
