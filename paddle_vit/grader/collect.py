"""Read a hand-in: the definitions that stand in Python files and notebooks, as text, without running any of it."""

import ast
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from paddle_vit.grader.magics import without_magics


@dataclass(frozen=True)
class Unit:
    """A piece of text that Python reads on its own: a file, or a code cell of a notebook."""

    name: str  # as the learner knows it: "vit.py", "vit.zh.ipynb cell 5"
    text: str
    file: str  # the file it stands in


@dataclass(frozen=True)
class Statement:
    """A top-level statement and the names that it binds; {"*"} for a star import."""

    node: ast.AST
    unit: Unit
    binds: frozenset


@dataclass(frozen=True)
class Definition:
    """What a hand-in gives for a target."""

    target: str
    node: ast.AST  # FunctionDef, or Assign of a lambda or of another function
    unit: Unit
    members: tuple = ()  # of a method: what else the learner's class holds


@dataclass(frozen=True)
class Problem:
    """Text that Python cannot read."""

    unit: Unit
    line: int
    message: str


@dataclass
class HandIn:
    """All that was found, in order. definitions: target -> list of Definitions, as they follow one another."""

    source: str
    units: list = field(default_factory=list)
    statements: list = field(default_factory=list)
    definitions: dict = field(default_factory=dict)
    unreadable: dict = field(default_factory=dict)  # name -> Problem
    problems: list = field(default_factory=list)

    def names(self):
        """Dotted names of all functions and methods."""
        return list(self.definitions)

    def text_at(self, unit_name, line):
        """The text of a line, for messages; "" where there is none."""
        for unit in self.units:
            lines = unit.text.splitlines()
            if unit.name == unit_name and 0 < line <= len(lines):
                return lines[line - 1].strip()
        return ""


class CannotRead(ValueError):
    """A path that is no hand-in. key and values name a message in messages.py."""

    def __init__(self, key, **values):
        super().__init__(key, values)
        self.key, self.values = key, values


def collect(paths):
    """Read files, notebooks and folders that hold a hand-in between them.

    Raises:
        CannotRead: no such file, not UTF-8, not a notebook, nothing in it.
    """
    files = []
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if file.suffix in (".py", ".ipynb") and file.is_file())
            if not found:
                raise CannotRead("empty_folder", path=path)
            files += found
        elif not path.exists():
            raise CannotRead("no_such_file", path=path)
        elif path.suffix not in (".py", ".ipynb"):
            raise CannotRead("not_python", path=path)
        else:
            files.append(path)
    return collect_sources((str(file), _read(file)) for file in files)


def _read(path):
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CannotRead("unreadable_file", path=path, reason=error.strerror) from None
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise CannotRead("not_utf8", path=path, position=error.start) from None


def collect_sources(sources):
    """The same for (path, text) pairs, notebooks as their JSON text.

    Raises:
        CannotRead: see collect.
    """
    units = []
    for path, text in sources:
        units += _cells(path, text) if path.endswith(".ipynb") else [(Path(path).name, text, path)]
    hand_in = from_units(units)
    if not any(unit.text.strip() for unit in hand_in.units):
        raise CannotRead("no_code", path=hand_in.source)
    return hand_in


def from_units(units):
    """A hand-in from (name, text, file) of units that were read before."""
    units = [Unit(*unit) for unit in units]
    hand_in = HandIn(source=", ".join(dict.fromkeys(unit.file for unit in units)))
    for unit in units:
        _add_unit(hand_in, unit)
    return hand_in


def _cells(path, text):
    try:
        notebook = json.loads(text)
        cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]  # nbformat 4, 3
        code = []
        for number, cell in enumerate(cells, start=1):
            if cell["cell_type"] == "code":
                source = cell.get("source", cell.get("input", ""))
                code.append((number, source if isinstance(source, str) else "".join(source)))
    except json.JSONDecodeError as error:
        raise CannotRead("not_json", path=path, line=error.lineno) from None
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise CannotRead("not_notebook", path=path) from None
    if not code:
        raise CannotRead("no_code", path=path)
    name = Path(path).name
    return [(f"{name} cell {number}", without_magics(source), path) for number, source in code]


def _add_unit(hand_in, unit):
    hand_in.units.append(unit)
    try:
        body = ast.parse(unit.text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        body = _readable_parts(hand_in, unit, error)
    for node in body:
        _add_statement(hand_in, unit, node)


def _add_statement(hand_in, unit, node):
    if isinstance(node, ast.Expr):  # top-level calls are not run
        return
    hand_in.statements.append(Statement(node, unit, frozenset(_bound(node))))
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        _define(hand_in, Definition(node.name, node, unit))
    elif isinstance(node, ast.ClassDef):
        for member in node.body:
            if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)):
                others = tuple(other for other in node.body if other is not member and not isinstance(other, ast.Expr))
                _define(hand_in, Definition(f"{node.name}.{member.name}", member, unit, others))
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        if isinstance(target, ast.Name) and isinstance(node.value, (ast.Lambda, ast.Name)):
            _define(hand_in, Definition(target.id, node, unit))
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            _define(hand_in, Definition(f"{target.value.id}.{target.attr}", node, unit))


