"""Every image operation against its definition written with loops, and the policy of AutoAugment against the paper."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from paddle_vit.training.operations import (
    AUTO_AUGMENT_IMAGENET,
    OPERATIONS,
    apply_operation,
    auto_augment,
    to_array,
    to_image,
)

GEOMETRIC = ["Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY"]
MAGNITUDES = [0, 0.3, 2.5, 5, 8.7, 9, 10]


def noise(mode, height=13, width=7, seed=0, low=0, high=256):
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(np.random.default_rng(seed).integers(low, high, shape, dtype=np.uint8))


def pixels(image):
    return np.array(image).astype(int)  # H W, or H W C


@pytest.fixture(params=["L", "RGB"])
def image(request):
    return noise(request.param)


def value_of(name, magnitude, sign=1):
    return OPERATIONS[name].value(magnitude / 10, sign)


def auto_value_of(name, magnitude, sign=1):
    operation = OPERATIONS[name]
    return (operation.auto_value or operation.value)(magnitude / 10, sign)


# What all operations have in common


def test_operations_are_those_of_the_recipe_in_its_order():
    assert (
        list(OPERATIONS)
        == (
            "AutoContrast Equalize Invert Rotate Posterize Solarize SolarizeAdd Color Contrast Brightness Sharpness "
            "ShearX ShearY TranslateX TranslateY"
        ).split()
    )


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("size", [(7, 13), (13, 7), (1, 1), (1, 5), (2, 1), (32, 32)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_mode_and_size_stay_and_the_argument_is_unchanged(name, size, mode):
    image = noise(mode, *size)
    before = image.tobytes()
    for magnitude, sign in itertools.product((0, 6.5, 10), (1, -1)):
        result = apply_operation(image, name, magnitude, sign)
        assert (result.mode, result.size) == (image.mode, image.size)
        assert result is not image
        assert result.tobytes() == apply_operation(image, name, magnitude, sign).tobytes()
        result.paste(0, (0, 0, *result.size))  # what is done to the result does not reach the argument
        assert image.tobytes() == before


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"AutoContrast", "Equalize", "Invert", "Posterize"}))
@pytest.mark.parametrize("sign", [1, -1])
def test_magnitude_0_is_the_identity(image, name, sign):
    assert apply_operation(image, name, 0, sign).tobytes() == image.tobytes()


@pytest.mark.parametrize("name", OPERATIONS)
def test_signed_says_whether_the_sign_matters(name):
    image = noise("RGB")
    same = apply_operation(image, name, 5, 1).tobytes() == apply_operation(image, name, 5, -1).tobytes()
    assert same != OPERATIONS[name].signed


def test_values_of_rand_augment():
    for name, at_9, at_10 in [
        ("Rotate", 27, 30),
        ("Posterize", 1, 0),
        ("Solarize", 26, 0),
        ("SolarizeAdd", 99, 110),
        ("Color", 1.81, 1.9),
        ("ShearY", 0.27, 0.3),
        ("TranslateX", 0.405, 0.45),
    ]:
        assert value_of(name, 9) == pytest.approx(at_9), name
        assert value_of(name, 10) == pytest.approx(at_10), name
    for name in ("Color", "Contrast", "Brightness", "Sharpness"):
        assert [value_of(name, m, -1) for m in (0, 5, 10)] == pytest.approx([1.0, 0.55, 0.1])
    assert [value_of("Posterize", m) for m in (0, 2.4, 2.5, 7.4, 7.5)] == [4, 4, 3, 2, 1]
    for name in GEOMETRIC:
        assert value_of(name, 6, -1) == -value_of(name, 6, 1)


def test_values_of_auto_augment_where_they_differ():
    assert [auto_value_of("Posterize", m) for m in (0, 5, 6, 7, 8, 10)] == [4, 6, 6, 6, 7, 8]
    assert [auto_value_of("Solarize", m) for m in (0, 5, 8, 10)] == [0, 128, 204, 256]
    for name in ("Color", "Contrast", "Brightness", "Sharpness"):
        for sign in (1, -1):
            assert [auto_value_of(name, m, sign) for m in (0, 5, 8, 10)] == pytest.approx([0.1, 1.0, 1.54, 1.9])
    for name in GEOMETRIC:
        assert auto_value_of(name, 4, -1) == value_of(name, 4, -1)


# One grey level at a time


def expect_levels(image, name, magnitude, level):
    expected = [level(grey) for grey in pixels(image).ravel()]
    assert pixels(apply_operation(image, name, magnitude)).ravel().tolist() == expected


@pytest.mark.parametrize("magnitude", MAGNITUDES)
def test_operations_on_single_grey_levels(image, magnitude):
    bits = 4 - int(magnitude * 4 / 10)
    threshold = 256 - math.floor(magnitude * 256 / 10)
    added = math.floor(magnitude * 110 / 10)
    expect_levels(image, "Invert", magnitude, lambda grey: 255 - grey)
    expect_levels(image, "Posterize", magnitude, lambda grey: grey // 2 ** (8 - bits) * 2 ** (8 - bits))
    expect_levels(image, "Solarize", magnitude, lambda grey: 255 - grey if grey >= threshold else grey)
    expect_levels(image, "SolarizeAdd", magnitude, lambda grey: grey + added if grey < 128 else grey)


def test_posterize_keeps_up_to_8_bits(image):
    for bits in range(9):
        result = OPERATIONS["Posterize"].function(image, bits, 0)
        assert np.array_equal(pixels(result), pixels(image) >> (8 - bits) << (8 - bits))


@pytest.mark.parametrize("low, high", [(60, 99), (0, 256), (3, 250), (7, 8)])
def test_auto_contrast(low, high):
    for image in (noise("L", low=low, high=high), noise("RGB", low=low, high=high)):
        result = np.atleast_3d(pixels(apply_operation(image, "AutoContrast", 0)))
        for band, stretched in zip(np.atleast_3d(pixels(image)).T, result.T, strict=True):
            darkest, brightest = band.min(), band.max()
            if darkest == brightest:
                assert np.array_equal(stretched, band)
            else:
                assert (stretched.min(), stretched.max()) == (0, 255)
                assert np.abs(stretched - (band - darkest) / (brightest - darkest) * 255).max() <= 1


def test_auto_contrast_leaves_a_plain_channel_alone():
    image = Image.merge("RGB", [Image.new("L", (7, 13), 50), noise("L", low=60, high=90), Image.new("L", (7, 13), 0)])
    red, green, blue = apply_operation(image, "AutoContrast", 5).split()
    assert red.getextrema() == (50, 50) and green.getextrema() == (0, 255) and blue.getextrema() == (0, 0)


def test_equalize_makes_grey_levels_equally_frequent():
    image = noise("L", 64, 64, low=40, high=104)  # 64 levels in a quarter of the range
    result = pixels(apply_operation(image, "Equalize", 0))
    assert np.abs(np.histogram(result, bins=8, range=(0, 256))[0][:-1] - 512).max() < 80  # the last has the rest
    step = (4096 - (pixels(image) == 103).sum()) // 255  # pixels a level
    for grey in range(40, 104):
        darker = (pixels(image) < grey).sum()
        assert np.abs(result[pixels(image) == grey] - min(darker / step, 255)).max() <= 0.5
    order = np.argsort(pixels(image).ravel(), kind="stable")
    assert (np.diff(result.ravel()[order]) >= 0).all()  # darker stays darker


def test_equalize_cannot_change_fewer_than_256_pixels():
    for image in (noise("L", 8, 8), noise("RGB", 15, 17)):
        assert apply_operation(image, "Equalize", 9).tobytes() == image.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (16, 17), (32, 32), (61, 43)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_same_pixels_as_the_slower_functions_of_pillow(size, mode):
    for seed, (low, high) in enumerate([(0, 256), (20, 24), (100, 101), (1, 255), (0, 2), (37, 230)]):
        image = noise(mode, *size, seed, low, high)
        for name, slow in [
            ("AutoContrast", ImageOps.autocontrast),
            ("Equalize", ImageOps.equalize),
            ("Invert", ImageOps.invert),
        ]:
            assert apply_operation(image, name, 5).tobytes() == slow(image).tobytes(), (name, low, high)


# Mixtures with a duller image: the formula up to a rounding of the result and of the duller image


def grey_of(image):
    """Luma of ITU-R BT.601, rounded. [H, W]"""
    values = pixels(image)
    return values if values.ndim == 2 else np.floor(values @ [0.299, 0.587, 0.114] + 0.5)


def dull(name, image):
    values = pixels(image)
    if name == "Brightness":
        return np.zeros_like(values)
    if name == "Contrast":
        return np.full_like(values, math.floor(grey_of(image).mean() + 0.5))
    if name == "Color":
        return grey_of(image) if values.ndim == 2 else grey_of(image)[..., None]
    smooth = values.astype(float)  # the border stays
    for row, column in itertools.product(range(1, image.height - 1), range(1, image.width - 1)):
        window = values[row - 1 : row + 2, column - 1 : column + 2]
        smooth[row, column] = (window.sum((0, 1)) + 4 * values[row, column]) / 13
    return smooth


@pytest.mark.parametrize("name", ["Color", "Contrast", "Brightness", "Sharpness"])
@pytest.mark.parametrize("sign", [1, -1])
def test_enhancements(image, name, sign):
    for magnitude in MAGNITUDES:
        factor = 1 + sign * 0.9 * magnitude / 10
        expected = np.clip(dull(name, image) * (1 - factor) + pixels(image) * factor, 0, 255)
        assert np.abs(pixels(apply_operation(image, name, magnitude, sign)) - expected).max() <= 1.6, factor


# Geometry


def resample(image, source, fill):
    """Bilinear interpolation at source(x, y), both counted from the corner of the image, not from a pixel's centre."""
    values = np.atleast_3d(pixels(image))
    height, width, channels = values.shape
    result = np.full(values.shape, fill, dtype=float)
    for row, column in itertools.product(range(height), range(width)):
        x, y = source(column + 0.5, row + 0.5)
        if 0 <= x < width and 0 <= y < height:
            left, top = math.floor(x - 0.5), math.floor(y - 0.5)
            result[row, column] = sum(
                (1 - abs(x - 0.5 - i))
                * (1 - abs(y - 0.5 - j))
                * values[min(max(j, 0), height - 1), min(max(i, 0), width - 1)]
                for i, j in itertools.product((left, left + 1), (top, top + 1))
            )
    return result


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("fill", [0, 77, 255])
def test_geometry_against_bilinear_interpolation(image, sign, fill):
    width, height = image.size
    for magnitude in (2.3, 6.1, 9.7):
        part = sign * magnitude / 10
        cos, sin = math.cos(math.radians(30 * part)), math.sin(math.radians(30 * part))

        def turned(x, y, cos=cos, sin=sin):
            x, y = x - width / 2, y - height / 2
            return cos * x - sin * y + width / 2, sin * x + cos * y + height / 2

        for name, source in {
            "Rotate": turned,
            "ShearX": lambda x, y, part=part: (x + 0.3 * part * y, y),
            "ShearY": lambda x, y, part=part: (x, y + 0.3 * part * x),
            "TranslateX": lambda x, y, part=part: (x + 0.45 * part * width, y),
            "TranslateY": lambda x, y, part=part: (x, y + 0.45 * part * height),
        }.items():
            result = np.atleast_3d(pixels(apply_operation(image, name, magnitude, sign, fill=fill)))
            assert np.abs(result - resample(image, source, fill)).max() <= 1.01, (name, magnitude)


