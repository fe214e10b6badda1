"""The grader process that stays warm: its protocol, and that nothing of it is ever left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from helpers import LESSON, REFERENCE, below, grade_text, verdict_of, with_definition

from paddle_vit.grader.server import Grader, GraderDied
from paddle_vit.grader.session import session_hand_in

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")

ROOT = Path(__file__).parents[2]
WEIGHTS = LESSON.find("Attention.attention_weights")
NO_SCALE = "return F.softmax(q @ k.transpose([0, 1, 3, 2]), axis=-1)"
ENDLESS = "while True: pass"


def text_with(body):
    return with_definition(WEIGHTS, f"def attention_weights(self, q, k):\n    {body}")


def request(text, target=WEIGHTS.target, root=None):
    return dict(lesson="vit", target=target, language="en", root=root, units=[["vit.py", text, "vit.py"]])


def gone(pids, seconds):
    """Whether these have ended, or do within so many seconds."""
    until = time.monotonic() + seconds
    while True:
        states = []
        for pid in pids:
            try:
                states.append(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0])
            except OSError:
                continue
        if all(state in "ZX" for state in states):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.02)


def wait_for_learner(pid):
    """Descendants of a grader once its judge runs the learner's code."""
    until = time.monotonic() + 20
    while len(found := below(pid)) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert len(found) >= 2
    return found


@pytest.fixture(scope="module")
def grader():
    grader = Grader("vit")
    yield grader
    grader.end()


# --- questions and answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["return q @ k.transpose([0, 1, 3, 2])", NO_SCALE, "return undefined_name"])
def test_the_verdict_is_that_of_the_terminal(grader, body):
    (entry,) = grader.ask(**request(text_with(body)))["report"]["exercises"]
    expected = verdict_of(grade_text(text_with(body), only=WEIGHTS), WEIGHTS.target)
    assert (entry["target"], entry["state"], entry["mistake"]) == (WEIGHTS.target, expected.state, expected.mistake)
    assert entry["message"].splitlines()[-1].startswith("Checked with: ")


def test_seeds_are_fresh(grader):
    seeds = {grader.ask(**request(REFERENCE))["report"]["seed"] for _ in range(3)}
    assert len(seeds) > 1


def test_a_whole_lesson_with_progress(grader, tmp_path):
    report = grader.ask(**request(REFERENCE, target=None, root=str(tmp_path)))["report"]
    assert report["score"] == report["points"] and report["capstone"]["state"] == "passed"
    memory = json.loads((tmp_path / ".paddle_vit" / "progress.json").read_text())["exercises"]
    assert {memory[exercise.target]["state"] for exercise in LESSON.exercises} == {"passed"}


def test_a_bad_request_is_answered_and_the_next_one_too(grader):
    assert "no lesson" in grader.ask(**{**request(REFERENCE), "lesson": "vitt"})["problem"]
    assert grader.ask(**request(REFERENCE))["report"]["exercises"][0]["state"] == "passed"


def test_what_the_code_prints_is_no_answer(grader):
    body = "import os; print('{\"id\": 1}', flush=True); os.write(1, b'x\\n'); return q"
    (entry,) = grader.ask(**request(text_with(body)))["report"]["exercises"]
    assert entry["state"] == "wrong" and "Your code printed: {" in entry["message"]


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_killed_grader_is_replaced_and_the_question_asked_again(grader):
    os.kill(grader.process.pid, signal.SIGKILL)
    assert grader.ask(**request(REFERENCE))["report"]["exercises"][0]["state"] == "passed"


def test_end_of_input_ends_everything_in_the_midst_of_an_endless_loop():
    grader = Grader("vit")
    line = json.dumps({"id": 1, **request(text_with(ENDLESS))}).encode() + b"\n"
    grader.process.stdin.write(line)
    running = [grader.process.pid, *wait_for_learner(grader.process.pid)]
    grader.process.stdin.close()
    grader.process.wait(1)
    assert gone(running, 1.0)


