"""One step of training, and how to count what it got right."""

import paddle.nn.functional as F


def train_step(model, images, labels, optimizer):
    """Forward, loss, backward, update.

    Args:
        model: nn.Layer, images to logits [B, K].
        images: [B, in_channels, height, width] float32
        labels: [B] int64, from 0 to K - 1.
        optimizer: updates the model's parameters, with gradients cleared.

    Returns:
        loss: the mean cross-entropy before the update, without axes
        logits: [B, K] before the update; both detached
    """
    logits = model(images)  # B K
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    optimizer.step()
    optimizer.clear_grad()
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
