"""The declarations are complete: every exercise has what a learner needs, in both languages."""

import re

import pytest

from paddle_vit.exercises import LANGUAGES, Case, lesson_names, load_lesson
from paddle_vit.grader.graft import load_reference

LESSONS = [load_lesson(name) for name in lesson_names()]
EXERCISES = [exercise for lesson in LESSONS for exercise in lesson.exercises]

each = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.target)


def texts(exercise):
    """Every text that a learner may see, as language -> text."""
    return [
        exercise.title,
        exercise.todo,
        *exercise.hints,
        *(mistake.says for mistake in exercise.mistakes),
        *(rule.says for rule in exercise.properties),
    ]


def test_targets_are_unique_over_the_course():
    targets = [exercise.target for exercise in EXERCISES]
    assert len(set(targets)) == len(targets)


def test_lesson_one_has_its_exercises():
    assert len(load_lesson("vit").exercises) >= 12


@each
def test_an_exercise_is_complete(exercise):
    assert exercise.points >= 1
    assert len(exercise.hints) >= 2
    assert len(exercise.mistakes) >= 3
    assert len({mistake.name for mistake in exercise.mistakes}) == len(exercise.mistakes)
    assert exercise.properties
    assert exercise.target in load_reference(exercise.module).definitions
    for text in texts(exercise):
        assert set(text) == set(LANGUAGES)
        assert all(part.strip() for part in text.values())


@each
def test_texts_are_written_in_their_language(exercise):
    for text in texts(exercise):
        assert not re.search(r"[\u3400-\u9fff]", text["en"]), text["en"]
        if len(text["zh"]) > 30:
            assert re.search(r"[\u3400-\u9fff]", text["zh"]), text["zh"]
        # full-width punctuation beside Chinese, but half-width brackets, as in the shapes
        assert not re.search(r"[\u3400-\u9fff][,;:?!]|[,;] ?[\u3400-\u9fff]|[（）]", text["zh"]), text["zh"]
        # a space between Chinese and Latin letters or digits
        assert not re.search(r"[\u3400-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u3400-\u9fff]", text["zh"]), text["zh"]


@each
def test_cases_and_properties_are_there(exercise):
    code = next(lesson for lesson in LESSONS if lesson.name == exercise.lesson).code
    cases = code.CASES[exercise.target]
    assert cases and all(isinstance(case, Case) and case.holds is None for case in cases)
    rules = [code.PROPERTIES[rule.name] for rule in exercise.properties]
    assert all(rule.holds is not None for rule in rules)


def test_nothing_is_declared_twice_or_for_nobody():
    for lesson in LESSONS:
        assert set(lesson.code.CASES) == {exercise.target for exercise in lesson.exercises}
        named = [rule.name for exercise in lesson.exercises for rule in exercise.properties]
        assert sorted(named) == sorted(lesson.code.PROPERTIES)


def test_exercises_are_numbered_in_the_order_of_the_file():
    for lesson in LESSONS:
        for module in lesson.modules:
            lines = [
                load_reference(module).definitions[exercise.target].lineno
                for exercise in lesson.exercises
                if exercise.module == module
            ]
            assert lines == sorted(lines)


def test_an_unknown_exercise_names_the_nearest():
    with pytest.raises(ValueError, match="no exercise 'Attention.foward'"):
        load_lesson("vit").find("Attention.foward")
    assert load_lesson("vit").nearest("Attention.foward")[0] == "Attention.forward"
    with pytest.raises(ValueError, match="no lesson 'vitt'"):
        load_lesson("vitt")
