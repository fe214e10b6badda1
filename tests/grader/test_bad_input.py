"""What is not a right answer and not a plain mistake: each costs its author that exercise, with a message that says so."""

import json
import os
import time
from pathlib import Path

import pytest
from helpers import LESSON, REFERENCE, STUB, grade_text, verdict_of, with_definition

from paddle_vit.exercises import load_lesson
from paddle_vit.grader import isolate
from paddle_vit.grader.collect import CannotRead, collect, collect_sources
from paddle_vit.grader.grade import grade
from paddle_vit.grader.graft import load_reference
from paddle_vit.grader.stubs import solution_definition

WEIGHTS = LESSON.find("Attention.attention_weights")
RIGHT = """
def attention_weights(self, q, k):
    scores = paddle.matmul(q * self.head_dim**-0.5, k, transpose_y=True)
    return F.softmax(scores, axis=-1)
"""


def attention_weights(body, before="", base=REFERENCE):
    """A hand-in whose attention_weights has this body."""
    lines = "\n".join("    " + line for line in body.strip("\n").splitlines())
    return before + with_definition(WEIGHTS, "def attention_weights(self, q, k):\n" + lines, base)


def judged(body, before=""):
    """The verdict on a body, graded as for a learner; the neighbour before it and behind it must not suffer."""
    text = attention_weights(body, before)
    report = grade_text(text, only=WEIGHTS)
    return verdict_of(report, WEIGHTS.target)


# --- values of the wrong kind -----------------------------------------------------------------------------------------

KINDS = {
    "None": ("return None", "nothing was returned; is a return missing?"),
    "nothing": ("scores = q @ k.transpose([0, 1, 3, 2])", "is a return missing?"),
    "a string": ("return 'softmax'", "got str"),
    "a list": ("return [F.softmax(q @ k.transpose([0, 1, 3, 2]) * self.head_dim**-0.5)]", "got (Tensor)"),
    "numpy": ("return F.softmax(q @ k.transpose([0, 1, 3, 2]) * self.head_dim**-0.5).numpy()", "got numpy.ndarray"),
    "float64": (
        "return F.softmax(q @ k.transpose([0, 1, 3, 2]) * self.head_dim**-0.5).astype('float64')",
        "Expected dtype float32, got float64",
    ),
    "another shape": ("return (q @ k.transpose([0, 1, 3, 2])).sum(1)", "Expected shape [2, 3, 5, 5], got [2, 5, 5]"),
    "not a number": (
        "return F.softmax(q @ k.transpose([0, 1, 3, 2])) * float('nan')",
        "The value at [0, 0, 0, 0] is nan",
    ),
    "a generator": ("yield q", "got generator"),
}


@pytest.mark.parametrize("name", KINDS)
def test_another_kind_of_value(name):
    body, says = KINDS[name]
    verdict = judged(body)
    assert verdict.state == "wrong"
    assert says in verdict.message


def test_an_object_that_equals_everything():
    before = "class Same:\n    def __eq__(self, other): return True\n    def __getattr__(self, name): return self\n"
    verdict = judged("return Same()", before)
    assert verdict.state == "wrong"
    assert "Same" in verdict.message


def test_a_tensor_subclass_that_equals_everything():
    before = (
        "import paddle\nclass Evil(paddle.Tensor):\n    def __eq__(self, other): return True\n"
        "    def __abs__(self): return 0\n"
    )
    body = "x = Evil()\nreturn x"
    assert judged(body, before).state in ("wrong", "error")


def test_inputs_changed_in_place():
    body = "w = F.softmax(q @ k.transpose([0, 1, 3, 2]) * self.head_dim**-0.5)\nwith paddle.no_grad():\n    q.scale_(2.0)\nreturn w"
    verdict = judged(body)
    assert verdict.state in ("wrong", "error")


# --- code that raises -------------------------------------------------------------------------------------------------


def test_the_learners_own_error_is_shown_with_its_line():
    verdict = judged("half = 1 / 2\nreturn undefined_name * half")
    assert verdict.state == "error"
    assert "NameError: name 'undefined_name' is not defined" in verdict.message
    assert "return undefined_name * half" in verdict.message
    line = next(
        n
        for n, text in enumerate(attention_weights("half = 1 / 2\nreturn undefined_name * half").splitlines(), 1)
        if "undefined_name" in text
    )
    assert f"vit.py, line {line}" in verdict.message
    assert "paddle_vit" not in verdict.message  # no traceback of ours


