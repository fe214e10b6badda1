"""The papers' recipes for ImageNet-1k. Sizes of models are those of paddle_vit.models, so making one of these loads Paddle.

Each needs data_path: a folder with train/CLASS/*.jpg and val/CLASS/*.jpg, or with train_list.txt and val_list.txt. Nothing
of this could be tried here at full length; what is said of accuracy and hardware is what the papers say.
"""

import importlib

from paddle_vit.runtime import require_paddle
from paddle_vit.training.config import Recipe

# Table 9 of the DeiT paper (Touvron et al., ICML 2021, arXiv:2012.12877), column DeiT-B. Beta parameters of mixup and
# cutmix, decay and least learning rate as in the authors' code. Gradients are not clipped, there is no dropout.
DEIT_SETTINGS = dict(
    epochs=300,
    batch_size=1024,
    learning_rate=5e-4,
    scale_from=512,
    minimum_learning_rate=1e-5,
    warmup=5 / 300,
    weight_decay=0.05,
    label_smoothing=0.1,
    rand_augment=2,
    magnitude=9.0,
    erasing=0.25,
    mixup=0.8,
    cutmix=1.0,
    repeats=3,
    ema=0.99996,
    dropout=0.0,
    droppath=0.1,
)

# Section 4.1 and appendix A2.1 of the Swin paper (Liu et al., ICCV 2021, arXiv:2103.14030): DeiT's, but for these, and
# drop path by size. Clipping as in the authors' code. Repeated augmentation and EMA gained the authors nothing.
SWIN_SETTINGS = {
    **DEIT_SETTINGS,
    **dict(learning_rate=1e-3, scale_from=1024, warmup=20 / 300, clip=5.0, repeats=1, ema=0.0),
}

# DeiT's fine-tuning of a model at a higher resolution: the authors' command, in the README of their code
DEIT_384_SETTINGS = {
    **DEIT_SETTINGS,
    **dict(epochs=30, batch_size=512, learning_rate=5e-6, minimum_learning_rate=5e-6, warmup=5 / 30, weight_decay=1e-8),
}

# Its images and how they are seen; mixed precision, since the authors of DeiT and Swin trained with it
_IMAGENET = dict(data="folder", normalize="imagenet", crop="resized", flip=0.5, precision="float16", evaluate_every=5)

# Distillation as in section 4 of the DeiT paper. The teacher has 82.9 % there
_DISTILLED = dict(distillation="hard", alpha=0.5, teacher="regnety_160_imagenet")


def _published(module):
    """The table of published models in a module of paddle_vit.models.

    Raises:
        PaddleMissing: there is no Paddle, which the modules of the models load.
    """
    require_paddle()
    return importlib.import_module(f"paddle_vit.models.{module}").MODELS


def _transformer(name, lesson, model_class, sizes, settings):
    """A recipe for a transformer.

    Args:
        sizes: arguments of model_class from its table of published models.
        settings: of the recipe, with dropout and droppath, which are the model's.
    """
    settings = {**_IMAGENET, "image_size": sizes["image_size"], **settings}
    model = {key: value for key, value in sizes.items() if key != "image_size"}  # which it gets from the data
    model.update(mlp_ratio=4.0, qkv_bias=True, dropout=settings.pop("dropout"), attention_dropout=0.0)
    model.update(droppath=settings.pop("droppath"))
    return Recipe(name=name, lesson=lesson, model_class=model_class, model_arguments=model, **settings)


def _deit(name, model, **settings):
    model_class, sizes = _published("deit")[model]
    lesson = {"VisionTransformer": "vit", "DeiT": "deit"}[model_class.__name__]
    return _transformer(name, lesson, model_class.__name__, sizes, {**DEIT_SETTINGS, **settings})


def _swin(name, model, droppath):
    sizes = _published("swin")[model]
    return _transformer(name, "swin", "SwinTransformer", sizes, {**SWIN_SETTINGS, "droppath": droppath})


def deit_tiny_imagenet():
    """DeiT-Ti without distillation: a ViT, 5.7 million parameters.

    Paper: Touvron et al., ICML 2021, arXiv:2012.12877, table 9.
    Hardware: less than three days on 4 GPUs, says the paper (section 6).
    Expected accuracy: 72.2 % top-1, says the paper (table 5); not measured here.
    Command: paddle-vit train deit_tiny_imagenet data_path=FOLDER
    """
    return _deit("deit_tiny_imagenet", "deit_tiny_patch16_224")


def deit_small_imagenet():
    """DeiT-S without distillation: a ViT, 22 million parameters.

    Paper: Touvron et al., ICML 2021, arXiv:2012.12877, table 9.
    Hardware: less than three days on 4 GPUs, says the paper (section 6).
    Expected accuracy: 79.8 % top-1, says the paper (table 5); not measured here.
    Command: paddle-vit train deit_small_imagenet data_path=FOLDER
    """
    return _deit("deit_small_imagenet", "deit_small_patch16_224")


def deit_base_imagenet():
    """DeiT-B without distillation: a ViT, 86 million parameters.

    Paper: Touvron et al., ICML 2021, arXiv:2012.12877, table 9.
    Hardware: 53 hours on a node of 8 GPUs, says the paper (section 6).
    Expected accuracy: 81.8 % top-1, says the paper (table 5); not measured here.
    Command: paddle-vit train deit_base_imagenet data_path=FOLDER
    """
    return _deit("deit_base_imagenet", "deit_base_patch16_224")


