"""What a recipe is: every number that decides what a training run does. All are checked before data is read."""

import difflib
import math
import numbers
import os
import reprlib
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
    data: str  # a data set, see paddle_vit.training.datasets
    epochs: int
    batch_size: int  # images
    learning_rate: float  # the highest, at the end of the warm-up
    warmup: float  # share of the run in which the learning rate rises, from 0 to below 1
    weight_decay: float
    evaluate_every: int  # epochs between two looks at the test images; the last epoch is always looked at
    seed: int = 0
    data_path: str = ""  # where the data are, for those that do not come with the package
    image_size: int = 0  # pixels of a side of photographs, 0 for 224
    normalize: str = "half"  # colours from -1 to 1; or "imagenet": less ImageNet's mean, over its standard deviation
    crop: str = "none"  # "padded": moved by up to an eighth; "resized": a random part of the image, at the model's size
    flip: float = 0.0  # probability that left and right are exchanged
    bad_images: int = 0  # files that may be missing or damaged; more than that end the run
    device: str = ""  # such as "cpu" or "gpu:1"; empty: a GPU where Paddle has one
    workers: int = 0  # processes that prepare images beside the one that trains
    weights: str = ""  # a file of weights to begin with, published ones or one's own
    freeze: int = 0  # layers from the front that keep their weights, with the patch embedding; -1: all but the heads
    layer_decay: float = 1.0  # learning rate of a layer, over that of the next one
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
    checkpoint_seconds: float = 5.0  # between two checkpoints at least; writing takes up to a fiftieth of the time
    save_every: int = 0  # epochs between two checkpoints that are kept, 0 for none
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

# Files and folders, whose ~ is the home folder
_PATHS = ("data_path", "weights", "teacher_weights")

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
    **dict.fromkeys(("checkpoint_seconds", "save_every", "image_size", "bad_images", "workers"), _NOT_NEGATIVE),
    **dict.fromkeys(("warmup", "dropout", "attention_dropout", "droppath", "ema"), _SHARE),
    **dict.fromkeys(("label_smoothing", "erasing", "alpha", "flip"), _WEIGHT),
    "magnitude": (lambda x: 0 <= x <= 10, "from 0 to 10"),
    "distillation": (lambda x: x in ("none", "soft", "hard"), "none, soft or hard"),
    "normalize": (lambda x: x in ("half", "imagenet"), "half or imagenet"),
    "crop": (lambda x: x in ("none", "padded", "resized"), "none, padded or resized"),
    "freeze": (lambda x: x >= -1, "0 or more, or -1"),
    "layer_decay": (lambda x: 0 < x <= 1, "above 0, at most 1"),
    "precision": (lambda x: x in ("float32", "float16", "bfloat16"), "float32, float16 or bfloat16"),
}


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
        PaddleMissing: there is no Paddle, and the recipe is one for a published model.
    """
    if isinstance(source, Recipe):
        return change(source, changes)
    recipes = known_recipes()
    text = str(source)
    if text in recipes:
        return change(recipes[text](), changes)
    if not text.endswith((".yaml", ".yml")):
        raise RecipeError(f"no recipe is called {text!r}: {nearest(text, recipes)}, or give a .yaml file")
    entries = read_yaml(text)
    base = entries.pop("recipe", "")
    base = base if isinstance(base, str) else ""
    if base not in recipes:
        raise RecipeError(f"{text}: the entry 'recipe' must name the base recipe: {nearest(base, recipes)}")
    return change(change(recipes[base](), entries), changes)


def known_recipes():
    """Name -> function that makes the recipe."""
    from paddle_vit.training.recipes import RECIPES  # which are made of this module's Recipe

    return RECIPES


def read_yaml(path):
    """The mapping in a YAML file: plain values, never objects.

    Raises:
        RecipeError: there is no such file, or it holds something else, or a key twice, of which YAML would take the last.
    """
    try:
        loader = yaml.SafeLoader(Path(path).read_bytes())
        node = loader.get_single_node()
        check_keys(path, node)
        entries = loader.construct_document(node)
    except RecipeError:
        raise
    # ValueError: numbers and dates that are none; RecursionError: thousands of brackets
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    return entries


def check_keys(path, node):
    """Raise a RecipeError unless a YAML node is a mapping from names, in which every name stands once."""
    if not isinstance(node, yaml.MappingNode) or node.tag != "tag:yaml.org,2002:map":
        raise RecipeError(f"{path} must hold lines of the form 'key: value'")
    lines = {}
    for key, _ in node.value:
        line, name = key.start_mark.line + 1, key.value
        if key.tag != "tag:yaml.org,2002:str" or not isinstance(name, str):
            raise RecipeError(f"{path}, line {line}: before the colon must be the name of a setting")
        if name in lines:
            raise RecipeError(
                f"{path} gives {_brief(name)} twice, in lines {lines[name]} and {line}: delete one of them"
            )
        lines[name] = line


def parse_changes(texts):
    """["epochs=3", "position=none"] to {"epochs": 3, "position": "none"}.

    Values are read as YAML reads them, but for settings of Recipe that are texts: a path may contain what it likes.

    Raises:
        RecipeError: a text without an equals sign, or a value that YAML cannot read.
    """
    plain = {field.name for field in fields(Recipe) if field.type is str}
    changes = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise RecipeError(f"{text!r} is not of the form key=value")
        try:
            changes[key] = value if key in plain else yaml.safe_load(value)
        except (ValueError, RecursionError, yaml.YAMLError) as error:
            raise RecipeError(f"{_brief(text)}: the value cannot be read") from error
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
        if key not in settings and isinstance(value, dict):
            raise RecipeError(f"{_brief(key)} holds other settings: write each in a line of its own, not indented")
        if key not in settings:
            raise RecipeError(f"{recipe.name} has no setting {_brief(key)}: {nearest(key, settings)}")
        value = convert(key, value, type(settings[key]))
        (model if key in model else own)[key] = os.path.expanduser(value) if key in _PATHS else value
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
    for one in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(one, numbers.Integral) and abs(one) >= 2**63:  # no array holds it, and some cannot be printed
            raise RecipeError(f"{key} must be below 2^63, not a number of {int(one).bit_length()} bits")
    if expected is float and is_number:
        return float(value)
    if expected is int and is_number and isinstance(value, numbers.Integral):
        return int(value)
    if expected in (bool, str) and isinstance(value, expected):
        return value
    if expected is tuple and isinstance(value, (list, tuple)) and all(type(one) is int and one > 0 for one in value):
        return tuple(value)
    raise RecipeError(f"{key} must be {_TYPES[expected]}, not {_brief(value)}")


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
    elif recipe.teacher and recipe.teacher not in known_recipes():
        raise RecipeError(
            f"no recipe is called {recipe.teacher!r}, to train the teacher: {nearest(recipe.teacher, known_recipes())}"
        )


def _brief(value):
    """repr of a value, cut: a short YAML file can hold a list of a million others."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother = 2, 80, 80
    try:
        return short.repr(value)
    except ValueError:  # Python does not print whole numbers of thousands of digits
        return f"this {type(value).__name__}"


def nearest(name, names):
    """Advice for a name that is not in names. Initials count as near: lr for learning_rate."""
    initials = {"".join(word[0] for word in full.split("_")): full for full in names if "_" in full}
    near = [initials[name]] if name in initials else difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"


def dump_recipe(recipe):
    """The recipe as YAML text that load_recipe reads."""
    entries = {"recipe": recipe.name, **settings_of(recipe)}
    return yaml.safe_dump(entries, sort_keys=False)