def test_an_error_inside_paddle_names_the_learners_line():
    verdict = judged("scores = paddle.matmul(q, k)\nreturn scores")
    assert verdict.state == "error"
    assert "scores = paddle.matmul(q, k)" in verdict.message
    assert "C++" not in verdict.message


def test_an_exception_that_cannot_be_printed():
    before = "class Bad(Exception):\n    def __str__(self): raise RuntimeError('never')\n"
    verdict = judged("raise Bad()", before)
    assert verdict.state == "error"
    assert "Bad" in verdict.message


def test_an_exception_with_a_text_of_fifty_megabytes():
    verdict = judged("raise ValueError('x' * 50_000_000)")
    assert verdict.state == "error"
    assert len(verdict.message) < 2000


def test_the_raise_left_behind():
    verdict = judged('scores = q @ k.transpose([0, 1, 3, 2])\nraise NotImplementedError("TODO 1.9")')
    assert verdict.state == "error"
    assert "raise NotImplementedError is still there" in verdict.message


def test_endless_recursion():
    verdict = judged("return self.attention_weights(q, k)")
    assert verdict.state == "error"
    assert "RecursionError" in verdict.message or "ended the process" in verdict.message


# --- signatures and names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signature", ["self, q", "q, k", "self, q, k, v", "self", "self, *, q, k", "self, q, k, *, mask"]
)
def test_a_wrong_signature(signature):
    text = with_definition(WEIGHTS, f"def attention_weights({signature}):\n    return paddle.zeros([1])")
    verdict = verdict_of(grade_text(text, only=WEIGHTS), WEIGHTS.target)
    assert verdict.state == "wrong"
    assert "attention_weights(self, q, k)" in verdict.message


@pytest.mark.parametrize("signature", ["self, a, b", "self, q, k, mask=None", "self, *qk", "self, q, k, **more"])
def test_a_signature_that_can_be_called_the_same_way(signature):
    body = "a, b = qk" if "*qk" in signature else "a, b = a, b" if "a, b" in signature else "a, b = q, k"
    text = with_definition(
        WEIGHTS,
        f"def attention_weights({signature}):\n    {body}\n"
        "    return F.softmax(a @ b.transpose([0, 1, 3, 2]) * self.head_dim**-0.5)",
    )
    assert verdict_of(grade_text(text, only=WEIGHTS), WEIGHTS.target).state == "passed"


def test_another_default_in_a_constructor():
    text = REFERENCE.replace(
        "def __init__(self, embed_dim=768, mlp_ratio=4.0, dropout=0.0):",
        "def __init__(self, embed_dim=768, mlp_ratio=2.0, dropout=0.0):",
    )
    assert text != REFERENCE
    verdict = verdict_of(grade_text(text, only="Mlp.__init__"), "Mlp.__init__")
    assert verdict.state == "wrong"
    assert "mlp_ratio=4.0" in verdict.message


def test_a_method_renamed():
    text = REFERENCE.replace("def attention_weights(", "def atention_weights(")
    verdict = verdict_of(grade_text(text, only=WEIGHTS), WEIGHTS.target)
    assert verdict.state == "missing"
    assert "Attention.atention_weights" in verdict.message


def test_a_class_renamed():
    text = REFERENCE.replace("class Mlp(", "class MLP(").replace("Mlp(embed_dim", "MLP(embed_dim")
    report = grade_text(text)
    assert verdict_of(report, "Mlp.forward").state == "missing"
    assert "MLP.forward" in verdict_of(report, "Mlp.forward").message
    assert verdict_of(report, "Attention.forward").state == "passed"


def test_a_parameter_renamed():
    text = REFERENCE.replace("self.fc2 = nn.Linear", "self.second = nn.Linear")
    verdict = verdict_of(grade_text(text, only="Mlp.__init__"), "Mlp.__init__")
    assert verdict.state in ("wrong", "error")
    assert "fc2" in verdict.message


def test_one_wrong_exercise_costs_only_itself():
    report = grade_text(attention_weights("return q @ k.transpose([0, 1, 3, 2])"))
    states = {
        exercise.target: verdict.state for exercise, verdict in zip(LESSON.exercises, report.verdicts, strict=True)
    }
    assert states.pop(WEIGHTS.target) == "wrong"
    assert set(states.values()) == {"passed"}
    assert report.capstone.state == "not_started"


