"""Wrong answers are refused: every known mistake is named as itself, and others get no name that is not theirs."""

import pytest
import wrong_answers
import wrong_answers_deit
import wrong_answers_recipe
from helpers import EXERCISES, find_exercise, in_class, judge_here

from paddle_vit.grader.mistakes import mistaken_source

MISTAKES = [(exercise, mistake) for exercise in EXERCISES for mistake in exercise.mistakes]
NAMES = [f"{exercise.target}: {mistake.name}" for exercise, mistake in MISTAKES]

WRONG_ANSWERS = [
    *wrong_answers.WRONG_ANSWERS,
    *wrong_answers_deit.WRONG_ANSWERS,
    *wrong_answers_recipe.WRONG_ANSWERS,
]
WRONG_NAMES = [f"{target}: {name}" for target, name, _ in WRONG_ANSWERS]


def text_of(exercise, mistake):
    """The mistake as a learner's file: its text stands in the class without what is around it in the reference."""
    owner = exercise.target.rpartition(".")[0]
    text = mistaken_source(exercise, mistake)
    return f"class {owner}(nn.Layer):\n{text}" if owner else text


def judged(exercise, mistake, seed):
    verdict = judge_here(exercise, text_of(exercise, mistake), seed)
    return verdict.state, verdict.mistake


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=NAMES)
def test_a_mistake_is_refused_and_named(exercise, mistake):
    verdict = judge_here(exercise, text_of(exercise, mistake), seed=11)
    assert verdict.state in ("wrong", "error")
    assert verdict.mistake == mistake.name, verdict.message
    assert mistake.says["en"] in verdict.message


@pytest.mark.slow
@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=NAMES)
def test_a_mistake_is_refused_and_named_whatever_the_seed(exercise, mistake):
    results = [judged(exercise, mistake, seed) for seed in range(200, 240)]
    assert all(state in ("wrong", "error") for state, _ in results), "accepted for some seed"
    assert {name for _, name in results} == {mistake.name}


@pytest.mark.parametrize(("target", "name", "text"), WRONG_ANSWERS, ids=WRONG_NAMES)
def test_other_wrong_answers_are_refused(target, name, text):
    exercise = find_exercise(target)
    for seed in (11, 12, 13):
        verdict = judge_here(exercise, in_class(target, text), seed)
        assert verdict.state in ("wrong", "error"), "accepted"
        assert verdict.mistake is None, f"named {verdict.mistake}"


@pytest.mark.slow
@pytest.mark.parametrize(("target", "name", "text"), WRONG_ANSWERS, ids=WRONG_NAMES)
def test_other_wrong_answers_are_refused_whatever_the_seed(target, name, text):
    exercise = find_exercise(target)
    text = in_class(target, text)
    results = [judge_here(exercise, text, seed) for seed in range(300, 340)]
    assert all(verdict.state in ("wrong", "error") for verdict in results), "accepted for some seed"
    assert {verdict.mistake for verdict in results} == {None}
