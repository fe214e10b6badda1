"""Text, demonstrations and stubs become notebooks: the same code in both languages, nothing left out, nothing lost."""

import ast
import builtins
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from test_stubs import committed, without_bodies

from paddle_vit.commands.building import built_files
from paddle_vit.exercises import LANGUAGES, lesson_names, load_lesson
from paddle_vit.grader import notebooks
from paddle_vit.grader.graft import load_reference
from paddle_vit.grader.notebooks import LessonError, lesson_cells, notebook_file, notebook_path, text_path
from paddle_vit.grader.stubs import solution_definition, stub_definition

ROOT = Path(__file__).parents[2]
LESSONS = [load_lesson(name) for name in lesson_names()]
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
each_language = pytest.mark.parametrize("language", LANGUAGES)


def code_of(lesson, language):
    return [(name, source) for name, kind, source in lesson_cells(lesson, language, ROOT) if kind == "code"]


# --- one source -------------------------------------------------------------------------------------------------------


@each_lesson
@each_language
def test_the_committed_notebook_is_what_build_writes(lesson, language):
    path = notebook_path(ROOT, lesson, language).relative_to(ROOT)
    text = notebook_file(lesson, language, ROOT)
    assert text == notebook_file(lesson, language, ROOT), "the same from one time to the next"
    assert committed(path) == text


@each_lesson
@each_language
def test_the_learners_copy_differs_in_bodies_only(lesson, language):
    """What a learner fills in, adds or runs does not turn the tests red; what is generated has not drifted."""
    mine = json.loads(notebook_path(ROOT, lesson, language).read_text(encoding="utf-8"))
    mine = {cell.get("id"): "".join(cell["source"]) for cell in mine["cells"]}
    for name, _, source in lesson_cells(lesson, language, ROOT):
        if name.startswith("stub-"):
            assert without_bodies(mine[name], lesson) == without_bodies(source, lesson)
        elif name != "demo-epochs":  # everybody chooses those
            assert mine[name] == source


@each_lesson
@each_language
def test_a_notebook_is_valid_and_has_no_outputs(lesson, language):
    notebook = nbformat.reads(notebook_file(lesson, language, ROOT), as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@each_lesson
def test_both_languages_have_the_same_sections_and_code(lesson):
    shapes = {}
    for language in LANGUAGES:
        lines = text_path(ROOT, lesson, language).read_text(encoding="utf-8").splitlines()
        marks = [re.match(r"(#+ (?:\d+\.)?|<!--.*-->|- |```|\|)", line) for line in lines]
        shapes[language] = [mark.group() for mark in marks if mark]
    assert shapes["zh"] == shapes["en"]
    chinese, english = (code_of(lesson, language) for language in LANGUAGES)
    assert [name for name, _ in chinese] == [name for name, _ in english]
    different = [name for (name, one), (_, other) in zip(chinese, english, strict=True) if one != other]
    assert different == ["start"]  # which says the language, in one place
    one, other = dict(chinese)["start"], dict(english)["start"]
    assert one.replace('language="zh"', 'language="en"') == other


@each_lesson
def test_every_demonstration_is_used(lesson):
    blocks = notebooks.demos(ROOT / "lessons" / "demos" / f"{lesson.name}.py")
    used = {name.removeprefix("demo-") for name, _ in code_of(lesson, "en") if name.startswith("demo-")}
    assert used == set(blocks)


@each_lesson
def test_each_stub_is_that_of_the_file_and_its_checks_follow(lesson):
    cells = code_of(lesson, "en")
    names = [name for name, _ in cells]
    for exercise in lesson.exercises:
        owner = exercise.target.split(".")[0]
        stub = dict(cells)[f"stub-{owner}"]
        assert stub_definition(exercise).rstrip() in stub
        check = names.index("check-" + exercise.id.replace(".", "-"))
        assert cells[check][1] == f'check("{exercise.target}")'
        between = names[names.index(f"stub-{owner}") + 1 : check]
        assert all(name.startswith("check-") for name in between)


@each_lesson
def test_every_name_is_there_before_it_is_used(lesson):
    """Run from top to bottom, no cell meets a name that no cell before it has made; functions may call later ones."""
    known, late = set(dir(builtins)) | {"__file__"}, []
    for name, source in code_of(lesson, "en"):
        tree = ast.parse(source)
        now, later, bound = names_of(tree)
        known |= bound
        assert now <= known, f"cell {name}: {sorted(now - known)}"
        late.append((name, later))
    for name, later in late:
        assert later <= known, f"cell {name}: {sorted(later - known)}"


def names_of(tree):
    """Names that a cell reads when it runs, names that its functions read when they are called, names that it binds."""
    import symtable

    source = ast.unparse(tree)
    table = symtable.symtable(source, "cell", "exec")
    now = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    later, pending = set(), list(table.get_children())
    while pending:
        inner = pending.pop()
        names = {s.get_name() for s in inner.get_symbols() if s.is_global() and s.is_referenced()}
        (now if inner.get_type() == "class" else later).update(names)
        pending += inner.get_children()
    return now - {"__class__"}, later, bound


@pytest.mark.parametrize("place", ["course/notebooks", "course", ".", "elsewhere"])
def test_the_first_cell_finds_the_course(tmp_path, place):
    """From its own folder, from the course's, from the folder above; elsewhere it says what to do."""
    for folder in ("course/notebooks", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "course" / "paddle_vit").symlink_to(ROOT / "paddle_vit")
    code = dict(code_of(LESSONS[0], "en"))["start"] + "\nprint(course)\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / place, capture_output=True, text=True, timeout=60
    )
    if place == "elsewhere":
        assert done.returncode == 1 and "put the notebook back" in done.stderr and "Traceback" not in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == str(tmp_path / "course")


