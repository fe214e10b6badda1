"""Image files: opened whatever they are, replaced by a good one where the user allows it, and cut to size."""

import io
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps

from paddle_vit.training.config import RecipeError
from paddle_vit.training.photos import (
    Packed,
    Photos,
    centre_crop,
    flip,
    is_image,
    padded_crop,
    random_resized_crop,
)


def noise(height=13, width=7, seed=0):
    """Large even areas, so that JPEG keeps their colours."""
    colours = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((16 * width, 16 * height), Image.Resampling.NEAREST)


def generator(seed=0):
    return np.random.default_rng(seed)


def pixels(image):
    return np.asarray(image).astype(int)  # H W C


@pytest.fixture
def save(tmp_path):
    """Function that saves an image and returns the path of its file."""

    def save(image, name, **options):
        image.save(tmp_path / name, **options)
        return str(tmp_path / name)

    return save


# Opening


def test_names_of_images():
    for name in ("a.jpg", "a.JPG", "a.Jpeg", "b.c.png", "a.BMP", "猫.webp"):
        assert is_image(name)
    for name in (".a.jpg", "._a.jpg", "Thumbs.db", "a.gif", "a.jpg.txt", "jpg", "a.jpgx", ".jpg"):
        assert not is_image(name)


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.png", "a.bmp", "a.webp"])
def test_formats(save, name):
    image = noise()
    opened = Photos([save(image, name, quality=95)]).open(0)
    assert opened.mode == "RGB" and opened.size == image.size
    difference = np.abs(pixels(opened) - pixels(image))
    assert difference.mean() < 5 if name.endswith(("jpg", "jpeg", "webp")) else not difference.any()


