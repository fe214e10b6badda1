# 数据高效的图像 Transformer (DeiT)：填写下面每个 TODO，然后运行 paddle-vit grade deit。提示：paddle-vit hint deit。
# The data-efficient image transformer (DeiT): fill in every TODO below, then run paddle-vit grade deit. For a hint: paddle-vit hint deit.
"""The parts of the DeiT recipe (Touvron et al., ICML 2021, arXiv:2012.12877, sections 4 and 6), each a small function
that knows nothing of the training loop.

Images and targets are numpy arrays where batches are made, tensors where losses are computed; logits are tensors. Random
numbers come from the numpy Generator that is passed in, never from a global one, in the order that the docstring gives:
the same generator, the same result. Axes: B images, K classes.
"""

import math

import numpy as np
import paddle
import paddle.nn.functional as F

from paddle_vit.training.checks import (
    check_area,
    check_batch,
    check_distillation,
    check_labels,
    check_share,
    check_temperature,
)
from paddle_vit.training.operations import OPERATIONS, apply_operation

# --- targets and losses -----------------------------------------------------------------------------------------------


def smooth_labels(labels, num_classes, smoothing=0.1):
    """Label smoothing (Szegedy et al., CVPR 2016, section 7): a little of the probability goes to all classes alike.

    The label gets 1 - smoothing + smoothing / K, every other class smoothing / K.

    Args:
        labels: [B] whole numbers from 0 to K - 1, an array.
        num_classes: K
        smoothing: from 0 (one-hot) to 1.

    Returns:
        [B, K] float32 array; every row sums to 1
    """
    # TODO 2.7  K 个类别平分 smoothing，标签另得其余的 1 - smoothing / all K classes share smoothing evenly, the label gets the other 1 - smoothing besides
    raise NotImplementedError("TODO 2.7 smooth_labels")


def soft_distillation_loss(student_logits, teacher_logits, temperature=3.0):
    """Soft distillation (Hinton et al., 2015; equation 2 of DeiT): the student copies the teacher's probabilities.

    The Kullback-Leibler divergence KL(teacher || student) = sum of p_teacher * (log p_teacher - log p_student) over the
    classes, both with logits divided by the temperature; its mean over the batch, times temperature squared. The
    authors' code also divides by the number of classes; we take the textbook's mean over the batch.

    Args:
        student_logits: [B, K]
        teacher_logits: [B, K], without gradient.
        temperature: above 0; larger is smoother.

    Returns:
        tensor without axes
    """
    # TODO 2.8  两边的 logits 都除以温度，求 KL(教师模型 || 学生模型)，按 batch 平均，再乘以温度的平方 / divide both logits by the temperature; KL(teacher || student), mean over the batch, times temperature squared
    raise NotImplementedError("TODO 2.8 soft_distillation_loss")


def hard_distillation_loss(student_logits, teacher_logits):
    """Hard distillation (equation 3 of DeiT): the teacher's most probable class is taken for the label.

    The cross-entropy of the student's logits with that class, its mean over the batch.

    Args:
        student_logits: [B, K]
        teacher_logits: [B, K], without gradient.

    Returns:
        tensor without axes
    """
    # TODO 2.9  把教师模型概率最大的类别当作标签，对学生模型的 logits 求交叉熵 / cross-entropy of the student's logits with the teacher's most probable class as label
    raise NotImplementedError("TODO 2.9 hard_distillation_loss")


def distilled_loss(outputs, targets, teacher_logits, kind="hard", alpha=0.5, temperature=3.0):
    """The loss of a DeiT: (1 - alpha) * cross-entropy + alpha * distillation.

    The class token learns from the targets, the distillation token from the teacher. The cross-entropy is the mean over
    the batch of -sum of targets * log-softmax of the class head's logits over the classes.

    Args:
        outputs: (logits of head, logits of head_distill), each [B, K].
        targets: [B, K] tensor, probabilities of the classes: one-hot, smoothed or mixed.
        teacher_logits: [B, K], without gradient.
        kind: "hard" for hard_distillation_loss, "soft" for soft_distillation_loss with this temperature.
        alpha: the weight of the distillation, from 0 to 1.

    Returns:
        tensor without axes
    """
    # TODO 2.10  (1 - alpha) * 分类头的交叉熵 + alpha * 蒸馏头的蒸馏损失 / (1 - alpha) * cross-entropy of the class head + alpha * distillation of the other head
    raise NotImplementedError("TODO 2.10 distilled_loss")


def soft_cross_entropy(logits, targets):
    """Cross-entropy with probabilities for targets: -sum of targets * log-softmax of logits, mean over the batch.

    Args:
        logits: [B, K]
        targets: [B, K] tensor, rows that sum to 1.

    Returns:
        tensor without axes
    """
    return -(targets * F.log_softmax(logits, axis=-1)).sum(axis=-1).mean()


def average_teachers(teacher_logits):
    """Several teachers as one: the logarithm of the mean of their probabilities, which serves as its logits.

    Args:
        teacher_logits: list of [B, K], one for each teacher.

    Returns:
        [B, K]; its softmax is the mean of the teachers' softmaxes
    """
    # TODO 2.11  各教师模型的概率取平均，再取对数 / the mean of the teachers' probabilities, then its logarithm
    raise NotImplementedError("TODO 2.11 average_teachers")