def test_later_exercises_count_while_earlier_ones_are_empty():
    report = grade_text(with_definition(WEIGHTS, RIGHT, STUB))
    states = [verdict.state for verdict in report.verdicts]
    assert states.count("passed") == 1
    assert states.count("not_started") == len(states) - 1
    assert report.score == WEIGHTS.points


def test_a_definition_that_is_not_an_exercise_comes_from_the_reference():
    text = REFERENCE.replace('    if pool not in ("class", "mean"):', "    if True:")
    text = text.replace("self.pool = check_pool(pool)", "self.pool = check_pool(pool) or pool", 1)
    report = grade_text(text, only="VisionTransformer.__init__")
    assert verdict_of(report, "VisionTransformer.__init__").state == "passed"
    wrong = text.replace("self.apply(init_weights)", "pass")
    verdict = verdict_of(grade_text(wrong, only="VisionTransformer.__init__"), "VisionTransformer.__init__")
    assert verdict.state == "wrong"
    assert "check_pool is not part of this exercise" in verdict.message


# --- syntax errors ----------------------------------------------------------------------------------------------------


def test_a_syntax_error_costs_only_the_definition_it_stands_in():
    text = attention_weights("scores = (q @ k\nreturn scores")
    report = grade_text(text)
    verdict = verdict_of(report, WEIGHTS.target)
    assert verdict.state == "error"
    assert "Python cannot read this" in verdict.message and "vit.py, line" in verdict.message
    others = [v.state for e, v in zip(LESSON.exercises, report.verdicts, strict=True) if e is not WEIGHTS]
    assert set(others) == {"passed"}


@pytest.mark.parametrize(
    "body", ["return '''open", "  indented = 1\nback = 2", "return q @@ k", "x = [1, 2\n\n# never closed"]
)
def test_other_text_that_is_not_python(body):
    report = grade_text(attention_weights(body))
    assert verdict_of(report, WEIGHTS.target).state == "error"
    assert verdict_of(report, "sincos_1d").state == "passed"
    assert verdict_of(report, "Encoder.forward").state == "passed"


def test_a_syntax_error_in_a_notebook_names_cell_and_line(tmp_path):
    cells = ["# text", "class Mlp(nn.Layer):\n    def forward(self, x):\n        return self.fc2(\n"]
    path = write_notebook(tmp_path / "a.ipynb", cells)
    report = grade(LESSON, collect([path]), "en", seed=1, only=LESSON.find("Mlp.forward"))
    verdict = verdict_of(report, "Mlp.forward")
    assert verdict.state == "error"
    assert "a.ipynb cell 2, line 3" in verdict.message


# --- what never ends, dies, or wants more than it may ------------------------------------------------------------------


@pytest.fixture
def short_limit(monkeypatch):
    """Time limits of a second: the tests of loops need not wait ten."""
    from paddle_vit.grader import judge

    real = judge.Trial.__post_init__

    def hurried(self):
        real(self)
        self.seconds = 1.0

    monkeypatch.setattr(judge.Trial, "__post_init__", hurried)


LOOPS = {
    "a loop": "while True: pass",
    "a loop that catches everything": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "sleep": "import time; time.sleep(1000)",
    "ignored signals": "import signal\nfor n in (1, 2, 3, 15):\n    signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
    "a thread": "import threading\nt = threading.Thread(target=lambda: [None for _ in iter(int, 1)])\nt.start(); t.join()",
}


@pytest.mark.parametrize("name", LOOPS)
def test_what_never_ends(name, short_limit):
    start = time.perf_counter()
    verdict = judged(LOOPS[name])
    assert verdict.state == "timeout"
    assert "endless loop" in verdict.message
    assert time.perf_counter() - start < 6


