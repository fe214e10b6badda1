"""Recipes: every number that decides what a training run does. Checked before Paddle is loaded or data is read."""

import difflib
import math
import numbers
from dataclasses import dataclass, fields, replace
from pathlib import Path

import yaml


class RecipeError(ValueError):
    """A recipe, or a model given for it, that cannot be trained; the message says what to do."""


@dataclass(frozen=True)
class Recipe:
    """A training run.

    Its settings, which key=value, keyword arguments and YAML files can change, are the fields from data on together with
    the entries of model_arguments.

    Raises:
        RecipeError: a value of the wrong type, or one that makes no sense.
    """

    name: str
    lesson: str  # whose stubs hold the model
    model_class: str  # in paddle_vit.models, and in the learner's code
    model_arguments: dict  # of that class; sizes of images and number of classes come from the data
    data: str  # one of paddle_vit.training.DATA
    epochs: int
    batch_size: int  # images
    learning_rate: float  # the highest, at the end of the warm-up
    warmup: float  # share of the run in which the learning rate rises, from 0 to below 1
    weight_decay: float
    evaluate_every: int  # epochs between two looks at the test images; the last epoch is always looked at
    seed: int = 0
    train_images: int = 0  # train with only so many images, all others test; 0 for the data's own division
    minimum_learning_rate: float = 0.0  # at the end of the run
    scale_from: int = 0  # the batch size that learning_rate is meant for, scaled to batch_size; 0: it is not scaled
    label_smoothing: float = 0.0
    rand_augment: int = 0  # operations on each image, 0 for none
    magnitude: float = 9.0  # of these operations, from 0 to 10
    geometric: bool = False  # only operations that turn, shear and move the image
    erasing: float = 0.0  # probability of random erasing
    mixup: float = 0.0  # alpha of its Beta distribution, 0 for none
    cutmix: float = 0.0  # alpha of its Beta distribution, 0 for none
    repeats: int = 1  # copies of each image in an epoch, augmented differently
    accumulate: int = 1  # parts that a batch is cut into, whose gradients are added: the same result with less memory
    clip: float = 0.0  # longest norm of all gradients together, 0: they are not clipped
    precision: str = "float32"  # or "float16", "bfloat16": mixed precision on a GPU; on a CPU all is float32
    ema: float = 0.0  # decay of the averaged weights, which then are tested and kept; 0 for none
    distillation: str = "none"  # "none", "soft" or "hard"
    alpha: float = 0.5  # weight of the distillation in the loss
    temperature: float = 3.0  # of soft distillation
    teacher: str = ""  # a recipe, by which the teacher is trained first; or paddle.vision.models.NAME
    teacher_weights: str = ""  # a .safetensors file with the teacher's weights: then it is not trained

    def __post_init__(self):
        for field in fields(self):
            if field.name not in _FIXED:
                convert(field.name, getattr(self, field.name), field.type)
        for key, value in settings_of(self).items():
            check_range(key, value)
        check_distillation(self)
        if self.batch_size < 2 and (self.mixup or self.cutmix):
            raise RecipeError(f"mixup and cutmix mix two images: batch_size must be at least 2, not {self.batch_size}")


# Fields that say which run it is, and are not settings of it
_FIXED = ("name", "lesson", "model_class", "model_arguments")

