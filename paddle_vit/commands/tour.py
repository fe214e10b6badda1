"""tour: the whole course in three minutes, on real input."""

import time
from pathlib import Path

from paddle_vit.commands.common import Refused, add_language, language_of
from paddle_vit.grader.messages import say

# the mistake that the example hand-in makes
EXAMPLE = ("Attention.attention_weights", "softmax_over_queries")


def add_commands(subparsers):
    parser = subparsers.add_parser(
        "tour", help="see everything once: the grader, a training, the pictures (three minutes)"
    )
    parser.add_argument("--out", metavar="DIR", default="runs/tour", help="folder for the results (default: runs/tour)")
    parser.add_argument("--epochs", type=int, help="of the training (default: the recipe's)")
    add_language(parser)
    parser.set_defaults(run=run_tour)


def run_tour(args):
    from paddle_vit.exercises import load_lesson
    from paddle_vit.grader.collect import collect_sources
    from paddle_vit.grader.graft import load_reference
    from paddle_vit.grader.report import console, show_exercise, show_report
    from paddle_vit.grader.stubs import stub_file
    from paddle_vit.runtime import PaddleMissing, environment, require_paddle

    start = time.perf_counter()
    language = language_of(args)
    out = console()

    def heading(number):
        out.print()
        out.rule(f"[bold]{say(f'tour_{number}', language)}", align="left")

    heading(1)
    for name, text in environment().items():
        out.print(f"{name + ':':<16}{text}", markup=False)
    try:
        require_paddle()
    except PaddleMissing as error:
        raise Refused(error) from None

    lesson = load_lesson("vit")
    module = lesson.modules[0]
    reference = load_reference(module).text

    def show(name, text):
        return graded_quietly(lesson, collect_sources([(name, text)]), language)

    heading(2)
    report = show("lessons/vit/vit.py", stub_file(lesson, module))
    show_report(out, report)

    heading(3)
    exercise = lesson.find(EXAMPLE[0])
    text = with_mistake(lesson, reference)
    faulty = [line.strip() for line in text.splitlines() if line not in reference.splitlines()]
    out.print(say("tour_faulty", language, target=exercise.target, line="\n".join(faulty)), markup=False)
    report = show("example/vit.py", text)
    show_exercise(out, exercise, report.verdicts[lesson.exercises.index(exercise)], language)
    out.print(say("score", language, score=report.score, points=report.points), markup=False)

    heading(4)
    show_report(out, show("paddle_vit/models/vit.py", reference))

    heading(5)
    from paddle_vit.training.engine import train

    folder = Path(args.out)
    changes = {"epochs": args.epochs} if args.epochs else {}
    result = train("vit_digits", out=folder, **changes)
    out.print(say("tour_accuracy", language, accuracy=f"{result.test_accuracy:.1%}"), markup=False)

    heading(6)
    from paddle_vit.training.data import load_digits
    from paddle_vit.visualize.vit import attention_picture

    attention_picture(result.model, load_digits()[1].images[0], folder / "attention.png")
    for name in ("learning_curve.png", "attention.png", "metrics.jsonl"):
        out.print(f"  {folder / name}", markup=False)

    heading(7)
    out.print(say("tour_next", language), markup=False)
    out.print(say("tour_time", language, seconds=time.perf_counter() - start), markup=False, style="dim")
    return 0


def graded_quietly(lesson, hand_in, language):
    from paddle_vit.grader.grade import grade

    return grade(lesson, hand_in, language, seed=1)


def with_mistake(lesson, text):
    """The reference's text with the example's mistake in it."""
    exercise = lesson.find(EXAMPLE[0])
    mistake = next(mistake for mistake in exercise.mistakes if mistake.name == EXAMPLE[1])
    from paddle_vit.grader.graft import load_reference
    from paddle_vit.grader.mistakes import mistaken_source

    right = load_reference(exercise.module).source(exercise.target)
    return text.replace(right, mistaken_source(exercise, mistake))
