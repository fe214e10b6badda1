"""What a recipe would do, for `paddle-vit train RECIPE --show`. Nothing is trained and nothing written."""

import math
from dataclasses import replace

from paddle_vit import models
from paddle_vit.training import recipe as parts
from paddle_vit.training.build import explained
from paddle_vit.training.config import dump_recipe
from paddle_vit.training.data import DATA, Data
from paddle_vit.training.datasets import open_data
from paddle_vit.training.throughput import count_flops, count_parameters

# Images to train with, as published. "folder" without a path stands for ImageNet-1k, which the recipes use it for
PUBLISHED = {
    "mnist": 60_000,
    "fashion_mnist": 60_000,
    "cifar10": 50_000,
    "cifar100": 50_000,
    "flowers102": 2_040,
    "folder": 1_281_167,
}

_BLOCKS = " ▁▂▃▄▅▆▇█"  # eighths of a character's height
_WIDTH, _HEIGHT = 60, 6  # of the curve, in characters


def show(recipe, model=None):
    """The recipe as YAML, and as comments below it what follows from it: a YAML file that load_recipe reads.

    Args:
        recipe: Recipe
        model: the class to build, None for the recipe's.

    Returns:
        str, lines

    Raises:
        RecipeError: the data of data_path cannot be had, or the model does not fit them.
    """
    data, train_images, origin = look_at(recipe)
    steps = math.ceil(train_images / recipe.batch_size)
    model = model if model is not None else getattr(models, recipe.model_class)
    image_shape = [data.in_channels, *data.image_size]
    with explained(f"{model.__name__} cannot be built for images {image_shape}"):
        built = model(**data.model_arguments(), **recipe.model_arguments)
        parameters, flops = count_parameters(built), count_flops(built, image_shape)
    lines = [
        f"{train_images:,} images to train with ({origin}), in batches of {recipe.batch_size:,}",
        f"{steps:,} steps an epoch, {recipe.epochs * steps:,} in all",
        f"{model.__name__}: images {image_shape} to {data.num_classes:,} classes, {parameters:,} parameters",
        f"{flops / 1e6:,.2f} MFLOPs for a forward pass of one image, a multiplication and its addition counted as two",
    ]
    if recipe.distillation != "none" and not recipe.teacher_weights:
        lines.append(f"not counted: the teacher, {recipe.teacher or 'to be given'}")
    with explained("the learning rate cannot be computed"):
        lines += ["", *learning_rate_lines(recipe)]
    return dump_recipe(recipe) + "".join(f"# {line}".rstrip() + "\n" for line in lines)


def look_at(recipe):
    """What a model has to know of the data, found without reading images.

    Returns:
        Data; number of images to train with; where that number is from
    """
    if recipe.data_path or recipe.data in DATA:
        data, origin = open_data(recipe), "as published"
    elif recipe.data == "folder":
        size = recipe.image_size or 224
        data, origin = Data(3, (size, size), 1000, load=None), "ImageNet-1k, since no data_path is given"
    else:  # shape and classes are those of the name; nothing is opened before load()
        data, origin = open_data(replace(recipe, data_path="nowhere")), "as published, since no data_path is given"
    if recipe.train_images:
        return data, recipe.train_images, "train_images"
    if recipe.data in DATA or (recipe.data == "folder" and recipe.data_path):  # a small file; names of files
        return data, len(data.load()[0].labels), "counted"
    return data, PUBLISHED[recipe.data], origin


def learning_rate_lines(recipe):
    """The learning rate at eleven points of the run and as a curve, as the engine sets it."""
    peak = recipe.learning_rate
    if recipe.scale_from:
        peak = parts.scaled_learning_rate(peak, recipe.batch_size, recipe.scale_from)

    def rate(progress):
        return parts.learning_rate_at(progress, peak, recipe.warmup, recipe.minimum_learning_rate)

    table = [f"{10 * tenth:3} %  {rate(tenth / 10):.3g}" for tenth in range(11)]
    columns = [rate((column + 0.5) / _WIDTH) for column in range(_WIDTH)]
    return [f"learning rate, at most {peak:.3g}", *table, "", *curve(columns)]


def curve(values):
    """Numbers, 0 or more and not all 0, as rows of block characters from the highest to 0."""
    heights = [round(value / max(values) * _HEIGHT * 8) for value in values]  # in eighths of a character
    return [
        "".join(_BLOCKS[min(max(height - 8 * row, 0), 8)] for height in heights) for row in reversed(range(_HEIGHT))
    ]