def test_a_format_is_known_by_its_content(save):
    image = noise()
    path = save(image, "a.png")
    os.rename(path, path.replace(".png", ".jpg"))
    assert np.array_equal(pixels(Photos([path.replace(".png", ".jpg")]).open(0)), pixels(image))
    save(image.quantize(), "b.gif")
    os.rename(path.replace("a.png", "b.gif"), path)
    assert Photos([path]).open(0).mode == "RGB"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_every_mode_becomes_rgb(save, mode):
    grey = Image.fromarray(np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8))
    if mode == "I;16":
        image = Image.fromarray(pixels(grey).astype(np.uint16) * 257)
        assert image.mode == mode
    elif mode == "P":
        image = grey.convert("RGB").quantize(64)
        image.info["transparency"] = bytes([0, 128] * 32)
    else:
        image = grey.convert("RGB").convert(mode) if mode == "CMYK" else grey.convert(mode)
    path = save(image, "a.jpg" if mode == "CMYK" else "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = Photos([path]).open(0)
    assert opened.mode == "RGB"
    wanted = pixels(grey.convert("1") if mode == "1" else grey)[..., None] * (255 if mode == "1" else 1)
    assert np.abs(pixels(opened) - wanted).max() <= (12 if mode == "CMYK" else 4 if mode == "P" else 0)


@pytest.mark.parametrize("orientation", range(10))
def test_images_are_turned_upright(save, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(noise(), "a.png", exif=exif)
    with Image.open(path) as image:
        wanted = ImageOps.exif_transpose(image)
    opened = Photos([path]).open(0)
    assert opened.size == wanted.size and np.array_equal(pixels(opened), pixels(wanted))
    assert (opened.size == noise().size) == (orientation not in (5, 6, 7, 8))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_is_no_reason_to_lose_an_image(save):
    path = save(noise(), "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\xff" + bytes(range(40)))
    assert Photos([path]).open(0).size == noise().size
    path = save(noise(), "b.jpg", exif=b"Exif\0\0nonsense")
    assert Photos([path]).open(0).size == noise().size


def test_images_in_memory():
    stream = io.BytesIO()
    noise().save(stream, "PNG")
    photos = Photos([Packed("a.png", stream.getvalue())])
    assert np.array_equal(pixels(photos.open(0)), pixels(noise()))
    with pytest.raises(RecipeError, match="^b.png cannot be decoded"):
        Photos([Packed("b.png", stream.getvalue()[:99])]).open(0)
    with pytest.raises(RecipeError, match="^no image with the label of b.png can be decoded"):
        Photos([Packed("b.png", stream.getvalue()[:99])], limit=1).open(0)


def test_nothing_but_images_is_opened(save, tmp_path):
    """Pillow starts Ghostscript for PostScript."""
    path = str(tmp_path / "a.jpg")
    noise().save(path, "EPS")
    with Image.open(path) as image:
        assert image.format == "EPS"
    with pytest.raises(RecipeError, match="a.jpg cannot be decoded .UnidentifiedImageError"):
        Photos([path]).open(0)


def test_missing_files_are_found_at_once(save, tmp_path):
    good = save(noise(), "a.png")
    gone = [str(tmp_path / f"gone {number:02}" / "a.png") for number in range(12)]
    (tmp_path / "gone 03").mkdir()
    with pytest.raises(RecipeError) as info:
        Photos([good, *gone, good])
    assert f"12 of 14 images are not there: {', '.join(gone[:10])} and 2 more" in str(info.value)
    os.mkdir(tmp_path / "folder.png")
    with pytest.raises(RecipeError, match="1 of 2 images are not there: .*folder.png"):
        Photos([good, str(tmp_path / "folder.png")])


# Damaged ones


@pytest.fixture
def row(save):
    """Eight images of widths 16, 32, ... 128; and a function that damages one of them."""
    paths = [save(noise(3, 1 + place, seed=place), f"{place}.jpg") for place in range(8)]

    def damage(place, content=None):
        whole = open(paths[place], "rb").read()
        with open(paths[place], "wb") as file:
            file.write(whole[: len(whole) // 2] if content is None else content)

    return paths, damage


def shown(photos, places=range(8)):
    """Which image stands in each place."""
    return [photos.open(place).width // 16 - 1 for place in places]


@pytest.mark.parametrize(
    "content", [None, b"", b"\xff\xd8\xff\xe0", b"<html>", b"\x89PNG\r\n\x1a\n" + bytes(30), bytes(500)]
)
def test_a_damaged_image_is_named(row, content):
    paths, damage = row
    damage(3, content)
    photos = Photos(paths)
    assert shown(photos, [0, 7]) == [0, 7]
    with pytest.raises(RecipeError) as info:
        photos.open(3)
    assert str(info.value).startswith(f"{paths[3]} cannot be decoded (") and "replace it or delete it" in str(
        info.value
    )
    assert list(photos.bad) == [paths[3]]


def test_every_cut_of_an_image_is_damage(row):
    paths, damage = row
    whole = open(paths[5], "rb").read()
    for cut in range(0, len(whole) - 2, 23):
        damage(5, whole[:cut])
        with pytest.raises(RecipeError, match="5.jpg cannot be decoded"):
            Photos(paths).open(5)


def test_the_next_good_one_stands_in(row):
    paths, damage = row
    for place in (2, 3, 7):
        damage(place)
    photos = Photos(paths, limit=3)
    assert shown(photos) == [0, 1, 4, 4, 4, 5, 6, 0]
    assert shown(photos) == [0, 1, 4, 4, 4, 5, 6, 0]
    assert set(photos.bad) == {paths[2], paths[3], paths[7]} and "OSError: " in photos.bad[paths[3]]
    # in another order, as other processes ask for them or after a restart
    assert shown(Photos(paths, limit=3), [7, 3, 2]) == [0, 4, 4]


def test_only_one_with_the_same_label_stands_in(row):
    paths, damage = row
    for place in (2, 3, 7):
        damage(place)
    photos = Photos(paths, limit=3, labels=[0, 1, 0, 2, 1, 0, 2, 0])
    assert shown(photos, [2, 3, 7]) == [5, 6, 0]
    damage(6)
    with pytest.raises(RecipeError, match="no image with the label of .*3.jpg can be decoded"):
        Photos(paths, limit=4, labels=[0, 1, 0, 2, 1, 0, 2, 0]).open(3)


def test_more_than_the_limit(row):
    paths, damage = row
    for place in (2, 3, 7):
        damage(place)
    photos = Photos(paths, limit=2)
    assert shown(photos, [2, 3, 2]) == [4, 4, 4]
    with pytest.raises(RecipeError, match="7.jpg cannot be decoded .*and only 2 may be bad"):
        photos.open(7)


def test_missing_ones_count(row):
    paths, damage = row
    damage(2)
    os.remove(paths[3])
    assert list(Photos(paths, limit=1).bad) == [paths[3]]
    assert shown(Photos(paths, limit=2), [2, 3]) == [4, 4]
    with pytest.raises(RecipeError, match="2.jpg cannot be decoded .*and only 1 may be bad"):
        Photos(paths, limit=1).open(2)


def test_all_damaged(row):
    paths, damage = row
    for place in range(8):
        damage(place)
    with pytest.raises(RecipeError, match="no image with the label of .*4.jpg"):
        Photos(paths, limit=8).open(4)


# Cutting


def ramp(height, width):
    """Each pixel says where it is: red across, green down, from 0 to 255."""
    across, down = np.linspace(0, 255, width), np.linspace(0, 255, height)
    array = np.stack([*np.broadcast_arrays(across, down[:, None]), np.zeros((height, width))], axis=-1)
    return Image.fromarray(np.rint(array).astype(np.uint8))


def test_random_resized_crop_is_a_part_of_the_image():
    image = ramp(480, 640)
    shares, ratios, corners = [], [], []
    for seed in range(400):
        result = random_resized_crop(image, generator(seed), (23, 37))
        assert result.size == (37, 23)
        values = pixels(result)
        left, right = values[11, 0, 0] / 255, values[11, -1, 0] / 255  # centres of the outermost pixels
        top, bottom = values[0, 18, 1] / 255, values[-1, 18, 1] / 255
        width, height = (right - left) * 37 / 36, (bottom - top) * 23 / 22
        shares.append(width * height)
        ratios.append(width * 640 / (height * 480))
        corners.append((left, top))
        assert (np.diff(values[:, :, 0], axis=1) >= 0).all() and (np.diff(values[:, :, 1], axis=0) >= 0).all()
    assert 0.07 < min(shares) < 0.1 and 0.9 < max(shares) < 1.02
    assert 0.7 < min(ratios) < 0.8 and 1.25 < max(ratios) < 1.42
    # as many wide as tall ones, areas evenly spread; boxes that would not fit were drawn again
    assert abs(np.mean(np.log(ratios))) < 0.05 and 0.42 < np.mean(shares) < 0.55
    assert np.min(corners) < 0.02 and (np.max(corners, axis=0) > 0.55).all()


def test_random_resized_crop_of_everything_is_a_resize():
    image = noise(4, 4)
    result = random_resized_crop(image, generator(), 24, scale=(1, 1), ratio=(1, 1))
    assert np.array_equal(pixels(result), pixels(image.resize((24, 24), Image.Resampling.BICUBIC)))


@pytest.mark.parametrize(
    "size, box", [((1000, 20), (486, 0, 513, 20)), ((20, 1000), (0, 486, 20, 513)), ((50, 60), None)]
)
def test_random_resized_crop_falls_back_to_the_middle(size, box):
    """Where no box fits: parts as large as the image are never 4/3 as wide as tall, or the other way round."""
    image = ramp(size[1], size[0])
    scale = (1, 1) if box else (1.2, 1.2)
    result = random_resized_crop(image, generator(), 16, scale=scale)
    wanted = image.crop(box) if box else image
    assert np.array_equal(pixels(result), pixels(wanted.resize((16, 16), Image.Resampling.BICUBIC)))


def test_random_resized_crop_of_one_pixel():
    for size in ((1, 1), (1, 300), (300, 1)):
        assert random_resized_crop(Image.new("RGB", size), generator(), 8).size == (8, 8)


@pytest.mark.parametrize("size", [(256, 341), (375, 500), (501, 333), (224, 224), (97, 640), (30, 20)])
@pytest.mark.parametrize("wanted, share", [(224, 0.875), (64, 1.0), ((48, 80), 0.9), (33, 0.8)])
def test_centre_crop_is_resize_then_cut(size, wanted, share):
    """As the papers' code does it, step by step."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    height, width = (wanted, wanted) if isinstance(wanted, int) else wanted
    if height == width:
        shorter = round(height / share)
        long = int(shorter * max(size) / min(size))
        tall, wide = (shorter, long) if size[0] <= size[1] else (long, shorter)
    else:
        factor = max(round(height / share) / size[0], round(width / share) / size[1])
        tall, wide = (int(side * factor + 1e-9) for side in size)
    resized = image.resize((wide, tall), Image.Resampling.BICUBIC)
    left, top = round((wide - width) / 2), round((tall - height) / 2)
    result = centre_crop(image, wanted, share)
    assert result.size == (width, height)
    assert np.array_equal(pixels(result), pixels(resized.crop((left, top, left + width, top + height))))


@pytest.mark.parametrize("size", [(60000, 1), (1, 60000)])
def test_centre_crop_of_a_line_shows_its_middle(size):
    """Enlarged as a whole it would be 15 gigabytes."""
    line = Image.new("RGB", size)
    line.paste((250, 250, 250), tuple(max(side // 2 - 5, 0) for side in size) + tuple(side // 2 + 5 for side in size))
    result = pixels(centre_crop(line, 224))
    assert result.shape == (224, 224, 3) and (result == 250).all()


def test_padded_crop_moves_the_image():
    image = noise(2, 3)
    width, height = image.size
    padded = np.zeros((height + 8, width + 8, 3), int)
    padded[4:-4, 4:-4] = pixels(image)
    moved = set()
    for seed in range(400):
        result = pixels(padded_crop(image, generator(seed), 4))
        found = [
            (top, left)
            for top in range(9)
            for left in range(9)
            if np.array_equal(result, padded[top : top + height, left : left + width])
        ]
        assert len(found) == 1
        moved.add(found[0])
    assert len(moved) > 75  # of 81
    assert np.array_equal(pixels(padded_crop(image, generator(), 0)), pixels(image))
    assert padded_crop(image.convert("L"), generator(), 3).mode == "L"


def test_flip():
    image = noise()
    flipped = pixels(image)[:, ::-1]
    results = [pixels(flip(image, generator(seed), 0.25)) for seed in range(200)]
    count = sum(np.array_equal(result, flipped) for result in results)
    assert 30 < count < 70 and count + sum(np.array_equal(result, pixels(image)) for result in results) == 200
    assert np.array_equal(pixels(flip(image, generator(), 1.0)), flipped)
    assert np.array_equal(pixels(flip(image, generator(), 0.0)), pixels(image))


@pytest.mark.parametrize(
    "cut",
    [
        lambda image, random: random_resized_crop(image, random, (20, 30)),
        lambda image, random: padded_crop(image, random, 5),
        lambda image, random: flip(image, random, 0.5),
    ],
)
def test_chance_comes_from_the_generator_alone(cut):
    image = noise()
    np.random.seed(0)
    first = [pixels(cut(image, generator(seed))) for seed in range(10)]
    np.random.seed(1)
    assert all(np.array_equal(pixels(cut(image, generator(seed))), first[seed]) for seed in range(10))
    assert len({each.tobytes() for each in first}) > 1


def test_opening_images_loads_no_paddle():
    code = (
        "import sys; import paddle_vit.training.folders, paddle_vit.training.readers; sys.exit('paddle' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