def test_translation_by_whole_pixels(image):
    image = image.resize((20, 20))  # 2 pixels are 0.1 of the size
    values, magnitude = pixels(image), 0.1 / 0.45 * 10
    left = pixels(apply_operation(image, "TranslateX", magnitude, 1, fill=9))
    down = pixels(apply_operation(image, "TranslateY", magnitude, -1, fill=9))
    assert np.abs(left[:, :-2] - values[:, 2:]).max() <= 1 and (left[:, -2:] == 9).all()
    assert np.abs(down[2:] - values[:-2]).max() <= 1 and (down[:2] == 9).all()


@pytest.mark.parametrize("name", GEOMETRIC)
def test_the_other_sign_is_the_mirror_image(image, name):
    mirror = ImageOps.flip if name in ("ShearY", "TranslateY") else ImageOps.mirror
    for magnitude in (1.7, 5.9, 9.3):
        there = apply_operation(image, name, magnitude, 1, fill=40)
        back = mirror(apply_operation(mirror(image), name, magnitude, -1, fill=40))
        assert np.abs(pixels(there) - pixels(back)).max() <= 1


def test_rotation_is_counter_clockwise():
    image = Image.new("L", (21, 21))
    image.paste(255, (18, 9, 21, 12))  # in the middle of the right border
    result = pixels(apply_operation(image, "Rotate", 10, 1, fill=0))
    assert result[:9].sum() > 20 * result[12:].sum()


