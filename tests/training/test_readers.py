"""MNIST and CIFAR out of files as they were published, small ones that are made here, and out of damaged ones."""

import gzip
import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest

from paddle_vit.training.config import RecipeError
from paddle_vit.training.operations import to_array, to_image
from paddle_vit.training.readers import Pixels, read_cifar, read_mnist

# MNIST


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def digits(count, seed):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 7, 5), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 10


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture
def mnist(tmp_path):
    """A folder with the four files: 13 and 11 images of 7x5 pixels."""
    for part, count in (("train", 13), ("t10k", 11)):
        images, labels = digits(count, seed=count)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


def check_mnist(path):
    for split, count in zip(read_mnist(path), (13, 11), strict=True):
        images, labels = digits(count, seed=count)
        assert np.array_equal(split.images.array, images[:, None])
        assert np.array_equal(split.labels, labels) and split.labels.dtype == np.int64


def test_mnist(mnist):
    check_mnist(mnist)
    check_mnist(str(mnist))


def test_mnist_packed_and_with_dots(mnist):
    for file in list(mnist.iterdir()):
        if "images" in file.name:
            (mnist / f"{file.name.replace('-idx', '.idx')}.gz").write_bytes(gzip.compress(file.read_bytes()))
        else:
            (mnist / file.name.replace("-idx", ".idx")).write_bytes(file.read_bytes())
        file.unlink()
    check_mnist(mnist)


def test_what_a_browser_unpacked_and_left_the_name_gz(mnist):
    (mnist / IMAGES).rename(mnist / f"{IMAGES}.gz")
    check_mnist(mnist)


def test_pixels_are_what_operations_make_of_an_image():
    array = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 7), dtype=np.uint8)
    pixels = Pixels(array)
    assert len(pixels) == 5 and pixels.shape == (5, 3, 4, 7)
    chosen = pixels[np.array([4, 1])]
    assert chosen.shape == (2, 3, 4, 7) and chosen.dtype == np.float32
    for image, place in zip(chosen, (4, 1), strict=True):
        assert np.array_equal(np.rint(image * 127.5 + 127.5), array[place])
        assert np.array_equal(image, to_array(to_image(image)))
    assert np.array_equal(pixels[1:3], pixels[[1, 2]]) and np.array_equal(pixels[3], pixels[[3]][0])
    assert (Pixels(np.uint8([[[[0, 255]]]]))[0] == [-1, 1]).all()


def refuses(read, *words):
    with pytest.raises(RecipeError) as info:
        read()
    for word in words:
        assert str(word) in str(info.value), info.value


def test_no_such_path(tmp_path):
    refuses(lambda: read_mnist(tmp_path / "nothing"), tmp_path / "nothing", "nothing is downloaded")
    refuses(lambda: read_cifar(tmp_path / "nothing", 10), tmp_path / "nothing", "nothing is downloaded")
    refuses(lambda: read_mnist(""), "path of the data is empty")


def test_mnist_files_that_are_missing(mnist):
    refuses(lambda: read_mnist(mnist / IMAGES), "is a file: give the folder", IMAGES)
    (mnist / IMAGES).unlink()
    (mnist / "t10k-labels-idx1-ubyte").rename(mnist / "labels")
    refuses(lambda: read_mnist(mnist), f"lacks {IMAGES}, t10k-labels-idx1-ubyte", "it holds labels, t10k-images")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kept", [0, 3, 9, 100, -1])
def test_mnist_cut_off(mnist, packed, kept):
    content = (mnist / IMAGES).read_bytes()
    content = gzip.compress(content, mtime=0) if packed else content
    (mnist / IMAGES).write_bytes(content[:kept])
    refuses(lambda: read_mnist(mnist), mnist / IMAGES, *["cut off"] * (packed and kept > 2 or kept > 3))


def test_mnist_damaged(mnist):
    packed = bytearray(gzip.compress((mnist / IMAGES).read_bytes(), mtime=0))
    packed[200] ^= 0xFF
    (mnist / IMAGES).write_bytes(packed)
    refuses(lambda: read_mnist(mnist), mnist / IMAGES, "damaged")


def test_mnist_with_more_than_its_header_says(mnist):
    (mnist / IMAGES).write_bytes((mnist / IMAGES).read_bytes() + b"12")
    refuses(lambda: read_mnist(mnist), mnist / IMAGES, "expected 13 x 7 x 5 bytes after its header, got 457")


def test_mnist_wrong_magic_number(mnist):
    (mnist / IMAGES).write_bytes((mnist / LABELS).read_bytes())
    refuses(
        lambda: read_mnist(mnist), mnist / IMAGES, "a file of images begins with the bytes 00 00 08 03", "00 00 08 01"
    )


