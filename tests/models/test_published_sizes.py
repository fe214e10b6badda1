"""Every published size of ViT, DeiT and Swin takes the files of timm and of transformers: after load_weights the
model computes what the original computes.

The originals get random weights, nothing is downloaded. These tests need torch, and timm or transformers; where they
are not installed they are skipped. The largest takes 6 GB of memory, and 3 GB for its file.
"""

import gc

import numpy as np
import paddle
import pytest

from paddle_vit import create_model, list_models, load_weights
from paddle_vit.models.deit import MODELS as DEIT
from paddle_vit.models.swin import MODELS as SWIN
from paddle_vit.models.vit import MODELS as VIT

NAMES = [name for pattern in ("vit_*", "deit_*", "swin_*") for name in list_models(pattern)]
CLASSES = 1000
TOLERANCE = 2e-5  # of the largest value; both sides compute in float32


def timm_model(name):
    """By timm's own table of sizes: it has the names that are used here."""
    return pytest.importorskip("timm").create_model(name, pretrained=False, num_classes=CLASSES)


def timm_outputs(model, image):
    if not hasattr(model, "head_dist"):
        return [model(image)]
    tokens = model.forward_features(image)
    return [model.head(tokens[:, 0]), model.head_dist(tokens[:, 1])]


def transformers_model(name):
    """By this package's table of sizes."""
    transformers = pytest.importorskip("transformers")
    if name in SWIN:
        arguments = dict(SWIN[name])
        arguments["depths"], arguments["num_heads"] = list(arguments["depths"]), list(arguments["num_heads"])
        config = transformers.SwinConfig(**arguments, num_labels=CLASSES, layer_norm_eps=1e-5)
        return transformers.SwinForImageClassification(config)
    arguments = VIT[name] if name in VIT else DEIT[name][1]
    settings = dict(
        image_size=arguments["image_size"],
        patch_size=arguments["patch_size"],
        hidden_size=arguments["embed_dim"],
        num_hidden_layers=arguments["depth"],
        num_attention_heads=arguments["num_heads"],
        intermediate_size=4 * arguments["embed_dim"],
        num_labels=CLASSES,
        layer_norm_eps=1e-6,  # their default is 1e-12, the papers' code has 1e-6
    )
    if "distilled" in name:
        return transformers.DeiTForImageClassificationWithTeacher(transformers.DeiTConfig(**settings))
    return transformers.ViTForImageClassification(transformers.ViTConfig(**settings))


def transformers_outputs(model, image):
    result = model(image)
    return [result.cls_logits, result.distillation_logits] if "cls_logits" in result else [result.logits]


LIBRARIES = {"timm": (timm_model, timm_outputs), "transformers": (transformers_model, transformers_outputs)}


def randomise(model):
    """Fill all parameters, so that none keeps an initial 0 or 1."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(False).normal_()
        if "norm" in name:
            parameter.mul_(0.1).add_(1.0 if name.endswith("weight") else 0.0)
        elif name.endswith("weight"):
            parameter.mul_(parameter[0].numel() ** -0.5)
        elif not name.endswith("bias_table"):  # biases, tokens, positions
            parameter.mul_(0.1)


def theirs(name, library, image, cotangents, folder):
    """Logits of each head and the image's gradient, computed by the library; the weights are left in folder."""
    torch = pytest.importorskip("torch")
    build, outputs = LIBRARIES[library]
    torch.manual_seed(0)
    model = build(name).eval()
    randomise(model)
    if library == "timm":
        pytest.importorskip("safetensors.torch").save_file(model.state_dict(), folder / "model.safetensors")
    else:
        model.save_pretrained(folder)
    image = torch.from_numpy(image).requires_grad_()
    logits = outputs(model, image)
    sum((one * torch.from_numpy(other)).sum() for one, other in zip(logits, cotangents, strict=False)).backward()
    return [one.detach().numpy() for one in logits], image.grad.numpy()


def ours(name, image, cotangents, file):
    model = create_model(name)
    load_weights(model, file)
    if "distilled" not in name:
        model.eval()  # a distilled DeiT gives both heads' logits in training only; it has no random layers by default
    for parameter in model.parameters():
        # saves memory for gradients. LayerNorm's are not frozen: without its weight and bias to train, Paddle's CPU
        # kernel (2.6.2, 3.3.1) gives a wrong gradient of the input
        parameter.stop_gradient = parameter.ndim > 1
    image = paddle.to_tensor(image, stop_gradient=False)
    logits = model(image)
    logits = logits if isinstance(logits, tuple) else [logits]
    sum((one * paddle.to_tensor(other)).sum() for one, other in zip(logits, cotangents, strict=False)).backward()
    return [one.numpy() for one in logits], image.grad.numpy()


def error(ours, theirs):
    """Largest difference over the largest value."""
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", NAMES)
def test_a_published_size_computes_what_the_original_does(name, library, tmp_path):
    rng = np.random.default_rng(0)
    size = int(name.rpartition("_")[2])
    image = rng.standard_normal((1, 3, size, size)).astype("float32")
    cotangents = rng.standard_normal((2, 1, CLASSES)).astype("float32")
    file = tmp_path / "model.safetensors"
    try:
        their_logits, their_gradient = theirs(name, library, image, cotangents, tmp_path)
        gc.collect()
        our_logits, our_gradient = ours(name, image, cotangents, file)
    finally:
        file.unlink(missing_ok=True)  # pytest keeps the folders of the last runs
    assert len(our_logits) == len(their_logits) == (2 if "distilled" in name else 1)
    errors = [error(a, b) for a, b in zip(our_logits, their_logits, strict=True)]
    errors.append(error(our_gradient, their_gradient))
    print(f"{name}, {library}: logits and gradient differ by", *(f"{one:.1e}" for one in errors))
    assert max(errors) < TOLERANCE
