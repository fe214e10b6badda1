"""Every picture of the course, one function each.

Each returns a matplotlib Figure and writes it where a path is given. None touches pyplot or its global state, so that
pictures can be made in a terminal, a test or a thread.
"""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from paddle_vit.visualize.labels import allow_chinese, label

__all__ = ["TEST", "TRAIN", "displayed", "finish", "label", "new_figure", "without_ticks"]

# One colour for what was trained with, one for what was not; both are told apart by colour-blind readers
TRAIN, TEST = "#4477aa", "#cc6633"


def new_figure(width, height):
    """An empty figure of this size in inches, which arranges its axes by itself."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish(figure, path=None):
    """Write the figure as a PNG where there is a path; return it."""
    allow_chinese(figure)
    if path is not None:
        figure.savefig(path, format="png", dpi=150)
    return figure


def displayed(image):
    """An image as imshow wants it: darkest 0, brightest 1.

    Args:
        image: [channels, height, width], array or tensor, in any range of values.

    Returns:
        [height, width, 3] of three channels; otherwise [height, width], the mean of the channels
    """
    image = np.asarray(image, dtype="float32")
    image = image.transpose(1, 2, 0) if len(image) == 3 else image.mean(axis=0)
    low, high = image.min(), image.max()
    return (image - low) / (high - low) if low < high else np.zeros_like(image)


def without_ticks(axes, frame=True):
    """Take away the numbers at the axes, and the lines around them where there shall be no frame."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(frame)
