"""Distillation around the model: the teachers, and the loss that asks them."""

import paddle

from paddle_vit.models.weights import load_weights
from paddle_vit.training import recipe as parts
from paddle_vit.training.build import build_model, check_logits
from paddle_vit.training.config import RecipeError, load_recipe


class Distillation:
    """The loss of a DeiT with its teachers, which see the same images as the model: augmented and mixed.

    Teachers are in evaluation mode and get no gradient; the probabilities of several are averaged.
    """

    def __init__(self, teachers, kind, alpha, temperature):
        """Keep what it needs.

        Args:
            teachers: list of nn.Layers, images to logits [B, K].
            kind, alpha, temperature: see distilled_loss.
        """
        self.teachers, self.kind, self.alpha, self.temperature = teachers, kind, alpha, temperature
        for teacher in teachers:
            teacher.eval()

    def criterion(self, images):
        """The loss as a function(outputs, targets), for this batch of images."""
        teacher_logits = self.ask(images)

        def loss(outputs, targets):
            return parts.distilled_loss(outputs, targets, teacher_logits, self.kind, self.alpha, self.temperature)

        return loss

    def ask(self, images):
        """Logits [B, K] of the teachers, without gradient."""
        with paddle.no_grad():
            logits = [teacher(images) for teacher in self.teachers]
        return logits[0] if len(logits) == 1 else parts.average_teachers(logits)


class Clueless(paddle.nn.Layer):
    """A teacher to whom all classes look alike, for a trial before the real one is there."""

    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, images):
        return paddle.zeros([len(images), self.num_classes])


def build_teachers(recipe, data, given, out, train):
    """The teachers of a run, ready to be asked.

    Args:
        recipe: Recipe
        data: Data
        given: None, an nn.Layer or a list of them; where there are some, the recipe's teacher is not needed.
        out: folder of the run; a teacher that is trained first leaves its files in out/teacher.
        train: function(recipe, out) -> the trained model.

    Returns:
        list of nn.Layers

    Raises:
        RecipeError: there is none, or it does not fit the data; nothing was trained yet.
    """
    if given is not None:
        teachers = list(given) if isinstance(given, (list, tuple)) else [given]
        if not teachers or not all(isinstance(teacher, paddle.nn.Layer) for teacher in teachers):
            raise RecipeError(f"teacher must be a paddle.nn.Layer or a list of them, not {given!r}")
    elif not recipe.teacher:
        raise RecipeError("distillation needs a teacher: the name of a recipe, or a model (train(..., teacher=model))")
    elif recipe.teacher.startswith("paddle.vision.models."):
        teachers = [from_vision(recipe.teacher.rpartition(".")[2], data.num_classes, recipe.teacher_weights)]
    else:
        own = teacher_recipe(recipe)
        if recipe.teacher_weights:
            teachers = [with_weights(build_model(own, data), recipe.teacher_weights)]
        else:
            teachers = [train(own, out / "teacher")]
    for teacher in teachers:
        advice = f": it has to know the same {data.num_classes} classes"
        check_logits(teacher, data, f"the teacher {type(teacher).__name__}", advice)
    return teachers


# What a teacher has from its student's recipe: the images, and how they are prepared
_OF_STUDENT = ("data", "data_path", "image_size", "normalize", "bad_images", "workers", "train_images", "seed")


def teacher_recipe(recipe):
    """The recipe by which the teacher is trained: on the same images, from the same seed."""
    return load_recipe(recipe.teacher, **{key: getattr(recipe, key) for key in _OF_STUDENT})


def from_vision(name, num_classes, path):
    """A network of paddle.vision.models with the weights from a file.

    Raises:
        RecipeError: there is no such network, or the file does not fit it.
    """
    build = getattr(paddle.vision.models, name, None)
    if not callable(build):
        raise RecipeError(f"paddle.vision.models has no {name!r}")
    return with_weights(build(num_classes=num_classes), path)


def with_weights(model, path):
    """The model, with the weights from a file.

    Raises:
        RecipeError: the file does not fit it.
    """
    try:
        loaded = load_weights(model, path)
    except (OSError, ValueError) as error:
        raise RecipeError(f"teacher_weights: {error}") from error
    if loaded.fresh:
        raise RecipeError(
            f"teacher_weights: {path} is for another number of classes; a teacher has to know those of the data"
        )
    return model
