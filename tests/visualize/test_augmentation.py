"""Pictures of augmentation: what is drawn is what the operation made, and no tile lies about its values."""

import re

import numpy as np
import paddle
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from picture_checks import check_png, check_texts, noise, words
from PIL import Image

from paddle_vit.training.operations import OPERATIONS, apply_operation, to_image
from paddle_vit.visualize.augmentation import (
    CLASSES,
    WORDS,
    class_names,
    gallery_picture,
    magnitudes_picture,
    mixed_picture,
    operations_picture,
    pixels,
    repeated_picture,
    shares,
)

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")


def signed_noise(*shape):
    return noise(*shape) * 2 - 1


def shown(axes):
    return np.asarray(axes.images[0].get_array())


# -- one scale --------------------------------------------------------------------------------------------------------


def test_pixels_of_arrays():
    dark, bright = np.full((1, 2, 3), -1.0), np.full((1, 2, 3), 0.5)
    assert [each.tolist() for each in pixels([dark, bright])] == [[[0] * 3] * 2, [[0.75] * 3] * 2]
    assert pixels([bright])[0].tolist() == [[0.5] * 3] * 2, "nothing negative: 0 is black"
    assert pixels([paddle.full([3, 4, 5], -7.0)])[0].tolist() == np.zeros((4, 5, 3)).tolist(), "cut off"


def test_pixels_of_pictures():
    grey, colour = Image.new("L", (3, 2), 51), Image.new("RGB", (3, 2), (255, 0, 102))
    one, other, array = pixels([grey, colour, np.full((1, 2, 3), -0.5)])
    assert np.allclose(one, 0.2) and one.shape == (2, 3)
    assert np.allclose(other, [1, 0, 0.4]) and other.shape == (2, 3, 3)
    assert np.allclose(array, 0.25)


# -- galleries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "count, columns, expected", [(4, None, 4), (7, None, 4), (9, None, 5), (4, 2, 2), (1, None, 1)]
)
def test_gallery_picture(tmp_path, count, columns, expected):
    images = signed_noise(count, 1, 8, 8)
    titles = [(f"digit {number}", f"数字 {number}") for number in range(count)]
    figure = gallery_picture(images, titles, columns, tmp_path / "gallery.png")
    check_png(tmp_path / "gallery.png", figure, least_width=200)
    assert [axes.get_title() for axes in figure.axes] == [english for english, _ in titles]
    for axes, image in zip(figure.axes, images, strict=True):
        assert np.allclose(shown(axes), (image[0] + 1) / 2)
        assert axes.images[0].get_interpolation() == "nearest"
    assert len({round(axes.get_position().x0, 3) for axes in figure.axes}) == expected


def test_gallery_picture_of_many_kinds():
    images = [
        signed_noise(3, 90, 120),
        Image.new("RGB", (120, 90)),
        paddle.zeros([1, 90, 120]),
        Image.new("L", (120, 90)),
    ]
    figure = gallery_picture(images, ["one", "of two\nlines", "c", "d"])
    check_texts(figure)
    assert [axes.images[0].get_interpolation() for axes in figure.axes] == ["auto"] * 4


# -- operations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode, magnitude", [("L", 9), ("RGB", 4)])
def test_operations_picture(tmp_path, mode, magnitude):
    image = to_image(signed_noise(1 if mode == "L" else 3, 16, 16))
    figure = operations_picture(image, magnitude, tmp_path / "operations.png")
    check_png(tmp_path / "operations.png", figure, least_width=1000)
    original, *panels = figure.axes
    assert np.allclose(shown(original), np.asarray(image) / 255)
    assert [axes.get_title() for axes in panels] == list(OPERATIONS)
    for axes, name in zip(panels, OPERATIONS, strict=True):
        assert np.allclose(shown(axes), np.asarray(apply_operation(image, name, magnitude)) / 255)


def test_operations_picture_of_an_array():
    image = signed_noise(1, 8, 8)
    figure = operations_picture(image)
    assert np.array_equal(shown(figure.axes[0]), np.asarray(to_image(image)) / np.float32(255))


def test_operations_have_words_in_their_order():
    assert list(WORDS) == list(OPERATIONS)


