"""Distillation in a run: teachers are found, asked about the same images, never trained, and refused where they do not fit."""

import json

import numpy as np
import paddle
import paddle.nn as nn
import pytest

from paddle_vit.models import DeiT, VisionTransformer, create_model
from paddle_vit.training import Distillation, RecipeError, engine, load_recipe, save_weights
from paddle_vit.training import recipe as parts
from paddle_vit.training.data import DATA, load_enlarged_digits
from paddle_vit.training.engine import train
from paddle_vit.training.recipes_imagenet import DEIT_SETTINGS
from paddle_vit.training.teacher import from_vision

SMALL = dict(epochs=1, batch_size=64, embed_dim=8, depth=1, num_heads=2, train_images=128)


def run(out, recipe="deit_digits", model=None, **changes):
    return train(recipe, model, out=out, quiet=True, **{**SMALL, **changes})


def teacher(num_classes=10, in_channels=1):
    paddle.seed(3)
    return create_model("regnety_digits", in_channels=in_channels, num_classes=num_classes)


def weights(model):
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


class Watched(nn.Layer):
    """A teacher that keeps what it is asked, and in which state."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 10)
        self.seen = []

    def forward(self, images):
        self.seen.append((images.numpy(), self.training, paddle.is_grad_enabled()))
        return self.linear(images.flatten(1))


# Paddle says so in every training forward of a BatchNorm; the package's own processes do not show it
pytestmark = pytest.mark.filterwarnings("ignore:When training, we now always track")


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_the_teacher_sees_what_the_student_sees_and_is_not_trained(tmp_path, monkeypatch, kind):
    watched, images = Watched(), []
    before = weights(watched)

    def spy(model, batch, *rest, **named):
        images.append(batch.numpy())
        return step(model, batch, *rest, **named)

    step = engine.train_step
    monkeypatch.setattr(engine, "train_step", spy)
    mixing = dict(mixup=0.8, cutmix=1.0, rand_augment=2, erasing=0.5)
    run(tmp_path, teacher=watched, distillation=kind, **mixing)
    asked = watched.seen[1:]  # after the trial
    assert len(asked) == len(images) == 2
    for (seen, training, gradient), batch in zip(asked, images, strict=True):
        assert np.array_equal(seen, batch)
        assert not training and not gradient
    after = weights(watched)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_the_loss_is_that_of_the_recipe():
    one, other = teacher(), Watched()
    images = paddle.to_tensor(np.random.default_rng(0).uniform(-1, 1, [3, 1, 8, 8]).astype("float32"))
    outputs = paddle.randn([3, 10]), paddle.randn([3, 10])
    targets = paddle.nn.functional.softmax(paddle.randn([3, 10]), axis=-1)
    distillation = Distillation([one, other], "soft", alpha=0.3, temperature=2.0)
    assert not one.training and not other.training
    mean = parts.average_teachers([one(images), other(images)])
    expected = parts.distilled_loss(outputs, targets, mean, "soft", 0.3, 2.0)
    assert distillation.criterion(images)(outputs, targets).item() == pytest.approx(expected.item(), rel=1e-6)


def test_a_teacher_is_trained_first_and_left_beside_the_student(tmp_path, monkeypatch):
    monkeypatch.setitem(DATA, "digits", DATA["digits"])
    recipe = load_recipe("regnet_digits", epochs=1)
    monkeypatch.setattr(
        "paddle_vit.training.teacher.load_recipe", lambda name, **changes: load_recipe(recipe, **changes)
    )
    result = run(tmp_path / "run", seed=5)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "best.safetensors",
        "config.yaml",
        "last.safetensors",
        "learning_curve.png",
        "log.txt",
        "metrics.jsonl",
        "teacher",
        "weights.safetensors",
    ]
    (row,) = (json.loads(line) for line in (tmp_path / "run" / "teacher" / "metrics.jsonl").read_text().splitlines())
    assert row["step"] == 4, "trained with the student's 128 images"
    config = (tmp_path / "run" / "teacher" / "config.yaml").read_text()
    assert "seed: 5" in config and "train_images: 128" in config and "recipe: regnet_digits" in config
    assert isinstance(result.model, DeiT)

    # from the file, without training: the same student
    again = run(tmp_path / "again", seed=5, teacher_weights=str(tmp_path / "run" / "teacher" / "weights.safetensors"))
    assert not (tmp_path / "again" / "teacher").exists()
    one, other = weights(result.model), weights(again.model)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_network_of_paddle_vision_from_a_file(tmp_path):
    network = paddle.vision.models.LeNet(num_classes=10)
    path = tmp_path / "teacher.safetensors"
    save_weights(network, path)
    loaded = from_vision("LeNet", 10, path)
    one, other = weights(network), weights(loaded)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    changes = dict(teacher="paddle.vision.models.LeNet", teacher_weights=str(path))
    with pytest.raises(RecipeError, match=r"the teacher LeNet fails on images \[2, 1, 8, 8\]"):  # it wants 28x28
        run(tmp_path, **changes)
    with pytest.raises(RecipeError, match="paddle.vision.models has no 'NoNet'"):
        run(tmp_path, **{**changes, "teacher": "paddle.vision.models.NoNet"})
    with pytest.raises(RecipeError, match="teacher_weights: .* does not fit the model"):
        run(tmp_path, **{**changes, "teacher": "paddle.vision.models.mobilenet_v1"})


def test_a_network_of_paddle_vision_teaches(tmp_path, monkeypatch):
    """From the setting to the trained student, on images as large as LeNet wants them."""
    large = DATA["digits"]._replace(image_size=(28, 28), load=lambda: load_enlarged_digits(28))
    monkeypatch.setitem(DATA, "digits", large)
    save_weights(paddle.vision.models.LeNet(num_classes=10), tmp_path / "teacher.safetensors")
    settings = dict(teacher="paddle.vision.models.LeNet", teacher_weights=str(tmp_path / "teacher.safetensors"))
    asked = []
    forward = paddle.vision.models.LeNet.forward
    monkeypatch.setattr(
        paddle.vision.models.LeNet, "forward", lambda self, x: asked.append(x.shape) or forward(self, x)
    )
    result = run(tmp_path, patch_size=7, train_images=100, batch_size=50, **settings)
    assert [list(shape) for shape in asked[1:]] == [[50, 1, 28, 28]] * 2, "after the trial, both batches"
    assert result.history[-1]["loss"] > 0


def test_several_teachers_are_all_asked(tmp_path):
    one, other = Watched(), Watched()
    run(tmp_path, teacher=[one, other])
    assert len(one.seen) == len(other.seen) == 3, "the trial and two batches"
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(one.seen, other.seen, strict=True))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (dict(temperature=0.0), r"temperature must be above 0, not 0\.0"),
        (dict(temperature=-1), r"temperature must be above 0, not -1\.0"),
        (dict(alpha=1.5), r"alpha must be from 0 to 1, not 1\.5"),
        (dict(alpha=-0.1), r"alpha must be from 0 to 1, not -0\.1"),
        (dict(distillation="medium"), "distillation must be none, soft or hard, not medium"),
        (dict(batch_size=1, mixup=0.8), "batch_size must be at least 2, not 1"),
        (dict(batch_size=1, cutmix=0.8), "batch_size must be at least 2, not 1"),
        (dict(mixup=-1), "mixup must be 0 or more, not -1"),
        (dict(magnitude=11), "magnitude must be from 0 to 10, not 11"),
        (dict(rand_augment=-1), "rand_augment must be 0 or more, not -1"),
        (dict(erasing=1.1), "erasing must be from 0 to 1, not 1.1"),
        (dict(ema=1.0), "ema must be from 0 to below 1, not 1.0"),
        (dict(repeats=0), "repeats must be at least 1, not 0"),
        (dict(label_smoothing=1.2), "label_smoothing must be from 0 to 1, not 1.2"),
        (dict(teacher="regnet_digit"), "no recipe is called 'regnet_digit'.*did you mean regnet_digits"),
        (dict(teacher=""), "distillation needs a teacher"),
        (dict(teacher="paddle.vision.models.resnet18"), "needs its weights: teacher_weights=FILE"),
        (dict(teacher_weights="nowhere.safetensors"), "teacher_weights: .*nowhere.safetensors"),
        (dict(train_images=1797), "train_images must be at most 1796"),
    ],
)
def test_settings_that_cannot_be_trained_are_refused(tmp_path, changes, text):
    with pytest.raises(RecipeError, match=text):
        run(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (lambda: teacher(num_classes=7), r"to logits \[2, 10\], not \[2, 7\]: it has to know the same 10 classes"),
        (lambda: teacher(in_channels=3), r"the teacher RegNet fails on images \[2, 1, 8, 8\]"),
        (lambda: 3, "teacher must be a paddle.nn.Layer or a list of them, not 3"),
        (lambda: [], "teacher must be a paddle.nn.Layer or a list of them"),
    ],
)
def test_teachers_that_do_not_fit_are_refused(tmp_path, given, text):
    with pytest.raises(RecipeError, match=text):
        run(tmp_path / "run", teacher=given())
    assert not (tmp_path / "run").exists()


def test_models_and_distillation_have_to_agree(tmp_path):
    with pytest.raises(RecipeError, match="distillation=hard needs a model that returns two logits in training"):
        run(tmp_path, model=VisionTransformer, teacher=teacher())
    with pytest.raises(RecipeError, match="DeiT returns two logits in training, the second for a teacher"):
        run(tmp_path, distillation="none")
    with pytest.raises(RecipeError, match="a teacher is given, but distillation is none"):
        run(tmp_path, model=VisionTransformer, distillation="none", teacher=teacher())


# -- the settings of the paper -------------------------------------------------------------------------------------------


def test_the_settings_are_those_of_the_papers_table():
    """Touvron et al., ICML 2021, arXiv:2012.12877, table 9, column DeiT-B: hyper-parameters of training from scratch.

    Not in the table, from the authors' code (facebookresearch/deit, main.py): the Beta parameters of mixup and cutmix,
    whose table entry is the probability, EMA and the least learning rate.
    """
    table = {
        "Epochs": (300, "epochs"),
        "Batch size": (1024, "batch_size"),
        "learning rate": (0.0005, "learning_rate"),
        "x batchsize /": (512, "scale_from"),
        "Weight decay": (0.05, "weight_decay"),
        "Warmup epochs": (5, "warmup"),
        "Label smoothing": (0.1, "label_smoothing"),
        "Dropout": (0.0, "dropout"),
        "Stoch. Depth": (0.1, "droppath"),
        "Repeated Aug": (3, "repeats"),
        "Rand Augment": (9, "magnitude"),
        "Mixup": (0.8, "mixup"),
        "Cutmix": (1.0, "cutmix"),
        "Erasing prob.": (0.25, "erasing"),
        "minimum learning rate": (1e-5, "minimum_learning_rate"),
        "EMA": (0.99996, "ema"),
        "operations of RandAugment": (2, "rand_augment"),
    }
    ours = {**DEIT_SETTINGS, "warmup": DEIT_SETTINGS["warmup"] * DEIT_SETTINGS["epochs"]}
    assert ours.keys() == {key for _, key in table.values()}, "there is no gradient clipping and nothing else"
    for row, (value, key) in table.items():
        assert ours[key] == pytest.approx(value, rel=1e-9), row
    recipe = load_recipe("deit_digits", **DEIT_SETTINGS)
    assert parts.scaled_learning_rate(recipe.learning_rate, recipe.batch_size, recipe.scale_from) == pytest.approx(1e-3)


def test_defaults_of_the_parts_are_the_papers():
    import inspect

    def default(function, name):
        return inspect.signature(function).parameters[name].default

    assert default(parts.smooth_labels, "smoothing") == 0.1
    assert (default(parts.mix, "mixup_alpha"), default(parts.mix, "cutmix_alpha")) == (0.8, 1.0)
    assert default(parts.mix, "switch") == 0.5
    assert default(parts.random_erasing, "probability") == 0.25
    assert default(parts.rand_augment, "num_operations") == 2
    assert (default(parts.rand_augment, "magnitude"), default(parts.rand_augment, "deviation")) == (9.0, 0.5)
    assert default(parts.ema_decay_at, "decay") == 0.99996
    assert default(parts.scaled_learning_rate, "base") == 512
    assert (default(parts.distilled_loss, "kind"), default(parts.distilled_loss, "alpha")) == ("hard", 0.5)


@pytest.mark.slow
def test_three_seeds_reach_97_percent(tmp_path):
    """As `paddle-vit train deit_digits` does it, teacher included.

    benchmarks/deit_digits.json holds 98.3 %; the bound leaves room for chance, which differs between processors.
    """
    accuracies = [train("deit_digits", seed=seed, out=tmp_path, quiet=True).test_accuracy for seed in (0, 1, 2)]
    assert sum(accuracies) / 3 >= 0.97, accuracies
