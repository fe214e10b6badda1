"""Pictures: what they show is true, they can be read, and they leave pyplot alone."""

import itertools
import subprocess
import sys

import numpy as np
import paddle
import pytest
from matplotlib.patches import Rectangle
from picture_checks import cell_texts, check_png, check_texts, history, image, model, noise, words

from paddle_vit.models.vit import Attention
from paddle_vit.visualize import displayed
from paddle_vit.visualize.training import compare_picture, confusion_picture, learning_curve, mistakes_picture
from paddle_vit.visualize.vit import attention_maps, attention_picture, attention_rollout, head_picture, on_patches

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")


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
        *(f"head {number}" for number in range(heads)),
        "rollout",
    ]
    maps = attention_maps(vit, image())
    for head in range(heads):
        shown = panels[1 + head].images[-1].get_array()
        assert np.array_equal(shown, on_patches(maps[-1, head], (3, 5)))
    assert np.array_equal(panels[0].images[0].get_array(), displayed(image()))
    assert "rollout" in panels[-1].get_title() and "Rollout: through all layers" in figure._supxlabel.get_text()
    who = "image tokens look on average" if changes.get("pool") == "mean" else "class token looks"
    assert who in figure._supxlabel.get_text()


def test_attention_picture_of_an_empty_image():
    attention_picture(model(), np.zeros((1, 6, 10), dtype="float32"))


def test_attention_picture_of_a_photograph(tmp_path):
    vit = model(image_size=(12, 20), patch_size=4, in_channels=3)
    figure = attention_picture(vit, noise(3, 12, 20), tmp_path / "attention.png")
    check_png(tmp_path / "attention.png", figure, least_width=500)
    assert figure.axes[0].images[0].get_array().shape == (12, 20, 3), "in its colours"