def test_values_under_the_operations():
    figure = operations_picture(signed_noise(1, 8, 8))
    below = {axes.get_title(): axes.get_xlabel() for axes in figure.axes}
    for name, expected in [
        ("Rotate", "angle 27°\n(-30° to 30°)"),
        ("Posterize", "bits 1\n(4 to 0)"),
        ("Solarize", "threshold 26\n(256 to 0)"),
        ("SolarizeAdd", "added 99\n(0 to 110)"),
        ("Color", "factor 1.81\n(0.1 to 1.9)"),
        ("ShearX", "slope 0.27\n(-0.3 to 0.3)"),
        ("TranslateY", "shift 40.5%\n(-45% to 45%)"),
        ("Invert", "one strength"),
    ]:
        assert below[name] == expected


@pytest.mark.parametrize("name", ["Equalize", "Rotate", "Posterize", "Color", "TranslateX"])
def test_magnitudes_picture(name):
    image = to_image(signed_noise(3, 16, 16))
    figure = magnitudes_picture(image, name)
    check_texts(figure)
    signs = (1, -1) if OPERATIONS[name].signed else (1,)
    assert len(figure.axes) == 4 * len(signs)
    values = []
    for place, axes in enumerate(figure.axes):
        sign, magnitude = signs[place // 4], 3 * (place % 4)
        assert np.allclose(shown(axes), np.asarray(apply_operation(image, name, magnitude, sign)) / 255)
        values += re.findall(r"-?[\d.]+", axes.get_xlabel())
    assert "-0" not in values
    assert len(set(values)) == (0 if WORDS[name][1] is None else 7 if len(signs) == 2 else 4)


# -- mixed labels -----------------------------------------------------------------------------------------------------


def test_mixed_picture(tmp_path):
    targets = np.array([[0.25, 0, 0.75], [0, 1, 0], [0.499, 0.499, 0.002]])
    images = signed_noise(3, 1, 8, 8)
    names = [("cat", "猫"), "dog", "lorry"]
    figure = mixed_picture(images, targets, names, path=tmp_path / "mixed.png")
    check_png(tmp_path / "mixed.png", figure, least_width=500)
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "0.75 lorry\n+ 0.25 cat",
        "1.00 dog",
        "0.50 cat\n+ 0.50 dog",
    ]
    for axes, image, target in zip(figure.axes, images, targets, strict=True):
        assert np.allclose(shown(axes), (image[0] + 1) / 2)
        bars = {to_hex(bar.get_facecolor()): bar.get_width() / 8 for bar in axes.patches if isinstance(bar, Rectangle)}
        assert bars == pytest.approx(dict(zip(CLASSES, target, strict=False)))


def test_smoothed_targets_in_words():
    target = np.full(10, 0.01)
    target[[7, 2]] += 0.63, 0.27
    assert shares(target, class_names(None, 10)) == "0.64 class 7\n+ 0.28 class 2\n+ 0.08 others"
    check_texts(mixed_picture(signed_noise(7, 1, 8, 8), np.tile(target, (7, 1)), columns=5))
    check_texts(mixed_picture(signed_noise(4, 3, 64, 64), np.tile(target, (4, 1))))


@pytest.mark.parametrize("order, title", [
    (np.repeat([5, 0, 250, 31], 3), "a batch of 12: 4 images, each 3 times"),
    (np.repeat(np.arange(11), 3), "a batch of 33: 11 images, each 3 times"),
    ([4, 7, 4], "a batch of 3: 2 images, 1 to 2 times"),
])  # fmt: skip
def test_repeated_picture(tmp_path, order, title):
    figure = repeated_picture(order, path=tmp_path / "repeated.png")
    check_texts(figure)
    axes = figure.axes[0]
    assert axes.get_title(loc="left").startswith(title)
    assert [text.get_text() for text in axes.texts] == [str(number) for number in order]
    colours = [to_hex(patch.get_facecolor()) for patch in axes.patches]
    assert len(colours) == len(order)
    seen = {number: colour for number, colour in zip(order, colours, strict=True)}
    assert [seen[number] for number in order] == colours and len(set(seen.values())) == min(len(set(order)), 10)


def test_chinese_words(chinese):
    figure = operations_picture(signed_noise(1, 8, 8))
    check_texts(figure)
    assert {"Rotate\n旋转", "角度 27°\n(-30° 到 30°)", "原图"} <= set(words(figure))
    assert shares(np.array([0.3, 0.7]), ["狗", "猫"]) == "0.70 猫\n+ 0.30 狗"
