"""Why weights do not fit a model: what is missing, left over or wrong, and what it may be."""

import re

import numpy as np

from paddle_vit.models.weight_errors import WeightsError
from paddle_vit.models.weight_names import POSITIONS

_PATCHES = ("patch_embedding.patch_embedding.weight", "patch_embed.proj.weight")  # the convolutions of ViT, of Swin
_LAYER = re.compile(r"encoder\.layers\.([0-9]{1,4})\.|layers\.[0-9]{1,4}\.blocks\.([0-9]{1,4})\.")

# What left over names tell
_HINTS = {
    r"pre_logits\.\d": "relu_head",
    r"dist": "distilled",
    r"fc_norm": "fc_norm",
    r"gamma|\bls[12]\b": "layer_scale",
    r"logit_scale|cpb_mlp": "swin_v2",
}


def other_family(file, theirs, ours):
    """The WeightsError for weights of another kind of model."""
    advice = f"@take_{theirs}" if theirs else f"{', '.join(list(file.arrays)[:3])}, ..."
    families = {name: f"@family_{family or 'none'}" for name, family in (("theirs", theirs), ("ours", ours))}
    return WeightsError(("other_family", dict(path=file.path, advice=advice, **families)))


def no_fit(path, arrays, tensors, missing, left_over, wrong):
    """The WeightsError for arrays that do not fit: what it may be first, then every name, then what to do.

    Args:
        path: of the file.
        arrays: dict from this package's names to Stored
        tensors: the model's parameters by name.
        missing: names of the model.
        left_over: names in the file.
        wrong: names with both shapes.
    """
    parts = [("no_fit", dict(path=path)), *_sizes(arrays, tensors)]
    parts += [(key, {}) for pattern, key in _HINTS.items() if re.search(pattern, " ".join(left_over))]
    hidden = arrays.get("pre_logits.weight")
    if hidden is not None and "pre_logits.weight" not in tensors:
        parts.append(("hidden_layer", dict(size=hidden.shape[-1] if hidden.shape else 0)))
    if POSITIONS in missing:
        parts.append(("computed_positions", {}))
    if "patch_embedding.distill_token" in missing:
        parts.append(("not_distilled", {}))
    without_head = bool(missing) and all(name.startswith(("head.", "pre_logits.")) for name in missing)
    if without_head:
        parts.append(("no_head", {}))
    elif missing and len(parts) == 1:
        parts.append(("incomplete", {}))
    for key, names in (("missing", missing), ("left_over", left_over), ("shapes", wrong)):
        if names:
            parts.append((key, dict(names=list(together(names)))))
    if left_over and not wrong and (not missing or without_head):
        parts.append(("allow", {}))
    return WeightsError(*parts)


def _sizes(arrays, tensors):
    """What the sizes of patches, tokens and layers say, as parts of a WeightsError."""
    for name in _PATCHES:
        if name in arrays and name in tensors and len(arrays[name].shape) == 4:
            (width, channels, *patch), (our_width, our_channels, *our_patch) = arrays[name].shape, tensors[name].shape
            if width != our_width:
                yield "width", dict(theirs=width, ours=our_width)
            if channels != our_channels:
                yield "image_channels", dict(theirs=channels, ours=our_channels)
            if patch != our_patch:
                yield "patch", dict(theirs="x".join(map(str, patch)), ours="x".join(map(str, our_patch)))
    theirs, ours = ({found.group() for name in names if (found := _LAYER.match(name))} for names in (arrays, tensors))
    if len(theirs) != len(ours):
        yield "depth", dict(theirs=len(theirs), ours=len(ours))


def together(names):
    """Names that differ only in numbers of layers as one, such as layers.{0-11}.attn.qkv.weight.

    Yields:
        names, one for each group; together they say neither less nor more
    """
    split = [re.split(r"(?<=\.)([0-9]{1,4})(?=\.)", name) for name in names]  # text, number, text, number, ..., text
    for place in range(max(map(len, split), default=0) - 2, 0, -2):  # the last number first
        groups = {}
        for parts in split:
            others = (*parts[:place], *parts[place + 1 :])
            groups.setdefault((others, place < len(parts)), []).append(parts)
        split = []
        for (others, has_number), group in groups.items():
            numbers = sorted({int(parts[place]) for parts in group}) if has_number else []
            split.append([*others[:place], _range(numbers), *others[place:]] if has_number else group[0])
    yield from ("".join(parts) for parts in split)


def _range(numbers):
    if len(numbers) == 1:
        return str(numbers[0])
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{{{numbers[0]}-{numbers[-1]}}}"
    return "{" + ",".join(map(str, numbers)) + "}"


def check_finite(file):
    """Raise a WeightsError that names the arrays of a WeightFile with NaN or infinite numbers."""
    wrong = []
    for name, stored in file.arrays.items():
        if "float" in stored.dtype:
            array = stored.read()
            with np.errstate(all="ignore"):
                finite = np.isfinite(array.sum())  # any NaN or infinity makes the sum one; so may very large numbers
            if not finite and not np.isfinite(array).all():
                wrong.append(name)
    if wrong:
        raise WeightsError(("not_finite", dict(path=file.path, names=list(together(wrong)))))
