"""Tiny runs of the engine: what they leave, repeat, refuse, and survive."""

import json
import math
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import paddle.nn as nn
import pytest

import paddle_vit
from paddle_vit.models import VisionTransformer
from paddle_vit.training import engine, evaluate, load_recipe
from paddle_vit.training.build import build_model
from paddle_vit.training.data import DATA, load_digits
from paddle_vit.training.engine import make_optimizer, train

TINY = dict(epochs=2, batch_size=128, embed_dim=8, depth=1, num_heads=2, evaluate_every=1)
DIGITS = DATA["digits"]


def tiny(out, **changes):
    return train("vit_digits", out=out, quiet=True, **{**TINY, **changes})


def weights(model):
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


# -- what a run leaves ------------------------------------------------------------------------------------------------


def test_result_and_files(tmp_path):
    result = tiny(tmp_path / "run", epochs=5, evaluate_every=2, learning_rate=0.01, embed_dim=32)
    assert result.out == tmp_path / "run"
    assert sorted(os.listdir(result.out)) == [
        "best.safetensors",
        "config.yaml",
        "last.safetensors",
        "learning_curve.png",
        "log.txt",
        "metrics.jsonl",
        "weights.safetensors",
    ]
    rows = [json.loads(line) for line in (result.out / "metrics.jsonl").read_text().splitlines()]
    assert rows == result.history
    steps = math.ceil(1297 / 128)
    assert [(row["epoch"], row["step"]) for row in rows] == [(e, e * steps) for e in range(1, 6)]
    assert [row["epoch"] for row in rows if "test_accuracy" in row] == [2, 4, 5], "the last epoch is always tested"
    assert all(0 <= row["train_accuracy"] <= 1 and row["loss"] > 0 and row["images_per_second"] > 0 for row in rows)
    assert result.test_accuracy == rows[-1]["test_accuracy"]
    assert rows[-1]["loss"] < rows[0]["loss"] < math.log(10) + 0.1
    assert rows[-1]["train_accuracy"] > 0.3, "a step in the wrong direction, or labels beside other images"
    assert (result.out / "learning_curve.png").read_bytes().startswith(b"\x89PNG")

    assert not result.model.training
    assert evaluate(result.model, load_digits()[1]) == result.test_accuracy
    read_back = build_model(load_recipe(result.out / "config.yaml"), DIGITS)
    paddle_vit.load_weights(read_back, result.out / "weights.safetensors")
    assert equal(weights(read_back), weights(result.model))
    assert "history" not in repr(result) and len(repr(result)) < 300, "a notebook shows it"


def test_learning_rate_follows_the_recipe(tmp_path, monkeypatch):
    rates = []
    monkeypatch.setattr(engine, "train_step", spy(engine.train_step, lambda *a: rates.append(a[3].get_lr())))
    tiny(tmp_path, learning_rate=0.002, warmup=0.25)
    total = len(rates)
    assert total == 22
    assert 0 < rates[0] < rates[1] < rates[4] and 0 < rates[-1] < rates[-2]
    assert max(rates) <= 0.002 and max(rates) == pytest.approx(0.002, rel=0.01)
    assert rates[1] / rates[0] == pytest.approx(3.0)  # 1.5 steps of warm-up after 0.5


def spy(function, look):
    def call(*args, **named):
        look(*args)
        return function(*args, **named)

    return call


def test_default_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tiny(None, epochs=1).out.resolve() == tmp_path / "runs" / "vit_digits"


def test_the_package_offers_it(tmp_path):
    assert paddle_vit.train is train


# -- repeating --------------------------------------------------------------------------------------------------------


