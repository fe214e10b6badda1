"""watch: grade the hand-in whenever it is saved, and show the one exercise that comes next."""

import contextlib
import os
import select
import sys
import time

from rich.progress_bar import ProgressBar
from rich.text import Text

from paddle_vit.commands.common import Refused, language_of, read_hand_in
from paddle_vit.commands.grading import graded
from paddle_vit.commands.learning import next_hint, reset_exercise
from paddle_vit.grader.messages import say
from paddle_vit.grader.project import Progress, fingerprint, is_learners_own
from paddle_vit.grader.report import console, show_exercise, show_report

POLL = 0.3  # seconds between two looks at the files


class Watch:
    def __init__(self, lesson, args, hand_in):
        self.lesson, self.args, self.hand_in = lesson, args, hand_in
        self.language = language_of(args, hand_in)
        self.out = console()
        self.report, self.place, self.sure = None, -1, False
        self.written = []  # fingerprints of the definitions when they were graded

    def grade(self):
        """Read the files again and grade them; a file that cannot be read is said, and waited for."""
        try:
            self.hand_in = read_hand_in(self.lesson, self.args.paths, self.args)
        except Refused as error:
            self.out.print(Text(str(error), style="red"))
            return
        before = self.states
        self.report = graded(self.lesson, self.hand_in, self.language)
        if is_learners_own(self.lesson, self.hand_in):
            Progress().record(self.report, self.hand_in)
        written, self.written = self.written, [fingerprint(one, self.hand_in) for one in self.lesson.exercises]
        changed = [place for place, now in enumerate(self.written) if written and now != written[place]]
        passed = [place for place in changed if self.states[place] == "passed" and before[place] != "passed"]
        self.place = self.first_to_do(changed)
        self.show()
        for place in passed:
            target = self.lesson.exercises[place].target
            self.out.print(Text(say("just_passed", self.language, target=target), style="green"))

    @property
    def states(self):
        return [verdict.state for verdict in self.report.verdicts] if self.report else []

    def first_to_do(self, changed):
        """What was just written, while it is not passed; else what is shown; else what fails; else what is left."""
        states = self.states
        failing = [place for place, state in enumerate(states) if state not in ("passed", "not_started")]
        left = [place for place, state in enumerate(states) if state != "passed"]
        here = [self.place] if self.place in left else []
        return next(iter([place for place in changed if place in failing] + here + failing + left), 0)

    @property
    def exercise(self):
        return self.lesson.exercises[self.place]

    def show(self):
        if self.out.is_terminal:
            self.out.clear()
        passed, total = self.states.count("passed"), len(self.states)
        self.out.print(ProgressBar(total=total, completed=passed, width=50))
        score = say("score", self.language, score=self.report.score, points=self.report.points)
        self.out.print(say("watch_bar", self.language, passed=passed, total=total) + "  " + score)
        if self.report.all_passed:
            show_report(self.out, self.report)
        else:
            show_exercise(self.out, self.exercise, self.report.verdicts[self.place], self.language)
        self.out.print(Text(say("watching", self.language, source=self.hand_in.source), style="dim"))

    def press(self, key):
        """Do what a key says; false to stop."""
        sure, self.sure = self.sure, False
        if key in ("q", "\x03", "\x04"):
            return False
        if self.report is None:
            self.grade()
        elif key == "h" and self.report.all_passed:
            self.out.print(say("all_finished", self.language), markup=False)
        elif key == "h":
            self.out.print(Text(next_hint(self.exercise, self.language)))
        elif key == "n":
            left = [place for place, verdict in enumerate(self.report.verdicts) if verdict.state != "passed"]
            self.place = next((place for place in left if place > self.place), left[0] if left else 0)
            self.show()
        elif key == "l":
            show_report(self.out, self.report)
        elif key == "c":
            self.grade()
        elif key == "r":
            if sure:
                try:
                    self.out.print(Text(reset_exercise(self.exercise, self.hand_in, self.language)))
                except Refused as error:
                    self.out.print(Text(str(error), style="red"))
            else:
                self.sure = True
                self.out.print(say("reset_sure", self.language, target=self.exercise.target), markup=False)
        return True


def watch(lesson, args, hand_in):
    """Run until q. Returns the exit status: 0 when everything is passed, else 1."""
    session = Watch(lesson, args, hand_in)
    with _keys() as pressed:  # from the start, so that no key is lost while the first grading runs
        session.grade()
        seen = _times(session.hand_in)
        while True:
            key = pressed(POLL)
            if key is not None and not session.press(key):
                break
            now = _times(session.hand_in)
            if now != seen:
                time.sleep(0.05)  # an editor may still be writing
                seen = _times(session.hand_in)
                session.grade()
    return 0 if session.report is not None and session.report.all_passed else 1


def _times(hand_in):
    times = {}
    for file in {unit.file for unit in hand_in.units}:
        with contextlib.suppress(OSError):  # between an editor's delete and rename there may be no file
            times[file] = os.stat(file).st_mtime_ns
    return times


@contextlib.contextmanager
def _keys():
    """A function(seconds) that waits for a key and returns it, or None; the terminal is left as it was."""
    try:
        import termios
        import tty

        before = termios.tcgetattr(sys.stdin)
    except Exception:  # no terminal, or Windows: the files alone are watched
        yield lambda seconds: time.sleep(seconds)
        return

    def pressed(seconds):
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return os.read(sys.stdin.fileno(), 1).decode(errors="replace") if ready else None

    tty.setcbreak(sys.stdin)
    try:
        yield pressed
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
