"""The diagram of an encoder layer says what the reference's layer does."""

import inspect
import re

from picture_checks import check_png, words

from paddle_vit.models.vit import EncoderLayer
from paddle_vit.visualize.diagrams import encoder_layer_picture


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
