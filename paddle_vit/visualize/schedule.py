"""Pictures of initial values, the learning rate, stochastic depth and moving averages."""

import math
from itertools import cycle

import numpy as np
import paddle
import paddle.nn as nn
from matplotlib.colors import ListedColormap
from matplotlib.ticker import PercentFormatter

from paddle_vit.models.layers import trunc_normal_
from paddle_vit.visualize import TEST, TRAIN, finish, label, new_figure
from paddle_vit.visualize.training import LINES, draw_epochs

CUT, GRAY = "#228833", "#bbbbbb"

# Table 9 of the DeiT paper: 5e-4 for a batch of 512, batches of 1024; the minimum is that of the authors' code
EPOCHS, WARMUP_EPOCHS, PEAK, MINIMUM = 300, 5, 5e-4 * 1024 / 512, 1e-5


def truncated_normal_picture(samples, std=1.0, path=None):
    """A histogram of samples, the normal density and the density cut at two standard deviations.

    Args:
        samples: numbers that were drawn, of any shape, array or tensor.
        std: standard deviation of the normal distribution, before the cut.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    samples = np.asarray(samples, dtype="float64").ravel()
    x = np.linspace(-3.5 * std, 3.5 * std, 701)
    density = np.exp(-0.5 * (x / std) ** 2) / (std * math.sqrt(2 * math.pi))
    inside = math.erf(math.sqrt(2))  # 0.954, the share within two standard deviations
    cut_std = std * math.sqrt(1 - 4 * math.exp(-2) / (math.sqrt(2 * math.pi) * inside))
    cut = np.where(np.abs(x) <= 2 * std, density / inside, 0.0)
    figure = new_figure(7.5, 3.6)
    axes = figure.subplots()
    edges = np.linspace(-3.5 * std, 3.5 * std, 71)
    counts, _ = np.histogram(samples, edges)
    axes.stairs(
        counts / (len(samples) * (edges[1] - edges[0])), edges, fill=True, color=GRAY, label=label("samples", "样本")
    )
    axes.plot(x, density, color=TEST, linestyle="--", label=label("normal", "正态分布"))
    axes.plot(x, cut, color=TRAIN, label=label("cut at ±2 std", "在 ±2 倍标准差处截断"))
    axes.set_title(
        label(
            f"standard deviation: normal {std:.3g}, cut {cut_std:.3g}, these samples {samples.std():.3g}",
            f"标准差：正态 {std:.3g}，截断后 {cut_std:.3g}，这些样本 {samples.std():.3g}",
        ),
        fontsize=11,
    )
    axes.set(xlim=(x[0], x[-1]), ylim=(0, None), ylabel=label("density", "密度"))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return finish(figure, path)


def initial_values_picture(path=None):
    """Three ways to fill the weights of a Linear, and the spread of what comes out of 12 of them in a row.

    Each layer is Linear(256, 256) without bias and a ReLU. The spread is the standard deviation of the 256 numbers of a
    sample, mean over 256 samples. The fourth line has a LayerNorm before each Linear, as the encoder of a ViT has.

    Args:
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    width, depth = 256, 12
    fills = [
        ("Kaiming", "Kaiming", nn.initializer.KaimingNormal(), TRAIN, "o"),
        ("constant 0.02", "常数 0.02", nn.initializer.Constant(0.02), CUT, "s"),
        ("truncated normal, 0.02", "截断正态，0.02", trunc_normal_, TEST, "^"),
    ]
    state = paddle.get_rng_state()
    paddle.seed(3)
    start = paddle.randn([256, width])
    weights = [[weight_matrix(width, fill) for _ in range(depth)] for *_, fill, _, _ in fills]
    paddle.set_rng_state(state)

    figure = new_figure(9, 5.2)
    panels = figure.subplot_mosaic([["0", "1", "2"], ["below"] * 3], height_ratios=[1, 1.5])
    below = panels["below"]
    edges = np.linspace(-0.305, 0.305, 62)  # 0.02 is in the middle of a bin
    for number, ((english, chinese, _, colour, marker), matrices) in enumerate(zip(fills, weights, strict=True)):
        axes, values, name = panels[str(number)], matrices[0].numpy(), label(english, chinese)
        axes.stairs(np.histogram(values, edges)[0] / values.size, edges, fill=True, color=colour)
        spread = f"{values.std():.3f}"
        axes.set_title(label(f"{name}\nstandard deviation {spread}", f"{name}\n标准差 {spread}"), fontsize=10)
        axes.set(xlim=(-0.32, 0.32), xticks=[-0.2, 0, 0.2], yticks=[], ylim=(0, None))
        axes.spines[["top", "right", "left"]].set_visible(False)
        below.plot(spreads_after(start, matrices), color=colour, marker=marker, markersize=4, label=name)
    name = label("truncated normal, 0.02, with LayerNorm before each", "截断正态，0.02，每层之前有 LayerNorm")
    normed = spreads_after(start, weights[-1], nn.functional.layer_norm)
    below.plot(normed, color="#aa3377", linestyle="--", marker="v", markersize=4, label=name)
    panels["0"].set_ylabel(label("number of weights", "权重的个数"))
    below.set_yscale("symlog", linthresh=1e-8, linscale=0.7)
    below.set(yticks=[0, 1e-8, 1e-6, 1e-4, 1e-2, 1], ylim=(-4e-9, 8), xticks=range(depth + 1))
    below.minorticks_off()
    below.set_xlabel(label("layers (Linear and ReLU) so far", "经过的层数 (Linear 和 ReLU)"))
    below.set_title(
        label("spread of the activations: their standard deviation", "激活值的分散程度：标准差"), fontsize=10
    )
    below.grid(alpha=0.3)
    below.legend(loc="lower left", bbox_to_anchor=(0.13, 0.1), frameon=False, fontsize=9)
    below.spines[["top", "right"]].set_visible(False)
    return finish(figure, path)


