"""How well and how fast the recipe vit_digits learns, beside a support vector machine on the same split.

    python benchmarks/digits.py

Trains with the seeds 0, 1 and 2. The line of the support vector machine needs scikit-learn.
"""

import sys
import tempfile
import time

from paddle_vit.runtime import require_paddle
from paddle_vit.training.data import load_digits

SEEDS = (0, 1, 2)


def support_vector_machine():
    """Test accuracy of scikit-learn's SVC with its defaults, on pixels from 0 to 1."""
    from sklearn.svm import SVC

    train, test = load_digits()
    pixels = [(split.images.reshape(len(split.labels), -1) + 1.0) / 2.0 for split in (train, test)]
    return SVC().fit(pixels[0], train.labels).score(pixels[1], test.labels)


def main():
    try:
        print(f"support vector machine: {support_vector_machine():.2%} of the test images")
    except ModuleNotFoundError:
        print("support vector machine: not run, it needs scikit-learn")

    paddle = require_paddle()
    from paddle_vit.training import train

    accuracies, seconds = [], []
    for seed in SEEDS:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as out:
            accuracies.append(train("vit_digits", seed=seed, out=out, quiet=True).test_accuracy)
        seconds.append(time.perf_counter() - start)
        print(f"vit_digits, seed {seed}: {accuracies[-1]:.2%} in {seconds[-1]:.0f} s")
    mean = sum(accuracies) / len(accuracies)
    print(f"vit_digits, mean: {mean:.2%} in {sum(seconds) / len(seconds):.0f} s, Paddle {paddle.__version__}")


if __name__ == "__main__":
    sys.exit(main())
