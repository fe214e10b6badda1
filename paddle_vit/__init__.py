"""Vision transformers to understand by writing them: models, training, lessons and their grader.

Cheap to import: Paddle is loaded by the first name that needs it.
"""

from paddle_vit import runtime

__version__ = "0.1.0"

runtime.prepare()  # before Paddle

# public name -> module that holds it
_PUBLIC = {
    "create_model": "paddle_vit.models",
    "list_models": "paddle_vit.models",
    "load_weights": "paddle_vit.models.weights",
    "train": "paddle_vit.training.engine",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'paddle_vit' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__():
    return sorted([*globals(), *_PUBLIC])