@pytest.mark.parametrize("query, row", [(None, 0), (0, 1), (7, 8), (14, 15)])
def test_head_picture(tmp_path, query, row):
    vit = model()
    figure = head_picture(vit, image(), 1, -1, query, tmp_path / "head.png")
    check_png(tmp_path / "head.png", figure, least_width=1000)
    whole, looked_at = figure.axes
    weights = attention_maps(vit, image())[1, 1, row]
    assert np.allclose(looked_at.images[-1].get_array(), weights[1:].reshape(3, 5))
    assert looked_at.images[-1].get_clim() == pytest.approx((0, weights[1:].max()))
    assert looked_at.get_title() == "layer 1, head 1"
    assert f"on the class token: {weights[0]:.0%}" in looked_at.get_xlabel() or weights[0] < 0.1
    frames = [patch for patch in whole.patches if isinstance(patch, Rectangle)]
    if query is None:
        assert not frames and whole.get_title() == "query: class token"
    else:
        assert frames[0].get_bbox().bounds == (query % 5 * 2 - 0.5, query // 5 * 2 - 0.5, 2, 2)
        assert whole.get_title() == f"query: patch {query}"


def test_head_picture_without_class_token():
    vit = model(pool="mean")
    with pytest.raises(ValueError, match="no class token"):
        head_picture(vit, image(), 0, 0)
    looked_at = head_picture(vit, image(), 0, 0, 3).axes[1]
    assert np.allclose(looked_at.images[-1].get_array(), attention_maps(vit, image())[0, 0, 3].reshape(3, 5))
    assert "class token" not in looked_at.get_xlabel()


@pytest.mark.parametrize("changes", [dict(layer=3), dict(head=2), dict(query=15), dict(query=-1)])
def test_head_picture_of_what_is_not_there(changes):
    with pytest.raises(IndexError):
        head_picture(model(), image(), **{**dict(layer=0, head=0), **changes})


def test_displayed():
    assert displayed(image(3, 4)).shape == (3, 4) and set(displayed(image(3, 4)).ravel()) == {0, 1}
    colours = displayed(paddle.to_tensor(noise(3, 4, 5) * 7 - 3))
    assert colours.shape == (4, 5, 3) and colours.min() == 0 and colours.max() == 1
    assert not displayed(np.full((1, 2, 2), 3.0)).any(), "one value everywhere"


# -- classes ----------------------------------------------------------------------------------------------------------


def test_confusion_picture(tmp_path):
    labels, predictions = [0, 0, 1, 2, 2, 2, 2], [0, 1, 1, 2, 0, 0, 2]
    figure = confusion_picture(labels, predictions, path=tmp_path / "confusion.png")
    check_png(tmp_path / "confusion.png", figure, least_width=400)
    axes = figure.axes[0]
    expected = {(0, 0): "1", (1, 0): "1", (1, 1): "1", (0, 2): "2", (2, 2): "2"}  # (predicted, true), no zeros
    assert cell_texts(axes) == expected
    assert axes.images[0].get_array().filled(0).tolist() == [[0, 1, 0], [0, 0, 0], [2, 0, 0]], "only errors in colour"
    assert figure._suptitle.get_text() == "accuracy 57.1%: 4 of 7"
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted")


def test_confusion_picture_with_names_and_with_many_classes(tmp_path):
    figure = confusion_picture([0, 1], [1, 1], ["cat", "automobile", "unseen"], tmp_path / "confusion.png")
    check_png(tmp_path / "confusion.png", figure, least_width=400)
    assert {"cat", "automobile", "unseen"} <= set(words(figure))
    figure = confusion_picture(np.arange(100), np.arange(100))
    assert not figure.axes[0].texts and figure.get_figwidth() <= 9
    check_texts(figure)


@pytest.mark.parametrize("wrong", [0, 1, 5, 6, 13])
def test_mistakes_picture(tmp_path, wrong):
    labels = np.arange(20) % 10
    predictions = labels.copy()
    places = np.arange(20)[3 : 3 + wrong]
    predictions[places] = (labels[places] + 1) % 10
    figure = mistakes_picture(noise(20, 1, 8, 8), labels, predictions, tmp_path / "mistakes.png")
    check_texts(figure)
    assert (tmp_path / "mistakes.png").exists()
    drawn = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in drawn] == [f"{labels[i]} as {predictions[i]}" for i in places[:10]]
    for axes, number in zip(drawn, places, strict=False):
        assert np.array_equal(axes.images[0].get_array(), displayed(noise(20, 1, 8, 8)[number]))
    left_out = ", 10 of them" if wrong > 10 else ""
    assert figure._suptitle.get_text() == f"{wrong} mistakes in 20 images{left_out}"


def test_compare_picture(tmp_path):
    runs = {name: history(epochs) for name, epochs in dict(none=12, learned=12, sincos=10).items()}
    figure = compare_picture(runs, tmp_path / "compare.png")
    check_png(tmp_path / "compare.png", figure, least_width=1000)  # two end in the same accuracy: names do not collide
    axes = figure.axes[0]
    for line, rows in zip(axes.lines, runs.values(), strict=True):
        expected = [[row["epoch"], row["test_accuracy"]] for row in rows if "test_accuracy" in row]
        assert line.get_xydata().tolist() == expected
    ends = {text.get_text(): text.get_color() for text in axes.texts}
    assert ends == {
        f"{name}  {rows[-1]['test_accuracy']:.1%}": line.get_color()
        for (name, rows), line in zip(runs.items(), axes.lines, strict=True)
    }


def test_compare_picture_where_all_end_alike():
    check_texts(compare_picture({str(number): history(1) for number in range(6)}))


# -- manners ----------------------------------------------------------------------------------------------------------


def test_pyplot_is_left_alone(tmp_path):
    program = (
        "import sys\n"
        "from paddle_vit.visualize.training import learning_curve\n"
        f"learning_curve([dict(epoch=1, loss=1.0, train_accuracy=0.5)], {str(tmp_path / 'curve.png')!r})\n"
        "import paddle_vit.visualize.vit, paddle_vit.visualize.ideas, paddle_vit.visualize.tokens\n"
        "import paddle_vit.visualize.photos, paddle_vit.visualize.distillation, paddle_vit.visualize.augmentation\n"
        "import paddle_vit.visualize.schedule, paddle_vit.visualize.diagrams\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0
