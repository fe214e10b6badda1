"""Pictures of Swin: what they show follows from the model or from the numbers that they are given."""

import inspect
import re

import numpy as np
import paddle
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyBboxPatch, Rectangle
from picture_checks import cell_texts, check_png, check_texts, noise, words

from paddle_vit.models.swin import MODELS, PatchMerging, SwinTransformer, SwinTransformerBlock
from paddle_vit.visualize import displayed
from paddle_vit.visualize.diagrams import swin_picture
from paddle_vit.visualize.swin import (
    CORNERS,
    MERGED,
    cost_picture,
    hierarchy_picture,
    merging_picture,
    receptive_field_picture,
)

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")


# -- the stages -------------------------------------------------------------------------------------------------------


def test_hierarchy(tmp_path):
    image = noise(3, 64, 96)
    figure = hierarchy_picture(image, window_size=2, path=tmp_path / "hierarchy.png")
    check_png(tmp_path / "hierarchy.png", figure, least_width=1400)
    assert [axes.get_title().split("\n")[0] for axes in figure.axes[:2]] == ["ViT, every layer", "Swin, stage 1"]
    for axes, pixels, channels in zip(figure.axes, (16, 4, 8, 16, 32), ("C", "C", "2C", "4C", "8C"), strict=True):
        tokens = axes.images[0].get_array()
        assert tokens.shape == (64 // pixels, 96 // pixels, 3)
        patch = displayed(image)[pixels : 2 * pixels, 2 * pixels : 3 * pixels]
        assert np.allclose(tokens[1, 2], patch.mean(axis=(0, 1)), atol=1e-5)
        name, grain, count = axes.get_title().split("\n")
        assert grain == f"{pixels}x{pixels} pixels a token"
        assert count == f"{64 // pixels}x{96 // pixels} tokens, {channels}"
        windows = 64 // pixels // 2 + 1 + -(-96 // pixels // 2) + 1  # lines across and down
        assert len(axes.lines) == (0 if name.startswith("ViT") else windows)
    with pytest.raises(ValueError, match="do not tile"):
        hierarchy_picture(noise(3, 64, 80))


def test_the_hierarchy_is_that_of_the_model():
    model = SwinTransformer(image_size=64, embed_dim=4, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), window_size=2)
    figure = hierarchy_picture(noise(1, 64, 64))
    x = model.patch_embed(paddle.to_tensor(noise(1, 3, 64, 64)))
    for stage, axes in zip(model.layers, figure.axes[1:], strict=True):
        _, H, W, C = x.shape
        times = "" if C == 4 else C // 4
        assert axes.get_title().split("\n")[2] == f"{H}x{W} tokens, {times}C"
        assert axes.images[0].get_array().shape == (H, W)
        x = stage(x)


def test_merging(tmp_path):
    figure = merging_picture(tmp_path / "merging.png")
    check_png(tmp_path / "merging.png", figure, least_width=1400)
    tokens, groups, joined, reduced = figure.axes
    # the order of the numbers is that in which the layer puts the channels side by side
    layer = PatchMerging(1)
    layer.norm = paddle.nn.Identity()
    layer.reduction = paddle.nn.Identity()
    merged = layer(paddle.arange(16, dtype="float32").reshape([1, 4, 4, 1])).numpy()[0]  # 2 2 4
    by_place = sorted((y > 2, x, int(text)) for (x, y), text in cell_texts(joined).items())
    assert [number for _, _, number in by_place] == merged.ravel().astype(int).tolist()
    colours = {}
    for axes in (tokens, groups, joined):
        texts = {(round(x, 2), round(y, 2)): text for (x, y), text in cell_texts(axes).items()}
        cells = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        assert len(cells) == 16
        for cell in cells:
            middle = cell.get_x() + cell.get_width() / 2, cell.get_y() + cell.get_height() / 2
            number = int(texts[round(middle[0], 2), round(middle[1], 2)])
            colours.setdefault(number, set()).add(to_hex(cell.get_facecolor()))
    for number, seen in colours.items():
        row, column = divmod(number, 4)
        assert seen == {CORNERS[2 * (column % 2) + row % 2]}, "the same colour in all three"
    halves = [to_hex(patch.get_facecolor()) for patch in reduced.patches]
    assert halves == [MERGED] * 8, "four tokens, half of the channels"
    for name, place in (("upper left", 0), ("lower left", 4), ("upper right", 1), ("lower right", 5)):
        above = {text: position for position, text in cell_texts(groups).items()}
        x, y = above[name]
        assert above[str(place)][0] == x - 0.5 and 0 < above[str(place)][1] - y < 1, "the group stands below its name"


