"""The command line, as a learner meets it: each command in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import LESSON, REFERENCE, STUB

ROOT = Path(__file__).parents[2]
WITHOUT_PADDLE = (
    "import sys; sys.modules['paddle'] = None; from paddle_vit.commands import run; sys.exit(run(sys.argv[1:]))"
)


def command(*arguments, cwd, environment=(), start=("-m", "paddle_vit")):
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "150",
        "LANG": "C.UTF-8",
        **dict(environment),
    }
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, encoding="utf-8", env=variables, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def project(tmp_path):
    """A learner's project: a stub of lesson 1."""
    folder = tmp_path / "project"
    (folder / "lessons" / "vit").mkdir(parents=True)
    (folder / "notebooks").mkdir()
    (folder / "lessons" / "vit" / "vit.py").write_text(STUB, encoding="utf-8")
    return folder


def stub_of(project):
    return project / "lessons" / "vit" / "vit.py"


def solve(project, target, text=None):
    """Write the reference's definition, or another, into the learner's file."""
    from paddle_vit.grader.stubs import solution_definition, stub_definition

    exercise = LESSON.find(target)
    path = stub_of(project)
    path.write_text(
        path.read_text(encoding="utf-8").replace(stub_definition(exercise), text or solution_definition(exercise)),
        encoding="utf-8",
    )


# --- grade ------------------------------------------------------------------------------------------------------------


def test_the_json_of_an_untouched_stub(project):
    done = command("grade", "vit", "--json", cwd=project)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert list(report) == ["lesson", "source", "seed", "score", "points", "exercises", "capstone"]
    assert report["lesson"] == "vit"
    assert report["source"] == "lessons/vit/vit.py"
    assert report["score"] == 0
    assert report["points"] == sum(exercise.points for exercise in LESSON.exercises)
    keys = ["id", "target", "title", "state", "score", "points", "message", "mistake", "seconds"]
    assert [list(entry) for entry in report["exercises"]] == [keys] * len(LESSON.exercises)
    assert {entry["state"] for entry in report["exercises"]} == {"not_started"}
    assert {entry["mistake"] for entry in report["exercises"]} == {None}
    assert report["capstone"]["state"] == "not_started"


def test_everything_passed_is_exit_status_zero(tmp_path):
    path = tmp_path / "my solution.py"
    path.write_text(REFERENCE, encoding="utf-8")
    before = path.read_bytes()
    done = command("grade", "vit", path, "--json", "--lang", "zh", "--seed", "5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["seed"] == 5
    assert report["score"] == report["points"]
    assert report["capstone"]["state"] == "passed"
    assert "前向" in report["capstone"]["message"]
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["my solution.py"]


def test_what_a_failure_looks_like_in_both_languages(project):
    solve(
        project,
        "Mlp.forward",
        "    def forward(self, x):\n        return self.fc2(F.gelu(self.fc1(x), approximate=True))\n",
    )
    solve(project, "sincos_1d")
    solve(project, "Mlp.__init__", LESSON_MLP.replace("embed_dim * mlp_ratio", "embed_dim * 4"))
    for language, says in (("en", "hidden layer is always four times as wide"), ("zh", "隐藏层宽度写死成了 4 倍")):
        done = command("grade", "vit", cwd=project, environment={"PADDLE_VIT_LANG": language})
        assert done.returncode == 1
        assert says in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        assert done.stderr == ""
        assert "lessons/vit/vit.py" in done.stdout


LESSON_MLP = """    def __init__(self, embed_dim=768, mlp_ratio=4.0, dropout=0.0):
        super().__init__()
        hidden = int(embed_dim * mlp_ratio)
        self.fc1 = nn.Linear(embed_dim, hidden)
        self.fc2 = nn.Linear(hidden, embed_dim)
        self.dropout = nn.Dropout(dropout)
"""


def test_one_exercise_alone(project):
    solve(project, "sincos_1d")
    done = command("grade", "vit", "--only", "1.5", "--lang", "en", cwd=project)
    assert done.returncode == 0, done.stdout
    assert "sincos_1d" in done.stdout and "Mlp" not in done.stdout
    assert command("grade", "vit", "--only", "Mlp.forward", cwd=project).returncode == 1
    wrong = command("grade", "vit", "--only", "Mlp.foward", cwd=project)
    assert wrong.returncode == 2
    assert "did you mean Mlp.forward" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.py"], "no such file: nowhere.py"),
        (["notebooks"], "no .py file and no .ipynb notebook in the folder notebooks"),
        (["broken.ipynb"], "broken.ipynb is not a notebook: line 1 is not JSON"),
        (["latin.py"], "latin.py is not UTF-8 text"),
        (["empty.py"], "there is no code in empty.py"),
        (["other.py"], "other.py holds none of the exercises of this lesson"),
        (["readme.txt"], "readme.txt is neither a .py file nor an .ipynb notebook"),
    ],
)
def test_what_cannot_be_graded_is_exit_status_two(project, arguments, says):
    (project / "broken.ipynb").write_text("{")
    (project / "latin.py").write_bytes(b"x = '\xe9'\n")
    (project / "empty.py").write_text("\n")
    (project / "other.py").write_text("def hello():\n    return 1\n")
    (project / "readme.txt").write_text("x")
    done = command("grade", "vit", *arguments, "--lang", "en", cwd=project)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_unknown_lesson(project):
    done = command("grade", "vitt", cwd=project)
    assert done.returncode == 2
    assert "no lesson 'vitt'" in done.stderr


