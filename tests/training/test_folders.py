"""Folders of classes and lists of files: read, and refused where they make no sense."""

import builtins
import io
import os

import numpy as np
import pytest
from PIL import Image

from paddle_vit.training.config import RecipeError
from paddle_vit.training.folders import read_folder


def touch(root, *names):
    """Files without content: listing opens none of them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def listed(split, root):
    paths = [os.path.relpath(path, root).replace(os.sep, "/") for path in split.images.paths]
    assert split.labels.dtype == np.int64 and len(split.images) == len(split.labels)
    return list(zip(paths, split.labels.tolist(), strict=True))


def refuses(read, *words):
    with pytest.raises(RecipeError) as info:
        read()
    for word in words:
        assert str(word) in str(info.value), info.value


# Folders of classes


def test_imagenet_layout(tmp_path):
    touch(
        tmp_path, "train/dog/2.JPEG", "train/dog/10.jpg", "train/cat/a b.PNG", "train/Zebra/x.webp", "train/Zebra/1.BMP"
    )
    touch(tmp_path, "train/cat/more/1.jpeg", "val/dog/1.jpg", "val/Zebra/1.jpg", "val/Zebra/2.jpg", "test/1.jpg")
    touch(
        tmp_path,
        "train/.cache/1.jpg",
        "train/dog/.1.jpg",
        "train/dog/Thumbs.db",
        "train/dog/notes.txt",
        "train/list.txt",
    )
    touch(tmp_path, "train/dog/.thumbs/1.jpg")
    train, test, names = read_folder(tmp_path)
    assert names == ["Zebra", "cat", "dog"]
    assert listed(train, tmp_path) == [
        ("train/Zebra/1.BMP", 0),
        ("train/Zebra/x.webp", 0),
        ("train/cat/a b.PNG", 1),
        ("train/cat/more/1.jpeg", 1),
        ("train/dog/10.jpg", 2),
        ("train/dog/2.JPEG", 2),
    ]
    # no cat among them: a dog is number 2 all the same
    assert listed(test, tmp_path) == [("val/Zebra/1.jpg", 0), ("val/Zebra/2.jpg", 0), ("val/dog/1.jpg", 2)]
    assert np.array_equal(test.images.labels, test.labels)


def test_test_instead_of_val(tmp_path):
    touch(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg")
    assert listed(read_folder(str(tmp_path)).test, tmp_path) == [("test/a/1.jpg", 0)]


def test_one_folder_is_divided(tmp_path):
    counts = {"cat": 20, "dog": 13, "eel": 2, "猫": 7}
    touch(tmp_path, *(f"{name}/{number:02}.jpg" for name, count in counts.items() for number in range(count)))
    train, test, names = read_folder(tmp_path)
    assert names == list(counts)
    train, test = listed(train, tmp_path), listed(test, tmp_path)
    assert sorted(train + test) == sorted(
        (f"{name}/{number:02}.jpg", label)
        for label, (name, count) in enumerate(counts.items())
        for number in range(count)
    )
    assert [sum(label == each for _, label in test) for each in range(4)] == [4, 3, 1, 1]
    assert train == sorted(train) and test == sorted(test)
    assert [path for path, label in test if label == 0] != [f"cat/{number:02}.jpg" for number in range(4)]
    again = read_folder(tmp_path)
    assert (listed(again.train, tmp_path), listed(again.test, tmp_path)) == (train, test)
    # another class changes nothing for these
    touch(tmp_path, "bee/1.jpg", "bee/2.jpg")
    assert [(path, label - 1) for path, label in listed(read_folder(tmp_path).test, tmp_path)][1:] == test


def test_the_division_is_the_same_on_every_machine(tmp_path):
    """As test_the_order_is_the_same_on_every_machine in test_data.py: what numpy does not promise."""
    touch(tmp_path, *(f"{name}/{number:02}.jpg" for name in ("cat", "dog") for number in range(15)))
    assert [path for path, _ in listed(read_folder(tmp_path).test, tmp_path)] == DIVISION


DIVISION = ["cat/03.jpg", "cat/06.jpg", "cat/08.jpg", "dog/05.jpg", "dog/10.jpg", "dog/12.jpg"]


def test_listing_opens_no_file(tmp_path, monkeypatch):
    touch(
        tmp_path, *(f"{part}/{name}/{number}.jpg" for part in ("train", "val") for name in "ab" for number in range(40))
    )
    opened = []
    for module, name in ((builtins, "open"), (io, "open"), (os, "open"), (Image, "open")):
        monkeypatch.setattr(module, name, lambda *arguments, **_: opened.append(arguments))
    stats = []
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, *more, **options: stats.append(path) or real(path, *more, **options))
    assert len(read_folder(tmp_path).train.images) == 80
    assert not opened and len(stats) < 20


def test_paths_that_hold_nothing(tmp_path):
    refuses(lambda: read_folder(tmp_path / "nothing"), tmp_path / "nothing", "nothing is downloaded")
    refuses(
        lambda: read_folder(tmp_path), tmp_path, "a folder for each class, at least two, and has none", "it is empty"
    )
    touch(tmp_path, *(f"{number}.jpg" for number in range(12)))
    refuses(lambda: read_folder(tmp_path), "has none: it holds 0.jpg, 1.jpg, 10.jpg", "and 2 more")
    refuses(lambda: read_folder(tmp_path / "1.jpg"), "is a file: give the folder")


def test_one_class_only(tmp_path):
    touch(tmp_path, "cat/1.jpg", "cat/2.jpg", ".hidden/1.jpg")
    refuses(lambda: read_folder(tmp_path), tmp_path, "at least two, and has one, cat")
    touch(tmp_path, "train/cat/1.jpg", "val/cat/1.jpg")
    refuses(lambda: read_folder(tmp_path), tmp_path / "train", "has one, cat")


@pytest.mark.parametrize("part", ["train", "val"])
def test_empty_class_folders_are_named(tmp_path, part):
    touch(tmp_path, *(f"{part}/{name}/1.jpg" for part in ("train", "val") for name in "abcd"))
    (tmp_path / part / "b" / "1.jpg").rename(tmp_path / part / "b" / "1.txt")
    (tmp_path / part / "d" / "1.jpg").unlink()
    refuses(lambda: read_folder(tmp_path), f"{tmp_path / part}: no images (.jpg, .jpeg", "in the classes b, d:")


def test_a_class_that_cannot_be_divided(tmp_path):
    touch(tmp_path, "cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "eel/1.jpg")
    refuses(lambda: read_folder(tmp_path), tmp_path, "one image", "['dog', 'eel']")


def test_half_of_a_layout(tmp_path):
    touch(tmp_path, "train/a/1.jpg", "train/b/1.jpg")
    refuses(lambda: read_folder(tmp_path), "none called val or test", f"give {tmp_path / 'train'}")
    (tmp_path / "train").rename(tmp_path / "val")
    refuses(lambda: read_folder(tmp_path), "a folder val, but neither train nor train_list.txt")


def test_validation_images_without_classes(tmp_path):
    """As ImageNet's archive has them."""
    touch(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "val/ILSVRC2012_val_00000001.JPEG")
    refuses(lambda: read_folder(tmp_path), tmp_path / "val", "folder for each class", "ILSVRC2012_val_00000001.JPEG")


