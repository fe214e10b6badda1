"""The training loop: a recipe and a model in, a trained model and its history out."""

import dataclasses
import math
import os
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import paddle

import paddle_vit
from paddle_vit.runtime import copied_transposes
from paddle_vit.training import recipe as parts
from paddle_vit.training.augment import training_batches
from paddle_vit.training.build import build_model, explained
from paddle_vit.training.checkpoint import write_atomically
from paddle_vit.training.config import RecipeError, dump_recipe, load_recipe
from paddle_vit.training.data import few
from paddle_vit.training.datasets import open_data
from paddle_vit.training.distributed import ALONE, join
from paddle_vit.training.finetune import begin_with, make_optimizer
from paddle_vit.training.own_code import put_in
from paddle_vit.training.pictures import draw_pictures
from paddle_vit.training.saver import Saver
from paddle_vit.training.step import NO_SCALING, accuracy, train_step
from paddle_vit.training.stopping import stop_requests
from paddle_vit.training.teacher import Clueless, Distillation, build_teachers


@dataclasses.dataclass
class Result:
    """What a training run leaves.

    test_accuracy: share of the test images classified right after the last epoch, from 0 to 1
    out: the folder with the files of the run
    history: one dict an epoch; see train
    model: the trained model, in eval mode
    problems: files that could not be written, each with the reason
    """

    test_accuracy: float
    out: Path
    history: list = dataclasses.field(repr=False)
    model: paddle.nn.Layer = dataclasses.field(repr=False)
    problems: list = dataclasses.field(default_factory=list)


def train(recipe, model=None, *, teacher=None, code=(), out=None, resume=False, quiet=False, on_epoch=None, **changes):
    """Train a model and test it.

    Args:
        recipe: a name from list_recipes(), a YAML file, or a Recipe.
        model: None for the reference model of the recipe; a class, which is built with the recipe's arguments; or an
            nn.Layer, which is trained from the weights it has.
        teacher: for a recipe with distillation, a trained nn.Layer or a list of them; None for the recipe's own, a text
            to change that setting of the recipe.
        code: functions and classes that take the place of the package's of the same name, such as one's own mixup; a list,
            or a dict from names.
        out: folder for the files, runs/<recipe> by default; earlier files of the same names are replaced.
        resume: go on from the checkpoint in out, as if the run had never stopped; on a CPU the result is the same to the
            last bit.
        quiet: print nothing.
        on_epoch: called after each epoch with the history so far.
        changes: settings of the recipe by name, e.g. epochs=3, depth=2.

    Returns:
        Result. Its history has, for each epoch: epoch (from 1), step, seconds since the start, learning_rate of the last
        step, loss and train_accuracy (means over the epoch, measured before each update, on the images as they were
        augmented and mixed), images_per_second; and in the epochs in which the test images were looked at test_accuracy
        and, with more than five classes, test_top5 (the label is among the five highest logits).
        With averaged weights (ema) test_accuracy is theirs, and test_accuracy_raw that of the weights themselves.

    In out: config.yaml, metrics.jsonl (the history, a line an epoch), weights.safetensors (of the last epoch with a
    test), best.safetensors (of the best one), last.safetensors (a checkpoint to go on from), epoch_NNNN.safetensors
    (checkpoints that are kept, see save_every), log.txt, learning_curve.png and, unless quiet, confusion.png (for up to 20
    classes) and attention.png (of ViT and DeiT); in out/teacher the same of a teacher that was trained
    first.

    Several processes (see distributed.py for how to start them) come to the same weights up to rounding: each computes its
    share of every batch, in accumulate parts, and process 0 alone writes and prints. Only dropout draws other masks, and
    batch norms see a share alone.

    Raises:
        RecipeError (a ValueError): a setting, a model or a teacher that does not fit; nothing was trained or written yet.
        FloatingPointError: the loss is not finite.
        Stopped (a KeyboardInterrupt): Ctrl-C or SIGTERM; the step was finished, and resume goes on from there.
    """
    if isinstance(teacher, str):
        teacher, changes = None, {**changes, "teacher": teacher}
    recipe = load_recipe(recipe, **changes)
    out = Path(out or Path("runs") / recipe.name)
    check_folder(out)
    if resume and not any((folder / "last.safetensors").exists() for folder in (out, out / "teacher")):
        raise RecipeError(
            f"there is no checkpoint in {out} to go on from: begin without resume, or name another folder"
        )
    use_device(recipe.device)
    with put_in(code), nullcontext() if model is not None or code else copied_transposes():
        return run(recipe, model, teacher, bool(code), out, resume, quiet, on_epoch)


