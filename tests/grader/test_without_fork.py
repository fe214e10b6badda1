"""Where fork is missing (Windows) every check starts a process of its own: slower, with the same verdicts."""

import os

from helpers import LESSON, REFERENCE, grade_text, verdict_of, with_definition

from paddle_vit.grader import isolate

WEIGHTS = LESSON.find("Attention.attention_weights")


def judged(body, monkeypatch):
    monkeypatch.delattr(os, "fork")
    assert not isolate.can_fork()
    text = with_definition(WEIGHTS, f"def attention_weights(self, q, k):\n    {body}")
    return verdict_of(grade_text(text, only=WEIGHTS), WEIGHTS.target)


def test_a_right_answer_passes(monkeypatch):
    monkeypatch.delattr(os, "fork")
    assert verdict_of(grade_text(REFERENCE, only=WEIGHTS), WEIGHTS.target).state == "passed"


def test_a_mistake_is_named(monkeypatch):
    verdict = judged("return F.softmax(q @ k.transpose([0, 1, 3, 2]), axis=-1)", monkeypatch)
    assert verdict.state == "wrong"
    assert verdict.mistake == "no_scale"


def test_an_error_is_the_learners_own(monkeypatch):
    verdict = judged("return undefined_name", monkeypatch)
    assert verdict.state == "error"
    assert "NameError" in verdict.message and "return undefined_name" in verdict.message


def test_code_that_ends_its_process(monkeypatch):
    assert judged("import os; os._exit(0)", monkeypatch).state == "error"
