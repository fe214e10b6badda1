"""train --show: everything that a recipe decides, as a YAML file, and what follows from it; nothing is done."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import paddle
import pytest
import yaml

from paddle_vit import commands
from paddle_vit.models import DeiT
from paddle_vit.training import RecipeError, list_recipes, load_recipe, train
from paddle_vit.training.show import curve, show

PACKAGE = Path(commands.__file__).parents[1]
SMALL = dict(depth=1, embed_dim=16, num_heads=2)


class Stand(paddle.nn.Layer):
    """In the place of a large model."""

    def __init__(self, in_channels, num_classes, **others):
        super().__init__()
        self.head = paddle.nn.Linear(in_channels, num_classes)

    def forward(self, images):
        return self.head(images.mean(axis=[2, 3]))


def remarks(text):
    return [line[2:] for line in text.splitlines() if line.startswith("#")]


@pytest.fixture
def empty(tmp_path, monkeypatch):
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert not list(folder.iterdir()), "--show writes nothing"


@pytest.fixture
def one_epoch(tmp_path):
    """A file with the output for a small run."""
    (tmp_path / "shown.yaml").write_text(show(load_recipe("vit_digits", epochs=2, train_images=70, **SMALL)))
    return tmp_path / "shown.yaml"


def test_the_whole_output(empty):
    recipe = load_recipe("vit_digits", epochs=10, warmup=0.2, minimum_learning_rate=1e-5, learning_rate=1e-3, **SMALL)
    text = show(recipe)
    head, *_ = text.partition("#")
    assert head.startswith("recipe: vit_digits\ndata: digits\nepochs: 10\n")
    # patches 2*2*16 + 16, class token and positions 16 + 17*16, layer 2*32 + 16*48 + 48 + 16*16 + 16 + 16*32 + 32 +
    # 32*16 + 16, norm 32, head 16*10 + 10: 2,794. Products: 16 patches 4*16; 17 tokens (16*48 + 16*16 + 2*16*32), two of
    # 17*17*16; 16*10
    pairs = 16 * 4 * 16 + 17 * (16 * 48 + 16 * 16 + 2 * 16 * 32) + 2 * 17 * 17 * 16 + 16 * 10
    assert remarks(text)[:17] == [
        "1,297 images to train with (counted), in batches of 32",
        "41 steps an epoch, 410 in all",
        "VisionTransformer: images [1, 8, 8] to 10 classes, 2,794 parameters",
        f"{2 * pairs / 1e6:.2f} MFLOPs for a forward pass of one image, a multiplication and its addition counted as two",
        "",
        "learning rate, at most 0.001",
        "  0 %  0",
        " 10 %  0.0005",
        " 20 %  0.001",
        " 30 %  0.000962",
        " 40 %  0.000855",
        " 50 %  0.000694",
        " 60 %  0.000505",
        " 70 %  0.000316",
        " 80 %  0.000155",
        " 90 %  4.77e-05",
        "100 %  1e-05",
    ]
    assert len(remarks(text)) == 17 + 1 + 6


@pytest.mark.parametrize("name", list_recipes())
def test_the_output_is_a_recipe_file(name, empty, tmp_path):
    for recipe in (load_recipe(name), load_recipe(name, batch_size=100, learning_rate=1.5e-7, mixup=0.3)):
        (tmp_path / "shown.yaml").write_text(show(recipe, Stand), encoding="utf-8")
        assert load_recipe(tmp_path / "shown.yaml") == recipe


def test_it_trains_as_it_says(one_epoch, tmp_path):
    result = train(one_epoch, out=tmp_path / "out", quiet=True)
    assert f"3 steps an epoch, {result.history[-1]['step']} in all" in remarks(one_epoch.read_text())
    assert result.history[-1]["step"] == 6


@pytest.mark.parametrize(
    "name,changes,first,images,classes",
    [
        ("digits", {}, "1,297 images to train with (counted)", [1, 8, 8], 10),
        ("digits_0_to_4", {}, "images to train with (counted)", [1, 8, 8], 5),
        ("digits", dict(train_images=300), "300 images to train with (train_images)", [1, 8, 8], 10),
        ("mnist", {}, "60,000 images to train with (as published, since no data_path is given)", [1, 28, 28], 10),
        ("fashion_mnist", {}, "60,000 images", [1, 28, 28], 10),
        ("cifar10", {}, "50,000 images", [3, 32, 32], 10),
        ("cifar10", dict(data_path="somewhere"), "50,000 images to train with (as published)", [3, 32, 32], 10),
        ("cifar100", {}, "50,000 images", [3, 32, 32], 100),
        ("flowers102", {}, "2,040 images", [3, 224, 224], 102),
        ("flowers102", dict(image_size=96), "2,040 images", [3, 96, 96], 102),
        (
            "folder",
            {},
            "1,281,167 images to train with (ImageNet-1k, since no data_path is given)",
            [3, 224, 224],
            1000,
        ),
        ("folder", dict(image_size=64), "1,281,167 images", [3, 64, 64], 1000),
    ],
)
def test_data_that_need_not_be_there(empty, name, changes, first, images, classes):
    lines = remarks(show(load_recipe("vit_digits", data=name, **changes), Stand))
    assert first in lines[0]
    assert lines[2].startswith(f"Stand: images {images} to {classes:,} classes")


def test_a_folder_of_images_is_listed_and_not_opened(empty, tmp_path):
    for number in range(15):
        file = tmp_path / "images" / f"class {number % 3}" / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"no image")
    recipe = load_recipe("vit_digits", data="folder", data_path=str(tmp_path / "images"), batch_size=5, epochs=2)
    lines = remarks(show(recipe, Stand))
    assert lines[0].startswith("12 images to train with (counted), in batches of 5")
    assert lines[1:3] == ["3 steps an epoch, 6 in all", "Stand: images [3, 224, 224] to 3 classes, 12 parameters"]


def test_the_rate_is_scaled_to_the_batch():
    for batch_size, peak in ((1024, "0.001"), (256, "0.00025")):
        lines = remarks(show(load_recipe("deit_tiny_imagenet", batch_size=batch_size), Stand))
        assert f"learning rate, at most {peak}" in lines


def test_the_curve():
    assert curve([0.0, 1.0, 0.5, 0.25, 1 / 48]) == [
        " █   ",
        " █   ",
        " █   ",
        " ██  ",
        " ██▄ ",
        " ███▁",
    ]
    rows = [line for line in remarks(show(load_recipe("vit_digits"), Stand)) if "█" in line]
    assert len(rows) == 6
    assert max(map(len, rows)) <= 60
    assert rows[-1].index("█") < 4, "the warm-up is a tenth of the run"


def test_a_teacher_is_mentioned(empty):
    lines = remarks(show(load_recipe("deit_digits"), DeiT))
    assert "not counted: the teacher, regnet_digits" in lines
    assert not [line for line in remarks(show(load_recipe("vit_digits"), Stand)) if "teacher" in line]


def test_the_command_prints_it_and_does_nothing(empty, capsys):
    small = [f"{key}={value}" for key, value in SMALL.items()]
    assert commands.run(["train", "vit_digits", "--show", "epochs=3", *small]) == 0
    shown = capsys.readouterr().out
    assert shown == show(load_recipe("vit_digits", epochs=3, **SMALL))
    assert yaml.safe_load(shown)["epochs"] == 3


def test_the_learners_own_code_is_shown(empty, tmp_path):
    shutil.copy(PACKAGE / "models" / "swin.py", tmp_path)
    shutil.copy(PACKAGE / "training" / "step.py", tmp_path)
    arguments = ["swin_digits", "--show", "--code", str(tmp_path / "swin.py"), str(tmp_path / "step.py")]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "paddle_vit", "train", *arguments], capture_output=True, env=environment, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert str(done.stdout, "utf-8").replace("\r\n", "\n") == show(load_recipe("swin_digits"))


@pytest.mark.parametrize(
    "arguments,says",
    [
        (["vit_digit"], "did you mean vit_digits?"),
        (["vit_digits", "epoch=3"], "did you mean epochs?"),
        (["vit_digits", "data=digit"], "did you mean digits?"),
        (
            ["vit_digits", "patch_size=3"],
            "VisionTransformer cannot be built for images [1, 8, 8]: ValueError: patches of 3x3",
        ),
        (["vit_digits", "data=folder", "data_path=nowhere"], "nowhere"),
        (["nowhere.yaml"], "nowhere.yaml cannot be read"),
    ],
)
def test_the_command_refuses_in_one_line(empty, capsys, arguments, says):
    assert commands.run(["train", *arguments, "--show"]) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""


def test_a_rate_of_ones_own_that_fails_is_an_error(monkeypatch):
    monkeypatch.setattr("paddle_vit.training.recipe.learning_rate_at", lambda *arguments: None)
    with pytest.raises(RecipeError, match="the learning rate cannot be computed"):
        show(load_recipe("vit_digits"), Stand)
