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

from paddle_vit.exercises import lesson_names, load_lesson
from paddle_vit.grader.graft import load_reference
from paddle_vit.grader.notebooks import notebook_file, text_path
from paddle_vit.models import DeiT, create_model
from paddle_vit.training.checkpoint import save_weights
from paddle_vit.training.data import load_digits

ROOT = Path(__file__).parents[1]
VIT, DEIT, SWIN = LESSONS = [load_lesson(name) for name in lesson_names()]
LITTLE = dict.fromkeys(("vit", "deit"), ["epochs=1", "depth=1", "embed_dim=16", "num_heads=2", "train_images=40"])
LITTLE["swin"] = ["epochs=1", "depths=[1, 1]", "embed_dim=8", "num_heads=[1, 2]", "train_images=40"]
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)


@pytest.fixture
def project(tmp_path):
    """A learner's project: the notebooks' folder, and the package beside it. Runs and progress are left in here."""
    for lesson in LESSONS:
        (tmp_path / "lessons" / lesson.name).mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    for name in ("paddle_vit", "benchmarks"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(project, lesson, language, change):
    """Execute the notebook after change(cell) was applied to each cell; returns its cells by id, and the seconds."""
    notebook = nbformat.reads(notebook_file(lesson, language, ROOT), as_version=4)
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
    """The finished definition in the place of a stub; names are unique over the lessons."""
    if cell.id.startswith("stub-"):
        (cell.source,) = (
            ast.get_source_segment(load_reference(module).text, node)
            for lesson in LESSONS
            for module in lesson.modules
            for node in ast.parse(load_reference(module).text).body
            if getattr(node, "name", None) == cell.id.removeprefix("stub-")
        )


def texts(cell):
    """What a cell shows in words."""
    shown = [output.get("text", output.get("data", {}).get("text/plain", "")) for output in cell.get("outputs", [])]
    return "\n".join(shown)


def accuracies(cell):
    """The last test accuracy of every training in a cell, in percent."""
    return [float(found) for found in re.findall(r"test +([\d.]+) ?%", texts(cell))]


def check_whole_run(cells, lesson):
    for name, cell in cells.items():
        for output in cell.get("outputs", []):
            assert output.output_type != "error", f"{name}: {output.get('evalue')}"
            assert output.get("name") != "stderr", f"{name}: {output.text}"
        if name.startswith("check-"):
            assert texts(cell).startswith("✔"), f"{name}: {texts(cell)}"
        if cell.cell_type == "code" and re.search(r"^\w+_picture\(", cell.source, re.M):
            assert any("image/png" in output.get("data", {}) for output in cell.outputs), f"{name} shows no picture"
    assert texts(cells["demo-check_all"]).count("✔") == len(lesson.exercises) + 1


@pytest.mark.slow
@each_lesson
def test_the_whole_notebook_runs_with_the_reference_put_back(project, lesson):
    def change(cell):
        put_reference_back(cell)
        if cell.id == "demo-epochs":
            cell.source = re.sub(r"=\d+", "=1", cell.source)

    cells, _ = run(project, lesson, "zh", change)
    check_whole_run(cells, lesson)
    assert {path.name for path in (project / "notebooks").iterdir()} == {"runs"}


@pytest.mark.slow
def test_the_trainings_of_lesson_1_show_what_the_text_says(project):
    cells, seconds = run(project, VIT, "en", put_reference_back)
    print(f"the whole notebook: {seconds:.0f} s")
    check_whole_run(cells, VIT)
    assert accuracies(cells["demo-train_own"])[-1] > 95
    none, one, two = accuracies(cells["demo-compare_positions"])
    assert none < 80 and one > 90 and two > 90, "positions matter, hardly which"
    tuned, scratch = accuracies(cells["demo-finetune"])
    assert tuned > scratch + 10
    (before,) = re.findall(r"([\d.]+)%", texts(cells["demo-resolution"]))
    assert float(before) > 30, "far better than guessing"
    tuned, scratch = accuracies(cells["demo-resolution_finetune"])
    assert tuned > 90 and tuned > scratch + 10


@pytest.mark.slow
def test_the_trainings_of_lesson_2_show_what_the_text_says(project):
    cells, seconds = run(project, DEIT, "en", put_reference_back)
    print(f"the whole notebook: {seconds:.0f} s")
    check_whole_run(cells, DEIT)
    teacher, alone, recipe, soft, hard = (
        accuracies(cells[f"demo-{name}"])[-1]
        for name in ("teacher", "vit_alone", "vit_recipe", "deit_soft", "deit_hard")
    )
    print(f"teacher {teacher}, ViT {alone}, with the recipe {recipe}, DeiT soft {soft}, hard {hard}")
    assert teacher > recipe > alone + 2
    assert min(soft, hard) > alone + 2


@pytest.mark.slow
def test_the_trainings_of_lesson_3_show_what_the_text_says(project):
    cells, seconds = run(project, SWIN, "en", put_reference_back)
    print(f"the whole notebook: {seconds:.0f} s")
    check_whole_run(cells, SWIN)
    (own,) = accuracies(cells["demo-train_own"])[-1:]
    print(f"own Swin {own}")
    assert own > 95


@each_lesson
def test_a_finished_notebook_is_graded_and_trained_from_the_terminal(project, lesson):
    """As the end of the text says: what demonstrations do beside the exercises disturbs neither."""
    notebook = nbformat.reads(notebook_file(lesson, "en", ROOT), as_version=4)
    for cell in notebook.cells:
        put_reference_back(cell)
    nbformat.write(notebook, project / "notebooks" / f"{lesson.name}.en.ipynb")
    commands = re.findall(r"^paddle-vit (.*)$", text_path(ROOT, lesson, "en").read_text(encoding="utf-8"), re.M)
    assert [command.split()[0] for command in commands] == ["grade", "train"]
    for command in commands:
        less = LITTLE[lesson.name] if command.startswith("train") else []
        done = subprocess.run(
            [sys.executable, "-m", "paddle_vit", *command.split(), *less],
            cwd=project, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("language, there", [("zh", False), ("en", True)])
def test_published_weights_in_lesson_1(project, language, there):
    """Without the file nothing is drawn and nothing fails; with it the learner's own code has its weights."""
    text = text_path(ROOT, VIT, language).read_text(encoding="utf-8")
    (prepared,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)  # for a DeiT, as the text says
    needed = {f"demo-{name}" for name in ("patches_digit", "patches_photo", "attention_digit", "photo")}

    def change(cell):
        put_reference_back(cell)
        if cell.id == "demo-attention_digit":  # its imports alone: there is no training here
            cell.source = cell.source.splitlines()[0]
        elif cell.id == "demo-published" and there:
            cell.source = f"{prepared}\n{cell.source}"
        elif not cell.id.startswith(("start", "given-", "stub-", "demo-published")) and cell.id not in needed:
            cell.source = ""

    if there:
        file = project / "notebooks" / "vit_tiny_patch16_224.safetensors"
        save_weights(create_model("vit_tiny_patch16_224"), file, labels={281: "tabby, tabby cat"})
    cells, _ = run(project, VIT, language, change)
    for name, cell in cells.items():
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr", f"{name}: {output}"
    said, *pictures = (cell for name, cell in cells.items() if name.startswith("demo-published"))
    assert ("vit_tiny_patch16_224.safetensors (safetensors)" in texts(said)) == there
    assert ("https://huggingface.co" in texts(said)) != there
    assert len(pictures) == 4
    for cell in pictures:
        assert [set(output.data) >= {"image/png"} for output in cell.outputs] == ([True] if there else [])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_numbers_in_the_text_are_so(language):
    text = text_path(ROOT, VIT, language).read_text(encoding="utf-8")
    model = create_model("vit_base_patch16_224")
    parts = [model, model.patch_embedding.patch_embedding, model.encoder.layers[0], model.head]
    counts = [sum(parameter.size for parameter in part.parameters()) for part in parts]
    train, test = load_digits()
    counts += [len(train.labels) + len(test.labels), len(train.labels), 224**2, (224 // 16) ** 4]
    for count in counts:
        assert f"{int(count):,}" in text
    for name, files in {"vit_tiny_patch16_224": 2, "vit_base_patch16_224": 3}.items():  # of float32 numbers
        count = sum(int(parameter.size) for parameter in create_model(name).parameters())
        assert text.count(f"{4 * count / 1e6:.0f} MB") == files


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_counts_in_the_text_of_lesson_2_are_so(language):
    text = text_path(ROOT, DEIT, language).read_text(encoding="utf-8")
    model = DeiT(depth=3, num_heads=4, qkv_bias=False)
    embedding = model.patch_embedding
    own = [embedding.class_token, embedding.distill_token, embedding.position_embedding]
    parts = [model, embedding.patch_embedding, *model.encoder.layers, model.encoder.norm, model.head]
    counts = [sum(parameter.size for parameter in part.parameters()) for part in parts]
    for count in [*counts, sum(parameter.size for parameter in own)]:
        assert f"{int(count):,}" in text


@each_lesson
@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_untouched_notebook_says_not_started_and_no_more(project, lesson, language):
    def change(cell):
        # NO_SCALING is the default of an argument in the stub below it
        if cell.id.startswith(("demo-", "text-")) and cell.id != "demo-no_scaling":
            cell.source = ""

    cells, _ = run(project, lesson, language, change)
    for name, cell in cells.items():
        assert all(output.output_type != "error" for output in cell.outputs), name
        if name.startswith("check-"):
            assert texts(cell).startswith("·") and {"zh": "未开始", "en": "not started"}[language] in texts(cell)