def test_end_while_it_loads():
    grader = Grader("vit")
    long = dict(request("# " + "x" * 200_000 + "\n" + REFERENCE))  # more than a pipe holds
    assert grader.ask(**long)["report"]["exercises"][0]["state"] == "passed"
    grader.start()
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        grader.ask(**long)
    grader.end()
    assert gone([grader.process.pid], 1.0)


def test_a_kernel_that_is_killed_leaves_nothing(tmp_path):
    code = (
        "import json, sys; from paddle_vit.grader.server import Grader; grader = Grader('vit')\n"
        "print(grader.process.pid, flush=True); grader.ask(**json.load(sys.stdin))"
    )
    kernel = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )  # fmt: skip
    kernel.stdin.write(json.dumps(request(text_with(ENDLESS))).encode())
    kernel.stdin.close()
    server = int(kernel.stdout.readline())
    running = [server, *wait_for_learner(server)]
    kernel.kill()
    kernel.wait()
    assert gone(running, 1.0)


def test_a_paddle_that_does_not_load_is_said(tmp_path, monkeypatch):
    (tmp_path / "paddle").mkdir()
    (tmp_path / "paddle" / "__init__.py").write_text("raise ImportError('libpaddle.so: no such file')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    grader = Grader("vit")
    with pytest.raises(GraderDied, match="ImportError: libpaddle.so: no such file"):
        grader.ask(**request(REFERENCE))
    grader.end()


def test_without_fork():
    code = "import os; del os.fork; from paddle_vit.grader.server import main; main()"
    server = subprocess.Popen(
        [sys.executable, "-c", code, "vit"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )  # fmt: skip
    server.stdin.write(json.dumps({"id": 5, **request(text_with(NO_SCALE))}).encode() + b"\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    assert answer["id"] == 5 and answer["report"]["exercises"][0]["mistake"] == "no_scale"
    server.stdin.write(json.dumps({"id": 6, **request(text_with(ENDLESS))}).encode() + b"\n")
    server.stdin.flush()
    until = time.monotonic() + 10
    while not below(server.pid) and time.monotonic() < until:
        time.sleep(0.05)
    running = [server.pid, *below(server.pid)]
    assert len(running) >= 2
    server.stdin.close()
    server.wait(2)
    assert gone(running, 1.0)


# --- a session as a hand-in -------------------------------------------------------------------------------------------


def session(*cells, only=WEIGHTS):
    return session_hand_in([(f"In [{n}]", text, "notebook") for n, text in enumerate(cells, 1)], LESSON, only)


def method(body, name="attention_weights"):
    return f"class Attention(nn.Layer):\n    def {name}(self, q, k):\n        {body}\n"


def test_the_newest_definition_counts_even_unfinished():
    hand_in = session(method("return 1"), method("raise NotImplementedError"))
    (definition,) = hand_in.definitions[WEIGHTS.target]
    assert definition.unit.name == "In [2]"


def test_a_cell_with_a_syntax_error_hides_what_it_was_to_define_and_nothing_else():
    hand_in = session(method("return 1") + method("return 2", "forward"), method("return (") + "\nx = 1\n")
    assert set(hand_in.definitions) == {"Attention.forward"}
    assert hand_in.unreadable[WEIGHTS.target].unit.name == "In [2]"
    hand_in = session(method("return 1"), "class Attention(nn.Layer)\n    pass\n")
    assert not hand_in.definitions and "Attention" in hand_in.unreadable
    hand_in = session("class Attention(nn.Layer)\n    pass\n", method("return 1"))
    assert WEIGHTS.target in hand_in.definitions and not hand_in.unreadable


def test_only_statements_that_can_be_reached_come_along():
    cells = [
        "import paddle.nn.functional as F",
        "q = model(images)",
        "def helper(x):\n    return later(x) * scale\n",
        "scale = 1\nscale = scale + 1",
        method("return helper(q)"),
        "def later(x):\n    return x\n",
        "scale = 3",
        "k = helper(scale)",
    ]
    names = [sorted(statement.binds)[0] for statement in session(*cells).statements]
    assert names == ["helper", "later", "scale"]
    names = [sorted(statement.binds)[0] for statement in session(*cells[:4], method("return helper(q)")).statements]
    assert names == ["helper", "scale", "scale"]
