"""Published weights into the course's models: timm's, transformers', the authors' own files, Paddle's, and one's own.

What reads the files stands in weight_files.py, what knows their names in weight_names.py; here it is made to fit a model.
"""

import fnmatch
import math
import re
from dataclasses import dataclass

import numpy as np
import paddle
import paddle.nn.functional as F

from paddle_vit.models import vit
from paddle_vit.models.weight_checks import check_finite, no_fit, other_family
from paddle_vit.models.weight_files import read_weight_file
from paddle_vit.models.weight_names import POSITIONS, family, split_where_apart, translate

_TOKENS = ("patch_embedding.class_token", "patch_embedding.distill_token")  # their positions come first, in this order


@dataclass(frozen=True)
class Loaded:
    """What load_weights did.

    kind: what wrote the file, in words
    resized: parameters that were interpolated to another resolution
    fresh: parameters that keep the values they had
    unused: names in the file that the model has no use for
    labels: names of the classes by number, where the file or a config.json beside it has them; else None
    """

    kind: str
    resized: tuple
    fresh: tuple
    unused: tuple
    labels: dict | None


def load_weights(model, source, *, allow=()):
    """Replace a model's weights by those of a file, all of them or, where anything is wrong, none.

    Files are recognised by what stands in them: safetensors, .npz, torch's .pth and .bin, Paddle's .pdparams, with the names of
    timm, transformers, the authors of ViT, DeiT and Swin, PaddleClas, PaddleViT or this package. Nothing in a file is executed.

    As in fine-tuning, for another number of classes the heads are left as they are; for another resolution position
    embeddings and relative position bias tables are interpolated, bicubic, as DeiT's and Swin's authors do it.

    Args:
        model: VisionTransformer, DeiT or SwinTransformer, the learner's own too; or any nn.Layer, for a file with its names.
        source: path of the file.
        allow: patterns of names (as in fnmatch, "head.*") that may be missing in the file, or left over.

    Returns:
        Loaded

    Raises:
        FileNotFoundError: there is no such file.
        WeightsError, a ValueError: the file is of an unknown kind, damaged, or holds more than arrays; or it does not fit
            the model. The message lists what is missing, left over, of another shape or not finite.
    """
    if not isinstance(model, paddle.nn.Layer):
        raise TypeError(f"model must be a paddle.nn.Layer, not {model!r}: load_weights(model, source)")
    allow = [allow] if isinstance(allow, str) else list(allow)
    file, tensors = read_weight_file(source), model.state_dict()
    theirs, ours = family(file.arrays), family(tensors)
    if theirs != ours:
        raise other_family(file, theirs, ours)
    arrays, origins = translate(file, tensors)
    fitted, resized, fresh, unused = _fit(split_where_apart(arrays, tensors), origins, tensors, model, allow, file.path)
    check_finite(file)
    ready = {name: fitted.pop(name).read() for name in resized}  # the only ones that compute: before anything is set
    for name, value in ready.items():
        tensors[name].set_value(paddle.to_tensor(value).astype(tensors[name].dtype))
    for name, stored in fitted.items():
        _set(tensors[name], stored)
    classes = arrays["head.weight"].shape[-1] if "head.weight" in arrays else 0
    labels = file.labels if file.labels and len(file.labels) == classes and "head.weight" not in fresh else None
    return Loaded(file.kind, tuple(resized), tuple(fresh), tuple(unused), labels)


def head_arguments(source):
    """Arguments with which a constructor builds the head that stands in a file.

    Args:
        source: path of the file.

    Returns:
        dict with num_classes (0 when the file has no head), and representation_size if it has such a layer

    Raises:
        as load_weights
    """
    arrays, _ = translate(read_weight_file(source))
    shapes = {name: arrays[name].shape for name in ("head.weight", "pre_logits.weight") if name in arrays}
    arguments = {"num_classes": shapes["head.weight"][-1] if shapes.get("head.weight") else 0}
    if shapes.get("pre_logits.weight"):
        arguments["representation_size"] = shapes["pre_logits.weight"][-1]
    return arguments


