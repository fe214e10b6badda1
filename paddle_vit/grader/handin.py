"""The learner's whole hand-in, to train with. Runs in the learner's own process, not in a child."""

from paddle_vit.exercises import load_lesson
from paddle_vit.grader.collect import CannotRead, collect
from paddle_vit.grader.graft import graft, joined, load_reference
from paddle_vit.grader.messages import say
from paddle_vit.grader.preflight import choose, whole_hand_in
from paddle_vit.grader.stubs import is_finished


def definitions_from_code(lesson_name, paths, language="en"):
    """Functions and classes of the lesson's modules with every definition of the hand-in in them.

    Args:
        lesson_name: "vit".
        paths: files, notebooks or folders that hold the hand-in between them.

    Returns:
        dict from name to function or class; they use one another

    Raises:
        ValueError: a path that cannot be read, an exercise that is not finished or finished twice, or code that raises
            while it is being defined; the message names it.
    """
    lesson = load_lesson(lesson_name)
    try:
        hand_in = collect(paths)
    except CannotRead as error:
        raise ValueError(say(error.key, language, **error.values)) from None
    unfinished = []
    for exercise in lesson.exercises:
        definition, other = choose(exercise, hand_in)
        if other is not None:
            names = dict(target=exercise.target, first=definition.unit.file, second=other.unit.file)
            raise ValueError(say("twice", language, **names))
        if definition is None or not is_finished(exercise, definition.node):
            unfinished.append(exercise.target)
    if unfinished:
        raise ValueError(say("unfinished", language, names=", ".join(unfinished)))
    definitions = whole_hand_in(lesson, hand_in)
    try:
        modules = [graft(load_reference(name), definitions[name], hand_in.statements) for name in lesson.modules]
    except Exception as error:
        values = dict(type=type(error).__name__, message=str(error), where="")
        raise ValueError(say("raised", language, **values)) from error
    return joined(modules)