def run(recipe, model, teacher, own_code, out, resume, quiet, on_epoch=None):
    """train, with the settings made: the whole of a run from the model to the result."""
    processes = join()
    quiet = quiet or not processes.first
    data = open_data(recipe)
    paddle.seed(seed_of(recipe.seed, step=0))
    given, model = model, build_model(recipe, data, model)
    begin_with(model, recipe, fresh=not isinstance(given, paddle.nn.Layer))
    train_split, test_split = data.load()
    if recipe.train_images:
        check_train_images(recipe.train_images, len(train_split.labels) + len(test_split.labels))
        train_split, test_split = few(train_split, test_split, recipe.train_images, recipe.seed)
    if recipe.batch_size > len(train_split.labels):
        raise RecipeError(
            f"batch_size={recipe.batch_size} is more than there are training images, {len(train_split.labels)}: choose less"
        )
    if own_code:
        with explained("your own code fails on the first batch"):
            try_batch(recipe, data, model, train_split)
    distillation = make_distillation(recipe, data, teacher, out, resume, quiet)

    optimizer = make_optimizer(recipe, model)
    precision = precision_here(recipe.precision, quiet)
    scaler = paddle.amp.GradScaler(init_loss_scaling=2.0**16) if precision == "float16" else NO_SCALING
    settings = dict(precision=precision, scaler=processes.scaler(scaler, model), max_norm=recipe.clip or math.inf)
    averages = {name: value.clone() for name, value in model.state_dict().items()} if recipe.ema else None
    peak = recipe.learning_rate
    if recipe.scale_from:
        peak = parts.scaled_learning_rate(peak, recipe.batch_size, recipe.scale_from)
    total_steps = recipe.epochs * math.ceil(len(train_split.labels) / recipe.batch_size)
    log = processes.log(out, recipe.epochs, total_steps, quiet)
    saver = Saver(out, log, recipe, model, optimizer, averages, scaler, names=data.names, writes=processes.first)
    at = saver.restore() if resume else None
    if at is None:
        at = dict(epoch=1, batch=0, step=0, best=-1.0)
        if processes.first:
            start_folder(out, given, recipe)
    processes.check_step(at["step"])
    processes.agree(model.state_dict(), averages or {})  # the model may be the caller's, with weights of its own
    with log, stop_requests() as asked:
        for epoch in range(at["epoch"], recipe.epochs + 1):
            model.train()
            log.start_epoch(epoch)
            batches = training_batches(train_split, recipe, data, epoch, at["batch"], processes)
            for images, targets in batches:
                total = min(recipe.batch_size, len(train_split.labels) - at["batch"] * recipe.batch_size)
                progress = (at["step"] + 0.5) / total_steps  # the middle of the step: neither first nor last has rate 0
                learning_rate = parts.learning_rate_at(progress, peak, recipe.warmup, recipe.minimum_learning_rate)
                at.update(epoch=epoch, batch=at["batch"] + 1, step=at["step"] + 1)
                optimizer.set_lr(learning_rate)
                paddle.seed(seed_of(recipe.seed, at["step"], processes.rank))  # the same dropout after any restart
                own = split_batch(images, targets, processes.share(total), recipe.accumulate)
                measures = train_batch(model, optimizer, distillation, settings, own)
                loss, right, stop = processes.sum(*measures, len(asked))  # whoever is asked to stop, all do
                check_finite(loss, epoch, at["step"], learning_rate)
                log.step(at["step"], learning_rate, total, loss, right)
                if averages is not None:
                    parts.update_ema(averages, model, parts.ema_decay_at(at["step"], recipe.ema))
                saver.step(at, now=stop)
                if stop:
                    raise KeyboardInterrupt
            measured = {}
            if epoch % recipe.evaluate_every == 0 or epoch == recipe.epochs:
                processes.agree(model.state_dict(), averages or {})  # batch norms have seen other images
                with using(model, averages):
                    measured.update(accuracies_of(model, test_split, data.num_classes, processes))
                    at["best"] = saver.tested(measured["test_accuracy"], at["best"])
                if averages is not None:
                    measured["test_accuracy_raw"] = topk_accuracy(model, test_split, (1,), processes=processes)[0]
            log.end_epoch(**measured)
            at.update(epoch=epoch + 1, batch=0)
            saver.epoch(at, epoch)
            if on_epoch is not None:
                on_epoch(log.history)
    if averages is not None:
        model.set_state_dict(averages)
    model.eval()
    if not quiet:
        draw_pictures(out, model, test_split, data.num_classes, data.names())
    return Result(log.history[-1]["test_accuracy"], out, log.history, model, log.problems)


