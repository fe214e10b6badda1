"""From a recipe to a model that fits the data: built, and tried on two images before anything is trained."""

from contextlib import contextmanager

import paddle

from paddle_vit import models
from paddle_vit.training.config import RecipeError


def build_model(recipe, data, model=None):
    """The model to train, after a trial of two images.

    Args:
        recipe: Recipe
        data: Data, which decides sizes and classes.
        model: as in train.

    Raises:
        RecipeError: it cannot be built, or does not map images [2, channels, height, width] to logits [2, classes].
    """
    model = model if model is not None else getattr(models, recipe.model_class)
    if isinstance(model, type) and issubclass(model, paddle.nn.Layer):
        with explained(f"{model.__name__} cannot be built"):
            model = model(**data.model_arguments(), **recipe.model_arguments)
    if not isinstance(model, paddle.nn.Layer):
        raise RecipeError(f"model must be a paddle.nn.Layer or a class of them, not {model!r}")
    if not any(not parameter.stop_gradient for parameter in model.parameters()):
        raise RecipeError(f"{type(model).__name__} has no parameters to train: did its constructor create its layers?")
    check_logits(model, data, type(model).__name__)
    check_training_outputs(model, data, recipe.distillation)
    return model


def check_logits(model, data, who, advice=""):
    """Raise a RecipeError unless a model maps the data's images to logits of as many classes; it is left in eval mode."""
    shape, wanted = [2, data.in_channels, *data.image_size], [2, data.num_classes]
    model.eval()
    with explained(f"{who} fails on images {shape}"), paddle.no_grad():
        logits = model(paddle.zeros(shape))
    got = list(logits.shape) if isinstance(logits, paddle.Tensor) else type(logits).__name__
    if got != wanted:
        raise RecipeError(f"{who} must map images {shape} to logits {wanted}, not {got}{advice}")


def check_training_outputs(model, data, distillation):
    """Raise a RecipeError unless a model has two outputs in training where there is a teacher, and else one."""
    shape = [2, data.in_channels, *data.image_size]
    # batch norms count what they see in training, in what Paddle keeps among the parameters
    statistics = [(value, value.clone()) for value in model.state_dict().values() if value.stop_gradient]
    name = type(model).__name__
    model.train()
    with explained(f"{name} fails on images {shape} in training"), paddle.no_grad():
        outputs = model(paddle.zeros(shape))
    for value, before in statistics:
        value.set_value(before)
    model.eval()
    two = isinstance(outputs, (tuple, list)) and len(outputs) == 2
    if distillation != "none" and not two:
        raise RecipeError(
            f"distillation={distillation} needs a model that returns two logits in training, as DeiT does; {name} returns "
            f"{type(outputs).__name__}: train it with distillation=none"
        )
    if distillation == "none" and two:
        raise RecipeError(
            f"{name} returns two logits in training, the second for a teacher: choose distillation=hard or soft"
        )


@contextmanager
def explained(what):
    """Turn any exception of somebody's model into a RecipeError that says what was tried; the cause stays attached."""
    try:
        yield
    except RecipeError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())  # Paddle's messages go over many lines
        raise RecipeError(f"{what}: {type(error).__name__}: {reason}") from error
