"""One step and the accuracy, each against what it means."""

import numpy as np
import paddle
import paddle.nn as nn
import paddle.nn.functional as F
import pytest

from paddle_vit.training.step import accuracy, train_step


def randn(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


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
