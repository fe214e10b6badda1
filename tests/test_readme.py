"""The README says what is so: its tree, its commands, its first exercise."""

import re
import subprocess
from pathlib import Path

import pytest
from helpers import LESSON, STUB, grade_text, verdict_of

from paddle_vit.grader.stubs import stub_definition

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")


def tree():
    """The files of the README's tree."""
    block = re.search(r"## What is where\n\n```text\n(.*?)```", README, re.S).group(1)
    found, folders = set(), []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        folders = folders[:depth]
        if name.endswith("/") and name != "tests/":
            folders.append(name)
        else:
            found.add("".join(folders) + name)
    return found


def test_the_tree_is_the_files():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split("\n")
    if not any(listed):
        pytest.skip("not a git checkout")
    files = {
        path
        for path in listed
        if path
        and (ROOT / path).exists()
        and not path.startswith(("tests/", "."))
        and Path(path).name not in ("__init__.py", "__main__.py")
    }
    assert tree() - {"tests/"} == files


@pytest.mark.parametrize("text", [README, CHINESE], ids=["en", "zh"])
def test_both_commands_stand_in_both(text):
    assert 'pip install -e ".[cpu]" && paddle-vit tour' in text
    assert 'pip install -e ".[cpu,test]" && pytest' in text


def test_every_command_that_is_named_exists():
    from paddle_vit.commands import parser

    known = parser()._subparsers._group_actions[0].choices
    for text in (README, CHINESE):
        named = set(re.findall(r"paddle-vit ([a-z]+)", text)) - {"and"}
        assert named <= set(known)
    assert {"tour", "grade", "watch", "hint", "solution", "reset", "progress", "train", "doctor"} <= named


@pytest.mark.parametrize(("text", "language"), [(README, "en"), (CHINESE, "zh")], ids=["en", "zh"])
def test_the_first_exercise_goes_as_told(text, language):
    exercise = LESSON.find("1.2")
    body = re.search(r"```python\n( *x = self\.patch_embedding.*?)```", text, re.S).group(1)
    shown = re.search(r"```text\n( *✘ 1\.2.*?)```", text, re.S).group(1)
    body = "".join("        " + line.strip() + "\n" for line in body.strip().splitlines())
    stub = stub_definition(exercise)
    for addition, state in (("", "wrong"), (".transpose([0, 2, 1])", "passed")):
        raised = stub[stub.index("        raise NotImplementedError") :]
        finished = stub.replace(raised, body.rstrip("\n") + addition + "\n")
        report = grade_text(STUB.replace(stub, finished), only=exercise, language=language)
        verdict = verdict_of(report, exercise.target)
        assert verdict.state == state
        if state == "wrong":
            first, *rest = [line.strip() for line in shown.strip().splitlines()]
            assert exercise.title[language] in first and exercise.target in first
            assert verdict.message.splitlines()[: len(rest)] == rest


# The beginning of a row of the table of published weights -> the beginning of the names of its fixtures
PUBLISHED = {
    "timm": "timm_",
    "Hugging Face transformers": "transformers_",
    "Google": "google_",
    "Meta": "deit_meta",
    "Microsoft": "swin_microsoft",
    "PaddleClas": "paddleclas_",
    "PaddleViT": "paddlevit_",
}


@pytest.mark.parametrize("text", [README, CHINESE], ids=["en", "zh"])
def test_every_row_of_published_weights_has_files(text):
    """tests/models/test_published.py loads each of them and compares what comes out; test_weights.py does so with our own."""
    files = {path.name for path in (ROOT / "tests" / "models" / "fixtures" / "published").iterdir()}
    files = {name for name in files if ".expected." not in name}
    table = re.search(r"\|---\|---\|---\|---\|---\|\n(.*?)\n\n", text, re.S).group(1)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len(rows) == len(PUBLISHED) + 1
    for whose, kinds, *ticks in rows[:-1]:
        prefix = next(prefix for start, prefix in PUBLISHED.items() if whose.startswith(start))
        here = {name for name in files if name.startswith(prefix)}
        files -= here
        assert {Path(name).suffix for name in here} == set(re.findall(r"`(\.\w+)`", kinds)), whose
        for family, tick in zip(["vit", "deit", "swin"], ticks, strict=True):
            # PaddleViT and others have vit in their own name
            found = [name for name in here if re.search(rf"(^|_){family}", name.removeprefix("paddlevit"))]
            assert bool(found) == (tick == "✔"), f"{whose}: {family}"
    assert not files, "fixtures of no row"


def test_ci_reads_the_test_command_from_the_readme():
    commands = [line for line in README.splitlines() if re.match(r"^pip install .*&& pytest$", line)]
    assert commands == ['pip install -e ".[cpu,test]" && pytest']


def test_nothing_speaks_of_how_it_was_made():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    for path in listed:
        if Path(path).suffix in (".py", ".md", ".yaml", ".toml"):
            text = (ROOT / path).read_text(encoding="utf-8")
            assert not re.search(r"/wor[k]/|/tm[p]/w/|Claud[e]|Anthropi[c]", text), path