def test_the_file_with_more_finished_exercises_is_graded(project):
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": [REFERENCE]}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (project / "notebooks" / "vit.zh.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    done = command("grade", "vit", "--json", cwd=project)
    assert done.returncode == 0, done.stdout[-2000:]
    report = json.loads(done.stdout)
    assert report["source"] == "notebooks/vit.zh.ipynb"
    assert "模型" in report["capstone"]["message"]  # the notebook's language


def test_a_hand_in_called_dl_py(tmp_path):
    (tmp_path / "dl.py").write_text(REFERENCE, encoding="utf-8")
    done = command("grade", "vit", "dl.py", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_a_hand_in_folder_with_modules_called_like_libraries(tmp_path):
    (tmp_path / "vit.py").write_text(REFERENCE, encoding="utf-8")
    for name in ("paddle", "numpy", "yaml", "dl"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('a learner called their file like a library')\n")
    done = command("grade", "vit", "vit.py", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


# --- hint, reset, solution, progress ----------------------------------------------------------------------------------


def test_hints_come_one_after_another(project):
    hints = LESSON.find("Attention.attention_weights").hints
    for number in (0, 1, 2, 2):
        done = command("hint", "Attention.attention_weights", "--lang", "en", cwd=project)
        assert done.returncode == 0
        assert hints[number]["en"] in done.stdout
    assert "That was the last hint" in done.stdout
    everything = command("hint", "vit", "1.9", "--all", "--lang", "zh", cwd=project).stdout
    assert all(hint["zh"] in everything for hint in hints)


def test_a_hint_without_a_target_is_for_the_first_that_is_not_passed(project):
    assert "PatchEmbedding.__init__" in command("hint", "vit", cwd=project).stdout
    solve(project, "PatchEmbedding.__init__")
    assert command("grade", "vit", cwd=project).returncode == 1
    assert "PatchEmbedding.embed_patches" in command("hint", "vit", cwd=project).stdout


def test_reset_restores_one_stub_and_keeps_a_backup(project):
    solve(project, "Mlp.forward")
    solve(project, "sincos_1d")
    before = stub_of(project).read_bytes()
    done = command("reset", "Mlp.forward", "--lang", "en", cwd=project)
    assert done.returncode == 0, done.stderr
    (backup,) = stub_of(project).parent.glob("vit.py.bak-*")
    assert backup.name in done.stdout
    assert backup.read_bytes() == before
    command("reset", "sincos_1d", cwd=project)
    assert stub_of(project).read_text(encoding="utf-8") == STUB
    assert len(list(stub_of(project).parent.glob("vit.py.bak-*"))) == 2


def test_reset_in_a_notebook(project):
    source = (
        f"import paddle.nn as nn\n\nclass Mlp(nn.Layer):\n{LESSON_MLP}\n    def forward(self, x):\n        return x\n"
    )
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["图像块\n"]},
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": 3, "source": source.splitlines(True)},
    ]
    path = project / "mine.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {"a": 1}, "nbformat": 4, "nbformat_minor": 5}))
    done = command("reset", "Mlp.forward", "--file", path, cwd=project)
    assert done.returncode == 0, done.stderr
    notebook = json.loads(path.read_text(encoding="utf-8"))
    text = "".join(notebook["cells"][1]["source"])
    assert 'raise NotImplementedError("TODO 1.13 Mlp.forward")' in text
    assert "self.fc1 = nn.Linear(embed_dim, hidden)" in text
    assert notebook["metadata"] == {"a": 1}
    assert notebook["cells"][0] == cells[0]
    assert len(list(project.glob("mine.ipynb.bak-*"))) == 1


def test_reset_of_what_is_not_there_changes_nothing(project):
    path = project / "other.py"
    path.write_text("def sincos_1d(n, dim):\n    return n\n")
    done = command("reset", "Mlp.forward", "--file", path, "--lang", "en", cwd=project)
    assert done.returncode == 2
    assert "has no Mlp.forward to reset" in done.stderr
    assert path.read_text() == "def sincos_1d(n, dim):\n    return n\n"
    assert not list(project.glob("*.bak-*"))


def test_the_solution_is_shown_after_passing_or_when_asked_for(project):
    locked = command("solution", "Mlp.forward", "--lang", "en", cwd=project)
    assert locked.returncode == 2
    assert "once it is passed" in locked.stderr
    assert "F.gelu" in command("solution", "Mlp.forward", "--reveal", cwd=project).stdout
    solve(
        project,
        "Mlp.forward",
        "    def forward(self, x):\n        x = F.gelu(self.fc1(x))  # mine\n        return self.dropout(self.fc2(self.dropout(x)))\n",
    )
    command("grade", "vit", cwd=project)
    shown = command("solution", "Mlp.forward", "--lang", "en", cwd=project)
    assert shown.returncode == 0, shown.stderr
    assert "# mine" in shown.stdout and "The reference" in shown.stdout
    solve_again = stub_of(project).read_text(encoding="utf-8").replace("# mine", "+ 0")
    stub_of(project).write_text(solve_again, encoding="utf-8")
    assert command("solution", "Mlp.forward", cwd=project).returncode == 2  # changed since it passed


def test_progress_is_kept_and_notices_changes(project):
    solve(project, "sincos_1d")
    assert "0 of 20 exercises passed" in command("progress", "vit", "--lang", "en", cwd=project).stdout
    command("grade", "vit", cwd=project)
    assert "1 of 20 exercises passed, 2 of 43 points" in command("progress", "--lang", "en", cwd=project).stdout
    text = stub_of(project).read_text(encoding="utf-8").replace("10000.0 **", "1000.0 **")
    stub_of(project).write_text(text, encoding="utf-8")
    done = command("progress", "vit", "--lang", "en", cwd=project)
    assert "changed since it was graded" in done.stdout


@pytest.mark.parametrize("arguments", [["lessons/vit/vit.py"], ["lessons/vit"], ["--only", "sincos_1d"]])
def test_progress_is_kept_however_the_own_file_is_named(project, arguments):
    solve(project, "sincos_1d")
    command("grade", "vit", *arguments, cwd=project)
    assert "1 of 20 exercises passed" in command("progress", "--lang", "en", cwd=project).stdout


def test_somebody_elses_file_is_not_my_progress(project):
    (project / "other.py").write_text(REFERENCE, encoding="utf-8")
    assert command("grade", "vit", "other.py", cwd=project).returncode == 0
    assert "0 of 20 exercises passed" in command("progress", "--lang", "en", cwd=project).stdout


def test_an_exercise_in_place_of_a_path(project):
    done = command("grade", "vit", "1.2", "--lang", "en", cwd=project)
    assert done.returncode == 2
    assert "paddle-vit grade vit --only 1.2" in done.stderr


def test_the_json_of_one_exercise(project):
    solve(project, "sincos_1d")
    done = command("grade", "vit", "--only", "1.5", "--json", cwd=project)
    assert [entry["state"] for entry in json.loads(done.stdout)["exercises"]] == ["passed"]


def test_reset_of_an_untouched_stub_changes_nothing(project):
    done = command("reset", "Mlp.forward", "--lang", "en", cwd=project)
    assert done.returncode == 2
    assert "Mlp.forward is untouched" in done.stderr
    assert not list(stub_of(project).parent.glob("*.bak-*"))


def test_a_damaged_progress_file_is_only_a_memory_lost(project):
    (project / ".paddle_vit").mkdir()
    for text in ("{", "[]", '{"exercises": 3}', '{"exercises": {"sincos_1d": 4}}'):
        (project / ".paddle_vit" / "progress.json").write_text(text)
        assert command("progress", "vit", cwd=project).returncode == 0
        assert command("hint", "vit", "1.5", cwd=project).returncode == 0


def test_commands_without_paddle_stay_without_it(project):
    code = "import sys; from paddle_vit.commands import run; run(sys.argv[1:]); assert 'paddle' not in sys.modules"
    for arguments in (["hint", "vit"], ["reset", "sincos_1d"], ["progress"], ["grade", "vit"], ["build"]):
        done = command(*arguments, cwd=project, start=("-c", code))
        assert done.returncode == 0, done.stderr


# --- build and doctor -------------------------------------------------------------------------------------------------


def test_build_never_overwrites_finished_exercises(project):
    assert "unchanged" in command("build", "--lang", "en", cwd=project).stdout
    solve(project, "sincos_1d")
    before = stub_of(project).read_bytes()
    done = command("build", "vit", "--lang", "en", cwd=project)
    assert done.returncode == 1
    assert "sincos_1d" in done.stdout
    assert stub_of(project).read_bytes() == before
    forced = command("build", "vit", "--force", cwd=project)
    assert forced.returncode == 0
    (backup,) = stub_of(project).parent.glob("*.bak-*")
    assert backup.read_bytes() == before
    assert stub_of(project).read_text(encoding="utf-8") == STUB


def test_build_keeps_a_file_that_it_cannot_read(project):
    stub_of(project).write_text("def broken(:\n", encoding="utf-8")
    assert command("build", cwd=project).returncode == 1
    assert stub_of(project).read_text(encoding="utf-8") == "def broken(:\n"


def test_doctor(project):
    done = command("doctor", "--lang", "en", cwd=project)
    assert done.returncode == 0, done.stdout
    assert "Paddle works" in done.stdout
    assert "Isolation:" in done.stdout


# --- where Paddle is missing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["grade", "vit"], ["watch", "vit"], ["train", "vit_digits"], ["tour"], ["doctor"]]
)
def test_a_missing_paddle_is_said_in_one_line(project, arguments):
    solve(project, "sincos_1d")
    done = command(*arguments, cwd=project, start=("-c", WITHOUT_PADDLE))
    assert done.returncode == 2
    said = [line for line in (done.stdout + done.stderr).splitlines() if "not installed" in line and "Paddle" in line]
    assert len(said) == 1, done.stdout + done.stderr
    assert "pip install" in said[0] and "GPU" in said[0] and "AI Studio" in said[0] and "CPU" in said[0]
    assert "Traceback" not in done.stderr


def test_help_names_every_command(tmp_path):
    done = command("--help", cwd=tmp_path)
    for name in ("grade", "watch", "hint", "reset", "solution", "progress", "doctor", "build", "train", "tour"):
        assert f"\n    {name} " in done.stdout or f"\n    {name}\n" in done.stdout
