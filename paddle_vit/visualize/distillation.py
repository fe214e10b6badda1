"""Pictures of distillation: soft labels, what a teacher sees, and what it brings.

A name is a string, or a pair of strings, English and Chinese.
"""

from itertools import cycle

import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from paddle_vit.training.recipe import smooth_labels
from paddle_vit.visualize import TEST, TRAIN, finish, label, new_figure
from paddle_vit.visualize.augmentation import class_names, draw_image, pixels, shares
from paddle_vit.visualize.ideas import softmax
from paddle_vit.visualize.training import LINES

PALE = "#c3d0de"

# What a teacher may give for the photograph of a cat
ANIMALS = [("cat", "猫"), ("tiger", "虎"), ("dog", "狗"), ("horse", "马"), ("ship", "船"), ("lorry", "卡车")]
LOGITS = [9.0, 7.0, 6.0, 3.0, -2.0, -3.0]

# contender -> its names, its line and its marker
CONTENDERS = {
    "vit": (("ViT", "ViT"), "-", "o"),
    "vit_recipe": (("ViT, DeiT's recipe", "ViT，DeiT 的配方"), "-", "s"),
    "deit_soft": (("DeiT, soft distillation", "DeiT，软蒸馏"), "-", "^"),
    "deit_hard": (("DeiT, hard distillation", "DeiT，硬蒸馏"), "-", "D"),
    "teacher": (("the teacher", "教师模型"), "--", "v"),
}


# variants of the recipe deit_digits, as benchmarks/deit_digits.py stores them
VARIANTS = {
    "full": ("the whole recipe", "完整的配方"),
    "soft distillation": ("soft distillation", "改用软蒸馏"),
    "no distillation": ("no distillation (ViT)", "不蒸馏 (ViT)"),
    "no augmentation": ("no RandAugment", "不用 RandAugment"),
    "no mixup and cutmix": ("no mixup, no CutMix", "不用 mixup 和 CutMix"),
    "no stochastic depth": ("no stochastic depth", "不用随机深度"),
    "label smoothing": ("+ label smoothing", "+ 标签平滑"),
    "random erasing": ("+ random erasing", "+ 随机擦除"),
}


def draw_probabilities(axes, probabilities, colours=TRAIN, room=1.3):
    """Bars from top to bottom, each with its number; room is where the axis ends, 1 is the longest bar."""
    places = np.arange(len(probabilities))
    axes.barh(places, probabilities, color=colours, height=0.7)
    for place, value in zip(places, probabilities, strict=True):
        axes.text(value + 0.03, place, f"{value:.2f}", va="center", fontsize=8)
    axes.set(xlim=(0, room), xticks=[0, 0.5, 1])
    axes.set_xticklabels(["0", "0.5", "1"], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)


def name_bars(axes, names):
    """The names of the bars at the left; the first bar is the highest."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)


def temperature_picture(logits=None, temperatures=(0.5, 1, 3, 10), names=None, path=None):
    """The logits of one image, and the softmax of logits / temperature at several temperatures.

    Args:
        logits: [K], array or tensor; None for those that a teacher may give for a cat.
        temperatures: numbers above 0, five at most.
        names: of the K classes; None for their numbers.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    if logits is None:
        logits, names = LOGITS, ANIMALS if names is None else names
    logits = np.asarray(logits, dtype="float64")
    names = class_names(names, len(logits))
    figure = new_figure(9, 0.26 * len(logits) + 1.0)
    first, *panels = figure.subplots(1, 1 + len(temperatures), sharey=True)
    first.barh(range(len(logits)), logits, color="#777777", height=0.7)
    first.axvline(0, color="black", linewidth=0.8)
    for place, value in enumerate(logits):
        first.text(max(value, 0) + 0.03 * np.ptp(logits), place, f"{value:.3g}", va="center", fontsize=8)
    first.margins(x=0.2)
    first.set_title("logits", fontsize=10)
    first.tick_params(axis="x", labelsize=8)
    first.spines[["top", "right"]].set_visible(False)
    name_bars(first, names)
    for axes, temperature in zip(panels, temperatures, strict=True):
        draw_probabilities(axes, softmax(logits / temperature))
        axes.set_title(label(f"temperature {temperature:g}", f"温度 {temperature:g}"), fontsize=10)
    return finish(figure, path)


