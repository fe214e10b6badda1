"""Small pieces that every model of the course uses."""

import math

import paddle
import paddle.nn as nn


def trunc_normal_(parameter, mean=0.0, std=0.02, a=-2.0, b=2.0):
    """Fill parameter in place from the normal distribution N(mean, std^2), cut to the interval [a, b].

    a and b are absolute values, not multiples of std, as in torch and timm: with std 0.02 nothing is cut, the
    standard deviation stays 0.02. (Paddle 2.6's own TruncatedNormal cuts at two standard deviations and so gives
    0.88 std, Paddle 3's cuts at absolute bounds: this function is the same on both.) Cut means that no value falls
    outside and that inside the curve keeps its shape; what falls outside is not moved onto the bounds.

    One way: draw u evenly between the distribution function's values at the bounds, here written for [-1, 1]:
    erf((a - mean) / (std * sqrt(2))) and erf((b - mean) / (std * sqrt(2))); then mean + std * sqrt(2) * erfinv(u) has
    this distribution. Random numbers are Paddle's, see paddle.seed.

    Args:
        parameter: tensor of any shape, float32; its values are replaced.
        mean, std, a, b: numbers; std above 0, a below b.

    Returns:
        parameter
    """
    lower, upper = (math.erf((bound - mean) / (std * math.sqrt(2.0))) for bound in (a, b))
    # float32 draws hit the ends of [-1, 1], where erfinv is infinite: stay one rounding step inside
    edge = 1.0 - 1e-7
    uniform = paddle.uniform(parameter.shape, dtype="float32", min=lower, max=upper).clip(-edge, edge)
    values = (mean + std * math.sqrt(2.0) * paddle.erfinv(uniform)).clip(a, b)
    parameter.set_value(values.astype(parameter.dtype))
    return parameter


def init_weights(layer):
    """Initial values of Linear and Conv2D: weights truncated normal with std 0.02, biases zero.

    For use as model.apply(init_weights). Other layers keep their own (LayerNorm: weight 1, bias 0). The patch
    convolution is included on purpose: at Paddle's default it is so large on small patches that it drowns position
    embeddings of std 0.02.
    """
    if isinstance(layer, (nn.Linear, nn.Conv2D)):
        trunc_normal_(layer.weight, std=0.02)
        if layer.bias is not None:
            layer.bias.set_value(paddle.zeros_like(layer.bias))


def drop_path(x, p=0.0, training=True):
    """Stochastic depth (Huang et al., ECCV 2016): zero the whole branch of a sample with probability p.

    Args:
        x: [B, ...], a residual branch.
        p: probability of dropping, in [0, 1). What is kept is divided by 1 - p, so that the mean stays.
        training: the identity when false. Every call draws afresh, by Paddle's random numbers.

    Returns:
        [B, ...]
    """
    if not training or p == 0.0:
        return x
    shape = [x.shape[0]] + [1] * (x.ndim - 1)  # one draw a sample, broadcast over the rest
    keep = paddle.bernoulli(paddle.full(shape, 1.0 - p, dtype=x.dtype))
    return x * keep / (1.0 - p)


class DropPath(nn.Layer):
    """drop_path as a layer: follows train() and eval()."""

    def __init__(self, p=0.0):
        super().__init__()
        self.p = p

    def forward(self, x):
        return drop_path(x, self.p, self.training)

    def extra_repr(self):
        return f"p={self.p}"
