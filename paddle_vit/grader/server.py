"""A grader that stays warm beside a notebook: a process of its own, and in the kernel the object that asks it.

Requests and answers are JSON, a line each, and carry a number. The kernel is synchronous: while the process judges, the
only thing that can arrive on its stdin is the end, and then it stops at once with everything below it.
"""

import contextlib
import io
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

from paddle_vit.grader import confine
from paddle_vit.grader.isolate import can_fork

_PACKAGE = Path(__file__).resolve().parents[2]  # the folder that holds paddle_vit


# --- in the kernel ----------------------------------------------------------------------------------------------------


class GraderDied(Exception):
    """The process ended twice in a row; the message is the last line that it wrote."""


class Grader:
    """Starts the grader process and asks it. The process begins to load Paddle as soon as this is created."""

    def __init__(self, lesson):
        self.lesson, self.number, self.process = lesson, 0, None
        self.start()

    def start(self):
        """Start a fresh process, which knows nothing of earlier questions; an old one is ended."""
        if self.process is not None:
            self.end()
        self.errors = tempfile.TemporaryFile()
        path = os.pathsep.join(filter(None, [str(_PACKAGE), os.environ.get("PYTHONPATH")]))
        # Apart from the kernel's group, so that an interrupted cell does not reach it (Windows: CREATE_NEW_PROCESS_GROUP)
        apart = {"start_new_session": True} if os.name == "posix" else {"creationflags": 0x200}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "paddle_vit.grader.server", self.lesson, *map(os.path.abspath, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            cwd=_PACKAGE,  # -m looks here first: a learner's folder may hold a paddle.py
            env={**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
            bufsize=0,  # closing stdin must not wait for half a request to be taken
            **apart,
        )
        self.answers = queue.SimpleQueue()
        threading.Thread(target=_read_lines, args=(self.process.stdout, self.answers), daemon=True).start()

    def ask(self, **request):
        """Send a request and wait for its answer, a dict. A process that is dead is replaced, once.

        Raises:
            GraderDied: so is its successor.
            KeyboardInterrupt: the process and what it ran are ended, a fresh one is starting.
        """
        try:
            for _ in range(2):
                self.number += 1
                answer = self._ask({"id": self.number, **request})
                if answer is not None:
                    return answer
                self.end()
                last_words = self._last_words()
                self.start()
            raise GraderDied(last_words)
        except KeyboardInterrupt:
            self.start()
            raise

    def _ask(self, request):
        """The answer, or None when the process ended before it gave one."""
        try:
            rest = json.dumps(request).encode() + b"\n"
            while rest:
                rest = rest[self.process.stdin.write(rest) :]
        except (OSError, ValueError):  # it is dead, or an interrupted start() closed its stdin
            return None
        while True:
            try:
                line = self.answers.get(timeout=0.2)  # in short turns: Windows notices Ctrl-C only between them
            except queue.Empty:
                if self.process.poll() is None or not self.answers.empty():
                    continue
                return None  # dead, but something else holds its stdout open
            if not line:
                return None
            with contextlib.suppress(ValueError):  # a line that it was cut off in
                answer = json.loads(line)
                if answer["id"] == request["id"]:
                    return answer

    def _last_words(self):
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else ''} (exit status {self.process.returncode})".strip()

    def end(self):
        """End the process and what it runs; returns when it is gone."""
        self.process.stdin.close()
        try:
            self.process.wait(0.5)
        except subprocess.TimeoutExpired:  # still loading Paddle, or stuck
            self.process.kill()
            self.process.wait()


def _read_lines(stream, lines):
    for line in io.BufferedReader(stream):
        lines.put(line)
    lines.put(b"")


# --- in the process ---------------------------------------------------------------------------------------------------


def main():
    """Load Paddle, then answer requests until stdin ends. Arguments: the lesson to warm up for, folders to import from."""
    confine.die_with_parent()  # the kernel, even if it is killed while this one still loads Paddle
    confine.adopt_orphans()
    answers = open(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, stdout is for answers
    sys.path += [folder for folder in sys.argv[2:] if folder not in sys.path]
    try:
        from paddle_vit.exercises import load_lesson
        from paddle_vit.grader.grade import Cancelled, warm

        warm(load_lesson(sys.argv[1]))
        for line in _requests():
            try:
                answer = answer_to(json.loads(line))
            except Cancelled:
                break
            except Exception as error:  # the grader's own fault, never the learner's
                traceback.print_exc()
                number = json.loads(line).get("id")
                answer = {"id": number, "problem": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(answer).encode() + b"\n")
            answers.flush()
    except Exception as error:
        print(f"{type(error).__name__}: {error}".replace("\n", " "), file=sys.stderr, flush=True)
        _leave(1)
    _leave()


def _requests():
    """Lines from stdin; ends with it. Without fork a thread reads, and its end ends the process, even while it judges."""
    if can_fork():
        yield from iter(sys.stdin.buffer.readline, b"")
        return
    lines = queue.SimpleQueue()

    def read():
        for line in sys.stdin.buffer:
            lines.put(line)
        _leave()

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield lines.get()


def _leave(status=0):
    if os.name == "nt":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(os.getpid())], capture_output=True)
    confine.end_descendants(set())
    os._exit(status)


def answer_to(request):
    """Grade what a request holds: lesson, target (None: everything), language, units, and root, where progress is kept."""
    from paddle_vit.exercises import load_lesson
    from paddle_vit.grader.grade import grade
    from paddle_vit.grader.project import Progress
    from paddle_vit.grader.session import session_hand_in

    lesson = load_lesson(request["lesson"])
    only = lesson.find(request["target"]) if request["target"] else None
    hand_in = session_hand_in(request["units"], lesson, only)
    report = grade(lesson, hand_in, request["language"], only=only, cancel=0 if can_fork() else None)
    if request["root"]:
        Progress(Path(request["root"])).record(report, hand_in)
    return {"id": request["id"], "report": report.as_dict()}


if __name__ == "__main__":
    main()
