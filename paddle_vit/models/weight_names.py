"""From the names and layouts in which ViT, DeiT and Swin were published to this package's: rules, applied in turn.

Sources of the names: timm, Hugging Face transformers (files, and models in memory since version 5), Google's
vision_transformer, Meta's DeiT, Microsoft's Swin-Transformer, PaddleClas, PaddleViT. Names of this package stay as they are.
"""

import re

import numpy as np

from paddle_vit.models.weight_errors import WeightsError
from paddle_vit.models.weight_files import Stored

POSITIONS = "patch_embedding.position_embedding"  # of ViT and DeiT

# Built anew by the model, so that files need not have them: buffers of Swin
_DERIVED = re.compile(r"(^|\.)(relative_position_index|relative_position_bias|attn_mask)$")

_RULES = [
    (r"/", "."),  # Google
    (r"^((module|_orig_mod|model|backbone|vit|deit|swin)\.)+", ""),
    (r"\.scale$", ".weight"),
    # attention; its output first, since the MLP's is called output too
    (r"\.(attention\.(attention|self|output)|attention|MultiHeadDotProductAttention_\d+)\.", ".attn."),
    (r"\.attn\.(dense|o_proj|out)\.", ".attn.proj."),
    (r"\.attn\.(query|q_proj)\.", ".attn.q."),
    (r"\.attn\.(key|k_proj)\.", ".attn.k."),
    (r"\.attn\.(value|v_proj)\.", ".attn.v."),
    (r"\.attn\.relative_position_bias\.", ".attn."),
    (r"\.(intermediate\.dense|MlpBlock_\d+\.Dense_0)\.", ".mlp.fc1."),
    (r"\.(output\.dense|MlpBlock_\d+\.Dense_1)\.", ".mlp.fc2."),
    (r"\.(norm1|layernorm_before|LayerNorm_0)\.", ".attn_norm."),
    (r"\.(norm2|layernorm_after|LayerNorm_[12])\.", ".mlp_norm."),
    (r"^(head\.fc|classifier|cls_classifier|fc)\.", "head."),
    (r"^(head_dist|distillation_classifier|classifier_dist)\.", "head_distill."),
    (r"^(pre_logits\.fc|pooler\.dense)\.", "pre_logits."),
]

_VIT_RULES = [
    (r"^((embeddings|patch_embedding)\.)?(cls|cls_token|class_token)$", "patch_embedding.class_token"),
    (
        r"^((embeddings|patch_embedding)\.)?(dist_token|distill_token|distillation_token)$",
        "patch_embedding.distill_token",
    ),
    (
        r"^((embeddings|patch_embedding|Transformer\.posembed_input)\.)?(pos_embed|pos_embedding|position_embeddings?)$",
        POSITIONS,
    ),
    (r"^(patch_embed\.proj|embeddings\.patch_embeddings\.projection|embedding)\.", "patch_embedding.patch_embedding."),
    (r"^(Transformer\.encoderblock_|encoder\.layers?\.|blocks\.|layers\.)(\d+)\.", r"encoder.layers.\2."),
    (r"^(norm|layernorm|Transformer\.encoder_norm|encoder\.encoder_norm)\.", "encoder.norm."),
]

_SWIN_RULES = [
    (r"^(encoder\.layers|stages)\.", "layers."),
    (r"^(embeddings\.patch_embeddings\.projection|patch_embedding\.patch_embed)\.", "patch_embed.proj."),
    (r"^(embeddings|patch_embedding)\.norm\.", "patch_embed.norm."),
    (r"^(embeddings\.position_embeddings|absolute_pos_embed|absolute_positional_embedding\.0)$", "position_embedding"),
    (r"^layernorm\.", "norm."),
]


def family(names):
    """ "swin", "vit" (DeiT too) or None, by the names of parameters in a file or in a model."""
    if any("relative_position_bias_table" in name for name in names):
        return "swin"
    if any(_renamed(name, _RULES + _VIT_RULES).startswith("encoder.layers.") for name in _under_prefix(names)):
        return "vit"
    return None


def translate(file, wanted=()):
    """A file's arrays under this package's names and in its layouts.

    Args:
        file: WeightFile
        wanted: names of the model's parameters and buffers. A file with just these names keeps them.

    Returns:
        (dict from our names to Stored, dict from our names to the file's)

    Raises:
        WeightsError: two arrays that would have the same name, or matrices of both layouts.
    """
    kind, arrays, paddle_layout = family(file.arrays), file.arrays, file.paddle_layout
    renamed, origins = {}, {}
    if kind is None or set(arrays) == set(wanted):
        kind, paddle_layout = None, True
        renamed, origins = dict(arrays), {name: name for name in arrays}
    else:
        rules = _RULES + (_SWIN_RULES if kind == "swin" else _VIT_RULES)
        for name, theirs in _under_prefix(arrays).items():
            ours = _renamed(name, rules)
            if _DERIVED.search(ours):
                continue
            stored = _from_flax(ours, arrays[theirs])
            ours = ours.removesuffix("kernel") + "weight" if ours.endswith(".kernel") else ours
            if ours in renamed:
                raise WeightsError(("twice", dict(path=file.path, name=ours, one=origins[ours], other=theirs)))
            renamed[ours], origins[ours] = stored, theirs
    if kind == "vit" and re.search(r"(?<!posembed_input/)\bpos_embedding$", origins.get(POSITIONS, "")):
        _add_row_of_class_token(renamed)
    if kind == "swin":
        renamed, origins = _merging_last(renamed), _merging_last(origins)
    if not _paddle_layout(renamed, paddle_layout, file.path):
        for name, stored in renamed.items():
            if _is_matrix(name, stored):
                renamed[name] = stored.changed(stored.shape[::-1], transposed)
    return (renamed, origins) if kind is None else _fused(renamed, origins)


