"""The stubs that learners fill in, made from the reference; and whether one has been filled in."""

import ast

from paddle_vit.grader.graft import first_line, load_reference

HEADER = """\
# {zh}：填写下面每个 TODO，然后运行 paddle-vit grade {lesson}。提示：paddle-vit hint {lesson}。
# {en}: fill in every TODO below, then run paddle-vit grade {lesson}. For a hint: paddle-vit hint {lesson}.
"""


def stub_file(lesson, module_name):
    """The text of a stub file: the reference without the bodies of the exercises."""
    reference = load_reference(module_name)
    lines = reference.text.splitlines(keepends=True)
    exercises = [exercise for exercise in lesson.exercises if exercise.module == module_name]
    for exercise in sorted(exercises, key=lambda exercise: -reference.definitions[exercise.target].lineno):
        node = reference.definitions[exercise.target]
        lines[first_line(node) - 1 : node.end_lineno] = [stub_definition(exercise)]
    return HEADER.format(lesson=lesson.name, **lesson.title) + "".join(lines)


def stub_definition(exercise):
    """The text of one definition without its body: signature, docstring, what is given, the TODO."""
    reference = load_reference(exercise.module)
    node = reference.definitions[exercise.target]
    lines = reference.text.splitlines(keepends=True)
    body = node.body
    head = lines[first_line(node) - 1 : body[0].lineno - 1]
    docstring = lines[body[0].lineno - 1 : body[0].end_lineno] if _is_docstring(body[0]) else []
    given = [line for part in _given(exercise, body) for line in lines[part.lineno - 1 : part.end_lineno]]
    indent = " " * body[0].col_offset
    todo = f"{indent}# TODO {exercise.id}  {exercise.todo['zh']} / {exercise.todo['en']}\n"
    stop = f'{indent}raise NotImplementedError("TODO {exercise.id} {exercise.target}")\n'
    return "".join([*head, *docstring, *given, todo, stop])


def solution_definition(exercise):
    """The text of the reference's definition."""
    return load_reference(exercise.module).source(exercise.target)


def is_finished(exercise, node):
    """Whether a learner has written anything: more than what the stub holds, `pass` and `...` apart."""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return True
    reference = load_reference(exercise.module).definitions[exercise.target]
    given = {ast.dump(part) for part in _given(exercise, reference.body)}
    return any(ast.dump(part) not in given for part in node.body if not _is_empty(part))


def left_raise(node):
    """The line of a `raise NotImplementedError` in a definition, or None."""
    for part in ast.walk(node):
        if isinstance(part, ast.Raise) and _is_empty(part):
            return part.lineno
    return None


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _given(exercise, body):
    """The call of super().__init__ and the assignments to attributes that the exercise declares as given."""
    if not exercise.target.endswith("__init__"):
        return []
    return [
        part for part in body if ast.unparse(part).startswith("super().__init__(") or _attribute(part) in exercise.given
    ]


def _attribute(node):
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Attribute):
        return node.targets[0].attr
    return None


def _is_empty(node):
    if isinstance(node, ast.Pass):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Raise) and node.exc is not None:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return False
