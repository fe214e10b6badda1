"""Stub and reference are one source: the same but for the bodies of the exercises."""

import ast
import subprocess
from pathlib import Path

import pytest
from helpers import EXERCISES, LESSON, STUB

from paddle_vit.exercises import lesson_names, load_lesson
from paddle_vit.grader.collect import collect_sources
from paddle_vit.grader.graft import load_reference
from paddle_vit.grader.preflight import choose
from paddle_vit.grader.stubs import is_finished, solution_definition, stub_definition, stub_file

ROOT = Path(__file__).parents[2]
FILES = [(lesson, module) for lesson in map(load_lesson, lesson_names()) for module in lesson.modules]


def committed(path):
    """The file as it was committed, since the learner's copy is theirs to fill in; as it is where git is missing."""
    shown = subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, text=True)
    return shown.stdout if shown.returncode == 0 else (ROOT / path).read_text(encoding="utf-8")


def without_bodies(text, lesson):
    """The syntax tree with the bodies of the exercises cut out, docstrings kept."""
    tree = ast.parse(text)
    targets = {exercise.target for exercise in lesson.exercises}
    for node in tree.body:
        owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for function in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(function, ast.FunctionDef) and owner + function.name in targets:
                function.body = function.body[:1]
    return ast.dump(tree)


@pytest.mark.parametrize(("lesson", "module"), FILES)
def test_the_committed_stub_is_what_build_writes(lesson, module):
    path = f"lessons/{lesson.name}/{module.rsplit('.', 1)[1]}.py"
    assert committed(path) == stub_file(lesson, module)


@pytest.mark.parametrize(("lesson", "module"), FILES)
def test_the_learners_copy_differs_in_bodies_only(lesson, module):
    mine = (ROOT / "lessons" / lesson.name / (module.rsplit(".", 1)[1] + ".py")).read_text(encoding="utf-8")
    assert without_bodies(mine, lesson) == without_bodies(stub_file(lesson, module), lesson)


@pytest.mark.parametrize(("lesson", "module"), FILES)
def test_same_names_signatures_and_docstrings(lesson, module):
    assert without_bodies(stub_file(lesson, module), lesson) == without_bodies(load_reference(module).text, lesson)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.target)
def test_unfinished_in_the_stub_and_finished_in_the_reference(exercise):
    text = stub_file(load_lesson(exercise.lesson), exercise.module)
    stub, _ = choose(exercise, collect_sources([("stub.py", text)]))
    reference, _ = choose(exercise, collect_sources([("reference.py", load_reference(exercise.module).text)]))
    assert not is_finished(exercise, stub.node)
    assert is_finished(exercise, reference.node)
    raised = ast.unparse(stub.node.body[-1])
    assert raised == f"raise NotImplementedError('TODO {exercise.id} {exercise.target}')"
    assert f"# TODO {exercise.id}  {exercise.todo['zh']} / {exercise.todo['en']}" in text


@pytest.mark.parametrize(("lesson", "module"), FILES)
def test_the_references_bodies_put_back_give_the_reference(lesson, module):
    text, reference = stub_file(lesson, module), load_reference(module).text
    for exercise in lesson.exercises:
        if exercise.module == module:
            assert text.count(stub_definition(exercise)) == 1
            text = text.replace(stub_definition(exercise), solution_definition(exercise))
    assert text.endswith(reference)
    assert all(line.startswith("#") for line in text[: -len(reference)].splitlines())


@pytest.mark.parametrize(("lesson", "module"), FILES)
def test_a_stub_imports(lesson, module):
    exec(compile(stub_file(lesson, module), "stub.py", "exec"), {"__name__": "stub"})


def test_an_empty_stub_names_its_todo_when_it_is_called():
    namespace = {"__name__": "stub"}
    exec(compile(STUB, "stub.py", "exec"), namespace)
    with pytest.raises(NotImplementedError, match="TODO 1.13 Mlp.forward"):
        namespace["Mlp"].forward(None, None)


def test_a_constructors_stub_keeps_what_is_given():
    text = stub_definition(LESSON.find("PatchEmbedding.__init__"))
    for line in ("super().__init__()", "self.image_size = pair(image_size)", "self.grid = patch_grid("):
        assert line in text
    assert "nn.Conv2D(" not in text.split('"""')[-1]


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "...",
        '"""text"""',
        "raise NotImplementedError",
        "# only a comment\n    pass",
        "raise NotImplementedError('x')\n    ...",
    ],
)
def test_what_does_not_count_as_begun(body):
    exercise = LESSON.find("sincos_1d")
    node = ast.parse(f"def sincos_1d(n, dim):\n    {body}\n").body[0]
    assert not is_finished(exercise, node)


def test_given_lines_alone_do_not_count_as_begun():
    exercise = LESSON.find("Attention.__init__")
    begun = stub_definition(exercise).replace(
        "        raise NotImplementedError", "        self.scale = 1\n        raise NotImplementedError"
    )
    for text, finished in ((stub_definition(exercise), False), (begun, True)):
        node = ast.parse("class Attention:\n" + text).body[0].body[0]
        assert is_finished(exercise, node) is finished
