"""Right answers are accepted: the reference, and some thirty other ways to write it."""

import pytest
from alternatives import ALTERNATIVES
from helpers import LESSON, REFERENCE, in_class, judge_here

SEEDS = [3, 4]
NAMES = [f"{target}: {name}" for target, name, _, _ in ALTERNATIVES]


@pytest.mark.parametrize("exercise", LESSON.exercises, ids=lambda exercise: exercise.target)
def test_the_reference_passes(exercise):
    for seed in SEEDS:
        verdict = judge_here(exercise, REFERENCE, seed)
        assert verdict.state == "passed", verdict.message


@pytest.mark.parametrize(("target", "name", "before", "text"), ALTERNATIVES, ids=NAMES)
def test_another_way_to_write_it_passes(target, name, before, text):
    exercise = LESSON.find(target)
    for seed in SEEDS:
        verdict = judge_here(exercise, in_class(target, text, before), seed)
        assert verdict.state == "passed", verdict.message


@pytest.mark.slow
@pytest.mark.parametrize(("target", "name", "before", "text"), ALTERNATIVES, ids=NAMES)
def test_another_way_to_write_it_passes_whatever_the_seed(target, name, before, text):
    exercise = LESSON.find(target)
    text = in_class(target, text, before)
    refused = [seed for seed in range(100, 140) if judge_here(exercise, text, seed).state != "passed"]
    assert not refused


def test_there_are_alternatives_for_every_exercise():
    assert {target for target, *_ in ALTERNATIVES} == {exercise.target for exercise in LESSON.exercises}
