"""What a run begins with: weights, frozen layers, learning rates that fall towards the image."""

import numpy as np
import paddle
import pytest

from paddle_vit.models import DeiT, SwinTransformer, VisionTransformer
from paddle_vit.training import RecipeError, load_recipe, save_weights, train
from paddle_vit.training.finetune import layer_of, make_optimizer

VIT = dict(embed_dim=8, depth=3, num_heads=2)
SMALL = dict(**VIT, epochs=1, batch_size=64, evaluate_every=1, train_images=128)


def vit(seed=0, **changes):
    paddle.seed(seed)
    sizes = dict(image_size=8, patch_size=2, in_channels=1, num_classes=10, mlp_ratio=2.0)
    return VisionTransformer(**{**sizes, **VIT, **changes})


def values(model):
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def test_layers_are_counted_from_the_image():
    layers = layer_of(values(vit()))
    assert layers["patch_embedding.class_token"] == layers["patch_embedding.patch_embedding.weight"] == 0
    assert layers["encoder.layers.0.attn.qkv.weight"] == 1 and layers["encoder.layers.2.mlp.fc2.bias"] == 3
    assert layers["encoder.norm.weight"] == layers["head.bias"] == 4
    deit = layer_of(values(DeiT(8, 2, 1, 10, 8, 2, 2)))
    assert deit["patch_embedding.distill_token"] == 0 and deit["head_distill.weight"] == 3
    swin = layer_of(values(SwinTransformer(16, 2, 1, 10, 8, (2, 1), (1, 2), 4, absolute_position=True)))
    assert swin["patch_embed.norm.weight"] == swin["position_embedding"] == 0
    assert swin["layers.0.blocks.1.attn.proj.weight"] == swin["layers.0.downsample.norm.bias"] == 2
    assert swin["layers.1.blocks.0.mlp.fc1.weight"] == 3 and swin["norm.weight"] == swin["head.weight"] == 4


def test_a_run_begins_with_weights_from_a_file(tmp_path):
    source = vit(1)
    save_weights(source, tmp_path / "w.safetensors")
    result = train(
        "vit_digits",
        weights=str(tmp_path / "w.safetensors"),
        learning_rate=1e-12,
        weight_decay=0.0,
        out=tmp_path / "o",
        quiet=True,
        **SMALL,
    )
    theirs, ours = values(source), values(result.model)
    assert all(np.allclose(theirs[name], ours[name], atol=1e-6) for name in theirs)


def test_weights_of_other_classes_leave_the_head_fresh(tmp_path):
    source = vit(1, num_classes=4)
    save_weights(source, tmp_path / "w.safetensors")
    result = train(
        "vit_digits", weights=str(tmp_path / "w.safetensors"), freeze=-1, out=tmp_path / "o", quiet=True, **SMALL
    )
    theirs, ours = values(source), values(result.model)
    assert ours["head.weight"].shape == (8, 10)
    assert all(np.array_equal(theirs[name], ours[name]) for name in theirs if not name.startswith("head")), "frozen"


@pytest.mark.parametrize("freeze,first", [(1, 2), (2, 3)])
def test_frozen_layers_keep_their_weights_and_the_others_learn(freeze, first, tmp_path):
    model = vit(1)
    before = values(model)
    result = train("vit_digits", model, freeze=freeze, out=tmp_path, quiet=True, **SMALL)
    layers = layer_of(before)
    for name, value in values(result.model).items():
        assert np.array_equal(value, before[name]) == (layers[name] <= freeze), name


@pytest.mark.parametrize(
    "content,said", [(None, "weights: there is no file"), (b"", "weights: .* is empty"), (b"nonsense", "weights: ")]
)
def test_weights_that_cannot_be_loaded(content, said, tmp_path):
    path = tmp_path / "w.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=said):
        train("vit_digits", weights=str(path), out=tmp_path / "o", quiet=True, **SMALL)
    assert not (tmp_path / "o").exists()


def test_random_weights_are_not_frozen(tmp_path):
    with pytest.raises(RecipeError, match="freeze keeps weights as they are, and these are random"):
        train("vit_digits", freeze=1, out=tmp_path / "o", quiet=True, **SMALL)


def test_more_layers_frozen_than_there_are(tmp_path):
    with pytest.raises(RecipeError, match="freeze must be below the model's 3 layers"):
        train("vit_digits", vit(), freeze=4, out=tmp_path / "o", quiet=True, **SMALL)


def test_the_learning_rate_falls_from_layer_to_layer():
    """One step of Adam moves every number by the learning rate, whatever the gradient's size."""
    model = vit(0)
    recipe = load_recipe("vit_digits", layer_decay=0.5, weight_decay=0.0, **VIT)
    optimizer = make_optimizer(recipe, model)
    optimizer.set_lr(1e-3)
    before = values(model)
    paddle.seed(0)
    model.train()
    loss = (model(paddle.randn([4, 1, 8, 8])) * paddle.randn([4, 10])).sum()
    loss.backward()
    optimizer.step()
    layers = layer_of(before)
    for name, value in values(model).items():
        moved = float(np.median(np.abs(value - before[name])[np.abs(value - before[name]) > 0]))
        assert moved == pytest.approx(1e-3 * 0.5 ** (4 - layers[name]), rel=0.05), name


def test_weight_decay_holds_in_groups_too():
    model = vit(0)
    for parameter in model.parameters():
        parameter.set_value(paddle.ones_like(parameter))
    recipe = load_recipe("vit_digits", layer_decay=0.5, weight_decay=0.5, **VIT)
    optimizer = make_optimizer(recipe, model)
    optimizer.set_lr(0.1)
    for parameter in model.parameters():
        (parameter * 0).sum().backward()
    optimizer.step()
    for name, value in values(model).items():
        decayed = value.ndim > 1 and "token" not in name and "position" not in name
        expected = 1 - 0.1 * 0.5 ** (4 - layer_of(values(model))[name]) * 0.5 if decayed else 1.0
        assert np.allclose(value, expected, atol=1e-5), name
