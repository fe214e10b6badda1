"""Exported programs: read back by paddle.inference they compute what the model computes, for any number of images."""

import os

import numpy as np
import paddle
import pytest
import yaml

from paddle_vit.models import DeiT, RegNet, SwinTransformer, VisionTransformer
from paddle_vit.runtime import copied_transposes
from paddle_vit.training import RecipeError
from paddle_vit.training.export import TOLERANCE, ExportError, compare, export, load_exported

SMALL = dict(image_size=8, patch_size=2, in_channels=1, num_classes=7, embed_dim=24, depth=2, num_heads=3)
SWIN = dict(in_channels=1, num_classes=7, patch_size=2, embed_dim=12, depths=(2, 2), num_heads=(2, 3), window_size=4)
MODELS = {
    "vit": lambda: VisionTransformer(**SMALL),
    "vit, mean and fixed positions": lambda: VisionTransformer(**SMALL, pool="mean", position="sincos-2d"),
    "deit": lambda: DeiT(**SMALL),
    "swin": lambda: SwinTransformer(image_size=16, absolute_position=True, **SWIN),
    "swin, padded": lambda: SwinTransformer(image_size=(14, 11), **SWIN),
    "regnet": lambda: RegNet(in_channels=1, num_classes=7, stem_width=8, widths=(8, 16), depths=(1, 1), group_width=4),
}


def shape_of(model):
    embedding = getattr(model, "patch_embedding", None) or getattr(model, "patch_embed", None)
    return [1, *(embedding.image_size if embedding else (16, 16))]


@pytest.mark.parametrize("name", MODELS)
def test_a_program_computes_what_its_model_computes(tmp_path, name):
    paddle.seed(3)
    model = MODELS[name]()
    model.train()
    shape = shape_of(model)
    difference, files = export(model, shape, tmp_path)
    assert 0 <= difference <= TOLERANCE
    assert sorted(os.listdir(tmp_path)) == files and "model.pdiparams" in files  # nothing else is left
    assert model.training

    program = load_exported(tmp_path)
    model.eval()
    for count in (3, 1, 2):
        images = np.random.default_rng(count).standard_normal([count, *shape], dtype=np.float32)
        with paddle.no_grad():
            logits = model(paddle.to_tensor(images)).numpy()
        assert program(images).shape == (count, 7)
        assert np.abs(program(images) - logits).max() <= TOLERANCE * np.abs(logits).max()
    assert paddle.in_dynamic_mode()


def test_the_faster_settings_change_nothing(tmp_path):
    model = MODELS["swin"]()
    with copied_transposes():
        assert export(model, shape_of(model), tmp_path)[0] <= TOLERANCE


def test_the_model_is_as_it_was_and_still_checks_its_masks(tmp_path):
    model = MODELS["swin"]()
    export(model, shape_of(model), tmp_path)
    assert not any("forward" in vars(layer) for layer in model.sublayers(include_self=True))
    attention = model.layers[0].blocks[1].attn
    with pytest.raises(ValueError, match="a mask for windows"):
        attention(paddle.zeros([5, 16, 12]), paddle.zeros([4, 16, 16]))
    with pytest.raises(ValueError, match="expected images of shape"):
        model(paddle.zeros([2, 1, 8, 8]))


def test_what_somebody_has_to_know_stands_beside(tmp_path):
    export(MODELS["vit"](), [1, 8, 8], tmp_path, {"model": "mine", "classes": {0: "猫", 1: "dog"}})
    about = yaml.safe_load((tmp_path / "about.yaml").read_text(encoding="utf-8"))
    assert about["image"] == [None, 1, 8, 8] and about["classes"][0] == "猫"
    assert about["paddle"] == paddle.__version__


def test_an_earlier_export_is_replaced_also_that_of_another_paddle(tmp_path):
    for name in ("model.json", "model.pdmodel", "model.pdiparams.info", "about.yaml"):
        (tmp_path / name).write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    _, files = export(MODELS["vit"](), [1, 8, 8], tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*files, "notes.txt"])
    assert all((tmp_path / name).read_bytes() != b"old" for name in files)
    load_exported(tmp_path)


class Wobbly(paddle.nn.Layer):
    """A model whose program cannot be like it: Python counts its calls, a program does not."""

    def __init__(self):
        super().__init__()
        self.head = paddle.nn.Linear(4, 3)
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        return self.head(images.flatten(1)) * (1.0 + 0.001 * self.calls)


def test_a_program_that_computes_something_else_is_not_kept(tmp_path):
    with pytest.raises(ExportError, match="differs from the model by .* Nothing was kept"):
        export(Wobbly(), [1, 2, 2], tmp_path)
    assert os.listdir(tmp_path) == []


def test_the_difference_is_a_share_of_the_largest_logit():
    model = paddle.nn.Sequential(paddle.nn.Flatten(), paddle.nn.Linear(4, 3))

    def off(images):
        logits = model(paddle.to_tensor(images)).numpy()
        logits[0, 1] += 0.5
        return logits

    generator = np.random.Generator(np.random.PCG64(0))
    images = [generator.standard_normal([count, 1, 2, 2], dtype=np.float32) for count in (1, 3)]
    largest = max(np.abs(model(paddle.to_tensor(each)).numpy()).max() for each in images)
    assert compare(model, off, [1, 2, 2]) == pytest.approx(0.5 / largest, rel=1e-5)
    assert compare(model, lambda images: off(images)[:1], [1, 2, 2]) == float("inf")
    assert not compare(model, lambda images: off(images) * np.float32("nan"), [1, 2, 2]) <= TOLERANCE


class Unreadable(paddle.nn.Layer):
    def forward(self, images):
        raise RuntimeError("no such thing")


def test_a_model_that_cannot_be_a_program(tmp_path):
    with pytest.raises(RecipeError, match="Unreadable cannot be turned into a program.*no such thing"):
        export(Unreadable(), [1, 2, 2], tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(RecipeError, match="cannot be written: .*; choose another folder"):
            export(MODELS["vit"](), [1, 8, 8], folder)


def test_a_folder_without_export(tmp_path):
    with pytest.raises(RecipeError, match="holds no export: expected model.json or model.pdmodel, and model.pdiparams"):
        load_exported(tmp_path)
