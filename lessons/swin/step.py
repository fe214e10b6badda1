# 移位窗口 Transformer (Swin)：填写下面每个 TODO，然后运行 paddle-vit grade swin。提示：paddle-vit hint swin。
# The shifted-window transformer (Swin): fill in every TODO below, then run paddle-vit grade swin. For a hint: paddle-vit hint swin.
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
    # TODO 3.22  所有梯度合起来太长时，按同一比例缩短 / where all gradients together are too long, shorten them by one factor
    raise NotImplementedError("TODO 3.22 clip_gradients")


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
    # TODO 3.23  前向计算、损失、反向传播；update 为真时裁剪梯度并更新参数 / forward, loss, backward; with update clip the gradients and update the parameters
    raise NotImplementedError("TODO 3.23 train_step")


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
    # TODO 3.24  对每个 k，标签在 logits 最高的 k 个类别之中的样本所占的比例 / for each k, the share of samples whose label is among the k highest logits
    raise NotImplementedError("TODO 3.24 accuracy")
