"""The recipes that come with the package: documented, complete, and those of the papers with the papers' numbers."""

import dataclasses
import inspect
import re
import sys

import pytest

from paddle_vit import models
from paddle_vit.runtime import PaddleMissing
from paddle_vit.training import list_recipes, load_recipe
from paddle_vit.training.config import dump_recipe
from paddle_vit.training.datasets import list_data
from paddle_vit.training.recipes import RECIPES
from paddle_vit.training.recipes_imagenet import DEIT_SETTINGS

# Recipe -> published model, its parameters: in millions as the papers' tables have them, and exactly
IMAGENET = {
    "deit_tiny_imagenet": ("deit_tiny_patch16_224", 5.7, 5_717_416),
    "deit_small_imagenet": ("deit_small_patch16_224", 22, 22_050_664),
    "deit_base_imagenet": ("deit_base_patch16_224", 86, 86_567_656),
    "deit_tiny_distilled_imagenet": ("deit_tiny_distilled_patch16_224", 6, 5_910_800),
    "deit_small_distilled_imagenet": ("deit_small_distilled_patch16_224", 22, 22_436_432),
    "deit_base_distilled_imagenet": ("deit_base_distilled_patch16_224", 87, 87_338_192),
    "regnety_160_imagenet": ("regnety_160", 84, 83_590_140),
    "swin_tiny_imagenet": ("swin_tiny_patch4_window7_224", 28, 28_288_354),
    "swin_small_imagenet": ("swin_small_patch4_window7_224", 50, 49_606_258),
    "swin_base_imagenet": ("swin_base_patch4_window7_224", 88, 87_768_224),
    "vit_base_imagenet_384": ("vit_base_patch16_384", 86, 86_859_496),
}


def arguments_of(recipe):
    return {**recipe.model_arguments, "image_size": recipe.image_size}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_documents_itself(name):
    recipe, text = RECIPES[name](), RECIPES[name].__doc__
    assert recipe.name == name
    for word in ("Paper: .*arXiv:", "Hardware: ", "Expected accuracy: ", f"Command: paddle-vit train {name}"):
        assert re.search(word, text), f"the docstring of {name} does not give {word}"
    if recipe.data != "digits" and not recipe.data.startswith("digits_"):
        assert "not measured here" in text, "its data are not here: say so"
        assert "data_path=" in text, "its data have to be given"
    own = {field.name for field in dataclasses.fields(recipe)}
    assert not own & set(recipe.model_arguments), "settings are found by name alone"


def test_names_and_their_order():
    assert list_recipes() == list(RECIPES)
    assert list_recipes()[:2] == ["vit_digits", "deit_digits"]
    assert set(IMAGENET) == {name for name in RECIPES if "imagenet" in name}, "IMAGENET above lists all of them"


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_recipe_names_is_there(name):
    recipe = load_recipe(name)
    accepted = set(inspect.signature(getattr(models, recipe.model_class)).parameters)
    assert set(recipe.model_arguments) <= accepted - {"image_size", "in_channels", "num_classes"}
    assert recipe.data in list_data()
    if recipe.distillation != "none":
        teacher = load_recipe(recipe.teacher)
        assert (teacher.data, teacher.normalize, teacher.image_size) == (
            recipe.data,
            recipe.normalize,
            recipe.image_size,
        ), "the teacher sees its student's images"
        assert teacher.distillation == "none"


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_goes_to_yaml_and_back(name, tmp_path):
    for changes in ({}, dict(epochs=7, learning_rate=3.3e-7, warmup=1 / 3, data_path="/数据/a: b #1", seed=2**40)):
        recipe = load_recipe(name, **changes)
        (tmp_path / "config.yaml").write_text(dump_recipe(recipe))
        assert load_recipe(tmp_path / "config.yaml") == recipe


