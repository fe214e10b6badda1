"""Targets and losses of the DeiT recipe against loops in float64, against Paddle's own, and by their gradients."""

import math

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from paddle_vit.training.recipe import (
    average_teachers,
    distilled_loss,
    hard_distillation_loss,
    smooth_labels,
    soft_cross_entropy,
    soft_distillation_loss,
)

B, K = 5, 7


def randn(*shape, seed=0, scale=1.0):
    return (scale * np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)).astype("float32")


def tensor(array, gradient=False):
    return paddle.to_tensor(array, stop_gradient=not gradient)


def softmax(row):
    largest = max(row)
    shares = [math.exp(x - largest) for x in row]
    return [share / sum(shares) for share in shares]


def log_softmax(row):
    largest = max(row)
    return [x - largest - math.log(sum(math.exp(y - largest) for y in row)) for x in row]


def cross_entropy(logits, targets):
    rows = zip(logits.tolist(), targets.tolist(), strict=True)
    return -sum(t * x for row, target in rows for t, x in zip(target, log_softmax(row), strict=True)) / len(logits)


def soft_loss(student, teacher, temperature):
    """Kullback and Leibler's sum in loops, the teacher's distribution first."""
    total = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        p, q = softmax([x / temperature for x in t]), softmax([x / temperature for x in s])
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return temperature**2 * total / len(student)


def hard_loss(student, teacher):
    rows = zip(student.tolist(), teacher.tolist(), strict=True)
    return -sum(log_softmax(s)[t.index(max(t))] for s, t in rows) / len(student)


def close(loss, expected, tolerance=2e-6):
    assert isinstance(loss, paddle.Tensor)
    assert loss.shape == [] and loss.dtype == paddle.float32
    return abs(loss.item() - expected) <= tolerance * max(1.0, abs(expected))


# -- label smoothing --------------------------------------------------------------------------------------------------


def test_label_smoothing_of_five_classes():
    targets = smooth_labels(np.array([0, 3]), num_classes=5)
    assert targets.dtype == np.float32
    assert np.allclose(targets, [[0.92, 0.02, 0.02, 0.02, 0.02], [0.02, 0.02, 0.02, 0.92, 0.02]], atol=1e-7)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.37, 1.0])
def test_smooth_labels(smoothing):
    labels = np.array([6, 0, 3, 3, 5, 1, 2, 4])
    targets = smooth_labels(labels, K, smoothing)
    assert isinstance(targets, np.ndarray) and targets.dtype == np.float32
    assert np.allclose(targets.sum(axis=1), 1.0, atol=1e-6)
    one_hot = F.one_hot(paddle.to_tensor(labels), K)
    assert np.allclose(targets, F.label_smooth(one_hot, epsilon=smoothing).numpy(), atol=1e-7)
    expected = [[smoothing / K + (1 - smoothing if k == label else 0) for k in range(K)] for label in labels]
    assert np.allclose(targets, expected, atol=1e-7)


def test_smoothed_labels_in_the_loss_are_paddles_label_smoothing():
    labels, logits = np.array([6, 0, 3, 3, 5]), tensor(randn(B, K))
    ours = soft_cross_entropy(logits, tensor(smooth_labels(labels, K, 0.1)))
    assert close(ours, F.cross_entropy(logits, paddle.to_tensor(labels), label_smoothing=0.1).item())


def test_no_labels():
    assert smooth_labels(np.array([], dtype="int64"), 5).shape == (0, 5)


@pytest.mark.parametrize("labels,text", [([0, 5, 2], "from 0 to 5, with 5 classes"), ([4, -1], "from -1 to 4, with 5")])
def test_labels_out_of_range(labels, text):
    with pytest.raises(ValueError, match=text) as error:
        smooth_labels(np.array(labels), 5)
    assert "from 0 to 4" in str(error.value)


# -- cross-entropy with probabilities ---------------------------------------------------------------------------------


def test_soft_cross_entropy():
    logits, targets = randn(B, K, scale=3.0), np.array([softmax(row) for row in randn(B, K, seed=1)], dtype="float32")
    loss = soft_cross_entropy(tensor(logits), tensor(targets))
    assert close(loss, cross_entropy(logits, targets))
    assert close(loss, F.cross_entropy(tensor(logits), tensor(targets), soft_label=True).item())
    labels = np.array([6, 0, 3, 3, 5])
    one_hot = soft_cross_entropy(tensor(logits), tensor(np.eye(K, dtype="float32")[labels]))
    assert close(one_hot, F.cross_entropy(tensor(logits), paddle.to_tensor(labels)).item())


