"""hint, reset, solution and progress: what needs no Paddle."""

import json
import time
from pathlib import Path

from paddle_vit.commands.common import Refused, add_language, find_exercise, find_lesson, language_of, read_hand_in
from paddle_vit.exercises import lesson_names, load_lesson
from paddle_vit.grader.graft import first_line
from paddle_vit.grader.messages import STATES, say
from paddle_vit.grader.preflight import choose
from paddle_vit.grader.project import Progress, shown
from paddle_vit.grader.stubs import is_finished, solution_definition, stub_definition


def add_commands(subparsers):
    parser = subparsers.add_parser("hint", help="the next hint for an exercise")
    _add_target(parser, "without one, the first exercise of the lesson that is not passed")
    parser.add_argument("--all", action="store_true", help="all hints at once")
    add_language(parser)
    parser.set_defaults(run=run_hint)

    parser = subparsers.add_parser("reset", help="make one exercise a stub again, keeping a backup")
    _add_target(parser, "of the exercise")
    parser.add_argument("--file", metavar="PATH", help="the file or notebook (default: the learner's own)")
    add_language(parser)
    parser.set_defaults(run=run_reset)

    parser = subparsers.add_parser("solution", help="your code beside the reference, once it is passed")
    _add_target(parser, "of the exercise")
    parser.add_argument("--reveal", action="store_true", help="show it before it is passed")
    parser.add_argument("--file", metavar="PATH", help="the file or notebook (default: the learner's own)")
    add_language(parser)
    parser.set_defaults(run=run_solution)

    parser = subparsers.add_parser("progress", help="what is passed and what is left")
    parser.add_argument("lesson", metavar="LESSON", nargs="?", help="default: all lessons")
    add_language(parser)
    parser.set_defaults(run=run_progress)


def _add_target(parser, explanation):
    parser.add_argument(
        "target", metavar="TARGET", nargs="+", help=f"LESSON, LESSON TARGET or TARGET; name or number, {explanation}"
    )


def _find(words, args):
    """(lesson, exercise or None) of "vit", "vit 1.4", "vit Attention.forward", "Attention.forward"."""
    if len(words) > 2:
        raise Refused(f"expected LESSON TARGET, got {' '.join(words)!r}")
    if len(words) == 2:
        return find_exercise(words[1], args, words[0])
    if words[0] in lesson_names():
        return load_lesson(words[0]), None
    return find_exercise(words[0], args)


def _hand_in(lesson, args, path=None):
    try:
        return read_hand_in(lesson, [path] if path else [], args)
    except Refused:
        if path:
            raise
        return None  # hints and solutions need no hand-in


def run_hint(args):
    lesson, exercise = _find(args.target, args)
    hand_in = _hand_in(lesson, args)
    language = language_of(args, hand_in)
    if exercise is None:
        progress = Progress()
        left = [one for one in lesson.exercises if progress.state(one, hand_in) != "passed"]
        if not left:
            print(say("all_finished", language))
            return 0
        exercise = left[0]
    if args.all:
        for number in range(len(exercise.hints)):
            print(_hint(exercise, number, language))
        return 0
    print(next_hint(exercise, language))
    return 0


def next_hint(exercise, language, last="last_hint", more="more_hints"):
    """The next hint of an exercise that was not shown yet, the last again and again; remembered in the project.

    last and more are the messages that follow the last hint and any other.
    """
    progress = Progress()
    entry = progress.entry(exercise.target)
    number = min(entry.get("hints", 0), len(exercise.hints) - 1)
    entry["hints"] = number + 1
    progress.save()
    then = last if number + 1 == len(exercise.hints) else more
    return _hint(exercise, number, language) + "\n" + say(then, language, target=exercise.target)


def _hint(exercise, number, language):
    values = dict(target=exercise.target, number=number + 1, total=len(exercise.hints))
    return say("hint", language, hint=exercise.hints[number][language], **values)


def run_reset(args):
    lesson, exercise = _find(args.target, args)
    if exercise is None:
        raise Refused(
            f"which exercise? paddle-vit reset {lesson.name} TARGET; paddle-vit progress {lesson.name} lists them"
        )
    hand_in = read_hand_in(lesson, [args.file] if args.file else [], args)
    print(reset_exercise(exercise, hand_in, language_of(args, hand_in)))
    return 0


