"""What it costs to load the weights of ViT-B/16, in time and in memory, beside paddle.load of the same arrays.

    python benchmarks/loading.py [--rounds 5]

Files are made here, with random weights: what paddle.save writes, this package's own safetensors, the same with timm's names
and [out, in] matrices, and Google's .npz. Every measurement is a process of its own, in turn. Time: from the path to the last
weight set (of paddle.load: to the dict of tensors). Memory: the highest resident set while loading, less that before, in
sizes of the file.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

NAME = "vit_base_patch16_224"


def make_files(folder):
    """The files, by what they are."""
    import paddle
    from safetensors.numpy import save_file

    import paddle_vit
    from paddle_vit.training import save_weights

    model = paddle_vit.create_model(NAME)
    paddle.save(model.state_dict(), str(folder / "weights.pdparams"))
    save_weights(model, folder / "own.safetensors")
    arrays = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    save_file({timm_name(name): as_torch(array) for name, array in arrays.items()}, folder / "timm.safetensors")
    np.savez(folder / "google.npz", **dict(pair for name, array in arrays.items() for pair in as_flax(name, array)))
    return {
        "paddle.load": folder / "weights.pdparams",
        ".pdparams": folder / "weights.pdparams",
        "own safetensors": folder / "own.safetensors",
        "timm's safetensors": folder / "timm.safetensors",
        "Google's .npz": folder / "google.npz",
    }


def timm_name(name):
    for ours, theirs in [
        (r"patch_embedding\.patch_embedding", "patch_embed.proj"),
        (r"patch_embedding\.class_token", "cls_token"),
        (r"patch_embedding\.position_embedding", "pos_embed"),
        (r"encoder\.layers", "blocks"),
        (r"encoder\.norm", "norm"),
        (r"attn_norm", "norm1"),
        (r"mlp_norm", "norm2"),
    ]:
        name = re.sub(ours, theirs, name)
    return name


def as_torch(array):
    return np.ascontiguousarray(array.T) if array.ndim == 2 else array


def as_flax(name, array):
    """Google's name and array, three of them for q, k and v."""
    layer = re.match(r"encoder\.layers\.(\d+)\.(.*)\.(weight|bias)$", name)
    if not layer:
        plain = {
            "patch_embedding.class_token": "cls",
            "patch_embedding.position_embedding": "Transformer/posembed_input/pos_embedding",
            "patch_embedding.patch_embedding.weight": "embedding/kernel",
            "patch_embedding.patch_embedding.bias": "embedding/bias",
            "encoder.norm.weight": "Transformer/encoder_norm/scale",
            "encoder.norm.bias": "Transformer/encoder_norm/bias",
            "head.weight": "head/kernel",
            "head.bias": "head/bias",
        }
        yield plain[name], array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
        return
    number, part, kind = layer.groups()
    start, heads, weight = f"Transformer/encoderblock_{number}", 12, kind == "weight"
    if part == "attn.qkv":
        for which, piece in zip(["query", "key", "value"], np.split(array, 3, axis=-1), strict=True):
            where = f"{start}/MultiHeadDotProductAttention_1/{which}/{'kernel' if weight else 'bias'}"
            yield where, piece.reshape(*piece.shape[:-1], heads, -1)
    elif part == "attn.proj":
        where = f"{start}/MultiHeadDotProductAttention_1/out/{'kernel' if weight else 'bias'}"
        yield where, array.reshape(heads, -1, array.shape[-1]) if weight else array
    elif part.startswith("mlp."):
        yield f"{start}/MlpBlock_3/Dense_{int(part[-1]) - 1}/{'kernel' if weight else 'bias'}", array
    else:
        yield f"{start}/LayerNorm_{0 if part == 'attn_norm' else 2}/{'scale' if weight else 'bias'}", array


def measure(what, path):
    """Seconds and the rise of memory in bytes, of one load in this process."""
    import paddle

    import paddle_vit

    model = paddle_vit.create_model(NAME)
    warm_up(Path(path).parent)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest resident set counts from here
    start = time.perf_counter()
    if what == "paddle.load":
        loaded = paddle.load(path)
    else:
        loaded = paddle_vit.load_weights(model, path)
    seconds = time.perf_counter() - start
    assert loaded
    return {"seconds": seconds, "rise": memory("VmHWM") - before}


def warm_up(folder):
    """Both ways once, with a few numbers, so that nothing is paid here that is paid once a process."""
    import paddle

    import paddle_vit
    from paddle_vit.training import save_weights

    small = paddle.nn.Linear(2, 3)
    paddle.save(small.state_dict(), str(folder / "small.pdparams"))
    paddle.load(str(folder / "small.pdparams"))
    save_weights(small, folder / "small.safetensors")
    paddle_vit.load_weights(small, folder / "small.safetensors")


def memory(key):
    return int(re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text()).group(1)) * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "PATH"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*args.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(Path(folder))
        found = {what: [] for what in files}
        for _ in range(args.rounds):
            for what, path in files.items():
                command = [sys.executable, __file__, "--measure", what, str(path)]
                run = subprocess.run(command, capture_output=True, text=True, check=True)
                found[what].append(json.loads(run.stdout.splitlines()[-1]))
        base = statistics.median(each["seconds"] for each in found["paddle.load"])
        for what, path in files.items():
            seconds = statistics.median(each["seconds"] for each in found[what])
            rise = max(each["rise"] for each in found[what]) / os.path.getsize(path)
            print(f"{what:20} {seconds:6.3f} s  {seconds / base:5.2f} of paddle.load  memory +{rise:.2f} of the file")


if __name__ == "__main__":
    main()