def test_same_seed_same_bits(tmp_path):
    """Whatever was built, drawn and seeded in between; with dropout, whose masks come from Paddle's generator."""
    options = dict(dropout=0.1, droppath=0.1, depth=2, seed=3)
    first = tiny(tmp_path / "a", **options)
    np.random.seed(99)
    random.seed(99)
    paddle.seed(99)
    nn.Linear(3, 3)
    second = tiny(tmp_path / "b", **options)
    other = tiny(tmp_path / "c", **{**options, "seed": 4})
    assert equal(weights(first.model), weights(second.model))
    stable = ("epoch", "step", "learning_rate", "loss", "train_accuracy", "test_accuracy")
    assert [[row[key] for key in stable] for row in first.history] == [
        [row[key] for key in stable] for row in second.history
    ]
    one, two = ((tmp_path / run / "weights.safetensors").read_bytes() for run in "ab")
    assert one == two
    assert not equal(weights(first.model), weights(other.model))


def test_each_step_draws_from_its_own_seed(tmp_path, monkeypatch):
    """Whatever else was drawn before: only so can a run that starts again in the middle go on with the same bits."""
    options = dict(dropout=0.2, epochs=1)
    first = tiny(tmp_path, **options)
    step = engine.train_step

    def draw_more(*args, **named):
        result = step(*args, **named)
        paddle.rand([7])
        return result

    monkeypatch.setattr(engine, "train_step", draw_more)
    assert equal(weights(tiny(tmp_path, **options).model), weights(first.model))


def test_trains_in_training_mode_and_tests_in_eval_mode(tmp_path, monkeypatch):
    modes = {"train_step": [], "accuracy": []}
    monkeypatch.setattr(
        engine, "train_step", spy(engine.train_step, lambda m, *_: modes["train_step"].append(m.training))
    )
    monkeypatch.setattr(engine, "topk_accuracy", spy(engine.topk_accuracy, lambda m, *_: modes["accuracy"].append(m)))
    result = tiny(tmp_path, epochs=3, dropout=0.5)
    assert modes["train_step"] == [True] * 33 and modes["accuracy"] == [result.model] * 3
    result.model.train()
    one, other = (evaluate(result.model, load_digits()[1]) for _ in range(2))
    assert one == other == result.test_accuracy


def test_an_epoch_is_on_disk_before_the_next_begins(tmp_path, monkeypatch):
    lines = []

    def look(*_):
        lines.append(len((tmp_path / "metrics.jsonl").read_text().splitlines()))

    monkeypatch.setattr(engine, "train_step", spy(engine.train_step, look))
    tiny(tmp_path, epochs=3)
    assert lines == [0] * 11 + [1] * 11 + [2] * 11


def test_after_each_epoch_somebody_may_look(tmp_path):
    seen = []
    result = tiny(tmp_path, epochs=3, on_epoch=lambda history: seen.append([row["epoch"] for row in history]))
    assert seen == [[1], [1, 2], [1, 2, 3]]
    assert [row["epoch"] for row in result.history] == [1, 2, 3]


def test_other_data_by_name(tmp_path):
    result = tiny(tmp_path, epochs=1, data="digits_0_to_4")
    assert result.model.head.weight.shape[1] == 5
    assert load_recipe(tmp_path / "config.yaml").data == "digits_0_to_4"
    with pytest.raises(paddle_vit.training.RecipeError, match="no data set is called 'digitz': did you mean digits"):
        tiny(tmp_path, data="digitz")


def test_a_dumped_config_repeats_the_run(tmp_path):
    first = tiny(tmp_path / "a", seed=3)
    second = train(tmp_path / "a" / "config.yaml", out=tmp_path / "b", quiet=True)
    assert equal(weights(first.model), weights(second.model))


