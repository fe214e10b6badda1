"""Pictures of windows show what the functions do: right ones, and wrong ones."""

import numpy as np
import paddle
import pytest
from matplotlib.colors import to_rgb
from picture_checks import check_png, check_texts, noise

from paddle_vit.models.swin import cyclic_shift, shifted_window_mask, window_partition
from paddle_vit.visualize import displayed
from paddle_vit.visualize.augmentation import CLASSES
from paddle_vit.visualize.windows import mask_picture, shift_picture, windows_picture

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")

TINTS = np.array([to_rgb(colour) for colour in CLASSES])
SIZES = dict(window_size=3, shift_size=1, token_pixels=4)  # 6 x 9 tokens in an image of 24 x 36 pixels


def numbers_of(axes, photo, token_pixels):
    """The number of each token [H, W], by its tint over the photo [height, width, 3]."""
    tint = (axes.images[0].get_array() - 0.55 * photo) / 0.45
    tint = tint[token_pixels // 2 :: token_pixels, token_pixels // 2 :: token_pixels]  # a pixel of each token
    distance = np.abs(tint[:, :, None] - TINTS).sum(axis=-1)
    assert distance.min(axis=-1).max() < 1e-4, "each token has one of the tints"
    return distance.argmin(axis=-1)


def written(axes, token_pixels):
    """{(row, column) of the token: the number in its upper left corner}"""
    return {
        (round((y + 0.5) / token_pixels), round((x + 0.5) / token_pixels)): int(text.get_text())
        for text in axes.texts
        for x, y in [text.xy]
    }


def test_windows_picture(tmp_path):
    image = noise(3, 24, 36)
    figure = windows_picture(image, window_partition, cyclic_shift, **SIZES, path=tmp_path / "windows.png")
    check_png(tmp_path / "windows.png", figure, least_width=1200)
    straight, shifted = (numbers_of(axes, displayed(image), 4) for axes in figure.axes)
    rows, columns = np.arange(6), np.arange(9)
    assert np.array_equal(straight, 3 * (rows[:, None] // 3) + columns // 3)
    assert np.array_equal(shifted, 3 * ((rows[:, None] - 1) % 6 // 3) + (columns - 1) % 9 // 3)
    left, right = (written(axes, 4) for axes in figure.axes)
    assert left == {(3 * row, 3 * column): 3 * row + column for row in range(2) for column in range(3)}
    assert set(right) == {(row, column) for row in (0, 1, 4) for column in (0, 1, 4, 7)}, "3 x 4 pieces"
    assert all(number == shifted[place] for place, number in right.items())


def test_windows_of_a_wrong_function():
    image = noise(3, 24, 36)

    def wrong_partition(x, window_size):  # without the transpose: strips of rows
        return x.reshape([-1, window_size, window_size, x.shape[-1]])

    figure = windows_picture(image, wrong_partition, cyclic_shift, **SIZES)
    drawn = numbers_of(figure.axes[0], displayed(image), 4)
    assert np.array_equal(drawn, np.arange(54).reshape(6, 9) // 9)


def test_windows_of_a_grey_image_and_of_many_windows():
    figure = windows_picture(noise(1, 56, 56), window_partition, cyclic_shift, token_pixels=2)
    check_texts(figure)
    assert sorted(written(figure.axes[0], 2).values()) == list(range(16))


@pytest.mark.parametrize("draw", [windows_picture, shift_picture])
def test_tokens_that_do_not_tile(draw):
    functions = (window_partition, cyclic_shift) if draw is windows_picture else (cyclic_shift,)
    with pytest.raises(ValueError, match="do not tile"):
        draw(noise(3, 25, 36), *functions, **SIZES)


def test_shift_picture(tmp_path):
    image = noise(3, 24, 36)
    figure = shift_picture(image, cyclic_shift, **SIZES, path=tmp_path / "shift.png")
    check_png(tmp_path / "shift.png", figure, least_width=1200)
    before, after = figure.axes
    rolled = np.roll(displayed(image), (-4, -4), (0, 1))
    bands = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 0, 0, 0, 0, 1, 1, 2])  # of 6 rows and of 9 columns, M = 3
    regions = 3 * bands[0][:, None] + bands[1]
    assert np.array_equal(numbers_of(after, rolled, 4), regions)
    assert np.array_equal(numbers_of(before, displayed(image), 4), np.roll(regions, (1, 1), (0, 1)))
    assert sorted(written(before, 4).values()) == sorted(written(after, 4).values()) == list(range(9))
    assert all(number == regions[place] for place, number in written(after, 4).items())
    dashed = [line for line in after.lines if line.get_linestyle() == "--"]
    assert len(dashed) == 3 + 4 and not [line for line in before.lines if line.get_linestyle() == "--"]


def test_shift_in_the_wrong_direction_shows():
    image = noise(3, 24, 36)
    figure = shift_picture(image, lambda x, shift: cyclic_shift(x, -shift), **SIZES)
    drawn = figure.axes[1].images[0].get_array()
    right = shift_picture(image, cyclic_shift, **SIZES).axes[1].images[0].get_array()
    assert np.allclose(drawn, np.roll(right, (8, 8), (0, 1)))
    assert written(figure.axes[1], 4)[1, 1] == 8, "what stands in the corner before moved down and to the right"


def test_the_regions_are_those_of_the_mask(tmp_path):
    mask = shifted_window_mask((6, 9), 3, 1)
    figure = mask_picture(mask, (6, 9), 3, 1, tmp_path / "mask.png")
    check_png(tmp_path / "mask.png", figure, least_width=1200)
    whole, *small = figure.axes
    colours = whole.images[0].get_array()
    regions = np.abs(colours[:, :, None] - TINTS).sum(axis=-1).argmin(axis=-1)  # 6 9
    windows = window_partition(paddle.to_tensor(regions).reshape([1, 6, 9, 1]), 3).reshape([6, 9]).numpy()
    for number, axes in enumerate(small):
        assert np.array_equal(axes.images[0].get_array(), mask[number].numpy())
        apart = windows[number][:, None] != windows[number]
        assert np.array_equal(axes.images[0].get_array() == -100, apart)
    places = [axes.get_subplotspec().num1 for axes in small]
    assert places == [0, 1, 2, 3, 4, 5] and small[0].get_gridspec().get_geometry() == (2, 3)
    assert [axes.get_title() for axes in small] == [f"window {number}" for number in range(6)]


@pytest.mark.parametrize("resolution, window_size", [((4, 12), 4), ((12, 4), 4), ((15, 15), 3)])
def test_masks_of_any_shape(resolution, window_size):
    mask = shifted_window_mask(resolution, window_size, 2)
    figure = mask_picture(mask, resolution, window_size, 2)
    check_texts(figure)
    assert len(figure.axes) == 1 + len(mask)


def test_a_mask_with_the_wrong_sign_shows():
    mask = shifted_window_mask((6, 6), 3, 1).numpy()
    labels = {}
    for name, wrong in (("right", mask), ("wrong", -mask)):
        figure = mask_picture(wrong, (6, 6), 3, 1)
        labels[name] = [text.get_text() for text in figure.legends[0].get_texts()]
        pixels = figure.axes[4].images[0].make_image(figure.canvas.get_renderer(), unsampled=True)[0]
        assert len(np.unique(pixels.reshape(-1, 4), axis=0)) == 2
    assert labels["right"] == ["0: may look", "-100: may not"]
    assert labels["wrong"] == [*labels["right"], "above 0: wrong"]
