"""A run that was stopped and goes on gives the same numbers, bit for bit, as one that was left alone."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import paddle
import pytest
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from paddle_vit.training import RecipeError, checkpoint, engine, load_recipe, save_weights, saver, train

VIT = dict(embed_dim=16, depth=2, num_heads=2, train_images=100, batch_size=16, evaluate_every=2, checkpoint_seconds=0)
DROPS = dict(dropout=0.1, attention_dropout=0.1, droppath=0.2, clip=1.0)
RUNS = {
    "vit": ("vit_digits", dict(**VIT, **DROPS, epochs=3)),
    "accumulated, averaged, augmented": (
        "vit_digits",
        dict(
            **VIT,
            **DROPS,
            epochs=3,
            accumulate=3,
            ema=0.9,
            rand_augment=2,
            mixup=0.8,
            cutmix=1.0,
            erasing=0.5,
            repeats=2,
        ),
    ),
    "batch norm": (
        "regnet_digits",
        dict(widths=[8, 16], epochs=3, train_images=100, batch_size=16, checkpoint_seconds=0),
    ),
    "swin": (
        "swin_digits",
        dict(embed_dim=8, num_heads=[1, 2], epochs=2, train_images=100, batch_size=20, checkpoint_seconds=0),
    ),
    "distilled": ("deit_digits", dict(**VIT, epochs=2)),
}


def arrays_of(result):
    return {name: value.numpy() for name, value in result.model.state_dict().items()}


def measured(result):
    return [{key: value for key, value in row.items() if "second" not in key} for row in result.history]


class Killed(BaseException):
    """As sudden as a kill: nobody catches it."""


def kill_after(monkeypatch, steps):
    """The run dies before its next step after so many of them."""
    left, step = iter(range(steps)), engine.train_step

    def dying(*args, **named):
        if next(left, None) is None:
            raise Killed
        return step(*args, **named)

    monkeypatch.setattr(engine, "train_step", dying)


def quick_teacher(monkeypatch):
    right = load_recipe
    monkeypatch.setattr(
        "paddle_vit.training.teacher.load_recipe",
        lambda name, **changes: right(name, **changes, widths=[8, 16], epochs=1),
    )


@pytest.mark.parametrize("name", RUNS)
def test_goes_on_bit_for_bit(name, tmp_path, monkeypatch):
    recipe, changes = RUNS[name]
    quick_teacher(monkeypatch)
    whole = train(recipe, out=tmp_path / "whole", quiet=True, **changes)
    kills = 0
    for steps in (2, 7, 9):  # in the first epoch, across its end, further on
        with monkeypatch.context() as patch:
            kill_after(patch, steps)
            begun = list((tmp_path / "killed").rglob("last.safetensors"))  # in the teacher's folder perhaps
            try:
                train(recipe, out=tmp_path / "killed", resume=bool(begun), quiet=True, **changes)
            except Killed:
                kills += 1
        paddle.nn.Linear(3, 3)  # Paddle's own names of parameters go on counting
    result = train(recipe, out=tmp_path / "killed", resume=True, quiet=True, **changes)
    assert kills >= 2
    one, other = arrays_of(whole), arrays_of(result)
    assert one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
    assert measured(whole) == measured(result) and whole.test_accuracy == result.test_accuracy
    lines = (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == result.history
    for file in ("weights", "best"):
        one, other = (load_file(tmp_path / run / f"{file}.safetensors") for run in ("whole", "killed"))
        assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("there", ["nothing", "a folder", "weights"])
def test_no_checkpoint_to_go_on_from(there, tmp_path):
    if there != "nothing":
        (tmp_path / "run").mkdir()
    if there == "weights":
        (tmp_path / "run" / "weights.safetensors").write_bytes(b"of another run")
    with pytest.raises(RecipeError, match="there is no checkpoint in .*run to go on from: begin without resume"):
        train("vit_digits", out=tmp_path / "run", resume=True, quiet=True, **VIT, epochs=1)
    assert (tmp_path / "run").exists() == (there != "nothing")


def test_without_resume_a_run_begins_anew(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        kill_after(patch, 10)
        with pytest.raises(Killed):
            train("vit_digits", out=tmp_path, quiet=True, **VIT, epochs=3)
    assert (tmp_path / "last.safetensors").exists()
    steps = []
    step = engine.train_step
    monkeypatch.setattr(engine, "train_step", lambda *args, **named: steps.append(1) or step(*args, **named))
    train("vit_digits", out=tmp_path, quiet=True, **VIT, epochs=3)
    assert len(steps) == 3 * 7


def test_a_finished_run_is_not_trained_again(tmp_path, monkeypatch):
    first = train("vit_digits", out=tmp_path, quiet=True, **VIT, epochs=2)
    monkeypatch.setattr(engine, "train_step", None)
    again = train("vit_digits", out=tmp_path, resume=True, quiet=True, **VIT, epochs=2)
    assert again.test_accuracy == first.test_accuracy and measured(again) == measured(first)
    one, other = arrays_of(first), arrays_of(again)
    assert all(np.array_equal(one[name], other[name]) for name in one)


# Files of a run


def test_checkpoints_that_are_kept(tmp_path):
    result = train("vit_digits", out=tmp_path, quiet=True, **VIT, epochs=5, save_every=2)
    kept = sorted(path.name for path in tmp_path.glob("epoch_*"))
    assert kept == ["epoch_0002.safetensors", "epoch_0004.safetensors", "epoch_0005.safetensors"]
    best = max(row["test_accuracy"] for row in result.history if "test_accuracy" in row)
    (tmp_path / "last.safetensors").write_bytes((tmp_path / "epoch_0002.safetensors").read_bytes())
    again = train("vit_digits", out=tmp_path, resume=True, quiet=True, **VIT, epochs=5, save_every=2)
    assert measured(again) == measured(result), "from a checkpoint that was kept"
    assert best >= result.test_accuracy


def test_best_is_of_the_best_test(tmp_path, monkeypatch):
    accuracies = iter([0.2, 0.6, 0.4])
    monkeypatch.setattr(engine, "accuracies_of", lambda *_: {"test_accuracy": next(accuracies)})
    states = []
    right = saver.save_weights
    monkeypatch.setattr(
        saver, "save_weights", lambda model, path, labels: states.append(path.name) or right(model, path)
    )
    train("vit_digits", out=tmp_path, quiet=True, **{**VIT, "evaluate_every": 1}, epochs=3)
    weights, best = "weights.safetensors", "best.safetensors"
    assert states == [weights, best, weights, best, weights]


def test_writing_checkpoints_takes_a_fiftieth_of_the_time(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(saver.time, "perf_counter", lambda: now[0])
    written = []

    def slow(*_):
        now[0] += 3.0  # seconds to write
        written.append(now[0])

    monkeypatch.setattr(saver, "save_checkpoint", slow)

    class Log:
        def state(self):
            return {}

    one = saver.Saver(tmp_path, Log(), load_recipe("vit_digits"), paddle.nn.Linear(1, 1), None, None, None)
    for _ in range(1000):
        now[0] += 1.0
        one.step({}, now=False)
    assert written[0] == 5 + 3 and len(written) == 1 + 1000 // 150


@pytest.mark.parametrize("name", ["last.safetensors", "weights.safetensors"])
def test_a_full_disk_loses_the_new_file_only(name, tmp_path, monkeypatch, capsys):
    right, count = checkpoint.safetensors_numpy.save_file, []

    def full(arrays, path, metadata):
        count.extend([1] * (name in path.name))
        if name in path.name and len(count) > 1:
            path.write_bytes(b"half of it")
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        right(arrays, path, metadata)

    monkeypatch.setattr(checkpoint.safetensors_numpy, "save_file", full)
    result = train("vit_digits", out=tmp_path, **{**VIT, "evaluate_every": 1}, epochs=2)
    assert load_file(tmp_path / name), "the first one"
    assert not [file for file in os.listdir(tmp_path) if "tmp" in file]
    assert result.problems and name in result.problems[0] and "No space left" in result.problems[0]
    assert f"{name} could not be written" in capsys.readouterr().out
    assert len(result.history) == 2


# What is refused


@pytest.mark.parametrize(
    "changes,said",
    [
        (dict(learning_rate=1e-3), "learning_rate was 0.0005, now 0.001"),
        (dict(epochs=4, seed=1), "epochs was 3, now 4; seed was 0, now 1"),
        (dict(depth=3), "depth was 2, now 3"),
    ],
)
def test_another_run_is_refused_by_what_differs(changes, said, tmp_path):
    train("vit_digits", out=tmp_path, quiet=True, **VIT, epochs=3)
    before = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(RecipeError) as error:
        train("vit_digits", out=tmp_path, resume=True, quiet=True, **{**VIT, "epochs": 3, **changes})
    # seed comes before epochs or after it, as settings are declared
    assert all(part in str(error.value) for part in said.split("; ")) and "last.safetensors is of another run" in str(
        error.value
    )
    assert (tmp_path / "last.safetensors").read_bytes() == before


def test_settings_that_change_no_number_may_differ(tmp_path):
    train("vit_digits", out=tmp_path, quiet=True, **VIT, epochs=2)
    train(
        "vit_digits",
        out=tmp_path,
        resume=True,
        quiet=True,
        **{**VIT, "checkpoint_seconds": 9.0},
        epochs=2,
        save_every=1,
    )


class Other(paddle.nn.Layer):
    def __init__(self, **_):
        super().__init__()
        self.linear = paddle.nn.Linear(64, 10)

    def forward(self, x):
        return self.linear(x.flatten(1))


def test_another_model_is_refused(tmp_path):
    train("vit_digits", Other, out=tmp_path, quiet=True, **VIT, epochs=2)
    with pytest.raises(RecipeError, match="model was Other, now VisionTransformer"):
        train("vit_digits", out=tmp_path, resume=True, quiet=True, **VIT, epochs=2)

    class Wider(Other):
        def __init__(self, **_):
            super().__init__()
            self.linear = paddle.nn.Linear(64, 20)
            self.more = paddle.nn.Linear(20, 10)

        def forward(self, x):
            return self.more(super().forward(x))

    Wider.__name__ = "Other"
    with pytest.raises(RecipeError, match="of another model; these differ: .*linear.weight, model/more.bias"):
        train("vit_digits", Wider, out=tmp_path, resume=True, quiet=True, **VIT, epochs=2)


@pytest.mark.parametrize("content", [b"", b"nonsense", "truncated", "weights"])
def test_what_is_no_checkpoint(content, tmp_path):
    result = train("vit_digits", out=tmp_path, quiet=True, **VIT, epochs=2)
    path = tmp_path / "last.safetensors"
    if content == "weights":
        save_weights(result.model, path)
    else:
        path.write_bytes(path.read_bytes()[:-7] if content == "truncated" else content)
    with pytest.raises(RecipeError, match="last.safetensors (is no checkpoint|cannot be read as a checkpoint)"):
        train("vit_digits", out=tmp_path, resume=True, quiet=True, **VIT, epochs=2)


# Signals, and a kill


def command(out, *arguments, epochs=10):
    changes = [f"{key}={value}" for key, value in {**VIT, "train_images": 1200, **dict(epochs=epochs)}.items()]
    return subprocess.Popen(
        [sys.executable, "-m", "paddle_vit", "train", "vit_digits", *changes, "--out", str(out), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", preexec_fn=listen,
    )  # fmt: skip


def listen():
    """What a shell starts in the background has Ctrl-C switched off, and its children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends(number, tmp_path):
    run = command(tmp_path, "checkpoint_seconds=1000", epochs=100000)
    try:
        for line in run.stdout:
            if line.startswith("epoch"):
                break
        run.send_signal(number)
        out, err = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 130, err
    assert "Traceback" not in err and "FatalError" not in err and "resume goes on" in out
    with safe_open(tmp_path / "last.safetensors", framework="numpy") as file:
        progress = json.loads(file.metadata()["checkpoint"])["progress"]["at"]
    assert progress["step"] > 75 and progress["epoch"] >= 2


