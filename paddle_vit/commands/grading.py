"""grade and watch."""

import json
from pathlib import Path

from paddle_vit.commands.common import Refused, add_language, find_exercise, find_lesson, language_of, read_hand_in
from paddle_vit.grader.messages import say
from paddle_vit.grader.project import Progress, is_learners_own


def add_commands(subparsers):
    parser = subparsers.add_parser(
        "grade",
        help="grade a hand-in",
        description="Grade every exercise of a lesson. Exit status: 0 all passed, 1 not all, 2 could not grade.",
    )
    parser.add_argument("lesson", metavar="LESSON")
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="files, notebooks or folders that hold the hand-in between them (default: lessons/LESSON or its notebook, "
        "whichever has more finished exercises)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", metavar="TARGET", help="one exercise, by name or number")
    parser.add_argument("--seed", type=_seed, help="of the random inputs, to repeat an earlier run")
    add_language(parser)
    parser.set_defaults(run=run_grade)

    parser = subparsers.add_parser(
        "watch", help="grade whenever a file is saved", description="Grade whenever a file of the hand-in is saved."
    )
    parser.add_argument("lesson", metavar="LESSON")
    parser.add_argument("paths", metavar="PATH", nargs="*", help="as for grade")
    add_language(parser)
    parser.set_defaults(run=run_watch)


def _seed(text):
    seed = int(text)
    if not 0 < seed < 10**9:
        raise ValueError
    return seed


def run_grade(args):
    lesson = find_lesson(args.lesson)
    for path in args.paths:
        if not Path(path).exists() and path in {name for e in lesson.exercises for name in (e.id, e.target)}:
            raise Refused(say("did_you_mean_only", language_of(args), path=path, lesson=lesson.name))
    hand_in = read_hand_in(lesson, args.paths, args)
    language = language_of(args, hand_in)
    only = find_exercise(args.only, args, lesson.name)[1] if args.only else None
    if not any(exercise.target in hand_in.definitions for exercise in lesson.exercises) and not hand_in.problems:
        raise Refused(say("no_hand_in", language, path=hand_in.source))
    from paddle_vit.grader.report import console, progress_bar, show_report

    out = console()
    if args.json:
        report = graded(lesson, hand_in, language, args.seed, only)
    else:
        with progress_bar(out, len(lesson.exercises), say("grading_now", language)) as bar:
            report = graded(lesson, hand_in, language, args.seed, only, lambda *_: bar.advance(bar.task_ids[0]))
    if is_learners_own(lesson, hand_in):  # before anything is printed: whoever reads it may stop reading
        Progress().record(report, hand_in)
    if args.json:
        print(json.dumps(report.as_dict(), ensure_ascii=False, indent=1))
    else:
        show_report(out, report, only)
    if only:
        return 0 if report.verdicts[lesson.exercises.index(only)].state == "passed" else 1
    return 0 if report.all_passed else 1


def graded(lesson, hand_in, language, seed=None, only=None, on_verdict=None):
    """grader.grade.grade, with a missing Paddle as Refused."""
    from paddle_vit.grader.grade import grade
    from paddle_vit.runtime import PaddleMissing

    try:
        return grade(lesson, hand_in, language, seed, only, on_verdict)
    except PaddleMissing as error:
        raise Refused(error) from None


def run_watch(args):
    from paddle_vit.commands.watch import watch

    lesson = find_lesson(args.lesson)
    hand_in = read_hand_in(lesson, args.paths, args)
    return watch(lesson, args, hand_in)
