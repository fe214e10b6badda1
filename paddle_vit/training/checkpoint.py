"""Weights into files: safetensors, which hold arrays and run nothing when they are read. Names are the model's own.

models/weights.py reads them, and those of others.
"""

import json
import os
from pathlib import Path

import numpy as np
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


def save_weights(model, path, labels=None):
    """Write all parameters and buffers of a model.

    Args:
        model: nn.Layer
        path: a .safetensors file in a folder that exists. An older file is replaced.
        labels: dict from the number of a class to its name, or None.
    """
    arrays = {}
    for name, tensor in model.state_dict().items():
        array = tensor.numpy()
        # safetensors writes the memory of a view as it lies, in the wrong order; reshape keeps arrays without axes so
        arrays[name] = np.ascontiguousarray(array).reshape(array.shape)
    metadata = {"id2label": json.dumps(labels, ensure_ascii=False)} if labels else None
    write_atomically(path, safetensors_numpy.save(arrays, metadata))
