"""Images and labels as numpy arrays, and the order in which training sees them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paddle_vit.training.config import RecipeError

_FOLDER = Path(__file__).parents[1] / "data"


class Split(NamedTuple):
    """One part of a data set."""

    images: np.ndarray  # [B, in_channels, height, width] float32; or what gives such a batch for indices; or Photos
    labels: np.ndarray  # [B] int64


class Data(NamedTuple):
    """A data set: what a model has to fit is known before anything is read."""

    in_channels: int
    image_size: tuple  # height, width in pixels
    num_classes: int
    load: Callable  # () -> train, test: Split
    background: int = 128  # grey, 0 to 255, of what lies outside an image that is turned or moved
    names: Callable = lambda: None  # () -> names of the classes, or None where they are just numbers

    def model_arguments(self):
        """What a model's constructor has to know of the data."""
        return dict(image_size=self.image_size, in_channels=self.in_channels, num_classes=self.num_classes)


def load_digits():
    """The UCI handwritten digits (paddle_vit/data/README.md), values 0 to 16 scaled to -1 to 1.

    Returns:
        train, test: Split, of 1297 and 500 images [B, 1, 8, 8]
    """
    with np.load(_FOLDER / "digits.npz", allow_pickle=False) as arrays:
        images = arrays["images"].astype(np.float32)[:, None] / 8.0 - 1.0  # B 1 8 8
        labels = arrays["labels"].astype(np.int64)
        return tuple(Split(images[part], labels[part]) for part in (arrays["train"], arrays["test"]))


def load_digit_classes(first, last):
    """The digits from first to last alone, labels counted from 0: to pre-train on some and fine-tune on the others."""

    def part(split):
        chosen = (first <= split.labels) & (split.labels <= last)
        return Split(split.images[chosen], split.labels[chosen] - first)

    return tuple(map(part, load_digits()))


def load_enlarged_digits(side):
    """The digits enlarged to side x side pixels by linear interpolation: the same numbers, at a higher resolution."""
    at = (np.arange(side) + 0.5) * 8 / side - 0.5  # centres of the new pixels, counted in old ones
    weights = np.stack([np.interp(at, np.arange(8), one) for one in np.eye(8)], axis=1).astype(np.float32)  # side 8
    return tuple(Split(weights @ split.images @ weights.T, split.labels) for split in load_digits())


DATA = {
    "digits": Data(in_channels=1, image_size=(8, 8), num_classes=10, load=load_digits, background=0),
    "digits_0_to_4": Data(1, (8, 8), 5, partial(load_digit_classes, 0, 4), background=0),
    "digits_5_to_9": Data(1, (8, 8), 5, partial(load_digit_classes, 5, 9), background=0),
    "digits_16x16": Data(1, (16, 16), 10, partial(load_enlarged_digits, 16), background=0),
    "digits_32x32": Data(1, (32, 32), 10, partial(load_enlarged_digits, 32), background=0),
}


def few(train, test, num_images, seed):
    """Another division: only so many images to train with, equally many of each class as far as possible, and all the
    others to test, so that chance weighs little in the result.

    Args:
        train, test: Split
        num_images: from 1 to one less than there are.
        seed: decides which.

    Returns:
        train, test: Split
    """
    if not isinstance(train.images, np.ndarray):
        raise RecipeError("train_images is for data that come with the package; of other data, take fewer files")
    images, labels = (np.concatenate(parts) for parts in zip(train, test, strict=True))
    generator = np.random.Generator(np.random.PCG64(seed))
    order = generator.permutation(len(labels))
    place = np.empty(len(labels), dtype=np.int64)  # of an image among those of its class, in this order
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        place[of_class] = np.arange(len(of_class))
    order = order[np.argsort(place[order], kind="stable")]  # the first of every class, the second of every class, ...
    chosen, others = order[:num_images], np.sort(order[num_images:])
    return Split(images[chosen], labels[chosen]), Split(images[others], labels[others])


def batch_indices(num_images, batch_size, seed, epoch, repeats=1):
    """One epoch of random order, cut into batches; the last one is smaller where batch_size does not divide the images.

    The order depends on seed and epoch alone, not on how many were drawn before or on numpy's global generator: a run
    that starts again in the middle sees the same batches.

    Args:
        num_images: of the training images.
        batch_size: images
        seed, epoch: whole numbers, 0 or more.
        repeats: copies of each image, one after another (repeated augmentation, Hoffer et al., CVPR 2020). The epoch
            does not get longer: with 3 copies it shows a third of the images.

    Yields:
        indices [B]
    """
    order = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(num_images)
    order = np.repeat(order, repeats)[:num_images]
    for start in range(0, num_images, batch_size):
        yield order[start : start + batch_size]
