"""Weights in files: safetensors, which hold arrays and run nothing when they are read. Names are the model's own."""

import os
from pathlib import Path

import numpy as np
import paddle
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy


def write_atomically(path, content):
    """Write bytes so that path holds either the old content or all of the new, whenever the process is killed."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # the same file system, so that replace is one step
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def save_weights(model, path):
    """Write all parameters and buffers of a model.

    Args:
        model: nn.Layer
        path: a .safetensors file in a folder that exists. An older file is replaced.
    """
    arrays = {}
    for name, tensor in model.state_dict().items():
        array = tensor.numpy()
        # safetensors writes the memory of a view as it lies, in the wrong order; reshape keeps arrays without axes so
        arrays[name] = np.ascontiguousarray(array).reshape(array.shape)
    write_atomically(path, safetensors_numpy.save(arrays))


def load_weights_file(model, path):
    """Read weights that save_weights wrote into a model with the same names and shapes. All are set, or none.

    Args:
        model: nn.Layer, whose weights are replaced.
        path: a .safetensors file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a safetensors file, or its names and shapes are not those of the model; the message lists
            what is missing, unexpected or of another shape.
    """
    content = Path(path).read_bytes()
    try:
        arrays = safetensors_numpy.load(content)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a complete safetensors file: {error}") from error
    tensors = model.state_dict()
    problems = {
        "missing": [name for name in tensors if name not in arrays],
        "unexpected": [name for name in arrays if name not in tensors],
        "of another shape": [
            f"{name} {list(arrays[name].shape)} instead of {list(tensor.shape)}"
            for name, tensor in tensors.items()
            if name in arrays and list(arrays[name].shape) != list(tensor.shape)
        ],
    }
    found = [f"{kind}: {', '.join(names)}" for kind, names in problems.items() if names]
    if found:
        raise ValueError(f"{path} does not fit the model; " + "; ".join(found))
    for name, tensor in tensors.items():
        tensor.set_value(paddle.to_tensor(arrays[name]).astype(tensor.dtype))