@pytest.mark.parametrize("ends_well", [True, False])
def test_the_setting_for_speed_is_for_the_reference_alone(tmp_path, monkeypatch, ends_well):
    """It makes transposes copies, so that a learner's in-place writes would mean something else; and it goes back."""
    flag, seen = "FLAGS_use_stride_kernel", []
    monkeypatch.delenv(flag, raising=False)
    before = paddle.get_flags([flag])

    def look(*_):
        seen.append(paddle.get_flags([flag])[flag])
        if not ends_well:
            raise FloatingPointError("for the test")

    monkeypatch.setattr(engine, "train_step", spy(engine.train_step, look))
    try:
        paddle.set_flags({flag: True})
        for model, expected in [(None, False), (VisionTransformer, True)]:
            try:
                tiny(tmp_path, model=model, epochs=1)
            except FloatingPointError:
                assert not ends_well
            assert seen.pop() is expected and paddle.get_flags([flag]) == {flag: True}
    finally:
        paddle.set_flags(before)


def test_the_setting_for_speed_changes_no_bit(tmp_path):
    options = dict(dropout=0.1, droppath=0.1, depth=2, num_heads=4, epochs=1)
    with_it = tiny(tmp_path, **options)
    without = tiny(tmp_path, model=VisionTransformer, **options)
    assert equal(weights(with_it.model), weights(without.model))


def test_global_generators_of_numpy_and_python_are_left_alone(tmp_path):
    before = np.random.get_state()[1].copy(), random.getstate()
    tiny(tmp_path, epochs=1, dropout=0.1)
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert random.getstate() == before[1]


# -- a model given by the caller --------------------------------------------------------------------------------------


class Own(nn.Layer):
    """A learner's model that is no ViT at all."""

    def __init__(self, image_size=8, in_channels=1, num_classes=10, **_):
        super().__init__()
        self.linear = nn.Linear(in_channels * image_size[0] * image_size[1], num_classes)

    def forward(self, image):
        return self.linear(image.flatten(1))


def test_a_class_is_built_with_the_recipes_arguments(tmp_path):
    class Learners(VisionTransformer):
        pass

    result = tiny(tmp_path, model=Learners, epochs=1, depth=3)
    assert type(result.model) is Learners and len(result.model.encoder.layers) == 3
    assert "Learners" in (tmp_path / "config.yaml").read_text()
    assert type(tiny(tmp_path, model=Own, epochs=1).model) is Own


def test_an_instance_is_trained_from_where_it_is(tmp_path):
    first = tiny(tmp_path, epochs=3)
    before = first.test_accuracy
    second = tiny(tmp_path, model=first.model, epochs=1, learning_rate=1e-9)
    assert second.model is first.model
    assert abs(second.test_accuracy - before) < 0.01


def test_gradients_from_before_do_not_count(tmp_path):
    def run(spoil):
        paddle.seed(1)
        model = Own((8, 8))
        if spoil:
            (1e3 * model(paddle.ones([2, 1, 8, 8])).sum()).backward()
        return weights(tiny(tmp_path, model=model, epochs=1).model)

    assert equal(run(spoil=True), run(spoil=False))


def test_frozen_parameters_stay(tmp_path):
    paddle.seed(0)
    model = build_model(load_recipe("vit_digits", embed_dim=8, depth=1, num_heads=2), DIGITS)
    model.patch_embedding.patch_embedding.weight.stop_gradient = True
    before = weights(model)
    after = weights(tiny(tmp_path, model=model, epochs=1).model)
    same = {name for name in before if np.array_equal(before[name], after[name])}
    assert same == {"patch_embedding.patch_embedding.weight"}


class Unfinished(VisionTransformer):
    def forward_head(self, x):
        raise NotImplementedError("TODO 1.9 VisionTransformer.forward_head")


class TwoOutputs(Own):
    def forward(self, image):
        return super().forward(image), None


class Empty(nn.Layer):
    def __init__(self, **_):
        super().__init__()


