"""The photographs that come with the package; data/README.md says who took them and under which licences."""

from pathlib import Path

import numpy as np
from matplotlib.image import imread

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
