"""What a run begins with: weights from a file, layers that keep them, and the optimizer over the others."""

import re

import paddle

from paddle_vit.models.weights import load_weights
from paddle_vit.training import recipe as parts
from paddle_vit.training.config import RecipeError

_HEADS = ("head.", "head_distill.")
_BLOCK = re.compile(r"(encoder\.layers\.\d+|layers\.\d+\.blocks\.\d+)\.")


def begin_with(model, recipe, fresh=True):
    """Load a recipe's weights into a model, and freeze what it wants to keep.

    fresh: whether the model was built for this run, with random weights.

    Another number of classes leaves the heads fresh, another resolution resizes positions: see load_weights.

    Raises:
        RecipeError: the file does not fit, or the model has fewer layers than shall be frozen.
    """
    if recipe.weights:
        try:
            load_weights(model, recipe.weights)
        except (OSError, ValueError) as error:
            raise RecipeError(f"weights: {error}") from error
    if not recipe.freeze:
        return
    if fresh and not recipe.weights:
        raise RecipeError(
            "freeze keeps weights as they are, and these are random: give some to begin with, weights=FILE"
        )
    layers = layer_of([name for name, _ in model.named_parameters()])
    depth = max(layers.values())
    if recipe.freeze >= depth:
        raise RecipeError(f"freeze must be below the model's {depth - 1} layers, or -1 for all but the heads")
    for name, parameter in model.named_parameters():
        if layers[name] <= recipe.freeze or (recipe.freeze < 0 and not name.startswith(_HEADS)):
            parameter.stop_gradient = True


def layer_of(names):
    """How far from the image parameters are used.

    Args:
        names: of parameters of a ViT, DeiT or Swin.

    Returns:
        dict from names: 0 for patches, tokens and positions, 1 for the first layer and so on; the last norm and the heads
        have one more than the last layer. A merging of Swin belongs to the layer before it.
    """
    blocks = list(dict.fromkeys(found.group(1) for name in names if (found := _BLOCK.match(name))))
    places = {block: number for number, block in enumerate(blocks, start=1)}
    result = {}
    for name in names:
        found = _BLOCK.match(name)
        if found:
            result[name] = places[found.group(1)]
        elif ".downsample." in name:
            stage = name.partition(".downsample.")[0] + "."
            result[name] = max((place for block, place in places.items() if block.startswith(stage)), default=0)
        elif name.startswith(("patch_embed", "position_embedding")):
            result[name] = 0
        else:
            result[name] = len(blocks) + 1
    return result


def make_optimizer(recipe, model):
    """AdamW (Loshchilov & Hutter, ICLR 2019) over what is to be trained, with weight decay where it belongs.

    With layer_decay the learning rate of a layer is that of the next one times layer_decay (Clark et al., ICLR 2020);
    the heads have the recipe's.
    """
    trained = [(name, p) for name, p in model.named_parameters() if not p.stop_gradient]
    # Paddle asks by its own names, such as linear_0.w_0
    decayed = {p.name for name, p in trained if parts.has_weight_decay(name, p)}
    parameters = [p for _, p in trained]
    if recipe.layer_decay < 1:
        layers = layer_of([name for name, _ in model.named_parameters()])
        last, groups = max(layers.values()), {}
        for name, parameter in trained:
            groups.setdefault(layers[name], []).append(parameter)
        # the learning rate of a group counts as a factor
        parameters = [
            dict(params=group, learning_rate=recipe.layer_decay ** (last - layer)) for layer, group in groups.items()
        ]
    optimizer = paddle.optimizer.AdamW(
        learning_rate=recipe.learning_rate,
        parameters=parameters,
        weight_decay=recipe.weight_decay,
        apply_decay_param_fun=decayed.__contains__,
    )
    optimizer.clear_grad()  # a notebook may have called backward() on this model
    return optimizer