@pytest.mark.parametrize("name", IMAGENET)
def test_models_are_the_published_ones(name):
    """So that the counts of parameters that are tested for the published models hold for the recipes."""
    model_class, published = models._MODELS[IMAGENET[name][0]]
    recipe = load_recipe(name)
    assert recipe.model_class == model_class.__name__
    assert arguments_of(recipe).items() >= published.items()
    defaults = {key: one.default for key, one in inspect.signature(model_class).parameters.items()}
    for key in recipe.model_arguments.keys() - published.keys() - {"droppath"}:
        assert recipe.model_arguments[key] == defaults[key]


@pytest.mark.parametrize(
    "name",
    [name if IMAGENET[name][1] < 30 else pytest.param(name, marks=pytest.mark.slow) for name in IMAGENET],
)
def test_parameter_counts_are_the_papers(name):
    _, millions, exact = IMAGENET[name]
    recipe = load_recipe(name)
    model = getattr(models, recipe.model_class)(**arguments_of(recipe))
    trained = [parameter for parameter in model.parameters() if not parameter.stop_gradient]
    count = sum(int(parameter.size) for parameter in trained)
    assert count == exact
    assert count / 1e6 == pytest.approx(millions, abs=0.06 if millions == 5.7 else 1)


@pytest.mark.parametrize("name", [name for name in IMAGENET if name.startswith("deit")])
def test_deit_trains_by_table_9(name):
    recipe = load_recipe(name)
    settings = {
        **{field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)},
        **recipe.model_arguments,
    }
    assert settings.items() >= DEIT_SETTINGS.items()
    distilled = "distilled" in name
    assert (recipe.distillation, recipe.teacher) == (("hard", "regnety_160_imagenet") if distilled else ("none", ""))
    assert recipe.lesson == ("deit" if distilled else "vit")


@pytest.mark.parametrize("size,droppath", [("tiny", 0.2), ("small", 0.3), ("base", 0.5)])
def test_swin_trains_by_its_appendix(size, droppath):
    """Liu et al., ICCV 2021, section 4.1 and appendix A2.1; clipping and the least rate from the authors' config.py."""
    recipe = load_recipe(f"swin_{size}_imagenet")
    assert (recipe.epochs, recipe.batch_size, recipe.weight_decay, recipe.clip) == (300, 1024, 0.05, 5.0)
    assert recipe.warmup * recipe.epochs == pytest.approx(20)
    assert recipe.learning_rate * recipe.batch_size / recipe.scale_from == pytest.approx(1e-3)
    assert recipe.minimum_learning_rate == pytest.approx(5e-6 * 1024 / 512)
    assert (recipe.rand_augment, recipe.magnitude, recipe.erasing, recipe.label_smoothing) == (2, 9.0, 0.25, 0.1)
    assert (recipe.mixup, recipe.cutmix, recipe.repeats, recipe.ema) == (0.8, 1.0, 1, 0.0)
    assert recipe.model_arguments["droppath"] == droppath


def test_fine_tuning_at_384_is_that_of_deits_authors():
    """Their README: --input-size 384 --lr 5e-6 --weight-decay 1e-8 --epochs 30 --min-lr 5e-6, 32 images on 16 GPUs."""
    recipe = load_recipe("vit_base_imagenet_384")
    assert (recipe.image_size, recipe.epochs, recipe.batch_size, recipe.weight_decay) == (384, 30, 512, 1e-8)
    assert recipe.learning_rate * recipe.batch_size / recipe.scale_from == recipe.minimum_learning_rate == 5e-6


@pytest.mark.parametrize("name", [*IMAGENET, "vit_cifar10", "deit_cifar10", "regnet_cifar10", "swin_cifar10"])
def test_photographs_are_cropped_and_flipped(name):
    recipe = load_recipe(name)
    assert recipe.flip == 0.5
    imagenet = ("folder", "imagenet", "resized")
    assert (recipe.data, recipe.normalize, recipe.crop) == (
        imagenet if name in IMAGENET else ("cifar10", "half", "padded")
    )


def test_without_paddle_a_published_model_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "paddle", None)
    assert load_recipe("vit_digits").epochs == 60
    with pytest.raises(PaddleMissing, match="pip install"):
        load_recipe("swin_tiny_imagenet")
