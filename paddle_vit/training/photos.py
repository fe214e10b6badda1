"""Photographs in files: opened when they are wanted, and cut to the size of a model's images."""

import io
import math
import os
from typing import NamedTuple

import numpy as np
from PIL import Image

from paddle_vit.training.config import RecipeError
from paddle_vit.training.local_files import brief

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

# By their content. Among Pillow's others are some that start other programs. GIF: many a .jpg of the web is one.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF")

# EXIF orientation to what makes the image upright
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Packed(NamedTuple):
    """An image file that lies in memory, out of an archive."""

    name: str
    content: bytes  # none if it was not there


def is_image(name):
    """Whether a file of this name is taken for an image. Hidden files are not."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


class Photos:
    """Image files in a row. Only their names are kept, and the files are looked for but not opened before they are wanted.

    A file that cannot be decoded, or is not there, is an error, unless a limit is given: then up to so many may be bad, and
    in the place of each stands the next good one with the same label. That depends on the files alone: it is the
    same in every process and after any restart.

    Args:
        paths: list of str
        limit: how many may be bad. Each process counts those that it met.
        labels: [N], or None if any image can take the place of another.

    Attributes:
        bad: dict from the path of a bad file to what is wrong with it.

    Raises:
        RecipeError: more files than limit are not there.
    """

    def __init__(self, paths, limit=0, labels=None):
        self.paths, self.limit = paths, limit
        self.labels = None if labels is None else np.asarray(labels)
        self.bad = dict.fromkeys(missing_files(paths), "there is no such file")
        if len(self.bad) > limit:
            names = list(self.bad)
            more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
            raise RecipeError(
                f"{len(names):,} of {len(paths):,} images are not there{_beyond(limit)}: "
                f"{', '.join(map(brief, names[:10]))}{more}: copy them, or take them out of the list"
            )

    def __len__(self):
        return len(self.paths)

    def open(self, index):
        """An image, upright.

        Args:
            index: from 0 to below len(self)

        Returns:
            Image of mode "RGB", decoded

        Raises:
            RecipeError: it cannot be decoded, and limit does not allow it; the message names it.
        """
        for candidate in self._stand_ins(index):
            path = self.paths[candidate]
            try:
                return decode(path)
            except MemoryError:
                raise  # not the file's fault
            except Exception as error:  # decoders raise whatever nonsense leads them to
                name = _name(path)
                self.meet({name: f"{type(error).__name__}: {' '.join(str(error).split())}"})
        raise RecipeError(
            f"no image with the label of {brief(_name(self.paths[index]))} can be decoded: replace them, or delete all of them"
        )

    def meet(self, bad):
        """Count bad files: dict from paths to what is wrong with them.

        Raises:
            RecipeError: there are now more than limit.
        """
        self.bad.update(bad)
        if len(self.bad) > self.limit:
            name = list(self.bad)[-1]
            raise RecipeError(
                f"{brief(name)} cannot be decoded ({self.bad[name]}){_beyond(self.limit)}: replace it or delete it"
            )

    def _stand_ins(self, index):
        """index, then all others with its label, those after it first."""
        yield index
        alike = np.arange(len(self)) if self.labels is None else np.flatnonzero(self.labels == self.labels[index])
        yield from alike[alike > index].tolist()
        yield from alike[alike < index].tolist()


def _beyond(limit):
    return f", and only {limit:,} may be bad" if limit else ""


def _name(path):
    return path.name if isinstance(path, Packed) else path


def missing_files(paths):
    """Those of the paths where there is no file. Every folder is read once: much faster than asking for each file."""
    folders, missing = {}, []
    for path in paths:
        if isinstance(path, Packed):
            if not path.content:
                missing.append(path.name)
            continue
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = _names_in(folder)
        # a second look: case may not matter, and some folders may be entered but not listed
        if name not in folders[folder] and not os.path.isfile(path):
            missing.append(path)
    return missing


def _names_in(folder):
    try:
        with os.scandir(folder or ".") as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except (OSError, ValueError):  # ValueError: a name with a zero byte
        return ()


def decode(file):
    """The image in a file, upright: cameras write how they were held into EXIF, and leave the pixels as they are.

    Args:
        file: str, or Packed

    Returns:
        Image of mode "RGB"

    Raises:
        Exception: many kinds, if it cannot be decoded to the end.
    """
    with Image.open(io.BytesIO(file.content) if isinstance(file, Packed) else file, formats=_FORMATS) as image:
        image.load()
        try:
            orientation = image.getexif().get(_ORIENTATION)
        except Exception:  # damaged EXIF around a good image
            orientation = None
        if image.mode.startswith("I"):  # 16 bits of grey: convert would make all above 255 white
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        elif image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        image = image.convert("RGB")
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


# Cutting. Each function draws from the generator that it gets and from nothing else.


def as_pair(size):
    """An int, or (height, width), as (height, width)."""
    return (size, size) if isinstance(size, int) else tuple(size)


def random_resized_crop(image, generator, size, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    """A random part of an image, enlarged or reduced to one size: Inception's augmentation (Szegedy et al., CVPR 2015).

    Args:
        image: Image
        generator: numpy Generator
        size: of the result, int or (height, width).
        scale: least and greatest share of the image's area.
        ratio: least and greatest width / height of the part.

    Returns:
        Image
    """
    height, width = as_pair(size)
    left, top, crop_width, crop_height = _random_box(image.width, image.height, generator, scale, ratio)
    image = image.crop((left, top, left + crop_width, top + crop_height))
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _random_box(width, height, generator, scale, ratio):
    """left, top, width, height: ten tries, then as much of the middle as ratio allows."""
    for _ in range(10):
        area = width * height * generator.uniform(*scale)
        aspect = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
        crop_width, crop_height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < crop_width <= width and 0 < crop_height <= height:
            top = int(generator.integers(height - crop_height + 1))
            left = int(generator.integers(width - crop_width + 1))
            return left, top, crop_width, crop_height
    crop_width = min(width, max(round(height * ratio[1]), 1))
    crop_height = min(height, max(round(width / ratio[0]), 1))
    return (width - crop_width) // 2, (height - crop_height) // 2, crop_width, crop_height


def centre_crop(image, size, share=0.875):
    """The middle of an image whose shorter side was brought to size / share: how the papers test.

    Args:
        image: Image
        size: int or (height, width)
        share: of the shorter side that the result shows.

    Returns:
        Image
    """
    height, width = as_pair(size)
    image = _without_far_ends(image, 16 * max(height, width) // min(height, width))
    tall, wide = round(height / share), round(width / share)
    if tall * image.width >= wide * image.height:  # the height decides; of the other side the fraction is dropped
        wide = image.width * tall // image.height
    else:
        tall = image.height * wide // image.width
    left, top = round((wide - width) / 2), round((tall - height) / 2)
    image = image.resize((wide, tall), Image.Resampling.BICUBIC)
    return image.crop((left, top, left + width, top + height))


def _without_far_ends(image, ratio):
    """The middle of an image that is longer than ratio times its width: a line of pixels would grow to gigabytes."""
    long, short = max(image.size), min(image.size)
    if long <= ratio * short:
        return image
    width, height = min(image.width, ratio * short), min(image.height, ratio * short)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def padded_crop(image, generator, padding):
    """An image moved by up to padding pixels each way, black where it moved from: the augmentation of CIFAR.

    Args:
        image: Image
        generator: numpy Generator
        padding: pixels

    Returns:
        Image of the same size
    """
    left, top = (int(offset) for offset in generator.integers(-padding, padding + 1, size=2))
    return image.crop((left, top, left + image.width, top + image.height))


def flip(image, generator, probability):
    """An image, or with this probability its mirror image, left for right.

    Args:
        image: Image
        generator: numpy Generator
        probability: from 0 to 1

    Returns:
        Image
    """
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if generator.random() < probability else image