def weight_matrix(width, fill):
    """A tensor [width, width], filled by an initializer of Paddle or a function that fills in place."""
    matrix = paddle.create_parameter([width, width], "float32")
    fill(matrix)
    return matrix.detach()


def spreads_after(x, matrices, norm=None):
    """Standard deviation over the channels, mean over the samples: of x, and after each matrix and ReLU."""
    spreads = [x.numpy().std(axis=-1).mean()]
    for matrix in matrices:
        x = x if norm is None else norm(x, x.shape[-1:])
        x = nn.functional.relu(x @ matrix)
        numbers = x.numpy()
        all_equal = np.ptp(numbers, axis=-1).max() <= 1e-5 * numbers.max()  # but for rounding
        spreads.append(0.0 if all_equal else numbers.std(axis=-1).mean())
    return spreads


def schedule_picture(learning_rate_at, path=None):
    """The learning rate over the 300 epochs of DeiT (table 9 of its paper), and its first ten epochs.

    Args:
        learning_rate_at: function of progress (0 to 1), peak, warmup (a share of the run) and minimum, in this order.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    epochs = np.linspace(0, EPOCHS, 10 * EPOCHS + 1)
    rates = np.array([learning_rate_at(each / EPOCHS, PEAK, WARMUP_EPOCHS / EPOCHS, MINIMUM) for each in epochs])
    highest = int(rates.argmax())
    peak, end = (np.format_float_positional(rate, 3, fractional=False, trim="-") for rate in (rates.max(), rates[-1]))
    figure = new_figure(9, 3.4)
    whole, start = figure.subplots(1, 2, width_ratios=[2, 1], sharey=True)
    for axes, last in ((whole, EPOCHS), (start, 2 * WARMUP_EPOCHS)):
        axes.axvspan(0, WARMUP_EPOCHS, color=TEST, alpha=0.15, linewidth=0)
        shown = epochs <= last
        axes.plot(epochs[shown], rates[shown], color=TRAIN, linewidth=2)
        axes.set(xlim=(0, last), xlabel=label("epoch", "轮次 (epoch)"), ylim=(0, 1.12 * PEAK))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    whole.set_xticks(range(0, EPOCHS + 1, 50))
    whole.plot(epochs[highest], rates[highest], "o", color=TRAIN)
    whole.plot(epochs[-1], rates[-1], "o", color=TRAIN, clip_on=False)
    whole.annotate(
        label(f"peak {peak} = 0.0005 x 1024 / 512", f"峰值 {peak} = 0.0005 x 1024 / 512"),
        (epochs[highest], rates[highest]),
        xytext=(10, 4),
        textcoords="offset points",
        fontsize=9,
    )
    whole.annotate(
        label(f"end {end}", f"结束 {end}"),
        (epochs[-1], rates[-1]),
        xytext=(-4, 14),
        textcoords="offset points",
        ha="right",
        fontsize=9,
    )
    whole.set_title(label("learning rate: warm-up, then half a cosine", "学习率：预热，然后半个余弦"), fontsize=11)
    start.set_title(label(f"warm-up: {WARMUP_EPOCHS} epochs", f"预热：{WARMUP_EPOCHS} 轮"), fontsize=11)
    return finish(figure, path)


def drop_path_picture(kept, path=None):
    """Which samples of a batch keep their branch in which layer, and which share of the batch that is.

    Args:
        kept: [layers, B] true or false, array or tensor.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    kept = np.asarray(kept).astype(bool)
    layers, batch = kept.shape
    figure = new_figure(9, 0.22 * layers + 1.2)
    samples, share = figure.subplots(1, 2, width_ratios=[4, 1], sharey=True)
    samples.imshow(
        ~kept, cmap=ListedColormap(["#d5e0ea", TEST]), vmin=0, vmax=1, aspect="auto", interpolation="nearest"
    )
    samples.set_xlabel(label("samples of the batch", "batch 里的样本"))
    samples.set(ylabel=label("layer", "层"), yticks=range(layers), ylim=(layers - 0.5, -0.5))
    dropped = int((~kept).sum())
    title = label(
        f"orange: the branch is dropped ({dropped} of {kept.size})",
        f"橙色：分支被丢掉 ({kept.size} 个中有 {dropped} 个)",
    )
    samples.set_title(title, fontsize=11)
    share.barh(range(layers), kept.mean(axis=1), color=TRAIN, height=0.7)
    for layer, value in enumerate(kept.mean(axis=1)):
        share.text(value + 0.03, layer, f"{value:.3f}", va="center", fontsize=8)
    share.set(xlim=(0, 1.45), xticks=[0, 0.5, 1])
    share.set_title(label("share kept", "保留的比例"), fontsize=11)
    share.spines[["top", "right"]].set_visible(False)
    return finish(figure, path)