def test_large_logits_stay_finite():
    logits = tensor(randn(B, K, scale=1000.0), gradient=True)
    teacher, targets = tensor(randn(B, K, seed=1, scale=1000.0)), tensor(smooth_labels(np.arange(B), K))
    losses = [
        soft_cross_entropy(logits, targets),
        hard_distillation_loss(logits, teacher),
        soft_distillation_loss(logits, teacher, 1.0),
        average_teachers([logits, teacher]).sum(),
    ]
    for loss in losses:
        logits.clear_gradient()
        loss.backward()
        assert math.isfinite(loss.item()) and np.isfinite(logits.grad.numpy()).all()


# -- distillation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 10.0])
def test_soft_distillation(temperature):
    student, teacher = randn(B, K, scale=3.0), randn(B, K, seed=1, scale=3.0)
    loss = soft_distillation_loss(tensor(student), tensor(teacher), temperature)
    assert close(loss, soft_loss(student, teacher, temperature), 1e-5)
    log_student = F.log_softmax(tensor(student) / temperature)
    probabilities = F.softmax(tensor(teacher) / temperature)
    paddles = F.kl_div(log_student, probabilities, reduction="batchmean") * temperature**2
    assert close(loss, paddles.item(), 1e-5)


def test_soft_distillation_has_temperature_three_of_its_own():
    student, teacher = randn(B, K), randn(B, K, seed=1)
    assert close(soft_distillation_loss(tensor(student), tensor(teacher)), soft_loss(student, teacher, 3.0), 1e-5)


def test_soft_distillation_is_zero_where_both_agree():
    logits = randn(B, K, scale=3.0)
    shifted = logits + 2.5 * np.arange(B, dtype="float32")[:, None]  # the same probabilities
    for teacher in (logits, shifted):
        assert abs(soft_distillation_loss(tensor(logits), tensor(teacher), 2.0).item()) < 1e-5
    assert soft_distillation_loss(tensor(logits), tensor(randn(B, K, seed=1)), 2.0).item() > 0.1


def test_soft_distillation_is_not_symmetric():
    student, teacher = randn(B, K, scale=3.0), randn(B, K, seed=1, scale=3.0)
    there, back = (soft_loss(*pair, 2.0) for pair in [(student, teacher), (teacher, student)])
    assert abs(there - back) > 0.1
    assert close(soft_distillation_loss(tensor(teacher), tensor(student), 2.0), back, 1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 10.0])
def test_gradient_of_soft_distillation(temperature):
    """The student's probabilities minus the teacher's, times the temperature over the batch."""
    student, teacher = randn(B, K), randn(B, K, seed=1)
    logits = tensor(student, gradient=True)
    soft_distillation_loss(logits, tensor(teacher), temperature).backward()
    p, q = (np.array([softmax(row) for row in x.astype("float64") / temperature]) for x in (student, teacher))
    assert np.allclose(logits.grad.numpy(), temperature / B * (p - q), atol=1e-6)


def test_the_authors_loss_is_ours_over_the_number_of_classes():
    """Their code: kl_div(log p, log q, reduction="sum", log_target=True) * T * T / outputs.numel()."""
    student, teacher, temperature = randn(B, K), randn(B, K, seed=1), 3.0
    p, q = (np.array([log_softmax(row) for row in x.astype("float64") / temperature]) for x in (student, teacher))
    authors = (np.exp(q) * (q - p)).sum() * temperature * temperature / student.size
    assert close(soft_distillation_loss(tensor(student), tensor(teacher), temperature), K * authors, 1e-5)


@pytest.mark.parametrize("temperature", [0, -1.5, math.inf, math.nan])
def test_temperature_errors(temperature):
    logits = tensor(randn(B, K))
    with pytest.raises(ValueError, match=f"the temperature must be above 0.*, got {temperature}"):
        soft_distillation_loss(logits, logits, temperature)


