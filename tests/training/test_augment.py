"""Training batches: what the recipe does to them, and that they depend on seed, epoch and place alone."""

import dataclasses

import numpy as np
import pytest

from paddle_vit.training import recipe as parts
from paddle_vit.training.augment import GEOMETRIC, augment_image, generator_of, training_batches
from paddle_vit.training.config import load_recipe
from paddle_vit.training.data import DATA, Split, batch_indices, few, load_digits

DIGITS = DATA["digits"]
FULL = dict(rand_augment=2, magnitude=5.0, geometric=True, erasing=0.5, mixup=0.8, cutmix=1.0, label_smoothing=0.1)


def split(num_images=50):
    train, _ = load_digits()
    return Split(train.images[:num_images], train.labels[:num_images])


def epoch_of(num_images=50, epoch=1, **changes):
    recipe = load_recipe("vit_digits", **{"batch_size": 16, **changes})
    return list(training_batches(split(num_images), recipe, DIGITS, epoch))


def test_without_a_recipe_the_batches_are_as_they_were():
    plain = [(split().images[chosen], split().labels[chosen]) for chosen in batch_indices(50, 16, seed=0, epoch=1)]
    for (images, targets), (expected, labels) in zip(epoch_of(), plain, strict=True):
        assert np.array_equal(images, expected)
        assert np.array_equal(targets, np.eye(10)[labels])
        assert images.dtype == targets.dtype == np.float32


@pytest.mark.parametrize("changes", [{}, FULL, dict(rand_augment=1), dict(erasing=1.0), dict(cutmix=1.0)])
def test_shapes_types_and_targets(changes):
    found = epoch_of(**changes)
    assert [images.shape for images, _ in found] == [(16, 1, 8, 8)] * 3 + [(2, 1, 8, 8)]
    for images, targets in found:
        assert images.dtype == targets.dtype == np.float32
        assert targets.shape == (len(images), 10)
        assert np.allclose(targets.sum(axis=1), 1.0, atol=1e-6)


def test_the_same_for_the_same_seed_and_epoch_whatever_was_drawn_before():
    one = epoch_of(**FULL)
    np.random.seed(3)
    other = epoch_of(**FULL)
    assert all(np.array_equal(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))
    for changes in (dict(epoch=2), dict(seed=1)):
        different = epoch_of(**FULL, **changes)
        assert not np.allclose(one[0][0], different[0][0])


def test_the_global_generators_stay_as_they_are():
    before = np.random.get_state()[1].copy()
    epoch_of(**FULL)
    assert np.array_equal(before, np.random.get_state()[1])


def test_images_that_are_stored_stay_as_they_are():
    images = split()
    before = images.images.copy()
    recipe = load_recipe("vit_digits", batch_size=16, **FULL)
    list(training_batches(images, recipe, DIGITS, 1))
    assert np.array_equal(images.images, before)


def test_each_part_does_what_it_says():
    chosen = next(batch_indices(50, 16, seed=0, epoch=1))
    plain, labels = split().images[chosen], split().labels[chosen]
    recipe = load_recipe("vit_digits", batch_size=16)
    erased = augment_image(plain[3], generator_of(0, 1, 3), dataclasses.replace(recipe, erasing=1.0), DIGITS)
    expected = parts.random_erasing(plain[3], generator_of(0, 1, 3), 1.0)
    assert np.array_equal(erased, expected) and not np.array_equal(erased, plain[3])
    assert np.array_equal(epoch_of(erasing=1.0)[0][0][3], erased), "the generator of its place in the epoch"
    smoothed = epoch_of(label_smoothing=0.1)[0][1]
    assert np.allclose(smoothed, parts.smooth_labels(labels, 10, 0.1))
    mixed = parts.mixup(plain, np.eye(10, dtype="float32")[labels], generator_of(0, 1, 2**32), 0.8)
    assert all(np.array_equal(a, b) for a, b in zip(epoch_of(mixup=0.8)[0], mixed, strict=True))


def test_digits_are_only_turned_sheared_and_moved():
    assert GEOMETRIC == ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")


def test_a_last_batch_of_one_is_not_mixed():
    images, targets = epoch_of(num_images=17, mixup=0.8, cutmix=1.0)[-1]
    assert len(images) == 1 and sorted(targets[0]) == [0.0] * 9 + [1.0]


@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_repeated_augmentation(repeats):
    """Copies stand together, the epoch keeps its length, and each copy is augmented differently."""
    order = np.concatenate(list(batch_indices(50, 16, seed=0, epoch=1, repeats=repeats)))
    assert len(order) == 50
    assert len(set(order)) == -(-50 // repeats)
    assert all(len(set(order[i : i + repeats])) == 1 for i in range(0, 50, repeats))
    images = epoch_of(repeats=repeats, rand_augment=2, magnitude=9.0)[0][0]
    assert len({image.tobytes() for image in images}) >= 12


# -- few images ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_images", [1, 10, 100, 301, 1796])
def test_few_images_of_every_class_and_all_others_to_test(num_images):
    train, test = load_digits()
    chosen, others = few(train, test, num_images, seed=4)
    assert len(chosen.labels) == len(chosen.images) == num_images
    assert len(others.labels) == 1797 - num_images
    counts = np.bincount(chosen.labels, minlength=10)
    smallest = np.bincount(np.concatenate([train.labels, test.labels])).min()
    if num_images <= 10 * smallest:
        assert counts.max() - counts.min() <= 1
    both = np.concatenate([chosen.images, others.images])
    everything = np.concatenate([train.images, test.images])
    assert sorted(image.tobytes() for image in both) == sorted(image.tobytes() for image in everything)


def test_another_seed_chooses_other_images():
    one, other, again = (few(*load_digits(), 100, seed)[0].images for seed in (0, 1, 0))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
