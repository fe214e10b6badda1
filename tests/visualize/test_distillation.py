"""Pictures of distillation: the bars are the probabilities, the points the runs."""

import numpy as np
import paddle
import pytest
from matplotlib.colors import to_hex
from picture_checks import check_png, check_texts, noise, words

from paddle_vit.training.recipe import smooth_labels
from paddle_vit.visualize import TEST, TRAIN
from paddle_vit.visualize.distillation import (
    ANIMALS,
    LOGITS,
    PALE,
    ablation_picture,
    data_efficiency_picture,
    smoothing_picture,
    teacher_picture,
    temperature_picture,
)

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")


def widths(axes):
    """The lengths of the bars from top to bottom."""
    bars = sorted(axes.patches, key=lambda bar: bar.get_y())
    return [bar.get_width() for bar in bars]


def runs():
    """Five contenders, three sizes, three seeds."""
    rng = np.random.Generator(np.random.PCG64(2))
    return [
        dict(contender=name, train_images=size, seed=seed, test_accuracy=0.5 + size / 3000 + 0.1 * rng.random())
        for name in ("teacher", "deit_hard", "vit", "deit_soft", "vit_recipe")
        for size in (1000, 100, 300)
        for seed in range(3)
    ]


ROWS = {"full": [0.9, 0.92], "no augmentation": [0.85, 0.84, 0.86], "random erasing": [0.91]}
TABLE = [dict(variant=variant, seed=0, test_accuracy=one) for variant, found in ROWS.items() for one in found]


# -- soft labels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperatures", [(0.5, 1, 3, 10), (2,)])
def test_temperature_picture(tmp_path, temperatures):
    figure = temperature_picture(temperatures=temperatures, path=tmp_path / "temperature.png")
    check_png(tmp_path / "temperature.png", figure, least_width=1000)
    first, *panels = figure.axes
    assert widths(first) == LOGITS and [text.get_text() for text in first.texts] == [f"{each:g}" for each in LOGITS]
    assert [text.get_text() for text in first.get_yticklabels()] == [english for english, _ in ANIMALS]
    for axes, temperature in zip(panels, temperatures, strict=True):
        powers = np.exp(np.array(LOGITS) / temperature)
        assert np.allclose(widths(axes), powers / powers.sum())
        assert axes.get_title() == f"temperature {temperature:g}"
        assert [text.get_text() for text in axes.texts] == [f"{width:.2f}" for width in widths(axes)]
    assert first.get_ylim()[0] > first.get_ylim()[1], "the first class at the top"


def test_temperature_picture_of_other_logits():
    figure = temperature_picture(paddle.to_tensor([1.5, -250.0, 300.0]), names=["a", ("b", "乙"), 7])
    check_texts(figure)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a", "b", "7"]
    assert widths(figure.axes[1]) == pytest.approx([0, 0, 1]), "nothing overflows"
    check_texts(temperature_picture(noise(10) * 8 - 4))


def test_smoothing_picture(tmp_path):
    figure = smoothing_picture(tmp_path / "smoothing.png")
    check_png(tmp_path / "smoothing.png", figure, least_width=1000)
    one_hot, smoothed, teacher = (widths(axes) for axes in figure.axes)
    assert one_hot == [1, 0, 0, 0, 0]
    assert np.allclose(smoothed, [0.92, 0.02, 0.02, 0.02, 0.02])
    assert sum(teacher) == pytest.approx(1) and sorted(teacher, reverse=True) == teacher
    assert "temperature 2" in figure.axes[2].get_title()
    assert teacher[0] / teacher[1] == pytest.approx(np.exp((LOGITS[0] - LOGITS[1]) / 2))


# -- a teacher --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 80, 80)])
def test_teacher_picture(tmp_path, shape):
    labels = np.array([2, 0, 1])
    probabilities = np.array([[0.1, 0.2, 0.7], [0.3, 0.6, 0.1], [0.25, 0.5, 0.25]])
    images = noise(3, *shape) * 2 - 1
    names = ["dog", ("cat", "猫"), "lorry"]
    figure = teacher_picture(images, labels, paddle.to_tensor(probabilities), names, tmp_path / "teacher.png")
    check_png(tmp_path / "teacher.png", figure, least_width=1000)
    drawn, bars = figure.axes[:3], figure.axes[4:7]  # a row has four places
    assert [axes.get_title() for axes in drawn] == ["lorry", "dog", "cat"]
    for number, (axes, below) in enumerate(zip(drawn, bars, strict=True)):
        shown = axes.images[0].get_array()
        expected = images[number][0] if shape[0] == 1 else images[number].transpose(1, 2, 0)
        assert np.allclose(shown, (expected + 1) / 2)
        assert widths(below) == probabilities[number].tolist()
        colours = [to_hex(bar.get_facecolor()) for bar in below.patches]
        taken = probabilities[number].argmax()
        expected = [PALE] * 3
        expected[taken] = TEST if number == 1 else TRAIN
        assert colours == expected
        assert below.get_xlabel() == f"{['dog', 'cat', 'lorry'][taken]}\n{probabilities[number, taken]:.2f}"
    assert "(1 of 3)" in figure._supxlabel.get_text()