DEATHS = {
    "sys.exit": ("import sys; sys.exit(0)", "SystemExit"),
    "os._exit": ("import os; os._exit(0)", "exit status 0"),
    "exit in a thread": (
        "import threading, os\nt = threading.Thread(target=os._exit, args=(0,))\nt.start(); t.join()",
        "exit status 0",
    ),
    "killing itself": ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
    "abort": ("import os; os.abort()", "SIGABRT"),
    "a segmentation fault": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "input": ("return input()", "EOFError"),
    "16 GB": ("import numpy; return paddle.to_tensor(numpy.ones(2**34, 'uint8'))", "Error"),
    "16 GB, slowly": ("parts = []\nwhile True: parts.append(bytearray(2**26))", "MemoryError"),
    "printing without end": ("while True: print('hello' * 100)", "printed too much"),
    "the parent": ("import os, signal; os.kill(os.getppid(), 9); return q", ""),
    "the group": ("import os; os.killpg(0, 9); return q", ""),
    "everyone": ("import os; os.kill(-1, 0) if os.getuid() == 0 else None; raise PermissionError('no')", ""),
    "forks without end": ("import os\nwhile True: os.fork()", ""),
    "a program": ("import subprocess; subprocess.run(['sleep', '1000']); return q", ""),
    "a result of a gigabyte": ("return paddle.zeros([2**28])", ""),
    "closed descriptors": ("import os; os.closerange(0, 1000); return q", ""),
    "forged frames": (
        "import os\nfor n in range(1, 64):\n    try: os.write(n, b'x' * 100)\n    except OSError: pass\nos._exit(0)",
        "",
    ),
}


@pytest.mark.parametrize("name", DEATHS)
def test_what_ends_its_process(name):
    body, says = DEATHS[name]
    before = children()
    start = time.perf_counter()
    verdict = judged(body)
    assert verdict.state in ("error", "wrong")
    assert says in verdict.message
    assert verdict.message
    assert time.perf_counter() - start < 9
    assert children() == before
    assert verdict_of(grade_text(REFERENCE, only=WEIGHTS), WEIGHTS.target).state == "passed"


def test_a_daemon(tmp_path, short_limit):
    mark = tmp_path / "alive"
    body = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        while True:\n"
        f"            open({str(mark)!r}, 'a').write('x'); time.sleep(0.05)\n    os._exit(0)\nreturn q"
    )
    assert judged(body).state in ("error", "wrong")
    time.sleep(0.3)
    size = mark.stat().st_size if mark.exists() else 0
    time.sleep(0.3)
    assert (mark.stat().st_size if mark.exists() else 0) == size


def test_files_can_neither_be_written_nor_deleted(tmp_path):
    if not isolate.describe()["system call filter"]:
        pytest.skip("no system call filter here")
    victim = tmp_path / "victim.txt"
    victim.write_text("here")
    for body in (
        f"import os; os.remove({str(victim)!r}); return q",
        f"open({str(victim)!r}, 'w').write('gone'); return q",
        f"import shutil; shutil.rmtree({str(tmp_path)!r}, ignore_errors=True); return q",
    ):
        assert judged(body).state in ("error", "wrong")
        assert victim.read_text() == "here"


# --- forgery ----------------------------------------------------------------------------------------------------------

FORGERIES = {
    "paddle's functions replaced": (
        "import paddle\npaddle.matmul = lambda *a, **k: 0\npaddle.allclose = lambda *a, **k: True\n",
        "paddle.Tensor.__eq__ = lambda a, b: True\nF.softmax = lambda x, axis=-1: x\npaddle.Tensor.numpy = lambda self: 0\n"
        "return q",
    ),
    "numpy replaced": (
        "import numpy\n",
        "numpy.abs = lambda x: 0\nnumpy.isfinite = lambda x: True\nnumpy.max = lambda *a: 0\nreturn q @ k.transpose([0, 1, 3, 2])",
    ),
    "the grader's modules replaced": (
        "",
        "import sys\nfor name in list(sys.modules):\n    if name.startswith('paddle_vit.grader'):\n"
        "        m = sys.modules[name]\n        for a in ('compare', 'holds', 'observe', 'Verdict', 'decode', 'judge'):\n"
        "            if hasattr(m, a): setattr(m, a, lambda *x, **y: None)\nreturn q @ k.transpose([0, 1, 3, 2])",
    ),
    "the encoding replaced": (
        "",
        'from paddle_vit.grader import wire\nwire.encode = lambda value: b\'{"state": "passed"}\'\nreturn q',
    ),
    "the caller's variables": (
        "",
        "import sys\nframe = sys._getframe()\nwhile frame:\n    for name, value in list(frame.f_locals.items()):\n"
        "        if 'expected' in name and value is not None: raise SystemExit('seen ' + name)\n"
        "    frame = frame.f_back\nreturn q @ k.transpose([0, 1, 3, 2])",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_nothing_is_forged(name):
    before, body = FORGERIES[name]
    verdict = judged(body, before)
    assert verdict.state in ("wrong", "error")
    assert "seen expected" not in verdict.message
    report = grade_text(attention_weights(body, before))
    assert sum(verdict.state == "passed" for verdict in report.verdicts) == len(LESSON.exercises) - 1


# --- files ------------------------------------------------------------------------------------------------------------


def test_no_such_file_and_others_that_cannot_be_read(tmp_path):
    def key_of(path):
        with pytest.raises(CannotRead) as caught:
            collect([path])
        return caught.value.key

    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "latin.py").write_bytes("# caf\xe9\n".encode("latin-1"))
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "broken.ipynb").write_text("{not json")
    (tmp_path / "list.ipynb").write_text("[1, 2]")
    (tmp_path / "no_cells.ipynb").write_text('{"cells": 3}')
    write_notebook(tmp_path / "no_code.ipynb", [])
    assert key_of(tmp_path / "nowhere.py") == "no_such_file"
    assert key_of(tmp_path / "empty") == "empty_folder"
    assert key_of(tmp_path / "empty.py") == "no_code"
    assert key_of(tmp_path / "latin.py") == "not_utf8"
    assert key_of(tmp_path / "text.txt") == "not_python"
    assert key_of(tmp_path / "broken.ipynb") == "not_json"
    assert key_of(tmp_path / "list.ipynb") == "not_notebook"
    assert key_of(tmp_path / "no_cells.ipynb") == "not_notebook"
    assert key_of(tmp_path / "no_code.ipynb") == "no_code"


