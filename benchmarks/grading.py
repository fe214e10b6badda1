"""What grading costs, in units of `import paddle` in a process of its own on the same machine, interleaved.

    python benchmarks/grading.py [--rounds 5]

Prints the median over the rounds of: importing Paddle; grading the whole of lesson 1 from a cold start, all right and
all wrong (every exercise holds one of its known mistakes); and --help, hint and reset. Machines are noisy: look at the
difference to, and the ratio with, the import of the same round.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from paddle_vit.exercises import load_lesson
from paddle_vit.grader.graft import load_reference
from paddle_vit.grader.stubs import stub_file


def all_wrong(lesson, number=0):
    """A hand-in in which every exercise makes one of its known mistakes."""
    from paddle_vit.grader.mistakes import mistaken_source

    text = load_reference(lesson.modules[0]).text
    for exercise in lesson.exercises:
        mistake = exercise.mistakes[number % len(exercise.mistakes)]
        right = load_reference(exercise.module).source(exercise.target)
        text = text.replace(right, mistaken_source(exercise, mistake))
    return text


def seconds(arguments, folder):
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    lesson = load_lesson("vit")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        stub = folder / "lessons" / "vit" / "vit.py"
        stub.parent.mkdir(parents=True)
        stub.write_text(stub_file(lesson, lesson.modules[0]), encoding="utf-8")
        (folder / "right.py").write_text(load_reference(lesson.modules[0]).text, encoding="utf-8")
        for number in range(3):
            (folder / f"wrong{number}.py").write_text(all_wrong(lesson, number), encoding="utf-8")
        command = ["-m", "paddle_vit"]
        measured = {
            "import paddle": ["-c", "import zlib, paddle"],
            "grade, all right": [*command, "grade", "vit", "right.py"],
            "grade, all wrong (first mistakes)": [*command, "grade", "vit", "wrong0.py"],
            "grade, all wrong (second mistakes)": [*command, "grade", "vit", "wrong1.py"],
            "grade, all wrong (third mistakes)": [*command, "grade", "vit", "wrong2.py"],
            "--help": [*command, "--help"],
            "hint": [*command, "hint", "vit", "1.9"],
            "reset": [*command, "reset", "Mlp.forward"],
        }
        times = {name: [] for name in measured}
        for arguments in measured.values():  # once, not counted: compiles bytecode, fills the disk cache
            seconds(arguments, folder)
        for _ in range(rounds):
            for name, arguments in measured.items():
                times[name].append(seconds(arguments, folder))
    base = statistics.median(times["import paddle"])
    print(f"{'':<36}{'seconds':>9}{'- import':>10}{'/ import':>10}")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:<36}{median:>9.2f}{median - base:>10.2f}{median / base:>10.2f}")


if __name__ == "__main__":
    main()
