"""Published files load, and the models that come of it compute what the originals do.

fixtures/make_published_*.py made small files with the code of timm, transformers, the authors of ViT, DeiT and Swin, PaddleClas
and PaddleViT, and the numbers that their models give. Here none of them is needed.
"""

import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from paddle_vit import models
from paddle_vit.models.weights import load_weights

FOLDER = Path(__file__).parent / "fixtures" / "published"
FILES = sorted(file.name for file in FOLDER.iterdir() if ".expected." not in file.name)
TOLERANCE = 2e-5  # of the largest value


def expected_of(file):
    with np.load(FOLDER / f"{file.partition('.')[0]}.expected.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def build(expected, **changes):
    paddle.seed(0)
    config = json.loads(str(expected["config"]))
    return getattr(models, str(expected["model"]))(**{**config, **changes})


def error(ours, theirs):
    """Largest difference over the largest value."""
    return float(np.abs(ours.numpy() - theirs).max() / np.abs(theirs).max())


def errors(model, expected):
    """Those of the logits, for DeiT of each head, and of the gradient of the image."""
    image = paddle.to_tensor(expected["image"], stop_gradient=False)
    two = "distilled_logits" in expected
    model.train() if two else model.eval()  # in training both heads' logits come; dropout and drop path are 0
    outputs = dict(zip(["logits", "distilled_logits"], model(image) if two else [model(image)], strict=False))
    cotangents = {"logits": expected["cotangent"], "distilled_logits": expected.get("distilled_cotangent")}
    sum((value * paddle.to_tensor(cotangents[name])).sum() for name, value in outputs.items()).backward()
    return {
        **{name: error(value, expected[name]) for name, value in outputs.items()},
        "gradient": error(image.grad, expected["gradient"]),
    }


@pytest.mark.parametrize("file", FILES)
def test_computes_what_the_original_does(file):
    expected = expected_of(file)
    model = build(expected)
    load_weights(model, FOLDER / file)
    found = errors(model, expected)
    assert max(found.values()) < TOLERANCE, found