def write_notebook(path, sources, kernel="python3"):
    cells = [{"cell_type": "markdown", "metadata": {}, "source": ["a text with def Mlp():\n"]}] if not sources else []
    cells += [
        {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source.splitlines(True)}
        for source in sources
    ]
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel}}
    path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    return path


def definitions_as_cells():
    """The reference as a notebook would have it: one cell a top-level definition."""
    import ast

    lines = REFERENCE.splitlines(keepends=True)
    nodes = ast.parse(REFERENCE).body
    return ["".join(lines[node.lineno - 1 : node.end_lineno]) for node in nodes]


def states_of(path):
    report = grade(LESSON, collect([path]), "en", seed=1)
    return [verdict.state for verdict in report.verdicts]


def test_a_notebook_with_an_unknown_kernel(tmp_path):
    path = write_notebook(tmp_path / "renamed copy (3).ipynb", definitions_as_cells(), kernel="py35-paddle1.2.0")
    assert set(states_of(path)) == {"passed"}


def test_cells_reordered_copied_and_deleted(tmp_path):
    cells = definitions_as_cells()
    backwards = write_notebook(tmp_path / "backwards.ipynb", cells[::-1])
    assert set(states_of(backwards)) == {"passed"}
    # an earlier wrong try above, and the untouched stub copied below: the last finished definition counts
    wrong = "class Mlp(nn.Layer):\n    def forward(self, x):\n        return x\n"
    stub = "class Mlp(nn.Layer):\n    def forward(self, x):\n        raise NotImplementedError('TODO 1.13')\n"
    copied = write_notebook(tmp_path / "copied.ipynb", [wrong, *cells, stub])
    assert set(states_of(copied)) == {"passed"}
    deleted = write_notebook(tmp_path / "deleted.ipynb", [cell for cell in cells if "class Mlp" not in cell])
    states = states_of(deleted)
    assert states.count("missing") == 2 and states.count("passed") == len(states) - 2


def test_a_class_split_over_cells(tmp_path):
    one = "class Mlp(nn.Layer):\n    def __init__(self, embed_dim=768, mlp_ratio=4.0, dropout=0.0):\n        super().__init__()\n"
    one += "        hidden = int(embed_dim * mlp_ratio)\n        self.fc1 = nn.Linear(embed_dim, hidden)\n"
    one += "        self.fc2 = nn.Linear(hidden, embed_dim)\n        self.dropout = nn.Dropout(dropout)\n"
    again = "class Mlp(Mlp):\n    def forward(self, x):\n        return self.dropout(self.fc2(self.dropout(F.gelu(self.fc1(x)))))\n"
    assigned = "def mlp_forward(self, x):\n    return self.dropout(self.fc2(self.dropout(F.gelu(self.fc1(x)))))\nMlp.forward = mlp_forward\n"
    for other in (again, assigned):
        path = write_notebook(tmp_path / "split.ipynb", [one, other])
        report = grade(LESSON, collect([path]), "en", seed=1)
        assert verdict_of(report, "Mlp.__init__").state == "passed"
        assert verdict_of(report, "Mlp.forward").state == "passed"


