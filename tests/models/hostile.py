"""What the tests of hostile and damaged files share: how a file must be refused, and good files to spoil."""

import contextlib
import io
import pickle
import sys
import time
import zipfile
from functools import cache

import numpy as np
import pytest
from pickle_code import torch_file
from safetensors.numpy import save
from test_published import FOLDER, build, expected_of

from paddle_vit.models.weight_files import WeightsError, read_weight_file
from paddle_vit.models.weights import load_weights

try:
    import resource
except ImportError:  # Windows
    resource = None

SECONDS, MEMORY = 20, 150 << 20  # what a small file may take, on a slow and busy machine


@cache
def model_of(file):
    """One for all tests: no file of these tests may change it."""
    return build(expected_of(file))


@cache
def arrays_of(file):
    return {name: stored.raw().copy() for name, stored in read_weight_file(FOLDER / file).arrays.items()}


def values(model):
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


@contextlib.contextmanager
def little():
    """Little time, and on Linux little memory: what is beyond raises a MemoryError."""
    start = time.monotonic()
    if resource and sys.platform == "linux":
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    else:
        yield
    assert time.monotonic() - start < SECONDS


def refused(content, tmp_path, says="", model="timm_vit.safetensors"):
    """The message about a file with this content, which ran nothing and changed nothing."""
    path = tmp_path / "weights.bin"
    if isinstance(content, bytes):
        path.write_bytes(content)
    model = model_of(model)
    before, files = values(model), sorted(tmp_path.iterdir())
    with little(), pytest.raises(WeightsError) as caught:
        load_weights(model, path)
    assert same(values(model), before)
    assert sorted(tmp_path.iterdir()) == files, "something of the file was executed"
    assert str(path) in str(caught.value)
    message = str(caught.value).replace(str(path), "")  # the folder has the test's name, with words of its own
    assert says in message and "MemoryError" not in message and len(message) < 1500, message
    return message


def npz(arrays, save=np.savez):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


WRITERS = {
    "safetensors": save,
    "npz": npz,
    "compressed npz": lambda arrays: npz(arrays, np.savez_compressed),
    "torch": torch_file,
    "deflated torch": lambda arrays: torch_file(arrays, compression=zipfile.ZIP_DEFLATED),
    "legacy torch": lambda arrays: torch_file(arrays, legacy=True),
    "pdparams 2": lambda arrays: pickle.dumps(arrays, 2),
    "pdparams 4": lambda arrays: pickle.dumps(arrays, 4),
}


def zipped(members, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()
