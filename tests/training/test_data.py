"""The digits as they are shipped, and the order of batches."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import paddle_vit
from paddle_vit.training.data import DATA, batch_indices, load_digit_classes, load_digits, load_enlarged_digits

FOLDER = Path(paddle_vit.__file__).parent / "data"


@pytest.fixture(scope="module")
def stored():
    with np.load(FOLDER / "digits.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def test_stored_arrays(stored):
    assert {name: (array.shape, str(array.dtype)) for name, array in stored.items()} == {
        "images": ((1797, 8, 8), "uint8"),
        "labels": ((1797,), "uint8"),
        "train": ((1297,), "uint16"),
        "test": ((500,), "uint16"),
    }
    assert (stored["images"].min(), stored["images"].max()) == (0, 16)
    assert sorted(set(stored["labels"])) == list(range(10))


def test_split_is_disjoint_complete_and_stratified(stored):
    train, test = stored["train"], stored["test"]
    assert sorted([*train, *test]) == list(range(1797))
    share = np.bincount(stored["labels"]) * 500 / 1797
    assert np.abs(np.bincount(stored["labels"][test]) - share).max() < 1


def test_the_script_makes_the_stored_arrays_again(stored):
    pytest.importorskip("sklearn")
    made = runpy.run_path(str(FOLDER / "make_digits.py"))["make_digits"]()
    assert made.keys() == stored.keys()
    for name, array in made.items():
        assert array.dtype == stored[name].dtype
        assert np.array_equal(array, stored[name]), name


def test_load_digits(stored):
    train, test = load_digits()
    for split, part, size in ((train, "train", 1297), (test, "test", 500)):
        assert split.images.shape == (size, 1, 8, 8) and split.images.dtype == np.float32
        assert split.labels.shape == (size,) and split.labels.dtype == np.int64
        assert np.array_equal(split.images[:, 0] * 8 + 8, stored["images"][stored[part]])
        assert np.array_equal(split.labels, stored["labels"][stored[part]])
    assert (train.images.min(), train.images.max()) == (-1.0, 1.0)


def test_what_is_known_of_a_data_set_is_true():
    for data in DATA.values():
        for split in data.load():
            assert split.images.shape[1:] == (data.in_channels, *data.image_size)
            assert set(split.labels) == set(range(data.num_classes))


def order(batch_size=5, seed=3, epoch=2):
    return [chosen.tolist() for chosen in batch_indices(23, batch_size, seed, epoch)]


def test_an_epoch_shows_every_image_once():
    assert [len(batch) for batch in order()] == [5, 5, 5, 5, 3]
    assert sorted(sum(order(), [])) == list(range(23))
    assert [len(batch) for batch in order(batch_size=100)] == [23]


def test_the_order_depends_on_seed_and_epoch_alone():
    first = order()
    np.random.seed(0)
    list(batch_indices(23, 5, seed=3, epoch=1))
    assert order() == first
    assert sum(order(batch_size=7), []) == sum(first, [])
    different = [order(epoch=1), order(epoch=3), order(seed=2), order(seed=2, epoch=3), first]
    assert len({str(each) for each in different}) == 5


def test_the_order_is_the_same_on_every_machine():
    """numpy promises the stream of PCG64 and not that of permutation: if a version changes it, say so in the changelog."""
    assert order(batch_size=23)[0][:8] == [16, 2, 18, 9, 0, 4, 17, 10]


def test_some_classes_alone():
    train, test = load_digits()
    for first, last in ((0, 4), (5, 9), (2, 2)):
        for whole, part in zip((train, test), load_digit_classes(first, last), strict=True):
            chosen = [place for place, label in enumerate(whole.labels) if first <= label <= last]
            assert np.array_equal(part.images, whole.images[chosen])
            assert np.array_equal(part.labels + first, whole.labels[chosen])


def test_large_digits_show_the_same():
    for small, large in zip(load_digits(), load_enlarged_digits(16), strict=True):
        assert large.images.shape[1:] == (1, 16, 16) and large.images.dtype == np.float32
        assert np.array_equal(large.labels, small.labels)
        image, enlarged = small.images[7, 0], large.images[7, 0]
        assert np.allclose(enlarged[[0, 0, -1, -1], [0, -1, 0, -1]], image[[0, 0, -1, -1], [0, -1, 0, -1]])  # corners
        # between the centres of (3, 2) and (4, 3): three quarters of the nearer, along each axis
        row = 0.75 * image[3] + 0.25 * image[4]
        assert np.isclose(enlarged[7, 5], 0.75 * row[2] + 0.25 * row[3], atol=1e-6)