def test_hard_distillation():
    student, teacher = randn(B, K, scale=3.0), randn(B, K, seed=1)
    loss = hard_distillation_loss(tensor(student), tensor(teacher))
    assert close(loss, hard_loss(student, teacher))
    assert close(loss, hard_distillation_loss(tensor(student), tensor(100.0 * teacher - 3.0)).item())
    logits = tensor(student, gradient=True)
    hard_distillation_loss(logits, tensor(teacher)).backward()
    expected = np.array([softmax(row) for row in student.tolist()])
    expected[range(B), teacher.argmax(axis=1)] -= 1.0
    assert np.allclose(logits.grad.numpy(), expected / B, atol=1e-6)


LOSSES = {"hard": hard_loss, "soft": lambda student, teacher: soft_loss(student, teacher, 2.0)}


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", LOSSES)
def test_distilled_loss(kind, alpha):
    first, second, teacher = randn(B, K), randn(B, K, seed=1), randn(B, K, seed=2, scale=2.0)
    targets = smooth_labels(np.array([6, 0, 3, 3, 5]), K)
    outputs = tensor(first, gradient=True), tensor(second, gradient=True)
    loss = distilled_loss(outputs, tensor(targets), tensor(teacher), kind, alpha, temperature=2.0)
    expected = (1 - alpha) * cross_entropy(first, targets) + alpha * LOSSES[kind](second, teacher)
    assert close(loss, expected, 1e-5)
    # each head learns from its own half
    loss.backward()
    p = np.array([softmax(row) for row in first.tolist()])
    assert np.allclose(outputs[0].grad.numpy(), (1 - alpha) / B * (p - targets), atol=1e-6)
    alone = tensor(second, gradient=True)
    if kind == "hard":
        hard_distillation_loss(alone, tensor(teacher)).backward()
    else:
        soft_distillation_loss(alone, tensor(teacher), 2.0).backward()
    assert np.allclose(outputs[1].grad.numpy(), alpha * alone.grad.numpy(), atol=1e-6)


def test_distilled_loss_is_hard_and_half_by_itself():
    first, second, teacher = randn(B, K), randn(B, K, seed=1), randn(B, K, seed=2)
    targets = np.eye(K, dtype="float32")[[6, 0, 3, 3, 5]]
    loss = distilled_loss((tensor(first), tensor(second)), tensor(targets), tensor(teacher))
    assert close(loss, 0.5 * cross_entropy(first, targets) + 0.5 * hard_loss(second, teacher), 1e-5)
    soft = distilled_loss((tensor(first), tensor(second)), tensor(targets), tensor(teacher), kind="soft")
    assert close(soft, 0.5 * cross_entropy(first, targets) + 0.5 * soft_loss(second, teacher, 3.0), 1e-5)


@pytest.mark.parametrize("alpha", [-0.1, 1.5, math.nan])
def test_alpha_errors(alpha):
    logits, targets = tensor(randn(B, K)), tensor(smooth_labels(np.arange(B), K))
    with pytest.raises(ValueError, match=f"alpha.*must be from 0 to 1, got {alpha}"):
        distilled_loss((logits, logits), targets, logits, alpha=alpha)


# -- several teachers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 5])
def test_average_teachers(number):
    teachers = [randn(B, K, seed=seed, scale=3.0) for seed in range(number)]
    average = average_teachers([tensor(teacher) for teacher in teachers])
    assert average.shape == [B, K] and average.dtype == paddle.float32
    expected = np.mean([[softmax(row) for row in teacher.tolist()] for teacher in teachers], axis=0)
    assert np.allclose(F.softmax(average).numpy(), expected, atol=1e-6)
    assert np.allclose(average.numpy(), np.log(expected), atol=1e-5), "logarithms of probabilities already"


def test_teachers_are_averaged_in_probabilities_not_in_logits():
    """One that is very sure and one that is not: the mean of logits would be sure."""
    sure, unsure = tensor(np.array([[30.0, 0.0, 0.0]], dtype="float32")), paddle.zeros([1, 3])
    assert np.allclose(F.softmax(average_teachers([sure, unsure])).numpy(), [[2 / 3, 1 / 6, 1 / 6]], atol=1e-6)
    shifted = average_teachers([sure + 7.0, unsure - 20.0])  # the same probabilities
    assert np.allclose(F.softmax(shifted).numpy(), [[2 / 3, 1 / 6, 1 / 6]], atol=1e-6)
