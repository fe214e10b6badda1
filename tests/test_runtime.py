"""The settings that are made before Paddle is loaded: where they apply, that they give way, that results agree."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paddle_vit import runtime

ROOT = Path(__file__).parents[1]
OURS = ("OMP_NUM_THREADS", "FLAGS_use_stride_kernel", "MKL_DEBUG_CPU_TYPE", "PADDLE_VIT_SETTINGS")

AMD = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model name\t: AMD EPYC 7R13 Processor
flags\t\t: fpu sse4_2 avx fma avx2 bmi2

processor\t: 1
vendor_id\t: AuthenticAMD
flags\t\t: fpu
"""
OLD_AMD = AMD.replace(" avx2", "")
INTEL = AMD.replace("AuthenticAMD", "GenuineIntel")
HYGON = AMD.replace("AuthenticAMD", "HygonGenuine")
ARM = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd evtstrm\nCPU implementer\t: 0x41\n\n"


@pytest.fixture
def prepared(monkeypatch, tmp_path):
    """A function (cpuinfo, variables) -> (settings, environment after prepare), which leaves this process as it was."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(runtime, "_prepared", {})
    monkeypatch.setattr(runtime, "CPUINFO", str(tmp_path / "cpuinfo"))

    def prepare(cpuinfo, **variables):
        if cpuinfo is not None:
            (tmp_path / "cpuinfo").write_text(cpuinfo)
        monkeypatch.setattr(os, "environ", variables)
        runtime.prepare()
        return runtime.settings(), variables

    return prepare


def child(code, **variables):
    """What Python prints when it runs code in a process of its own, without the settings of this one."""
    inherited = {name: value for name, value in os.environ.items() if name not in OURS}
    env = {**inherited, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- where each applies


@pytest.mark.parametrize(
    "cpuinfo, text, value",
    [
        (AMD, "on: AVX2 on AMD, MKL_DEBUG_CPU_TYPE=5", "5"),
        (OLD_AMD, "off: an AMD processor without AVX2", None),
        (INTEL, "off: not an AMD processor", None),
        (HYGON, "off: not an AMD processor", None),
        (ARM, "off: not an AMD processor", None),
        ("", "off: not an AMD processor", None),
        (None, "off: not an AMD processor", None),
    ],
    ids=["amd", "amd-without-avx2", "intel", "hygon", "arm", "empty", "no-file"],
)
def test_mkl_is_set_on_amd_with_avx2_alone(prepared, cpuinfo, text, value):
    settings, environment = prepared(cpuinfo)
    assert settings["MKL"] == text
    assert environment.get("MKL_DEBUG_CPU_TYPE") == value


def test_other_systems_get_nothing(prepared, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    settings, environment = prepared(AMD)
    assert settings["MKL"] == "off: not Linux" and settings["Allocator"] == "off: not glibc on Linux"
    assert not environment


def test_another_libc_is_left_alone(prepared, monkeypatch):
    def unknown(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "confstr", unknown)
    assert prepared(INTEL)[0]["Allocator"] == "off: not glibc on Linux"


# ---- they give way to the user


@pytest.mark.parametrize(
    "setting, name, value",
    [
        ("MKL", "MKL_DEBUG_CPU_TYPE", "4"),
        ("Allocator", "MALLOC_MMAP_THRESHOLD_", "131072"),
        ("Allocator", "MALLOC_TRIM_THRESHOLD_", "131072"),
        ("Allocator", "GLIBC_TUNABLES", "glibc.malloc.check=3"),
        ("Stride kernel", "FLAGS_use_stride_kernel", "1"),
    ],
)
def test_what_the_user_has_set_stays(prepared, setting, name, value):
    settings, environment = prepared(AMD, **{name: value})
    assert settings[setting].startswith("off: ") and name in settings[setting]
    assert environment[name] == value


@pytest.mark.parametrize("value", ["0", "off"])
def test_one_variable_turns_all_off(prepared, value):
    settings, environment = prepared(AMD, PADDLE_VIT_SETTINGS=value)
    off = f"off: PADDLE_VIT_SETTINGS={value}"
    assert [settings[name] for name in ("Settings", "MKL", "Allocator", "Stride kernel")] == [off] * 4
    assert environment == {"PADDLE_VIT_SETTINGS": value}


FLAG = """
import paddle_vit, paddle
paddle.set_flags({"FLAGS_use_stride_kernel": True})
with paddle_vit.runtime.copied_transposes():
    print(paddle.get_flags(["FLAGS_use_stride_kernel"])["FLAGS_use_stride_kernel"], end=" ")