def test_magics_and_shell_lines(tmp_path):
    mlp = next(cell for cell in definitions_as_cells() if "class Mlp" in cell)
    cells = [
        "%matplotlib inline\n!pip install paddle\nfiles = !ls\nimport paddle\nhelp?\n",
        "%%time\n" + mlp,
        "%%bash\nwhile true; do echo hello; done\nclass Mlp: pass\n",
        "x = %timeit -o 3 + 4\nprint('100 %\\n! not a command')\ny = (5\n% 3)\n",
        "text = '''\n%not a magic\n!nor this\n'''\n",
    ]
    path = write_notebook(tmp_path / "magics.ipynb", cells)
    report = grade(LESSON, collect([path]), "en", seed=1)
    assert verdict_of(report, "Mlp.forward").state == "passed"
    assert verdict_of(report, "Mlp.__init__").state == "passed"


def test_two_files_that_both_finish_an_exercise(tmp_path):
    (tmp_path / "vit.py").write_text(REFERENCE)
    (tmp_path / "other.py").write_text(
        "def sincos_1d(num_positions, dim):\n    return paddle.zeros([num_positions, dim])\n"
    )
    report = grade(LESSON, collect([tmp_path]), "en", seed=1, only=LESSON.find("sincos_1d"))
    verdict = verdict_of(report, "sincos_1d")
    assert verdict.state == "error"
    assert "vit.py" in verdict.message and "other.py" in verdict.message
    (tmp_path / "other.py").write_text("def sincos_1d(num_positions, dim):\n    raise NotImplementedError\n")
    report = grade(LESSON, collect([tmp_path]), "en", seed=1, only=LESSON.find("sincos_1d"))
    assert verdict_of(report, "sincos_1d").state == "passed"


def test_top_level_calls_are_not_run(tmp_path):
    mark = tmp_path / "ran"
    text = REFERENCE + f"\nopen({str(mark)!r}, 'w')\nwhile True: pass\n"
    assert verdict_of(grade_text(text, only=WEIGHTS), WEIGHTS.target).state == "passed"
    assert not mark.exists()


def test_a_local_variable_is_no_helper():
    """In a notebook a demonstration binds what an exercise uses as the name of a local variable: it is not run."""
    exercise = LESSON.find("VisionTransformer.forward_head")
    text = solution_definition(exercise).replace("return self.head(x)", "logits = self.head(x)\n        return logits")
    demo = "logits = open('/no/such/place')\nx = 1 / 0\n"
    report = grade_text(with_definition(exercise, text) + demo, only=exercise)
    assert verdict_of(report, exercise.target).state == "passed", verdict_of(report, exercise.target).message


def test_a_hand_in_with_carriage_returns_tabs_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "vit.py"
    path.write_bytes(b"\xef\xbb\xbf" + REFERENCE.replace("    ", "\t").replace("\n", "\r\n").encode())
    assert verdict_of(grade(LESSON, collect([path]), "en", seed=1, only=WEIGHTS), WEIGHTS.target).state == "passed"


def test_helpers_beside_the_hand_in(tmp_path):
    (tmp_path / "dl.py").write_text("raise RuntimeError('never import this')\n")
    (tmp_path / "my_helpers.py").write_text(
        "def soft(x):\n    import paddle\n    return paddle.nn.functional.softmax(x, axis=-1)\n"
    )
    path = tmp_path / "vit.py"
    body = "return soft(q @ k.transpose([0, 1, 3, 2]) * self.head_dim**-0.5)"
    path.write_text(attention_weights(body, "from my_helpers import soft\n"))
    assert verdict_of(grade(LESSON, collect([path]), "en", seed=1, only=WEIGHTS), WEIGHTS.target).state == "passed"


def test_a_helper_called_like_a_reference_function_disturbs_nobody():
    body = "return sincos_2d(q @ k.transpose([0, 1, 3, 2]) * self.head_dim**-0.5)"
    text = attention_weights(body).replace(
        "def sincos_2d(grid, dim):", "def sincos_2d(x):\n    return F.softmax(x)\n\n\ndef unused(grid, dim):"
    )
    report = grade_text(text)
    assert verdict_of(report, WEIGHTS.target).state == "error"  # it gets the reference's sincos_2d, and is told so
    assert verdict_of(report, "PatchEmbedding.forward").state == "passed"


