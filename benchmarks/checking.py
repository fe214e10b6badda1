"""What a check costs in a notebook: seconds that check(...) takes inside a real kernel, with its grader warm.

    python benchmarks/checking.py [--rounds 3]

Starts a kernel in a folder of its own, runs start("vit", "en"), then for every exercise of lesson 1 runs its cell and
checks it: once a round right, once with each of its known mistakes. Prints the 50th and 95th percentile and the largest
value of the checks after the first, and from the beginning of start() to the first answer, together with a bare
`import paddle` on the same machine: what the first answer has to wait for. Machines are noisy: look at the median over
several runs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time

from paddle_vit.exercises import load_lesson
from paddle_vit.grader.mistakes import mistaken_source
from paddle_vit.grader.stubs import solution_definition

FIRST = """
import time
began = time.perf_counter()
from paddle_vit.notebook import check, start
start("vit", "en")
"""
IMPORTS = "import math\nimport paddle\nimport paddle.nn as nn\nimport paddle.nn.functional as F\n"


class Kernel:
    """A kernel in a folder; run() gives what a cell printed."""

    def __init__(self, folder):
        import jupyter_client

        self.manager = jupyter_client.KernelManager(kernel_name="python3")
        self.manager.kernel_spec.argv[0] = sys.executable
        self.manager.start_kernel(cwd=folder, stderr=subprocess.DEVNULL)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code):
        printed = []

        def note(message):
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = self.client.execute_interactive(code, timeout=120, output_hook=note)["content"]
        return reply["status"], "".join(printed)

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def cell(target, text):
    """A definition as a notebook's cell: methods inside their class."""
    owner = target.rpartition(".")[0]
    text = textwrap.dedent(text)
    return f"class {owner}(nn.Layer):\n" + textwrap.indent(text, "    ") if owner else text


def checked(kernel, exercise, text):
    """Seconds of one check, and the state that it found."""
    kernel.run(cell(exercise.target, text))
    timed = (
        "_before = time.perf_counter()\n"
        f"check({exercise.target!r})\n"
        "_taken = time.perf_counter() - _before\n"
        "import json as _json; from paddle_vit import notebook as _notebook\n"
        f"print(_json.dumps([_taken, _notebook._session.states[{exercise.target!r}]]))"
    )
    return json.loads(kernel.run(timed)[1])


def percentiles(values):
    values = sorted(values)
    last = len(values) - 1
    return f"{len(values):>7}{statistics.median(values):>8.3f}{values[round(0.95 * last)]:>8.3f}{values[last]:>8.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    lesson = load_lesson("vit")
    right, wrong, first, imports = [], [], [], []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import zlib, paddle"], stderr=subprocess.DEVNULL)
        imports.append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as folder:
            kernel = Kernel(folder)
            kernel.run(FIRST)
            kernel.run("def sincos_1d(num_positions, dim):\n    return num_positions")
            first.append(float(kernel.run("check('sincos_1d')\nprint(time.perf_counter() - began)")[1]))
            kernel.run(IMPORTS)
            for exercise in lesson.exercises:
                seconds, state = checked(kernel, exercise, solution_definition(exercise))
                assert state == "passed", exercise.target
                right.append(seconds)
                for mistake in exercise.mistakes:
                    seconds, state = checked(kernel, exercise, mistaken_source(exercise, mistake))
                    assert state != "passed", (exercise.target, mistake.name)
                    wrong.append(seconds)
            kernel.stop()
    print(f"{'seconds':<24}{'checks':>7}{'p50':>8}{'p95':>8}{'max':>8}")
    print(f"{'right':<24}{percentiles(right)}")
    print(f"{'wrong':<24}{percentiles(wrong)}")
    print(f"{'start() to first answer':<24}{percentiles(first)}")
    print(f"{'import paddle':<24}{percentiles(imports)}")


if __name__ == "__main__":
    main()
