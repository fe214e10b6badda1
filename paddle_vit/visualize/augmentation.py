"""Pictures of data augmentation: images before and after, and what becomes of their labels.

An image is a PIL image (L or RGB) or [channels, height, width], array or tensor. A name or title is a string, or a pair
of strings, English and Chinese.
"""

import math

import numpy as np
from matplotlib.patches import Rectangle
from PIL import Image

from paddle_vit.training.operations import OPERATIONS, apply_operation
from paddle_vit.visualize import finish, label, new_figure, without_ticks

# Colours of classes, told apart by colour-blind readers where they lie side by side
CLASSES = ["#4477aa", "#ddcc77", "#882255", "#44aa99", "#cc6677", "#88ccee", "#117733", "#aa4499", "#999933", "#777777"]

# Each operation in Chinese; what its value is, English and Chinese, and how it is written
WORDS = {
    "AutoContrast": ("自动对比度", None, None),
    "Equalize": ("直方图均衡", None, None),
    "Invert": ("反色", None, None),
    "Rotate": ("旋转", ("angle", "角度"), lambda value: f"{value:g}°"),
    "Posterize": ("色调分离", ("bits", "保留位数"), lambda value: f"{value:g}"),
    "Solarize": ("亮部反色", ("threshold", "阈值"), lambda value: f"{value:g}"),
    "SolarizeAdd": ("暗部加亮", ("added", "加上"), lambda value: f"{value:g}"),
    "Color": ("饱和度", ("factor", "系数"), lambda value: f"{value:.3g}"),
    "Contrast": ("对比度", ("factor", "系数"), lambda value: f"{value:.3g}"),
    "Brightness": ("亮度", ("factor", "系数"), lambda value: f"{value:.3g}"),
    "Sharpness": ("锐度", ("factor", "系数"), lambda value: f"{value:.3g}"),
    "ShearX": ("水平剪切", ("slope", "斜率"), lambda value: f"{value:.3g}"),
    "ShearY": ("垂直剪切", ("slope", "斜率"), lambda value: f"{value:.3g}"),
    "TranslateX": ("水平平移", ("shift", "位移"), lambda value: f"{100 * value:.3g}%"),
    "TranslateY": ("垂直平移", ("shift", "位移"), lambda value: f"{100 * value:.3g}%"),
}


def in_words(name):
    """A name in the reader's language: of a pair the one that fits, anything else as it is."""
    return label(*name) if isinstance(name, (tuple, list)) else str(name)


def pixels(images):
    """Images as imshow wants them, all on one scale, so that bright and dark can be compared.

    Of arrays -1 is black and 1 is white; where no array has a negative number, 0 is black. What lies beyond is cut off.

    Args:
        images: list of images.

    Returns:
        list of [height, width] or [height, width, 3], from 0 to 1
    """
    arrays = [np.asarray(image, dtype="float32") for image in images]
    pictures = [isinstance(image, Image.Image) for image in images]
    negative = any(array.min() < 0 for array, is_picture in zip(arrays, pictures, strict=True) if not is_picture)
    shown = []
    for array, is_picture in zip(arrays, pictures, strict=True):
        if is_picture:
            array = array / 255
        else:
            array = array[0] if len(array) == 1 else array.transpose(1, 2, 0)
            array = (array + 1) / 2 if negative else array
        shown.append(array.clip(0, 1))
    return shown


def as_picture(image):
    """Any image as a PIL image."""
    if isinstance(image, Image.Image):
        return image
    (shown,) = pixels([image])
    return Image.fromarray(np.rint(shown * 255).astype("uint8"))


def draw_image(axes, shown):
    """An image of pixels(); the pixels of a small one as squares."""
    interpolation = "nearest" if min(shown.shape[:2]) < 64 else None
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation=interpolation)
    axes.set_anchor("N")  # in the middle of its place the layout would cut its title off
    without_ticks(axes, frame=False)


def row_length(count):
    """Of rows of equal length, six at most."""
    return math.ceil(count / math.ceil(count / 6))