def test_fill_is_grey_in_colour_images_and_128_unless_told():
    for fill, arguments in ((128, {}), (5, {"fill": 5})):
        for mode, ink in (("L", fill), ("RGB", (fill,) * 3)):
            for name in GEOMETRIC:
                image = Image.new(mode, (32, 32), 255 if mode == "L" else (255,) * 3)
                colors = {color for _, color in apply_operation(image, name, 9, **arguments).getcolors()}
                assert ink in colors and all(np.ptp(color) == 0 for color in colors), name


# AutoAugment


def test_policy_has_the_entries_of_the_paper():
    assert len(AUTO_AUGMENT_IMAGENET) == 25
    for sub_policy in AUTO_AUGMENT_IMAGENET:
        assert len(sub_policy) == 2
        for name, probability, magnitude in sub_policy:
            assert name in OPERATIONS
            assert probability in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
            assert magnitude in range(10)
    assert AUTO_AUGMENT_IMAGENET[0] == (("Posterize", 0.4, 8), ("Rotate", 0.6, 9))
    assert AUTO_AUGMENT_IMAGENET[7] == (("Posterize", 0.8, 5), ("Equalize", 1.0, 2))
    assert AUTO_AUGMENT_IMAGENET[12] == (("Equalize", 0.0, 7), ("Equalize", 0.8, 8))
    assert AUTO_AUGMENT_IMAGENET[17] == (("Sharpness", 0.4, 7), ("Invert", 0.6, 8))
    assert AUTO_AUGMENT_IMAGENET[18] == (("ShearX", 0.6, 5), ("Equalize", 1.0, 9))
    for first, again in ((4, 20), (1, 21), (13, 22), (14, 23), (2, 24)):
        assert AUTO_AUGMENT_IMAGENET[first] == AUTO_AUGMENT_IMAGENET[again]
    assert len(set(AUTO_AUGMENT_IMAGENET)) == 20


