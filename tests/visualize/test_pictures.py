"""Pictures: what they show is true, they can be read, and they leave pyplot alone."""

import itertools
import subprocess
import sys

import numpy as np
import paddle
import pytest
from matplotlib.image import imread

from paddle_vit.models import VisionTransformer
from paddle_vit.models.vit import Attention
from paddle_vit.visualize.training import learning_curve
from paddle_vit.visualize.vit import attention_maps, attention_picture, attention_rollout, on_patches

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")


def history(epochs, every=5):
    rows = [dict(epoch=e, loss=2.3 * 0.9**e, train_accuracy=1 - 0.9**e) for e in range(1, epochs + 1)]
    for row in rows[every - 1 :: every] + rows[-1:]:
        row["test_accuracy"] = row["train_accuracy"] - 0.01
    return rows


def model(**changes):
    paddle.seed(3)
    sizes = dict(
        image_size=(6, 10), patch_size=2, in_channels=1, num_classes=7, embed_dim=12, depth=3, num_heads=2, dropout=0.2
    )
    vit = VisionTransformer(**{**sizes, **changes})
    rng = np.random.Generator(np.random.PCG64(1))
    for parameter in vit.parameters():  # from the initial values attention is almost uniform
        parameter.set_value(paddle.to_tensor((0.5 * rng.standard_normal(parameter.shape)).astype("float32")))
    return vit


def image(height=6, width=10):
    rows, columns = np.mgrid[:height, :width]
    return (np.hypot(rows - 2.0, columns - 4.0) < 2.5).astype("float32")[None] * 2 - 1  # 1 height width


def check_png(path, figure, least_width):
    pixels = imread(path)
    assert pixels.shape[1] >= least_width and pixels.shape[0] > 180
    assert pixels[..., :3].std() > 0.05, "an empty picture"
    check_texts(figure)


def check_texts(figure):
    """Every text is inside the figure and none lies on another."""
    figure.draw_without_rendering()
    boxes = {}
    for axes in figure.axes:
        texts = [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]
        ticks = {axis: axis.get_ticklabels(which="both") for axis in (axes.xaxis, axes.yaxis)}
        texts += [*ticks[axes.xaxis], *ticks[axes.yaxis]]
        texts += axes.get_legend().get_texts() if axes.get_legend() else []
        for text in texts:
            x, y = text.get_position()
            # matplotlib keeps tick labels beyond the ends and does not draw them
            left, right = sorted(axes.get_xlim()) if text in ticks[axes.xaxis] else (-np.inf, np.inf)
            low, high = sorted(axes.get_ylim()) if text in ticks[axes.yaxis] else (-np.inf, np.inf)
            if text.get_text() and text.get_visible() and left <= x <= right and low <= y <= high:
                boxes[text] = text.get_window_extent()
    assert boxes
    for text, box in boxes.items():
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, f"{text.get_text()!r} is cut off"
    for (one, box), (other, other_box) in itertools.combinations(boxes.items(), 2):
        assert not box.overlaps(other_box), f"{one.get_text()!r} lies on {other.get_text()!r}"


# -- learning curve ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 2, 7, 60, 300])
def test_learning_curve(tmp_path, epochs):
    rows = history(epochs)
    figure = learning_curve(rows, tmp_path / "curve.png")
    check_png(tmp_path / "curve.png", figure, least_width=1000)
    loss, accuracy = figure.axes
    assert loss.lines[0].get_xydata().tolist() == [[row["epoch"], row["loss"]] for row in rows]
    train, test = accuracy.lines
    assert train.get_xydata().tolist() == [[row["epoch"], row["train_accuracy"]] for row in rows]
    assert test.get_xydata().tolist() == [
        [row["epoch"], row["test_accuracy"]] for row in rows if "test_accuracy" in row
    ]
    assert f"{rows[-1]['test_accuracy']:.1%}" in accuracy.get_legend().get_texts()[1].get_text()


def test_learning_curve_before_the_first_test(tmp_path):
    rows = [dict(epoch=e, loss=2.0 - e / 10, train_accuracy=e / 10) for e in (1, 2)]
    assert len(learning_curve(rows).axes[1].lines) == 1