@pytest.mark.parametrize(
    "model,text",
    [
        (Unfinished, r"Unfinished fails on images \[2, 1, 8, 8\]: NotImplementedError: TODO 1.9 VisionTransformer.f"),
        (nn.Linear(8, 9), r"Linear must map images \[2, 1, 8, 8\] to logits \[2, 10\], not \[2, 1, 8, 9\]"),
        (nn.Linear(7, 10), r"Linear fails on images \[2, 1, 8, 8\]: ValueError: "),
        (TwoOutputs, r"TwoOutputs must map images \[2, 1, 8, 8\] to logits \[2, 10\], not tuple"),
        (Empty, "Empty has no parameters to train"),
        (nn.Linear, "Linear cannot be built: TypeError: .*image_size"),
        (VisionTransformer(image_size=16, patch_size=4, num_classes=10, depth=1), r"expected images of shape"),
        ("vit", r"model must be a paddle.nn.Layer or a class of them, not 'vit'"),
        (dict, r"model must be a paddle.nn.Layer or a class of them, not <class 'dict'>"),
    ],
)
def test_models_that_do_not_fit_are_refused_before_data_is_read(tmp_path, monkeypatch, model, text):
    monkeypatch.setitem(DATA, "digits", DIGITS._replace(load=lambda: pytest.fail("the data were read")))
    with pytest.raises(paddle_vit.training.RecipeError, match=text) as error:
        tiny(tmp_path / "run", model=model)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "changes,text",
    [
        (dict(epoch=3), "did you mean epochs"),
        (dict(epochs=0), "epochs must be at least 1"),
        (dict(pool="max"), "VisionTransformer cannot be built: ValueError: pool='max' is not one of"),
        (dict(num_heads=3), "embed_dim=8 cannot be split into num_heads=3"),
        (dict(patch_size=3), "patches of 3x3 pixels do not tile an image of 8x8"),
    ],
)
def test_settings_are_refused_before_data_is_read(tmp_path, monkeypatch, changes, text):
    monkeypatch.setitem(DATA, "digits", DIGITS._replace(load=lambda: pytest.fail("the data were read")))
    with pytest.raises(paddle_vit.training.RecipeError, match=text):
        tiny(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


# -- the step's settings ------------------------------------------------------------------------------------------------


def test_a_batch_in_parts_trains_like_the_whole(tmp_path, monkeypatch):
    """1,297 images in batches of 128 leave 17 for the last one: parts of 6, 6 and 5."""
    whole = tiny(tmp_path, epochs=1)
    calls = []
    step = engine.train_step

    def counted(model, images, *args, share, update, **named):
        calls.append((len(images), share, update))
        return step(model, images, *args, share=share, update=update, **named)

    monkeypatch.setattr(engine, "train_step", counted)
    parted = tiny(tmp_path, epochs=1, accumulate=3)
    assert calls[:3] == [(43, 43 / 128, False), (43, 43 / 128, False), (42, 42 / 128, True)]
    assert [(count, update) for count, _, update in calls[-3:]] == [(6, False), (6, False), (5, True)]
    assert len(calls) == 33
    for key in ("loss", "train_accuracy", "test_accuracy", "step"):
        assert parted.history[0][key] == pytest.approx(whole.history[0][key], rel=1e-3, abs=2e-3)


def test_more_parts_than_images_are_as_many_as_there_are(tmp_path, monkeypatch):
    shares = []
    step = engine.train_step
    monkeypatch.setattr(engine, "train_step", lambda *a, **n: shares.append(n["share"]) or step(*a, **n))
    tiny(tmp_path, epochs=1, batch_size=4, accumulate=9, train_images=6)
    assert shares == [0.25] * 4 + [0.5] * 2


def test_gradients_are_clipped_by_the_recipe(tmp_path, monkeypatch):
    longest = []
    step = engine.train_step
    monkeypatch.setattr(engine, "train_step", lambda *a, **n: longest.append(n["max_norm"]) or step(*a, **n))
    free, clipped = (tiny(tmp_path, epochs=1, clip=clip, train_images=200) for clip in (0.0, 1e-3))
    assert longest == [math.inf] * 2 + [1e-3] * 2
    assert not equal(weights(free.model), weights(clipped.model))


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_mixed_precision_changes_nothing_on_a_cpu_and_says_so(tmp_path, capsys, precision):
    options = dict(TINY, epochs=1, train_images=200)
    plain = tiny(tmp_path / "a", **options)
    mixed = train("vit_digits", out=tmp_path / "b", precision=precision, **options)
    assert equal(weights(plain.model), weights(mixed.model))
    assert f"precision={precision}: on a CPU everything is computed in float32" in capsys.readouterr().out


def test_the_history_counts_the_five_best(tmp_path):
    row = tiny(tmp_path, epochs=1).history[-1]
    assert row["test_accuracy"] < row["test_top5"] <= 1
    assert "test_top5" not in tiny(tmp_path, epochs=1, data="digits_0_to_4").history[-1], "five classes: always 1"


# -- the optimizer and the count of right answers ---------------------------------------------------------------------


def test_weight_decay_acts_where_it_should():
    """With zero gradients AdamW moves a parameter by its decay alone."""
    recipe = load_recipe("vit_digits", embed_dim=8, depth=1, num_heads=2, learning_rate=0.1, weight_decay=0.5)
    paddle.seed(0)
    model = build_model(recipe, DIGITS)
    for parameter in model.parameters():
        parameter.set_value(paddle.ones_like(parameter))
    optimizer = make_optimizer(recipe, model)
    (0.0 * sum(parameter.sum() for parameter in model.parameters())).backward()
    optimizer.step()
    for name, value in weights(model).items():
        matrix = value.ndim > 1 and "token" not in name and "position" not in name
        assert np.allclose(value, 0.95 if matrix else 1.0, atol=1e-6), name


def test_evaluate_against_counting():
    paddle.seed(0)
    model, split = Own((8, 8)), load_digits()[1]
    right = (model(paddle.to_tensor(split.images)).numpy().argmax(axis=1) == split.labels).mean()
    for batch_size in (1, 7, 256, 5000):
        assert evaluate(model, split, batch_size) == pytest.approx(right, abs=1e-12)


# -- ends that were not planned ---------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_names_step_and_learning_rate(tmp_path):
    with pytest.raises(
        FloatingPointError, match=r"the loss is (nan|inf) at step \d+ \(epoch 1\), learning rate (1e\+37|9.9e\+36)"
    ):
        tiny(tmp_path, learning_rate=1e37, warmup=0)


def test_interrupted_in_the_second_epoch(tmp_path, monkeypatch):
    steps = iter(range(15))

    def interrupted(*args, **named):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return step(*args, **named)

    step = engine.train_step
    monkeypatch.setattr(engine, "train_step", interrupted)
    (tmp_path / "weights.safetensors").write_bytes(b"of an earlier run")
    with pytest.raises(KeyboardInterrupt) as stopped:
        train("vit_digits", out=tmp_path, quiet=True, **TINY)
    message = f"stopped after 1 of 2 epochs: what was measured is in {tmp_path}"
    assert str(stopped.value) == message and stopped.value._render_traceback_() == [message]
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1]
    assert (tmp_path / "weights.safetensors").stat().st_size > 1000 and (tmp_path / "learning_curve.png").exists()


