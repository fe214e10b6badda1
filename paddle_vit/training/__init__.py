"""Training: recipes, data, one step, checkpoints, and the engine that joins them.

Cheap to import: Paddle is loaded by the first name that needs it.
"""

import importlib

# public name -> module that holds it
_PUBLIC = {
    "Recipe": "config",
    "RecipeError": "config",
    "list_recipes": "recipes",
    "load_recipe": "config",
    "DEIT_SETTINGS": "recipes_imagenet",
    "DATA": "data",
    **dict.fromkeys(
        (
            "average_teachers",
            "cutmix",
            "cutmix_box",
            "distilled_loss",
            "ema_decay_at",
            "hard_distillation_loss",
            "has_weight_decay",
            "learning_rate_at",
            "mix",
            "mixup",
            "rand_augment",
            "random_erasing",
            "scaled_learning_rate",
            "smooth_labels",
            "soft_cross_entropy",
            "soft_distillation_loss",
            "update_ema",
        ),
        "recipe",
    ),
    "OPERATIONS": "operations",
    "apply_operation": "operations",
    "auto_augment": "operations",
    "training_batches": "augment",
    "Distillation": "teacher",
    "accuracy": "step",
    "train_step": "step",
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
