"""Files of weights that are damaged, of another kind, or made to do harm: a clear error, and the model as it was.

Pickles that want to run something stand in test_hostile_pickles.py.
"""

import json
import os
import struct

import numpy as np
import pytest
from hostile import WRITERS, arrays_of, little, model_of, npz, refused, same, values, zipped
from safetensors.numpy import save
from test_published import FOLDER, build, expected_of

from paddle_vit.models.weight_files import WeightsError
from paddle_vit.models.weights import load_weights

every_container = pytest.mark.parametrize("container", WRITERS)


def good(container):
    """(name of a fixture, its arrays), of a ViT with the layouts of this container."""
    file = "paddleclas_vit.pdparams" if "pdparams" in container else "timm_vit.safetensors"
    return file, dict(arrays_of(file))


@every_container
@pytest.mark.parametrize("name", ["weights", "weights.txt", "weights.npz", "weights.safetensors", "weights.pth"])
def test_any_name_will_do(container, name, tmp_path):
    """And the files of these tests, where they are not damaged, are like the fixtures."""
    file, arrays = good(container)
    (tmp_path / name).write_bytes(WRITERS[container](arrays))
    ours, theirs = build(expected_of(file)), build(expected_of(file))
    load_weights(ours, tmp_path / name)
    load_weights(theirs, FOLDER / file)
    assert same(values(ours), values(theirs)) and not same(values(ours), values(model_of(file)))


@every_container
def test_truncated(container, tmp_path):
    file, arrays = good(container)
    content = WRITERS[container](arrays)
    for length in [1, 2, 8, 9, 60, *(len(content) * part // 7 for part in range(1, 7)), len(content) - 1]:
        refused(content[:length], tmp_path, model=file)


@every_container
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_not_finite(container, bad, tmp_path):
    file, arrays = good(container)
    arrays["norm.bias"] = arrays["norm.bias"].copy()
    arrays["norm.bias"][3] = bad
    assert "NaN or infinite numbers" in refused(WRITERS[container](arrays), tmp_path, model=file)


@every_container
def test_another_shape(container, tmp_path):
    file, arrays = good(container)
    size = arrays["norm.bias"].size
    arrays["norm.bias"] = arrays["norm.bias"][1:]
    refused(WRITERS[container](arrays), tmp_path, f"encoder.norm.bias [{size - 1}], [{size}]", file)
    arrays["norm.bias"] = arrays["norm.bias"][:0]
    refused(WRITERS[container](arrays), tmp_path, f"encoder.norm.bias [0], [{size}]", file)


@every_container
def test_another_model(container, tmp_path):
    file, _ = good(container)
    refused(WRITERS[container](arrays_of("timm_swin.safetensors")), tmp_path, "holds weights of a Swin", file)
    unknown = {"features.0.weight": np.ones((2, 3), "f4")}
    refused(WRITERS[container](unknown), tmp_path, "neither ViT, DeiT nor Swin", file)
    refused(WRITERS[container]({}), tmp_path, model=file)


@pytest.mark.parametrize("container", ["npz", "compressed npz", "pdparams 2", "pdparams 4"])
@pytest.mark.parametrize("dtype", [">f4", ">f8", "<u4", "<c8", "<U4", "<M8[s]"])
def test_other_types_of_numbers(container, dtype, tmp_path):
    """Another order of bytes is read as it is meant, or refused; what are no numbers is refused."""
    file, arrays = good(container)
    arrays["norm.bias"] = arrays["norm.bias"].astype("<i8" if "M8" in dtype else "<f4").astype(dtype)
    content = WRITERS[container](arrays)
    if "npz" in container or not dtype.startswith(">"):
        refused(content, tmp_path, "of the type", file)
        return
    (tmp_path / "weights").write_bytes(content)
    model = build(expected_of(file))
    load_weights(model, tmp_path / "weights")
    assert values(model)["encoder.norm.bias"].tobytes() == arrays["norm.bias"].astype("<f4").tobytes()


QUERIES = [f"vit.encoder.layer.0.attention.attention.{part}.bias" for part in ("query", "key", "value")]
TABLE = "layers.0.blocks.0.attn.relative_position_bias_table"


@pytest.mark.parametrize(
    "file, names, shape",
    [
        ("transformers_vit.safetensors", QUERIES, ()),
        ("transformers_vit.safetensors", QUERIES, (0,)),
        ("timm_vit.safetensors", ["pos_embed"], (1, 0, 12)),
        ("timm_vit.safetensors", ["head.weight"], ()),
        ("timm_vit.safetensors", ["patch_embed.proj.weight", "patch_embed.proj.bias"], ()),
        ("google_vit.npz", ["embedding/kernel"], (0, 0, 0, 0)),
        ("timm_swin.safetensors", [TABLE], (0, 2)),
        ("swin_microsoft_positions.pth", ["absolute_pos_embed"], (1, 0, 6)),
        ("swin_microsoft_positions.pth", ["absolute_pos_embed"], (1, 0, 0, 6)),
    ],
)
def test_shapes_that_nothing_can_be_made_of(file, names, shape, tmp_path):
    """What is reshaped, joined or resized on its way into the model."""
    arrays = {**arrays_of(file), **{name: np.ones(shape, "f4") for name in names}}
    refused(npz(arrays), tmp_path, "of another shape" if shape != () else "", file)


STRANGERS = {
    "the pointer that git keeps": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 346284714\n",
    "a web page": b"\n<!DOCTYPE html>\n<html><head><title>Not found</title></head></html>",
    "a web page: ": b"<HTML><body>404</body></HTML>",
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "this is an archive": b"\x1f\x8b\x08\x00" + bytes(100),
    "is empty": b"",
    "a text file (JSON)": b'{"metadata": {"total_size": 1}, "weight_map": {}}',
    "like no kind of weights that": bytes(1000),
    "neither numpy's .npz nor torch's: word/document.xml": None,
    "TorchScript": None,
}


STRANGERS["neither numpy's .npz nor torch's: word/document.xml"] = zipped({"word/document.xml": "<w/>"})
STRANGERS["TorchScript"] = zipped({"model/data.pkl": b"\x80\x02}.", "model/constants.pkl": b"\x80\x02)."})


@pytest.mark.parametrize("says", STRANGERS)
def test_files_of_another_kind(says, tmp_path):
    refused(STRANGERS[says], tmp_path, says)


def test_what_is_no_file(tmp_path):
    (tmp_path / "weights.bin").mkdir()
    refused(None, tmp_path, "is a folder")
    (tmp_path / "weights.bin").rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "weights.bin")
        refused(None, tmp_path, "a device or a pipe")


def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes((FOLDER / "timm_vit.safetensors").read_bytes())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    refused(None, tmp_path, "cannot be read: Permission denied")


def header(entries, data=b""):
    """A safetensors file from its header, a dict or bytes."""
    entries = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(entries)) + entries + data


