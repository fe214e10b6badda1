"""The command line: paddle-vit, or python -m paddle_vit where there is no console script."""

import os
import sys
from pathlib import Path


def main(arguments=None):
    """Run a command; returns its exit status."""
    _forget_working_folder()
    from paddle_vit.commands import run

    status = run(arguments)
    if arguments is None:  # Paddle's own teardown takes a third of a second, and there is nothing left to do
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _forget_working_folder():
    """Keep `python -m paddle_vit` from importing a learner's files (a dl.py breaks Paddle 2.6) instead of libraries."""
    project = Path(__file__).resolve().parents[1]
    first = Path(sys.path[0] or ".").resolve()
    if first == Path.cwd().resolve() and first != project:
        del sys.path[0]


if __name__ == "__main__":
    main()
