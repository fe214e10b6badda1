"""One step of training, and how to count what it got right."""

import paddle
import paddle.nn.functional as F


def train_step(model, images, targets, optimizer, criterion=F.cross_entropy):
    """Forward, loss, backward, update.

    Args:
        model: nn.Layer, images to logits [B, K], or to two of them, as DeiT in training.
        images: [B, in_channels, height, width] float32
        targets: what criterion takes: labels [B] int64, or probabilities [B, K].
        optimizer: updates the model's parameters, with gradients cleared.
        criterion: function(outputs, targets) -> loss without axes.

    Returns:
        loss: before the update, without axes
        logits: [B, K] before the update, the mean of two; both detached
    """
    outputs = model(images)  # B K, or two of them
    loss = criterion(outputs, targets)
    loss.backward()
    optimizer.step()
    optimizer.clear_grad()
    logits = outputs if isinstance(outputs, paddle.Tensor) else (outputs[0] + outputs[1]) / 2  # B K
    return loss.detach(), logits.detach()


def accuracy(logits, labels, topk=(1,)):
    """Share of samples whose label is among the k highest logits, for each k.

    Args:
        logits: [B, K]
        labels: [B] int64
        topk: the ks, each at most K.

    Returns:
        list of floats from 0 to 1, one for each k
    """
    _, best = logits.topk(max(topk), axis=1)  # B max(k), highest first
    hits = best == labels.unsqueeze(1)  # B max(k)
    return [hits[:, :k].astype("int64").sum().item() / labels.shape[0] for k in topk]