def test_mnist_without_images(mnist):
    (mnist / IMAGES).write_bytes(idx(np.zeros((0, 28, 28), np.uint8)))
    refuses(lambda: read_mnist(mnist), mnist / IMAGES, "0 x 28 x 28")


def test_mnist_counts_that_differ(mnist):
    (mnist / LABELS).write_bytes(idx(np.zeros(12, np.uint8)))
    refuses(lambda: read_mnist(mnist), "13 images", "12 labels")


def test_mnist_label_out_of_range(mnist):
    (mnist / LABELS).write_bytes(idx(np.uint8([0, 1, 2, 10, 255] + [3] * 8)))
    refuses(lambda: read_mnist(mnist), mnist / LABELS, "from 0 to 9", "2 of 13", "10: is it the right file?")


def test_mnist_one_class(mnist):
    (mnist / LABELS).write_bytes(idx(np.full(13, 7, np.uint8)))
    refuses(lambda: read_mnist(mnist), mnist, "label 7", "at least two classes")


def test_mnist_test_images_of_another_size(mnist):
    (mnist / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((11, 7, 6), np.uint8)))
    refuses(lambda: read_mnist(mnist), "[1, 7, 5]", "[1, 7, 6]")


# CIFAR

ANIMALS = [f"animal {number}" for number in range(10)]
NAMES = {10: ANIMALS, 100: [f"thing_{number}" for number in range(100)]}


def pictures(count, num_classes, seed):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 3072), dtype=np.uint8), random.permutation(num_classes)[:count].tolist()


def text2(value):
    return pickle.SHORT_BINSTRING + bytes([len(value)]) + value.encode()


def list2(values):
    return pickle.EMPTY_LIST + pickle.MARK + b"".join(values) + pickle.APPENDS


