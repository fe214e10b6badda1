"""Training: recipes, data, one step, checkpoints, and the engine that joins them.

Cheap to import: Paddle is loaded by the first name that needs it.
"""

import importlib

# public name -> module that holds it
_PUBLIC = {
    "Recipe": "config",
    "RecipeError": "config",
    "list_recipes": "config",
    "load_recipe": "config",
    "DATA": "data",
    "batches": "data",
    "has_weight_decay": "recipe",
    "learning_rate_at": "recipe",
    "accuracy": "step",
    "train_step": "step",
    "load_weights_file": "checkpoint",
    "save_weights": "checkpoint",
    "Result": "engine",
    "Stopped": "log",
    "evaluate": "engine",
    "train": "engine",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'paddle_vit.training' has no attribute {name!r}")
    return getattr(importlib.import_module(f"paddle_vit.training.{_PUBLIC[name]}"), name)
