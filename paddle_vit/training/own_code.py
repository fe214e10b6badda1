"""Somebody else's functions and classes in the place of the package's, for the time of a training run."""

import sys
from contextlib import contextmanager

from paddle_vit.training.config import RecipeError

# Where the parts of the lessons stand
_MODULES = (
    "paddle_vit.models.layers",
    "paddle_vit.models.vit",
    "paddle_vit.models.deit",
    "paddle_vit.models.swin",
    "paddle_vit.training.recipe",
    "paddle_vit.training.step",
)


@contextmanager
def put_in(definitions):
    """Let functions and classes stand in for the package's of the same name, wherever the package uses those.

    Args:
        definitions: functions and classes, each with the __name__ of one of the package's; or a dict from such names.

    Raises:
        RecipeError: the package has none of this name.
    """
    if not isinstance(definitions, dict):
        definitions = {getattr(definition, "__name__", repr(definition)): definition for definition in definitions}
    originals = {}
    for name, definition in definitions.items():
        found = [vars(sys.modules[module])[name] for module in _MODULES if _defines(module, name)]
        if not found:
            raise RecipeError(f"code: {name} is no function or class of a lesson")
        originals[id(found[0])] = (found[0], definition)
    places = [
        (module, name, value)
        for key, module in list(sys.modules.items())
        if key.startswith(("paddle_vit.models", "paddle_vit.training"))
        for name, value in list(vars(module).items())
        if id(value) in originals
    ]
    try:
        for module, name, value in places:
            setattr(module, name, originals[id(value)][1])
        yield
    finally:
        for module, name, value in places:
            setattr(module, name, value)


def _defines(module, name):
    value = vars(sys.modules[module]).get(name) if module in sys.modules else None
    return getattr(value, "__module__", None) == module
