"""The recipes that come with the package, by name. Those of the papers for ImageNet stand in recipes_imagenet.py."""

from paddle_vit.training import recipes_imagenet
from paddle_vit.training.config import Recipe

# The model of vit_digits and deit_digits, as far as they agree
_SMALL = dict(
    patch_size=2, embed_dim=64, depth=4, num_heads=8, mlp_ratio=2.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0
)

# Digits turned, sheared and moved a little
_TURNED_DIGITS = dict(rand_augment=2, magnitude=2.0, geometric=True)


def vit_digits():
    """Small ViT on the built-in handwritten digits, 1,297 images of 8x8 to train with and 500 to test.

    Paper: Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, scaled down; no augmentation, no flips.
    Hardware: 2 CPU cores, 50 seconds.
    Expected accuracy: 98.20 % of the test images, mean of the seeds 0, 1, 2 (98.8, 97.4, 98.4), Paddle 3.3.1.
        Settings were chosen by cross-validation inside the training images, on an equivalent model in another
        framework (97.6 % there), never on the test images.
    Command: paddle-vit train vit_digits
    """
    return Recipe(
        name="vit_digits",
        lesson="vit",
        model_class="VisionTransformer",
        model_arguments=dict(**_SMALL, droppath=0.2, pool="class", position="learned"),
        data="digits",
        epochs=60,
        batch_size=32,
        learning_rate=5e-4,
        warmup=0.1,
        weight_decay=0.05,
        evaluate_every=5,
    )


def deit_digits():
    """Small DeiT on the digits, with a teacher that is trained first.

    Paper: Touvron et al., ICML 2021, arXiv:2012.12877, scaled down. Of its recipe what suits 8x8 pixels; what each
        part adds or costs: benchmarks/deit_digits.py. No flips.
    Hardware: 2 CPU cores, 120 to 190 seconds beside other work, teacher included.
    Expected accuracy: 98.33 % of the test images, mean of the seeds 0, 1, 2 (98.2, 98.2, 98.6), Paddle 3.3.1.
    Command: paddle-vit train deit_digits
    """
    return Recipe(
        name="deit_digits",
        lesson="deit",
        model_class="DeiT",
        model_arguments=dict(**_SMALL, droppath=0.1),
        data="digits",
        epochs=80,
        batch_size=32,
        learning_rate=1e-3,
        warmup=0.1,
        weight_decay=0.05,
        evaluate_every=5,
        **_TURNED_DIGITS,
        mixup=0.8,
        cutmix=1.0,
        ema=0.99,
        distillation="hard",
        alpha=0.5,
        teacher="regnet_digits",
    )


def regnet_digits():
    """Tiny RegNetY on the digits: the teacher of deit_digits, a network of convolutions.

    Paper: Radosavovic et al., CVPR 2020, arXiv:2003.13678, scaled down; augmented and mixed as its student's images are.
    Hardware: 2 CPU cores, 20 seconds.
    Expected accuracy: 99.00 % of the test images, mean of the seeds 0, 1, 2 (99.4, 99.0, 98.6), Paddle 3.3.1.
    Command: paddle-vit train regnet_digits
    """
    return Recipe(
        name="regnet_digits",
        lesson="deit",
        model_class="RegNet",
        model_arguments=dict(stem_width=16, stem_stride=1, widths=(32, 64), depths=(1, 2), group_width=8),
        data="digits",
        epochs=30,
        batch_size=32,
        learning_rate=2e-3,
        warmup=0.1,
        weight_decay=0.05,
        evaluate_every=5,
        **_TURNED_DIGITS,
        mixup=0.8,
        cutmix=1.0,
    )


def swin_digits():
    """Small Swin on the digits enlarged to 32x32 pixels: two stages, windows of 4x4 tokens.

    Paper: Liu et al., ICCV 2021, arXiv:2103.14030, scaled down, with absolute positions and augmentation beside the
        relative ones; what each part adds or costs: benchmarks/swin_digits.py. No flips.
    Hardware: 2 CPU cores, 160 to 170 seconds beside other work.
    Expected accuracy: 98.80 % of the test images, mean of the seeds 0, 1, 2 (98.6, 98.8, 99.0), Paddle 3.3.1.
    Command: paddle-vit train swin_digits
    """
    return Recipe(
        name="swin_digits",
        lesson="swin",
        model_class="SwinTransformer",
        model_arguments=dict(
            patch_size=4,
            embed_dim=32,
            depths=(2, 2),
            num_heads=(2, 4),
            window_size=4,
            mlp_ratio=2.0,
            qkv_bias=True,
            dropout=0.0,
            attention_dropout=0.0,
            droppath=0.1,
            absolute_position=True,
        ),
        data="digits_32x32",
        epochs=60,
        batch_size=32,
        learning_rate=2e-3,
        warmup=0.1,
        weight_decay=0.05,
        evaluate_every=5,
        **_TURNED_DIGITS,
        clip=5.0,
    )


