"""Training batches as the model sees them: images augmented one by one, labels smoothed, then two images mixed in one.

Every image and every batch has a random generator of its own, made from seed, epoch and place: the same data for any
number of workers and after any restart.
"""

import numpy as np

from paddle_vit.training import recipe as parts
from paddle_vit.training.data import batch_indices
from paddle_vit.training.operations import OPERATIONS, to_array, to_image

# Those that leave a digit a digit: no inverted greys, and on 8x8 pixels no more than these
GEOMETRIC = tuple(name for name in OPERATIONS if name.startswith(("Rotate", "Shear", "Translate")))

_BATCH = 2**32  # places from here on are those of batches, below of images


def generator_of(seed, epoch, place):
    """The random generator of one place in one epoch."""
    return np.random.Generator(np.random.PCG64([seed, epoch, place]))


def augment_image(image, generator, recipe, background):
    """One image by the recipe: RandAugment, then random erasing, each where the recipe has it.

    Args:
        image: [channels, height, width] float32, values in -1..1.
        generator: numpy Generator
        recipe: Recipe
        background: grey, 0 to 255.

    Returns:
        [channels, height, width] float32
    """
    if recipe.rand_augment:
        operations = GEOMETRIC if recipe.geometric else tuple(OPERATIONS)
        picture = parts.rand_augment(
            to_image(image), generator, recipe.rand_augment, recipe.magnitude, operations=operations, fill=background
        )
        image = to_array(picture)
    if recipe.erasing:
        image = parts.random_erasing(image, generator, recipe.erasing)
    return image


def training_batches(split, recipe, data, epoch):
    """One epoch of a recipe's batches.

    Args:
        split: Split, the training images.
        recipe: Recipe
        data: Data
        epoch: from 1.

    Yields:
        images [B, in_channels, height, width] float32; targets [B, K] float32, probabilities
    """
    augments = recipe.rand_augment or recipe.erasing
    indices = batch_indices(len(split.labels), recipe.batch_size, recipe.seed, epoch, recipe.repeats)
    place = 0
    for batch, chosen in enumerate(indices):
        images = split.images[chosen]
        if augments:
            images = np.stack(
                [
                    augment_image(image, generator_of(recipe.seed, epoch, place + i), recipe, data.background)
                    for i, image in enumerate(images)
                ]
            )
        place += len(chosen)
        targets = parts.smooth_labels(split.labels[chosen], data.num_classes, recipe.label_smoothing)
        if len(chosen) > 1:  # a last batch of one has no partner
            generator = generator_of(recipe.seed, epoch, _BATCH + batch)
            images, targets = parts.mix(images, targets, generator, recipe.mixup, recipe.cutmix)
        yield images, targets
