"""One step, its parts and the accuracy, each against what it means."""

import math

import numpy as np
import paddle
import paddle.nn as nn
import paddle.nn.functional as F
import pytest

from paddle_vit.models import DeiT
from paddle_vit.training import step
from paddle_vit.training.step import NO_SCALING, accuracy, autocast, clip_gradients, train_step


def randn(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


def a_model():
    paddle.seed(3)
    return nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3))


def a_batch(size=12):
    labels = np.random.Generator(np.random.PCG64(1)).integers(0, 3, size)
    return paddle.to_tensor(randn(size, 5)), paddle.to_tensor(labels)


def sgd(model, learning_rate=0.5):
    return paddle.optimizer.SGD(learning_rate=learning_rate, parameters=model.parameters())


def values(model):
    return np.concatenate([parameter.numpy().ravel() for parameter in model.parameters()])


def gradients(model):
    return np.concatenate([parameter.grad.numpy().ravel() for parameter in model.parameters()])


def with_gradients(*gradients):
    """A parameter for each; none for None."""
    parameters = []
    for gradient in gradients:
        size = 2 if gradient is None else len(gradient)
        parameters.append(paddle.create_parameter([size], "float32"))
        if gradient is not None:
            (parameters[-1] * paddle.to_tensor(gradient, dtype="float32")).sum().backward()
    return parameters


# -- the step ---------------------------------------------------------------------------------------------------------


def test_train_step_is_one_step_of_gradient_descent():
    paddle.seed(1)
    model = nn.Linear(5, 3)
    weight, bias = model.weight.numpy(), model.bias.numpy()
    x, labels = randn(7, 5), np.array([0, 2, 1, 1, 0, 2, 2])
    optimizer = paddle.optimizer.SGD(learning_rate=0.5, parameters=model.parameters())
    loss, logits = train_step(model, paddle.to_tensor(x), paddle.to_tensor(labels), optimizer)

    before = x @ weight + bias
    shares = np.exp(before) / np.exp(before).sum(axis=1, keepdims=True)
    error = (shares - np.eye(3)[labels]) / 7  # the gradient of the mean cross-entropy
    assert np.allclose(logits.numpy(), before, atol=1e-6)
    assert loss.shape == [] and loss.item() == pytest.approx(-np.log(shares[range(7), labels]).mean(), rel=1e-5)
    assert np.allclose(model.weight.numpy(), weight - 0.5 * x.T @ error, atol=1e-6)
    assert np.allclose(model.bias.numpy(), bias - 0.5 * error.sum(axis=0), atol=1e-6)
    assert loss.stop_gradient and logits.stop_gradient, "a graph that is kept costs memory"


def test_train_step_leaves_no_gradient_behind():
    paddle.seed(1)
    model = nn.Linear(5, 3)
    optimizer = paddle.optimizer.SGD(learning_rate=0.5, parameters=model.parameters())
    x, labels = paddle.to_tensor(randn(7, 5)), paddle.to_tensor([0, 2, 1, 1, 0, 2, 2])
    train_step(model, x, labels, optimizer)
    weight = model.weight.numpy()
    F.cross_entropy(model(x), labels).backward()
    expected = weight - 0.5 * model.weight.grad.numpy()
    optimizer.clear_grad()
    train_step(model, x, labels, optimizer)
    assert np.allclose(model.weight.numpy(), expected, atol=1e-7)


def test_a_step_with_two_outputs():
    """DeiT in training: the criterion gets both, what is returned is their mean."""
    paddle.seed(2)
    model = DeiT(image_size=4, patch_size=2, in_channels=1, num_classes=3, embed_dim=6, depth=1, num_heads=2)
    images, labels = paddle.to_tensor(randn(4, 1, 4, 4)), paddle.to_tensor([0, 2, 1, 1])
    first, second = (output.numpy() for output in model(images))
    seen = []

    def criterion(outputs, targets):
        seen.append([output.numpy() for output in outputs])
        return F.cross_entropy(outputs[0], targets) + 2 * F.cross_entropy(outputs[1], targets)

    loss, logits = train_step(model, images, labels, sgd(model), criterion)
    assert np.array_equal(seen[0][0], first) and np.array_equal(seen[0][1], second)
    assert np.allclose(logits.numpy(), (first + second) / 2, atol=1e-7)
    terms = [F.cross_entropy(paddle.to_tensor(output), labels).item() for output in (first, second)]
    assert loss.item() == pytest.approx(terms[0] + 2 * terms[1], rel=1e-6)


