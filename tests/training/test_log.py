"""What a run leaves in words, in VisualDL's curves and in pictures."""

import sys
import types

import numpy as np
import paddle
import pytest

from paddle_vit.models import SwinTransformer, VisionTransformer
from paddle_vit.training import train
from paddle_vit.training.data import Split
from paddle_vit.training.pictures import draw_pictures

TINY = dict(epochs=2, batch_size=64, embed_dim=8, depth=1, num_heads=2, evaluate_every=2, train_images=128)


def test_the_log_tells_what_was_done_with_what_and_how_long(tmp_path):
    train("vit_digits", out=tmp_path, quiet=True, **TINY)
    lines = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith("  began") and any(line.startswith("    PaddlePaddle: ") for line in lines)
    told = [line for line in lines if "epoch " in line]
    assert len(told) == 2 and "test_accuracy" not in told[0] and "test_accuracy" in told[1]
    assert "finished after" in lines[-1] and lines[-1].endswith(" s in all")


def test_a_run_that_goes_on_writes_below(tmp_path):
    train("vit_digits", out=tmp_path, quiet=True, **TINY)
    train("vit_digits", out=tmp_path, quiet=True, resume=True, **TINY)
    lines = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert sum("  began" in line for line in lines) == 1 and sum("  went on" in line for line in lines) == 1
    train("vit_digits", out=tmp_path, quiet=True, **TINY)
    assert "went on" not in (tmp_path / "log.txt").read_text(encoding="utf-8"), "a new run, a new log"


def test_a_failure_is_in_the_log(tmp_path):
    with pytest.raises(FloatingPointError):
        train("vit_digits", out=tmp_path, quiet=True, **TINY, learning_rate=1e37, warmup=0)
    last = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()[-1]
    assert "failed: the loss is" in last


def test_curves_of_visualdl_where_it_is_installed(tmp_path, monkeypatch):
    written, closed = [], []

    class LogWriter:
        def __init__(self, logdir):
            self.logdir = logdir

        def add_scalar(self, tag, step, value):
            written.append((tag, step, value))

        def close(self):
            closed.append(self.logdir)

    module = types.ModuleType("visualdl")
    module.LogWriter, module.__spec__ = LogWriter, types.SimpleNamespace(name="visualdl")
    monkeypatch.setitem(sys.modules, "visualdl", module)
    result = train("vit_digits", out=tmp_path, quiet=True, **TINY)
    assert ("loss", 2, result.history[1]["loss"]) in written and ("test_accuracy", 2, result.test_accuracy) in written
    assert closed == [str(tmp_path / "visualdl")]


def images(channels=3, size=16, count=12):
    rng = np.random.default_rng(0)
    return Split(rng.uniform(-1, 1, (count, channels, size, size)).astype(np.float32), np.arange(count) % 4)


def test_pictures_at_the_end(tmp_path):
    paddle.seed(0)
    vit = VisionTransformer(16, 8, 3, 4, 8, 1, 2)
    draw_pictures(tmp_path, vit, images(), 4, ["a", "b", "c", "d"])
    for name in ("confusion.png", "attention.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_pictures_only_where_they_say_something(tmp_path):
    swin = SwinTransformer(16, 2, 3, 30, 8, (1, 1), (1, 2), 4)
    draw_pictures(tmp_path, swin, images(), 30)
    assert not list(tmp_path.iterdir())
