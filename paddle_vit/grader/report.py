"""Show a report in a terminal."""

import sys
import textwrap

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from paddle_vit.grader.messages import STATES, say

MARKS = {
    "passed": ("✔", "green"),
    "wrong": ("✘", "red"),
    "error": ("✘", "red"),
    "timeout": ("✘", "red"),
    "not_started": ("·", "dim"),
    "missing": ("?", "yellow"),
}


def console():
    """Where everything is shown; plain text where there is no terminal."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def progress_bar(out, total, description):
    """A context manager; advance() it once an exercise."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )
    bar.add_task(description, total=total)
    return bar


def show_exercise(out, exercise, verdict, language):
    """One exercise: a line, and below it what there is to say."""
    mark, style = MARKS[verdict.state]
    points = f"{exercise.points if verdict.state == 'passed' else 0}/{exercise.points}"
    line = Text.assemble(
        (f" {mark} ", style),
        f"{exercise.id:<5}{exercise.target:<33}",
        (f"{points:>5}  ", "bold"),
        (f"{STATES[verdict.state][language]}  ", style),
        (exercise.title[language], "dim"),
    )
    out.print(line)
    if verdict.message and out.is_terminal:
        out.print(Padding(Text(verdict.message), (0, 0, 0, 8)), soft_wrap=False)  # wrapped to the window
    elif verdict.message:
        out.print(Text(textwrap.indent(verdict.message, " " * 8)))


def show_report(out, report, only=None):
    """The whole lesson: every exercise, the capstone, the score, what to do next; or one exercise alone."""
    language = report.language
    out.print(Text(say("grading", language, title=report.lesson.title[language], source=report.source), style="bold"))
    for exercise, verdict in zip(report.lesson.exercises, report.verdicts, strict=True):
        if only in (None, exercise):
            show_exercise(out, exercise, verdict, language)
    if only is not None:
        return
    for problem in report.problems:
        values = dict(unit=problem.unit.name, line=problem.line, message=problem.message)
        out.print(Text(say("unread", language, **values), style="yellow"))
    mark, style = MARKS[report.capstone.state]
    out.print(Text.assemble((f" {mark} ", style), (say("capstone", language), "bold"), report.capstone.message))
    out.print(Text(say("score", language, score=report.score, points=report.points), style="bold"))
    left = [
        exercise
        for exercise, verdict in zip(report.lesson.exercises, report.verdicts, strict=True)
        if verdict.state != "passed"
    ]
    if left:
        out.print(say("next", language, target=left[0].target), markup=False)
    elif report.all_passed:
        source = report.source.replace(", ", " ")
        out.print(say("done", language, lesson=report.lesson.name, source=source), markup=False)
