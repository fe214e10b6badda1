"""Wrong answers are refused: every known mistake is named as itself, and others get no name that is not theirs."""

import functools

import pytest
import wrong_answers
import wrong_answers_deit
import wrong_answers_recipe
import wrong_answers_swin_attention
import wrong_answers_swin_blocks
import wrong_answers_swin_model
import wrong_answers_swin_step
import wrong_answers_swin_windows
from helpers import EXERCISES, SEEDS, find_exercise, in_class, judge_here

from paddle_vit.grader import judge, mistakes
from paddle_vit.grader.mistakes import mistaken_source

MISTAKES = [(exercise, mistake) for exercise in EXERCISES for mistake in exercise.mistakes]
NAMES = [f"{exercise.target}: {mistake.name}" for exercise, mistake in MISTAKES]

WRONG_ANSWERS = [
    *wrong_answers.WRONG_ANSWERS,
    *wrong_answers_deit.WRONG_ANSWERS,
    *wrong_answers_recipe.WRONG_ANSWERS,
    *wrong_answers_swin_attention.WRONG_ANSWERS,
    *wrong_answers_swin_blocks.WRONG_ANSWERS,
    *wrong_answers_swin_model.WRONG_ANSWERS,
    *wrong_answers_swin_step.WRONG_ANSWERS,
    *wrong_answers_swin_windows.WRONG_ANSWERS,
]
WRONG_NAMES = [f"{target}: {name}" for target, name, _ in WRONG_ANSWERS]


@pytest.fixture(scope="module", autouse=True)
def observed_once():
    """What a known mistake gives on a case is the same whoever asks: tests of one exercise share it, to save most of their
    time. The answer that is judged and the expected one are observed elsewhere, each time anew."""

    @functools.lru_cache(maxsize=4096)
    def observe(case, module, seed, backward):
        return real(by_id[case], by_id[module], seed, backward)

    def remembering(case, module, seed, backward=True):
        by_id.update({id(case): case, id(module): module})  # neither can be a key itself
        return observe(id(case), id(module), seed, backward)

    real, by_id = mistakes.observe, {}
    mistakes.observe = remembering
    yield
    mistakes.observe = real


def text_of(exercise, mistake):
    """The mistake as a learner's file: its text stands in the class without what is around it in the reference."""
    owner = exercise.target.rpartition(".")[0]
    text = mistaken_source(exercise, mistake)
    return f"class {owner}(nn.Layer):\n{text}" if owner else text


def states_and_names(exercise, text, seeds, monkeypatch):
    """States for all seeds, names for every fourth: trying all mistakes of an exercise takes most of the time."""
    names = {judge_here(exercise, text, seed).mistake for seed in seeds[::4]}
    monkeypatch.setattr(judge, "name_mistake", lambda *_: None)
    return {judge_here(exercise, text, seed).state for seed in seeds}, names


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=NAMES)
def test_a_mistake_is_refused_and_named(exercise, mistake):
    verdict = judge_here(exercise, text_of(exercise, mistake), seed=11)
    assert verdict.state in ("wrong", "error")
    assert verdict.mistake == mistake.name, verdict.message
    assert mistake.says["en"] in verdict.message


@pytest.mark.slow
@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=NAMES)
def test_a_mistake_is_refused_and_named_whatever_the_seed(exercise, mistake, monkeypatch):
    states, names = states_and_names(exercise, text_of(exercise, mistake), SEEDS, monkeypatch)
    assert states <= {"wrong", "error"}, "accepted for some seed"
    assert names == {mistake.name}


@pytest.mark.parametrize(("target", "name", "text"), WRONG_ANSWERS, ids=WRONG_NAMES)
def test_other_wrong_answers_are_refused(target, name, text):
    verdict = judge_here(find_exercise(target), in_class(target, text), seed=11)
    assert verdict.state in ("wrong", "error"), "accepted"
    assert verdict.mistake is None, f"named {verdict.mistake}"


@pytest.mark.slow
@pytest.mark.parametrize(("target", "name", "text"), WRONG_ANSWERS, ids=WRONG_NAMES)
def test_other_wrong_answers_are_refused_whatever_the_seed(target, name, text, monkeypatch):
    exercise = find_exercise(target)
    states, names = states_and_names(exercise, in_class(target, text), SEEDS, monkeypatch)
    assert states <= {"wrong", "error"}, "accepted for some seed"
    assert names == {None}