def check_folder(out):
    """Raise a RecipeError, before anything is read or trained, unless a run can leave its files in out."""
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir():
        raise RecipeError(f"out={out}: {there} is a file, not a folder: choose another folder for the results")
    if not os.access(there, os.W_OK):
        raise RecipeError(f"out={out}: nothing can be written into {there}: choose another folder for the results")


def use_device(device):
    """Let Paddle compute on a device; the empty name leaves it as it is.

    Raises:
        RecipeError: there is no such device, or this Paddle cannot use it.
    """
    if not device:
        return
    try:
        paddle.set_device(device)
        paddle.zeros([1])
    except Exception as error:  # Paddle raises many kinds
        raise RecipeError(
            f"device={device} cannot be used here: leave it away, and this Paddle takes {paddle.get_device()}"
        ) from error


def start_folder(out, given, recipe):
    """Make the folder of a run. What an earlier one left there would not belong to the new config.yaml."""
    out.mkdir(parents=True, exist_ok=True)
    for pattern in ("weights.safetensors", "best.safetensors", "last.safetensors", "epoch_*.safetensors"):
        for file in out.glob(pattern):
            file.unlink()
    for name in ("learning_curve.png", "confusion.png", "attention.png"):
        (out / name).unlink(missing_ok=True)
    write_atomically(out / "config.yaml", (origin(given) + dump_recipe(recipe)).encode())


class Part(NamedTuple):
    """Some images of a batch, as arrays."""

    images: np.ndarray
    targets: np.ndarray
    share: float  # how much of the batch it is, over all processes
    update: bool  # whether it is the last one


def split_batch(images, targets, share, parts):
    """Cut a share of a batch into so many parts of nearly equal size; into fewer where it has fewer images.

    Yields:
        Part
    """
    size, total = math.ceil(len(targets) / parts), len(targets)
    for start in range(0, total, size):
        stop = min(start + size, total)
        yield Part(images[start:stop], targets[start:stop], share * (stop - start) / total, stop == total)


def train_batch(model, optimizer, distillation, settings, parts):
    """train_part for each of the parts of a batch.

    Returns:
        loss, and the share of images that were classified right: what these parts add to the means over the whole batch
    """
    loss, right = 0.0, 0.0
    for part in parts:
        part_loss, part_right = train_part(model, optimizer, distillation, settings, part)
        loss, right = loss + part_loss * part.share, right + part_right * part.share
    return loss, right


def train_part(model, optimizer, distillation, settings, part):
    """train_step with one part of a batch.

    Args:
        distillation: Distillation or None.
        settings: of train_step: precision, scaler, max_norm.
        part: Part

    Returns:
        loss, and the share of its images that were classified right, as numbers
    """
    images, targets = paddle.to_tensor(part.images), paddle.to_tensor(part.targets)
    criterion = distillation.criterion(images) if distillation else parts.soft_cross_entropy
    loss, logits = train_step(
        model, images, targets, optimizer, criterion, share=part.share, update=part.update, **settings
    )
    return loss.item(), accuracy(logits, targets.argmax(axis=-1))[0]


def precision_here(precision, quiet):
    """The precision that this device can compute in; another than the wanted one is said aloud."""
    if precision == "float32" or paddle.get_device() != "cpu":
        return precision
    if not quiet:
        print(f"precision={precision}: on a CPU everything is computed in float32")
    return "float32"


def check_train_images(wanted, there):
    """Raise a RecipeError unless some images are left to test with."""
    if wanted >= there:
        raise RecipeError(f"train_images must be at most {there - 1}, not {wanted}: the others are the test images")