def python2(labels_key, images, labels):
    """A batch as Python 2 pickled it: its strings, its name for an array's parts."""
    shape = b"K" + bytes([len(images)]) + b"M" + struct.pack("<H", 3072) + pickle.TUPLE2
    data = b"T" + struct.pack("<i", images.size) + images.tobytes()
    dtype = (
        b"cnumpy\ndtype\n"
        + text2("u1")
        + b"K\0K\1\x87R(K\3"
        + text2("|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    )
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85" + text2("b") + b"\x87R"
    array += b"(K\1" + shape + dtype + b"\x89" + data + b"tb"
    entries = [
        text2("data") + array,
        text2("batch_label") + text2("training batch 1 of 5"),
        text2(labels_key) + list2(b"K" + bytes([label]) for label in labels),
        text2("filenames") + list2(text2(f"dog_s_{number}.png") for number in range(len(labels))),
    ]
    return b"\x80\x02}q\x01(" + b"".join(entries) + b"u."


def names2(key, names):
    return b"\x80\x02}q\x01(" + text2(key) + list2(text2(name) for name in names) + text2("num_vis") + b"M\0\x0cu."


PYTHON10 = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
KEYS = {10: "labels", 100: "fine_labels"}


def batches(num_classes):
    """Names of the Python version's files, and what is in them."""
    names = PYTHON10 if num_classes == 10 else ["train", "test"]
    return {name: pictures(3 + place, num_classes, seed=place) for place, name in enumerate(names)}


def python_files(num_classes):
    files = {name: python2(KEYS[num_classes], *batch) for name, batch in batches(num_classes).items()}
    if num_classes == 10:
        return files | {"batches.meta": names2("label_names", ANIMALS)}
    return files | {"meta": names2("fine_label_names", NAMES[100])}


def binary_files(num_classes):
    files = {}
    for name, (images, labels) in batches(num_classes).items():
        before = [
            [label] if num_classes == 10 else [19, label] for label in labels
        ]  # CIFAR-100: the coarse label first
        records = [bytes(some) + image.tobytes() for some, image in zip(before, images, strict=True)]
        files[f"{name}.bin"] = b"".join(records)
    if num_classes == 10:
        return files | {"batches.meta.txt": "\n".join(name.replace(" ", "_") for name in ANIMALS).encode() + b"\n\n"}
    return files | {"fine_label_names.txt": "\n".join(NAMES[100]).encode()}


FOLDERS = {
    (10, python_files): ("cifar-10-batches-py", "cifar-10-python.tar.gz"),
    (10, binary_files): ("cifar-10-batches-bin", "cifar-10-binary.tar.gz"),
    (100, python_files): ("cifar-100-python", "cifar-100-python.tar.gz"),
    (100, binary_files): ("cifar-100-binary", "cifar-100-binary.tar.gz"),
}


def tar(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def unpack(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def check_cifar(path, num_classes):
    train, test, class_names = read_cifar(path, num_classes)
    wanted = list(batches(num_classes).values())
    for split, parts in ((train, wanted[:-1]), (test, wanted[-1:])):
        images = np.concatenate([images for images, _ in parts]).reshape(-1, 3, 32, 32)
        assert np.array_equal(split.images.array, images)
        assert split.labels.tolist() == sum((labels for _, labels in parts), []) and split.labels.dtype == np.int64
    return class_names


@pytest.mark.parametrize("num_classes, make", FOLDERS)
def test_cifar(tmp_path, num_classes, make):
    files = make(num_classes)
    folder, archive = (tmp_path / name for name in FOLDERS[num_classes, make])
    tar(archive, {f"{folder.name}/{name}": content for name, content in files.items()})
    names = check_cifar(archive, num_classes)
    assert [name.replace("_", " ") for name in names] == [name.replace("_", " ") for name in NAMES[num_classes]]
    assert check_cifar(tmp_path, num_classes) == names  # the folder that holds the archive
    archive.unlink()
    unpack(folder, files)
    assert check_cifar(folder, num_classes) == check_cifar(str(tmp_path), num_classes) == names
    for name in set(files) - {f"{name}.bin" for name in batches(num_classes)} - set(batches(num_classes)):
        (folder / name).unlink()  # the names
    assert check_cifar(folder, num_classes) is None


def test_these_pickles_are_pickles_to_python():
    images, labels = pictures(3, 10, seed=0)
    batch = pickle.loads(python2("labels", images, labels), encoding="latin1")
    assert (
        np.array_equal(batch["data"], images) and batch["labels"] == labels and batch["filenames"][2] == "dog_s_2.png"
    )


def test_an_archive_that_is_not_packed(tmp_path):
    tar(tmp_path / "cifar.tar", python_files(10), mode="w")
    check_cifar(tmp_path / "cifar.tar", 10)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("keys", [str, str.encode])
@pytest.mark.parametrize("kind", [list, np.array, lambda labels: [np.int64(label) for label in labels]])
def test_cifar_pickled_anew(tmp_path, protocol, keys, kind):
    files = python_files(10)
    for name, (images, labels) in batches(10).items():
        files[name] = pickle.dumps({keys("labels"): kind(labels), keys("data"): images}, protocol)
    files["batches.meta"] = pickle.dumps({keys("label_names"): list(map(keys, ANIMALS))}, protocol)
    assert check_cifar(unpack(tmp_path, files), 10) == ANIMALS


@pytest.fixture
def cifar(tmp_path):
    return unpack(tmp_path / "cifar", python_files(10))


def test_cifar_files_that_are_missing(cifar, tmp_path):
    (cifar / "data_batch_3").unlink()
    refuses(lambda: read_cifar(cifar, 10), f"{cifar} lacks data_batch_3:", "CIFAR-10")
    refuses(
        lambda: read_cifar(cifar, 100), cifar, "expected cifar-100-python.tar.gz", "it holds batches.meta, data_batch"
    )
    (tmp_path / "empty").mkdir()
    refuses(
        lambda: read_cifar(tmp_path / "empty", 10), "expected cifar-10-python.tar.gz", "data_batch_1", "it is empty"
    )
    tar(tmp_path / "other.tar.gz", {"a": b"1"})
    refuses(lambda: read_cifar(tmp_path / "other.tar.gz", 10), "none of these files")


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.9999])
def test_archive_cut_off(tmp_path, share):
    file = tmp_path / "cifar-10-python.tar.gz"
    tar(file, python_files(10))
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    refuses(lambda: read_cifar(tmp_path, 10), file, "is no complete .tar.gz archive", "copy it again")


def test_archive_with_a_wrong_checksum(tmp_path):
    file = tmp_path / "cifar-10-binary.tar.gz"
    tar(file, binary_files(10))
    content = bytearray(file.read_bytes())
    content[-8] ^= 1
    file.write_bytes(content)
    refuses(lambda: read_cifar(file, 10), file, "is no complete .tar.gz archive", "CRC")


def test_no_archive(tmp_path):
    file = tmp_path / "page.tar.gz"
    file.write_bytes(b"<html>404</html>" * 100)
    refuses(lambda: read_cifar(file, 10), file, "is no complete .tar.gz archive")


def test_links_in_an_archive_are_not_followed(tmp_path):
    unpack(tmp_path, python_files(10))
    with tarfile.open(tmp_path / "links.tar.gz", "w:gz") as archive:
        for name in PYTHON10:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, str(tmp_path / name)
            archive.addfile(member)
    refuses(lambda: read_cifar(tmp_path / "links.tar.gz", 10), "none of these files")


def test_an_archive_that_names_an_impossible_size(tmp_path):
    member = tarfile.TarInfo("data_batch_1")
    for size in (1 << 40, -1536):
        member.size = size
        (tmp_path / "large.tar.gz").write_bytes(gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)))
        refuses(lambda: read_cifar(tmp_path / "large.tar.gz", 10), "data_batch_1", f"{size:,} bytes")


