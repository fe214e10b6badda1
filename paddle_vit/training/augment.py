"""Training batches as the model sees them: images augmented one by one, labels smoothed, then two images mixed in one.

Every image and every batch has a random generator of its own, made from seed, epoch and place: the same data for any
number of workers and after any restart.
"""

import numpy as np

from paddle_vit.training import recipe as parts
from paddle_vit.training.data import batch_indices
from paddle_vit.training.datasets import normalised
from paddle_vit.training.distributed import ALONE
from paddle_vit.training.operations import OPERATIONS, to_array, to_image
from paddle_vit.training.photos import Photos, centre_crop, flip, padded_crop, random_resized_crop
from paddle_vit.training.workers import in_order

# Those that leave a digit a digit: no inverted greys, and on 8x8 pixels no more than these
GEOMETRIC = tuple(name for name in OPERATIONS if name.startswith(("Rotate", "Shear", "Translate")))

_BATCH = 2**32  # places from here on are those of batches, below of images


def generator_of(seed, epoch, place):
    """The random generator of one place in one epoch."""
    return np.random.Generator(np.random.PCG64([seed, epoch, place]))


def augments(recipe):
    """Whether a recipe changes single images."""
    return bool(recipe.rand_augment or recipe.erasing or recipe.flip or recipe.crop != "none")


def augment_image(image, generator, recipe, data):
    """One image by the recipe: cropped, flipped, RandAugment, random erasing, each where the recipe has it.

    Args:
        image: [channels, height, width] float32, values in -1..1; or an Image of any size.
        generator: numpy Generator
        recipe: Recipe
        data: Data, for the size of the images and their background.

    Returns:
        [channels, height, width] float32, normalised
    """
    photograph = not isinstance(image, np.ndarray)
    if photograph or recipe.rand_augment or recipe.flip or recipe.crop != "none":
        picture = image if photograph else to_image(image)
        if recipe.crop == "resized":
            picture = random_resized_crop(picture, generator, data.image_size)
        elif photograph:
            picture = centre_crop(picture, data.image_size)
        if recipe.crop == "padded":
            picture = padded_crop(picture, generator, max(data.image_size) // 8)
        if recipe.flip:
            picture = flip(picture, generator, recipe.flip)
        if recipe.rand_augment:
            operations = GEOMETRIC if recipe.geometric else tuple(OPERATIONS)
            picture = parts.rand_augment(
                picture, generator, recipe.rand_augment, recipe.magnitude, operations=operations, fill=data.background
            )
        image = to_array(picture)
    image = normalised(image, recipe.normalize)
    if recipe.erasing:
        image = parts.random_erasing(image, generator, recipe.erasing)
    return image


def training_batches(split, recipe, data, epoch, start=0, processes=ALONE):
    """One epoch of a recipe's batches, or what is left of it; of each batch what this process computes.

    Args:
        split: Split, the training images.
        recipe: Recipe
        data: Data
        epoch: from 1.
        start: the first batch, counted from 0.
        processes: Processes, which share each batch.

    Yields:
        images [B, in_channels, height, width] float32; targets [B, K] float32, probabilities
    """
    photographs = isinstance(split.images, Photos)

    def make(job):
        batch, places, chosen = job
        if photographs or augments(recipe):
            images = np.stack(
                [
                    augment_image(
                        split.images.open(index) if photographs else split.images[index],
                        generator_of(recipe.seed, epoch, place),
                        recipe,
                        data,
                    )
                    for place, index in zip(places.tolist(), chosen.tolist(), strict=True)
                ]
            )
        else:
            images = normalised(split.images[chosen], recipe.normalize)
        targets = parts.smooth_labels(split.labels[chosen], data.num_classes, recipe.label_smoothing)
        if len(chosen) > 1:  # a last batch of one has no partner, nor has the middle of a batch
            generator = generator_of(recipe.seed, epoch, _BATCH + batch)
            images, targets = parts.mix(images, targets, generator, recipe.mixup, recipe.cutmix)
        return images, targets, split.images.bad if photographs else {}

    def jobs():
        place = 0
        indices = batch_indices(len(split.labels), recipe.batch_size, recipe.seed, epoch, recipe.repeats)
        for batch, chosen in enumerate(indices):
            if batch >= start:
                own = processes.places(len(chosen))
                yield batch, place + own, chosen[own]
            place += len(chosen)

    for images, targets, bad in in_order(make, jobs(), recipe.workers):
        if bad:
            split.images.meet(bad)  # each worker knows those that it met
        yield images, targets
