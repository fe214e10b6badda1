"""How well and how fast the recipe swin_digits learns, and what some of its parts are worth on the digits.

    python benchmarks/swin_digits.py [--seeds 0 1 2] [--only full "no shift" ...]

Every variant is the recipe with one thing changed, on the digits' own split (1,297 images to train with, 500 to test).
Every run is a row of swin_digits.json. The settings were chosen by cross-validation inside the training images.
"""

import argparse
import sys
import tempfile
import time

import stored

from paddle_vit.runtime import require_paddle

# name -> settings that differ from the recipe's
VARIANTS = {
    "full": {},
    "no absolute positions": dict(absolute_position=False),
    "no shift": {},
    "no augmentation": dict(rand_augment=0),
}


def without_shift():
    """The class of the model, but every block has its windows at the same place."""
    from paddle_vit.models import SwinTransformer

    class Unshifted(SwinTransformer):
        def __init__(self, **arguments):
            super().__init__(**arguments)
            for layer in self.layers:
                for block in layer.blocks:
                    block.shift_size, block.mask = 0, None

    return Unshifted


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    args = parser.parse_args()
    paddle = require_paddle()
    from paddle_vit.training import train

    about = dict(command="python benchmarks/swin_digits.py", paddle=paddle.__version__)
    for seed in args.seeds:
        for name in args.only:
            model = without_shift() if name == "no shift" else None
            start = time.perf_counter()
            with tempfile.TemporaryDirectory() as out:
                result = train("swin_digits", model, seed=seed, out=out, quiet=True, **VARIANTS[name])
            seconds = round(time.perf_counter() - start, 1)
            row = dict(variant=name, seed=seed, test_accuracy=result.test_accuracy, seconds=seconds)
            stored.add("swin_digits", row, ("variant", "seed"), **about)
            print(f"{name:22} seed {seed}: {result.test_accuracy:.2%} in {seconds:.0f} s", flush=True)
    for name in VARIANTS:
        found = [row["test_accuracy"] for row in stored.read("swin_digits")["rows"] if row["variant"] == name]
        if found:
            print(f"{name:22} {stored.mean_and_spread(found)}  ({len(found)} seeds)")


if __name__ == "__main__":
    sys.exit(main())
