"""Right answers are accepted: the reference, and other ways to write it."""

import alternatives
import alternatives_deit
import alternatives_recipe
import alternatives_swin_attention
import alternatives_swin_blocks
import alternatives_swin_model
import alternatives_swin_step
import alternatives_swin_windows
import pytest
from helpers import EXERCISES, LESSONS, SEEDS, find_exercise, in_class, judge_here

from paddle_vit.grader.graft import load_reference

ALTERNATIVES = [
    *alternatives.ALTERNATIVES,
    *alternatives_deit.ALTERNATIVES,
    *alternatives_recipe.ALTERNATIVES,
    *alternatives_swin_attention.ALTERNATIVES,
    *alternatives_swin_blocks.ALTERNATIVES,
    *alternatives_swin_model.ALTERNATIVES,
    *alternatives_swin_step.ALTERNATIVES,
    *alternatives_swin_windows.ALTERNATIVES,
]
FEW = [3, 4]
NAMES = [f"{target}: {name}" for target, name, _, _ in ALTERNATIVES]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.target)
def test_the_reference_passes(exercise):
    for seed in FEW:
        verdict = judge_here(exercise, load_reference(exercise.module).text, seed)
        assert verdict.state == "passed", verdict.message


@pytest.mark.parametrize(("target", "name", "before", "text"), ALTERNATIVES, ids=NAMES)
def test_another_way_to_write_it_passes(target, name, before, text):
    exercise = find_exercise(target)
    for seed in FEW:
        verdict = judge_here(exercise, in_class(target, text, before), seed)
        assert verdict.state == "passed", verdict.message


@pytest.mark.slow
@pytest.mark.parametrize(("target", "name", "before", "text"), ALTERNATIVES, ids=NAMES)
def test_another_way_to_write_it_passes_whatever_the_seed(target, name, before, text):
    exercise = find_exercise(target)
    text = in_class(target, text, before)
    refused = [seed for seed in SEEDS if judge_here(exercise, text, seed).state != "passed"]
    assert not refused


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_there_are_alternatives_for_every_exercise(lesson):
    assert {exercise.target for exercise in lesson.exercises} <= {target for target, *_ in ALTERNATIVES}
