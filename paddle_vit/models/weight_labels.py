"""Names of the classes, where a file of weights brings them: in itself, or in the config.json beside it."""

import json
import re
from collections.abc import Mapping

_LONGEST_CONFIG = 1 << 24  # bytes; that of 21,843 classes has a tenth


def labels_in(content):
    """Names of the classes by number, where a dict has them under one of the usual names; else None."""
    for key in ("id2label", "label_names", "class_names", "classes", "labels"):
        names = content.get(key)
        if isinstance(names, str):  # the metadata of safetensors are texts
            try:
                names = json.loads(names)
            except (ValueError, RecursionError):
                continue
        if isinstance(names, (list, tuple)):
            names = dict(enumerate(names))
        if isinstance(names, Mapping) and names and all(isinstance(name, str) for name in names.values()):
            # transformers writes LABEL_0, LABEL_1, ... where it knows no names
            numbered = all(re.fullmatch("[0-9]{1,9}", str(number)) for number in names)
            if numbered and not all(re.fullmatch(r"LABEL_\d+", name) for name in names.values()):
                return {int(number): name for number, name in names.items()}
    return None


def labels_beside(path):
    """Those in config.json, which transformers and timm put beside the weights."""
    beside = path.parent / "config.json"
    try:
        if not beside.is_file() or beside.stat().st_size > _LONGEST_CONFIG:
            return None
        content = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # it is not what was asked for
        return None
    return labels_in(content) if isinstance(content, dict) else None
