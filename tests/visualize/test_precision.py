"""The picture of float16 counts what numpy's float16 does."""

import numpy as np
import paddle
import pytest
from matplotlib.colors import to_hex
from picture_checks import check_png, check_texts

from paddle_vit.visualize.precision import GOOD, LOST, ROUGH, TOO_LARGE, float16_picture

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")


def heights(axes):
    """{colour: share of all numbers}"""
    shares = {}
    for bar in axes.patches:
        if hasattr(bar, "get_height") and bar.get_width() == 1 and bar.get_alpha() is None:
            colour = to_hex(bar.get_facecolor())
            shares[colour] = shares.get(colour, 0) + bar.get_height()
    return shares


def test_four_fates(tmp_path):
    # one number for each fate, and zeros, which do not count; 2^-25.5 becomes 0, 2^-24.5 does not
    gradients = [np.float32([2**-30.5, 2**-25.5, 0.0]), paddle.to_tensor([[-(2**-24.5), 0.001], [3.0, -0.0]])]
    with np.errstate(over="ignore"):
        assert (np.float16([2**-25.5, 2**-24.5, 3.0 * 2**15]) == 0).tolist() == [True, False, False]
    figure = float16_picture(gradients, 2**15, tmp_path / "float16.png")
    check_png(tmp_path / "float16.png", figure, least_width=1200)
    before, after = figure.axes
    assert heights(before) == pytest.approx({LOST: 0.4, ROUGH: 0.2, GOOD: 0.4, TOO_LARGE: 0})
    # times 2^15: 2^-15.5 has few digits, 2^-10.5, 2^-9.5 and 32.8 have all of them, 98304 is above 65504
    assert heights(after) == pytest.approx({LOST: 0, ROUGH: 0.2, GOOD: 0.6, TOO_LARGE: 0.2})
    titles = [axes.get_title(loc="left") for axes in (before, after)]
    assert titles == ["as they are: 40.0% become 0", "times 32768: 0.0% become 0, 20.0% become infinity"]


def test_the_title_counts_what_is_drawn():
    rng = np.random.Generator(np.random.PCG64(0))
    gradients = [rng.standard_normal(5000) * 2.0 ** rng.normal(-20, 6, 5000)]
    figure = float16_picture(gradients, 1024)
    check_texts(figure)
    for axes, factor in zip(figure.axes, (1, 1024), strict=True):
        lost = (np.float16(np.float32(gradients[0]) * np.float32(factor)) == 0).mean()
        assert f"{lost:.1%} become 0" in axes.get_title(loc="left")
        assert heights(axes)[LOST] == pytest.approx(lost, abs=1e-6) and sum(heights(axes).values()) == pytest.approx(1)
    assert heights(figure.axes[0])[LOST] > 5 * heights(figure.axes[1])[LOST] > 0


def test_a_few_tiny_numbers_do_not_widen_the_picture():
    figure = float16_picture([np.full(10000, 1e-3), np.full(5, 1e-30)], 8)
    assert figure.axes[0].get_xlim()[0] == -30 and heights(figure.axes[0])[LOST] == pytest.approx(5 / 10005)