def smoothing_picture(path=None):
    """Three labels for the photograph of a cat: one-hot, smoothed by 0.1, and a teacher's soft label.

    Args:
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    kept = [0, 1, 2, 3, 5]  # five classes
    names = class_names([ANIMALS[number] for number in kept], 5)
    smoothed = smooth_labels(np.array([0]), 5, 0.1)[0]
    teacher = softmax(np.array(LOGITS)[kept] / 2)
    panels = [
        (
            np.eye(5)[0],
            label("one-hot (hard label)", "one-hot (硬标签)"),
            label("all to one class", "全部给一类"),
        ),
        (
            smoothed,
            label("label smoothing by 0.1", "标签平滑 0.1"),
            label("0.1 is spread evenly over all", "把 0.1 平均分给各类"),
        ),
        (
            teacher,
            label("a teacher's soft label, temperature 2", "教师模型的软标签，温度 2"),
            label("more to what looks more like a cat", "越像猫，分得越多"),
        ),
    ]
    figure = new_figure(9, 2.5)
    for number, (axes, (probabilities, title, below)) in enumerate(
        zip(figure.subplots(1, 3, sharey=True), panels, strict=True)
    ):
        draw_probabilities(axes, probabilities, room=1.2)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(below, fontsize=9)
        if number == 0:
            name_bars(axes, names)
    return finish(figure, path)


def teacher_picture(images, labels, probabilities, names=None, path=None):
    """Images, above each its label, below it the probabilities that a teacher gives.

    The teacher's highest class is dark blue where it is that of the label, and orange where it is another. Of more than
    twelve classes the twelve are drawn to which the labels or the teacher give most.

    Args:
        images: list of images (see augmentation.py), or [N, channels, height, width]; up to eight.
        labels: [N] class numbers, or [N, K] mixed targets, of which the largest counts.
        probabilities: [N, K] of the teacher, array or tensor.
        names: of the K classes; None for their numbers.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    shown, labels, probabilities = pixels(images), np.asarray(labels), np.asarray(probabilities)
    count, num_classes = probabilities.shape
    targets = np.eye(num_classes)[labels] if labels.ndim == 1 else labels  # N K
    names = class_names(names, num_classes)
    words = [names[number] for number in labels] if labels.ndim == 1 else [shares(each, names) for each in targets]
    chosen = np.sort(np.argsort(-np.maximum(targets, probabilities).max(axis=0), kind="stable")[:12])

    columns = max(count, 4)
    lines = max(text.count("\n") for text in words) + 1
    ratios = [7.6 / columns * shown[0].shape[0] / shown[0].shape[1], 0.17 * len(chosen) + 0.1]
    figure = new_figure(9, sum(ratios) + 0.16 * lines + 1.0)
    panels = figure.subplots(2, columns, sharey="row", height_ratios=ratios)
    for axes, bars, image, text, target, given in zip(
        *panels[:, :count], shown, words, targets, probabilities, strict=True
    ):
        draw_image(axes, image)
        axes.set_title(text, fontsize=9)
        taken = given.argmax()
        colour = TRAIN if taken == target.argmax() else TEST
        bars.barh(
            range(len(chosen)), given[chosen], color=[colour if n == taken else PALE for n in chosen], height=0.75
        )
        bars.set(xlim=(0, 1), xticks=[])
        bars.spines[["top", "right", "bottom"]].set_visible(False)
        bars.set_xlabel(f"{names[taken]}\n{given[taken]:.2f}", fontsize=9, color=colour)
    panels[0, 0].set_ylabel(label("label", "标签"), fontsize=10)
    panels[1, 0].set_ylabel(label("teacher", "教师模型"), fontsize=10)
    name_bars(panels[1, 0], [names[number] for number in chosen])
    panels[1, 0].tick_params(axis="y", labelsize=8)
    for axes in panels[:, count:].ravel():
        axes.set_axis_off()
    wrong = sum(given.argmax() != target.argmax() for given, target in zip(probabilities, targets, strict=True))
    explained = label(
        f"orange: the teacher sees another class than the {'label' if labels.ndim == 1 else 'larger part of the label'}"
        f" ({wrong} of {count})",
        f"橙色：教师模型看到的类别与{'标签' if labels.ndim == 1 else '标签中占比最大的类别'}不同 "
        f"({count} 张中有 {wrong} 张)",
    )
    figure.supxlabel(explained, fontsize=9)
    return finish(figure, path)