class Draws:
    """A generator whose draws are known beforehand."""

    def __init__(self, sub_policy, *shares):
        self.sub_policy, self.shares = sub_policy, list(shares)

    def integers(self, high):
        assert high == 25 and len(self.shares) == 4  # comes first
        return self.sub_policy

    def random(self):
        return self.shares.pop(0)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("sign", [1, -1])
def test_draws_decide_what_is_applied_and_its_sign(image, first, second, sign):
    # sub-policy 0: Posterize with probability 0.4, magnitude 8 (7 bits); Rotate with 0.6, magnitude 9 (27 degrees)
    draws = Draws(0, 0.399 if first else 0.4, 0.7, 0.599 if second else 0.6, 0.499 if sign < 0 else 0.5)
    result = auto_augment(image, draws, fill=3)
    expected = Image.fromarray((pixels(image) & 0xFE if first else pixels(image)).astype(np.uint8))
    if second:
        expected = apply_operation(expected, "Rotate", 9, sign, fill=3)
    assert result.tobytes() == expected.tobytes()
    assert (result is image) == (not first and not second)
    assert not draws.shares


@pytest.mark.parametrize("size", [(13, 7), (1, 1)])
def test_every_sub_policy_keeps_mode_size_and_argument(image, size):
    image = image.resize(size)
    before = image.tobytes()
    for sub_policy, share in itertools.product(range(25), (0.0, 0.99)):
        result = auto_augment(image, Draws(sub_policy, 0.0, share, 0.0, share))
        assert (result.mode, result.size) == (image.mode, image.size)
        assert image.tobytes() == before


def test_auto_augment_depends_on_its_generator_alone(image):
    def run(seed):
        generator = np.random.default_rng(seed)
        return [auto_augment(image, generator).tobytes() for _ in range(20)]

    first = run(5)
    np.random.seed(1)
    state = np.random.get_state()[1].tolist()
    assert run(5) == first and run(6) != first
    assert np.random.get_state()[1].tolist() == state
    generator = np.random.default_rng(5)
    auto_augment(image, generator)
    expected = np.random.default_rng(5)
    expected.integers(25), expected.random(4)
    assert generator.random() == expected.random()  # five draws, whatever is applied


