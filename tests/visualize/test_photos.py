"""The photographs that come with the package, and those of learners."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import paddle_vit
from paddle_vit.visualize.photos import FOLDER, PHOTOS, load_image, load_photo

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


# -- a learner's own ---------------------------------------------------------------------------------------------------


def colours(height, width):
    """[height, width, 3] uint8: red grows to the right, green downwards."""
    rows, columns = np.mgrid[:height, :width]
    channels = [255 * (columns + 0.5) / width, 255 * (rows + 0.5) / height, 0 * rows + 40]
    return np.stack(channels, axis=-1).astype("uint8")


def saved(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("height, width", [(300, 400), (400, 300), (256, 256), (57, 91), (700, 260)])
@pytest.mark.parametrize("size", [224, 96, 33])
def test_the_middle_of_the_image(tmp_path, height, width, size):
    found = load_image(saved(tmp_path / "image.png", colours(height, width)), size)
    assert found.shape == (3, size, size) and found.dtype == np.float32
    # 224 of 256 parts of the shorter side are left, in the middle of both
    half = 0.5 * 224 / 256 * min(height, width)
    ends = np.array([-1, 1]) * (half - half / size)  # the middles of the outermost pixels
    across, down = (0.5 + ends / width), (0.5 + ends / height)
    exactly = 1 / size + 1 / 255  # to a pixel and a shade
    assert found[0, size // 2, [0, -1]] == pytest.approx(across, abs=exactly)
    assert found[1, [0, -1], size // 2] == pytest.approx(down, abs=exactly)
    assert found[2] == pytest.approx(40 / 255, abs=1e-6)


def test_what_the_papers_cut_for_testing(tmp_path):
    """At the size to which the shorter side is resized nothing is interpolated: just the middle."""
    pixels = np.random.Generator(np.random.PCG64(3)).integers(0, 256, (256, 301, 3), dtype="uint8")
    found = load_image(saved(tmp_path / "image.png", pixels))
    assert (found == pixels[16:240, 38:262].transpose(2, 0, 1).astype("float32") / 255).all()


def test_gray_images_of_8_and_16_bits(tmp_path):
    gray = colours(256, 256)[..., 0]
    found = load_image(saved(tmp_path / "8.png", gray))
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()
    assert (found[0] == gray[16:240, 16:240].astype("float32") / 255).all()
    assert (load_image(saved(tmp_path / "16.png", gray.astype("uint16") * 257)) == found).all()


def test_what_is_transparent_becomes_white(tmp_path):
    pixels = np.dstack([colours(256, 256), np.full((256, 256), 255, "uint8")])
    pixels[:128, :, 3] = 0
    found = load_image(saved(tmp_path / "image.png", pixels))
    assert (found[:, :112] == 1).all()
    assert (found[:, 112:] == load_image(saved(tmp_path / "opaque.png", pixels[..., :3]))[:, 112:]).all()


@pytest.mark.parametrize("orientation, turns", [(1, 0), (6, 3), (3, 2), (8, 1)])
def test_photographs_are_turned_as_the_camera_was_held(tmp_path, orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = colours(256, 256)
    found = load_image(saved(tmp_path / "image.png", pixels, exif=exif))
    assert (found == np.rot90(pixels, turns)[16:240, 16:240].transpose(2, 0, 1).astype("float32") / 255).all()


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photo_of_the_package_is_enlarged_before_it_is_cut(name):
    whole = Image.fromarray((load_photo(name).transpose(1, 2, 0) * 255).round().astype("uint8"))
    expected = np.asarray(whole.resize((256, 256), Image.Resampling.BICUBIC)).transpose(2, 0, 1)[:, 16:240, 16:240]
    assert load_image(FOLDER / f"{name}.jpg") == pytest.approx(expected / 255, abs=1e-6)


def test_no_image(tmp_path):
    with pytest.raises(ValueError, match="there is no file .*holiday.jpg"):
        load_image(tmp_path / "holiday.jpg")
    text = tmp_path / "text.jpg"
    text.write_text("not an image")
    with pytest.raises(ValueError, match="text.jpg cannot be read as an image; JPEG and PNG"):
        load_image(text)
    with pytest.raises(ValueError, match="cannot be read as an image"):
        load_image(tmp_path)
    half = tmp_path / "half.png"
    whole = saved(tmp_path / "image.png", colours(256, 256)).read_bytes()
    half.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="half.png cannot be read as an image"):
        load_image(half)


# -- those of the package ----------------------------------------------------------------------------------------------


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
