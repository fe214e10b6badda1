"""Files that a run leaves: weights, and checkpoints with all that it needs to go on. Both are safetensors, which hold arrays
and texts and run nothing when they are read. models/weights.py reads weights, those of others too.

A checkpoint has arrays under "model/", "average/" (of the averaged weights) and "optimizer/PARAMETER/", where parameters have
the model's names: Paddle's own, such as linear_3.w_0, count what was created before. What is no array stands in its metadata.
"""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import paddle
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors_numpy

from paddle_vit.training.config import RecipeError

# Settings that a run may change when it goes on: none of them changes what it computes
_FREE = ("checkpoint_seconds", "save_every", "data_path", "workers", "device")


@contextmanager
def replacing(path):
    """Another name to write to: when all is written it becomes path in one step. So path holds either the old content or
    all of the new, whenever the process is killed."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # the same file system, so that replace is one step
    try:
        yield beside
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_atomically(path, content):
    """Write bytes to path, all of them or none."""
    with replacing(path) as beside:
        beside.write_bytes(content)


def _write_arrays(path, arrays, metadata):
    """Write a safetensors file, all of it or none. It goes to the disk without a second copy in memory."""
    with replacing(path) as beside:
        try:
            safetensors_numpy.save_file(arrays, beside, metadata)
        except SafetensorError as error:  # of the operating system: a full disk
            raise OSError(str(error)) from error


def save_weights(model, path, labels=None):
    """Write all parameters and buffers of a model.

    Args:
        model: nn.Layer
        path: a .safetensors file in a folder that exists. An older file is replaced.
        labels: dict from the number of a class to its name, or None.
    """
    metadata = {"id2label": json.dumps(labels, ensure_ascii=False)} if labels else None
    _write_arrays(path, _arrays(model.state_dict()), metadata)


def _arrays(tensors, prefix=""):
    """Tensors as arrays whose memory lies in order: of a view safetensors would write the numbers as they lie."""
    arrays = {}
    for name, tensor in tensors.items():
        array = tensor.numpy()
        arrays[prefix + name] = np.ascontiguousarray(array).reshape(array.shape)  # reshape keeps arrays without axes so
    return arrays


def save_checkpoint(path, model, optimizer, averages, scaler, settings, progress):
    """Write all that a run needs to go on as if it had never stopped.

    Args:
        path: a file in a folder that exists. An older one is replaced in one step.
        model: nn.Layer
        optimizer: over the model's parameters.
        averages: dict from names to tensors, the averaged weights; None for none.
        scaler: paddle.amp.GradScaler
        settings: dict of the recipe's settings, to be compared by load_checkpoint.
        progress: dict of numbers, texts and lists: where the run is.
    """
    arrays = _arrays(model.state_dict(), "model/") | _arrays(averages or {}, "average/")
    names = {parameter.name: name for name, parameter in model.named_parameters()}
    for key, value in optimizer.state_dict().items():
        if isinstance(value, paddle.Tensor):
            own = max((own for own in names if key.startswith(own + "_")), key=len)  # linear_1.w_0_moment1_0
            arrays |= _arrays({f"optimizer/{names[own]}/{key[len(own) + 1 :]}": value})
    told = dict(settings=settings, progress=progress, scaler=scaler.state_dict())
    _write_arrays(path, arrays, {"checkpoint": json.dumps(told)})


def load_checkpoint(path, model, optimizer, averages, scaler, settings):
    """Bring a run back to where save_checkpoint wrote it down. All is set, or nothing.

    Args:
        as in save_checkpoint; their values are replaced.

    Returns:
        progress

    Raises:
        RecipeError: it is no checkpoint, or one of another recipe or model; the message says what differs.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            told = json.loads((file.metadata() or {}).get("checkpoint", "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, ValueError, OSError) as error:
        raise RecipeError(f"{path} cannot be read as a checkpoint: {error}") from error
    if told is None:
        raise RecipeError(f"{path} is no checkpoint: it holds weights alone, from which no run can go on")
    check_same_run(path, told["settings"], settings)
    wanted = _arrays(model.state_dict(), "model/") | _arrays(averages or {}, "average/")
    there = {name: array for name, array in arrays.items() if not name.startswith("optimizer/")}
    wrong = [name for name in wanted if name not in there or there[name].shape != wanted[name].shape]
    wrong += [name for name in there if name not in wanted]
    if wrong:
        raise RecipeError(f"{path} is of another model; these differ: {', '.join(sorted(wrong))}")
    model.set_state_dict(_tensors(arrays, "model/"))
    for name, value in _tensors(arrays, "average/").items():
        averages[name] = value
    names = {name: parameter.name for name, parameter in model.named_parameters()}
    state = {}
    for key, value in _tensors(arrays, "optimizer/").items():
        parameter, _, what = key.rpartition("/")
        state[f"{names[parameter]}_{what}"] = value
    optimizer.set_state_dict(state)
    scaler.load_state_dict(told["scaler"])
    return told["progress"]


def _tensors(arrays, prefix):
    return {
        name.removeprefix(prefix): paddle.to_tensor(array) for name, array in arrays.items() if name.startswith(prefix)
    }


def check_same_run(path, before, now):
    """Raise a RecipeError that names the settings in which two runs differ, but for those that change no number."""
    keys = [key for key in {**before, **now} if key not in _FREE]
    nothing = "nothing"
    other = [key for key in keys if before.get(key, nothing) != now.get(key, nothing)]
    if other:
        each = "; ".join(f"{key} was {before.get(key, nothing)}, now {now.get(key, nothing)}" for key in other)
        raise RecipeError(
            f"{path} is of another run: {each}. Go on with the same settings, or start anew in another folder"
        )