# -- a batch in parts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [[4, 4, 4], [1, 3, 8], [11, 1], [12]])
def test_parts_give_the_gradient_of_the_batch(parts):
    model, whole = a_model(), a_model()
    images, labels = a_batch()
    F.cross_entropy(whole(images), labels).backward()
    before, optimizer = values(model), sgd(model)
    for end, size in zip(np.cumsum(parts).tolist(), parts, strict=True):
        part = slice(end - size, end)
        loss, logits = train_step(
            model, images[part], labels[part], optimizer, F.cross_entropy, share=size / 12, update=False
        )
        expected = F.cross_entropy(whole(images[part]), labels[part]).item()
        assert loss.item() == pytest.approx(expected, rel=1e-6), "the loss of the part, without its share"
        assert logits.shape == [size, 3]
    expected = gradients(whole)
    assert np.abs(gradients(model) - expected).max() < 1e-6 * np.abs(expected).max()
    assert np.array_equal(values(model), before), "no update yet"


def test_the_last_part_updates():
    """Clipping too waits for the whole batch."""
    model, whole = a_model(), a_model()
    images, labels = a_batch()
    before, optimizer = values(whole), sgd(model)
    train_step(whole, images, labels, sgd(whole), F.cross_entropy, max_norm=0.1)
    for i in range(3):
        part = slice(4 * i, 4 * i + 4)
        arguments = dict(max_norm=0.1, share=1 / 3, update=i == 2)
        train_step(model, images[part], labels[part], optimizer, F.cross_entropy, **arguments)
    assert np.linalg.norm(values(whole) - before) == pytest.approx(0.5 * 0.1, rel=1e-4), "a step of full length"
    assert np.abs(values(model) - values(whole)).max() < 1e-6 * np.abs(values(whole) - before).max() + 1e-7
    for parameter in model.parameters():
        assert parameter.grad is None or not parameter.grad.numpy().any()


# -- scaler, precision ------------------------------------------------------------------------------------------------


class Recorder:
    """A scaler and an optimizer in one, which note what is called and how long the gradients then are."""

    def __init__(self, model, factor):
        self.model, self.factor, self.calls = model, factor, []

    def note(self, name):
        parts = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        norm = math.sqrt(sum(float((part.numpy().astype("float64") ** 2).sum()) for part in parts))
        self.calls.append((name, norm))

    def scale(self, loss):
        self.note("scale")
        self.scaled = loss.item()
        return loss * self.factor

    def unscale_(self, optimizer):
        assert optimizer is self
        self.note("unscale_")
        for parameter in self.model.parameters():
            parameter.grad.set_value(parameter.grad / self.factor)

    def step(self, optimizer):
        assert optimizer is self
        self.note("step")

    def update(self):
        self.note("update")

    def clear_grad(self):
        self.note("clear_grad")


