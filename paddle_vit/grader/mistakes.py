"""Known mistakes: the reference with a wrong line in it, and whether a learner's code does just the same."""

import ast

from paddle_vit.grader.collect import Definition, Unit
from paddle_vit.grader.compare import compare
from paddle_vit.grader.graft import graft, load_reference
from paddle_vit.grader.observe import case_seed, fixed_dropout, holds, observe


def name_mistake(exercise, cases, actual, place, difference, broken, seed):
    """The known mistake that gives exactly what the learner's code gives on every case, if it is only one.

    Args:
        actual: observations of the learner's code.
        place, difference: the case that failed and how; difference is None when only rules are broken.
        broken: places of the properties that do not hold.
    """
    backward = difference is not None and difference.key.startswith("gradient")
    order = [number for number, case in enumerate(cases) if case.holds is None]
    if difference is None:  # nothing but the rules tells the mistake from a right answer: just these, and no others
        order += [number for number, case in enumerate(cases) if case.holds is not None]
    else:
        order.sort(key=lambda number: number != place)  # the case that failed first: most mistakes end there
    found = [
        mistake
        for mistake in exercise.mistakes
        if _equals(mistaken(exercise, mistake), cases, actual, order, broken, backward, seed)
    ]
    return found[0] if len(found) == 1 else None


def _equals(module, cases, actual, order, broken, backward, seed):
    with fixed_dropout():
        for number in order:
            seen = observe(cases[number], module, case_seed(seed, number), backward)
            if cases[number].holds is None:
                if compare(seen, actual[number]):
                    return False
            elif holds(cases[number], seen) == (number in broken):
                return False
            elif (seen["error"] is None) != (actual[number]["error"] is None):  # one raises, the other is only wrong
                return False
    return True


def mistaken(exercise, mistake):
    """The reference with one known mistake in it; made once, as many checks ask for the same."""
    key = exercise.target, mistake.name
    if key not in _made:
        _made[key] = graft(load_reference(exercise.module), [mistaken_definition(exercise, mistake)])
    return _made[key]


_made = {}


def mistaken_definition(exercise, mistake):
    """The reference's definition, edited, as a learner's would be.

    Raises:
        ValueError: an `old` that does not occur exactly once in the body.
    """
    text = mistaken_source(exercise, mistake)
    owner = exercise.target.rpartition(".")[0]
    unit = Unit(f"<mistake {mistake.name}>", text, "")
    tree = ast.parse(f"class {owner}:\n{text}" if owner else text)
    return Definition(exercise.target, tree.body[0].body[0] if owner else tree.body[0], unit)


def mistaken_source(exercise, mistake):
    """The text of that definition."""
    reference = load_reference(exercise.module)
    text = reference.source(exercise.target)
    node = reference.definitions[exercise.target]
    docstring = node.body[0].value.value if isinstance(node.body[0], ast.Expr) else ""
    head_lines = (node.body[1].lineno if docstring else node.body[0].lineno) - node.lineno
    lines = text.splitlines(keepends=True)
    head, body = "".join(lines[:head_lines]), "".join(lines[head_lines:])
    for old, new in mistake.edits:
        if body.count(old) != 1:
            raise ValueError(f"{exercise.target}, mistake {mistake.name}: {old!r} occurs {body.count(old)} times")
        body = body.replace(old, new)
    return head + body