def test_every_cut_of_a_pickle_is_refused(cifar):
    content = (cifar / "data_batch_2").read_bytes()
    cuts = [*range(0, 250, 7), len(content) // 2, *range(len(content) - 140, len(content), 3)]
    for cut in cuts:
        (cifar / "data_batch_2").write_bytes(content[:cut])
        refuses(lambda: read_cifar(cifar, 10), cifar / "data_batch_2", "damaged or cut off")


class Command:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", ["data_batch_4", "batches.meta"])
def test_a_pickle_that_runs_a_command_runs_nothing(cifar, name, protocol):
    marker = cifar / "ran"
    content = pickle.dumps({"data": Command(marker), "labels": [1, 2]}, protocol)
    (cifar / name).write_bytes(content)
    refuses(lambda: read_cifar(cifar, 10), cifar / name, "nothing in it was run", f"{os.name}.system")
    assert not marker.exists()
    pickle.loads(content)  # what another reader would do
    assert marker.exists()


IMAGE = np.zeros((2, 3072), np.uint8)
BATCHES = {
    "not a dict": ([1, 2], "expected a dict, got list"),
    "CIFAR-100": (
        {"data": IMAGE, "fine_labels": [1, 2]},
        "expected the entries data and labels, got data, fine_labels",
    ),
    "no array": ({"data": [1, 2], "labels": [1, 2]}, "data must be an array [images, 3072] of uint8, not list"),
    "no bytes": ({"data": IMAGE.astype(np.float32), "labels": [1, 2]}, "not [2, 3072] float32"),
    "shape": ({"data": IMAGE[:, :-1], "labels": [1, 2]}, "not [2, 3071] uint8"),
    "too few labels": ({"data": IMAGE, "labels": [1]}, "2 images and 1 labels"),
    "no labels": ({"data": IMAGE, "labels": "12"}, "2 images and no list of labels"),
    "nothing": ({"data": IMAGE[:0], "labels": []}, "0 images"),
    "too large": ({"data": IMAGE, "labels": [1, 10]}, "from 0 to 9, and 1 of 2 are not, the first of them 10"),
    "negative": ({"data": IMAGE, "labels": [-1, 3]}, "the first of them -1"),
    "huge": ({"data": IMAGE, "labels": [1 << 20000, 3]}, "the first of them int"),
    "share": ({"data": IMAGE, "labels": [0.5, 3]}, "the first of them 0.5"),
    "true": ({"data": IMAGE, "labels": [True, 3]}, "1 of 2 are not"),
}


@pytest.mark.parametrize("kind", BATCHES)
def test_batches_that_are_none(cifar, kind):
    batch, message = BATCHES[kind]
    (cifar / "data_batch_5").write_bytes(pickle.dumps(batch, 4))
    refuses(lambda: read_cifar(cifar, 10), cifar / "data_batch_5", message)


@pytest.mark.parametrize("names", [ANIMALS[:9], "animals", 7, [*ANIMALS[:9], 1]])
def test_class_names_that_do_not_fit(cifar, names):
    (cifar / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, 4))
    refuses(lambda: read_cifar(cifar, 10), cifar / "batches.meta", "expected the names of 10 classes")


def test_binary_cifar_damaged(tmp_path):
    unpack(tmp_path, binary_files(100))
    content = (tmp_path / "train.bin").read_bytes()
    (tmp_path / "train.bin").write_bytes(content[:-5])
    refuses(lambda: read_cifar(tmp_path, 100), tmp_path / "train.bin", "multiple of 3,074", f"{len(content) - 5:,}")
    (tmp_path / "train.bin").write_bytes(b"\0\x64" + content[2:])
    refuses(lambda: read_cifar(tmp_path, 100), tmp_path / "train.bin", "from 0 to 99", "100")


def test_cifar_one_class(tmp_path):
    unpack(tmp_path, binary_files(10))
    for name in PYTHON10:
        (tmp_path / f"{name}.bin").write_bytes((b"\x04" + bytes(3072)) * 3)
    refuses(lambda: read_cifar(tmp_path, 10), tmp_path, "label 4", "at least two classes")
