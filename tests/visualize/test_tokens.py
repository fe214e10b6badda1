"""Pictures of tokens and positions."""

import numpy as np
import paddle
import pytest
from picture_checks import check_png, image, model, noise

from paddle_vit.models.vit import PatchEmbedding, resize_position_embedding, sincos_2d
from paddle_vit.visualize.tokens import position_similarity_picture, resize_picture, tokens_picture

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")


def test_tokens_picture(tmp_path):
    layer = model().patch_embedding
    layer.train()
    figure = tokens_picture(layer, image(), tmp_path / "tokens.png")
    check_png(tmp_path / "tokens.png", figure, least_width=1000)
    assert layer.training and layer.dropout.training
    panels = [axes for axes in figure.axes if axes.get_title()]
    image_tokens, tokens, positions, result = (axes.images[0].get_array() for axes in panels)
    batch = paddle.to_tensor(image()[None])
    assert np.array_equal(image_tokens, layer.embed_patches(batch).numpy()[0])
    assert np.array_equal(tokens[0], layer.class_token.numpy()[0, 0]) and np.array_equal(tokens[1:], image_tokens)
    assert np.array_equal(positions, layer.position_embedding.numpy()[0])
    assert np.allclose(result, tokens + positions, atol=1e-6), "without dropout"
    assert len({axes.images[0].get_clim() for axes in panels}) == 1, "one scale for all"
    # an image token stands in the same row before and after the class token came
    assert panels[0].images[0].get_extent()[3] == 0.5 and panels[1].images[0].get_extent()[3] == -0.5
    assert panels[0].get_ylim() == panels[1].get_ylim()
    assert [axes.get_title().split("\n")[1] for axes in panels] == ["[15, 12]", "[16, 12]", "[16, 12]", "[16, 12]"]


@pytest.mark.parametrize(
    "changes, titles",
    [
        (dict(class_token=False, position="none"), ["image tokens"]),
        (dict(class_token=False), ["image tokens", "+ position embedding", "= what the encoder gets"]),
        (dict(position="none"), ["image tokens", "→ class token first"]),
    ],
)
def test_tokens_picture_of_what_there_is(tmp_path, changes, titles):
    layer = PatchEmbedding((6, 10), 2, 1, 12, **changes)
    figure = tokens_picture(layer, image(), tmp_path / "tokens.png")
    check_png(tmp_path / "tokens.png", figure, least_width=400)
    assert [axes.get_title().split("\n")[0] for axes in figure.axes if axes.get_title()] == titles


def test_tokens_picture_of_many(tmp_path):
    layer = PatchEmbedding(96, 16, 3, 60)
    figure = tokens_picture(layer, noise(3, 96, 96), tmp_path / "tokens.png")
    check_png(tmp_path / "tokens.png", figure, least_width=1000)
    shapes = [axes.images[0].get_array().shape for axes in figure.axes if axes.get_title()]
    assert shapes == [(16, 48), (17, 48), (17, 48), (17, 48)]
    assert figure.axes[0].get_title().endswith("[36, 60]") and figure.axes[0].get_ylabel() == "first tokens"


def test_position_similarity_picture(tmp_path):
    table = noise(1, 1 + 3 * 5, 8) - 0.5
    figure = position_similarity_picture(paddle.to_tensor(table), (3, 5), tmp_path / "similarity.png")
    check_png(tmp_path / "similarity.png", figure, least_width=700)
    canvas = figure.axes[0].images[0].get_array()
    assert canvas.shape == (3 * 3 + 2, 5 * 5 + 4)
    for one, (row, column) in enumerate(np.ndindex(3, 5)):
        small = canvas[row * 4 :, column * 6 :][:3, :5]
        assert small[row, column] == pytest.approx(1), "like itself"
        for other, place in enumerate(np.ndindex(3, 5)):
            a, b = table[0, 1 + one], table[0, 1 + other]
            assert small[place] == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)), abs=1e-5)
    assert np.ma.getmaskarray(canvas)[3].all(), "nothing between the maps"


def test_position_similarity_picture_of_a_large_grid(tmp_path):
    table = sincos_2d((14, 9), 16)
    figure = position_similarity_picture(table, (14, 9), tmp_path / "similarity.png")
    check_png(tmp_path / "similarity.png", figure, least_width=700)
    axes = figure.axes[0]
    rows = [int(text.get_text()) for text in axes.get_yticklabels()]
    columns = [int(text.get_text()) for text in axes.get_xticklabels()]
    assert (len(rows), len(columns)) == (7, 7) and (rows[0], rows[-1], columns[-1]) == (0, 13, 8)
    canvas, gap = axes.images[0].get_array(), 2
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            small = canvas[i * (14 + gap) :, j * (9 + gap) :][:14, :9]
            assert small[row, column] == pytest.approx(1)


def test_resize_picture(tmp_path):
    before = paddle.to_tensor(noise(1, 1 + 2 * 3, 8))
    after = resize_position_embedding(before, (2, 3), (4, 5))
    figure = resize_picture(before, after, (2, 3), (4, 5), tmp_path / "resize.png")
    check_png(tmp_path / "resize.png", figure, least_width=1000)
    above, below = figure.axes[:4], figure.axes[4:]
    for old, new in zip(above, below, strict=True):
        channel = int(old.get_title().removeprefix("channel "))
        assert np.array_equal(old.images[0].get_array(), before.numpy()[0, 1:, channel].reshape(2, 3))
        assert np.array_equal(new.images[0].get_array(), after.numpy()[0, 1:, channel].reshape(4, 5))
        assert old.images[0].get_clim() == new.images[0].get_clim()
    assert [axes.get_ylabel() for axes in (above[0], below[0])] == ["before: 2x3", "after: 4x5"]


def test_resize_picture_without_class_token():
    table = noise(6, 8)
    figure = resize_picture(table, table, (2, 3), (2, 3))
    assert np.array_equal(figure.axes[0].images[0].get_array(), table[:, 0].reshape(2, 3))
