"""Data sets by name: those that come with the package, and those that lie somewhere on this machine. Nothing is downloaded."""

from functools import cache
from pathlib import Path

import numpy as np

from paddle_vit.training.config import RecipeError, nearest
from paddle_vit.training.data import DATA, Data, Split
from paddle_vit.training.operations import to_array
from paddle_vit.training.photos import Photos, centre_crop

# Means and standard deviations of red, green and blue, from 0 to 1, that images lose
STATISTICS = {
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # so they come to -1..1
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}

# name -> (what stands under data_path, channels, image size, classes); sizes 0 are found there or chosen by the recipe
_ELSEWHERE = {
    "mnist": ("the folder of MNIST's four files", 1, 28, 10),
    "fashion_mnist": ("the folder of Fashion-MNIST's four files", 1, 28, 10),
    "cifar10": ("cifar-10-python.tar.gz, or the folder that comes out of it", 3, 32, 10),
    "cifar100": ("cifar-100-python.tar.gz, or the folder that comes out of it", 3, 32, 100),
    "flowers102": ("the folder of 102flowers.tgz, imagelabels.mat and setid.mat", 3, 0, 102),
    "folder": ("a folder of images by class, or with train_list.txt", 3, 0, 0),
}


def list_data():
    """Names of all data sets."""
    return [*DATA, *_ELSEWHERE]


def open_data(recipe):
    """The data set of a recipe.

    Args:
        recipe: Recipe, of which data, data_path, image_size, normalize and bad_images count.

    Returns:
        Data, whose load() gives splits as training_batches and evaluate take them

    Raises:
        RecipeError: no such data set, a path that is missing or not needed, normalize=imagenet for grey images; for
            folders also all that is wrong with them.
    """
    if recipe.data in DATA:
        _check_built_in(recipe)
        return DATA[recipe.data]
    if recipe.data not in _ELSEWHERE:
        raise RecipeError(f"no data set is called {recipe.data!r}: {nearest(recipe.data, list_data())}")
    what, channels, size, classes = _ELSEWHERE[recipe.data]
    if not recipe.data_path:
        raise RecipeError(f"data={recipe.data} needs data_path={what}; nothing is downloaded")
    if channels == 1 and recipe.normalize != "half":
        raise RecipeError(
            f"normalize={recipe.normalize} is for images in colour; {recipe.data} is grey: normalize=half"
        )
    if size and recipe.image_size not in (0, size):
        raise RecipeError(f"the images of {recipe.data} have {size} pixels a side: leave image_size away")
    size = size or recipe.image_size or 224
    read = cache(lambda: _read(recipe))  # folders are listed before the model is built, and once
    if not classes:
        classes = len(read()[2])

    def load():
        train, test, _ = read()
        check_shape(recipe.data, train, channels, size)
        return train, Split(Prepared(test.images, (size, size), recipe.normalize), test.labels)

    return Data(channels, (size, size), classes, load, names=lambda: read()[2])


def _check_built_in(recipe):
    """Raise a RecipeError for settings that data of the package do not need."""
    unneeded = {"data_path": "", "image_size": 0, "normalize": "half"}
    for key, nothing in unneeded.items():
        if getattr(recipe, key) != nothing:
            raise RecipeError(f"data={recipe.data} comes with the package and is ready: leave {key} away")


def _read(recipe):
    """train, test: Split of Pixels or Photos; names of the classes or None."""
    from paddle_vit.training.folders import read_flowers, read_folder
    from paddle_vit.training.readers import read_cifar, read_mnist

    path = Path(recipe.data_path).expanduser()
    if recipe.data in ("mnist", "fashion_mnist"):
        return (*read_mnist(path), None)
    if recipe.data in ("cifar10", "cifar100"):
        return read_cifar(path, int(recipe.data.removeprefix("cifar")))
    return (read_flowers if recipe.data == "flowers102" else read_folder)(path, recipe.bad_images)


def check_shape(name, split, channels, size):
    """Raise a RecipeError if a file of images of one size has those of another."""
    shape = getattr(split.images, "shape", None)
    if shape is not None and tuple(shape[1:]) != (channels, size, size):
        raise RecipeError(
            f"the images of {name} must be [{channels}, {size}, {size}], those found are {list(shape[1:])}"
        )


class Prepared:
    """Images as a model sees them in evaluation: photographs cut to its size, all normalised.

    Args:
        images: Photos, or an array of [C, height, width] float32 in -1..1, or what gives such.
        size: (height, width)
        normalize: as of a Recipe.
    """

    def __init__(self, images, size, normalize):
        self.images, self.size, self.normalize = images, size, normalize

    def __len__(self):
        return len(self.images)

    def __getitem__(self, indices):
        """[b, C, height, width] float32"""
        if isinstance(self.images, Photos):
            chosen = range(len(self))[indices] if isinstance(indices, slice) else indices
            images = np.stack([to_array(centre_crop(self.images.open(index), self.size)) for index in chosen])
        else:
            images = self.images[indices]
        return normalised(images, self.normalize)


def normalised(images, kind):
    """Values in -1..1 as the model wants them: as they are ("half"), or by ImageNet's mean and deviation ("imagenet").

    Args:
        images: [..., 3, height, width] float32 for "imagenet", any for "half".
        kind: normalize of a Recipe.

    Returns:
        array of the same shape
    """
    if kind == "half":
        return images
    mean, deviation = (np.array(part, np.float32)[:, None, None] for part in STATISTICS[kind])  # 3 1 1
    return ((images + 1) / 2 - mean) / deviation