# What a number has to be: the test, and its wording
_AT_LEAST_1 = (lambda x: x >= 1, "at least 1")
_ABOVE_0 = (lambda x: x > 0, "above 0")
_NOT_NEGATIVE = (lambda x: x >= 0, "0 or more")
_SHARE = (lambda x: 0 <= x < 1, "from 0 to below 1")
_WEIGHT = (lambda x: 0 <= x <= 1, "from 0 to 1")
_LIMITS = {
    **dict.fromkeys(("epochs", "batch_size", "evaluate_every", "accumulate"), _AT_LEAST_1),
    **dict.fromkeys(("patch_size", "embed_dim", "depth", "num_heads", "window_size"), _AT_LEAST_1),
    **dict.fromkeys(("repeats", "stem_width", "stem_stride", "group_width"), _AT_LEAST_1),
    **dict.fromkeys(("learning_rate", "mlp_ratio", "temperature", "se_ratio"), _ABOVE_0),
    **dict.fromkeys(("weight_decay", "seed", "train_images", "minimum_learning_rate", "scale_from"), _NOT_NEGATIVE),
    **dict.fromkeys(("mixup", "cutmix", "rand_augment", "clip"), _NOT_NEGATIVE),
    **dict.fromkeys(("warmup", "dropout", "attention_dropout", "droppath", "ema"), _SHARE),
    **dict.fromkeys(("label_smoothing", "erasing", "alpha"), _WEIGHT),
    "magnitude": (lambda x: 0 <= x <= 10, "from 0 to 10"),
    "distillation": (lambda x: x in ("none", "soft", "hard"), "none, soft or hard"),
    "precision": (lambda x: x in ("float32", "float16", "bfloat16"), "float32, float16 or bfloat16"),
}


# The model of vit_digits and deit_digits, as far as they agree
_SMALL = dict(
    patch_size=2, embed_dim=64, depth=4, num_heads=8, mlp_ratio=2.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0
)

# Digits turned, sheared and moved a little
_TURNED_DIGITS = dict(rand_augment=2, magnitude=2.0, geometric=True)


def vit_digits():
    """Small ViT on the built-in handwritten digits, 1,297 images of 8x8 to train with and 500 to test.

    Paper: Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, scaled down; no augmentation, no flips.
    Hardware: 2 CPU cores, 50 seconds.
    Expected accuracy: 98.20 % of the test images, mean of the seeds 0, 1, 2 (98.8, 97.4, 98.4), Paddle 3.3.1.
        Settings were chosen by cross-validation inside the training images, on an equivalent model in another
        framework (97.6 % there), never on the test images.
    Command: paddle-vit train vit_digits
    """
    return Recipe(
        name="vit_digits",
        lesson="vit",
        model_class="VisionTransformer",
        model_arguments=dict(**_SMALL, droppath=0.2, pool="class", position="learned"),
        data="digits",
        epochs=60,
        batch_size=32,
        learning_rate=5e-4,
        warmup=0.1,
        weight_decay=0.05,
        evaluate_every=5,
    )


def deit_digits():
    """Small DeiT on the digits, with a teacher that is trained first.

    Paper: Touvron et al., ICML 2021, arXiv:2012.12877, scaled down. Of its recipe what suits 8x8 pixels; what each
        part adds or costs: benchmarks/deit_digits.py. No flips.
    Hardware: 2 CPU cores, 120 to 190 seconds beside other work, teacher included.
    Expected accuracy: 98.33 % of the test images, mean of the seeds 0, 1, 2 (98.2, 98.2, 98.6), Paddle 3.3.1.
    Command: paddle-vit train deit_digits
    """
    return Recipe(
        name="deit_digits",
        lesson="deit",
        model_class="DeiT",
        model_arguments=dict(**_SMALL, droppath=0.1),
        data="digits",
        epochs=80,
        batch_size=32,
        learning_rate=1e-3,
        warmup=0.1,
        weight_decay=0.05,
        evaluate_every=5,
        **_TURNED_DIGITS,
        mixup=0.8,
        cutmix=1.0,
        ema=0.99,
        distillation="hard",
        alpha=0.5,
        teacher="regnet_digits",
    )