def entry(begin=0, end=8, shape=(2,), dtype="F32", **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end], **more}


TWO = b'{"head.bias": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, '
SAFETENSORS = {
    "a header of 2**60 bytes": struct.pack("<Q", 1 << 60) + b"{" + bytes(100),
    "a header longer than the file": struct.pack("<Q", 4000) + b"{}" + bytes(100),
    "a header that is no JSON": header(b"{'head.bias': 1}", bytes(8)),
    "a header of brackets": header(b'{"a":' + b"[" * 100_000, bytes(8)),
    "a header that is no dict": struct.pack("<Q", 3) + b"[1]" + bytes(8),
    "no text": header(b'{"\xff\xfe": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}', bytes(8)),
    "overlapping arrays": header({"a": entry(), "b": entry(4, 12)}, bytes(12)),
    "a gap": header({"a": entry(), "b": entry(12, 20)}, bytes(20)),
    "the same place": header({"a": entry(), "b": entry()}, bytes(8)),
    "offsets behind the end": header({"a": entry(0, 1 << 40, [1 << 38])}, bytes(8)),
    "offsets of 2**63": header({"a": entry(1 << 63, (1 << 63) + 8)}, bytes(8)),
    "offsets the wrong way": header({"a": entry(8, 0)}, bytes(8)),
    "negative offsets": header({"a": entry(-8, 0)}, bytes(8)),
    "negative shape": header({"a": entry(shape=[-2, -1])}, bytes(8)),
    "shape of overflow": header({"a": entry(shape=[1 << 33, 1 << 31, 2])}, bytes(8)),
    "shape of nothing and too much": header({"a": entry(0, 0, [0, 1 << 62])}),
    "shape of 1000 dimensions": header({"a": entry(shape=[1] * 1000 + [2])}, bytes(8)),
    "another shape than bytes": header({"a": entry(shape=[3])}, bytes(8)),
    "a type that does not exist": header({"a": entry(dtype="F33")}, bytes(8)),
    "a type of no weights": header({"a": entry(dtype="F8_E4M3", shape=[8])}, bytes(8)),
    "no type": header({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    "metadata of numbers": header({"__metadata__": {"format": 1}, "a": entry()}, bytes(8)),
    "metadata that are a list": header({"__metadata__": ["pt"], "a": entry()}, bytes(8)),
    "bytes at the end": header({"a": entry()}, bytes(9)),
    "the same name twice": header(TWO + TWO[1:-2] + b"}", bytes(8)),
    "the same entry twice": header(TWO[:-3] + b', "dtype": "I64"}}', bytes(8)),
    "a name of control characters": header({"\x1b[2Jhead.bias": entry()}, bytes(8)),
    "a name of a megabyte": header({"head." * 200_000: entry()}, bytes(8)),
}


# What this package says itself; the rest is found by the library, whose words may change
OWN_WORDS = {
    "a header that is no dict": "like no kind of weights",
    "shape of nothing and too much": "impossible shape",
    "shape of 1000 dimensions": "impossible shape",
    "a type of no weights": "a is of the type F8_E4M3, which no weights here have",
    "the same name twice": "two entries of the header have the same name",
    "a name of control characters": r"an array is called '\x1b[2Jhead.bias', which is no name",
    "a name of a megabyte": "which is no name of a parameter",
}


@pytest.mark.parametrize("what", SAFETENSORS)
def test_hostile_safetensors(what, tmp_path):
    message = refused(SAFETENSORS[what], tmp_path, OWN_WORDS.get(what, "no complete safetensors file: "))
    assert message.isprintable()


@pytest.mark.parametrize("labels", ["[" * 100_000, "9" * 10_000, '{"²": "cat"}', '{"1": 2}', "[]", "{"])
def test_labels_that_make_no_sense(labels, tmp_path):
    """Of them nothing is said; the weights are not worse for it."""
    arrays = arrays_of("timm_vit.safetensors")
    (tmp_path / "weights").write_bytes(save(arrays, {"id2label": labels}))
    with little():
        assert load_weights(build(expected_of("timm_vit.safetensors")), tmp_path / "weights").labels is None
    (tmp_path / "weights").write_bytes(save(arrays))
    config = f'{{"id2label": {labels}}}'
    huge = '{"id2label": {"0": "cat"}}' + " " * (17 << 20)
    for content in [labels, config, huge, b"\xff\xfe".decode("latin1"), ""]:
        (tmp_path / "config.json").write_text(content, encoding="latin1")
        with little():
            assert load_weights(build(expected_of("timm_vit.safetensors")), tmp_path / "weights").labels is None


def damage(content, rng):
    """One of the ways in which a file goes bad: bytes changed, lost, doubled or moved; often near its ends, where headers are."""
    content = bytearray(content or bytes(1))
    length = len(content)
    near = int(rng.choice([length, min(length, 300), min(length, 3000)]))
    start = int(rng.integers(near)) if rng.integers(2) else length - 1 - int(rng.integers(near))
    end = min(length, start + int(rng.choice([1, 2, 8, 100, 5000])))
    way = rng.integers(7)
    if way == 0:
        del content[start:]
    elif way == 1:
        del content[start:end]
    elif way == 2:
        content[start:start] = content[start:end]
    elif way == 3:
        content[start:end] = bytes([rng.choice([0, 255])]) * (end - start)
    elif way == 4:
        content[start:end] = rng.integers(0, 256, end - start, dtype="u1").tobytes()
    elif way == 5:
        content[start:end] = content[: end - start]
    else:
        content[start] ^= 1 << int(rng.integers(8))
    return bytes(content)


FUZZED = [
    "timm_vit.safetensors",
    "google_vit.npz",
    "timm_vit.pth",
    "timm_vit_legacy.pth",
    "paddleclas_vit.pdparams",
    "paddleclas_vit_protocol2.pdparams",
]
FUZZ_SEEDS = range(int(os.environ.get("PADDLE_VIT_TEST_SEEDS", 150)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("file", FUZZED)
def test_damaged_at_random(file, tmp_path):
    """Loaded, with other numbers where no checksum tells, or refused; nothing else."""
    model, content, path = build(expected_of(file)), (FOLDER / file).read_bytes(), tmp_path / "weights"
    loaded, before = 0, values(model)
    for seed in FUZZ_SEEDS:
        rng = np.random.default_rng([seed, FUZZED.index(file)])
        bad = content
        for _ in range(rng.integers(1, 4)):
            bad = damage(bad, rng)
        path.write_bytes(bad or bytes(1))
        try:
            with little():
                load_weights(model, path)
            loaded += 1
            before = values(model)
            assert all(np.isfinite(value).all() for value in before.values()), seed
        except WeightsError:
            assert same(values(model), before), seed
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
    assert 0 < loaded < len(FUZZ_SEEDS) // 2