# --- two images in one ------------------------------------------------------------------------------------------------


def mixup(images, targets, generator, alpha=0.8):
    """Mixup (Zhang et al., ICLR 2018): images and targets are averaged with those of a partner, lam to 1 - lam.

    The partner is the image at the same place of the batch in reverse order, as in the authors' code: the first is mixed
    with the last, the second with the one before the last, and so on. One lam serves the whole batch.
    Draws: lam = generator.beta(alpha, alpha).

    Args:
        images: [B, channels, height, width] float32
        targets: [B, K] float32
        generator: numpy Generator
        alpha: of the Beta distribution, above 0.

    Returns:
        images * lam + partners * (1 - lam), float32; targets likewise. The arguments stay as they are.
    """
    # TODO 2.12  从 Beta 分布抽 lam，图像与 targets 都和倒序的配对图像按 lam : 1 - lam 混合 / draw lam from the Beta distribution; mix images and targets with those in reverse order, lam to 1 - lam
    raise NotImplementedError("TODO 2.12 mixup")


def cutmix_box(height, width, lam, generator):
    """The box that CutMix cuts: a share 1 - lam of the area, of the image's shape, anywhere, clipped at the borders.

    The sides are int(height * sqrt(1 - lam)) and int(width * sqrt(1 - lam)) pixels. The centre is drawn, so that part of
    the box may fall outside and is cut off.
    Draws: row = generator.integers(height), then column = generator.integers(width), the centre.

    Args:
        height, width: of the image, pixels.
        lam: from 0 to 1.
        generator: numpy Generator

    Returns:
        top, bottom, left, right, whole numbers: rows top to bottom - 1 and columns left to right - 1 are inside. Before
        clipping top is row minus half of the box's height, rounded down, and bottom is top plus its height; left and
        right likewise.
    """
    # TODO 2.13  由 lam 算出边长，抽取中心 (先行后列)，再裁到图像之内 / sides from lam, draw the centre (row, then column), clip the box to the image
    raise NotImplementedError("TODO 2.13 cutmix_box")


def cutmix(images, targets, generator, alpha=1.0):
    """CutMix (Yun et al., ICCV 2019): a box of the partner is pasted in, and targets are mixed by area.

    Partners are those of mixup, the batch in reverse order. One box serves the whole batch. Since the box may have been
    clipped, lam is corrected afterwards: it becomes the share of the area that is not pasted.
    Draws: lam = generator.beta(alpha, alpha), then those of cutmix_box.

    Args:
        images: [B, channels, height, width] float32
        targets: [B, K] float32
        generator: numpy Generator
        alpha: of the Beta distribution, above 0.

    Returns:
        images with the partners' box; targets * lam + partners' targets * (1 - lam) with the corrected lam, float32.
        The arguments stay as they are.
    """
    # TODO 2.14  把倒序配对图像的矩形框贴进来，按裁剪后的面积改正 lam，再混合 targets / paste the box of the images in reverse order, correct lam by the clipped area, then mix targets
    raise NotImplementedError("TODO 2.14 cutmix")


def mix(images, targets, generator, mixup_alpha=0.8, cutmix_alpha=1.0, switch=0.5):
    """One of mixup and cutmix for the whole batch, as DeiT trains: cutmix with probability switch, else mixup.

    Where both are on, one generator.random() decides before they draw.

    Args:
        images: [B, channels, height, width] float32
        targets: [B, K] float32
        generator: numpy Generator
        mixup_alpha, cutmix_alpha: of their Beta distributions; 0 turns a kind off.
        switch: probability of cutmix, from 0 to 1.

    Returns:
        images, targets of the same shapes; the arguments themselves where both kinds are off
    """
    if mixup_alpha > 0 and cutmix_alpha > 0:
        use_cutmix = generator.random() < switch
    else:
        use_cutmix = cutmix_alpha > 0
    if use_cutmix:
        return cutmix(images, targets, generator, cutmix_alpha)
    if mixup_alpha > 0:
        return mixup(images, targets, generator, mixup_alpha)
    return images, targets


# --- one image --------------------------------------------------------------------------------------------------------


def random_erasing(image, generator, probability=0.25, area=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3)):
    """Random erasing (Zhong et al., AAAI 2020): with this probability a box is overwritten by noise.

    Draws: generator.random(), erase only when it is below probability. Then, up to ten times, until a box fits (its sides
    smaller than the image's): its share of the area generator.uniform(*area); the logarithm of height / width
    generator.uniform(log(ratio[0]), log(ratio[1])). The height is round(sqrt(share * H * W * ratio)), the width
    round(sqrt(share * H * W / ratio)), for an image of H rows and W columns. When it fits: top
    generator.integers(H - height + 1), left generator.integers(W - width + 1), and the noise
    generator.standard_normal((channels, height, width)). When none of the ten fits, nothing is erased.

    Args:
        image: [channels, H, W] float32
        generator: numpy Generator
        probability: from 0 to 1.
        area: smallest and largest share of the image's area.
        ratio: smallest and largest height / width.

    Returns:
        [channels, H, W] float32, a copy where a box is erased; image itself stays as it is
    """
    # TODO 2.15  以给定的概率，把一个随机矩形框换成噪声；最多试十次 / with this probability overwrite a random box by noise; up to ten attempts
    raise NotImplementedError("TODO 2.15 random_erasing")


