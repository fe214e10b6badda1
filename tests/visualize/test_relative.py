"""Pictures of relative positions: every number in them follows from its place."""

import functools

import numpy as np
import paddle
import pytest
from matplotlib.patches import Rectangle
from picture_checks import cell_texts, check_png, check_texts, noise, words

from paddle_vit.models.swin import relative_position_index
from paddle_vit.visualize.relative import bias_picture, relative_index_picture, relative_index_words_picture

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")


@functools.cache
def index_picture(size):
    return relative_index_picture(size)


def matrix(axes, size):
    """The numbers in the cells of a matrix [size, size]."""
    texts = cell_texts(axes)
    return np.array([[int(texts[column, row]) for column in range(size)] for row in range(size)])


def test_words(tmp_path):
    figure = relative_index_words_picture(path=tmp_path / "words.png")
    check_png(tmp_path / "words.png", figure, least_width=1200)
    first, second, table = figure.axes
    assert matrix(first, 3).tolist() == [[0, -1, -2], [1, 0, -1], [2, 1, 0]], "i - j"
    assert np.array_equal(matrix(second, 3), matrix(first, 3) + 2)
    for axes in (first, second):
        for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
            assert [tick.get_text() for tick in ticks] == ["I", "like", "you"]
    texts = cell_texts(table)
    assert [texts[0, row] for row in range(5)] == ["0", "1", "2", "3", "4"]
    # row 0 of the table belongs to i - j = -2: the word that is looked at stands two places further right
    meanings = [texts[1.6, row] for row in range(5)]
    assert meanings == [
        "2 words to the right",
        "1 word to the right",
        "the word itself",
        "1 word to the left",
        "2 words to the left",
    ]
    # the same number is the same colour in the matrix and in the table
    colours = {}
    for axes in (second, table):
        for patch in axes.patches:
            x, y = patch.get_xy()
            colours.setdefault(cell_texts(axes)[x + 0.5, y + 0.5], set()).add(patch.get_facecolor())
    assert len(colours) == 5 and all(len(each) == 1 for each in colours.values())


def test_other_words():
    figure = relative_index_words_picture(["a", "b", "c", "d"])
    assert np.array_equal(matrix(figure.axes[1], 4), np.subtract.outer(range(4), range(4)) + 3)
    assert "table of 2M - 1 = 7 numbers" in words(figure)


def test_chinese_words(chinese):
    assert [tick.get_text() for tick in relative_index_words_picture().axes[0].get_xticklabels()] == [
        "我",
        "喜欢",
        "你",
    ]


@pytest.mark.parametrize("size", [2, 3])
def test_index(size):
    figure = index_picture(size)
    panels = {axes.get_label(): axes for axes in figure.axes}
    names = {"dy": "dy", "dx": "dx", "dy + (M - 1)": "dy up", "dx + (M - 1)": "dx up"}
    tokens, wide = size * size, 2 * size - 1
    shown = {name: matrix(panels[label], tokens) for name, label in names.items()}
    for i, j in np.ndindex(tokens, tokens):
        assert shown["dy"][i, j] == i // size - j // size and shown["dx"][i, j] == i % size - j % size
    assert np.array_equal(shown["dy + (M - 1)"], shown["dy"] + size - 1)
    assert np.array_equal(shown["dx + (M - 1)"], shown["dx"] + size - 1)
    times = matrix(panels["dy times"], tokens)
    assert np.array_equal(times, shown["dy + (M - 1)"] * wide)
    assert np.array_equal(matrix(panels["index"], tokens), times + shown["dx + (M - 1)"])
    assert np.array_equal(matrix(panels["index"], tokens), relative_position_index(size).numpy())
    assert np.array_equal(matrix(panels["window"], size), np.arange(tokens).reshape(size, size))


def test_the_numbers_fit_into_their_cells():
    figure = index_picture(3)
    figure.draw_without_rendering()
    for axes in figure.axes:
        cell = axes.transData.transform([(0, 0), (1, 1)])
        width, height = np.abs(cell[1] - cell[0])
        boxes = [text.get_window_extent() for text in axes.texts if text.get_text().lstrip("-").isdigit()]
        assert len(boxes) in (9, 50, 81), "a window, two tables of 5 x 5, a matrix of 9 x 9"
        assert max(box.width for box in boxes) < width and max(box.height for box in boxes) < height


def test_the_index_is_the_one_that_was_given():
    wrong = relative_position_index(2).transpose([1, 0])
    panels = {axes.get_label(): axes for axes in relative_index_picture(2, wrong).axes}
    assert np.array_equal(matrix(panels["index"], 4), wrong.numpy())


@pytest.mark.parametrize("size", [2, 3])
def test_why(size):
    (axes,) = (axes for axes in index_picture(size).axes if axes.get_label() == "why")
    wide = 2 * size - 1
    texts = cell_texts(axes)
    left = {(y, x): int(texts[x, y]) for y, x in np.ndindex(wide, wide)}
    right = {(y, x): int(texts[wide + 1.5 + x, y]) for y, x in np.ndindex(wide, wide)}
    assert all(left[y, x] == y + x for y, x in left)
    assert sorted(right.values()) == list(range(wide**2)), "all different"
    framed = [patch.get_xy() for patch in axes.patches if isinstance(patch, Rectangle) and not patch.get_fill()]
    framed = [(round(y + 0.42), x + 0.42) for x, y in framed]
    assert sorted((y, round(x)) for y, x in framed if x < wide) == [(1, 2), (2, 1)]
    assert sorted((y, round(x - wide - 1.5)) for y, x in framed if x > wide) == [(1, 2), (2, 1)]
    assert f"both 3 without it, {right[1, 2]} and {right[2, 1]} with it" in " ".join(texts.values())


def test_bias(tmp_path):
    """A table in which a head prefers the key to the right is drawn with the right side bright."""
    M, tables = 4, [noise(49, 2) * 0.1, noise(49, 3) * 0.1]
    index = relative_position_index(M).numpy()
    query, below_right = 1 * M + 1, 2 * M + 3  # row 1, column 1; row 2, column 3: one below, two to the right
    tables[1][index[query, below_right], 1] = -0.8
    figure = bias_picture([paddle.to_tensor(table) for table in tables], ["one", ("two", "二")], tmp_path / "bias.png")
    check_png(tmp_path / "bias.png", figure, least_width=1200)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == [f"head {head}" for head in (0, 1, 0, 1, 2)]
    drawn = panels[3].images[0]
    row, column = np.unravel_index(np.argmin(drawn.get_array()), (7, 7))
    left, right, bottom, top = drawn.get_extent()
    assert (left + 0.5 + column, top + 0.5 + row) == (2, 1), "columns to the right, rows below"
    assert bottom > top, "what is below is drawn below"
    (limits,) = {axes.images[0].get_clim() for axes in panels}
    assert limits == pytest.approx((-0.8, 0.8)), "one scale for all"
    for table, head, axes in ((0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 2, 4)):
        pixels = panels[axes].images[0].get_array()
        for key in range(M * M):
            y, x = key // M - 1, key % M - 1  # as seen from the query
            assert pixels[y + 3, x + 3] == tables[table][index[query, key], head]
    assert [axes.get_ylabel() for axes in (panels[0], panels[2])] == ["one", "two"]


def test_bias_of_many_heads():
    figure = bias_picture([noise(169, 24) - 0.5])
    check_texts(figure)
    assert len([axes for axes in figure.axes if axes.get_title()]) == 8
