"""The diagrams say what the reference does."""

import inspect
import re

from picture_checks import check_png, words

from paddle_vit.models.deit import DeiT
from paddle_vit.models.vit import EncoderLayer
from paddle_vit.training.recipe import distilled_loss
from paddle_vit.visualize.diagrams import deit_picture, encoder_layer_picture


def test_encoder_layer(tmp_path):
    figure = encoder_layer_picture(tmp_path / "layer.png")
    check_png(tmp_path / "layer.png", figure, least_width=900)
    shown = [text.split("\n")[0] for text in words(figure)]
    # from left to right what forward calls, innermost first
    called = re.findall(r"self\.(\w+)", inspect.getsource(EncoderLayer.forward).split('"""')[2])
    names = {
        "attn_norm": "LayerNorm",
        "mlp_norm": "LayerNorm",
        "attn": "Attention",
        "mlp": "Mlp",
        "drop_path": "DropPath",
    }
    order = [names[name] for half in (called[:3], called[3:]) for name in reversed(half)]
    assert [text for text in shown if text in names.values()] == order
    assert shown.count("+") == 2 and sum("residual" in text for text in shown) == 2


def test_deit(tmp_path):
    figure = deit_picture(tmp_path / "deit.png")
    check_png(tmp_path / "deit.png", figure, least_width=900)
    axes = figure.axes[0]
    places = {text.get_text(): text.get_position() for text in axes.texts}
    heads = re.findall(r"self\.(\w+)\(x\[:, (\d)\]\)", inspect.getsource(DeiT.forward_head))
    assert heads == [("head", "0"), ("head_distill", "1")], "the rows of the tokens are those of the heads"
    for (head, _), token, loss in zip(
        heads, ("class token", "distillation token"), ("cross-entropy", "distillation\nloss"), strict=True
    ):
        row = places[head][1]
        assert places[loss][1] == row and places[token][1] - row < 0.5, "token, head and loss stand in a row"
    assert places["class token"][1] > places["distillation token"][1] > places["image tokens"][1]
    # the weights of the two losses
    source = inspect.getsource(distilled_loss)
    assert "(1.0 - alpha) * soft_cross_entropy" in source and "+ alpha * distillation" in source
    assert places["1 - α"][1] > places["cross-entropy"][1] > places["α"][1] > places["distillation\nloss"][1]
    assert places["labels"][0] == places["cross-entropy"][0] == places["distillation\nloss"][0]
    arrows = [(text.xyann, text.xy) for text in axes.texts if text.get_text() == "" and hasattr(text, "xyann")]
    into_losses = sorted(end[1] - start[1] > 0 for start, end in arrows if end[0] == places["labels"][0])
    assert into_losses == [False, True], "labels come from above, the teacher from below"
