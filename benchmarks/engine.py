"""What the engine costs beside data and the bare training step: DeiT-Ti, batch 8, 224 pixels.

    python benchmarks/engine.py [--steps 12] [--rounds 3]

Time: a run of the engine on random images, without augmentation; of all the time between its first and its last step, what
is spent neither in train_step nor in preparing images, over the time in train_step. Memory: the highest resident set of a
process that runs the engine, over that of one that calls train_step in a loop of its own, with the same model, optimizer,
images and number of steps. Each run is a process of its own, and both take turns.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BATCH, CLASSES, SIZE = 8, 1000, 224


def images_for(steps):
    rng = np.random.default_rng(0)
    count = BATCH * steps
    return rng.standard_normal((count, 3, SIZE, SIZE), dtype=np.float32), rng.integers(0, CLASSES, count)


def model_arguments():
    from paddle_vit.models.vit import SIZES

    return dict(
        patch_size=16, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0, droppath=0.1, **SIZES["tiny"]
    )


def with_engine(steps):
    """Seconds in the steps, and beside them."""
    from paddle_vit.training import data, engine, load_recipe
    from paddle_vit.training.data import Data, Split

    images, labels = images_for(steps)
    one = Split(images[:BATCH], labels[:BATCH])
    data.DATA["noise"] = Data(3, (SIZE, SIZE), CLASSES, lambda: (Split(images, labels), one))
    spent, marks = {"step": 0.0, "data": 0.0}, []
    step, batches = engine.train_step, engine.training_batches

    def timed_step(*args, **named):
        start = time.perf_counter()
        result = step(*args, **named)
        result[0].item()  # the engine reads the loss, a bare loop would too
        marks.append((start, time.perf_counter()))
        return result

    def timed_batches(*args, **named):
        source = iter(batches(*args, **named))
        while True:
            start = time.perf_counter()
            item = next(source, None)
            if marks:
                spent["data"] += time.perf_counter() - start
            if item is None:
                return
            yield item

    engine.train_step, engine.training_batches = timed_step, timed_batches
    recipe = load_recipe("vit_digits", data="noise", epochs=1, batch_size=BATCH, **model_arguments())
    with tempfile.TemporaryDirectory() as out:
        engine.train(recipe, out=out, quiet=True)
    whole = marks[-1][1] - marks[0][0]
    spent["step"] = sum(end - start for start, end in marks)
    return dict(step=spent["step"], beside=whole - spent["step"] - spent["data"])


def bare(steps):
    """The same steps in a loop of their own."""
    import paddle

    from paddle_vit.models import VisionTransformer
    from paddle_vit.runtime import copied_transposes
    from paddle_vit.training import load_recipe, train_step
    from paddle_vit.training.finetune import make_optimizer
    from paddle_vit.training.recipe import soft_cross_entropy

    images, labels = images_for(steps)
    with copied_transposes():
        model = VisionTransformer(image_size=SIZE, num_classes=CLASSES, **model_arguments())
        optimizer = make_optimizer(load_recipe("vit_digits"), model)
        model.train()
        for start in range(0, len(labels), BATCH):
            batch = paddle.to_tensor(images[start : start + BATCH])
            targets = paddle.to_tensor(np.eye(CLASSES, dtype=np.float32)[labels[start : start + BATCH]])
            train_step(model, batch, targets, optimizer, soft_cross_entropy)[0].item()
    return {}


def highest_memory():
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()).group(1)) * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", choices=["engine", "bare"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        found = (with_engine if args.measure == "engine" else bare)(args.steps)
        print(json.dumps({**found, "memory": highest_memory()}))
        return
    rows = {"engine": [], "bare": []}
    for _ in range(args.rounds):
        for which, found in rows.items():
            command = [sys.executable, __file__, "--measure", which, "--steps", str(args.steps)]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(json.loads(run.stdout.splitlines()[-1]))
    shares = [row["beside"] / row["step"] for row in rows["engine"]]
    memory = {which: statistics.median(row["memory"] for row in found) for which, found in rows.items()}
    print(
        f"the engine's own time: {statistics.median(shares):.2%} of the steps' (from {min(shares):.2%} to {max(shares):.2%})"
    )
    print(
        f"highest memory: engine {memory['engine'] / 2**20:,.0f} MiB, bare loop {memory['bare'] / 2**20:,.0f} MiB, "
        f"{memory['engine'] / memory['bare'] - 1:+.1%}"
    )


if __name__ == "__main__":
    main()
