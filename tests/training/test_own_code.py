"""Somebody's own functions and classes train in the place of the package's, and leave no trace."""

import paddle
import pytest

from paddle_vit import models
from paddle_vit.models import layers, vit
from paddle_vit.training import RecipeError, augment, engine
from paddle_vit.training import recipe as parts
from paddle_vit.training.engine import train
from paddle_vit.training.own_code import put_in

SMALL = dict(epochs=1, batch_size=64, embed_dim=8, depth=1, num_heads=2, train_images=128, quiet=True)


def test_functions_and_classes_stand_in_wherever_they_are_used():
    class DropPath(paddle.nn.Layer):
        pass

    def mixup(images, targets, generator, alpha):
        return "mine"

    before = layers.DropPath, parts.mixup
    with put_in([DropPath, mixup]):
        assert layers.DropPath is vit.DropPath is DropPath
        assert parts.mix(None, None, None, 0.8, 0.0) == "mine"
    assert (layers.DropPath, parts.mixup) == before
    assert vit.DropPath is before[0]


def test_all_is_put_back_after_an_error():
    def mixup(*_):
        raise AssertionError

    before = parts.mixup
    with pytest.raises(ZeroDivisionError), put_in([mixup]):
        raise ZeroDivisionError
    assert parts.mixup is before and augment.parts.mixup is before


@pytest.mark.parametrize("name", ["mixupp", "np", "train_part"])
def test_a_name_that_no_lesson_has_is_refused(name):
    def own():
        pass

    own.__name__ = name
    with pytest.raises(RecipeError, match=f"code: {name} is no function or class of a lesson"), put_in([own]):
        pass


def calls_of(function, seen):
    def own(*arguments, **named):
        seen.add(function.__name__)
        return function(*arguments, **named)

    own.__name__ = function.__name__
    return own


def test_a_run_uses_every_part(tmp_path):
    names = [
        "smooth_labels", "soft_distillation_loss", "distilled_loss", "average_teachers", "mixup", "cutmix_box", "cutmix",
        "random_erasing", "rand_augment", "update_ema", "scaled_learning_rate", "learning_rate_at", "has_weight_decay",
    ]  # fmt: skip
    seen = set()
    own = [calls_of(getattr(parts, name), seen) for name in names]
    own += [calls_of(layers.drop_path, seen), calls_of(layers.trunc_normal_, seen)]
    settings = dict(rand_augment=1, erasing=0.5, mixup=0.8, cutmix=1.0, ema=0.9, scale_from=512, distillation="soft")
    teachers = [models.create_model("regnety_digits", in_channels=1, num_classes=10) for _ in range(2)]
    changes = {**SMALL, **settings, "batch_size": 8, "droppath": 0.1}
    train("deit_digits", code=own, teacher=teachers, out=tmp_path, **changes)
    assert seen == {*names, "drop_path", "trunc_normal_"}


def test_own_code_that_fails_is_refused_before_the_teacher_is_trained(tmp_path, monkeypatch):
    def mixup(images, targets, generator, alpha):
        return images * undefined, targets  # noqa: F821

    monkeypatch.setattr(engine, "build_teachers", lambda *_: pytest.fail("the teacher was trained"))
    with pytest.raises(RecipeError, match="your own code fails on the first batch: NameError: name 'undefined'"):
        train("deit_digits", code=[mixup], mixup=0.8, cutmix=0.0, out=tmp_path / "run", **SMALL)
    assert not (tmp_path / "run").exists()
