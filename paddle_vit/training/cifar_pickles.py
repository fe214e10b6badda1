"""The pickles of CIFAR's Python version: dicts of arrays, written by Python 2. Nothing in them is executed.

A pickle is a program. The unpickler of weights gives it stand-ins for arrays and refuses all else; here it learns what Python 2
wrote besides, and what people's own tools write who make such files anew.
"""

import pickle
from collections import ChainMap

import numpy as np

from paddle_vit.models import pickles, unpickler
from paddle_vit.models.unpickler import Bounded, Refused, shown
from paddle_vit.training.config import RecipeError


def read_batch(content, source, labels_key):
    """The images and labels in one of CIFAR's files.

    Args:
        content: bytes
        source: for messages.
        labels_key: entry with the labels.

    Returns:
        images: [N, 3072] uint8
        labels: list

    Raises:
        RecipeError: as read_pickle, or it has no such entries.
    """
    batch = read_pickle(content, source)
    if "data" not in batch or labels_key not in batch:
        there = ", ".join(map(shown, list(batch)[:10])) or "none"
        raise RecipeError(f"{source}: expected the entries data and {labels_key}, got {there}: is it the right CIFAR?")
    images, labels = batch["data"], batch[labels_key]
    if not _is_array(images) or images.dtype != "uint8" or images.shape[1:] != (3072,):
        got = f"{list(images.shape)} {images.dtype}" if _is_array(images) else shown(images)
        raise RecipeError(f"{source}: data must be an array [images, 3072] of uint8, not {got}: copy the file again")
    labels = labels.numpy().tolist() if _is_array(labels) else labels
    if not isinstance(labels, list) or len(labels) != images.shape[0] or not labels:
        count = f"{len(labels):,}" if isinstance(labels, list) else "no list of"
        raise RecipeError(
            f"{source} has {images.shape[0]:,} images and {count} {labels_key}, where each image has one: "
            f"copy the file again"
        )
    return images.numpy(), labels


def _is_array(value):
    return isinstance(value, pickles.Array) and value.shape is not None


def read_pickle(content, source):
    """The dict in one of CIFAR's files, keys as text, with pickles.Array in the place of arrays.

    Args:
        content: bytes
        source: for messages.

    Raises:
        RecipeError: it is damaged, wants to run something, or holds something else.
    """
    try:
        batch = _Unpickler(memoryview(content)).load()
    except Refused as error:
        raise RecipeError(f"{source} was refused, nothing in it was run: {error}: copy the published file") from error
    except Exception as error:  # whatever nonsense makes of a stack machine
        reason = f"{type(error).__name__}: {shown(str(error))}"
        raise RecipeError(f"{source} is damaged or cut off ({reason}): copy it again") from error
    if not isinstance(batch, dict):
        raise RecipeError(f"{source}: expected a dict, got {type(batch).__name__}: is it one of CIFAR's files?")
    return batch


class _Unpickler(unpickler._Unpickler):
    """The unpickler of weights, and besides: strings of Python 2, arrays of protocol 5, dicts whose keys are bytes."""

    def __init__(self, view):
        names = pickles._numpy_names(len(view))
        for core in ("numpy.core", "numpy._core"):
            names[f"{core}.multiarray", "_reconstruct"] = lambda *_: _Numbers()
            names[f"{core}.multiarray", "scalar"] = _number
            names[f"{core}.numeric", "_frombuffer"] = _from_buffer
        super().__init__(Bounded(view), names)
        more = {
            pickle.SHORT_BINSTRING[0]: lambda self: self.append(_text(self.read_counted(1))),
            pickle.BINSTRING[0]: lambda self: self.append(_text(self.read_counted(4))),
            pickle.BYTEARRAY8[0]: lambda self: self.append(self.read_counted(8)),
        }
        self.dispatch = ChainMap(more, self.dispatch)

    def read_counted(self, size):
        """Bytes after their number, which takes size bytes; many of them, which are an array, as a view of the file."""
        return self.read(int.from_bytes(self.read(size), "little"))

    def find_class(self, module, name):
        try:
            return super().find_class(module, name)
        except Refused:
            raise Refused(f"it asks for {shown(module)}.{shown(name)}, which no images need") from None

    def _set_items(self, items):
        keys = [str(key, "latin1") if isinstance(key, bytes) else key for key in items[::2]]
        super()._set_items([each for pair in zip(keys, items[1::2], strict=True) for each in pair])


def _text(content):
    """What Python 2 calls a string may be text or bytes. Views are long enough to be an array for certain."""
    return content if isinstance(content, memoryview) else str(content, "latin1")


def _bytes(content):
    return content.encode("latin1") if isinstance(content, str) else content


class _Numbers(pickles.Array):
    """A NumPy array, whose bytes may have been a string to Python 2."""

    __slots__ = ()

    def set_state(self, state):
        *others, content = state
        super().set_state((*others, _bytes(content)))


def _from_buffer(content, dtype, shape, order):
    """How arrays make themselves anew in protocol 5."""
    array = _Numbers()
    array.set_state((1, shape, dtype, order == "F", content))
    return array


def _number(dtype, content):
    return np.frombuffer(_bytes(content), dtype.numpy).item()
