"""Lesson 2, the last exercises of recipe.py: weights and the learning rate. Cases and rules, as in deit.py."""

import numpy as np
import paddle
import paddle.nn as nn

from paddle_vit.exercises import Case
from paddle_vit.exercises.vit import close

# --- moving averages --------------------------------------------------------------------------------------------------


def _model_and_averages(draw, parts):
    layers = [nn.Linear(3, 5, bias_attr=None if "bias" in parts else False)]
    if "norm" in parts:
        layers.append(nn.BatchNorm1D(5))  # its running statistics are parameters that are not trained
    model = draw.layer(nn.Sequential(*layers))
    if "buffer" in parts:
        model.register_buffer("table", draw.tensor(7).detach())
    averages = {name: paddle.to_tensor(draw.array(*value.shape)) for name, value in model.state_dict().items()}
    return model, averages


def update_ema(recipe, draw, parts, decays):
    """The averages after one update a decay, with other weights each time, and the weights."""
    model, averages = _model_and_averages(draw, parts)
    for place, decay in enumerate(decays):
        if place:
            for value in model.state_dict().values():
                value.set_value(value * 0.5 + 0.7)
        recipe.update_ema(averages, model, decay)
    return [averages[name] for name in model.state_dict()], [value.detach() for value in model.state_dict().values()]


def ema_of_equal_weights(recipe, draw):
    model, _ = _model_and_averages(draw, "bias")
    averages = {name: value.detach().clone() for name, value in model.state_dict().items()}
    for decay in (0.0, 0.3, 1.0):
        recipe.update_ema(averages, model, decay)
    return [(averages[name], value.detach()) for name, value in model.state_dict().items()]


def _equal(outputs):
    return len(outputs) == 4 and all(map(close, outputs[::2], outputs[1::2]))


# --- the learning rate ------------------------------------------------------------------------------------------------


def scaled_learning_rate(recipe, draw, **options):
    return recipe.scaled_learning_rate(*options.values())


def rates_of_batches(recipe, draw):
    return [recipe.scaled_learning_rate(0.003, batch_size, 96) for batch_size in (96, 48, 192, 33)]


def learning_rate_at(recipe, draw, **options):
    return recipe.learning_rate_at(*options.values())  # progress, peak, warmup, minimum


def rates_of_a_run(recipe, draw):
    return [recipe.learning_rate_at(step / 40, 0.7, 0.25, 0.1) for step in range(41)]


def _up_then_down(outputs):
    rates = np.array(outputs)
    return rates.argmax() == 10 and (np.diff(rates[:11]) > 0).all() and (np.diff(rates[10:]) < 0).all()


# --- weight decay -----------------------------------------------------------------------------------------------------


def has_weight_decay(recipe, draw, name, shape):
    return recipe.has_weight_decay(name, paddle.create_parameter(shape, "float32"))


_NAMES = [
    ("encoder.layers.0.attn.qkv.weight", [6, 18], True),
    ("encoder.layers.0.attn.qkv.bias", [18], False),
    ("encoder.layers.1.mlp_norm.weight", [6], False),
    ("patch_embedding.patch_embedding.weight", [6, 3, 2, 2], True),
    ("patch_embedding.class_token", [1, 1, 6], False),
    ("patch_embedding.distill_token", [1, 1, 6], False),
    ("patch_embedding.position_embedding", [1, 7, 6], False),
    ("position_embedding.weight", [7, 6], False),  # of an nn.Embedding
    ("layers.0.blocks.1.attn.relative_position_bias_table", [25, 3], False),  # Swin's
    ("class_token_proj.weight", [6, 5], True),  # a name that only begins so
    ("class_token", [1, 1, 6], False),
    ("head.weight", [6, 7], True),
    ("embed.weight", [1, 6], True),  # one number in
    ("encoder.layers.0.ln.weight", [6], False),  # a norm of another name
]


def decay_of_a_model(recipe, draw):
    return [recipe.has_weight_decay(name, paddle.create_parameter(shape, "float32")) for name, shape, _ in _NAMES]


CASES = {
    "update_ema": [
        Case(update_ema, dict(parts="weight", decays=[0.9])),
        Case(update_ema, dict(parts="weight, bias", decays=[0.3, 0.8])),
        Case(update_ema, dict(parts="weight, bias, norm, buffer", decays=[0.7])),
        Case(update_ema, dict(parts="weight, bias", decays=[0.0, 0.4, 1.0])),
    ],
    "scaled_learning_rate": [
        Case(scaled_learning_rate, dict(learning_rate=5e-4, batch_size=1024)),
        Case(scaled_learning_rate, dict(learning_rate=0.003, batch_size=48)),
        Case(scaled_learning_rate, dict(learning_rate=0.1, batch_size=640, base=256)),
    ],
    "learning_rate_at": [
        Case(learning_rate_at, dict(progress=progress, peak=0.7, warmup=warmup, minimum=minimum))
        for progress, warmup, minimum in [
            (0.05, 0.2, 0.1),
            (0.0, 0.2, 0.1),
            (0.2, 0.2, 0.1),
            (0.5, 0.2, 0.1),
            (0.9, 0.2, 0.1),
            (0.3, 0.0, 0.0),
            (0.0, 0.0, 0.1),
            (1.0, 0.3, 0.1),
            (1.3, 0.3, 0.1),
        ]
    ],
    "has_weight_decay": [Case(has_weight_decay, dict(name=name, shape=shape)) for name, shape, _ in _NAMES],
}

PROPERTIES = {
    "equal_weights_stay": Case(ema_of_equal_weights, holds=_equal),
    "proportional_to_the_batch": Case(
        rates_of_batches, holds=lambda outputs: close(np.array(outputs) / 0.003, [1, 0.5, 2, 33 / 96])
    ),
    "rises_then_falls": Case(rates_of_a_run, holds=_up_then_down),
    "matrices_only": Case(
        decay_of_a_model, holds=lambda outputs: [bool(one) for one in outputs] == [decays for _, _, decays in _NAMES]
    ),
}
