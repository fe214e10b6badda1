"""The notebooks of a lesson, made from its text, its stubs and its demonstrations.

The text of a language is Markdown, lessons/LESSON/text.LANGUAGE.md. Where code belongs it has a directive, a line of its
own that a reader of the Markdown does not see:

    <!-- start -->          the cell that finds the course and starts the grader
    <!-- given: NAME -->    a finished definition of the reference; "imports" for its import statements
    <!-- stub: NAME -->     a class or function to fill in, and a cell with the check of each exercise in it
    <!-- demo: NAME -->     a block of lessons/demos/LESSON.py, which begins with "# %% NAME"

So the code stands once for all languages, and a notebook is a view of what stands elsewhere.
"""

import ast
import json
import re

from paddle_vit.grader.graft import first_line, load_reference
from paddle_vit.grader.stubs import stub_file

START = """\
import os
import sys
from pathlib import Path

here = Path.cwd()
folders = [here, *here.parents, *here.iterdir()]
course = next((folder for folder in folders if os.path.isfile(folder / "paddle_vit" / "notebook.py")), None)
if course is None:
    raise SystemExit(f"这里没有课程，请把笔记本放回课程目录。 No course in or above {{here}}: put the notebook back there.")
sys.path.insert(0, str(course))

from paddle_vit.notebook import check, hint, solution, start, train  # noqa: E402

start("{lesson}", language="{language}")
"""

_DIRECTIVE = re.compile(r"<!-- (start|given|stub|demo)(?:: (\S+))? -->")
_BLOCK = re.compile(r"# %% (\S+)\n")


class LessonError(ValueError):
    """A lesson's text or demonstrations that cannot be made into a notebook; the message says where."""


def text_path(root, lesson, language):
    """Where a lesson's text stands in a project's folder."""
    return root / "lessons" / lesson.name / f"text.{language}.md"


def notebook_path(root, lesson, language):
    """Where its notebook belongs."""
    return root / "notebooks" / f"{lesson.name}.{language}.ipynb"


def notebook_file(lesson, language, root):
    """The text of a notebook file (nbformat 4.5): no outputs, nothing that changes from one time to the next.

    Raises:
        LessonError: an unknown directive, a name that is not there, an exercise left out or given twice.
    """
    cells = []
    for name, kind, source in lesson_cells(lesson, language, root):
        cell = {"cell_type": kind, "id": name, "metadata": {}, "source": source.splitlines(keepends=True)}
        if kind == "code":
            cell.update(execution_count=None, outputs=[])
        cells.append(dict(sorted(cell.items())))
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def lesson_cells(lesson, language, root):
    """(id, "markdown" or "code", source) of every cell, in order."""
    pieces = Pieces(lesson, root)
    path = text_path(root, lesson, language)
    cells, prose = [], []

    def end_prose():
        text = "\n".join(prose).strip()
        if text:
            cells.append((f"text-{sum(kind == 'markdown' for _, kind, _ in cells) + 1}", "markdown", text))
        prose.clear()

    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None and line.lstrip().startswith("<!--"):
            raise LessonError(f"{path.name}, line {number}: {line.strip()} is not a directive")
        if directive:
            end_prose()
            try:
                cells += pieces.cells(*directive.groups(), language)
            except KeyError as error:
                raise LessonError(f"{path.name}, line {number}: there is no {error.args[0]}") from None
        elif line.startswith("## ") and prose:
            end_prose()
            prose.append(line)
        else:
            prose.append(line)
    end_prose()
    names = [name for name, _, _ in cells]
    twice = {name for name in names if names.count(name) > 1}
    missing = {_check_id(exercise) for exercise in lesson.exercises} - set(names)
    if twice or missing:
        raise LessonError(f"{path.name}: twice: {sorted(twice)}, missing: {sorted(missing)}")
    return cells


class Pieces:
    """The code that the directives of a lesson's text can ask for."""

    def __init__(self, lesson, root):
        self.lesson = lesson
        self.demos = demos(root / "lessons" / "demos" / f"{lesson.name}.py")
        self.given, self.stubs, imports = {}, {}, []
        for module in lesson.modules:
            definitions = _definitions(load_reference(module).text)
            imports += [line for line in definitions["imports"] if line not in imports]
            self.given.update(definitions)
            self.stubs.update(_definitions(stub_file(lesson, module)))
        # plain imports first, as in a file
        self.given["imports"] = "\n".join(sorted(imports, key=lambda line: line.startswith("from ")))

    def cells(self, kind, name, language):
        """The cells of one directive.

        Raises:
            KeyError: there is nothing of this name.
        """
        if kind == "start":
            return [("start", "code", START.format(lesson=self.lesson.name, language=language).rstrip())]
        source = {"given": self.given, "stub": self.stubs, "demo": self.demos}[kind]
        if name not in source:
            raise KeyError(f"{kind} {name}")
        cells = [(f"{kind}-{name}", "code", source[name])]
        if kind == "stub":
            exercises = [exercise for exercise in self.lesson.exercises if exercise.target.split(".")[0] == name]
            cells += [(_check_id(exercise), "code", f'check("{exercise.target}")') for exercise in exercises]
        return cells


def demos(path):
    """Name -> code of the blocks of a file of demonstrations."""
    _, *parts = _BLOCK.split(path.read_text(encoding="utf-8"))
    return {name: code.strip() for name, code in zip(parts[::2], parts[1::2], strict=True)}


def own_cells(content):
    """Numbers, from 1, of the cells that somebody added to a notebook: those with ids that `build` never gives."""
    generated = re.compile(r"text-\d+|start|(given|stub|demo)-\w+|check-[\d-]+")
    cells = enumerate(json.loads(content)["cells"], start=1)
    return [n for n, cell in cells if "".join(cell["source"]).strip() and not generated.fullmatch(cell.get("id", ""))]


def _definitions(text):
    """Name -> source of each top-level definition, and "imports" -> the list of import statements."""
    lines, found, imports = text.splitlines(keepends=True), {}, []
    for node in ast.parse(text).body:
        source = "".join(lines[first_line(node) - 1 : node.end_lineno]).rstrip()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports.append(source)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = source
    return {**found, "imports": imports}


def _check_id(exercise):
    return "check-" + exercise.id.replace(".", "-")
