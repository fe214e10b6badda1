"""What the tests of the pictures share: inputs, and whether a picture can be read."""

import itertools

import numpy as np
import paddle
from matplotlib.image import imread
from matplotlib.text import Text

from paddle_vit.models import VisionTransformer


def history(epochs, every=5):
    rows = [dict(epoch=e, loss=2.3 * 0.9**e, train_accuracy=1 - 0.9**e) for e in range(1, epochs + 1)]
    for row in rows[every - 1 :: every] + rows[-1:]:
        row["test_accuracy"] = row["train_accuracy"] - 0.01
    return rows


def model(**changes):
    paddle.seed(3)
    sizes = dict(
        image_size=(6, 10), patch_size=2, in_channels=1, num_classes=7, embed_dim=12, depth=3, num_heads=2, dropout=0.2
    )
    vit = VisionTransformer(**{**sizes, **changes})
    rng = np.random.Generator(np.random.PCG64(1))
    for parameter in vit.parameters():  # from the initial values attention is almost uniform
        parameter.set_value(paddle.to_tensor((0.5 * rng.standard_normal(parameter.shape)).astype("float32")))
    return vit


def image(height=6, width=10):
    rows, columns = np.mgrid[:height, :width]
    return (np.hypot(rows - 2.0, columns - 4.0) < 2.5).astype("float32")[None] * 2 - 1  # 1 height width


def noise(*shape):
    return np.random.Generator(np.random.PCG64(5)).random(shape).astype("float32")


def check_png(path, figure, least_width):
    pixels = imread(path)
    assert pixels.shape[1] >= least_width and pixels.shape[0] > 180
    assert pixels[..., :3].std() > 0.05, "an empty picture"
    check_texts(figure)


def words(figure):
    """Every text that somebody wrote, tick labels included."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def cell_texts(axes):
    """{(x, y) of the middle: what is written there}."""
    return {text.get_position(): text.get_text() for text in axes.texts}


def check_texts(figure):
    """Every text is inside the figure, none lies on another, none is smaller than 8 points."""
    figure.draw_without_rendering()
    boxes = {text: text.get_window_extent() for text in (figure._suptitle, figure._supxlabel) if text}
    for axes in (axes for axes in figure.axes if axes.axison):
        texts = [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        ticks = {axis: axis.get_ticklabels(which="both") for axis in (axes.xaxis, axes.yaxis)}
        texts += [*ticks[axes.xaxis], *ticks[axes.yaxis]]
        texts += axes.get_legend().get_texts() if axes.get_legend() else []
        for text in texts:
            x, y = text.get_position()
            # matplotlib keeps tick labels beyond the ends and does not draw them
            left, right = sorted(axes.get_xlim()) if text in ticks[axes.xaxis] else (-np.inf, np.inf)
            low, high = sorted(axes.get_ylim()) if text in ticks[axes.yaxis] else (-np.inf, np.inf)
            if text.get_text() and text.get_visible() and left <= x <= right and low <= y <= high:
                boxes[text] = text.get_window_extent()
    assert boxes
    for text, box in boxes.items():
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, f"{text.get_text()!r} is cut off"
        assert text.get_fontsize() >= 8, f"{text.get_text()!r} is small"
    for (one, box), (other, other_box) in itertools.combinations(boxes.items(), 2):
        assert not box.overlaps(other_box), f"{one.get_text()!r} lies on {other.get_text()!r}"
