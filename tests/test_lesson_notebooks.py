"""The notebooks of the lessons in a real kernel: from top to bottom with the reference put back, and untouched."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from paddle_vit.exercises import load_lesson
from paddle_vit.grader.graft import load_reference
from paddle_vit.grader.notebooks import notebook_file, text_path
from paddle_vit.models import create_model
from paddle_vit.training.data import load_digits

ROOT = Path(__file__).parents[1]
LESSON = load_lesson("vit")


@pytest.fixture
def project(tmp_path):
    """A learner's project: the notebooks' folder, and the package beside it. Runs and progress are left in here."""
    (tmp_path / "lessons" / "vit").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "paddle_vit").symlink_to(ROOT / "paddle_vit")
    return tmp_path


def run(project, language, change):
    """Execute the notebook after change(cell) was applied to each cell; returns its cells by id, and the seconds."""
    notebook = nbformat.reads(notebook_file(LESSON, language, ROOT), as_version=4)
    for cell in notebook.cells:
        change(cell)
    notebook.cells = [cell for cell in notebook.cells if cell.source]
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(project / "notebooks")}},
    )
    start = time.perf_counter()
    client.execute()
    return {cell.id: cell for cell in notebook.cells}, time.perf_counter() - start


def put_reference_back(cell):
    if cell.id.startswith("stub-"):
        reference = load_reference(LESSON.modules[0]).text
        (cell.source,) = (
            ast.get_source_segment(reference, node)
            for node in ast.parse(reference).body
            if getattr(node, "name", None) == cell.id.removeprefix("stub-")
        )


def texts(cell):
    """What a cell shows in words."""
    shown = [output.get("text", output.get("data", {}).get("text/plain", "")) for output in cell.get("outputs", [])]
    return "\n".join(shown)


def accuracies(cell):
    """The last test accuracy of every training in a cell, in percent."""
    return [float(found) for found in re.findall(r"test +([\d.]+) ?%", texts(cell))]


def check_whole_run(cells):
    for name, cell in cells.items():
        for output in cell.get("outputs", []):
            assert output.output_type != "error", f"{name}: {output.get('evalue')}"
            assert output.get("name") != "stderr", f"{name}: {output.text}"
        if name.startswith("check-"):
            assert texts(cell).startswith("✔"), f"{name}: {texts(cell)}"
        if cell.cell_type == "code" and re.search(r"^\w+_picture\(", cell.source, re.M):
            assert any("image/png" in output.get("data", {}) for output in cell.outputs), f"{name} shows no picture"
    assert texts(cells["demo-check_all"]).count("✔") == len(LESSON.exercises) + 1


def test_the_whole_notebook_runs_with_the_reference_put_back(project):
    def change(cell):
        put_reference_back(cell)
        if cell.id == "demo-epochs":
            cell.source = re.sub(r"=\d+", "=1", cell.source)

    cells, _ = run(project, "zh", change)
    check_whole_run(cells)
    assert {path.name for path in (project / "notebooks").iterdir()} == {"runs"}


@pytest.mark.slow
def test_the_trainings_show_what_the_text_says(project):
    cells, seconds = run(project, "en", put_reference_back)
    print(f"the whole notebook: {seconds:.0f} s")
    check_whole_run(cells)
    assert accuracies(cells["demo-train_own"])[-1] > 95
    none, one, two = accuracies(cells["demo-compare_positions"])
    assert none < 80 and one > 90 and two > 90, "positions matter, hardly which"
    tuned, scratch = accuracies(cells["demo-finetune"])
    assert tuned > scratch + 10
    (before,) = re.findall(r"([\d.]+)%", texts(cells["demo-resolution"]))
    assert float(before) > 30, "far better than guessing"
    tuned, scratch = accuracies(cells["demo-resolution_finetune"])
    assert tuned > 90 and tuned > scratch + 10


def test_a_finished_notebook_is_graded_and_trained_from_the_terminal(project):
    """As the end of the text says: what demonstrations do beside the exercises disturbs neither."""
    notebook = nbformat.reads(notebook_file(LESSON, "en", ROOT), as_version=4)
    for cell in notebook.cells:
        put_reference_back(cell)
    nbformat.write(notebook, project / "notebooks" / "vit.en.ipynb")
    commands = re.findall(r"^paddle-vit (.*)$", text_path(ROOT, LESSON, "en").read_text(encoding="utf-8"), re.M)
    assert [command.split()[0] for command in commands] == ["grade", "train"]
    for command in commands:
        less = ["epochs=1", "depth=1", "embed_dim=16", "num_heads=2"] if command.startswith("train") else []
        done = subprocess.run(
            [sys.executable, "-m", "paddle_vit", *command.split(), *less],
            cwd=project, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_numbers_in_the_text_are_so(language):
    text = text_path(ROOT, LESSON, language).read_text(encoding="utf-8")
    model = create_model("vit_base_patch16_224")
    parts = [model, model.patch_embedding.patch_embedding, model.encoder.layers[0], model.head]
    counts = [sum(parameter.size for parameter in part.parameters()) for part in parts]
    train, test = load_digits()
    counts += [len(train.labels) + len(test.labels), len(train.labels), 224**2, (224 // 16) ** 4]
    for count in counts:
        assert f"{int(count):,}" in text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_untouched_notebook_says_not_started_and_no_more(project, language):
    def change(cell):
        if cell.id.startswith(("demo-", "text-")):
            cell.source = ""

    cells, _ = run(project, language, change)
    for name, cell in cells.items():
        assert all(output.output_type != "error" for output in cell.outputs), name
        if name.startswith("check-"):
            assert texts(cell).startswith("·") and {"zh": "未开始", "en": "not started"}[language] in texts(cell)
