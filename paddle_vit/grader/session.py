"""What a notebook session holds, as a hand-in: the exercises as they were last run, with what they need."""

import ast
import functools
import linecache
import os
import re
import sys
import types
from pathlib import Path

from paddle_vit.grader.collect import HandIn, from_units
from paddle_vit.grader.graft import names_read
from paddle_vit.grader.magics import without_magics
from paddle_vit.grader.messages import say

_PACKAGE = Path(__file__).resolve().parents[1]


def session_units(targets, history, namespace, language):
    """(name, text, file) of all that was run in a kernel and, where it was imported, of the learner's files; newest last.

    Args:
        targets: of the exercises that are asked for.
        history: texts of the cells, each at the number of its run.
        namespace: what names mean in the kernel now.
        language: of the cells' names.
    """
    cells = {text: number for number, text in enumerate(history) if number and text.strip()}  # its newest run counts
    place = os.path.join(os.getcwd(), "notebook")
    units = [(number, say("cell", language, number=number), _plain(text), place) for text, number in cells.items()]
    for file in {_file(target, namespace) for target in targets} - {None}:
        name = os.path.basename(file)
        if os.path.isfile(file) and not Path(file).parent.name.startswith("ipykernel_"):
            imports = re.compile(rf"^\s*(?:from|import|%run|%aimport)\b.*\b{re.escape(Path(file).stem)}\b", re.M)
            number = max((number for text, number in cells.items() if imports.search(text)), default=0)
            units.append((number + 0.5, name, Path(file).read_text(encoding="utf-8-sig", errors="replace"), file))
        else:  # it ran without being noted in the history; IPython keeps its text by this name
            units.append((-1, name, without_magics("".join(linecache.getlines(file))), place))
    return [unit[1:] for unit in sorted(units, key=lambda unit: unit[0])]


_plain = functools.lru_cache(maxsize=2000)(without_magics)  # hundreds of cells stand there unchanged at every check


def _file(target, namespace):
    """Where a definition comes from, as Python knows it; None without a definition, or if it is no learner's."""
    owner, _, name = target.rpartition(".")
    modules = [part for part in namespace.values() if isinstance(part, types.ModuleType)]  # import vit
    places = [namespace] + [vars(module) for module in modules if _is_learners(vars(module).get("__file__"))]
    found = next((names[owner or name] for names in places if (owner or name) in names), None)
    function = vars(found).get(name) if owner and isinstance(found, type) else found
    function = getattr(function, "__func__", function)  # static and class methods
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if hasattr(function, "__code__"):
        file = function.__code__.co_filename
    else:
        file = getattr(sys.modules.get(getattr(found, "__module__", None)), "__file__", None)
    if not _is_learners(file):
        return None
    return file if file.startswith("<") else os.path.abspath(file)


def _is_learners(file):
    if not file or file.startswith("<"):
        return bool(file) and file.startswith("<ipython-input")  # a cell, in IPython before version 8
    path = Path(file).resolve()
    return _PACKAGE not in path.parents and not {"site-packages", "dist-packages"} & set(path.parts)


def session_hand_in(units, lesson, only=None):
    """The hand-in that was run as these units, the newest last: cells, and files that cells imported.

    The newest definition of a name counts, finished or not: other than in a file, a stub that was run below an answer
    took its place. A cell that Python could not read did not run at all, so that everything it was to define is
    unreadable; a file is read as it always is.
    """
    hand_in = HandIn(source=", ".join(dict.fromkeys(file for _, _, file in units)))
    for name, text, file in units:
        one = _read(name, text, file)
        hand_in.units += one.units
        if one.problems and not file.endswith(".py"):
            unreadable = {target: one.problems[0] for target in one.definitions} | one.unreadable
            hand_in.unreadable.update(unreadable)
            whole = {target for target in unreadable if not any(other.startswith(target + ".") for other in unreadable)}
            for target in list(hand_in.definitions):
                if target in whole or target.split(".")[0] in whole:
                    del hand_in.definitions[target]
            continue
        for owner in {owner for statement in one.statements for owner in _made_anew(statement.node)}:
            for target in [target for target in hand_in.definitions if target.startswith(f"{owner}.")]:
                del hand_in.definitions[target]  # the methods of the class that it replaces
        hand_in.statements += one.statements
        hand_in.definitions.update(one.definitions)
        for target in one.definitions:
            hand_in.unreadable.pop(target, None)
            hand_in.unreadable.pop(target.split(".")[0], None)
        hand_in.unreadable.update(one.unreadable)
    hand_in.statements = _needed(hand_in, [only] if only else lesson.exercises)
    return hand_in


def _made_anew(node):
    """The class that a statement makes without building on an older one of the same name, as class A(A) would."""
    if isinstance(node, ast.ClassDef):
        named = {part.id for base in node.bases for part in ast.walk(base) if isinstance(part, ast.Name)}
        if node.name not in named:
            yield node.name


@functools.lru_cache(maxsize=2000)
def _read(name, text, file):
    return from_units([(name, text, file)])


def _needed(hand_in, exercises):
    """The statements that what the exercises define can reach: a notebook's `x = model(images)` is no helper of `def f(x)`.

    A name means its latest binding; for a statement at the top level also the latest before it.
    """
    owners = {exercise.target.rpartition(".")[0] or exercise.target for exercise in exercises}
    statements = hand_in.statements
    files, pending, chosen, seen = set(), [], set(), set()
    for target, definitions in hand_in.definitions.items():
        if target in owners or target.rpartition(".")[0] in owners:
            if definitions[-1].unit.file.endswith(".py"):
                files.add(definitions[-1].unit.file)  # a file is whole in itself
                continue
            for definition in definitions:
                names = set().union(*map(names_read, (definition.node, *definition.members)))
                pending += [(name, len(statements)) for name in names]
    while pending:
        name, end = wanted = pending.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        for place in range(end - 1, -1, -1):
            statement = statements[place]
            if statement.unit.file.endswith(".py") or not statement.binds & {name, "*"}:
                continue
            chosen.add(place)
            reads = names_read(statement.node)
            pending += [(read, place) for read in reads]
            if any(isinstance(part, _LATER) for part in ast.walk(statement.node)):
                pending += [(read, len(statements)) for read in reads]
            if name in statement.binds and isinstance(statement.node, _CERTAIN):
                break
    return [one for place, one in enumerate(statements) if place in chosen or one.unit.file in files]


_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)  # their bodies look names up when they are called
_CERTAIN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign)  # they do bind
