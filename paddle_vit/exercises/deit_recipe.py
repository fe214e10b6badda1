"""Lesson 2, the exercises in recipe.py: cases and rules, as deit.py has them for the model.

Options of a case that the function under test also has stand last, in its order, and are passed on by position. Where
random numbers decide what a case can see, generators are tried until one draws that.
"""

import math
import operator

import numpy as np
import paddle
import paddle.nn.functional as F
from PIL import Image

from paddle_vit.exercises import Case
from paddle_vit.exercises.vit import close

# --- labels and losses ------------------------------------------------------------------------------------------------


def smooth_labels(recipe, draw, labels, num_classes, **options):
    return recipe.smooth_labels(np.array(labels), num_classes, *options.values())


def _teacher(draw, other):
    """Logits of a teacher, without gradient, whose first choice is sometimes, not always, that of other [B, K]."""
    while True:
        teacher = draw.tensor(*other.shape, scale=2.0).detach()
        same = teacher.numpy().argmax(-1) == other.numpy().argmax(-1)
        if same.any() and not same.all():
            return teacher


def soft_distillation_loss(recipe, draw, batch, num_classes, **options):
    student = draw.tensor(batch, num_classes, scale=1.5)
    return recipe.soft_distillation_loss(student, _teacher(draw, student), *options.values())


def hard_distillation_loss(recipe, draw, batch, num_classes):
    student = draw.tensor(batch, num_classes, scale=1.5)
    return recipe.hard_distillation_loss(student, _teacher(draw, student))


def _outputs(draw, batch, num_classes):
    """Logits of the two heads, and mixed targets as DeiT trains on."""
    heads = tuple(draw.tensor(batch, num_classes, scale=1.5) for _ in range(2))
    return heads, F.softmax(draw.tensor(batch, num_classes).detach())


def distilled_loss(recipe, draw, batch, num_classes, **options):
    heads, targets = _outputs(draw, batch, num_classes)
    return recipe.distilled_loss(heads, targets, _teacher(draw, targets), *options.values())


def average_teachers(recipe, draw, batch, num_classes, teachers):
    return recipe.average_teachers([draw.tensor(batch, num_classes, scale=1.5).detach() for _ in range(teachers)])


# --- two images in one ------------------------------------------------------------------------------------------------


def _generator(draw, accept):
    """The first of the draw's generators that draws what accept, called with a copy, wants."""
    return next(draw.generator(number) for number in range(10000) if accept(draw.generator(number)))


def _batch(draw, batch, size, num_classes):
    """Images, and targets as they are after label smoothing or mixing."""
    images, targets = draw.array(batch, 2, *size), draw.array(batch, num_classes)
    np.exp(targets, out=targets)
    targets /= targets.sum(axis=1, keepdims=True)
    return images, targets


def mixup(recipe, draw, batch, lam, **options):
    low, high = lam
    alpha = options.get("alpha", 0.8)
    generator = _generator(draw, lambda copy: low < copy.beta(alpha, alpha) < high)
    return recipe.mixup(*_batch(draw, batch, (3, 5), 7), generator, *options.values())


def cutmix_box(recipe, draw, beyond, **options):
    height, width, lam = options.values()

    def accept(copy):
        rows, columns = int(height * math.sqrt(1 - lam)), int(width * math.sqrt(1 - lam))
        row, column = copy.integers(height), copy.integers(width)
        top, left = row - rows // 2, column - columns // 2
        clipped = dict(top=top < 0, bottom=top + rows > height, left=left < 0, right=left + columns > width)
        off_centre = 2 * abs(row + 0.5 - height / 2) > height / 4 and 2 * abs(column + 0.5 - width / 2) > width / 4
        return beyond == " and ".join(side for side in clipped if clipped[side]) and off_centre

    return recipe.cutmix_box(height, width, lam, _generator(draw, accept))


def cutmix(recipe, draw, batch, size, clipped, **options):
    alpha = options.get("alpha", 1.0)

    def accept(copy):
        lam = copy.beta(alpha, alpha)
        top, bottom, left, right = recipe.cutmix_box(*size, lam, copy)
        area, sides = (bottom - top) * (right - left), [int(side * math.sqrt(1 - lam)) for side in size]
        pasted = area / math.prod(size)
        swapped_differs = (top, bottom) != (left, right) and left < size[0] and top < size[1]
        return (area < math.prod(sides)) == clipped and 0.1 < pasted < 0.4 and swapped_differs

    return recipe.cutmix(*_batch(draw, batch, size, 7), _generator(draw, accept), *options.values())