def test_what_was_printed_is_shown_after_a_failure():
    verdict = judged("print('shape of q:', q.shape)\nreturn q")
    assert "Your code printed: shape of q:" in verdict.message


def test_the_message_gives_the_seed_that_repeats_it():
    report = grade_text(attention_weights("return q @ k.transpose([0, 1, 3, 2])"), only=WEIGHTS, seed=12345)
    assert "seed 12345" in verdict_of(report, WEIGHTS.target).message


def children():
    """Processes below this one."""
    return (
        sorted(
            int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
        )
        if os.path.isdir("/proc/self/task")
        else []
    )


def test_an_attribute_of_a_wrong_constructor_is_judged_where_it_is_used():
    text = """
class Attention(nn.Layer):
    def __init__(self, embed_dim=768, num_heads=12, qkv_bias=True, dropout=0.0, attention_dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.scale = embed_dim ** -0.5

    def attention_weights(self, q, k):
        return F.softmax(q @ k.transpose([0, 1, 3, 2]) * self.scale, axis=-1)
"""
    verdict = verdict_of(grade_text(text, only=WEIGHTS), WEIGHTS.target)
    assert verdict.state == "wrong"
    assert verdict.mistake == "scaled_by_embed_dim"


def test_an_import_that_fails_costs_only_who_uses_it():
    text = attention_weights("return rearrange(q)", "from no_such_package import rearrange\n")
    report = grade_text(text)
    assert "No module named 'no_such_package'" in verdict_of(report, WEIGHTS.target).message
    assert sum(verdict.state == "passed" for verdict in report.verdicts) == len(LESSON.exercises) - 1


def test_dropout_that_is_never_off_gets_a_clue():
    text = with_definition(
        LESSON.find("Mlp.forward"),
        "def forward(self, x):\n    x = F.dropout(F.gelu(self.fc1(x)), self.dropout.p)\n    return self.dropout(self.fc2(x))",
    )
    verdict = verdict_of(grade_text(text, only="Mlp.forward"), "Mlp.forward")
    assert "only evaluation mode is not: dropout must be off there" in verdict.message


def test_dropout_that_is_missing_gets_a_clue():
    text = REFERENCE.replace(
        "self.mlp = Mlp(embed_dim, mlp_ratio, dropout)", "self.mlp = Mlp(embed_dim, mlp_ratio, dropout / 2)"
    )
    verdict = verdict_of(grade_text(text, only="EncoderLayer.__init__"), "EncoderLayer.__init__")
    assert "so it is dropout or drop path" in verdict.message


def test_modes_that_differ_in_more_are_no_clue():
    """Both norms of a Swin block have cases in either mode, but the small inputs that show an epsilon come in one."""
    swin = load_lesson("swin")
    text = load_reference("paddle_vit.models.swin").text
    wrong = text.replace(
        "self.mlp_norm = nn.LayerNorm(embed_dim, epsilon=1e-5)", "self.mlp_norm = nn.LayerNorm(embed_dim, epsilon=1e-6)"
    )
    assert wrong != text
    exercise = swin.find("SwinTransformerBlock.__init__")
    report = grade(swin, collect_sources([("swin.py", wrong)]), "en", seed=7, only=exercise)
    message = report.verdicts[swin.exercises.index(exercise)].message
    assert "The output is right" in message or "The shape is right" in message
    assert "mode is right and only" not in message


def test_a_list_times_depth_says_what_may_be_wrong():
    text = REFERENCE.replace("self.layers = nn.LayerList(\n            [", "self.layers = nn.LayerList(depth * [")
    text = text.replace("\n                for rate in rates\n            ]", "\n            ]").replace(
        "attention_dropout, rate)", "attention_dropout, rates[-1])"
    )
    assert text != REFERENCE
    verdict = verdict_of(grade_text(text, only="Encoder.__init__"), "Encoder.__init__")
    assert verdict.state == "wrong"
    assert "or one layer used several times" in verdict.message
    assert len(verdict.message) < 400


def test_a_cell_that_cannot_be_read_is_said():
    report = grade_text("def helper(:\n    pass\n\n" + REFERENCE, only=WEIGHTS)
    assert [problem.line for problem in report.problems] == [1]