def tiles(count, columns, shape, words):
    """A figure of at most 9 inches with count axes in rows; words is the height of the text of a tile, in inches.

    Args:
        shape: (height, width, ...) of the images.
    """
    rows = math.ceil(count / columns)
    width = min(9, columns * (1.5 if min(shape[:2]) < 64 else 2.3))
    figure = new_figure(width, rows * (width / columns * 0.97 * shape[0] / shape[1] + words))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def gallery_picture(images, titles, columns=None, path=None):
    """Images in a grid, each with a title.

    All are on one scale: of arrays -1 is black and 1 is white; where no array has a negative number, 0 is black.

    Args:
        images: list of images, or [N, channels, height, width].
        titles: one for each; a line may be broken by a newline.
        columns: None for rows of equal length, six at most.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    shown = pixels(images)
    columns = columns or row_length(len(shown))
    titles = [in_words(title) for title in titles]
    lines = max(title.count("\n") for title in titles) + 1
    figure, panels = tiles(len(shown), columns, shown[0].shape, 0.14 + 0.16 * lines)
    for axes, image, title in zip(panels, shown, titles, strict=True):
        draw_image(axes, image)
        axes.set_title(title, fontsize=9)
    return finish(figure, path)


def strength(name, magnitude, sign=1):
    """The value of an operation in words; None where it has only one strength."""
    _, what, written = WORDS[name]
    return what and f"{label(*what)} {written(OPERATIONS[name].value(magnitude / 10, sign) + 0)}"  # never -0


def strengths(name):
    """All values of an operation in words, those of both signs where it is signed; None where it has only one."""
    _, what, written = WORDS[name]
    operation = OPERATIONS[name]
    if what is None:
        return None
    first = operation.value(1, -1) if operation.signed else operation.value(0, 1)
    ends = written(first), written(operation.value(1, 1))
    return label("{} to {}", "{} 到 {}").format(*ends)


def operations_picture(image, magnitude=9, path=None):
    """An image, and what each operation of RandAugment makes of it, in the positive direction where it has two.

    Under each stands its value at this magnitude, and in brackets the values from which RandAugment takes it.

    Args:
        image: one image.
        magnitude: from 0 to 10.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    picture = as_picture(image)
    titles = [label(name, f"{name}\n{WORDS[name][0]}") for name in OPERATIONS]
    words = 0.75 + 0.2 * titles[0].count("\n")
    figure = new_figure(9, 3 * (1.3 * picture.height / picture.width + words))
    grid = figure.add_gridspec(3, 6, width_ratios=[1.35, 1, 1, 1, 1, 1])
    original = figure.add_subplot(grid[:, 0])
    draw_image(original, *pixels([picture]))
    original.set_title(label("original", "原图"), fontsize=10)
    original.set_xlabel(label(f"right: magnitude {magnitude:g}", f"右边：幅度 {magnitude:g}"), fontsize=9)
    for place, (name, title) in enumerate(zip(OPERATIONS, titles, strict=True)):
        axes = figure.add_subplot(grid[place // 5, 1 + place % 5])
        draw_image(axes, *pixels([apply_operation(picture, name, magnitude)]))
        axes.set_title(title, fontsize=9)
        value = strength(name, magnitude)
        below = f"{value}\n({strengths(name)})" if value else label("one strength", "没有幅度之分")
        axes.set_xlabel(below, fontsize=8)
    return finish(figure, path)


def magnitudes_picture(image, name, path=None):
    """One operation of RandAugment at magnitudes 0, 3, 6 and 9, in both directions where it has two.

    Args:
        image: one image.
        name: one of OPERATIONS.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    picture = as_picture(image)
    signs = (1, -1) if OPERATIONS[name].signed else (1,)
    magnitudes = (0, 3, 6, 9)
    words = 0.35 + 0.45 / len(signs)
    figure, panels = tiles(len(signs) * 4, 4, (picture.height, picture.width), words)
    for place, axes in enumerate(panels):
        sign, magnitude = signs[place // 4], magnitudes[place % 4]
        draw_image(axes, *pixels([apply_operation(picture, name, magnitude, sign)]))
        axes.set_xlabel(strength(name, magnitude, sign) or label("one strength", "没有幅度之分"), fontsize=9)
        if place < 4:
            axes.set_title(label(f"magnitude {magnitude}", f"幅度 {magnitude}"), fontsize=10)
        if place % 4 == 0 and len(signs) == 2:
            axes.set_ylabel(label(f"sign {sign:+d}", f"方向 {sign:+d}"), fontsize=10)
    figure.suptitle(label(name, f"{name} ({WORDS[name][0]})"), fontsize=11)
    return finish(figure, path)


def shares(target, names):
    """A target [K] in lines of words, largest share first: 0.70 cat, + 0.30 dog; names [K] are those of class_names.

    Shares up to 0.005 are left out; where more than three are left, those up to 0.05 are added up.
    """
    order = np.argsort(-target, kind="stable")
    least = 0.005 if (target > 0.005).sum() <= 3 else 0.05
    called = [label(f"class {name}", f"类别 {name}") if name.isdigit() else name for name in names]
    lines = [f"{target[number]:.2f} {called[number]}" for number in order if target[number] > least]
    rest = target[target <= least].sum()
    if rest > 0.005:
        lines.append(label(f"{rest:.2f} others", f"{rest:.2f} 其他"))
    return "\n+ ".join(lines)


def class_names(names, num_classes):
    """Names in the reader's language; numbers where there are none."""
    return [in_words(name) for name in (range(num_classes) if names is None else names)]


def mixed_picture(images, targets, names=None, columns=None, path=None):
    """Mixed images, each with its target: a bar of the shares of its classes, and the shares in words.

    The words leave out shares up to 0.005; many small ones, as of label smoothing, are added up.

    Args:
        images: list of images, or [B, channels, height, width].
        targets: [B, K], rows that sum to 1.
        names: of the K classes; None for their numbers.
        columns: None for rows of equal length, six at most.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    shown, targets = pixels(images), np.asarray(targets)
    names = class_names(names, targets.shape[1])
    words = [shares(target, names) for target in targets]
    lines = max(each.count("\n") for each in words) + 1
    columns = columns or max(4, row_length(len(shown)))
    height, width = shown[0].shape[:2]
    figure, panels = tiles(len(shown), columns, (height * 1.13, width), 0.2 + 0.17 * lines)  # with the bar below
    for axes, image, target, text in zip(panels, shown, targets, words, strict=True):
        draw_image(axes, image)
        left, top, thick = -0.5, height * 1.04 - 0.5, height * 0.09  # in pixels, below the image
        for number in np.argsort(-target, kind="stable"):
            colour = CLASSES[number % len(CLASSES)]
            axes.add_patch(Rectangle((left, top), target[number] * width, thick, facecolor=colour, linewidth=0))
            left += target[number] * width
        axes.set(ylim=(top + thick, -0.5))
        axes.set_xlabel(text, fontsize=9)
    return finish(figure, path)


def repeated_picture(order, copies=3, path=None):
    """A batch with repeated augmentation: which image stands at which place. The same image has the same colour.

    Args:
        order: [batch] numbers of images, as they stand in the batch.
        copies: how often each shall come.
        path: where to write a PNG; None for nowhere.

    Returns:
        matplotlib Figure
    """
    order = np.asarray(order).tolist()
    different = list(dict.fromkeys(order))
    rows = math.ceil(len(order) / 16)
    columns = math.ceil(len(order) / rows / copies) * copies  # copies that follow one another stay in a row
    figure = new_figure(9, 0.56 * rows + 0.5)
    axes = figure.subplots()
    for place, number in enumerate(order):
        row, column = divmod(place, columns)
        colour = CLASSES[different.index(number) % len(CLASSES)]
        axes.add_patch(Rectangle((column, row), 0.94, 0.94, facecolor=colour, alpha=0.45, edgecolor="white"))
        axes.text(column + 0.47, row + 0.47, str(number), ha="center", va="center", fontsize=9)
    axes.set(xlim=(-0.05, max(columns, 12)), ylim=(rows, -0.05), aspect="equal", anchor="W")
    without_ticks(axes, frame=False)
    counts = {order.count(number) for number in different}
    size, kinds = len(order), len(different)
    if counts == {copies}:
        title = label(
            f"a batch of {size}: {kinds} images, each {copies} times, each time augmented anew",
            f"一个 batch 有 {size} 个位置：{kinds} 张图像，每张 {copies} 次，每次重新增广",
        )
    else:
        title = label(
            f"a batch of {size}: {kinds} images, {min(counts)} to {max(counts)} times each",
            f"一个 batch 有 {size} 个位置：{kinds} 张图像，每张 {min(counts)} 到 {max(counts)} 次",
        )
    axes.set_title(title, fontsize=10, loc="left")
    return finish(figure, path)
