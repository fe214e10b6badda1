"""The parts of a training recipe that are pure functions: easy to test, to draw, and to set as an exercise."""

import math

# Parameters that are not matrices of a linear map, by the last name that models give them
_UNDECAYED = {"class_token", "distill_token", "position_embedding"}


def learning_rate_at(progress, peak, warmup=0.0):
    """Linear warm-up, then half a cosine down to zero (Goyal et al., 2017; Loshchilov & Hutter, 2017).

    A function of the progress alone, so that a run can stop and go on anywhere without a scheduler's state.

    Args:
        progress: how much of the run is done, 0 at the start and 1 at the end.
        peak: the highest learning rate, reached when progress is warmup.
        warmup: share of the run, from 0 to below 1.

    Returns:
        float
    """
    # 1. warm-up: a straight line from 0
    if progress < warmup:
        return peak * progress / warmup
    # 2. after the end: stay at 0, where the cosine would rise again
    if progress >= 1.0:
        return 0.0
    # 3. in between: half a cosine
    return peak * 0.5 * (1.0 + math.cos(math.pi * (progress - warmup) / (1.0 - warmup)))


def has_weight_decay(name, parameter):
    """Whether weight decay acts on a parameter: on weight matrices and kernels only.

    Biases and the parameters of norms (one axis), tokens and position embeddings are left alone: decay would pull them
    to zero although they do not multiply an input.

    Args:
        name: structured name, as in model.named_parameters(): "encoder.layers.0.attn.qkv.weight".
        parameter: anything with the number of axes as ndim.

    Returns:
        bool
    """
    return parameter.ndim > 1 and not _UNDECAYED & set(name.split("."))