def _fit(arrays, origins, tensors, model, allow, path):
    """Which array goes where.

    Returns:
        dict from parameters to Stored of the same shape; names of those that are resized, stay fresh, are not used

    Raises:
        WeightsError: what is missing, left over or of another shape, and not allowed.
    """
    fresh = [
        name
        for name in tensors
        if (_head(name) and _other_classes(_head(name), arrays, tensors))
        or (name not in arrays and _allowed(name, allow))
    ]
    headless = not any(name.startswith("head.") for name in tensors)

    def dispensable(name):
        if _head(name) or name.startswith("pre_logits."):  # a hidden layer of pre-training goes with its head
            return headless or (not _head(name) and "head.weight" in fresh) or _allowed(name, allow)
        return _allowed(name, allow)

    unused = [name for name in arrays if name not in tensors and dispensable(name)]
    fitted, resized, missing, wrong = {}, [], [], []
    for name, tensor in tensors.items():
        stored, shape = arrays.get(name), tuple(tensor.shape)
        if name in fresh:
            continue
        if stored is None:
            missing.append(name)
        elif "int" in stored.dtype or stored.dtype == "bool":
            if stored.dtype != _dtype(tensor) or stored.shape != shape:
                wrong.append(f"{name} {list(stored.shape)} {stored.dtype}, {list(shape)}")
            fitted[name] = stored
        elif stored.shape == shape:
            fitted[name] = stored
        elif change := _resizing(name, stored.shape, tensor, arrays, tensors, model):
            fitted[name] = stored.changed(shape, change)
            if _numbers_of_grid(name, stored.shape, arrays) != _numbers_of_grid(name, shape, tensors):
                resized.append(name)
        else:
            wrong.append(f"{name} {list(stored.shape)}, {list(shape)}")
    left_over = [origins.get(name, name) for name in arrays if name not in tensors and name not in unused]
    if missing or left_over or wrong:
        raise no_fit(path, arrays, tensors, missing, left_over, wrong)
    return fitted, resized, fresh, [origins.get(name, name) for name in unused]


def _numbers_of_grid(name, shape, names):
    """Numbers in a table without the rows of tokens in front: where they agree, nothing was interpolated."""
    front = sum(token in names for token in _TOKENS) * shape[-1] if name == POSITIONS else 0
    return math.prod(shape) - front


def _head(name):
    """head or head_distill, if name is of one of their parameters; else None."""
    found = re.fullmatch(r"(head|head_distill)\.(weight|bias)", name)
    return found and found[1]


def _other_classes(head, arrays, tensors):
    """Whether a head of the file has another number of classes than the model's."""
    name = f"{head}.weight"
    if name not in arrays or name not in tensors:
        return False
    theirs, ours = arrays[name].shape, tensors[name].shape
    return len(theirs) == 2 and theirs[-1] != ours[-1]


def _allowed(name, allow):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in allow)


def _resizing(name, shape, tensor, arrays, tensors, model):
    """A function that resizes an array of this shape for the tensor, or None where that makes no sense."""
    if name == POSITIONS and len(shape) == 3 and shape[::2] == (1, tensor.shape[2]):
        return _vit_positions(shape, tensor, arrays, tensors, model)
    if name == "position_embedding" and len(shape) in (3, 4) and shape[-1] == tensor.shape[-1]:
        return _swin_positions(shape, tensor)
    if name.endswith(".relative_position_bias_table") and len(shape) == 2 and shape[1] == tensor.shape[1]:
        old, new = math.isqrt(shape[0]), math.isqrt(tensor.shape[0])
        if old * old == shape[0] > 0:
            return lambda table: _bicubic(table.reshape(1, old, old, -1), (new, new)).reshape(new * new, -1)
    return None


def _vit_positions(shape, tensor, arrays, tensors, model):
    """Positions of ViT and DeiT: those of the tokens in front stay, the others are resized from a square grid."""
    theirs = [name for name in _TOKENS if name in arrays]
    ours = [name for name in _TOKENS if name in tensors]
    side = math.isqrt(max(shape[1] - len(theirs), 0))
    if side < 1 or side * side != shape[1] - len(theirs):
        return None
    grid = model.patch_embedding.grid

    def change(table):
        front = [
            table[:, [theirs.index(name)]] if name in theirs else tensor.numpy()[:, [i]] for i, name in enumerate(ours)
        ]
        image = paddle.to_tensor(table[:, len(theirs) :])
        image = vit.resize_position_embedding(image, (side, side), grid, 0).numpy()
        return np.concatenate([*front, image], axis=1)

    return change


def _swin_positions(shape, tensor):
    """Absolute positions of Swin, [1, H*W, C] in files of others, [1, H, W, C] here."""
    grid = tuple(tensor.shape[1:3])
    if len(shape) == 4:
        old = shape[1:3]
    elif shape[1] == grid[0] * grid[1]:
        old = grid
    else:
        old = (math.isqrt(shape[1]),) * 2
    if shape[0] != 1 or 0 in shape or (len(shape) == 3 and old[0] * old[1] != shape[1]):
        return None
    return lambda table: _bicubic(table.reshape(1, *old, -1), grid)


def _bicubic(table, size):
    """A map [1, rows, columns, C] at another size."""
    if table.shape[1:3] == tuple(size):
        return table
    table = paddle.to_tensor(np.ascontiguousarray(table.transpose(0, 3, 1, 2)))  # 1 C rows columns
    table = F.interpolate(table, size=list(size), mode="bicubic", align_corners=False)
    return table.transpose([0, 2, 3, 1]).numpy()  # 1 rows columns C


def _dtype(tensor):
    return str(tensor.dtype).removeprefix("paddle.")


def _set(tensor, stored):
    if stored.dtype == _dtype(tensor) != "bfloat16":
        tensor.set_value(stored.raw())
    elif _dtype(tensor) == "float32":
        tensor.set_value(stored.read())
    else:
        tensor.set_value(paddle.to_tensor(stored.read()).astype(tensor.dtype))