# --- one image --------------------------------------------------------------------------------------------------------


def random_erasing(recipe, draw, shape, sees, probability=0.25, area=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3)):
    generator = _generator(draw, lambda copy: sees == _erasing(copy, shape, probability, area, ratio))
    return recipe.random_erasing(draw.array(*shape), generator, probability, area, ratio)


def _erasing(copy, shape, probability, area, ratio):
    """What random erasing comes to with these draws, in the words of the cases; None for what no case wants."""
    if copy.random() >= probability:
        return "nothing erased"
    (_, rows, columns), missed = shape, []
    while len(missed) < 10:
        size = copy.uniform(*area) * rows * columns
        aspect = math.exp(copy.uniform(*map(math.log, ratio)))
        sides = math.sqrt(size * aspect), math.sqrt(size / aspect)
        height, width = map(round, sides)
        if height < rows and width < columns:
            top, left = copy.integers(rows - height + 1), copy.integers(columns - width + 1)
            at_border = top + height == rows or left + width == columns
            telling = 0.5 < aspect < 2.0 and height != width and size > 25 and (height, width) != (*map(int, sides),)
            if not missed:
                return "a box at the border" if at_border and telling else None
            narrowly = len(missed) == 1 and missed[0][0] <= rows and missed[0][1] <= columns
            return "a first box as high or as wide as the image" if narrowly else None
        missed.append((height, width))
    return "no box fits"


def _image(draw, mode, size):
    width, height = size
    pixels = draw.array(height, width, *([3] if mode == "RGB" else []), scale=60.0)
    return Image.fromarray(np.clip(pixels + 128.0, 0, 255).astype("uint8"))


def rand_augment(recipe, draw, mode, size, sees, **options):
    settings = dict(num_operations=2, magnitude=9.0, deviation=0.5, probability=0.5, operations=(*recipe.OPERATIONS,))
    settings.update((name, value) for name, value in options.items() if name != "fill")
    generator = _generator(draw, lambda copy: _SEEN[sees](_plan(copy, **settings)))
    return recipe.rand_augment(_image(draw, mode, size), generator, *options.values())


def _plan(copy, num_operations, magnitude, deviation, probability, operations):
    """For each operation: its name, whether it is applied, the magnitude before it is clipped, the sign."""
    draws = (
        (copy.integers(len(operations)), copy.random(), copy.normal(magnitude, deviation), copy.random())
        for _ in range(num_operations)
    )
    return [
        (operations[i], chance < probability, strength, -1 if sign < 0.5 else 1) for i, chance, strength, sign in draws
    ]


# operations whose effect depends on the sign, and that show whatever the image is
_SIGNED = ("Rotate", "Brightness", "Contrast", "ShearX", "ShearY", "TranslateX", "TranslateY")

_SEEN = {
    "two operations": lambda plan: (
        all(applied and name in _SIGNED for name, applied, _, _ in plan)
        and plan[0][0] != plan[1][0]
        and plan[0][3] != plan[1][3]
    ),
    "the first one skipped": lambda plan: (
        not plan[0][1]
        and all(applied and 4 < strength < 10 for _, applied, strength, _ in plan[1:])
        and plan[-1][0] in ("Rotate", "ShearY", "TranslateX")  # shows fill
    ),
    "magnitudes below 0 and above 10": lambda plan: plan[0][2] < -1 and plan[1][2] > 11 and plan[2][2] > 3,
}


