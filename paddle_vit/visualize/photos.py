"""Photographs: those that come with the package (data/README.md says who took them and under which licences), and one's own."""

from pathlib import Path

import numpy as np
from matplotlib.image import imread
from PIL import Image, ImageOps

_DAMAGED = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what no image or half of one raises

FOLDER = Path(__file__).parent.parent / "data" / "photos"
PHOTOS = ("cat", "coffee", "flower", "pagoda")


def load_photo(name):
    """One of PHOTOS.

    Returns:
        [3, 224, 224] float32 from 0 to 1

    Raises:
        ValueError: another name.
    """
    if name not in PHOTOS:
        raise ValueError(f"there is no photo {name!r}: choose one of {', '.join(PHOTOS)}")
    return imread(FOLDER / f"{name}.jpg").transpose(2, 0, 1).astype(np.float32) / 255


def load_image(path, size=224):
    """Any image file, cut as the papers do it for testing.

    The shorter side is resized to 256/224 of size, bicubic, and a square cut from the middle. Gray images get three equal
    channels, what is transparent becomes white, and photographs are turned as the camera was held.

    Args:
        path: a JPEG, PNG or another file that Pillow reads.
        size: pixels of the square's side.

    Returns:
        [3, size, size] float32 from 0 to 1

    Raises:
        ValueError: there is no such file, or it is no image.
    """
    image = open_on_white(path)
    resized = round(size * 256 / 224)
    width, height = (side * resized // min(image.size) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.resize((width, height), Image.Resampling.BICUBIC).crop((left, top, left + size, top + size))
    return np.asarray(image).transpose(2, 0, 1).astype(np.float32) / 255


def open_on_white(path):
    """An image file as an Image of mode "RGB", upright; what is transparent becomes white.

    Raises:
        ValueError: there is no such file, or it is no image.
    """
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode.startswith("I"):  # 16 bits, of which Pillow would make white whatever is over 255
                image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
            image = image.convert("RGBA")
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except _DAMAGED as error:
        raise ValueError(f"{path} cannot be read as an image; JPEG and PNG files can ({error})") from None
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