def test_a_class_that_only_the_test_images_have(tmp_path):
    touch(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/B/1.jpg")
    refuses(lambda: read_folder(tmp_path), tmp_path / "val", "B: the folders of a class must have the same name")


def test_a_link_that_leads_back_ends(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert len(read_folder(tmp_path).train.images) == 2


def test_a_link_to_a_file_that_is_gone(tmp_path):
    touch(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/b/1.jpg", "elsewhere/2.jpg")
    for name in ("2", "3"):
        (tmp_path / "train" / "a" / f"{name}.jpg").symlink_to(tmp_path / "elsewhere" / f"{name}.jpg")
    refuses(lambda: read_folder(tmp_path), "1 of 4 images are not there", tmp_path / "train" / "a" / "3.jpg")
    assert list(read_folder(tmp_path, limit=1).train.images.bad) == [str(tmp_path / "train" / "a" / "3.jpg")]


# Lists


@pytest.fixture
def lists(tmp_path):
    touch(tmp_path, "images/cat 1.jpg", "images/2.jpg", "images/3.jpg", "test/4.jpg", "train/a/1.jpg")
    (tmp_path / "train_list.txt").write_text("images/cat 1.jpg 0\nimages/2.jpg 2\n\nimages/3.jpg\t1\n")
    (tmp_path / "val_list.txt").write_text("test/4.jpg 2\n")
    return tmp_path


def test_lists(lists):
    train, test, names = read_folder(lists)
    assert listed(train, lists) == [("images/cat 1.jpg", 0), ("images/2.jpg", 2), ("images/3.jpg", 1)]
    assert listed(test, lists) == [("test/4.jpg", 2)]
    assert names == ["0", "1", "2"]


def test_lists_from_windows(lists):
    text = (lists / "train_list.txt").read_text().replace("\n", "\r\n")
    (lists / "train_list.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert listed(read_folder(lists).train, lists)[0] == ("images/cat 1.jpg", 0)


@pytest.mark.parametrize(
    "text, names",
    [
        ("cat\n大狗\nred panda\n", ["cat", "大狗", "red panda"]),
        ("0 cat\n1 dog\n2 red panda", ["cat", "dog", "red panda"]),
        ("0\n1\n2", ["0", "1", "2"]),
        ("1 cat\n2 dog\n3 eel", ["1 cat", "2 dog", "3 eel"]),
    ],
)
def test_names_of_classes(lists, text, names):
    (lists / "labels.txt").write_text(text, encoding="utf-8")
    assert read_folder(lists).class_names == names


def test_wrong_number_of_names(lists):
    (lists / "labels.txt").write_text("cat\ndog\n")
    refuses(lambda: read_folder(lists), lists / "labels.txt", "2 names", "3 classes")


LINES = {
    "images/2.jpg": "line 2: expected a path and a label, as in cats/1.jpg 0, not images/2.jpg",
    "images/2.jpg cat": "line 2: expected a path and a label",
    "images/2.jpg 1.0": "line 2: expected a path and a label",
    "images/2.jpg １": "line 2: expected a path and a label",
    "images/2.jpg 9999999999": "line 2: expected a path and a label",
    "2": "line 2: expected a path and a label",
    "/etc/passwd.jpg 1": "line 2: /etc/passwd.jpg leads out of",
    "../2.jpg 1": "line 2: ../2.jpg leads out of",
    "images/../../2.jpg 1": "leads out of",
    "images\\..\\2.jpg 1": "leads out of",
    "images/.. 1": "leads out of",
    "C:/2.jpg 1": "leads out of",
    "\\\\server\\2.jpg 1": "leads out of",
    "images/2.jpg -1": "labels must be all numbers from 0 to 0, the highest there is, and -1 is below 0",
    "images/2.jpg 0": "all images have the label 0: at least two classes",
    "images/2.jpg 5": "labels must be all numbers from 0 to 5, the highest there is, and these are missing: 1, 2, 3, 4",
    "images/2.jpg 999999999": "missing: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
    "images/5.jpg 1": "1 of 2 images are not there",
    "images/2\0.jpg 1": "1 of 2 images are not there",
    "images/2\x1b[2J.jpg 1": "\\x1b[2J",
}


@pytest.mark.parametrize("line", LINES)
def test_lines_that_make_no_sense(lists, line):
    (lists / "train_list.txt").write_text(f"images/3.jpg 0\n{line}\n", encoding="utf-8")
    (lists / "val_list.txt").write_text("test/4.jpg 0\n")
    refuses(lambda: read_folder(lists), LINES[line])


def test_names_with_dots_are_no_way_out(lists):
    touch(lists, "a..b/..c..jpg", "a..b/c...jpg")
    (lists / "train_list.txt").write_text("a..b/..c..jpg 0\na..b/c...jpg 1")
    (lists / "val_list.txt").write_text("test/4.jpg 1\n")
    assert len(read_folder(lists).train.images) == 2


def test_label_that_only_the_test_images_have(lists):
    (lists / "val_list.txt").write_text("test/4.jpg 3\n")
    refuses(lambda: read_folder(lists), lists / "val_list.txt", "no image of train_list.txt has: [3]")


def test_lists_that_are_missing_or_empty(lists):
    (lists / "train_list.txt").write_text("\n")
    refuses(lambda: read_folder(lists), lists / "train_list.txt", "lists no images")
    (lists / "train_list.txt").write_bytes("images/é.jpg 0".encode("latin1"))
    refuses(lambda: read_folder(lists), lists / "train_list.txt", "UTF-8")
    (lists / "val_list.txt").unlink()
    refuses(lambda: read_folder(lists), "train_list.txt, but no val_list.txt", "it holds images, test")


def test_missing_images_are_counted_and_named(lists):
    lines = ["images/2.jpg 0", "images/3.jpg 1"] + [f"images/gone {number}.jpg 1" for number in range(15)]
    (lists / "train_list.txt").write_text("\n".join(lines))
    (lists / "val_list.txt").write_text("test/4.jpg 1\n")
    path = lists / "images" / "gone"
    refuses(lambda: read_folder(lists), f"15 of 17 images are not there: {path} 0.jpg", f"{path} 9.jpg and 5 more")
    refuses(lambda: read_folder(lists, limit=14), "and only 14 may be bad")
    assert len(read_folder(lists, limit=15).train.images.bad) == 15