CASES = {
    "smooth_labels": [
        Case(smooth_labels, dict(labels=[3, 0, 4], num_classes=5)),
        Case(smooth_labels, dict(labels=[5, 5, 1, 2], num_classes=7, smoothing=0.3)),
    ],
    "soft_distillation_loss": [
        Case(soft_distillation_loss, dict(batch=3, num_classes=5, temperature=4.0)),
        Case(soft_distillation_loss, dict(batch=2, num_classes=7, temperature=0.7)),
        Case(soft_distillation_loss, dict(batch=4, num_classes=3)),
    ],
    "hard_distillation_loss": [
        Case(hard_distillation_loss, dict(batch=3, num_classes=5)),
        Case(hard_distillation_loss, dict(batch=4, num_classes=3)),
    ],
    "distilled_loss": [
        Case(distilled_loss, dict(batch=3, num_classes=5, kind="hard", alpha=0.3)),
        Case(distilled_loss, dict(batch=2, num_classes=7, kind="soft", alpha=0.7, temperature=2.0)),
        Case(distilled_loss, dict(batch=4, num_classes=3)),
    ],
    "average_teachers": [
        Case(average_teachers, dict(batch=3, num_classes=5, teachers=2)),
        Case(average_teachers, dict(batch=2, num_classes=4, teachers=3)),
    ],
    "mixup": [
        Case(mixup, dict(batch=5, lam=(0.1, 0.4))),
        Case(mixup, dict(batch=6, lam=(0.6, 0.9), alpha=1.7)),
        Case(mixup, dict(batch=2, lam=(0.1, 0.4), alpha=0.3)),
    ],
    "cutmix_box": [
        Case(cutmix_box, dict(beyond="", height=11, width=7, lam=0.55)),
        Case(cutmix_box, dict(beyond="top and right", height=11, width=7, lam=0.55)),
        Case(cutmix_box, dict(beyond="bottom and left", height=8, width=13, lam=0.3)),
    ],
    "cutmix": [
        Case(cutmix, dict(batch=5, size=(7, 11), clipped=True)),
        Case(cutmix, dict(batch=4, size=(9, 5), clipped=False, alpha=1.7)),
    ],
    "random_erasing": [
        Case(random_erasing, dict(shape=(3, 17, 23), sees="a box at the border", probability=0.6)),
        Case(random_erasing, dict(shape=(2, 11, 13), sees="nothing erased")),
        Case(
            random_erasing,
            dict(
                shape=(3, 9, 17),
                sees="a first box as high or as wide as the image",
                probability=0.8,
                area=(0.2, 0.9),
                ratio=(0.5, 3.0),
            ),
        ),
        Case(random_erasing, dict(shape=(1, 5, 13), sees="no box fits", probability=0.8, area=(0.9, 1.0))),
    ],
    "rand_augment": [
        Case(rand_augment, dict(mode="RGB", size=(13, 7), sees="two operations")),
        Case(
            rand_augment,
            dict(
                mode="L",
                size=(11, 17),
                sees="the first one skipped",
                num_operations=3,
                magnitude=7.0,
                deviation=1.5,
                probability=0.7,
                operations=("Rotate", "Solarize", "TranslateX", "ShearY", "Contrast"),
                fill=37,
            ),
        ),
        Case(
            rand_augment,
            dict(
                mode="RGB",
                size=(7, 13),
                sees="magnitudes below 0 and above 10",
                num_operations=3,
                magnitude=5.0,
                deviation=6.0,
                probability=1.0,
                operations=_SIGNED,
            ),
        ),
    ],
}

# --- rules that hold for every right answer ---------------------------------------------------------------------------


def copied_teacher(recipe, draw):
    student = draw.tensor(3, 5)
    return [recipe.soft_distillation_loss(student, teacher, 2.0) for teacher in (student + 1.0, -student)]


def _zero_for_a_copy(outputs):
    same, other = outputs
    return close(same, 0.0) and other > 1e-3


def surer_teacher(recipe, draw):
    student, teacher = draw.tensor(3, 5), draw.tensor(3, 5)
    return [recipe.hard_distillation_loss(student, logits) for logits in (teacher, 3.0 * teacher + 1.0)]


def extreme_alphas(recipe, draw):
    heads, targets = _outputs(draw, 3, 5)
    teacher = _teacher(draw, targets)
    other = draw.tensor(3, 5)
    return [
        *(recipe.distilled_loss((heads[0], one), targets, one, "soft", 0.0) for one in (teacher, other)),
        *(recipe.distilled_loss((one, heads[1]), F.softmax(one), teacher, "hard", 1.0) for one in (heads[0], other)),
    ]


def _pairs_agree(outputs):
    return close(outputs[0], outputs[1]) and close(outputs[2], outputs[3]) and not close(outputs[0], outputs[2])


def averaged_and_single(recipe, draw):
    logits = [draw.tensor(3, 5) for _ in range(3)]
    return recipe.average_teachers(logits).exp(), paddle.stack([F.softmax(one) for one in logits]).mean(axis=0)


def mixed_pairs(recipe, draw):
    before = _batch(draw, 5, (3, 5), 7)
    copies = [array.copy() for array in before]
    return [array + array[::-1] for array in (*recipe.mixup(*before, draw.generator()), *copies)]


def _sums_stay(outputs):
    images, targets, images_before, targets_before = outputs
    return close(images, images_before) and close(targets, targets_before)


def boxes(recipe, draw):
    found = [recipe.cutmix_box(9, 13, number / 40, draw.generator(number)) for number in range(41)]
    return np.array([[operator.index(side) for side in box] for box in found])


