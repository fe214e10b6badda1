"""What can be said of an exercise before anything runs: is it there, begun, readable, callable?"""

import ast
import difflib
from dataclasses import dataclass

from paddle_vit.grader.graft import load_reference
from paddle_vit.grader.messages import say
from paddle_vit.grader.stubs import is_finished


@dataclass
class Verdict:
    """What is said of one exercise. mistake is the name of the known mistake that the answer equals, or None."""

    state: str  # passed, wrong, error, timeout, not_started, missing
    message: str = ""
    mistake: str | None = None
    seconds: float = 0.0


def choose(exercise, hand_in):
    """The Definition that counts: in each file the last that is finished, over all files the one that is finished.

    Returns:
        (definition, None), (None, None) where there is none, or (definition, other) where two files finished it.
    """
    by_file = {}
    for definition in hand_in.definitions.get(exercise.target, []):
        before = by_file.get(definition.unit.file)
        if before is None or is_finished(exercise, definition.node) or not is_finished(exercise, before.node):
            by_file[definition.unit.file] = definition
    finished = [definition for definition in by_file.values() if is_finished(exercise, definition.node)]
    if finished:
        return finished[0], (finished[1] if len(finished) > 1 else None)
    return next(iter(by_file.values()), None), None


def whole_hand_in(lesson, hand_in):
    """Module -> all Definitions of a hand-in, exercises and whatever else of the reference it holds."""
    definitions = {name: [] for name in lesson.modules}
    exercises = {exercise.target: exercise for exercise in lesson.exercises}
    for name in lesson.modules:
        for target, node in load_reference(name).definitions.items():
            if target in hand_in.definitions and not isinstance(node, ast.ClassDef):
                exercise = exercises.get(target)
                definitions[name].append(choose(exercise, hand_in)[0] if exercise else hand_in.definitions[target][-1])
    return definitions


def constructors(lesson, hand_in):
    """Definitions of all constructors that a learner has written, right or wrong."""
    chosen = [(e, choose(e, hand_in)[0]) for e in lesson.exercises if e.target.endswith("__init__")]
    return [found for exercise, found in chosen if found is not None and is_finished(exercise, found.node)]


def preflight(exercise, hand_in, language):
    """What can be said without running anything: a Verdict, or the Definition to run."""
    target = exercise.target
    definition, other = choose(exercise, hand_in)
    if other is not None:
        files = dict(first=definition.unit.file, second=other.unit.file)
        return Verdict("error", say("twice", language, target=target, **files))
    if definition is None or not is_finished(exercise, definition.node):
        problem = hand_in.unreadable.get(target) or hand_in.unreadable.get(target.split(".")[0])
        if problem:
            text = hand_in.text_at(problem.unit.name, problem.line)
            values = dict(unit=problem.unit.name, line=problem.line, text=text, message=problem.message)
            return Verdict("error", say("unreadable", language, **values))
    if definition is None:
        strangers = set(hand_in.names()) - set(load_reference(exercise.module).definitions)
        near = difflib.get_close_matches(target, strangers, n=2, cutoff=0.6)
        near = say("near", language, names=", ".join(near)) if near else ""
        return Verdict("missing", say("missing", language, target=target, near=near))
    if not is_finished(exercise, definition.node):
        return Verdict("not_started")
    return _signature(exercise, definition, language) or definition


def _signature(exercise, definition, language):
    """A wrong Verdict when the definition cannot be called like the reference's."""
    if not isinstance(definition.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    expected = load_reference(exercise.module).definitions[exercise.target].args
    actual = definition.node.args
    if any(isinstance(part, ast.Name) and part.id == "staticmethod" for part in definition.node.decorator_list):
        return None
    ours, theirs = expected.posonlyargs + expected.args, actual.posonlyargs + actual.args
    required = len(theirs) - len(actual.defaults)
    fits = required <= len(ours) and (len(theirs) >= len(ours) or actual.vararg is not None)
    # beyond the reference's parameters only such with a default
    fits = fits and all(default is not None for default in actual.kw_defaults[len(expected.kwonlyargs) :])
    if exercise.target.endswith("__init__") and actual.kwarg is None:  # built by keyword, with defaults
        names = [argument.arg for argument in [*theirs, *actual.kwonlyargs]]
        fits = fits and all(argument.arg in names for argument in [*ours, *expected.kwonlyargs])
        fits = fits and _defaults(expected).items() <= _defaults(actual).items()
    if fits:
        return None
    name = exercise.target.split(".")[-1]
    values = dict(expected=f"{name}({ast.unparse(expected)})", actual=f"{name}({ast.unparse(actual)})")
    return Verdict("wrong", say("signature", language, **values))


def _defaults(arguments):
    positional = arguments.posonlyargs + arguments.args
    pairs = zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
    pairs = [*pairs, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return {argument.arg: _plain(default) for argument, default in pairs if default is not None}


def _plain(default):
    try:
        return float(value) if type(value := ast.literal_eval(default)) is int else value
    except ValueError:
        return ast.unparse(default)