def regnet_digits():
    """Tiny RegNetY on the digits: the teacher of deit_digits, a network of convolutions.

    Paper: Radosavovic et al., CVPR 2020, arXiv:2003.13678, scaled down; augmented and mixed as its student's images are.
    Hardware: 2 CPU cores, 20 seconds.
    Expected accuracy: 99.00 % of the test images, mean of the seeds 0, 1, 2 (99.4, 99.0, 98.6), Paddle 3.3.1.
    Command: paddle-vit train regnet_digits
    """
    return Recipe(
        name="regnet_digits",
        lesson="deit",
        model_class="RegNet",
        model_arguments=dict(stem_width=16, stem_stride=1, widths=(32, 64), depths=(1, 2), group_width=8),
        data="digits",
        epochs=30,
        batch_size=32,
        learning_rate=2e-3,
        warmup=0.1,
        weight_decay=0.05,
        evaluate_every=5,
        **_TURNED_DIGITS,
        mixup=0.8,
        cutmix=1.0,
    )


def swin_digits():
    """Small Swin on the digits enlarged to 32x32 pixels: two stages, windows of 4x4 tokens.

    Paper: Liu et al., ICCV 2021, arXiv:2103.14030, scaled down, with absolute positions and augmentation beside the
        relative ones; what each part adds or costs: benchmarks/swin_digits.py. No flips.
    Hardware: 2 CPU cores, 160 to 170 seconds beside other work.
    Expected accuracy: 98.80 % of the test images, mean of the seeds 0, 1, 2 (98.6, 98.8, 99.0), Paddle 3.3.1.
    Command: paddle-vit train swin_digits
    """
    return Recipe(
        name="swin_digits",
        lesson="swin",
        model_class="SwinTransformer",
        model_arguments=dict(
            patch_size=4,
            embed_dim=32,
            depths=(2, 2),
            num_heads=(2, 4),
            window_size=4,
            mlp_ratio=2.0,
            qkv_bias=True,
            dropout=0.0,
            attention_dropout=0.0,
            droppath=0.1,
            absolute_position=True,
        ),
        data="digits_32x32",
        epochs=60,
        batch_size=32,
        learning_rate=2e-3,
        warmup=0.1,
        weight_decay=0.05,
        evaluate_every=5,
        **_TURNED_DIGITS,
        clip=5.0,
    )


# Table 9 of the DeiT paper (Touvron et al., ICML 2021, arXiv:2012.12877), column DeiT-B. Beta parameters of mixup and
# cutmix, decay and least learning rate as in the authors' code. Gradients are not clipped, there is no dropout.
DEIT_SETTINGS = dict(
    epochs=300,
    batch_size=1024,
    learning_rate=5e-4,
    scale_from=512,
    minimum_learning_rate=1e-5,
    warmup=5 / 300,
    weight_decay=0.05,
    label_smoothing=0.1,
    rand_augment=2,
    magnitude=9.0,
    erasing=0.25,
    mixup=0.8,
    cutmix=1.0,
    repeats=3,
    ema=0.99996,
    dropout=0.0,
    droppath=0.1,
)


RECIPES = {recipe.__name__: recipe for recipe in (vit_digits, deit_digits, regnet_digits, swin_digits)}


def list_recipes():
    """Names of the recipes that come with the package."""
    return list(RECIPES)


def load_recipe(source, /, **changes):
    """Find a recipe and change settings of it.

    Args:
        source: a name from list_recipes(); a YAML file, which names its base in the entry "recipe" and gives the
            settings that differ from it, such as the config.yaml of an earlier run; or a Recipe.
        changes: settings by name, "depth=2" as well as "epochs=3". They win over the file's.

    Returns:
        Recipe

    Raises:
        RecipeError: an unknown recipe or setting (the message names the nearest), a value of the wrong type or out of
            range, a file that cannot be read.
    """
    if isinstance(source, Recipe):
        return change(source, changes)
    text = str(source)
    if text in RECIPES:
        return change(RECIPES[text](), changes)
    if not text.endswith((".yaml", ".yml")):
        raise RecipeError(f"no recipe is called {text!r}: {nearest(text, RECIPES)}, or give a .yaml file")
    entries = read_yaml(text)
    base = str(entries.pop("recipe", None))
    if base not in RECIPES:
        raise RecipeError(f"{text}: the entry 'recipe' must name the base recipe: {nearest(base, RECIPES)}")
    return change(change(RECIPES[base](), entries), changes)


