"""Pictures of ideas: the numbers in them are those of the text and of the code."""

import numpy as np
import paddle
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from picture_checks import cell_texts, check_png, check_texts, image, noise

from paddle_vit.models.vit import Attention, sincos_1d, sincos_2d
from paddle_vit.visualize import TEST, TRAIN, displayed
from paddle_vit.visualize.ideas import (
    QUIET,
    drop_picture,
    gelu_picture,
    heads_picture,
    norms_picture,
    one_query_picture,
    patches_picture,
    scale_picture,
    sincos_picture,
)

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")


def cells(axes):
    """{(left, top): colour} of the cells that are drawn."""
    return {patch.get_xy(): to_hex(patch.get_facecolor()) for patch in axes.patches if isinstance(patch, Rectangle)}


# -- patches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape, patch", [((1, 8, 8), 2), ((3, 12, 20), (3, 4)), ((3, 224, 224), 32)])
def test_patches_picture(tmp_path, shape, patch):
    pixels = noise(*shape) * 5 - 2
    figure = patches_picture(pixels, patch, tmp_path / "patches.png")
    check_png(tmp_path / "patches.png", figure, least_width=1000)
    whole, apart = figure.axes
    shown = displayed(pixels)
    assert np.array_equal(whole.images[0].get_array(), shown)
    height, width = (patch, patch) if isinstance(patch, int) else patch
    columns = shape[2] // width
    numbers = [int(text.get_text()) for text in apart.texts]
    assert numbers == list(range(len(apart.images))) and len(numbers) == columns * (shape[1] // height)
    for number, drawn in enumerate(apart.images):
        top, left = number // columns * height, number % columns * width
        assert np.array_equal(drawn.get_array(), shown[top : top + height, left : left + width])
        x0, x1, y1, y0 = drawn.get_extent()
        assert (x0, y0) == pytest.approx((number % columns * 1.2, number // columns * 1.2))
        assert (x1 - x0, y1 - y0) == pytest.approx((1, 1))
    assert len(whole.lines) == columns - 1 + shape[1] // height - 1


def test_many_patches_are_numbered_at_the_edges():
    figure = patches_picture(noise(3, 224, 224), 16)
    check_texts(figure)
    assert len(figure.axes[1].images) == 196
    assert {int(text.get_text()) for text in figure.axes[1].texts} == {*range(14), *range(0, 196, 14)}


def test_patches_that_do_not_tile():
    with pytest.raises(ValueError, match="do not tile"):
        patches_picture(image(), 4)


# -- positions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [sincos_1d(16, 64), sincos_2d((4, 4), 64), sincos_1d(5, 4)])
def test_sincos_picture(tmp_path, table):
    figure = sincos_picture(table, tmp_path / "sincos.png")
    check_png(tmp_path / "sincos.png", figure, least_width=1000)
    colours, curves = figure.axes[:2]
    assert np.array_equal(colours.images[0].get_array(), table.numpy()), "positions down, channels across"
    assert len(curves.lines) >= 2
    for line in curves.lines:
        channel = int(line.get_label().removeprefix("channel "))
        assert np.array_equal(line.get_ydata(), table.numpy()[:, channel])


# -- attention --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("T, H, D", [(3, 2, 3), (2, 3, 2), (4, 1, 3)])
def test_heads_picture(tmp_path, T, H, D):
    figure = heads_picture(T, H, D, tmp_path / "heads.png")
    check_png(tmp_path / "heads.png", figure, least_width=1000)
    before, after = figure.axes
    C = H * D

    numbers = np.arange(T * 3 * C).reshape(T, 3 * C)
    above = cell_texts(before)
    assert all(above[column + 0.5, row + 0.5] == str(numbers[row, column]) for row, column in np.ndindex(T, 3 * C))

    attention = Attention(embed_dim=C, num_heads=H)
    parts = attention.split_heads(paddle.to_tensor(numbers[None].astype("float32")))
    for column, part in enumerate(parts):
        for head in range(H):
            expected = part.numpy()[0, head]  # T D
            left, top = column * (C + 1), head * (T + 1.2)
            drawn = {(round(x, 3), round(y, 3)): text for (x, y), text in cell_texts(after).items()}
            for row, dim in np.ndindex(T, D):
                place = round(left + dim + 0.5, 3), round(top + row + 0.5, 3)
                assert drawn[place] == str(int(expected[row, dim]))

    # the same number has the same colour above and below, and each of q, k, v of each head a colour of its own
    def colour_of_number(axes):
        places = {(round(x + 0.5, 3), round(y + 0.5, 3)): colour for (x, y), colour in cells(axes).items()}
        texts = {(round(x, 3), round(y, 3)): text for (x, y), text in cell_texts(axes).items() if text.isdigit()}
        return {text: places[place] for place, text in texts.items()}

    assert colour_of_number(before) == colour_of_number(after)
    assert len(colour_of_number(before)) == T * 3 * C
    assert len(set(colour_of_number(before).values())) == 3 * H


def test_scale_picture(tmp_path):
    figure = scale_picture(tmp_path / "scale.png")
    check_png(tmp_path / "scale.png", figure, least_width=1000)
    largest = {}
    for axes in figure.axes:
        assert len(axes.lines) == 2
        for line in axes.lines:
            weights = line.get_ydata()
            assert weights.sum() == pytest.approx(1) and (np.diff(weights) <= 0).all() and len(weights) == 16
            largest[axes.get_title(), line.get_label()] = weights[0]
        without, with_scale = (np.log(line.get_ydata() / line.get_ydata()[0]) for line in axes.lines)
        dim = int(axes.get_title().removeprefix("D = "))
        assert np.allclose(without, with_scale * np.sqrt(dim)), "the same scores, divided by sqrt(D)"
    assert largest["D = 1024", "softmax(q k)"] > 0.9
    assert max(largest[f"D = {dim}", "softmax(q k / √D)"] for dim in (4, 64, 1024)) < 0.5


@pytest.mark.parametrize("num_tokens, query", [(4, 2), (12, 11), (17, 0)])
def test_one_query_picture(tmp_path, num_tokens, query):
    weights = noise(num_tokens, num_tokens) ** 4
    weights /= weights.sum(axis=1, keepdims=True)
    figure = one_query_picture(paddle.to_tensor(weights), query, tmp_path / "query.png")
    check_png(tmp_path / "query.png", figure, least_width=600)
    axes = figure.axes[0]
    assert np.array_equal(axes.images[0].get_array(), weights)
    (frame,) = axes.patches
    assert frame.get_bbox().bounds == (-0.5, query - 0.5, num_tokens, 1), "a row and not a column"
    assert axes.get_title() == f"query {query}: its row sums to 1.00"
    assert axes.get_ylabel().startswith("query") and axes.get_xlabel().startswith("key")
    if num_tokens <= 12:
        written = cell_texts(axes)
        for row, column in np.ndindex(weights.shape):
            assert float(written[column, row]) == pytest.approx(weights[row, column], abs=0.0051)
    else:
        assert not axes.texts


def test_one_query_picture_of_whole_weights():
    figure = one_query_picture(np.eye(2), 0)
    assert sorted(cell_texts(figure.axes[0]).values()) == [".00", ".00", "1.00", "1.00"]


# -- layers -----------------------------------------------------------------------------------------------------------


def test_norms_picture(tmp_path):
    figure = norms_picture(tmp_path / "norms.png")
    check_png(tmp_path / "norms.png", figure, least_width=1000)
    for axes, colour, count in zip(figure.axes, (TRAIN, TEST), (6, 3 * 4), strict=True):
        drawn = cells(axes)
        assert len(drawn) == 3 * 4 * 6 and set(drawn.values()) == {QUIET, colour}
        marked = [place for place, each in drawn.items() if each == colour]
        assert len(marked) == count
        if colour == TRAIN:
            assert len({top for _, top in marked}) == 1 and max(left for left, _ in marked) < 6, "one token, one sample"
        else:
            assert len({round(left % 6.7, 3) for left, _ in marked}) == 1 and len({top for _, top in marked}) == 4


def test_gelu_picture(tmp_path):
    figure = gelu_picture(tmp_path / "gelu.png")
    check_png(tmp_path / "gelu.png", figure, least_width=700)
    lines = {line.get_label(): line.get_xydata() for line in figure.axes[0].lines}
    assert np.array_equal(lines["ReLU"][:, 1], np.maximum(lines["ReLU"][:, 0], 0))
    x, y = lines["GELU"].T
    assert y[np.argmin(np.abs(x - 1))] == pytest.approx(0.8413, abs=1e-4), "1 times the share below 1"


def test_drop_picture(tmp_path):
    figure = drop_picture(tmp_path / "drop.png")
    check_png(tmp_path / "drop.png", figure, least_width=1000)
    before, dropout, drop_path = (axes.images[0].get_array() for axes in figure.axes)
    assert (before == 1).all()
    assert set(dropout.ravel()) == set(drop_path.ravel()) == {0, 2}
    assert any(len(set(row)) == 2 for row in dropout), "dropout takes single numbers"
    assert all(len(set(row)) == 1 for row in drop_path), "drop path takes whole samples"
    for axes in figure.axes:
        block = axes.images[0].get_array()
        assert all(float(text) == block[row, column] for (column, row), text in cell_texts(axes).items())


def test_drop_picture_leaves_the_generator_as_it_was():
    draws = []
    for draw_picture in (False, True):
        paddle.seed(11)
        paddle.rand([3])
        if draw_picture:
            drop_picture()
        draws.append(paddle.rand([4]).numpy())
    assert np.array_equal(*draws)
