"""What a classifier says to an image."""

import unicodedata

import numpy as np
import paddle
import paddle.nn.functional as F

from paddle_vit.visualize import TRAIN, displayed, finish, label, new_figure, without_ticks

_WIDTH = 36  # of a name, in Latin letters; a Chinese character is as wide as two


def top_classes(model, image, count=5):
    """The most probable classes of an image, computed in evaluation mode.

    Args:
        model: classifier, [B, in_channels, height, width] to logits [B, K].
        image: [in_channels, height, width], array or tensor, normalised as the model was trained.
        count: how many; all of them where there are fewer.

    Returns:
        list of (number, probability), the most probable class first
    """
    was_training = model.training
    model.eval()
    try:
        with paddle.no_grad():
            logits = model(paddle.to_tensor(np.asarray(image, dtype="float32")[None]))  # 1 K
            probabilities = F.softmax(logits, axis=-1)[0].numpy()  # K
    finally:
        if was_training:
            model.train()
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(int(number), float(probabilities[number])) for number in order]


def classes_picture(model, image, labels=None, count=5, path=None):
    """An image beside its most probable classes, each with a bar that is full at 100 %.

    Args:
        model, image, count: see top_classes.
        labels: dict from numbers of classes to their names, which may lack some; None for numbers alone.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    classes = top_classes(model, image, count)
    shown = displayed(image)

    figure = new_figure(8, max(3.2, 0.55 * len(classes) + 0.5))
    left, right = figure.subplots(1, 2, width_ratios=(3, 5))
    left.imshow(shown, cmap="gray", vmin=0, vmax=1)
    left.set_title(label("image", "图像"), fontsize=10)
    without_ticks(left)

    places = range(len(classes))
    right.barh(places, 1, height=0.3, color="#eeeeee")
    right.barh(places, [probability for _, probability in classes], height=0.3, color=TRAIN)
    for place, (number, probability) in zip(places, classes, strict=True):
        name = (labels or {}).get(number)
        text = label(f"class {number}", f"类别 {number}") if name is None else f"{number}  {_shortened(name)}"
        right.text(0, place - 0.2, text, fontsize=10, ha="left", va="bottom")
        right.text(1, place - 0.2, f"{probability:.1%}", fontsize=10, ha="right", va="bottom")
    right.set(xlim=(0, 1), ylim=(len(classes) - 0.7, -0.8))  # the first on top
    right.set_title(label("most probable classes", "最可能的类别"), fontsize=10)
    without_ticks(right, frame=False)
    return finish(figure, path)


def _shortened(name):
    """A name that fits beside a probability: ImageNet's have up to a hundred letters."""
    width = 0
    for position, letter in enumerate(name):
        width += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if width > _WIDTH:
            return name[:position].rstrip(" -,，、") + "…"
    return name