def make_distillation(recipe, data, teacher, out, resume, quiet):
    """The Distillation of a recipe with one, else None. A teacher of the recipe's own is trained first."""
    if recipe.distillation == "none":
        if teacher is not None:
            raise RecipeError("a teacher is given, but distillation is none: choose distillation=hard or soft")
        return None

    def train_teacher(teacher_recipe, folder):
        if not quiet:
            print(f"first the teacher, {teacher_recipe.name}, in {folder}; then {recipe.name}")
        return run(teacher_recipe, None, None, False, folder, resume, quiet).model

    teachers = build_teachers(recipe, data, teacher, out, train_teacher)
    return Distillation(teachers, recipe.distillation, recipe.alpha, recipe.temperature)


def try_batch(recipe, data, model, split):
    """The first batch with a learning rate of 0 and a teacher that knows nothing, and the averaged weights. Nothing of it
    is kept."""
    images, targets = next(training_batches(split, recipe, data, epoch=1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = make_optimizer(recipe, model)
    optimizer.set_lr(0.0)
    know_nothing = None
    if recipe.distillation != "none":
        know_nothing = Distillation(
            [Clueless(data.num_classes)] * 2, recipe.distillation, recipe.alpha, recipe.temperature
        )
    model.train()
    settings = dict(max_norm=recipe.clip or math.inf)
    train_batch(model, optimizer, know_nothing, settings, split_batch(images, targets, 1.0, recipe.accumulate))
    parts.update_ema({name: value.clone() for name, value in before.items()}, model, 0.5)
    model.set_state_dict(before)


@contextmanager
def using(model, weights):
    """The model with these weights (name -> tensor, or None for its own), for a while."""
    if weights is None:
        yield
        return
    own = {name: value.clone() for name, value in model.state_dict().items()}
    model.set_state_dict(weights)
    try:
        yield
    finally:
        model.set_state_dict(own)


def check_finite(loss, epoch, step, learning_rate):
    """Raise a FloatingPointError that says where the loss was lost."""
    if not math.isfinite(learning_rate):
        raise FloatingPointError(f"the learning rate is {learning_rate} at step {step} (epoch {epoch})")
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} at step {step} (epoch {epoch}), learning rate {learning_rate:.2g}: "
            f"try a lower learning_rate or a longer warmup"
        )


def origin(model):
    """First lines of config.yaml: the versions, and the model if it is not the recipe's own."""
    lines = f"# paddle-vit {paddle_vit.__version__}, paddle {paddle.__version__}, numpy {np.__version__}\n"
    if model is not None:
        name = model.__name__ if isinstance(model, type) else type(model).__name__
        lines += f"# trained a model given by the caller, {name}; without it this file trains the reference\n"
    return lines


def seed_of(seed, step, rank=0):
    """Seed for Paddle's generator in one step of one process; step 0 draws the initial weights."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])


def evaluate(model, split, batch_size=256):
    """Share of the images in a split that a model classifies right, from 0 to 1."""
    return topk_accuracy(model, split, (1,), batch_size)[0]


def topk_accuracy(model, split, topk=(1, 5), batch_size=256, processes=ALONE):
    """For each k the share of the images in a split whose label is among the model's k highest logits.
    Several processes take the batches in turn: each image is looked at once.

    Returns:
        list of floats from 0 to 1
    """
    model.eval()
    hits, total = [0] * len(topk), len(split.labels)
    with paddle.no_grad():
        for start in range(processes.rank * batch_size, total, processes.count * batch_size):
            images = paddle.to_tensor(split.images[start : start + batch_size])
            labels = paddle.to_tensor(split.labels[start : start + batch_size])
            shares = accuracy(model(images), labels, topk)
            hits = [hit + round(share * len(labels)) for hit, share in zip(hits, shares, strict=True)]
    return [hit / total for hit in processes.sum(*hits)]


def accuracies_of(model, split, num_classes, processes=ALONE):
    """What the history says of the test images: test_accuracy, and test_top5 where there are more than five classes."""
    topk = (1, 5) if num_classes > 5 else (1,)
    accuracies = topk_accuracy(model, split, topk, processes=processes)
    return dict(zip(("test_accuracy", "test_top5"), accuracies, strict=False))