def test_files_of_an_earlier_run_do_not_stay(tmp_path):
    for name in ("weights.safetensors", "learning_curve.png"):
        (tmp_path / name).write_bytes(b"of an earlier run")
    with pytest.raises(FloatingPointError):
        tiny(tmp_path, learning_rate=1e37, warmup=0)
    assert sorted(os.listdir(tmp_path)) == ["config.yaml", "log.txt", "metrics.jsonl"]


def test_plain_lines(tmp_path, capsys):
    train("vit_digits", out=tmp_path, **TINY)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for epoch, line in enumerate(lines, start=1):
        assert line.startswith(f"epoch {epoch}/2  loss ")
        assert all(word in line for word in ("train ", " images/s", "test ", " s left")) and "\x1b" not in line
    tiny(tmp_path)
    assert capsys.readouterr().out == "", "quiet means nothing"


# -- through the command ----------------------------------------------------------------------------------------------


def command(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "paddle_vit", "train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


SMALL = ["depth=1", "embed_dim=8", "num_heads=2"]


def test_one_epoch_through_the_command(tmp_path):
    run = command("vit_digits", *SMALL, "--out", tmp_path, "epochs=1")
    out, err = run.communicate(timeout=100)
    assert run.returncode == 0, err
    assert out.splitlines()[0].startswith("epoch 1/1  loss ")
    assert out.splitlines()[-1].startswith("test accuracy ") and str(tmp_path) in out
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["epoch"] == 1
    config = (tmp_path / "config.yaml").read_text()
    assert "epochs: 1\n" in config and "depth: 1\n" in config


def test_own_code_through_the_command(tmp_path):
    """A finished hand-in is trained, and it is the hand-in: what it does differently shows."""
    code = Path(paddle_vit.__file__).with_name("models") / "vit.py"
    text = code.read_text().replace("return self.head(x)  # B K", "return 0.0 * self.head(x)  # B K")
    (tmp_path / "vit.py").write_text(text)
    run = command("vit_digits", "epochs=1", *SMALL, "--code", tmp_path / "vit.py", "--out", tmp_path / "run")
    out, err = run.communicate(timeout=100)
    assert run.returncode == 0, err
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text())["loss"] == pytest.approx(math.log(10), abs=1e-4)


