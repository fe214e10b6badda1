"""What must happen before Paddle is loaded, settings that speed it up on a CPU, a report of where the package runs.

Imported with the package, so it loads little: what takes longer is imported where it is used.
"""

import os
import sys
import warnings
import zlib  # noqa: F401  (before paddle: libpaddle 2.6 exports zlib's own symbols and breaks a later import)
from contextlib import contextmanager

SWITCH = "PADDLE_VIT_SETTINGS"  # 0 in the environment: all settings off
MKL, STRIDE, THREADS = "MKL_DEBUG_CPU_TYPE", "FLAGS_use_stride_kernel", "OMP_NUM_THREADS"
CPUINFO = "/proc/cpuinfo"

NO_PADDLE = (
    "PaddlePaddle is not installed. CPU: pip install 'paddle-vit[cpu]' (in a clone: pip install -e '.[cpu]'); "
    "GPU: pip install paddlepaddle-gpu; AI Studio: choose an environment with Paddle 2.6 or later, it is installed there."
)


class PaddleMissing(ImportError):
    """There is no Paddle; the message says what to install."""


def require_paddle():
    """Import Paddle.

    Raises:
        PaddleMissing: it is not installed.
    """
    import importlib.util

    if importlib.util.find_spec("paddle") is None:
        raise PaddleMissing(NO_PADDLE)
    import paddle

    return paddle


def environment():
    """Name -> text, for `paddle-vit doctor` and the beginning of the tour. Does not load Paddle."""
    import platform

    versions = {name: _version(name) for name in ("numpy", "matplotlib", "rich", "PyYAML", "safetensors")}
    paddle = _version("paddlepaddle") or _version("paddlepaddle-gpu")
    gpu = " (GPU build)" if paddle and not _version("paddlepaddle") else ""
    return {
        "paddle-vit": _version("paddle-vit") or "not installed, run from its folder",
        "Python": f"{platform.python_version()} ({sys.executable})",
        "System": f"{platform.system()} {platform.release()} {platform.machine()}",
        "PaddlePaddle": (paddle + gpu) if paddle else "missing",
        "Libraries": ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items()),
        "Cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "AI Studio": "yes" if os.environ.get("WEBIDE_PLATFORM") == "AIStudio" else "no",
    }


def _version(package):
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


# ---- settings: they change how fast Paddle computes on a CPU, and results by no more than rounding

_prepared = {}


def prepare():
    """Make the settings that hold for the whole process. Called by `import paddle_vit`, best before Paddle is loaded.

    Nothing that the user has set is changed. After Paddle it does no harm, and still helps before the first matmul.
    """
    # Paddle says it at its import, to everybody; it concerns compiling operators, which nobody does here
    warnings.filterwarnings("ignore", message="No ccache found")
    # Paddle's BatchNorm says it in every training run, and it is what everybody expects
    warnings.filterwarnings("ignore", message="When training, we now always track global mean and variance")
    makers = {"MKL": use_avx2, "Allocator": keep_freed_memory}
    _prepared.update({name: _switched_off() or make() for name, make in makers.items()})


def settings():
    """Name -> "on: what" or "off: why" of every setting, for `paddle-vit doctor`. Does not load Paddle."""
    copied = _copying_off() or "on: train copies at a transpose, for the package's own models on a CPU"
    # One thread is Paddle's default, and stays it: two gain 1.3 to 1.5 times on 224 x 224 pixels where both cores are
    # idle and nothing on the digits, and where one core is busy they double the time of a step on the digits.
    threads = f"1, Paddle's default; {THREADS}=2 is faster for large models on idle cores"
    return {
        "Settings": _switched_off() or f"on where they help; {SWITCH}=0 turns them off",
        **_prepared,
        "Stride kernel": copied,
        "Threads": f"{os.environ[THREADS]}, from {THREADS}" if THREADS in os.environ else threads,
    }


@contextmanager
def copied_transposes():
    """On a CPU, let Paddle copy at a transpose instead of making a view whose later copies are slow.

    Up to twice as fast, and changes no bit of the result. But x[0][...] = 1 no longer reaches x: for the package's own
    models only, never for a learner's code. Nothing happens where FLAGS_use_stride_kernel is set already.
    """
    import paddle

    before = paddle.get_flags([STRIDE])
    if paddle.get_device() == "cpu" and not _copying_off():
        paddle.set_flags({STRIDE: False})
    try:
        yield
    finally:
        paddle.set_flags(before)


def _switched_off():
    off = os.environ.get(SWITCH, "").lower() in ("0", "off", "false", "no")
    return f"off: {SWITCH}={os.environ[SWITCH]}" if off else ""


def _copying_off():
    return _switched_off() or (f"off: {STRIDE}={os.environ[STRIDE]} is set" if STRIDE in os.environ else "")


def use_avx2():
    """Have the MKL in Paddle's wheels use AVX2 on AMD, where it would take a path several times slower.

    It asks for the variable at the first matmul; other processors get nothing, they are served well or not known.
    """
    if MKL in os.environ:
        return f"off: {MKL}={os.environ[MKL]} is set"
    if sys.platform != "linux":
        return "off: not Linux"
    processor = _processor()
    if processor.get("vendor_id") != "AuthenticAMD":
        return "off: not an AMD processor"
    if "avx2" not in processor.get("flags", "").split():
        return "off: an AMD processor without AVX2"
    os.environ[MKL] = "5"
    return f"on: AVX2 on AMD, {MKL}=5"


def _processor():
    """Name -> text of the first processor in /proc/cpuinfo; empty where there is no such file."""
    found = {}
    try:
        with open(CPUINFO, errors="replace") as file:
            for line in file:
                name, colon, text = line.partition(":")
                if not colon:  # the empty line behind the first processor
                    break
                found[name.strip()] = text.strip()
    except OSError:
        pass
    return found


def keep_freed_memory():
    """Have glibc keep large freed blocks: given back to the system, each comes again as thousands of page faults."""
    try:
        glibc = sys.platform == "linux" and os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):  # musl
        glibc = None
    if not glibc:
        return "off: not glibc on Linux"
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_"):
        if name in os.environ:
            return f"off: {name}={os.environ[name]} is set"
    if "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return "off: GLIBC_TUNABLES sets malloc"
    import ctypes

    mallopt = ctypes.CDLL(None).mallopt
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    mapped = mallopt(mmap_threshold, 2**30) or mallopt(mmap_threshold, 2**25)  # older glibc takes 32 MiB at most
    if not (mallopt(trim_threshold, 2**31 - 1) and mapped):
        return f"off: {glibc} refused"
    return f"on: {glibc} keeps large freed blocks"
