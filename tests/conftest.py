"""Zlib before Paddle (see paddle_vit/__init__.py), and modules of a test's folder importable from it."""

import signal
import sys
from pathlib import Path

import paddle_vit  # noqa: F401

sys.path.insert(0, str(Path(__file__).parent / "grader"))  # helpers.py, alternatives.py, wrong_answers.py

# What a shell starts in the background has Ctrl-C switched off
signal.signal(signal.SIGINT, signal.default_int_handler)
