"""What a model costs: operations, images a second, the time of one image, memory."""

import math
import sys
import time
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import paddle
import paddle.nn as nn

_WARM_UP = 2  # passes that are not counted: the first ones allocate memory
_FEWEST = 3  # passes from which the images a second are taken, however long they last


class Cost(NamedTuple):
    """What `paddle-vit eval --throughput` says.

    parameters: numbers that the model holds, trained or not
    flops: of one image; see count_flops
    images_per_second: dict from batch size to rate
    latency, latency_95: seconds from one image to its logits, the median and the 95th percentile
    memory: bytes, the most that the process has held so far, Paddle and data included; None where it is not known
    gpu_memory: bytes, the most that Paddle has taken of the GPU; None without one
    """

    parameters: int
    flops: int
    images_per_second: dict
    latency: float
    latency_95: float
    memory: int | None
    gpu_memory: int | None


def measure(model, image_shape, batch_sizes, passes=20, seconds=2.0):
    """Measure a model on random images, in evaluation mode.

    Args:
        model: nn.Layer, [B, in_channels, height, width] to logits.
        image_shape: [in_channels, height, width]
        batch_sizes: images in a batch, one number or more.
        passes: single images of which the latency is the median.
        seconds: for each of the batch sizes, or longer where a pass takes that long.

    Returns:
        Cost
    """
    with evaluating(model):
        single = pass_seconds(model, image_shape, 1, passes, 0)
        rates = {1: 1 / np.median(single)}
        for size in sorted(set(batch_sizes) - {1}):
            rates[size] = size / np.median(pass_seconds(model, image_shape, size, _FEWEST, seconds))
    return Cost(
        parameters=count_parameters(model),
        flops=count_flops(model, image_shape),
        images_per_second={size: float(rate) for size, rate in rates.items()},
        latency=float(np.median(single)),
        latency_95=float(np.percentile(single, 95)),
        memory=highest_memory(),
        gpu_memory=highest_gpu_memory(),
    )


def count_parameters(model):
    return sum(math.prod(parameter.shape) for parameter in model.parameters())


def count_flops(model, image_shape):
    """Floating-point operations of a forward pass of one image: a multiplication and the addition of its product are two.

    Papers often call the pair one operation: halve the number to compare. As there, what counts are matrix products, in
    linear layers, convolutions and attention (weights from q and k, then weights @ v); biases, norms, softmax and GELU
    are left out. They are counted while the model runs, so padding counts too. Attention is known by its method
    attention_weights, the learner's own too; a product that is written another way (F.linear) is not seen.

    Args:
        model: nn.Layer
        image_shape: [in_channels, height, width]

    Returns:
        int
    """
    pairs = [0]  # multiplications, each with its addition

    def linear(layer, inputs, output):
        pairs[0] += math.prod(output.shape) * layer.weight.shape[0]  # weight: in, out

    def convolution(layer, inputs, output):
        pairs[0] += math.prod(output.shape) * math.prod(
            layer.weight.shape[1:]
        )  # weight: out, in / groups, rows, columns

    def attention(layer, inputs, output):
        B, T, C = inputs[0].shape
        pairs[0] += 2 * B * T * T * C  # [T, D] by [D, T], then [T, T] by [T, D], in each head; H * D = C

    hooks = []
    for layer in model.sublayers(include_self=True):
        if isinstance(layer, nn.Linear):
            hooks.append(layer.register_forward_post_hook(linear))
        elif isinstance(layer, nn.Conv2D):
            hooks.append(layer.register_forward_post_hook(convolution))
        elif hasattr(layer, "attention_weights"):
            hooks.append(layer.register_forward_post_hook(attention))
    try:
        with evaluating(model):
            model(paddle.zeros([1, *image_shape]))
    finally:
        for hook in hooks:
            hook.remove()
    return 2 * pairs[0]


def pass_seconds(model, image_shape, batch_size, at_least, seconds):
    """Seconds of each of some forward passes: at least so many, and more as long as the time is not over."""
    generator = np.random.Generator(np.random.PCG64(0))
    images = paddle.to_tensor(generator.standard_normal([batch_size, *image_shape], dtype="float32"))
    for _ in range(_WARM_UP):
        model(images).numpy()
    times = []
    while len(times) < at_least or sum(times) < seconds:
        start = time.perf_counter()
        model(images).numpy()  # a GPU has finished when its numbers are here
        times.append(time.perf_counter() - start)
    return times


@contextmanager
def evaluating(model):
    """The model in evaluation mode and without gradients, for a while."""
    was_training = model.training
    model.eval()
    try:
        with paddle.no_grad():
            yield
    finally:
        if was_training:
            model.train()


def highest_memory():
    """Bytes, the most that this process has held at a time; None on Windows, which counts in another way."""
    try:
        import resource
    except ImportError:
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024  # Linux counts in KiB


def highest_gpu_memory():
    """Bytes, the most that Paddle has taken of the GPU; None where it computes on the CPU."""
    if not paddle.get_device().startswith("gpu"):
        return None
    return int(paddle.device.cuda.max_memory_allocated())
