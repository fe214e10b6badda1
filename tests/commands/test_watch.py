"""watch, in a real terminal."""

import os
import select
import signal
import sys
import time
from pathlib import Path

import pytest
from helpers import LESSON, STUB

from paddle_vit.grader.stubs import solution_definition, stub_definition

pty = pytest.importorskip("pty")
ROOT = Path(__file__).parents[2]


class Terminal:
    """A process at a terminal of its own."""

    def __init__(self, arguments, folder, language):
        self.shown = ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(PYTHONPATH=str(ROOT), PADDLE_VIT_LANG=language, COLUMNS="120", LINES="40", TERM="xterm")
            os.execv(sys.executable, [sys.executable, "-m", "paddle_vit", *arguments])

    def wait_for(self, text, seconds=40):
        """Read until text is shown; forgets what came before it."""
        end = time.monotonic() + seconds
        while text not in self.shown:
            ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text!r} was not shown within {seconds} s, but: {self.shown[-2000:]}"
            try:
                self.shown += os.read(self.master, 65536).decode("utf-8", "replace")
            except OSError:
                raise AssertionError(f"ended before {text!r}: {self.shown[-2000:]}") from None
        before, _, self.shown = self.shown.partition(text)
        return before

    def press(self, key):
        os.write(self.master, key.encode())

    def end(self):
        """The exit status."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            select.select([self.master], [], [], 0.1)
            try:
                os.read(self.master, 65536)
            except OSError:
                pass
        raise AssertionError("it did not end")

    def kill(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.master)


@pytest.mark.parametrize(
    ("language", "words"), [("en", ("not started", "passed", "Watching")), ("zh", ("未开始", "通过", "正在监视"))]
)
def test_a_session(tmp_path, language, words):
    not_started, passed, watching = words
    path = tmp_path / "lessons" / "vit" / "vit.py"
    path.parent.mkdir(parents=True)
    path.write_text(STUB, encoding="utf-8")
    first, second = LESSON.exercises[0], LESSON.exercises[1]
    terminal = Terminal(["watch", "vit"], tmp_path, language)
    try:
        assert first.target in terminal.wait_for(not_started)
        terminal.wait_for(watching)
        terminal.press("h")
        terminal.wait_for(first.hints[0][language][:15])

        # a mistake is saved and named
        wrong = solution_definition(first).replace("stride=self.patch_size", "stride=1")
        text = STUB.replace(stub_definition(first), wrong)
        path.write_text(text, encoding="utf-8")
        terminal.wait_for(first.mistakes[0].says[language][:12])
        terminal.wait_for(watching)

        # corrected: the next exercise is shown
        path.write_text(STUB.replace(stub_definition(first), solution_definition(first)), encoding="utf-8")
        terminal.wait_for("1/20")
        terminal.wait_for(second.target)
        terminal.wait_for(watching)
        terminal.press("n")
        terminal.wait_for(LESSON.exercises[2].target)
        terminal.wait_for(watching)
        terminal.press("l")
        terminal.wait_for(LESSON.exercises[-1].target)

        # a file that is gone for a moment is waited for
        moved = path.rename(tmp_path / "moved.py")
        time.sleep(0.8)
        moved.rename(path)
        terminal.press("c")
        terminal.wait_for("1/20")
        terminal.press("q")
        assert terminal.end() == 1
    finally:
        terminal.kill()