def data_efficiency_picture(table, own=None, path=None):
    """Test accuracy over the number of training images: a line for each contender, mean and standard deviation of seeds.

    The standard deviation is that of a sample, with n - 1. One seed has none.

    Args:
        table: list of dicts with contender (a key of CONTENDERS, or any name), train_images, seed and test_accuracy.
        own: {contender: (images, accuracy)}, drawn as stars on top.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    runs = {}  # contender -> images -> accuracies
    for row in table:
        sizes = runs.setdefault(row["contender"], {})
        sizes.setdefault(int(row["train_images"]), []).append(float(row["test_accuracy"]))
    runs = {name: runs[name] for name in [*CONTENDERS, *runs] if name in runs}  # the known ones first, in their order
    looks = contender_looks([*runs, *(own or {})])
    figure = new_figure(9, 4.2)
    axes = figure.subplots()
    drawn = []
    for contender, sizes in runs.items():
        name, colour, line, marker = looks[contender]
        images, accuracies = zip(*sorted(sizes.items()), strict=True)
        means = np.array([np.mean(each) for each in accuracies])
        spreads = np.array([np.std(each, ddof=1) if len(each) > 1 else 0.0 for each in accuracies])
        axes.fill_between(images, means - spreads, means + spreads, color=colour, alpha=0.12, linewidth=0)
        style = dict(color=colour, linestyle=line, marker=marker, markersize=5, capsize=4)
        drawn.append(axes.errorbar(images, means, yerr=spreads, label=name, **style))
    for contender, (size, accuracy) in (own or {}).items():
        name, colour, *_ = looks[contender]
        name = label(f"yours, {accuracy:.1%}:\n{name}", f"你的，{accuracy:.1%}：\n{name}")
        style = dict(color=colour, marker="*", markersize=13, markeredgecolor="black", linestyle="none", zorder=5)
        drawn += axes.plot([size], [accuracy], label=name, **style)
    ticks = sorted({size for sizes in runs.values() for size in sizes})
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [str(size) for size in ticks])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel(label("training images", "训练图像的数量"))
    axes.set_title(label("accuracy on the test images", "测试图像上的准确率"), loc="left")
    axes.legend(handles=drawn, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    seeds = {len(each) for sizes in runs.values() for each in sizes.values()}
    if max(seeds) > 1:
        number = f"{max(seeds)}" if len(seeds) == 1 else f"{min(seeds)}-{max(seeds)}"
        explained = label(
            f"lines: mean of {number} seeds; bars and bands: ± one standard deviation",
            f"线：{number} 个随机种子的平均值；误差线和色带：± 一个标准差",
        )
        figure.supxlabel(explained, fontsize=9)
    return finish(figure, path)


def contender_looks(contenders):
    """{contender: (name, colour, line, marker)}; one that CONTENDERS does not know is shown by its key."""
    looks = {
        key: (label(*names), colour, line, marker)
        for (key, (names, line, marker)), colour in zip(CONTENDERS.items(), LINES, strict=False)
    }
    others = cycle(["#66ccee", "#ccbb44", "#000000"])
    for contender in contenders:
        if contender not in looks:
            looks[contender] = (contender, next(others), "-", "o")
    return looks


def ablation_picture(table, path=None):
    """What the accuracy becomes when a part of the recipe is left out or added: a dot for each run, a line at their mean.

    The dashed line is the mean of the whole recipe, the band its standard deviation (with n - 1).

    Args:
        table: list of dicts with variant (a key of VARIANTS; "full" has to be there) and test_accuracy.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    accuracies = {}  # variant -> of its runs
    for row in table:
        accuracies.setdefault(row["variant"], []).append(row["test_accuracy"])
    rows = [(*names, accuracies[variant]) for variant, names in VARIANTS.items() if variant in accuracies]
    figure = new_figure(9, 0.36 * len(rows) + 1.1)
    axes = figure.subplots()
    means = [float(np.mean(accuracies)) for *_, accuracies in rows]
    whole = rows[0][2]
    spread = np.std(whole, ddof=1) if len(whole) > 1 else 0.0
    axes.axvspan(means[0] - spread, means[0] + spread, color=TRAIN, alpha=0.12, linewidth=0)
    axes.axvline(means[0], color=TRAIN, linestyle="--", linewidth=1)
    for place, ((_, _, accuracies), mean) in enumerate(zip(rows, means, strict=True)):
        colour = TRAIN if place == 0 else TEST
        axes.plot(accuracies, [place] * len(accuracies), "o", color=colour, markersize=5, alpha=0.6, zorder=3)
        (line,) = axes.plot([mean, mean], [place - 0.3, place + 0.3], color=colour, linewidth=2.5)
        line.set_path_effects([withStroke(linewidth=4, foreground="white")])
        change = "" if place == 0 else f"  ({100 * (mean - means[0]):+.1f})"
        text = f"{mean:.1%}{change}"
        axes.annotate(text, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=9, color=colour)
    name_bars(axes, [label(english, chinese) for english, chinese, _ in rows])
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(alpha=0.3, axis="x")
    axes.spines[["top", "right"]].set_visible(False)
    title = label(
        "accuracy on the test images: each run, and the mean (points of difference)",
        "测试图像上的准确率：每次训练，以及平均值 (括号里是相差的百分点)",
    )
    axes.set_title(title, loc="left", fontsize=10)
    return finish(figure, path)