def test_unfinished_code_is_refused_by_name(tmp_path):
    code = Path(paddle_vit.__file__).with_name("models") / "vit.py"
    body = "x = self.dropout(F.gelu(self.fc1(x)))  # B T hidden\n        return self.dropout(self.fc2(x))  # B T C"
    assert body in code.read_text()
    (tmp_path / "vit.py").write_text(code.read_text().replace(body, 'raise NotImplementedError("TODO")'))
    run = command("vit_digits", "epochs=1", *SMALL, "--code", tmp_path / "vit.py", "--out", tmp_path / "run")
    out, err = run.communicate(timeout=100)
    assert run.returncode == 2
    assert "Mlp.forward" in err and err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_ctrl_c_through_the_command(tmp_path):
    def listen():  # what a shell starts in the background has Ctrl-C switched off, and its children too
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    run = command("vit_digits", "epochs=10000", *SMALL, "evaluate_every=1", "--out", tmp_path, preexec_fn=listen)
    try:
        for line in run.stdout:  # the first epoch is over
            if line.startswith("epoch     1/10000"):
                break
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 130
    assert "Traceback" not in err and "Traceback" not in out
    assert out.splitlines()[-1].startswith("stopped after ")
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) >= 1


@pytest.mark.parametrize(
    "arguments,text",
    [
        (["vit_digit"], "no recipe is called 'vit_digit': did you mean vit_digits"),
        (["vit_digits", "epoch=3"], "did you mean epochs"),
        (["vit_digits", "epochs=many"], "epochs must be a whole number (int), not 'many'"),
        (["vit_digits", "epochs"], "'epochs' is not of the form key=value"),
        (["nowhere.yaml"], "nowhere.yaml cannot be read"),
    ],
)
def test_bad_input_to_the_command_is_one_line_and_status_2(arguments, text):
    run = command(*arguments)
    out, err = run.communicate(timeout=100)
    assert run.returncode == 2
    assert text in err and err.count("\n") == 1 and out == ""


# -- the promise of the recipe ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_three_seeds_reach_97_percent(tmp_path):
    accuracies = [train("vit_digits", seed=seed, out=tmp_path, quiet=True).test_accuracy for seed in (0, 1, 2)]
    assert np.mean(accuracies) >= 0.97, accuracies
