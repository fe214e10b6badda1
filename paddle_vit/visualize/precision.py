"""Pictures of numbers in float16."""

import numpy as np
from matplotlib.ticker import PercentFormatter

from paddle_vit.visualize import TEST, TRAIN, finish, label, new_figure

LOST, ROUGH, GOOD, TOO_LARGE = TEST, "#ccbb44", TRAIN, "#aa3377"

# float16: from 2^-14 on eleven digits (binary), below it fewer and fewer, 2^-24 the smallest; 65504 is the largest
SMALLEST, NORMAL, LARGEST = -24, -14, 16


def float16_picture(gradients, scale, path=None):
    """How large the numbers of a backward pass are, and what float16 makes of them: as they are, and times scale.

    Numbers that are 0 before are left out.

    Args:
        gradients: list of arrays or tensors in float32, such as the gradients of all parameters.
        scale: what the scaler multiplies the loss by.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    values = np.abs(np.concatenate([np.asarray(gradient, dtype="float32").ravel() for gradient in gradients]))
    values = values[values > 0].astype("float64")
    low = min(np.floor(np.log2(np.quantile(values, 0.001))), SMALLEST - 6)  # the few below count as this size
    high = max(np.ceil(np.log2(values.max() * max(scale, 1))), LARGEST + 5)
    edges = np.arange(low, high + 1)
    names = [  # half of the smallest number and less is rounded to 0
        (low, SMALLEST - 1, LOST, label("becomes 0", "变成 0")),
        (SMALLEST - 1, NORMAL, ROUGH, label("few digits", "位数不足")),
        (NORMAL, LARGEST, GOOD, label("full precision", "精度完整")),
        (LARGEST, high, TOO_LARGE, label("infinity", "无穷大")),
    ]
    figure = new_figure(9, 4.6)
    panels = figure.subplots(2, 1, sharex=True, sharey=True)
    for axes, factor in zip(panels, (1, scale), strict=True):
        scaled = values * factor
        shares = np.histogram(np.log2(scaled).clip(low), edges)[0] / len(values)
        for first, last, colour, _ in names:
            axes.axvspan(first, last, color=colour, alpha=0.12, linewidth=0)
            inside = (edges[:-1] >= first) & (edges[:-1] < last)
            axes.bar(edges[:-1][inside], shares[inside], width=1, align="edge", color=colour)
        with np.errstate(over="ignore"):
            low_precision = scaled.astype("float16")
        lost, infinite = (low_precision == 0).mean(), np.isinf(low_precision).mean()
        what = label("as they are", "原样") if factor == 1 else label(f"times {factor:g}", f"乘以 {factor:g}")
        title = label(f"{what}: {lost:.1%} become 0", f"{what}：{lost:.1%} 变成 0")
        if infinite > 0:
            title += label(f", {infinite:.1%} become infinity", f"，{infinite:.1%} 变成无穷大")
        axes.set_title(title, fontsize=11, loc="left")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylabel(label("of all numbers", "占所有数"))
        axes.spines[["top", "right"]].set_visible(False)
    above = 1.3 * panels[0].get_ylim()[1]
    panels[0].set(xlim=(low, high), ylim=(0, above))
    for first, last, _, name in names:
        panels[0].text((first + last) / 2, 0.97 * above, name, ha="center", va="top", fontsize=9)
    ticks = (SMALLEST, NORMAL, 0, LARGEST)
    panels[1].set_xticks(ticks, [f"$2^{{{tick}}}$" for tick in ticks])
    panels[1].set_xlabel(label("size of the number", "数的大小 (绝对值)"))
    return finish(figure, path)
