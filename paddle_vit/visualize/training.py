"""Pictures of training runs."""

from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from paddle_vit.visualize import TEST, TRAIN, finish, new_figure


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
    loss.set_title("training loss (cross-entropy)", loc="left")

    train = [row["train_accuracy"] for row in history]
    accuracy.plot(epochs, train, color=TRAIN, marker=marker, label=f"training images: {train[-1]:.1%}")
    if tested:
        test = [row["test_accuracy"] for row in tested]
        accuracy.plot(
            [row["epoch"] for row in tested],
            test,
            color=TEST,
            marker="o",
            markersize=4,
            label=f"test images: {test[-1]:.1%}",
        )
    accuracy.set_ylim(0.0, 1.02)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    accuracy.set_title("accuracy", loc="left")
    accuracy.legend(loc="best", frameon=False)

    for axes in (loss, accuracy):
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, epochs[-1] + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return finish(figure, path)