# -- what is measured -------------------------------------------------------------------------------------------------


def test_cost(tmp_path):
    tokens = [64, 256, 1024, 2304, 4096, 9216]
    vit = [1e-3 + 3e-9 * count**2 for count in tokens[:-1]]  # a call costs something with few tokens, too
    swin = [1e-5 * count for count in tokens]
    figure = cost_picture(tokens, vit, swin, tmp_path / "cost.png")
    check_png(tmp_path / "cost.png", figure, least_width=1200)
    linear, logarithmic = figure.axes
    for line, seconds in zip(linear.lines, (vit, swin), strict=True):
        assert line.get_xdata().tolist() == tokens[: len(seconds)]
        assert line.get_ydata() == pytest.approx(np.multiply(seconds, 1000)), "milliseconds"
    assert [text.get_text() for text in linear.get_legend().get_texts()] == ["ViT: all tokens", "Swin: windows"]
    slopes = [float(text.get_text().split()[1]) for text in logarithmic.get_legend().get_texts()]
    assert slopes[0] == pytest.approx(1.9, abs=0.1) and slopes[1] == 1.0
    assert logarithmic.get_xscale() == logarithmic.get_yscale() == "log"
    fitted = logarithmic.lines[3]
    assert fitted.get_ydata() == pytest.approx(np.multiply(swin[3:], 1000)), "through the points"


def test_cost_of_two_points():
    figure = cost_picture([10, 1000], [1e-3, 10.0], [1e-3, 0.1])
    slopes = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert slopes == ["slope 2.00", "slope 1.00"]


@pytest.fixture(scope="module")
def fields():
    """Of one block and of two, and where a mask of -100 lets almost nothing through."""
    paddle.seed(2)
    blocks = [SwinTransformerBlock(8, (8, 12), 2, 4, shift) for shift in (0, 2)]
    collected = []
    for count, token in ((1, (4, 6)), (2, (4, 6)), (2, (7, 11))):
        x = paddle.randn([1, 8, 12, 8])
        x.stop_gradient = False
        y = x
        for block in blocks[:count]:
            y = block(y)
        (y[0, token[0], token[1]] ** 2).sum().backward()
        collected.append(x.grad.abs().mean(axis=-1)[0])  # H W
    return collected


def test_receptive_field(tmp_path, fields):
    names = ["one block", ("two blocks", "两个块"), "corner"]
    figure = receptive_field_picture(fields, names, 4, path=tmp_path / "field.png")
    check_png(tmp_path / "field.png", figure, least_width=1200)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == [
        "one block\n16 of 96 tokens",  # its window
        "two blocks\n64 of 96 tokens",  # the four windows that the shifted window meets
        "corner\n16 of 96 tokens",  # in the shifted map its window is cut into four regions
    ]
    one, two, corner = (axes.images[0].get_array() for axes in panels)
    for drawn, field in zip((one, two, corner), fields, strict=True):
        assert drawn.compressed() == pytest.approx(field.numpy()[~drawn.mask] / field.numpy().max())
    rows, columns = np.mgrid[:8, :12]
    assert np.array_equal(~one.mask, (rows >= 4) & (columns >= 4) & (columns < 8))
    assert np.array_equal(~two.mask, columns >= 4)
    assert np.array_equal(~corner.mask, (rows >= 4) & (columns >= 8))
    (marked,) = (patch for patch in panels[0].patches if not patch.get_fill())
    assert marked.get_xy() == (6 - 0.5, 4 - 0.5), "the middle"
    assert len(panels[0].lines) == 1 + 2, "lines between the windows"


