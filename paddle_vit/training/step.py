"""One step of training, and how to count what it got right."""

import math

import paddle
import paddle.nn.functional as F

from paddle_vit.training.checks import check_topk

NO_SCALING = paddle.amp.GradScaler(enable=False)  # scales by 1, and steps at once


def clip_gradients(parameters, max_norm):
    """Shorten the gradients where all of them together are longer than max_norm (Pascanu et al., ICML 2013).

    The norm is the Euclidean one of all gradients as a single long vector. Where it exceeds max_norm, every gradient is
    multiplied by max_norm / norm, in place, so that the direction stays; otherwise nothing changes.

    Args:
        parameters: list of parameters; those whose grad is None are left out.
        max_norm: above 0; infinity clips nothing.

    Returns:
        norm: from before the clipping, a tensor without axes or a number
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = paddle.stack([gradient.norm() for gradient in gradients]).norm()
    if norm > max_norm:
        for gradient in gradients:
            gradient.set_value(gradient * (max_norm / norm))
    return norm


def train_step(
    model,
    images,
    targets,
    optimizer,
    criterion=F.cross_entropy,
    *,
    precision="float32",
    scaler=NO_SCALING,
    max_norm=math.inf,
    share=1.0,
    update=True,
):
    """Forward, loss, backward; then, unless more parts of the batch follow, the update.

    Gradient accumulation: a batch too large for the memory comes in k parts, a call for each. backward() adds to the
    gradients that are there, so the loss of each part counts by its share, the sum is the gradient of the whole batch's
    mean loss, and only the last call updates.

    Mixed precision (Micikevicius et al., ICLR 2018): the forward pass runs in autocast(precision). Small gradients would
    be 0 in float16, so the scaler multiplies the loss before backward, and divides the gradients before they are clipped.

    In this order: scaler.scale(loss * share), backward; with update scaler.unscale_(optimizer), clip_gradients of the
    model's parameters, scaler.step(optimizer), scaler.update(), optimizer.clear_grad().

    Args:
        model: nn.Layer, images to logits [B, K], or to two of them, as DeiT in training.
        images: [B, in_channels, height, width] float32
        targets: what criterion takes: labels [B] int64, or probabilities [B, K].
        optimizer: updates the model's parameters, with gradients cleared before the first part.
        criterion: function(outputs, targets) -> loss without axes, the mean over these images. It gets all that the model
            returned.
        precision: "float32", "float16" or "bfloat16"; on a CPU all are float32.
        scaler: paddle.amp.GradScaler, needed for float16 alone.
        max_norm: see clip_gradients.
        share: these images' part of the batch, 1 / k for k equal parts.
        update: false while more parts of the batch follow.

    Returns:
        loss: before the update, without axes, neither scaled nor multiplied by share
        logits: [B, K] before the update, the mean of two; both tensors without their graph (detach())
    """
    with autocast(precision):
        outputs = model(images)  # B K, or two of them
        loss = criterion(outputs, targets)
    scaler.scale(loss * share).backward()
    if update:
        scaler.unscale_(optimizer)
        clip_gradients(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
        optimizer.clear_grad()
    logits = outputs if isinstance(outputs, paddle.Tensor) else (outputs[0] + outputs[1]) / 2  # B K
    return loss.detach(), logits.detach()


def autocast(precision):
    """The context in which Paddle computes what can be computed so in float16 or bfloat16; for float32 it does nothing."""
    low = precision != "float32"
    return paddle.amp.auto_cast(enable=low, dtype=precision if low else "float16")


def accuracy(logits, labels, topk=(1,)):
    """Share of samples whose label is among the k highest logits, for each k.

    Args:
        logits: [B, K]
        labels: [B] int64
        topk: the ks, each at most K.

    Returns:
        list of floats from 0 to 1, one for each k, in the order of topk

    Raises:
        ValueError: a k above K or below 1; check_topk(topk, K), called first, raises it.
    """
    check_topk(topk, logits.shape[1])
    _, best = logits.topk(max(topk), axis=1)  # B max(k), highest first
    hits = best == labels.reshape([-1, 1])  # B max(k); labels may come as [B, 1] too
    return [hits[:, :k].astype("int64").sum().item() / labels.shape[0] for k in topk]