@pytest.mark.slow
def test_killed_twenty_times(tmp_path):
    """SIGKILL at random moments, resumed each time: never an unreadable file, and at the end the same weights."""
    random.seed(0)
    changes = ("checkpoint_seconds=0.2",)
    whole = command(tmp_path / "whole", *changes, epochs=60)
    assert whole.wait(timeout=600) == 0
    kills = 0
    while kills < 20:
        resume = ["--resume"] if (tmp_path / "killed" / "last.safetensors").exists() else []
        run = command(tmp_path / "killed", *changes, *resume, epochs=60)
        folder, start = tmp_path / "killed" / "last.safetensors", time.monotonic()
        before = os.stat(folder).st_mtime_ns if folder.exists() else 0
        # a moment that lies somewhere behind the first new checkpoint, so that the run gets on
        while run.poll() is None and time.monotonic() - start < 120:
            if folder.exists() and os.stat(folder).st_mtime_ns != before:
                break
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.7))
        if run.poll() is not None:
            break
        run.send_signal(signal.SIGKILL)
        run.communicate()
        kills += 1
        for path in (tmp_path / "killed").glob("*.safetensors"):
            assert load_file(path)
    run = command(tmp_path / "killed", *changes, "--resume", epochs=60)
    out, err = run.communicate(timeout=600)
    assert run.returncode == 0, err
    assert kills == 20, "the run was over too early"
    one, other = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "killed"))
    assert all(np.array_equal(one[name], other[name]) for name in one)