def rand_augment(
    image,
    generator,
    num_operations=2,
    magnitude=9.0,
    deviation=0.5,
    probability=0.5,
    operations=tuple(OPERATIONS),
    fill=128,
):
    """RandAugment (Cubuk et al., NeurIPS 2020) as DeiT uses it: a few random operations on one image, one after another.

    Draws, for each of the num_operations in turn, all four whether they are needed or not: which operation,
    operations[generator.integers(len(operations))]; whether it is applied, generator.random() < probability; its
    magnitude, generator.normal(magnitude, deviation), clipped to 0 to 10; its sign, -1 when generator.random() < 0.5,
    else 1. Then apply_operation(image, name, magnitude, sign, fill=fill).

    Args:
        image: PIL image of mode L or RGB.
        generator: numpy Generator
        num_operations: N of the paper.
        magnitude: M of the paper, from 0 to 10.
        deviation: standard deviation of the magnitude.
        probability: with which each operation is applied.
        operations: names to draw from, all of OPERATIONS unless told otherwise.
        fill: grey, 0 to 255, of pixels from outside the image.

    Returns:
        PIL image of the same mode and size
    """
    # TODO 2.16  依次抽 num_operations 个操作，每个抽四个随机数：操作、是否执行、幅度、方向 / draw num_operations operations in turn, each with four draws: which, whether, how strong, which direction
    raise NotImplementedError("TODO 2.16 rand_augment")


# --- weights and the learning rate ------------------------------------------------------------------------------------


def update_ema(averages, model, decay):
    """Exponential moving average of a model's weights: m_t = decay * m_(t-1) + (1 - decay) * theta_t.

    Args:
        averages: name -> tensor, for every name in model.state_dict(); changed in place, without gradient.
        model: nn.Layer, with the weights theta_t after the step. Stays as it is.
        decay: from 0 to 1; the authors' code has .99996.
    """
    # TODO 2.17  对 model.state_dict() 里的每个名称：平均 = decay * 平均 + (1 - decay) * 权重，不计算梯度 / for every name in model.state_dict(): average = decay * average + (1 - decay) * weight, without gradient
    raise NotImplementedError("TODO 2.17 update_ema")


def ema_decay_at(step, decay=0.99996):
    """The decay of a moving average that starts short and grows to decay, so that short runs profit too.

    (1 + step) / (10 + step) at first: an average over about the last tenth of the steps.

    Args:
        step: from 0.
    """
    return min(decay, (1.0 + step) / (10.0 + step))


def scaled_learning_rate(learning_rate, batch_size, base=512):
    """Learning rate for a batch size (Goyal et al., 2017; table 9 of DeiT): proportional, as given for base images.

    Args:
        learning_rate: for a batch of base images.
        batch_size: images in a batch, over all processes.

    Returns:
        float
    """
    # TODO 2.18  学习率与 batch 大小成正比，batch 为 base 时就是 learning_rate / proportional to the batch size, learning_rate itself for a batch of base
    raise NotImplementedError("TODO 2.18 scaled_learning_rate")


def learning_rate_at(progress, peak, warmup=0.0, minimum=0.0):
    """Linear warm-up, then half a cosine down to the minimum (Goyal et al., 2017; Loshchilov & Hutter, 2017).

    A function of the progress alone, so that a run can stop and go on anywhere without a scheduler's state.

    Args:
        progress: how much of the run is done, 0 at the start and 1 at the end. After the end the rate stays at minimum.
        peak: the highest learning rate, reached when progress is warmup.
        warmup: share of the run in which the rate grows in a straight line from 0, from 0 to below 1.
        minimum: the learning rate at the end.

    Returns:
        float
    """
    # TODO 2.19  先从 0 直线升到 peak，再按半个余弦降到 minimum，结束之后不变 / a straight line from 0 to peak, half a cosine down to minimum, constant after the end
    raise NotImplementedError("TODO 2.19 learning_rate_at")


def has_weight_decay(name, parameter):
    """Whether weight decay acts on a parameter: on weight matrices and kernels only.

    Biases and the parameters of norms (one axis), tokens and positions (class_token, distill_token, position_embedding and
    Swin's relative_position_bias_table, as one part of the name between dots) are left alone: decay would pull them to
    zero although they do not multiply an input.

    Args:
        name: structured name, as in model.named_parameters(): "encoder.layers.0.attn.qkv.weight".
        parameter: anything with the number of axes as ndim.

    Returns:
        bool
    """
    # TODO 2.20  权重矩阵与卷积核要；偏置、归一化层、token 与位置编码不要 / weight matrices and kernels do; biases, norms, tokens and position embeddings do not
    raise NotImplementedError("TODO 2.20 has_weight_decay")
