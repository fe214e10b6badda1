"""What a classifier says to an image: the right classes in the right order, and a picture that any name leaves legible."""

import numpy as np
import paddle
import pytest
from picture_checks import check_png, check_texts, image, model, words

from paddle_vit.visualize.photos import load_photo
from paddle_vit.visualize.predictions import classes_picture, top_classes

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")

NAMES = {
    281: "tabby, tabby cat",
    282: "mobile home, manufactured home, mmmm mmmm",
    285: "埃及猫，又名一种名称很长很长很长很长很长很长的猫",
    2: "great white shark, white shark, man-eater, man-eating shark, Carcharodon carcharias",
}


class Says(paddle.nn.Layer):
    """A classifier of a thousand classes that always gives these probabilities, nothing to the others."""

    def __init__(self, probabilities):
        super().__init__()
        logits = np.full((1, 1000), -np.inf, dtype="float32")
        logits[0, list(probabilities)] = np.log(list(probabilities.values()))
        self.logits = paddle.to_tensor(logits)

    def forward(self, image):
        return self.logits


CAT = Says({2: 0.015, 281: 0.61, 285: 0.125, 282: 0.2, 999: 0.05})


def test_the_most_probable_first():
    found = top_classes(CAT, image(), count=3)
    assert [number for number, _ in found] == [281, 282, 285]
    assert [probability for _, probability in found] == pytest.approx([0.61, 0.2, 0.125], rel=1e-5)
    assert [(type(number), type(probability)) for number, probability in found] == [(int, float)] * 3


def test_softmax_of_the_logits_and_all_classes_where_there_are_few():
    vit = model()
    vit.eval()
    logits = vit(paddle.to_tensor(image()[None]))[0].numpy().astype("float64")
    expected = np.exp(logits) / np.exp(logits).sum()
    found = dict(top_classes(vit, paddle.to_tensor(image()), count=50))
    assert len(found) == 7 and list(found.values()) == sorted(found.values(), reverse=True)
    assert [found[number] for number in range(7)] == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_in_evaluation_mode_and_the_mode_comes_back(training):
    vit = model(dropout=0.5)
    vit.train() if training else vit.eval()
    assert top_classes(vit, image()) == top_classes(vit, image()), "dropout is off"
    assert vit.training == training and vit.encoder.layers[0].mlp.dropout.training == training
    with pytest.raises(ValueError):
        top_classes(vit, np.zeros((5, 6, 10)))  # five channels; the model is for one
    assert vit.training == training, "also where it fails"


def test_classes_picture(tmp_path):
    figure = classes_picture(CAT, load_photo("cat"), NAMES, count=3, path=tmp_path / "classes.png")
    check_png(tmp_path / "classes.png", figure, least_width=1100)
    shown, bars = figure.axes
    assert shown.images[0].get_array().shape == (224, 224, 3)
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([1, 1, 1, 0.61, 0.2, 0.125], rel=1e-5)
    heights = [bar.get_window_extent().y0 for bar in bars.patches[3:]]
    assert heights == sorted(heights, reverse=True), "the most probable on top"
    for number, share, bar in zip((281, 282, 285), ("61.0%", "20.0%", "12.5%"), bars.patches[3:], strict=True):
        (name,) = (text for text in bars.texts if text.get_text().startswith(f"{number}  {NAMES[number][:3]}"))
        (percent,) = (text for text in bars.texts if text.get_text() == share)
        for text in (name, percent):
            above = text.get_window_extent().y0 - bar.get_window_extent().y1
            assert 0 <= above < bar.get_window_extent().height, "directly above its bar"


def test_names_long_and_missing(font):
    figure = classes_picture(CAT, image(), NAMES)
    check_texts(figure)
    said = words(figure)
    assert "281  tabby, tabby cat" in said, "whole where there is room"
    assert "2  great white shark, white shark, man…" in said
    assert any(text.startswith("285  埃及猫，又名") and text.endswith("…") for text in said)
    assert "class 999" in said, "no name"


@pytest.mark.parametrize("labels", [None, {}])
def test_numbers_alone(labels):
    said = words(classes_picture(CAT, image(), labels))
    assert {"class 281", "class 282", "class 285", "class 2", "class 999"} <= set(said)


@pytest.mark.parametrize("count", [1, 2, 12])
def test_any_count(count):
    figure = classes_picture(CAT, image(), NAMES, count=count)
    check_texts(figure)
    assert len(figure.axes[1].texts) == 2 * count
