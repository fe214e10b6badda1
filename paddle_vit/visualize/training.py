"""Pictures of training runs."""

from itertools import cycle

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from paddle_vit.visualize import TEST, TRAIN, displayed, finish, label, new_figure, without_ticks

# Lines of several runs, told apart by colour-blind readers
LINES = [TRAIN, TEST, "#228833", "#aa3377", "#777777", "#66ccee"]


def learning_curve(history, path=None):
    """Loss and accuracy over the epochs of a run.

    Args:
        history: Result.history, a list of dicts with epoch, loss, train_accuracy and, in some, test_accuracy.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    figure = new_figure(9, 3.4)
    loss, accuracy = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    tested = [row for row in history if "test_accuracy" in row]
    marker = "o" if len(history) == 1 else None  # a line of one point cannot be seen

    loss.plot(epochs, [row["loss"] for row in history], color=TRAIN, marker=marker)
    loss.set_yscale("log")
    loss.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    loss.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))  # 0.02 and not 2 x 10^-2
    loss.yaxis.set_minor_locator(NullLocator())
    loss.set_title(label("training loss", "训练损失"), loc="left")

    train = [row["train_accuracy"] for row in history]
    name = label(f"training images: {train[-1]:.1%}", f"训练图像：{train[-1]:.1%}")
    accuracy.plot(epochs, train, color=TRAIN, marker=marker, label=name)
    if tested:
        test = [row["test_accuracy"] for row in tested]
        name = label(f"test images: {test[-1]:.1%}", f"测试图像：{test[-1]:.1%}")
        accuracy.plot([row["epoch"] for row in tested], test, color=TEST, marker="o", markersize=4, label=name)
    accuracy.set_ylim(0.0, 1.02)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    accuracy.set_title(label("accuracy", "准确率"), loc="left")
    accuracy.legend(loc="best", frameon=False)

    for axes in (loss, accuracy):
        draw_epochs(axes, epochs[-1])
    return finish(figure, path)


def draw_epochs(axes, last):
    """An x axis of epochs from 1 to last."""
    axes.set_xlabel(label("epoch", "轮次 (epoch)"))
    axes.set_xlim(0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def compare_picture(runs, path=None):
    """Test accuracy over the epochs of several runs; each line ends with its name and last accuracy.

    Args:
        runs: {name: Result.history}; there are colours for six.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    figure = new_figure(7.5, 3.8)
    axes = figure.subplots()
    ends = []
    for (name, history), colour in zip(runs.items(), cycle(LINES), strict=False):
        tested = [(row["epoch"], row["test_accuracy"]) for row in history if "test_accuracy" in row]
        axes.plot(*zip(*tested, strict=True), color=colour, marker="o", markersize=4)
        ends.append((*tested[-1], name, colour))
    draw_epochs(axes, max(epoch for epoch, *_ in ends))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title(label("accuracy on the test images", "测试图像上的准确率"), loc="left")

    low, high = axes.get_ylim()
    highest = high  # where the next name may stand without lying on the one above it
    for _, accuracy, name, colour in sorted(ends, key=lambda end: -end[1]):
        height = min(accuracy, highest)
        highest = height - 0.075 * (high - low)
        place = (1.02, (height - low) / (high - low))
        axes.annotate(f"{name}  {accuracy:.1%}", place, xycoords="axes fraction", color=colour, va="center")
    return finish(figure, path)


def confusion_picture(labels, predictions, names=None, path=None):
    """How often images of each class (rows) were given each class (columns).

    The diagonal, what is right, has no colour; the more often an error, the stronger its colour. Up to 20 classes the
    counts are written into the cells.

    Args:
        labels, predictions: [N] class numbers.
        names: of the classes; None for their numbers.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    num_classes = len(names) if names is not None else int(max(labels.max(), predictions.max())) + 1
    counts = np.zeros((num_classes, num_classes), dtype=int)
    np.add.at(counts, (labels, predictions), 1)
    errors = np.where(np.eye(num_classes, dtype=bool), 0, counts)

    side = min(2.6 + 0.36 * num_classes, 9)
    figure = new_figure(side, side)
    axes = figure.subplots()
    darkest = max(errors.max(), 1) * 1.5  # never so dark that black numbers are lost
    axes.imshow(np.ma.masked_equal(errors, 0), cmap="Oranges", vmin=0, vmax=darkest)
    if num_classes <= 20:
        ticks = range(num_classes)
        for row, column in np.argwhere(counts):
            colour = "#888888" if row == column else "black"
            axes.text(column, row, str(counts[row, column]), color=colour, fontsize=9, ha="center", va="center")
    else:
        ticks = range(0, num_classes, 10)
    shown = [str(tick if names is None else names[tick]) for tick in ticks]
    turned = 90 if max(len(each) for each in shown) > 3 else 0
    axes.set_xticks(ticks, shown, rotation=turned)
    axes.set_yticks(ticks, shown)
    axes.set(xlabel=label("predicted", "预测类别"), ylabel=label("true class", "真实类别"))
    right = int((labels == predictions).sum())
    share = f"{right / len(labels):.1%}"
    text = label(f"accuracy {share}: {right} of {len(labels)}", f"准确率 {share}：{len(labels)} 张中对了 {right} 张")
    figure.suptitle(text, fontsize=11)
    return finish(figure, path)


def mistakes_picture(images, labels, predictions, path=None):
    """The first ten images that were given a wrong class, each with its class and what it was taken for.

    Args:
        images: [N, channels, height, width], array or tensor, in any range of values.
        labels, predictions: [N] class numbers.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    images, labels, predictions = np.asarray(images), np.asarray(labels), np.asarray(predictions)
    wrong = np.flatnonzero(labels != predictions)
    shown = wrong[:10]
    rows = 2 if len(shown) > 5 else 1
    figure = new_figure(7.5, 1.85 * rows + 0.4)
    count, total = len(wrong), len(labels)
    title = label(f"{count} mistakes in {total} images", f"{total} 张图像中错了 {count} 张")
    if count > len(shown):
        title += label(f", {len(shown)} of them", f"，这里是其中 {len(shown)} 张")
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(rows, 5).ravel()
    for axes, number in zip(panels, shown, strict=False):
        axes.imshow(displayed(images[number]), cmap="gray", vmin=0, vmax=1)
        true, taken = labels[number], predictions[number]
        axes.set_title(label(f"{true} as {taken}", f"{true} 看成 {taken}"), fontsize=10)
        without_ticks(axes, frame=False)
    for unused in panels[len(shown) :]:
        unused.set_axis_off()
    return finish(figure, path)