@pytest.mark.parametrize("update", [True, False])
def test_order_of_calls(update, monkeypatch):
    model, (images, labels) = a_model(), a_batch()
    F.cross_entropy(model(images), labels).backward()
    norm = float(np.linalg.norm(gradients(model)))
    model.clear_gradients()
    recorder = Recorder(model, factor=64.0)
    right = step.clip_gradients

    def clip(parameters, max_norm):
        recorder.note("clip_gradients")
        assert max_norm == norm / 8 and len(parameters) == len(model.parameters())
        return right(parameters, max_norm)

    monkeypatch.setattr(step, "clip_gradients", clip)
    arguments = dict(scaler=recorder, max_norm=norm / 8, share=0.25, update=update)
    loss, _ = train_step(model, images, labels, recorder, F.cross_entropy, **arguments)
    assert recorder.scaled == pytest.approx(loss.item() / 4, rel=1e-6)
    expected = [
        ("scale", 0.0),
        ("unscale_", 64 * norm / 4),  # after backward, still scaled
        ("clip_gradients", norm / 4),
        ("step", norm / 8),
        ("update", norm / 8),
        ("clear_grad", norm / 8),
    ]
    expected = expected if update else expected[:1]
    assert [name for name, _ in recorder.calls] == [name for name, _ in expected]
    assert [norm for _, norm in recorder.calls] == pytest.approx([norm for _, norm in expected], rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*can only be enabled on.*")
@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("scaler", ["none", "off", "as Paddle makes it"])
def test_on_a_cpu_all_is_float32(precision, scaler):
    if paddle.is_compiled_with_cuda() and paddle.device.get_device() != "cpu":
        pytest.skip("on a CPU")
    make = {
        "none": lambda: NO_SCALING,
        "off": lambda: paddle.amp.GradScaler(enable=False),
        "as Paddle makes it": paddle.amp.GradScaler,
    }
    model, plain = a_model(), a_model()
    images, labels = a_batch()
    train_step(plain, images, labels, sgd(plain), F.cross_entropy, max_norm=0.2)
    arguments = dict(precision=precision, scaler=make[scaler](), max_norm=0.2)
    before = values(model)
    _, logits = train_step(model, images, labels, sgd(model), F.cross_entropy, **arguments)
    assert logits.dtype == paddle.float32
    assert np.array_equal(values(model), values(plain)) and not np.array_equal(values(model), before)


def test_autocast_refuses_what_it_does_not_know():
    with autocast("float32"):
        assert paddle.matmul(paddle.ones([2, 2]), paddle.ones([2, 2])).dtype == paddle.float32
    with pytest.raises(ValueError, match="float16"):
        with autocast("float8"):
            pass


# -- clipping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_norm", [0.01, 1.0, 4.9, 5.1, 1000.0, math.inf])
def test_clip_gradients_against_numpy(max_norm):
    arrays = [randn(4, seed=1), randn(9, seed=2), randn(1, seed=3)]
    length = math.sqrt(sum(float((array.astype("float64") ** 2).sum()) for array in arrays))
    arrays = [array * np.float32(5 / length) for array in arrays]  # of norm 5 together
    parameters = with_gradients(arrays[0], None, *arrays[1:])
    norm = clip_gradients(parameters, max_norm)
    assert norm.shape == [] and norm.item() == pytest.approx(5.0, rel=1e-6)
    assert parameters[1].grad is None
    clipped = [parameter.grad.numpy() for parameter in parameters if parameter.grad is not None]
    for gradient, array in zip(clipped, arrays, strict=True):
        assert np.allclose(gradient, array * min(1.0, max_norm / 5), rtol=1e-6, atol=0)
        assert max_norm < 5 or np.array_equal(gradient, array), "nothing changes, not even by rounding"


def test_zero_gradients_are_not_divided_by():
    parameters = with_gradients([0.0, 0.0], [0.0])
    assert clip_gradients(parameters, 1.0).item() == 0.0
    assert not any(parameter.grad.numpy().any() for parameter in parameters)


def test_not_a_number_is_told_and_not_spread():
    parameters = with_gradients([3.0, math.nan], [4.0])
    assert math.isnan(clip_gradients(parameters, 1.0).item())
    assert np.array_equal(parameters[0].grad.numpy(), [3.0, math.nan], equal_nan=True)
    assert np.array_equal(parameters[1].grad.numpy(), [4.0])


def test_a_frozen_part_has_no_gradient():
    model, (images, labels) = a_model(), a_batch()
    for parameter in model[0].parameters():
        parameter.stop_gradient = True
    before = [parameter.numpy() for parameter in model.parameters()]
    train_step(model, images, labels, sgd(model), F.cross_entropy, max_norm=0.1)
    moved = [
        not np.array_equal(parameter.numpy(), old) for parameter, old in zip(model.parameters(), before, strict=True)
    ]
    assert moved == [False, False, True, True, True, True]
    length = math.sqrt(sum(((p.numpy() - old) ** 2).sum() for p, old in zip(model.parameters(), before, strict=True)))
    assert length == pytest.approx(0.5 * 0.1, rel=1e-4)


# -- accuracy ---------------------------------------------------------------------------------------------------------


def test_accuracy_takes_labels_in_a_column():
    logits = paddle.to_tensor([[3.0, 1.0], [1.0, 3.0], [3.0, 1.0], [1.0, 3.0]])
    labels = paddle.to_tensor([[0], [1], [0], [0]])
    assert accuracy(logits, labels) == accuracy(logits, labels.flatten()) == [0.75]


def test_accuracy_against_counting():
    logits, labels = randn(101, 7), np.random.Generator(np.random.PCG64(1)).integers(0, 7, 101)
    expected = []
    for k in (1, 3, 5, 7):
        hits = [sum(row > row[label]) < k for row, label in zip(logits, labels, strict=True)]
        expected.append(sum(hits) / 101)
    assert accuracy(paddle.to_tensor(logits), paddle.to_tensor(labels), topk=(1, 3, 5, 7)) == expected
    assert accuracy(paddle.to_tensor(logits), paddle.to_tensor(labels)) == expected[:1]
    assert accuracy(paddle.to_tensor(logits), paddle.to_tensor(labels), topk=(5, 1)) == [expected[2], expected[0]]
    assert expected[3] == 1.0 and expected == sorted(expected)


def test_top_1_and_top_5():
    logits, labels = randn(64, 10, seed=4), np.random.Generator(np.random.PCG64(5)).integers(0, 10, 64)
    order = np.argsort(-logits, axis=1)
    expected = [(order[:, :k] == labels[:, None]).any(axis=1).mean() for k in (1, 5)]
    result = accuracy(paddle.to_tensor(logits), paddle.to_tensor(labels), topk=(1, 5))
    assert result == expected and all(isinstance(share, float) for share in result)
    best = np.argmax(logits, axis=1)
    assert accuracy(paddle.to_tensor(logits), paddle.to_tensor(best)) == [1.0]
    assert accuracy(paddle.to_tensor(logits), paddle.to_tensor(np.argmin(logits, axis=1)), topk=(9, 10)) == [0.0, 1.0]


@pytest.mark.parametrize("topk", [(0,), (6,), (1, 6), (5, 0), (-1,), ()])
def test_accuracy_of_more_classes_than_there_are(topk):
    with pytest.raises(ValueError) as error:
        accuracy(paddle.zeros([4, 5]), paddle.to_tensor([0, 1, 2, 3]), topk)
    assert f"topk={topk}" in str(error.value) and "from 1 to 5" in str(error.value)
