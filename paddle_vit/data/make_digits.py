"""Make digits.npz from scikit-learn's copy of the handwritten digits: python paddle_vit/data/make_digits.py

Needs scikit-learn. README.md beside this file says where the images come from and what was changed.
"""

from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("digits.npz")
NUM_TEST = 500
SEED = 1998  # the year in which the images were published; chosen once, before the first training run


def stratified_split(labels, num_test, seed):
    """Divide the indices so that every class has the same share of the test part, up to rounding.

    The classes get the whole part of their share each; what is then missing goes to the largest remainders, the lower
    class first. Which images of a class are taken is drawn at random.

    Args:
        labels: [N] integers from 0 on.
        num_test: images in the test part.

    Returns:
        train, test: sorted indices, uint16, N - num_test and num_test of them
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    share = np.bincount(labels) * num_test / len(labels)
    counts = np.floor(share).astype(int)
    missing = num_test - counts.sum()
    counts[np.argsort(counts - share, kind="stable")[:missing]] += 1
    is_test = np.zeros(len(labels), dtype=bool)
    for label, count in enumerate(counts):
        is_test[rng.permutation(np.flatnonzero(labels == label))[:count]] = True
    return np.flatnonzero(~is_test).astype(np.uint16), np.flatnonzero(is_test).astype(np.uint16)


def make_digits():
    """The arrays of digits.npz: images [1797, 8, 8] with values 0 to 16, labels [1797], indices train and test."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = digits.images.astype(np.uint8)
    if not np.array_equal(images, digits.images):
        raise ValueError("the images are not whole numbers from 0 to 255")
    train, test = stratified_split(digits.target, NUM_TEST, SEED)
    return {"images": images, "labels": digits.target.astype(np.uint8), "train": train, "test": test}


if __name__ == "__main__":
    np.savez_compressed(PATH, **make_digits())
    print(f"{PATH}: {PATH.stat().st_size:,} bytes")