# CIFAR-10: 50,000 photographs of 32x32 pixels to train with and 10,000 to test, augmented as usual for them, and by two
# operations of RandAugment. Nothing here was tuned on them.
_CIFAR10 = dict(
    data="cifar10",
    epochs=200,
    batch_size=128,
    warmup=0.05,
    weight_decay=0.05,
    evaluate_every=5,
    crop="padded",
    flip=0.5,
    rand_augment=2,
    label_smoothing=0.1,
)

# The model of vit_cifar10 and deit_cifar10: the width of DeiT-Ti, 64 patches
_TINY = dict(
    patch_size=4, embed_dim=192, depth=9, num_heads=3, mlp_ratio=4.0, qkv_bias=True, dropout=0.0, attention_dropout=0.0
)


def vit_cifar10():
    """Small ViT on CIFAR-10, from scratch.

    Paper: Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, scaled down; augmented more than there, since the paper
        trained from scratch with far more images only.
    Hardware: meant for one GPU; not tried.
    Expected accuracy: not measured here.
    Command: paddle-vit train vit_cifar10 data_path=cifar-10-python.tar.gz
    """
    return Recipe(
        name="vit_cifar10",
        lesson="vit",
        model_class="VisionTransformer",
        model_arguments=dict(**_TINY, droppath=0.1, pool="class", position="learned"),
        **_CIFAR10,
        learning_rate=5e-4,
    )


def deit_cifar10():
    """Small DeiT on CIFAR-10, with a teacher that is trained first.

    Paper: Touvron et al., ICML 2021, arXiv:2012.12877, scaled down.
    Hardware: meant for one GPU; not tried.
    Expected accuracy: not measured here.
    Command: paddle-vit train deit_cifar10 data_path=cifar-10-python.tar.gz
    """
    return Recipe(
        name="deit_cifar10",
        lesson="deit",
        model_class="DeiT",
        model_arguments=dict(**_TINY, droppath=0.1),
        **_CIFAR10,
        learning_rate=5e-4,
        erasing=0.25,
        mixup=0.8,
        cutmix=1.0,
        ema=0.9998,  # an average over about 13 epochs; table 9 of the paper: 20
        distillation="hard",
        alpha=0.5,
        teacher="regnet_cifar10",
    )


def regnet_cifar10():
    """Small RegNetY on CIFAR-10: the teacher of deit_cifar10, a network of convolutions.

    Paper: Radosavovic et al., CVPR 2020, arXiv:2003.13678, scaled down: a stem without stride, three stages.
    Hardware: meant for one GPU; not tried.
    Expected accuracy: not measured here.
    Command: paddle-vit train regnet_cifar10 data_path=cifar-10-python.tar.gz
    """
    return Recipe(
        name="regnet_cifar10",
        lesson="deit",
        model_class="RegNet",
        model_arguments=dict(stem_width=32, stem_stride=1, widths=(64, 128, 256), depths=(2, 4, 4), group_width=16),
        **{**_CIFAR10, "epochs": 100},
        learning_rate=2e-3,
        mixup=0.8,
        cutmix=1.0,
    )


def swin_cifar10():
    """Small Swin on CIFAR-10: three stages of 16x16, 8x8 and 4x4 tokens, windows of 4x4.

    Paper: Liu et al., ICCV 2021, arXiv:2103.14030, scaled down.
    Hardware: meant for one GPU; not tried.
    Expected accuracy: not measured here.
    Command: paddle-vit train swin_cifar10 data_path=cifar-10-python.tar.gz
    """
    return Recipe(
        name="swin_cifar10",
        lesson="swin",
        model_class="SwinTransformer",
        model_arguments=dict(
            patch_size=2,
            embed_dim=64,
            depths=(2, 4, 2),
            num_heads=(2, 4, 8),
            window_size=4,
            mlp_ratio=4.0,
            qkv_bias=True,
            dropout=0.0,
            attention_dropout=0.0,
            droppath=0.2,
        ),
        **_CIFAR10,
        learning_rate=1e-3,
        erasing=0.25,
        mixup=0.8,
        cutmix=1.0,
        clip=5.0,
    )


# name -> function that makes the recipe
RECIPES = {
    recipe.__name__: recipe
    for recipe in (
        vit_digits,
        deit_digits,
        regnet_digits,
        swin_digits,
        vit_cifar10,
        deit_cifar10,
        regnet_cifar10,
        swin_cifar10,
        recipes_imagenet.deit_tiny_imagenet,
        recipes_imagenet.deit_small_imagenet,
        recipes_imagenet.deit_base_imagenet,
        recipes_imagenet.deit_tiny_distilled_imagenet,
        recipes_imagenet.deit_small_distilled_imagenet,
        recipes_imagenet.deit_base_distilled_imagenet,
        recipes_imagenet.regnety_160_imagenet,
        recipes_imagenet.swin_tiny_imagenet,
        recipes_imagenet.swin_small_imagenet,
        recipes_imagenet.swin_base_imagenet,
        recipes_imagenet.vit_base_imagenet_384,
    )
}


def list_recipes():
    """Names of the recipes that come with the package."""
    return list(RECIPES)
