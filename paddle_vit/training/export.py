"""A model as a program of its own, in Paddle's inference format: it runs without this package, without Python even."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import paddle
import yaml

import paddle_vit
from paddle_vit.training.build import explained
from paddle_vit.training.config import RecipeError

NAME = "model"  # of the files; what follows the dot depends on the version of Paddle
ABOUT = "about.yaml"
TOLERANCE = 1e-5  # of the largest logit
_PROGRAMS = (f"{NAME}.json", f"{NAME}.pdmodel")  # Paddle 3, Paddle 2
_PARAMETERS = f"{NAME}.pdiparams"


class ExportError(RuntimeError):
    """What was exported does not compute what the model computes; nothing was kept."""


def export(model, image_shape, folder, about=None):
    """Write a model in Paddle's inference format, read it back and compare it with the model on random images.

    The program takes any number of images. It is written to a temporary folder beside its place, and moved when it has
    proved right.

    Args:
        model: nn.Layer, images [B, in_channels, height, width] to logits [B, K]; it is exported as it is in evaluation mode.
        image_shape: [in_channels, height, width]
        folder: for the files, made where it is missing; an earlier export in it is replaced.
        about: dict for about.yaml: what somebody has to know who runs the program.

    Returns:
        the largest difference to the model, as a share of its largest logit; names of the files

    Raises:
        RecipeError: the folder cannot be written, or the model's code cannot be turned into a program.
        ExportError: the program computes something else.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(dir=folder, prefix=".export-")
    except OSError as error:
        raise RecipeError(f"{folder} cannot be written: {error.strerror}; choose another folder") from None
    was_training = model.training
    model.eval()
    with temporary as beside:
        try:
            with explained(f"{type(model).__name__} cannot be turned into a program"), _traceable(model):
                images = paddle.static.InputSpec([None, *image_shape], "float32", "images")
                paddle.jit.save(model, os.path.join(beside, NAME), input_spec=[images])
            difference = compare(model, load_exported(beside), image_shape)
        finally:
            if was_training:
                model.train()
        if not difference <= TOLERANCE:  # NaN too
            raise ExportError(
                f"the exported program differs from the model by {difference:.1e} of the largest logit; at most "
                f"{TOLERANCE:.0e} was expected. Nothing was kept in {folder}"
            )
        facts = {"image": [None, *map(int, image_shape)], **(about or {}), **_versions()}
        Path(beside, ABOUT).write_text(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return difference, _move(beside, folder)


def load_exported(folder):
    """Read an exported program with paddle.inference, on the CPU.

    oneDNN is off: Paddle 3.3 turns it on by itself, and then the padding of a Swin whose maps are no multiple of its windows
    ends in "std::exception".

    Args:
        folder: of an export.

    Returns:
        function from images [B, in_channels, height, width] float32 to logits [B, K], numpy arrays

    Raises:
        RecipeError: there is no export.
    """
    from paddle.inference import Config, create_predictor

    program = next((path for path in (Path(folder, name) for name in _PROGRAMS) if path.is_file()), None)
    if program is None or not Path(folder, _PARAMETERS).is_file():
        raise RecipeError(f"{folder} holds no export: expected {' or '.join(_PROGRAMS)}, and {_PARAMETERS}")
    config = Config(str(program), str(Path(folder, _PARAMETERS)))
    config.disable_gpu()
    config.disable_mkldnn()
    config.disable_glog_info()
    predictor = create_predictor(config)
    images_in = predictor.get_input_handle(predictor.get_input_names()[0])
    logits_out = predictor.get_output_handle(predictor.get_output_names()[0])

    def run(images):
        images_in.reshape(images.shape)
        images_in.copy_from_cpu(np.ascontiguousarray(images, dtype=np.float32))
        predictor.run()
        return logits_out.copy_to_cpu()

    return run


def compare(model, exported, image_shape, batch_sizes=(1, 3)):
    """The largest difference between a model in evaluation mode and a function, as a share of the largest logit.

    Returns:
        float; infinite where the shapes differ, NaN where there is one in the logits
    """
    generator = np.random.Generator(np.random.PCG64(0))
    differences, scales = [], []
    for size in batch_sizes:
        images = generator.standard_normal([size, *image_shape], dtype=np.float32)
        with paddle.no_grad():
            logits = model(paddle.to_tensor(images)).numpy()  # B K
        theirs = exported(images)
        if theirs.shape != logits.shape:
            return float("inf")
        differences.append(np.abs(theirs - logits).max())
        scales.append(np.abs(logits).max())
    return float(np.max(differences) / (np.max(scales) or 1))  # numpy's max keeps a NaN


@contextmanager
def _traceable(model):
    """The model's code as Paddle can read it, for a while.

    Paddle rewrites the source of every function on the way, so that a number of images that is not known yet stays unknown.
    Two things in Swin's it cannot do: zip(..., strict=True), and check_mask, which compares that number with others. In the
    modules of the model's layers both names mean something simpler meanwhile. Afterwards Paddle 2.6 leaves what it has rewritten
    in the place of every forward, where the comparison would find it: it is taken away.
    """
    layers = model.sublayers(include_self=True)
    modules = {id(names): names for names in (type(layer).forward.__globals__ for layer in layers)}
    forwards = [(layer, vars(layer).get("forward")) for layer in layers]
    changed = [names for names in modules.values() if not names["__name__"].startswith("paddle.")]
    simpler = dict(zip=_zip, check_mask=_no_check)
    before = [{name: names[name] for name in simpler if name in names} for names in changed]
    try:
        for names in changed:
            names.update(simpler)
        yield
    finally:
        for names, own in zip(changed, before, strict=True):
            for name in simpler:
                del names[name]
            names.update(own)
        for layer, forward in forwards:
            vars(layer).pop("forward", None)
            if forward is not None:
                layer.forward = forward


@paddle.jit.not_to_static
def _zip(*columns, strict=False):
    return zip(*columns)  # noqa: B905


@paddle.jit.not_to_static
def _no_check(windows, mask):
    pass


def _versions():
    return {"paddle": paddle.__version__, "paddle_vit": paddle_vit.__version__}


def _move(source, folder):
    """Put the files in their place; what an earlier export by another version of Paddle left goes."""
    names = sorted(os.listdir(source))
    for name in names:
        os.replace(os.path.join(source, name), folder / name)
    for old in {*_PROGRAMS, f"{_PARAMETERS}.info"} - set(names):
        (folder / old).unlink(missing_ok=True)
    return names
