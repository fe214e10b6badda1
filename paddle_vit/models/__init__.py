"""The models of the course, and the table from a name to a model."""

import difflib
import fnmatch

from paddle_vit.models.deit import MODELS as DEIT
from paddle_vit.models.deit import DeiT, DistilledPatchEmbedding
from paddle_vit.models.regnet import MODELS as REGNET
from paddle_vit.models.regnet import RegNet
from paddle_vit.models.swin import MODELS as SWIN
from paddle_vit.models.swin import SwinTransformer
from paddle_vit.models.vit import MODELS as VIT
from paddle_vit.models.vit import VisionTransformer

__all__ = [
    "DeiT",
    "DistilledPatchEmbedding",
    "RegNet",
    "SwinTransformer",
    "VisionTransformer",
    "create_model",
    "list_models",
]

_MODELS = {
    **{name: (VisionTransformer, arguments) for name, arguments in VIT.items()},
    **DEIT,
    **{name: (SwinTransformer, arguments) for name, arguments in SWIN.items()},
    **{name: (RegNet, arguments) for name, arguments in REGNET.items()},
}


def list_models(pattern="*"):
    """Names of the published models that match a shell pattern, in order of size."""
    return [name for name in _MODELS if fnmatch.fnmatch(name, pattern)]


def create_model(name, **changes):
    """Build a published model, with fresh weights.

    Args:
        name: as in timm, one of list_models().
        changes: arguments of the model's constructor that differ from the published ones, e.g. num_classes=10.

    Raises:
        ValueError: an unknown name.
        TypeError: an argument that the model does not have.
    """
    if name not in _MODELS:
        near = difflib.get_close_matches(name, _MODELS, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "paddle_vit.list_models() gives all names"
        raise ValueError(f"no model is called {name!r}: {hint}")
    model, arguments = _MODELS[name]
    return model(**{**arguments, **changes})
