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
    check_labels(labels, num_classes, smoothing)
    one_hot = np.eye(num_classes, dtype="float32")[labels]  # B K
    return one_hot * (1.0 - smoothing) + smoothing / num_classes


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
    check_temperature(temperature)
    student = F.log_softmax(student_logits / temperature, axis=-1)  # B K
    teacher = F.log_softmax(teacher_logits / temperature, axis=-1)  # B K
    divergence = (teacher.exp() * (teacher - student)).sum(axis=-1)  # B
    return divergence.mean() * temperature**2


def hard_distillation_loss(student_logits, teacher_logits):
    """Hard distillation (equation 3 of DeiT): the teacher's most probable class is taken for the label.

    The cross-entropy of the student's logits with that class, its mean over the batch.

    Args:
        student_logits: [B, K]
        teacher_logits: [B, K], without gradient.

    Returns:
        tensor without axes
    """
    return F.cross_entropy(student_logits, teacher_logits.argmax(axis=-1))


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
    check_distillation(kind, alpha)
    logits, distilled = outputs  # each B K
    if kind == "soft":
        distillation = soft_distillation_loss(distilled, teacher_logits, temperature)
    else:
        distillation = hard_distillation_loss(distilled, teacher_logits)
    return (1.0 - alpha) * soft_cross_entropy(logits, targets) + alpha * distillation


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
    log_probabilities = [F.log_softmax(logits, axis=-1) for logits in teacher_logits]  # each B K
    return paddle.stack(log_probabilities).logsumexp(axis=0) - math.log(len(log_probabilities))  # B K


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
    check_batch(images)
    lam = generator.beta(alpha, alpha)
    return images * lam + images[::-1] * (1.0 - lam), targets * lam + targets[::-1] * (1.0 - lam)


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
    check_share(lam)
    side = math.sqrt(1.0 - lam)
    box_height, box_width = int(height * side), int(width * side)
    top = int(generator.integers(height)) - box_height // 2
    left = int(generator.integers(width)) - box_width // 2
    bottom, right = top + box_height, left + box_width
    return max(top, 0), min(bottom, height), max(left, 0), min(right, width)


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
    check_batch(images)
    height, width = images.shape[2:]
    lam = generator.beta(alpha, alpha)
    top, bottom, left, right = cutmix_box(height, width, lam, generator)
    mixed = images.copy()
    mixed[:, :, top:bottom, left:right] = images[::-1, :, top:bottom, left:right]
    lam = 1.0 - (bottom - top) * (right - left) / (height * width)
    return mixed, targets * lam + targets[::-1] * (1.0 - lam)


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
    check_area(area)
    if generator.random() >= probability:
        return image
    channels, rows, columns = image.shape
    for _ in range(10):
        size = generator.uniform(*area) * rows * columns  # pixels
        aspect = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
        height, width = round(math.sqrt(size * aspect)), round(math.sqrt(size / aspect))
        if height < rows and width < columns:
            top, left = generator.integers(rows - height + 1), generator.integers(columns - width + 1)
            erased = image.copy()
            noise = generator.standard_normal((channels, height, width))
            erased[:, top : top + height, left : left + width] = noise
            return erased
    return image


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
    for _ in range(num_operations):
        name = operations[generator.integers(len(operations))]
        applied = generator.random() < probability
        strength = min(max(generator.normal(magnitude, deviation), 0.0), 10.0)
        sign = -1 if generator.random() < 0.5 else 1
        if applied:
            image = apply_operation(image, name, strength, sign, fill=fill)
    return image


# --- weights and the learning rate ------------------------------------------------------------------------------------


def update_ema(averages, model, decay):
    """Exponential moving average of a model's weights: m_t = decay * m_(t-1) + (1 - decay) * theta_t.

    Args:
        averages: name -> tensor, for every name in model.state_dict(); changed in place, without gradient.
        model: nn.Layer, with the weights theta_t after the step. Stays as it is.
        decay: from 0 to 1; the authors' code has .99996.
    """
    with paddle.no_grad():
        for name, value in model.state_dict().items():
            averages[name].set_value(averages[name] * decay + value * (1.0 - decay))


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
    return learning_rate * batch_size / base


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
    # 1. warm-up: a straight line from 0
    if progress < warmup:
        return peak * progress / warmup
    # 2. after the end: stay at the minimum, where the cosine would rise again
    if progress >= 1.0:
        return minimum
    # 3. in between: half a cosine
    cosine = 0.5 * (1.0 + math.cos(math.pi * (progress - warmup) / (1.0 - warmup)))  # from 1 to 0
    return minimum + (peak - minimum) * cosine


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
    undecayed = {"class_token", "distill_token", "position_embedding", "relative_position_bias_table"}
    return parameter.ndim > 1 and not undecayed & set(name.split("."))
