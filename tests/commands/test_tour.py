"""The tour, from the environment to the pictures."""

import pytest
from test_commands import command


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", ["not started", "Softmax runs over the queries", "Score 40 / 43", "Score 43 / 43", "Your turn"]),
        ("zh", ["未开始", "softmax 的轴不对", "得分 40 / 43", "得分 43 / 43", "轮到你了"]),
    ],
)
def test_the_tour(tmp_path, language, says):
    done = command("tour", "--epochs", "1", "--lang", language, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    place = 0
    for text in says:  # in this order
        assert text in done.stdout[place:]
        place = done.stdout.index(text, place)
    for name in ("learning_curve.png", "attention.png", "metrics.jsonl"):
        assert (tmp_path / "runs" / "tour" / name).stat().st_size > 0
        assert f"runs/tour/{name}" in done.stdout
