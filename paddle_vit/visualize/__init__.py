"""Every picture of the course, one function each.

Each returns a matplotlib Figure and writes it where a path is given. None touches pyplot or its global state, so that
pictures can be made in a terminal, a test or a thread.
"""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# One colour for what was trained with, one for what was not; both are told apart by colour-blind readers
TRAIN, TEST = "#4477aa", "#cc6633"


def new_figure(width, height):
    """An empty figure of this size in inches, which arranges its axes by itself."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish(figure, path=None):
    """Write the figure as a PNG where there is a path; return it."""
    if path is not None:
        figure.savefig(path, format="png", dpi=150)
    return figure