def reset_exercise(exercise, hand_in, language):
    """Put the stub in the place of the learner's definition, in the file or the notebook's cell where it stands.

    Returns:
        what to say

    Raises:
        Refused: it is not there, or the text around it cannot be read; the file is then as it was.
    """
    definition = choose(exercise, hand_in)[0]
    problem = hand_in.unreadable.get(exercise.target)
    if definition is None and problem:
        values = dict(path=problem.unit.file, line=problem.line, message=problem.message)
        raise Refused(say("reset_unreadable", language, **values))
    if definition is None or not hasattr(definition.node, "body"):
        raise Refused(say("reset_missing", language, path=hand_in.source, target=exercise.target))
    path, node = Path(definition.unit.file), definition.node
    if not is_finished(exercise, node):
        raise Refused(say("reset_untouched", language, target=exercise.target))
    first = first_line(node)
    stub = stub_definition(exercise)
    before = path.read_bytes()
    if path.suffix == ".ipynb":
        notebook = json.loads(before.decode("utf-8-sig"))
        number = int(definition.unit.name.rsplit(" ", 1)[1])
        cell = notebook["cells"][number - 1]
        joined = not isinstance(cell["source"], str)
        text = _replaced("".join(cell["source"]), first, node.end_lineno, stub)
        cell["source"] = text.splitlines(keepends=True) if joined else text
        after = (json.dumps(notebook, ensure_ascii=False, indent=1) + "\n").encode()
    else:
        text = before.decode("utf-8-sig")
        newline = "\r\n" if "\r\n" in text else "\n"
        text = _replaced(text.replace("\r\n", "\n").replace("\r", "\n"), first, node.end_lineno, stub)
        after = text.replace("\n", newline).encode()
    backup = keep_backup(path, before)
    path.write_bytes(after)
    return say("reset_done", language, target=exercise.target, path=shown(path), backup=shown(backup))


def _replaced(text, first, last, stub):
    lines = text.splitlines(keepends=True)
    return "".join(lines[: first - 1]) + stub + "".join(lines[last:])


def keep_backup(path, content):
    """Write content beside path under a name that was free; returns the name."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for number in range(1000):
        backup = path.with_name(f"{path.name}.bak-{stamp}" + (f"-{number}" if number else ""))
        try:
            with open(backup, "xb") as file:
                file.write(content)
            return backup
        except FileExistsError:
            continue
    raise Refused(f"no free name for a backup of {path}")


def run_solution(args):
    lesson, exercise = _find(args.target, args)
    if exercise is None:
        raise Refused(f"which exercise? paddle-vit solution {lesson.name} TARGET")
    hand_in = _hand_in(lesson, args, args.file)
    language = language_of(args, hand_in)
    if not args.reveal and Progress().state(exercise, hand_in) != "passed":
        raise Refused(say("solution_locked", language, target=exercise.target))
    import textwrap

    from rich.panel import Panel  # rich is loaded only here: hint and reset stay fast
    from rich.syntax import Syntax
    from rich.table import Table

    from paddle_vit.grader.report import console

    def panel(title, text):
        return Panel(Syntax(textwrap.dedent(text).rstrip(), "python", word_wrap=True, theme="ansi_light"), title=title)

    out = console()
    ours = panel(say("solution_ours", language), without_docstring(solution_definition(exercise)))
    definition = choose(exercise, hand_in)[0] if hand_in else None
    if definition is None or not is_finished(exercise, definition.node) or not hasattr(definition.node, "body"):
        out.print(ours, soft_wrap=False)
        return 0
    lines = definition.unit.text.splitlines(keepends=True)
    theirs = "".join(lines[definition.node.lineno - 1 : definition.node.end_lineno])
    theirs = panel(say("solution_theirs", language), without_docstring(theirs))
    if out.width >= 140:
        grid = Table.grid(expand=True)
        grid.add_column(ratio=1)
        grid.add_column(ratio=1)
        grid.add_row(theirs, ours)
        out.print(grid, soft_wrap=False)
    else:
        out.print(theirs, soft_wrap=False)
        out.print(ours, soft_wrap=False)
    return 0


def without_docstring(text):
    """The text of a definition without its docstring, at the left margin."""
    import ast
    import textwrap

    text = textwrap.dedent(text)
    body = ast.parse(text).body[0].body
    first = body[0]
    if len(body) > 1 and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines = text.splitlines(keepends=True)
        return "".join(lines[: first.lineno - 1] + lines[first.end_lineno :])
    return text


def run_progress(args):
    from paddle_vit.grader.report import MARKS, console

    out = console()
    progress = Progress()
    for lesson in [find_lesson(args.lesson)] if args.lesson else [load_lesson(name) for name in lesson_names()]:
        hand_in = _hand_in(lesson, args)
        language = language_of(args, hand_in)
        states = [progress.state(exercise, hand_in) for exercise in lesson.exercises]
        passed = [exercise for exercise, state in zip(lesson.exercises, states, strict=True) if state == "passed"]
        values = dict(
            title=lesson.title[language],
            passed=len(passed),
            total=len(lesson.exercises),
            score=sum(exercise.points for exercise in passed),
            points=sum(exercise.points for exercise in lesson.exercises),
        )
        out.print(say("progress_score", language, **values), style="bold", markup=False)
        for exercise, state in zip(lesson.exercises, states, strict=True):
            mark, style = MARKS.get(state, ("~", "yellow"))
            said = STATES[state][language] if state else say("progress_unknown", language)
            out.print(f" {mark} {exercise.id:<5}{exercise.target:<33}{said}", style=style, markup=False)
    return 0
