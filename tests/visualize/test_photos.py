"""The photographs that come with the package."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import paddle_vit
from paddle_vit.visualize.photos import FOLDER, PHOTOS, load_photo

DATA = Path(paddle_vit.__file__).parent / "data"


@pytest.mark.parametrize("name", PHOTOS)
def test_load_photo(name):
    photo = load_photo(name)
    assert photo.shape == (3, 224, 224) and photo.dtype == np.float32
    assert 0 <= photo.min() < 0.2 and 0.8 < photo.max() <= 1
    assert np.abs(photo[0] - photo[2]).mean() > 0.05, "in colour"


def test_unknown_photo():
    with pytest.raises(ValueError, match="'dog'.*cat, coffee"):
        load_photo("dog")


def test_they_are_small_and_all_of_them_are_named_with_a_licence():
    files = sorted(FOLDER.iterdir())
    assert [file.name for file in files] == [f"{name}.jpg" for name in PHOTOS]
    assert sum(file.stat().st_size for file in files) < 200_000
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    for file in files:
        (row,) = (line for line in readme.splitlines() if line.startswith(f"| `{file.name}`"))
        assert "creativecommons.org" in row


def test_they_are_what_the_script_makes():
    pytest.importorskip("skimage", reason="the photographs come from scikit-image and scikit-learn")
    pytest.importorskip("sklearn", reason="the photographs come from scikit-image and scikit-learn")
    spec = importlib.util.spec_from_file_location("make_photos", DATA / "make_photos.py")
    make_photos = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_photos)
    originals = make_photos.originals()
    assert set(originals) == set(PHOTOS) == set(make_photos.SQUARES)
    for name, whole in originals.items():
        made = np.asarray(make_photos.make_photo(whole, *make_photos.SQUARES[name])).transpose(2, 0, 1) / 255
        assert np.abs(made - load_photo(name)).mean() < 0.02, "up to what JPEG loses"