def ema_picture(values, averages, path=None):
    """A sequence of numbers and its exponential moving averages.

    Args:
        values: [steps]
        averages: {decay: [steps]}
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    figure = new_figure(9, 3.4)
    axes = figure.subplots()
    axes.plot(np.asarray(values), color=GRAY, linewidth=1, label=label("weight", "权重"))
    for (decay, average), colour, style in zip(averages.items(), cycle(LINES), cycle(["-", "--", "-."]), strict=False):
        name = label(f"average, decay {decay:g}", f"滑动平均，衰减率 {decay:g}")
        axes.plot(np.asarray(average), color=colour, linestyle=style, linewidth=2, label=name)
    axes.set_xlabel(label("step", "步"))
    axes.set_ylabel(label("value", "值"))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return finish(figure, path)


def ema_runs_picture(history, path=None):
    """Test accuracy of the weights themselves and of their moving average, over the epochs of one run.

    Args:
        history: Result.history, a list of dicts with epoch and, in some, test_accuracy, that of the averaged weights, and
            test_accuracy_raw, that of the weights themselves.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    figure = new_figure(7.5, 3.6)
    axes = figure.subplots()
    kinds = [
        ("test_accuracy_raw", label("weights", "权重本身"), TEST, "o"),
        ("test_accuracy", label("moving average", "滑动平均"), TRAIN, "s"),
    ]
    for key, name, colour, marker in kinds:
        points = [(row["epoch"], row[key]) for row in history if key in row]
        if points:
            style = dict(color=colour, marker=marker, markersize=4)
            last = f"{points[-1][1]:.1%}"
            axes.plot(*zip(*points, strict=True), label=label(f"{name}: {last}", f"{name}：{last}"), **style)
    draw_epochs(axes, history[-1]["epoch"])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title(label("accuracy on the test images", "测试图像上的准确率"), loc="left")
    axes.legend(loc="lower right", frameon=False)
    return finish(figure, path)
