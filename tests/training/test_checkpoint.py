"""Weights written and read back, and what is refused."""

import os

import numpy as np
import paddle
import paddle.nn as nn
import pytest

from paddle_vit.models import VisionTransformer
from paddle_vit.models.weights import load_weights
from paddle_vit.training.checkpoint import save_weights, write_atomically


def model(seed=0, **changes):
    paddle.seed(seed)
    sizes = dict(image_size=4, patch_size=2, in_channels=1, embed_dim=8, depth=1, num_heads=2, num_classes=3)
    return VisionTransformer(**{**sizes, **changes})


def arrays_of(layer):
    return {name: tensor.numpy() for name, tensor in layer.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_round_trip(tmp_path):
    source, target = model(seed=1), model(seed=2)
    assert not equal(arrays_of(source), arrays_of(target))
    nn.Linear(2, 2)  # shifts Paddle's own names of parameters: they must not matter
    save_weights(source, tmp_path / "weights.safetensors")
    load_weights(target, tmp_path / "weights.safetensors")
    assert equal(arrays_of(source), arrays_of(target))
    assert os.listdir(tmp_path) == ["weights.safetensors"]


def test_names_are_the_structured_ones(tmp_path):
    from safetensors.numpy import load_file

    save_weights(model(), tmp_path / "weights.safetensors")
    stored = load_file(tmp_path / "weights.safetensors")
    assert "encoder.layers.0.attn.qkv.weight" in stored
    assert equal(stored, arrays_of(model()))


class Buffers(nn.Layer):
    """What a view, a number without axes and other types do in a file."""

    def __init__(self, scale):
        super().__init__()
        table = paddle.arange(6, dtype="float32").reshape([2, 3]) * scale
        self.register_buffer("transposed", table.transpose([1, 0]))
        self.register_buffer("sliced", table.clone()[:, 1:])
        self.register_buffer("number", paddle.to_tensor(3.5 * scale))
        self.register_buffer("whole", paddle.to_tensor([[1, 2]], dtype="int64") * int(scale))


def test_views_and_numbers_come_back(tmp_path):
    source, target = Buffers(2.0), Buffers(1.0)
    save_weights(source, tmp_path / "buffers.safetensors")
    load_weights(target, tmp_path / "buffers.safetensors")
    assert equal(arrays_of(source), arrays_of(target))
    assert target.number.shape == [] and target.whole.dtype == paddle.int64


def test_a_view_in_numpy_is_written_in_order(tmp_path, monkeypatch):
    layer = nn.Linear(2, 3)
    right = layer.weight.numpy()
    state = layer.state_dict()

    class View:
        def numpy(self):
            return np.asfortranarray(right)

    monkeypatch.setattr(layer, "state_dict", lambda: {**state, "weight": View()})
    save_weights(layer, tmp_path / "w.safetensors")
    monkeypatch.undo()
    load_weights(layer, tmp_path / "w.safetensors")
    assert np.array_equal(layer.weight.numpy(), right)


def test_labels_come_back(tmp_path):
    labels = {0: "猫", 1: "dog", 2: "coffee"}
    save_weights(model(), tmp_path / "w.safetensors", labels)
    assert load_weights(model(seed=1), tmp_path / "w.safetensors").labels == labels


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, failing):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new and longer")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
