"""Pictures of initial values, the learning rate, stochastic depth and moving averages: the numbers in them are right."""

import numpy as np
import paddle
import pytest
from picture_checks import check_png, check_texts, noise, words

from paddle_vit.models.layers import trunc_normal_
from paddle_vit.training.recipe import learning_rate_at
from paddle_vit.visualize.schedule import (
    drop_path_picture,
    ema_picture,
    ema_runs_picture,
    initial_values_picture,
    schedule_picture,
    truncated_normal_picture,
)

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")


@pytest.mark.parametrize("std", [1.0, 0.02])
def test_truncated_normal_picture(tmp_path, std):
    paddle.seed(4)
    samples = trunc_normal_(paddle.zeros([100, 300]), std=std, a=-2 * std, b=2 * std)
    figure = truncated_normal_picture(samples, std, tmp_path / "normal.png")
    check_png(tmp_path / "normal.png", figure, least_width=1000)
    axes = figure.axes[0]
    normal, cut = axes.lines
    x, step = normal.get_xdata(), np.diff(normal.get_xdata())[0]
    for line, expected, accuracy in ((normal, std, 0.01), (cut, 0.8796 * std, 0.005)):
        density = line.get_ydata()
        assert density.sum() * step == pytest.approx(1, abs=0.01)
        assert np.sqrt((density * x**2).sum() * step) == pytest.approx(expected, rel=accuracy)
    assert cut.get_ydata()[np.abs(x) > 2.01 * std].max() == 0
    (histogram,) = axes.patches
    heights, edges, _ = histogram.get_data()
    assert (heights * np.diff(edges)).sum() == pytest.approx(1), "no sample is outside the picture"
    written = axes.get_title().split()
    assert float(written[3].strip(",")) == std and float(written[5].strip(",")) == pytest.approx(0.88 * std)
    assert float(written[-1]) == pytest.approx(float(samples.numpy().std()), rel=0.01)


def test_initial_values_picture(tmp_path):
    figure = initial_values_picture(tmp_path / "initial.png")
    check_png(tmp_path / "initial.png", figure, least_width=1000)
    *panels, below = figure.axes
    spreads = [float(axes.get_title().split()[-1]) for axes in panels]
    assert spreads == pytest.approx([np.sqrt(2 / 256), 0.0, 0.02], abs=0.001)
    for axes in panels:
        heights, edges, _ = axes.patches[0].get_data()
        assert heights.sum() == pytest.approx(1, abs=0.01)
    assert edges[panels[1].patches[0].get_data()[0].argmax()] == pytest.approx(0.015), "0.02 lies inside"
    kaiming, constant, normal, with_norm = (line.get_ydata() for line in below.lines)
    assert all(len(line) == 13 for line in (kaiming, constant, normal, with_norm))
    assert kaiming.min() > 0.5 and kaiming.max() < 1.2
    assert constant[0] > 0.9 and (constant[1:] == 0).all()
    shrinks = 0.02 * np.sqrt(256 / 2)  # per layer, by the standard deviation of the weights and the ReLU
    assert normal[12] / normal[1] == pytest.approx(shrinks**11, rel=0.5)
    assert np.allclose(with_norm[1:], normal[1], rtol=0.05), "always as after the first layer"


def test_initial_values_picture_leaves_the_generator_as_it_was():
    draws = []
    for draw_picture in (False, True):
        paddle.seed(11)
        paddle.rand([3])
        if draw_picture:
            initial_values_picture()
        draws.append(paddle.rand([4]).numpy())
    assert np.array_equal(*draws)


def test_schedule_picture(tmp_path):
    figure = schedule_picture(learning_rate_at, tmp_path / "schedule.png")
    check_png(tmp_path / "schedule.png", figure, least_width=1000)
    whole, start = figure.axes
    epochs, rates = whole.lines[0].get_data()
    expected = [learning_rate_at(epoch / 300, 1e-3, 5 / 300, 1e-5) for epoch in epochs]
    assert np.allclose(rates, expected) and (epochs[0], epochs[-1]) == (0, 300)
    assert (epochs[rates.argmax()], rates.max(), rates[-1]) == pytest.approx((5, 1e-3, 1e-5))
    assert start.lines[0].get_xdata()[-1] == 10
    assert np.array_equal(start.lines[0].get_ydata(), rates[epochs <= 10])
    assert [text.get_text() for text in whole.texts] == ["peak 0.001 = 0.0005 x 1024 / 512", "end 0.00001"]


@pytest.mark.parametrize("shape", [(12, 128), (3, 16)])
def test_drop_path_picture(tmp_path, shape):
    kept = noise(*shape) > 0.2
    figure = drop_path_picture(paddle.to_tensor(kept), tmp_path / "drop.png")
    check_texts(figure)
    samples, share = figure.axes
    assert np.array_equal(samples.images[0].get_array(), ~kept)
    assert f"({(~kept).sum()} of {kept.size})" in samples.get_title()
    assert [bar.get_width() for bar in share.patches] == kept.mean(axis=1).tolist()
    assert [text.get_text() for text in share.texts] == [f"{value:.3f}" for value in kept.mean(axis=1)]
    assert samples.get_ylim()[0] > samples.get_ylim()[1], "layer 0 at the top, in both"


def test_ema_picture(tmp_path):
    values, averages = noise(50), {0.9: noise(50), 0.99: list(noise(50) / 2)}
    figure = ema_picture(values, averages, tmp_path / "ema.png")
    check_png(tmp_path / "ema.png", figure, least_width=1000)
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert list(lines) == ["weight", "average, decay 0.9", "average, decay 0.99"]
    for drawn, expected in zip(lines.values(), (values, *averages.values()), strict=True):
        assert np.array_equal(drawn, expected)


def test_ema_runs_picture(tmp_path):
    history = [dict(epoch=epoch, loss=1.0, train_accuracy=0.5) for epoch in range(1, 8)]
    for row in history[1::2]:
        row |= dict(test_accuracy=0.5 + row["epoch"] / 20, test_accuracy_raw=0.4 + row["epoch"] / 20)
    figure = ema_runs_picture(history, tmp_path / "runs.png")
    check_png(tmp_path / "runs.png", figure, least_width=1000)
    raw, averaged = figure.axes[0].lines
    assert raw.get_xydata() == pytest.approx(np.array([[2, 0.5], [4, 0.6], [6, 0.7]]))
    assert averaged.get_xydata() == pytest.approx(np.array([[2, 0.6], [4, 0.7], [6, 0.8]]))
    assert {"weights: 70.0%", "moving average: 80.0%"} <= set(words(figure))


def test_ema_runs_picture_without_the_weights_themselves():
    figure = ema_runs_picture([dict(epoch=1, test_accuracy=0.5), dict(epoch=2, test_accuracy=0.6)])
    check_texts(figure)
    assert len(figure.axes[0].lines) == 1
