"""The image operations that RandAugment and AutoAugment choose from, and AutoAugment itself. Pillow and numpy only."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

_GREYS = np.arange(256)


def to_image(array):
    """The inverse of to_array; values between two grey levels go to the nearer one.

    Args:
        array: [C, height, width], values in -1..1.

    Returns:
        Image of mode "L" for C = 1, "RGB" for C = 3

    Raises:
        ValueError: another shape, values that are not finite or leave -1..1 by more than 0.001.
    """
    if array.ndim != 3 or len(array) not in (1, 3) or not array.size:
        raise ValueError(
            f"expected one image of shape [1, height, width] or [3, height, width], got {list(array.shape)}: "
            f"give one image of a batch at a time, channels first"
        )
    if not np.abs(array).max() <= 1.001:  # also true of nan
        raise ValueError(
            f"expected finite values from -1 to 1, got {array.min()} to {array.max()}: scale 0..255 by value / 127.5 - 1"
        )
    channels, height, width = array.shape
    levels = np.rint(array * 127.5 + 127.5).astype(np.uint8)
    pixels = np.ascontiguousarray(levels.transpose(1, 2, 0))  # H W C
    return Image.frombytes("L" if channels == 1 else "RGB", (width, height), pixels)


def to_array(image):
    """Grey levels 0 to 255 as values -1 to 1: to_image(to_array(image)) has the same pixels.

    Args:
        image: Image of mode "L" or "RGB"

    Returns:
        [C, height, width] float32, C = 1 for "L" and 3 for "RGB"

    Raises:
        ValueError: another mode.
    """
    check_mode(image)
    pixels = np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, -1)
    array = np.array(pixels.transpose(2, 0, 1), dtype=np.float32, order="C")  # C H W
    array /= 127.5
    array -= 1.0
    return array


def check_mode(image):
    """Raise a ValueError unless image is grey or RGB, 8 bits a channel."""
    if image.mode not in ("L", "RGB"):
        raise ValueError(f'expected an image of mode "L" or "RGB", got "{image.mode}": use image.convert("RGB")')


# Operations: (image, value, fill) to a new image. Most need no fill, some no value.


def _look_up(image, levels):
    """The image with grey level i replaced by levels[i] in every channel."""
    return Image.frombytes(image.mode, image.size, image.tobytes().translate(levels.astype(np.uint8).tobytes()))


def _invert(image, value, fill):
    return _look_up(image, 255 - _GREYS)


def _posterize(image, bits, fill):
    """Keep the highest bits of every grey level, from 0 (black) to 8 (all)."""
    return _look_up(image, _GREYS & (256 - 2 ** (8 - bits)))


def _solarize(image, threshold, fill):
    """Invert the grey levels from threshold up."""
    return _look_up(image, np.where(_GREYS < threshold, _GREYS, 255 - _GREYS))


def _solarize_add(image, added, fill):
    """Make the dark half of the grey levels brighter; added is 127 at most."""
    return _look_up(image, np.where(_GREYS < 128, _GREYS + added, _GREYS))


def _auto_contrast(image, value, fill):
    """Stretch each channel to 0..255. A channel of one grey level stays."""
    extrema = image.getextrema() if image.mode == "RGB" else [image.getextrema()]
    scale = np.array([255.0 / (high - low) if high > low else 1.0 for low, high in extrema])  # C
    offset = np.array([low if high > low else 0.0 for low, high in extrema]) * scale
    return Image.fromarray((np.asarray(image) * scale - offset).astype(np.uint8))


def _equalize(image, value, fill):
    """Spread the grey levels of each channel so that all are equally frequent, as Pillow's ImageOps.equalize does.

    Its integer steps leave a channel as it is where fewer than 255 pixels lie below the brightest level: images of up
    to 15x15 pixels do not change.
    """
    channels = len(image.getbands())
    pixels = np.asarray(image).reshape(-1, channels)
    index = pixels + 256 * np.arange(channels)  # HW C, a place in the tables below
    counts = np.bincount(index.ravel(), minlength=256 * channels).reshape(channels, 256)
    below = counts.cumsum(axis=1) - counts
    step = below.max(axis=1, where=counts > 0, initial=0)[:, None] // 255  # C 1
    levels = np.minimum((below + step // 2) // np.maximum(step, 1), 255)
    tables = np.where(step > 0, levels, _GREYS).astype(np.uint8)
    return Image.frombytes(image.mode, image.size, tables.ravel()[index].tobytes())


def _color(image, factor, fill):
    """Away from the grey image (0) through this one (1) to more colour."""
    return Image.blend(image.convert("L").convert(image.mode), image, factor)


def _contrast(image, factor, fill):
    """Away from the mean grey of the whole image (0) through this one (1) to more contrast."""
    mean = int(np.frombuffer(image.convert("L").tobytes(), np.uint8).mean() + 0.5)
    return Image.blend(Image.new(image.mode, image.size, _ink(image, mean)), image, factor)


def _brightness(image, factor, fill):
    """Away from black (0) through this one (1) to brighter."""
    return Image.blend(Image.new(image.mode, image.size), image, factor)


def _sharpness(image, factor, fill):
    """Away from the smoothed image (0) through this one (1) to sharper."""
    return Image.blend(image.filter(ImageFilter.SMOOTH), image, factor)


def _ink(image, grey):
    """A grey level as Pillow wants it for this mode."""
    return (grey, grey, grey) if image.mode == "RGB" else grey


def _rotate(image, degrees, fill):
    """Counter-clockwise about the centre."""
    return image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=_ink(image, fill))


def _affine(image, matrix, fill):
    """matrix (a, b, c, d, e, f): the new pixel at (x, y) is the old one at (ax + by + c, dx + ey + f)."""
    ink = _ink(image, fill)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=ink)


def _shear_x(image, slope, fill):
    return _affine(image, (1, slope, 0, 0, 1, 0), fill)


def _shear_y(image, slope, fill):
    return _affine(image, (1, 0, 0, slope, 1, 0), fill)


def _translate_x(image, share, fill):
    """By a share of the width, to the left where it is positive."""
    return _affine(image, (1, 0, share * image.width, 0, 1, 0), fill)


def _translate_y(image, share, fill):
    """By a share of the height, upwards where it is positive."""
    return _affine(image, (1, 0, 0, 0, 1, share * image.height), fill)


class Operation(NamedTuple):
    """One operation, and how strong it is. part is magnitude / 10, in 0..1; sign is 1 or -1."""

    function: Callable  # (image, value, fill) -> image
    value: Callable = lambda part, sign: None  # (part, sign) -> value, growing in effect with part: RandAugment
    auto_value: Callable = None  # the same in AutoAugment, where that differs
    signed: bool = False  # whether sign changes value


def _factor(part, sign):
    return max(0.1, 1.0 + sign * 0.9 * part)


def _auto_factor(part, sign):
    return 0.1 + 1.8 * part


def _slope(part, sign):
    return sign * 0.3 * part


def _share(part, sign):
    return sign * 0.45 * part


# The list of timm's "rand-m9-mstd0.5-inc1", with which DeiT was trained (Touvron et al., ICML 2021, arXiv:2012.12877).
# RandAugment itself (Cubuk et al., NeurIPS 2020, arXiv:1909.13719) has Identity in place of Invert and SolarizeAdd.
OPERATIONS = {
    "AutoContrast": Operation(_auto_contrast),
    "Equalize": Operation(_equalize),
    "Invert": Operation(_invert),
    "Rotate": Operation(_rotate, lambda part, sign: sign * 30.0 * part, signed=True),
    "Posterize": Operation(_posterize, lambda part, sign: 4 - int(part * 4), lambda part, sign: 4 + int(part * 4)),
    "Solarize": Operation(_solarize, lambda part, sign: 256 - int(part * 256), lambda part, sign: int(part * 256)),
    "SolarizeAdd": Operation(_solarize_add, lambda part, sign: int(part * 110)),
    "Color": Operation(_color, _factor, _auto_factor, signed=True),
    "Contrast": Operation(_contrast, _factor, _auto_factor, signed=True),
    "Brightness": Operation(_brightness, _factor, _auto_factor, signed=True),
    "Sharpness": Operation(_sharpness, _factor, _auto_factor, signed=True),
    "ShearX": Operation(_shear_x, _slope, signed=True),
    "ShearY": Operation(_shear_y, _slope, signed=True),
    "TranslateX": Operation(_translate_x, _share, signed=True),
    "TranslateY": Operation(_translate_y, _share, signed=True),
}


def apply_operation(image, name, magnitude, sign=1, fill=128):
    """One operation of RandAugment. Nothing is random here.

    At magnitude 0 all but AutoContrast, Equalize, Invert and Posterize (which keeps 4 bits) leave the image as it is.

    Args:
        image: Image of mode "L" or "RGB"; it is not changed.
        name: one of OPERATIONS
        magnitude: from 0 to 10, whole or not. AutoContrast, Equalize and Invert have only one strength.
        sign: 1 or -1: the direction, for the operations that are signed.
        fill: grey level, 0 to 255, of the pixels that come from outside the image.

    Returns:
        a new Image of the same mode and size

    Raises:
        ValueError: an argument that is none of these.
    """
    check_mode(image)
    if name not in OPERATIONS:
        raise ValueError(f"no operation is called {name!r}: choose from {', '.join(OPERATIONS)}")
    if not 0 <= magnitude <= 10:
        raise ValueError(f"magnitude must be from 0 to 10, not {magnitude}: clip what you draw")
    if sign not in (1, -1):
        raise ValueError(f"sign must be 1 or -1, not {sign}")
    check_fill(fill)
    operation = OPERATIONS[name]
    return operation.function(image, operation.value(magnitude / 10, sign), fill)


def check_fill(fill):
    """Raise a ValueError unless fill is a grey level."""
    if fill not in range(256):
        raise ValueError(f"fill must be one grey level, a whole number from 0 to 255, not {fill}")


# Cubuk et al., "AutoAugment: Learning Augmentation Policies from Data", CVPR 2019, arXiv:1805.09501, appendix, ImageNet:
# two operations (name, probability, magnitude) in each sub-policy. Some pairs are in the paper twice.
AUTO_AUGMENT_IMAGENET = (
    (("Posterize", 0.4, 8), ("Rotate", 0.6, 9)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 5)),
    (("Equalize", 0.8, 8), ("Equalize", 0.6, 3)),
    (("Posterize", 0.6, 7), ("Posterize", 0.6, 6)),
    (("Equalize", 0.4, 7), ("Solarize", 0.2, 4)),
    (("Equalize", 0.4, 4), ("Rotate", 0.8, 8)),
    (("Solarize", 0.6, 3), ("Equalize", 0.6, 7)),
    (("Posterize", 0.8, 5), ("Equalize", 1.0, 2)),
    (("Rotate", 0.2, 3), ("Solarize", 0.6, 8)),
    (("Equalize", 0.6, 8), ("Posterize", 0.4, 6)),
    (("Rotate", 0.8, 8), ("Color", 0.4, 0)),
    (("Rotate", 0.4, 9), ("Equalize", 0.6, 2)),
    (("Equalize", 0.0, 7), ("Equalize", 0.8, 8)),
    (("Invert", 0.6, 4), ("Equalize", 1.0, 8)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Rotate", 0.8, 8), ("Color", 1.0, 2)),
    (("Color", 0.8, 8), ("Solarize", 0.8, 7)),
    (("Sharpness", 0.4, 7), ("Invert", 0.6, 8)),
    (("ShearX", 0.6, 5), ("Equalize", 1.0, 9)),
    (("Color", 0.4, 0), ("Equalize", 0.6, 3)),
    (("Equalize", 0.4, 7), ("Solarize", 0.2, 4)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 5)),
    (("Invert", 0.6, 4), ("Equalize", 1.0, 8)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Equalize", 0.8, 8), ("Equalize", 0.6, 3)),
)


def auto_augment(image, generator, fill=128):
    """One random sub-policy of AutoAugment's policy for ImageNet.

    A magnitude m stands m tenths up the paper's range, as in timm's "original" policy: Posterize keeps 4 to 8 bits,
    Solarize inverts from 0 to 256 up (both weaker with m), Color, Contrast, Brightness and Sharpness go from 0.1 to 1.9
    (none at m = 5). The other ranges are RandAugment's. Readings of the paper differ: torchvision spreads 0..9 over the
    whole range, and lets Posterize and Solarize grow stronger with m.

    Draws from generator, in this order and always five: integers(25), the sub-policy; then for each of its operations
    random(), which applies it if below its probability, and random(), which makes the sign negative if below 0.5.

    Args:
        image: Image of mode "L" or "RGB"; it is not changed.
        generator: numpy.random.Generator
        fill: grey level, 0 to 255, of the pixels that come from outside the image.

    Returns:
        an Image of the same mode and size; image itself if neither operation is applied

    Raises:
        ValueError: an image of another mode, or another fill.
    """
    check_mode(image)
    check_fill(fill)
    for name, probability, magnitude in AUTO_AUGMENT_IMAGENET[generator.integers(25)]:
        applied = generator.random() < probability
        sign = -1 if generator.random() < 0.5 else 1
        if applied:
            operation = OPERATIONS[name]
            value = (operation.auto_value or operation.value)(magnitude / 10, sign)
            image = operation.function(image, value, fill)
    return image