def _define(hand_in, definition):
    hand_in.definitions.setdefault(definition.target, []).append(definition)
    hand_in.unreadable.pop(definition.target, None)


def _bound(node):
    """Names that a top-level statement binds in its module."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    names = set()
    pending = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, ast.alias):
            names.add((part.asname or part.name).split(".")[0])
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(part.name)
            continue
        elif isinstance(part, ast.Lambda):
            continue
        pending += ast.iter_child_nodes(part)
    return names


# --- text with a syntax error: keep what can be read ------------------------------------------------------------------

_START = re.compile(r"(?:async |def |class |@|import |from |if |for |while |with |try\b|[A-Za-z_\"'])")
_DEFINED = re.compile(r"\s*(?:async\s+)?(?:def|class)\s+([A-Za-z_]\w*)")


def _readable_parts(hand_in, unit, error):
    """Top-level statements of a text that does not parse as a whole; notes what could not be read."""
    lines = unit.text.splitlines(keepends=True)
    body = []
    for start, stop in _blocks(lines, ""):
        nodes, problem = _parse(lines, start, stop)
        if problem is None:
            body += nodes
            continue
        class_line = next((line for line in range(start, stop) if lines[line].startswith("class ")), None)
        if class_line is None:
            _unreadable(hand_in, unit, problem, _defined_name(lines, start, stop))
        else:
            body += _readable_class(hand_in, unit, lines, class_line, stop, problem)
    if not hand_in.problems or hand_in.problems[-1].unit is not unit:
        hand_in.problems.append(Problem(unit, getattr(error, "lineno", None) or 1, getattr(error, "msg", str(error))))
    return body


def _readable_class(hand_in, unit, lines, start, stop, problem):
    """The methods of a class that parse, as one class; the others are noted as unreadable."""
    name = _defined_name(lines, start, stop)
    indent = next(
        (re.match(r"\s+", line).group() for line in lines[start + 1 : stop] if re.match(r"\s+\S", line)), "    "
    )
    kept, found = None, False
    for first, last in _blocks(lines[:stop], indent, start + 1):
        nodes, inner = _parse(lines, first, last, header="class _:\n")
        if inner is not None:
            found = True
            method = _defined_name(lines, first, last)
            _unreadable(hand_in, unit, inner, f"{name}.{method}" if method else name)
        elif kept is None:
            kept = nodes[0]
            kept.name = name
        else:
            kept.body += nodes[0].body
    if not found:
        _unreadable(hand_in, unit, problem, name)
    return [kept] if kept is not None else []


def _unreadable(hand_in, unit, problem, name):
    hand_in.problems.append(Problem(unit, *problem))
    if name:
        hand_in.unreadable[name] = hand_in.problems[-1]


def _blocks(lines, indent, first=0):
    """(start, stop) of the runs of lines that begin with a line at this indentation; a decorator goes with its def.

    Lines inside multi-line strings may look like such a beginning: runs that parse only together are joined.
    """
    starts = []
    for number in range(first, len(lines)):
        line = lines[number]
        if line.startswith(indent) and _START.match(line, len(indent)):
            decorated = starts and all(lines[between].startswith(indent + "@") for between in range(starts[-1], number))
            if not decorated:
                starts.append(number)
    bounds = [*starts, len(lines)]
    place = 0
    while place < len(starts):
        header = "class _:\n" if indent else ""
        end = place + 1
        for candidate in range(place + 1, min(place + 6, len(bounds))):
            if _parse(lines, bounds[place], bounds[candidate], header)[1] is None:
                end = candidate
                break
        yield bounds[place], bounds[end]
        place = end


def _parse(lines, start, stop, header=""):
    """(nodes, None) with line numbers of the whole text, or (None, (line, message))."""
    offset = start - header.count("\n")
    try:
        nodes = ast.parse(header + "".join(lines[start:stop])).body
    except SyntaxError as error:
        return None, ((error.lineno or 1) + offset, error.msg)
    except (ValueError, RecursionError, MemoryError) as error:
        return None, (start + 1, str(error))
    for node in nodes:
        ast.increment_lineno(node, offset)
    return nodes, None


def _defined_name(lines, start, stop):
    for line in lines[start:stop]:
        found = _DEFINED.match(line)
        if found:
            return found.group(1)
    return None