def _renamed(name, rules):
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def _under_prefix(names):
    """Of a training state of Google's code only the weights: dict from names without the prefix to the file's names."""
    for prefix in ("opt/target/", "params/"):
        if any(name.startswith(prefix) for name in names):
            return {name.removeprefix(prefix): name for name in names if name.startswith(prefix)}
    return {name: name for name in names}


def _from_flax(name, stored):
    """Flax keeps heads apart, [C, H, D] and back [H, D, C], and convolutions as [height, width, in, out]."""
    shape = stored.shape
    if len(shape) == 4 and name.endswith(".kernel"):
        return stored.changed([shape[i] for i in (3, 2, 0, 1)], lambda x: x.transpose(3, 2, 0, 1))
    if re.search(r"\.attn\.[qkv]\.kernel$", name) and len(shape) == 3:
        return stored.changed([shape[0], shape[1] * shape[2]], lambda x: x.reshape(shape[0], -1))
    if name.endswith(".attn.proj.kernel") and len(shape) == 3:
        return stored.changed([shape[0] * shape[1], shape[2]], lambda x: x.reshape(-1, shape[2]))
    if re.search(r"\.attn\.[qkv]\.bias$", name) and len(shape) == 2:
        return stored.changed([shape[0] * shape[1]], lambda x: x.reshape(-1))
    return stored


def _add_row_of_class_token(arrays):
    """Google's big_vision adds positions before the class token comes, and so has no row for it: zeros."""
    stored = arrays[POSITIONS]
    if len(stored.shape) == 3 and "patch_embedding.class_token" in arrays:
        _, rows, channels = stored.shape
        shape = [1, 1 + rows, channels]
        arrays[POSITIONS] = stored.changed(shape, lambda table: np.pad(table, [(0, 0), (1, 0), (0, 0)]))


def _merging_last(arrays):
    """timm since 0.9 has Swin's merging at the beginning of a stage; here and elsewhere it ends the stage before."""
    if any(name.startswith("layers.0.downsample.") for name in arrays):
        return arrays

    def earlier(found):
        return f"layers.{int(found.group(1)) - 1}.downsample."

    return {re.sub(r"^layers\.(\d+)\.downsample\.", earlier, name): array for name, array in arrays.items()}


def _is_matrix(name, stored):
    return name.endswith(".weight") and len(stored.shape) == 2


def _paddle_layout(arrays, otherwise, path):
    """Whether matrices are [in, out] as in Paddle, or [out, in] as in torch: the biases, [out], tell."""
    votes = set()
    for name, stored in arrays.items():
        bias = arrays.get(name.removesuffix("weight") + "bias")
        if _is_matrix(name, stored) and bias is not None and stored.shape[0] != stored.shape[1]:
            if bias.shape in [(size,) for size in stored.shape]:
                votes.add(bias.shape == stored.shape[1:])
    if len(votes) == 2:
        raise WeightsError(("two_layouts", dict(path=path)))
    return votes.pop() if votes else otherwise


def transposed(matrix):
    """The transpose in an order of memory of its own. Some columns at a time: caches hold them, ten times the speed of all at once."""
    result = np.empty(matrix.shape[::-1], matrix.dtype)
    for begin in range(0, len(matrix), 16):
        result[:, begin : begin + 16] = matrix[begin : begin + 16].T
    return result


def _fused(arrays, origins):
    """q, k and v side by side in one matrix, and in one bias: attn.q, attn.k and attn.v become attn.qkv."""
    for name in list(arrays):
        found = re.fullmatch(r"(.*\.attn)\.q\.(weight|bias)", name)
        if not found:
            continue
        names = [f"{found[1]}.{part}.{found[2]}" for part in "qkv"]
        parts = [arrays.get(each) for each in names]
        if any(part is None or not part.shape or part.shape != parts[0].shape for part in parts):
            continue  # reported as what is left over
        shape = [*parts[0].shape[:-1], 3 * parts[0].shape[-1]]
        together = f"{found[1]}.qkv.{found[2]}"

        def concatenated(parts=parts):
            return np.concatenate([part.read() for part in parts], axis=-1)

        origin = ", ".join(origins.pop(each) for each in names)
        for each in names:
            del arrays[each]
        arrays[together], origins[together] = Stored(tuple(shape), "float32", concatenated), origin
    return arrays, origins


def split_where_apart(arrays, wanted):
    """The inverse of fusing, where a model (perhaps a learner's own) has attn.q, attn.k and attn.v.

    Args:
        arrays: dict from our names to Stored
        wanted: names of the model's parameters

    Returns:
        such a dict
    """
    result = {}
    for name, stored in arrays.items():
        apart = [name.replace(".qkv.", f".{part}.") for part in "qkv"]
        if name in wanted or ".qkv." not in name or not stored.shape or not set(apart) <= set(wanted):
            result[name] = stored
            continue
        width = stored.shape[-1] // 3
        for number, each in enumerate(apart):
            part = slice(number * width, (number + 1) * width)
            result[each] = stored.changed([*stored.shape[:-1], width], lambda x, part=part: x[..., part])
    return result