# --- the text ---------------------------------------------------------------------------------------------------------


@each_lesson
@each_language
def test_the_text_above_a_stub_says_what_its_docstring_says(lesson, language):
    """Every exercise by its number, with the parameters to create, the axes it maps and the arguments it has."""
    before = {}
    text = ""
    for name, kind, source in lesson_cells(lesson, language, ROOT):
        if kind == "markdown":
            text += source + "\n\n"
        elif name.startswith("stub-"):
            before[name.removeprefix("stub-")] = text
    for exercise in lesson.exercises:
        paragraph = re.search(
            rf"\*\*{re.escape(exercise.id)} .*?(?=\n\n\*\*|\n\n#|\Z)", before[exercise.target.split(".")[0]], re.S
        )
        assert paragraph, f"{exercise.id} does not stand above its stub"
        said = " ".join(paragraph.group().split())
        assert exercise.target.split(".")[-1] in said
        node = load_reference(exercise.module).definitions[exercise.target]
        for axes in re.findall(r"\[[A-Z1][^\]]*\]", ast.get_docstring(node)):
            assert axes in said, f"{exercise.target}: {axes}"
        if exercise.target.endswith("__init__"):
            created = re.findall(r"self\.(\w+) = ", solution_definition(exercise))
            for name in dict.fromkeys(created):
                assert f"`{name}`" in said or f"`self.{name}`" in said, f"{exercise.target}: {name}"


@each_lesson
def test_chinese_reads_as_chinese(lesson):
    """One paragraph, one line (a line break would show as a space); full-width punctuation; spaces beside Latin."""
    text = text_path(ROOT, lesson, "zh").read_text(encoding="utf-8")
    prose = [line for line in re.sub(r"```.*?```", "", text, flags=re.S).splitlines() if not line.startswith("<!--")]
    for line, following in zip(prose, [*prose[1:], ""], strict=True):
        if line and line[0] not in "|-#$" and following:
            assert following[0] in "|-", f"a paragraph in two lines: {line}"
        plain = re.sub(r"`[^`]*`|\$[^$]*\$|\[[^\]]*\]\([^)]*\)|\*", "x", line)
        assert not re.search(r"[一-鿿][,;:?!]|[,;:?!][一-鿿]|（|）", plain), line
        assert not re.search(r"[一-鿿][A-Za-z0-9]|[A-Za-z0-9%][一-鿿]", plain.replace("x", "")), line


# --- build ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    """A copy of the course's files, which `build` is then run in."""
    for lesson in LESSONS:
        for path, text in built_files(lesson, ROOT).items():
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text, encoding="utf-8")
        for path in [text_path(ROOT, lesson, language) for language in LANGUAGES] + [
            ROOT / "lessons" / "demos" / f"{lesson.name}.py"
        ]:
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return tmp_path


def build(project, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "paddle_vit", "build", "--lang", "en", *arguments],
        cwd=project, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""}, timeout=60,
    )  # fmt: skip


def edit(path, change):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change(notebook["cells"])
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path.read_bytes()


def fill(cells):
    exercise = LESSONS[0].exercises[1]
    cell = next(cell for cell in cells if cell.get("id") == f"stub-{exercise.target.split('.')[0]}")
    cell["source"] = "".join(cell["source"]).replace(stub_definition(exercise), solution_definition(exercise))


def add_note(cells):
    cells.insert(3, {"cell_type": "markdown", "id": "0a1b2c3d", "metadata": {}, "source": "My own note"})


def test_build_changes_nothing_where_nothing_changed(project):
    done = build(project)
    assert done.returncode == 0 and "wrote" not in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(("change", "named"), [(fill, "PatchEmbedding.embed_patches"), (add_note, "cell 4")])
def test_build_never_overwrites_what_a_learner_wrote(project, change, named):
    path = notebook_path(project, LESSONS[0], "en")
    before = edit(path, change)
    done = build(project)
    assert done.returncode == 1
    assert named in done.stdout and "vit.en.ipynb" in done.stdout
    assert path.read_bytes() == before
    done = build(project, "--force")
    assert done.returncode == 0
    assert path.read_text(encoding="utf-8") == notebook_file(LESSONS[0], "en", ROOT)
    (backup,) = path.parent.glob("*.bak-*")
    assert backup.read_bytes() == before


def test_build_renews_a_notebook_that_was_only_run(project):
    path = notebook_path(project, LESSONS[0], "en")
    edit(path, lambda cells: cells[1].update(outputs=[], execution_count=7, source="start()"))
    assert build(project).returncode == 0
    assert path.read_text(encoding="utf-8") == notebook_file(LESSONS[0], "en", ROOT)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"cells": 1}', b"\xff\xfe", b"some text"])
def test_build_keeps_a_file_that_it_cannot_read(project, content):
    path = notebook_path(project, LESSONS[0], "zh")
    path.write_bytes(content)
    done = build(project)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<!-- demo: gelu -->", "<!-- demo: gello -->", "there is no demo gello"),
        ("<!-- stub: Mlp -->", "", "check-1-12"),
        ("<!-- stub: Mlp -->", "<!-- stub: Mlp -->\n\n<!-- stub: Mlp -->", "stub-Mlp"),
        ("<!-- demo: gelu -->", "<!-- picture: gelu -->", "not a directive"),
    ],
)
def test_a_text_that_does_not_fit_is_refused_with_its_place(project, old, new, says):
    path = text_path(project, LESSONS[0], "en")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(LessonError, match=re.escape(says)):
        notebook_file(LESSONS[0], "en", project)
    done = build(project)
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr
