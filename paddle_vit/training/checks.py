"""What cannot be right in a recipe: each check raises a ValueError that gives the numbers and says what to do."""

import math

import numpy as np


def check_labels(labels, num_classes, smoothing):
    """Raise a ValueError unless every label is from 0 to num_classes - 1, and smoothing a share."""
    if not 0.0 <= smoothing <= 1.0:
        raise ValueError(f"smoothing must be from 0 to 1, got {smoothing}")
    labels = np.asarray(labels)
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, with {num_classes} classes they must be "
            f"from 0 to {num_classes - 1}"
        )


def check_temperature(temperature):
    """Raise a ValueError unless logits can be divided by it."""
    if not 0.0 < temperature < math.inf:
        raise ValueError(f"the temperature must be above 0 and finite, got {temperature}")


def check_distillation(kind, alpha):
    """Raise a ValueError unless kind is one of the two, and alpha a weight between the two losses."""
    if kind not in ("hard", "soft"):
        raise ValueError(f"kind={kind!r} is not one of 'hard', 'soft'")
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha, the weight of the distillation, must be from 0 to 1, got {alpha}")


def check_batch(images):
    """Raise a ValueError unless there is a partner to mix with."""
    if len(images) < 2:
        raise ValueError(f"mixing takes a batch of at least 2 images, got {len(images)}: use a larger batch_size")


def check_area(area):
    """Raise a ValueError unless boxes of these shares of the area fit into the image."""
    smallest, largest = area
    if not 0.0 <= smallest <= largest <= 1.0:
        raise ValueError(
            f"area must be two shares of the image, smallest and largest, from 0 to 1, got {area}: a larger box does not "
            f"fit the image"
        )


def check_share(lam):
    """Raise a ValueError unless lam is a share of the image."""
    if not 0.0 <= lam <= 1.0:
        raise ValueError(f"lam must be from 0 to 1, got {lam}: the box, a share 1 - lam, would not fit the image")


def check_topk(topk, num_classes):
    """Raise a ValueError unless so many classes can be looked at."""
    if not topk or not 1 <= min(topk) <= max(topk) <= num_classes:
        raise ValueError(f"topk={tuple(topk)}: with {num_classes} classes every k must be from 1 to {num_classes}")