def read_yaml(path):
    """The mapping in a YAML file.

    Raises:
        RecipeError: there is no such file, or it holds something else.
    """
    try:
        entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(entries, dict):
        raise RecipeError(f"{path} must hold lines of the form 'key: value'")
    return entries


def parse_changes(texts):
    """["epochs=3", "position=none"] to {"epochs": 3, "position": "none"}, values read as YAML reads them.

    Raises:
        RecipeError: a text without an equals sign, or a value that YAML cannot read.
    """
    changes = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise RecipeError(f"{text!r} is not of the form key=value")
        try:
            changes[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise RecipeError(f"{text!r}: the value cannot be read") from error
    return changes


def settings_of(recipe):
    """All settings of a recipe with their values, in the order in which it declares them."""
    own = {field.name: getattr(recipe, field.name) for field in fields(recipe) if field.name not in _FIXED}
    return {**own, **recipe.model_arguments}


def change(recipe, changes):
    """The recipe with some settings changed.

    Raises:
        RecipeError: an unknown setting, a wrong type, a value that makes no sense.
    """
    settings = settings_of(recipe)
    own, model = {}, dict(recipe.model_arguments)
    for key, value in changes.items():
        if key not in settings:
            raise RecipeError(f"{recipe.name} has no setting {key!r}: {nearest(str(key), settings)}")
        (model if key in model else own)[key] = convert(key, value, type(settings[key]))
    return replace(recipe, model_arguments=model, **own)


def convert(key, value, expected):
    """value as an expected int, float, bool or str. A whole number will do for a float; nothing else is bent.

    Raises:
        RecipeError: value is of another type.
    """
    if expected is float and isinstance(value, str):
        try:  # YAML 1.1 takes 1e-3 for a text: it wants the dot of 1.0e-3
            value = float(value)
        except ValueError:
            pass
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if expected is float and is_number:
        return float(value)
    if expected is int and is_number and isinstance(value, numbers.Integral):
        return int(value)
    if expected in (bool, str) and isinstance(value, expected):
        return value
    if expected is tuple and isinstance(value, (list, tuple)) and all(type(one) is int and one > 0 for one in value):
        return tuple(value)
    raise RecipeError(f"{key} must be {_TYPES[expected]}, not {value!r}")


_TYPES = {
    int: "a whole number (int)",
    float: "a number (float)",
    bool: "true or false (bool)",
    str: "a text (str)",
    tuple: "a list of whole numbers above 0",
}


def check_range(key, value):
    """Raise a RecipeError if a number makes no sense for this setting."""
    if isinstance(value, float) and not math.isfinite(value):
        raise RecipeError(f"{key} must be a finite number, not {value}")
    allowed, wording = _LIMITS.get(key, (lambda _: True, ""))
    if not all(map(allowed, value if isinstance(value, tuple) else [value])):
        raise RecipeError(f"{key} must be {wording}, not {value}")


def check_distillation(recipe):
    """Raise a RecipeError if a recipe distils without a teacher that can be had."""
    if recipe.distillation == "none":
        return
    if recipe.teacher.startswith("paddle.vision.models."):
        if not recipe.teacher_weights:
            raise RecipeError(f"teacher {recipe.teacher} needs its weights: teacher_weights=FILE.safetensors")
    elif recipe.teacher and recipe.teacher not in RECIPES:
        raise RecipeError(
            f"no recipe is called {recipe.teacher!r}, to train the teacher: {nearest(recipe.teacher, RECIPES)}"
        )


def nearest(name, names):
    """Advice for a name that is not in names. Initials count as near: lr for learning_rate."""
    initials = {"".join(word[0] for word in full.split("_")): full for full in names if "_" in full}
    near = [initials[name]] if name in initials else difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"


def dump_recipe(recipe):
    """The recipe as YAML text that load_recipe reads."""
    entries = {"recipe": recipe.name, **settings_of(recipe)}
    return yaml.safe_dump(entries, sort_keys=False)
