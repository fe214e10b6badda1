"""Grade a hand-in: every exercise by itself, several at once, then the whole as one model."""

import contextlib
import json
import os
import random
import select
import signal
import time
import warnings
from dataclasses import asdict, dataclass, field

from paddle_vit.grader import confine
from paddle_vit.grader.isolate import can_fork
from paddle_vit.grader.messages import say
from paddle_vit.grader.preflight import Verdict, preflight


@dataclass
class Report:
    """Verdicts of a lesson; verdicts follow lesson.exercises, capstone is None until it was considered."""

    lesson: object
    source: str
    seed: int
    language: str
    verdicts: list = field(default_factory=list)
    capstone: Verdict | None = None
    problems: list = field(default_factory=list)  # text that Python cannot read and that is no exercise
    only: object = None  # the one Exercise that was asked for

    @property
    def points(self):
        return sum(exercise.points for exercise in self.lesson.exercises)

    @property
    def score(self):
        """An exercise gives all of its points or none."""
        pairs = zip(self.lesson.exercises, self.verdicts, strict=True)
        return sum(exercise.points for exercise, verdict in pairs if verdict.state == "passed")

    @property
    def all_passed(self):
        return all(verdict.state == "passed" for verdict in [*self.verdicts, self.capstone])

    def as_dict(self):
        """What --json prints."""
        exercises = [
            {
                "id": exercise.id,
                "target": exercise.target,
                "title": exercise.title[self.language],
                "state": verdict.state,
                "score": exercise.points if verdict.state == "passed" else 0,
                "points": exercise.points,
                "message": verdict.message,
                "mistake": verdict.mistake,
                "seconds": verdict.seconds,
            }
            for exercise, verdict in zip(self.lesson.exercises, self.verdicts, strict=True)
            if self.only in (None, exercise)
        ]
        capstone = {"state": self.capstone.state, "message": self.capstone.message}
        return {
            "lesson": self.lesson.name,
            "source": self.source,
            "seed": self.seed,
            "score": self.score,
            "points": self.points,
            "exercises": exercises,
            "capstone": capstone,
        }


class Cancelled(Exception):
    """Nobody waits for the verdicts any more; everything that ran for them has ended."""


def grade(lesson, hand_in, language, seed=None, only=None, on_verdict=None, cancel=None):
    """Grade a hand-in.

    Args:
        lesson: a Lesson.
        hand_in: a HandIn.
        language: "zh" or "en", of the messages.
        seed: of the random inputs; drawn anew when None.
        only: one Exercise to grade alone; the others, and the capstone, are then left out of the verdicts as
            not_started.
        on_verdict: called with (exercise, verdict) as soon as each is known.
        cancel: a file descriptor; as soon as it can be read while judges run, they are ended (where fork is missing it
            is not looked at).

    Returns:
        Report

    Raises:
        Cancelled: see cancel.
    """
    seed = random.SystemRandom().randrange(1, 10**6) if seed is None else seed
    report = Report(lesson, hand_in.source, seed, language, only=only)
    targets = {exercise.target for exercise in lesson.exercises}
    of_exercises = [problem for name, problem in hand_in.unreadable.items() if name in targets]
    report.problems = [problem for problem in hand_in.problems if problem not in of_exercises]
    verdicts, to_run = {}, []
    for exercise in lesson.exercises:
        known = preflight(exercise, hand_in, language) if only in (None, exercise) else Verdict("not_started")
        if isinstance(known, Verdict):
            verdicts[exercise] = known
            if on_verdict:
                on_verdict(exercise, known)
        else:
            to_run.append(exercise)
    if to_run:
        warm(lesson)
        for exercise, verdict in judge_each(lesson, to_run, hand_in, seed, language, cancel):
            verdicts[exercise] = verdict
            if on_verdict:
                on_verdict(exercise, verdict)
    report.verdicts = [verdicts[exercise] for exercise in lesson.exercises]
    if only is None and all(verdict.state == "passed" for verdict in report.verdicts):
        ((_, report.capstone),) = judge_each(lesson, [None], hand_in, seed, language, cancel)
    else:
        report.capstone = Verdict("not_started", say("capstone_waits", language))
    return report


_warmed = False


def warm(lesson=None):
    """Load Paddle and run everything once, so that the processes forked from here start with it done."""
    global _warmed
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a grader shares its machine with the learner's training
    os.environ["OMP_NUM_THREADS"] = "1"  # whatever the user has set: the cores are shared by several judges
    from paddle_vit.runtime import require_paddle

    require_paddle()
    if _warmed or lesson is None:
        return
    from paddle_vit.grader.judge import run_once

    run_once(lesson)
    _warmed = True


def judge_each(lesson, exercises, hand_in, seed, language, cancel=None):
    """Yield (exercise, verdict) in the order in which they are done; None stands for the capstone. See grade."""
    from paddle_vit.grader.judge import Trial

    if not can_fork():
        for exercise in exercises:
            yield exercise, Trial(lesson, exercise, hand_in, seed, language).run()
        return
    waiting, running = list(exercises), {}
    try:
        while waiting or running:
            while waiting and len(running) < _jobs():
                exercise = waiting.pop(0)
                running[_start(lesson, exercise, hand_in, seed, language)] = exercise
            watched = [judge.pipe for judge in running] + ([] if cancel is None else [cancel])
            ready, _, _ = select.select(watched, [], [], 0.5)
            if cancel in ready:
                raise Cancelled
            for judge in [judge for judge in running if judge.pipe in ready or judge.overdue()]:
                verdict = judge.read()
                if verdict is not None:
                    yield running.pop(judge), verdict or Verdict("error", say("judge_died", language))
    finally:
        for judge in running:
            judge.end()


def _jobs():
    return max(1, min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2, 4))


def _start(lesson, exercise, hand_in, seed, language):
    """Fork a process that judges one exercise: what the learner's code does to its parent costs that one alone."""
    from paddle_vit.grader.judge import Trial

    parent = os.getpid()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: of Paddle's threads, which fork well
        pid = os.fork()
    if pid:
        os.close(writing)
        return _Judge(pid, reading, time.monotonic() + (exercise.seconds if exercise else 30.0) + 60.0)
    try:
        confine.die_with_parent()  # and the learner's process with this one
        if os.getppid() != parent:  # it ended before that line
            os._exit(1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops on Ctrl-C and takes this process with it
        os.close(reading)
        verdict = Trial(lesson, exercise, hand_in, seed, language).run()
        data = json.dumps(asdict(verdict)).encode()
        while data:
            data = data[os.write(writing, data) :]
    finally:
        os._exit(0)


class _Judge:
    def __init__(self, pid, pipe, deadline):
        self.pid, self.pipe, self.deadline, self.data = pid, pipe, deadline, b""

    def overdue(self):
        return time.monotonic() > self.deadline

    def read(self):
        """None while there is more to come, then the Verdict, or False when the process died before it gave one."""
        if not self.overdue():
            part = os.read(self.pipe, 65536)
            self.data += part
            if part:
                return None
        self.end()
        try:
            return Verdict(**json.loads(self.data))
        except (ValueError, TypeError):
            return False

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self.pipe)