# -- attention --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, dict(pool="mean"), dict(position="none", qkv_bias=False, num_heads=3)])
def test_attention_maps_are_those_of_the_forward_pass(monkeypatch, changes):
    vit, seen = model(**changes), []
    vit.eval()
    compute = Attention.attention_weights

    def listen(self, q, k):
        seen.append(compute(self, q, k))
        return seen[-1]

    monkeypatch.setattr(Attention, "attention_weights", listen)
    vit(paddle.to_tensor(image()[None]))
    expected = np.stack([weights.numpy()[0] for weights in seen])
    monkeypatch.undo()

    maps = attention_maps(vit, image())
    tokens = 15 if changes.get("pool") == "mean" else 16
    assert maps.shape == (3, changes.get("num_heads", 2), tokens, tokens)
    assert np.allclose(maps, expected, atol=1e-6)
    assert np.allclose(maps.sum(axis=-1), 1.0, atol=1e-5)
    assert maps[0].std() > 0.01, "a uniform map would not show a mistake"


def test_attention_maps_without_dropout_and_the_mode_comes_back():
    vit = model()
    vit.train()
    one, other = attention_maps(vit, image()), attention_maps(vit, paddle.to_tensor(image()))
    assert np.array_equal(one, other)
    assert vit.training and vit.encoder.layers[0].attn.training
    vit.eval()
    attention_maps(vit, image())
    assert not vit.training


def test_a_learners_model_of_the_same_names_will_do():
    class Theirs(Attention):
        def attention_weights(self, q, k):
            return paddle.ones([*q.shape[:3], k.shape[2]]) / k.shape[2]

    vit = model()
    for layer in vit.encoder.layers:
        layer.attn.__class__ = Theirs
    assert np.allclose(attention_maps(vit, image()), 1 / 16)


def test_rollout_against_loops():
    rng = np.random.Generator(np.random.PCG64(2))
    maps = rng.random((3, 2, 5, 5))
    maps /= maps.sum(axis=-1, keepdims=True)
    expected = np.eye(5)
    for layer in range(3):
        mixed = np.zeros((5, 5))
        for i, j in itertools.product(range(5), range(5)):
            mixed[i, j] = 0.5 * (maps[layer, 0, i, j] + maps[layer, 1, i, j]) / 2 + 0.5 * (i == j)
        expected = np.array([[sum(mixed[i, m] * expected[m, j] for m in range(5)) for j in range(5)] for i in range(5)])
    rollout = attention_rollout(maps)
    assert np.allclose(rollout, expected)
    assert np.allclose(rollout.sum(axis=-1), 1.0)


def test_weights_land_on_their_patches():
    weights = np.arange(49.0).reshape(7, 7)
    assert on_patches(weights, (2, 3)).tolist() == [[1, 2, 3], [4, 5, 6]], "the class token's row, without itself"
    assert on_patches(weights[:6, :6], (2, 3)).tolist() == weights[:6, :6].mean(axis=0).reshape(2, 3).tolist()
    assert on_patches(np.arange(64.0).reshape(8, 8), (2, 3)).tolist() == [[2, 3, 4], [5, 6, 7]], (
        "two tokens before them"
    )


@pytest.mark.parametrize("changes", [{}, dict(num_heads=6), dict(num_heads=12), dict(num_heads=1, pool="mean")])
def test_attention_picture(tmp_path, changes):
    vit = model(**changes)
    figure = attention_picture(vit, image(), tmp_path / "attention.png")
    heads = changes.get("num_heads", 2)
    check_png(tmp_path / "attention.png", figure, least_width=500)
    panels = figure.axes
    assert [axes.get_title() for axes in panels] == [
        "image",
        *(f"head {number}" for number in range(1, heads + 1)),
        "rollout",
    ]
    maps = attention_maps(vit, image())
    for head in range(heads):
        shown = panels[1 + head].images[0].get_array()
        assert np.array_equal(shown, on_patches(maps[-1, head], (3, 5)))
    assert np.array_equal(panels[0].images[0].get_array(), image()[0])


def test_attention_picture_of_an_empty_image():
    attention_picture(model(), np.zeros((1, 6, 10), dtype="float32"))


def test_pyplot_is_left_alone(tmp_path):
    program = (
        "import sys\n"
        "from paddle_vit.visualize.training import learning_curve\n"
        f"learning_curve([dict(epoch=1, loss=1.0, train_accuracy=0.5)], {str(tmp_path / 'curve.png')!r})\n"
        "import paddle_vit.visualize.vit\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0