def test_teacher_picture_of_mixed_labels():
    targets = 0.7 * np.eye(10)[[3, 4]] + 0.3 * np.eye(10)[[4, 3]]
    probabilities = smooth_labels(np.array([4, 4]), 10, 0.4)
    figure = teacher_picture(noise(2, 1, 8, 8), targets, probabilities)
    check_texts(figure)
    assert [axes.get_title() for axes in figure.axes[:2]] == [
        "0.70 class 3\n+ 0.30 class 4",
        "0.70 class 4\n+ 0.30 class 3",
    ]
    assert "larger part of the label (1 of 2)" in figure._supxlabel.get_text()
    check_texts(teacher_picture(noise(8, 1, 8, 8), np.arange(8), np.eye(10)[:8]))


def test_teacher_picture_of_many_classes():
    probabilities = np.full((1, 1000), 1e-4)
    probabilities[0, [990, 7]] = 0.6, 0.3
    figure = teacher_picture(noise(1, 3, 64, 64), [500], probabilities)
    check_texts(figure)
    names = [text.get_text() for text in figure.axes[4].get_yticklabels()]
    assert len(names) == 12 and {"7", "500", "990"} <= set(names) and names == sorted(names, key=int)
    assert max(widths(figure.axes[4])) == 0.6 and figure.axes[4].get_xlabel() == "990\n0.60"


# -- results ----------------------------------------------------------------------------------------------------------


def test_data_efficiency_picture(tmp_path):
    table = runs()
    figure = data_efficiency_picture(table, path=tmp_path / "data.png")
    check_png(tmp_path / "data.png", figure, least_width=1000)
    axes = figure.axes[0]
    assert axes.get_xscale() == "log" and [text.get_text() for text in axes.get_xticklabels()] == ["100", "300", "1000"]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == [
        "ViT",
        "ViT, DeiT's recipe",
        "DeiT, soft distillation",
        "DeiT, hard distillation",
        "the teacher",
    ]
    contenders = ["vit", "vit_recipe", "deit_soft", "deit_hard", "teacher"]
    assert len(axes.containers) == len(contenders)
    for contender, drawn in zip(contenders, axes.containers, strict=True):
        line, _, (bars,) = drawn
        for (size, mean), ends in zip(line.get_xydata(), bars.get_segments(), strict=True):
            accuracies = [
                row["test_accuracy"] for row in table if (row["contender"], row["train_images"]) == (contender, size)
            ]
            assert len(accuracies) == 3 and mean == pytest.approx(np.mean(accuracies))
            assert np.ptp(ends[:, 1]) / 2 == pytest.approx(np.std(accuracies, ddof=1))
        assert line.get_xdata().tolist() == [100, 300, 1000]
    assert "3 seeds" in figure._supxlabel.get_text()


def test_data_efficiency_picture_with_own_results():
    table = [{key: str(value) for key, value in row.items()} for row in runs()]  # as the csv module reads them
    figure = data_efficiency_picture(table, {"deit_hard": (300, 0.81), "mine": (100, 0.5)})
    check_texts(figure)
    stars = [line for line in figure.axes[0].lines if line.get_marker() == "*"]
    assert [star.get_xydata().tolist() for star in stars] == [[[300, 0.81]], [[100, 0.5]]]
    colours = {text.get_text(): drawn[0].get_color() for text, drawn in zip(
        figure.axes[0].get_legend().get_texts(), figure.axes[0].containers, strict=False
    )}  # fmt: skip
    assert stars[0].get_color() == colours["DeiT, hard distillation"]
    assert stars[1].get_color() not in colours.values()
    assert {"yours, 81.0%:\nDeiT, hard distillation", "yours, 50.0%:\nmine"} <= set(words(figure))


def test_data_efficiency_picture_of_one_run():
    figure = data_efficiency_picture([dict(contender="vit", train_images=100, seed=0, test_accuracy=0.7)])
    check_texts(figure)
    assert figure._supxlabel is None, "one seed has no spread"


def test_ablation_picture(tmp_path):
    figure = ablation_picture(TABLE[::-1], tmp_path / "ablation.png")
    check_png(tmp_path / "ablation.png", figure, least_width=1000)
    axes = figure.axes[0]
    reference, *rest = axes.lines
    assert reference.get_xdata() == pytest.approx([0.91, 0.91])
    band = axes.patches[0]
    assert band.get_width() / 2 == pytest.approx(np.std([0.9, 0.92], ddof=1)), "around the mean of the first row"
    for place, accuracies in enumerate(ROWS.values()):
        dots, mean = rest[2 * place : 2 * place + 2]
        assert dots.get_xydata().tolist() == [[accuracy, place] for accuracy in accuracies[::-1]]
        assert mean.get_xdata() == pytest.approx([np.mean(accuracies)] * 2)
    assert [text.get_text() for text in axes.texts] == ["91.0%", "85.0%  (-6.0)", "91.0%  (+0.0)"]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "the whole recipe",
        "no RandAugment",
        "+ random erasing",
    ]