def test_receptive_field_of_one_map():
    figure = receptive_field_picture([noise(7, 7)], ["ViT"], token=(1, 2))
    check_texts(figure)
    (marked,) = (patch for patch in figure.axes[0].patches if not patch.get_fill())
    assert marked.get_xy() == (1.5, 0.5) and not figure.axes[0].lines


def test_what_a_mask_leaves_is_no_influence():
    figure = receptive_field_picture([np.array([[2.0, 1e-40, 0.0, 1e-5]])], ["masked"])
    assert figure.axes[0].images[0].get_array().mask.tolist() == [[False, True, True, False]]
    assert figure.axes[0].get_title() == "masked\n2 of 4 tokens"


# -- the diagram ------------------------------------------------------------------------------------------------------


def test_diagram(tmp_path):
    figure = swin_picture(tmp_path / "swin.png")
    check_png(tmp_path / "swin.png", figure, least_width=1400)
    axes = figure.axes[0]
    texts = [text for text in axes.texts if text.get_text()]
    above = [
        text.get_text() for text in sorted(texts, key=lambda text: text.get_position()) if text.get_position()[1] > 0
    ]

    # depths, and the shapes along the way, from those of the published model
    options = MODELS["swin_tiny_patch4_window7_224"]
    model = SwinTransformer(**{**options, "depths": (1, 1, 1, 1)})  # the shapes are those of any depth
    x = model.patch_embed(paddle.zeros([1, 3, options["image_size"], options["image_size"]]))
    shapes = []
    for stage in model.layers:
        shapes.append("in the blocks\n[B, " + ", ".join(map(str, x.shape[1:])) + "]")
        x = stage(x)
    features = model.norm(x).mean(axis=[1, 2])
    shapes += [f"[B, {features.shape[1]}]", f"[B, {model.head(features).shape[1]}]"]
    assert [text for text in above if text.endswith("]")] == ["[B, 3,\n224, 224]", *shapes]
    assert [int(text.split("\n")[0]) for text in above if text.endswith("blocks")] == list(options["depths"])
    assert above.count("merging") == 3

    # two blocks, from left to right what forward calls
    called = re.findall(r"self\.(\w+)", inspect.getsource(SwinTransformerBlock.forward).split('"""')[2])
    assert called == ["drop_path", "attend", "attn_norm", "drop_path", "mlp", "mlp_norm"]
    below = [text for text in sorted(texts, key=lambda text: text.get_position()) if text.get_position()[1] < 0]
    parts = [text.get_text() for text in below if text.get_text() in ("LayerNorm", "W-MSA", "SW-MSA", "MLP", "+")]
    assert parts == [
        "LayerNorm",
        "W-MSA",
        "+",
        "LayerNorm",
        "MLP",
        "+",
        "LayerNorm",
        "SW-MSA",
        "+",
        "LayerNorm",
        "MLP",
        "+",
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_names_fit_into_their_boxes(monkeypatch, font, language):
    monkeypatch.setenv("PADDLE_VIT_LANG", language)
    figure = swin_picture()
    check_texts(figure)
    axes = figure.axes[0]
    boxes = [patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    extents = [text.get_window_extent() for text in axes.texts if text.get_text()]
    for box in boxes:
        inside = [each for each in extents if box.contains((each.x0 + each.x1) / 2, (each.y0 + each.y1) / 2)]
        assert len(inside) == 1 and inside[0].x0 > box.x0 + 2 and inside[0].x1 < box.x1 - 2
    assert len(boxes) == 3 + 4 + 3 + 8 and len(words(figure)) > len(boxes)
