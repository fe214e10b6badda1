"""What the grader's tests share."""

import os
import textwrap
from pathlib import Path

from paddle_vit.exercises import lesson_names, load_lesson
from paddle_vit.grader import wire
from paddle_vit.grader.collect import collect_sources
from paddle_vit.grader.grade import grade
from paddle_vit.grader.graft import load_reference
from paddle_vit.grader.preflight import Verdict, preflight
from paddle_vit.grader.stubs import stub_file

LESSONS = [load_lesson(name) for name in lesson_names()]
EXERCISES = [exercise for lesson in LESSONS for exercise in lesson.exercises]

# Seeds of the slow tests: a mistake that only one seed in three shows passes all eight once in 25 times. Before a release,
# or after a change to cases, take more: PADDLE_VIT_TEST_SEEDS=40
SEEDS = range(200, 200 + int(os.environ.get("PADDLE_VIT_TEST_SEEDS", 8)))

# most tests need some lesson, no matter which: the first
LESSON = load_lesson("vit")
REFERENCE = load_reference("paddle_vit.models.vit").text
STUB = stub_file(LESSON, "paddle_vit.models.vit")


def find_exercise(target):
    """The exercise of any lesson with this target."""
    return next(exercise for exercise in EXERCISES if exercise.target == target)


def in_class(target, text, before=""):
    """The text of a definition as a file: methods inside their class, helpers before it."""
    owner = target.rpartition(".")[0]
    text = textwrap.dedent(text)
    if owner:
        text = f"class {owner}(nn.Layer):\n" + textwrap.indent(text, "    ")
    return textwrap.dedent(before) + "\n\n" + text


def with_definition(exercise, text, base=REFERENCE):
    """A whole file in which the reference's (or the stub's) definition is replaced by text, indented as it must be."""
    from paddle_vit.grader.stubs import stub_definition

    old = load_reference(exercise.module).source(exercise.target) if base is REFERENCE else stub_definition(exercise)
    assert base.count(old) == 1
    indent = "    " if "." in exercise.target else ""
    return base.replace(old, textwrap.indent(textwrap.dedent(text).strip("\n") + "\n", indent))


def judge_here(exercise, text, seed, name="vit.py"):
    """The verdict on a trusted text, without a child process (the same graft, observation and comparison)."""
    from paddle_vit.grader.judge import Trial

    hand_in = collect_sources([(name, text)])
    known = preflight(exercise, hand_in, "en")
    if isinstance(known, Verdict):
        return known
    trial = Trial(load_lesson(exercise.lesson), exercise, hand_in, seed, "en")
    return trial.compare(trial.expected(), wire.decode(trial.answer()))


def grade_text(text, only=None, name="vit.py", language="en", seed=7):
    """The report on a text, through child processes as for a learner."""
    only = LESSON.find(only) if isinstance(only, str) else only
    return grade(LESSON, collect_sources([(name, text)]), language, seed=seed, only=only)


def verdict_of(report, target):
    return report.verdicts[LESSON.exercises.index(LESSON.find(target))]


def below(pid):
    """Ids of a process's descendants."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, parent = int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += [number, *below(number)]
    return found