def deit_tiny_distilled_imagenet():
    """DeiT-Ti with the distillation token, taught by RegNetY-16GF; without teacher_weights that is trained first.

    Paper: Touvron et al., ICML 2021, arXiv:2012.12877, section 4 and table 9.
    Hardware: less than three days on 4 GPUs, says the paper (section 6), teacher not included.
    Expected accuracy: 74.5 % top-1, says the paper (table 5); not measured here.
    Command: paddle-vit train deit_tiny_distilled_imagenet data_path=FOLDER teacher_weights=FILE
    """
    return _deit("deit_tiny_distilled_imagenet", "deit_tiny_distilled_patch16_224", **_DISTILLED)


def deit_small_distilled_imagenet():
    """DeiT-S with the distillation token, taught by RegNetY-16GF; without teacher_weights that is trained first.

    Paper: Touvron et al., ICML 2021, arXiv:2012.12877, section 4 and table 9.
    Hardware: less than three days on 4 GPUs, says the paper (section 6), teacher not included.
    Expected accuracy: 81.2 % top-1, says the paper (table 5); not measured here.
    Command: paddle-vit train deit_small_distilled_imagenet data_path=FOLDER teacher_weights=FILE
    """
    return _deit("deit_small_distilled_imagenet", "deit_small_distilled_patch16_224", **_DISTILLED)


def deit_base_distilled_imagenet():
    """DeiT-B with the distillation token, taught by RegNetY-16GF; without teacher_weights that is trained first.

    Paper: Touvron et al., ICML 2021, arXiv:2012.12877, section 4 and table 9.
    Hardware: 53 hours on a node of 8 GPUs, says the paper (section 6), of the training without a teacher.
    Expected accuracy: 83.4 % top-1, says the paper (table 5); not measured here.
    Command: paddle-vit train deit_base_distilled_imagenet data_path=FOLDER teacher_weights=FILE
    """
    return _deit("deit_base_distilled_imagenet", "deit_base_distilled_patch16_224", **_DISTILLED)


def regnety_160_imagenet():
    """RegNetY-16GF, the teacher of the distilled DeiTs: a network of convolutions, 84 million parameters.

    Paper: Radosavovic et al., CVPR 2020, arXiv:2003.13678; trained by DeiT's table 9 without drop path. The DeiT paper says
        that its teacher saw the same data with the same augmentation, and not which optimizer it had: here AdamW.
    Hardware: a fifth slower than DeiT-B on the same GPUs, says the DeiT paper (section 6).
    Expected accuracy: 82.9 % top-1, says the DeiT paper (section 5.2); not measured here.
    Command: paddle-vit train regnety_160_imagenet data_path=FOLDER
    """
    settings = {key: value for key, value in DEIT_SETTINGS.items() if key not in ("dropout", "droppath")}
    return Recipe(
        name="regnety_160_imagenet",
        lesson="deit",
        model_class="RegNet",
        model_arguments=dict(_published("regnet")["regnety_160"]),
        image_size=224,
        **_IMAGENET,
        **settings,
    )


def swin_tiny_imagenet():
    """Swin-T: 28 million parameters.

    Paper: Liu et al., ICCV 2021, arXiv:2103.14030, section 4.1 and appendix A2.1.
    Hardware: 8 GPUs with 128 images each, as in the authors' instructions.
    Expected accuracy: 81.3 % top-1, says the paper (table 1); not measured here.
    Command: paddle-vit train swin_tiny_imagenet data_path=FOLDER
    """
    return _swin("swin_tiny_imagenet", "swin_tiny_patch4_window7_224", droppath=0.2)


def swin_small_imagenet():
    """Swin-S: 50 million parameters.

    Paper: Liu et al., ICCV 2021, arXiv:2103.14030, section 4.1 and appendix A2.1.
    Hardware: 8 GPUs with 128 images each, as in the authors' instructions.
    Expected accuracy: 83.0 % top-1, says the paper (table 1); not measured here.
    Command: paddle-vit train swin_small_imagenet data_path=FOLDER
    """
    return _swin("swin_small_imagenet", "swin_small_patch4_window7_224", droppath=0.3)


def swin_base_imagenet():
    """Swin-B: 88 million parameters.

    Paper: Liu et al., ICCV 2021, arXiv:2103.14030, section 4.1 and appendix A2.1.
    Hardware: 8 GPUs with 64 images each and accumulate=2, as in the authors' instructions.
    Expected accuracy: 83.5 % top-1, says the paper (table 1); not measured here.
    Command: paddle-vit train swin_base_imagenet data_path=FOLDER
    """
    return _swin("swin_base_imagenet", "swin_base_patch4_window7_224", droppath=0.5)


def vit_base_imagenet_384():
    """ViT-B/16, fine-tuned at 384x384 pixels from weights trained at 224x224, whose positions are resized.

    Paper: Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, for the model and the idea (section 3.2); settings of DeiT
        (Touvron et al., ICML 2021, arXiv:2012.12877), which fine-tunes a ViT-B/16 with AdamW, the optimizer here. Not kept
        of ViT's own (table 4): SGD with momentum 0.9 and no weight decay, 20,000 steps of 512 images, a learning rate
        chosen from 0.003 to 0.06, gradients clipped at 1; and images were cut without DeiT's augmentation.
    Hardware: 16 GPUs with 32 images each, as in the instructions of DeiT's authors.
    Expected accuracy: 83.1 % top-1 from DeiT-B's weights, says the DeiT paper (table 5); not measured here.
    Command: paddle-vit train vit_base_imagenet_384 data_path=FOLDER weights=FILE
        For weights that saw images from -1 to 1, as Google's of ViT did: normalize=half
    """
    sizes = _published("vit")["vit_base_patch16_384"]
    return _transformer("vit_base_imagenet_384", "vit", "VisionTransformer", sizes, DEIT_384_SETTINGS)