def _inside(outputs):
    (found,) = outputs
    (top, bottom, left, right), side = found.T, np.sqrt(1.0 - np.arange(41) / 40)
    return (
        (0 <= found).all()
        and (top <= bottom).all()
        and (left <= right).all()
        and ((bottom - top == np.trunc(9 * side)) | (top == 0) | (bottom == 9)).all()
        and ((right - left == np.trunc(13 * side)) | (left == 0) | (right == 13)).all()
    )


def cut_from_plain_images(recipe, draw):
    """Image i is filled with i, and its label is class i."""
    images = np.tile(np.arange(5, dtype="float32")[:, None, None, None], [1, 2, 7, 11])
    return [recipe.cutmix(images.copy(), np.eye(5, dtype="float32"), draw.generator(number)) for number in range(8)]


def _labels_by_area(outputs):
    classes = np.arange(5)[:, None, None, None]
    return all(
        close(targets, (images[:, None] == classes).mean(axis=(2, 3, 4)))
        for images, targets in zip(outputs[::2], outputs[1::2], strict=True)
    )


def erased_or_not(recipe, draw):
    image, generator = np.zeros([1, 7, 6], "float32"), draw.generator()
    return np.array([recipe.random_erasing(image.copy(), generator, 0.3, (0.2, 0.4)).any() for _ in range(300)])


def erased_places(recipe, draw):
    image = draw.array(3, 13, 17)
    return [recipe.random_erasing(image.copy(), draw.generator(number), 1.0) != image for number in range(8)]


def _one_rectangle(outputs):
    for changed in outputs:
        rows, columns = (np.flatnonzero(changed.any(axis=axes)) for axes in ((0, 2), (0, 1)))
        box = changed[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        if not box.all() or not 0.01 < box[0].size / changed[0].size < 0.4:
            return False
    return True


def augmented(recipe, draw):
    images = [_image(draw, mode, (5, 9)) for mode in ("L", "RGB")]
    return [recipe.rand_augment(image, draw.generator(number)) for number in range(10) for image in images]


def _same_shapes(outputs):
    return all(
        grey.shape == (9, 5) and colour.shape == (9, 5, 3)
        for grey, colour in zip(outputs[::2], outputs[1::2], strict=True)
    )


def drawn_operations(recipe, draw):
    """[150, 3]: which of three operations was drawn."""
    image, generator, names = _image(draw, "L", (3, 5)), draw.generator(), ("Invert", "Posterize", "TranslateX")
    results = [np.asarray(recipe.apply_operation(image, name, 10.0)) for name in names[:2]]
    found = [np.asarray(recipe.rand_augment(image, generator, 1, 10.0, 0.0, 1.0, names)) for _ in range(150)]
    shown = np.array([[np.array_equal(one, result) for result in results] for one in found])
    return np.column_stack([shown, ~shown.any(axis=1)])


def _often(found, probability):
    """Whether it came as often as it should: off by over 5 standard deviations once in a million."""
    deviation = math.sqrt(probability * (1.0 - probability) / len(found))
    return (abs(found.mean(axis=0) - probability) < 5.0 * deviation).all()


PROPERTIES = {
    "rows_of_targets_sum_to_one": Case(
        smooth_labels,
        dict(labels=[1, 0, 2, 2], num_classes=3, smoothing=0.2),
        holds=lambda outputs: outputs[0].shape == (4, 3) and close(outputs[0].sum(axis=1), 1.0),
    ),
    "a_copy_costs_nothing": Case(copied_teacher, holds=_zero_for_a_copy),
    "only_the_choice_counts": Case(surer_teacher, holds=lambda outputs: close(*outputs)),
    "alpha_at_its_ends": Case(extreme_alphas, holds=_pairs_agree),
    "mean_of_probabilities": Case(averaged_and_single, holds=lambda outputs: close(*outputs)),
    "pairs_keep_their_sum": Case(mixed_pairs, holds=_sums_stay),
    "box_in_the_image": Case(boxes, holds=_inside),
    "labels_by_area": Case(cut_from_plain_images, holds=_labels_by_area),
    "erased_as_often_as_asked": Case(erased_or_not, holds=lambda outputs: _often(outputs[0], 0.3)),
    "one_rectangle": Case(erased_places, holds=_one_rectangle),
    "mode_and_size_stay": Case(augmented, holds=_same_shapes),
    "operations_equally_often": Case(drawn_operations, holds=lambda outputs: _often(outputs[0], 1 / 3)),
}