# Images and arrays


def test_every_grey_level_comes_back():
    grey = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(8, 32))
    for image in (grey, Image.merge("RGB", [grey, ImageOps.invert(grey), ImageOps.flip(grey)])):
        array = to_array(image)
        assert array.dtype == np.float32 and array.flags.c_contiguous and array.flags.writeable
        assert array.shape == (len(image.getbands()), 8, 32)
        assert (array.min(), array.max()) == (-1.0, 1.0)
        back = to_image(array)
        assert (back.mode, back.size, back.tobytes()) == (image.mode, image.size, image.tobytes())


@pytest.mark.parametrize("size", [(7, 13), (1, 1), (1, 5)])
def test_channels_rows_and_columns_keep_their_places(size):
    image = noise("RGB", *size)
    array = to_array(image)
    assert array.shape == (3, *size)
    for channel, row, column in itertools.product(range(3), range(size[0]), range(size[1])):
        grey = image.getpixel((column, row))[channel]
        assert array[channel, row, column] == pytest.approx(grey / 127.5 - 1, abs=1e-6)
    assert to_image(array).tobytes() == image.tobytes()
    assert to_image(np.asfortranarray(array[::-1])).split()[0].tobytes() == image.split()[2].tobytes()


def test_to_image_rounds_to_the_nearest_level():
    array = np.array([-1.0009, -0.997, -0.995, 0.0, 0.994, 0.9985, 1.0009], dtype=np.float32).reshape(1, 1, 7)
    before = array.copy()
    assert list(to_image(array).tobytes()) == [0, 0, 1, 128, 254, 255, 255]
    assert np.array_equal(array, before)


# What is refused


@pytest.mark.parametrize("mode", ["RGBA", "P", "1", "F", "I;16", "LA"])
def test_other_modes(mode):
    image = Image.new(mode, (4, 4))
    for call in (
        lambda: apply_operation(image, "Invert", 5),
        lambda: auto_augment(image, np.random.default_rng(0)),
        lambda: to_array(image),
    ):
        with pytest.raises(ValueError, match=f'"L" or "RGB", got "{mode}".*image.convert\\("RGB"\\)'):
            call()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("Cutout", 5), "no operation is called 'Cutout': choose from AutoContrast, .*TranslateY"),
        (("Rotate", -0.1), "from 0 to 10, not -0.1"),
        (("Rotate", 10.5), "from 0 to 10, not 10.5"),
        (("Invert", math.nan), "from 0 to 10, not nan"),
        (("Rotate", 5, 0), "sign must be 1 or -1, not 0"),
        (("Invert", 5, 0.5), "sign must be 1 or -1, not 0.5"),
        (("Rotate", 5, 1, 256), "from 0 to 255, not 256"),
        (("Invert", 5, 1, -1), "from 0 to 255, not -1"),
        (("Rotate", 5, 1, 0.5), "from 0 to 255, not 0.5"),
    ],
)
def test_arguments_that_make_no_sense(image, arguments, message):
    with pytest.raises(ValueError, match=message):
        apply_operation(image, *arguments)


def test_auto_augment_refuses_a_fill_before_it_draws(image):
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="from 0 to 255, not 300"):
        auto_augment(image, generator, fill=300)
    assert generator.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("shape", [(2, 8, 8), (8, 8, 3), (8, 8), (1, 3, 8, 8), (3, 0, 4), (4, 8, 8)])
def test_other_shapes(shape):
    with pytest.raises(ValueError, match="expected one image of shape .* got \\[" + ", ".join(map(str, shape))):
        to_image(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize("value", [1.002, -1.002, 255.0, math.nan, math.inf, -math.inf])
def test_other_values(value):
    array = np.zeros((3, 4, 4), dtype=np.float32)
    array[1, 2, 3] = value
    with pytest.raises(ValueError, match="expected finite values from -1 to 1, got "):
        to_image(array)


def test_paddle_is_not_loaded():
    code = "import sys, paddle_vit.training.operations; sys.exit('paddle' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
