"""What must happen before Paddle is loaded, and a report of where the package runs."""

import importlib.metadata
import importlib.util
import os
import platform
import sys
import zlib  # noqa: F401  (before paddle: libpaddle 2.6 exports zlib's own symbols and breaks a later import)

NO_PADDLE = (
    "PaddlePaddle is not installed. CPU: pip install 'paddle-vit[cpu]' (in a clone: pip install -e '.[cpu]'); "
    "GPU: pip install paddlepaddle-gpu; AI Studio: choose an environment with Paddle 2.6 or later, it is installed there."
)


class PaddleMissing(ImportError):
    """There is no Paddle; the message says what to install."""


def require_paddle():
    """Import Paddle, quietly.

    Raises:
        PaddleMissing: it is not installed.
    """
    import warnings

    if importlib.util.find_spec("paddle") is None:
        raise PaddleMissing(NO_PADDLE)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No ccache found")  # concerns compiling operators, not this package
        import paddle
    return paddle


def environment():
    """Name -> text, for `paddle-vit doctor` and the beginning of the tour. Does not load Paddle."""
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
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