print(paddle.get_flags(["FLAGS_use_stride_kernel"])["FLAGS_use_stride_kernel"], end="")
"""


@pytest.mark.parametrize(
    "variables, flags",
    [({}, "False True"), ({"FLAGS_use_stride_kernel": "1"}, "True True"), ({"PADDLE_VIT_SETTINGS": "0"}, "True True")],
)
def test_transposes_are_copied_unless_the_user_says_otherwise(variables, flags):
    assert child(FLAG, **variables) == flags


# ---- what an import does


def test_import_loads_neither_paddle_nor_numpy_and_takes_milliseconds():
    code = (
        "import sys, time; start = time.perf_counter(); import paddle_vit; taken = time.perf_counter() - start\n"
        "print(taken, [name for name in ('paddle', 'numpy') if name in sys.modules], end='')"
    )
    taken, loaded = zip(*[child(code).split(" ", 1) for _ in range(3)], strict=True)
    assert min(map(float, taken)) < 0.05  # s; about 0.005
    assert set(loaded) == {"[]"}


@pytest.mark.parametrize("imports", ["import paddle_vit, paddle", "import zlib, paddle, paddle_vit"])
def test_writes_through_a_view_reach_the_tensor(imports):
    """What a learner's code means must not depend on this package; and it may be imported after Paddle."""
    code = f"{imports}\nx = paddle.zeros([2, 3])\nx[0][...] = 1\nprint(x.sum().item(), (x @ x.T).sum().item())"
    assert child(code) == "3.0 3.0\n"


FAULTS = """
import resource
import paddle_vit

def fill():
    blocks = [bytearray(b"x") * (20 * 2**20) for _ in range(5)]

fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not runtime.settings()["Allocator"].startswith("on"), reason="the allocator is not set here")
def test_freed_memory_is_kept():
    assert int(child(FAULTS)) < 100
    assert int(child(FAULTS, PADDLE_VIT_SETTINGS="0")) > 1000


def test_the_grader_computes_on_one_thread():
    code = "from paddle_vit.grader.grade import warm; warm(); import os; print(os.environ['OMP_NUM_THREADS'], end='')"
    assert child(code, OMP_NUM_THREADS="2") == "1"


def test_doctor_shows_every_setting():
    code = "from paddle_vit.commands import run; run(['doctor', '--lang', 'en'])"
    said = child(code, COLUMNS="200")
    lines = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    assert {"Settings", "MKL", "Allocator", "Stride kernel", "Threads"} <= set(lines)
    off = child(code, COLUMNS="200", PADDLE_VIT_SETTINGS="0")
    assert off.count("off: PADDLE_VIT_SETTINGS=0") == 4


# ---- results agree

STEP = """
import json
import numpy as np
import paddle_vit, paddle
from paddle_vit import runtime
from paddle_vit.models import VisionTransformer, create_model

MODELS = {
    "small": lambda: VisionTransformer(image_size=(24, 40), patch_size=8, in_channels=2, num_classes=7, embed_dim=48,
                                       depth=3, num_heads=4),
    "vit_tiny_patch16_224": lambda: create_model("vit_tiny_patch16_224"),
}
draw = np.random.default_rng(5)
arrays = {}
with runtime.copied_transposes():
    for name, build in MODELS.items():
        model = build()
        for parameter in model.parameters():
            parameter.set_value((0.03 * draw.standard_normal(parameter.shape)).astype("float32"))
        height, width = model.patch_embedding.image_size
        shape = [2, model.in_channels, height, width]
        images = paddle.to_tensor(draw.standard_normal(shape).astype("float32"), stop_gradient=False)
        logits = model(images)
        loss = paddle.nn.functional.cross_entropy(logits, paddle.to_tensor([1, 5]))
        loss.backward()
        arrays[f"{name}/logits"], arrays[f"{name}/loss"] = logits.numpy(), loss.numpy()
        arrays[f"{name}/images"] = images.grad.numpy()
        arrays.update({f"{name}/{key}": p.grad.numpy() for key, p in model.named_parameters()})
np.savez(%r, **arrays)
print(json.dumps(runtime.settings()))
"""


def test_results_agree_with_and_without_the_settings(tmp_path):
    found = []
    for name, variables in [("on", {}), ("off", {"PADDLE_VIT_SETTINGS": "0"})]:
        said = json.loads(child(STEP % str(tmp_path / f"{name}.npz"), **variables))
        assert said["Stride kernel"].startswith(name)
        found.append(np.load(tmp_path / f"{name}.npz"))
    with_them, without = found
    assert set(with_them.files) == set(without.files) and len(with_them.files) > 180
    for name in without.files:
        scale = np.abs(without[name]).max()
        assert scale > 0, name
        assert np.abs(with_them[name] - without[name]).max() <= 1e-5 * scale, name
