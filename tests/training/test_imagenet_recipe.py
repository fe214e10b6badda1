"""The recipe for ImageNet, end to end, on a folder of generated JPEGs: stopped, resumed, tested, asked."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

CLASSES = 10
SMALLER = ["image_size=64", "batch_size=1000", "accumulate=20", "epochs=2", "evaluate_every=1", "workers=2"]


def command(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "paddle_vit", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", **options,
    )  # fmt: skip


def make_images(folder, train=2000, val=40):
    """JPEGs of many sizes in ImageNet's layout: each class has a colour of its own, among noise."""
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("val", val)):
        for number in range(count):
            label = number % CLASSES
            place = folder / part / f"n{label:08d}"
            place.mkdir(parents=True, exist_ok=True)
            width, height = rng.integers(60, 160, 2)
            colour = 255 * np.array([label & 1, label >> 1 & 1, label >> 2 & 1]) * (0.5 if label > 7 else 1)
            image = 0.7 * colour + 0.3 * rng.integers(0, 256, (height, width, 3))
            Image.fromarray(image.astype(np.uint8)).save(place / f"{number}.JPEG", quality=80)


@pytest.mark.slow
def test_the_imagenet_recipe_end_to_end(tmp_path):
    """2,000 images, two steps of 1,000 an epoch; images of 64 pixels, so that it ends within minutes on a CPU."""
    make_images(tmp_path / "images")
    arguments = ["train", "deit_tiny_imagenet", f"data_path={tmp_path / 'images'}", *SMALLER, "checkpoint_seconds=0"]
    out = tmp_path / "run"
    run = command(*arguments, "--out", out)
    start = time.monotonic()
    while not (out / "last.safetensors").exists() and run.poll() is None and time.monotonic() - start < 600:
        time.sleep(0.2)
    run.send_signal(signal.SIGTERM)  # in the first epoch
    text, error = run.communicate(timeout=600)
    assert run.returncode == 130 and "resume goes on" in text, error
    assert not (out / "metrics.jsonl").read_text(), "no epoch is over"

    run = command(*arguments, "--out", out, "--resume")
    text, error = run.communicate(timeout=1800)
    assert run.returncode == 0, error
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4] and all(row["loss"] > 0 for row in rows)
    assert all(0 <= row[key] <= 1 for row in rows for key in ("test_accuracy", "test_top5", "test_accuracy_raw"))
    assert {"best.safetensors", "last.safetensors", "log.txt", "weights.safetensors"} <= set(os.listdir(out))

    photo = next((tmp_path / "images" / "val").rglob("*.JPEG"))
    asked = command("predict", out, photo, "--out", tmp_path / "answers")
    text, error = asked.communicate(timeout=300)
    assert asked.returncode == 0 and "n0000000" in text, error
