"""A notebook as a learner has it: a real kernel, driven by messages."""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from helpers import LESSON, REFERENCE, STUB, below, in_class, with_definition

from paddle_vit.grader.stubs import solution_definition

jupyter_client = pytest.importorskip("jupyter_client")
pytest.importorskip("ipykernel")
pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")

ROOT = Path(__file__).parents[1]
FIRST = 'from paddle_vit.notebook import check, hint, solution, start, train\nstart("vit", "en")'
HEAD = "import math\nimport paddle\nimport paddle.nn as nn\nimport paddle.nn.functional as F\n"
WEIGHTS = "Attention.attention_weights"


class Kernel:
    """Runs cells, and gives what they show: a dict of text, html, markdown, png and error."""

    def __init__(self, folder, **variables):
        (folder / "lessons" / "vit").mkdir(parents=True, exist_ok=True)
        variables = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder / ".ipython"), **variables}
        kept = {name: value for name, value in os.environ.items() if name not in ("PADDLE_VIT_LANG", "WEBIDE_PLATFORM")}
        self.manager = jupyter_client.KernelManager(kernel_name="python3")
        self.manager.kernel_spec.argv[0] = sys.executable
        self.client = None
        self.manager.start_kernel(cwd=str(folder), env={**kept, **variables})
        self.connect()

    @property
    def pid(self):
        return self.manager.provisioner.process.pid

    def connect(self):
        if self.client is not None:
            self.client.stop_channels()
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.number = 0

    def run(self, code, timeout=60, **options):
        shown = {"text": "", "html": "", "markdown": "", "png": 0, "error": None, "results": 0}

        def note(message):
            content = message["content"]
            if message["msg_type"] == "stream":
                shown["text"] += content["text"]
            elif message["msg_type"] == "error":
                shown["error"] = "\n".join(content["traceback"])
            elif message["msg_type"] in ("display_data", "update_display_data", "execute_result"):
                data = content["data"]
                shown["text"] += data.get("text/plain", "") + "\n"
                shown["html"] += data.get("text/html", "")
                shown["markdown"] += data.get("text/markdown", "")
                shown["png"] += "image/png" in data
                shown["results"] += message["msg_type"] == "execute_result"

        reply = self.client.execute_interactive(code, timeout=timeout, output_hook=note, stop_on_error=False, **options)
        self.number = reply["content"]["execution_count"]
        return shown

    def server(self):
        return int(self.run("from paddle_vit.notebook import _session; print(_session.grader.process.pid)")["text"])

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()
        gc.collect()  # sockets that close later would look to other tests like something that they had opened


def alive(pids):
    """Those that run: not ended, and no zombies."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            found.append(pid)
    return found


def gone(pids, seconds):
    until = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(pids)


def right(target):
    return in_class(target, solution_definition(LESSON.find(target)))


def weights(body):
    """A cell that defines Attention.attention_weights."""
    body = body.replace("\n", "\n    ")
    return in_class(WEIGHTS, f"def attention_weights(self, q, k):\n    {body}\n").lstrip()


RIGHT = "return F.softmax(q @ k.transpose([0, 1, 3, 2]) / q.shape[-1] ** 0.5, axis=-1)"


NO_SCALE = "return F.softmax(q @ k.transpose([0, 1, 3, 2]), axis=-1)"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    kernel = Kernel(tmp_path_factory.mktemp("project"))
    kernel.first = kernel.run(FIRST)
    kernel.run(HEAD)
    yield kernel
    kernel.stop()


def checked(kernel, *cells, target=WEIGHTS):
    """What check() shows after these cells."""
    for cell in cells:
        kernel.run(cell)
    return kernel.run(f"check({target!r})")["text"]


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_the_first_cell_says_what_is_there(kernel):
    assert kernel.first["error"] is None
    lines = kernel.first["text"].strip().splitlines()
    assert len(lines) == 2
    assert "The Vision Transformer" in lines[0] and "PaddlePaddle " in lines[0] and str(ROOT) in lines[0]


def test_what_was_never_run_is_missing(kernel):
    text = checked(kernel, target="resize_position_embedding")
    assert "? 1.20 resize_position_embedding  0/3  missing" in text
    assert "Run the cell that defines it first" in text


def test_right(kernel):
    kernel.run(weights(RIGHT))
    shown = kernel.run(f"check('{WEIGHTS}')")
    assert f"✔ 1.9 {WEIGHTS}  3/3  passed" in shown["text"] and "/20 passed" in shown["text"]
    assert shown["error"] is None and shown["results"] == 0
    assert "hint(" not in shown["text"]


def test_a_named_mistake(kernel):
    kernel.run(weights(NO_SCALE))
    shown = kernel.run("check('1.9')")
    assert f"✘ 1.9 {WEIGHTS}  0/3  wrong" in shown["text"]
    assert "Your result is that of a known mistake" in shown["text"] and "seed " in shown["text"]
    assert f'For a hint: hint("{WEIGHTS}")' in shown["text"]
    assert f"hint(&quot;{WEIGHTS}&quot;)" in shown["html"]


def test_html_is_escaped(kernel):
    kernel.run(weights("raise ValueError('<b>bold</b>')"))
    shown = kernel.run("check('1.9')")
    assert "<b>bold</b>" in shown["text"] and "<b>" not in shown["html"] and "&lt;b&gt;" in shown["html"]


def test_an_error_says_the_line_in_the_cell(kernel):
    kernel.run("# 缩放点积\n" + weights("return undefined_name  # 错误"))
    text = checked(kernel)
    assert "NameError" in text
    assert f"cell In [{kernel.number - 1}], line 4: return undefined_name  # 错误" in text


def test_not_started(kernel):
    text = checked(kernel, weights(RIGHT), weights('raise NotImplementedError("TODO 1.9")'))
    assert "not started" in text and "Fill in the TODO" in text


@pytest.mark.parametrize("broken", ["return F.softmax(q", "return q\nx = = 1"])
def test_a_syntax_error_in_the_newest_cell_is_the_answer(kernel, broken):
    kernel.run(weights(RIGHT))
    kernel.run(weights(broken) + "\n")
    text = checked(kernel)
    assert "Python cannot read this" in text and f"cell In [{kernel.number - 1}], line " in text
    assert "passed" in checked(kernel, weights(RIGHT))


def test_an_unknown_target_names_the_nearest_and_fails_the_cell(kernel):
    shown = kernel.run("check('Attention.foward')")
    assert shown["error"].startswith("lesson vit has no exercise 'Attention.foward': did you mean Attention.forward")
    assert "in quotes" in kernel.run("check(1.10)")["error"]


def test_hints_one_after_another(kernel):
    hints = LESSON.find("Mlp.forward").hints
    shown = [kernel.run("hint('Mlp.forward')")["text"] for _ in hints]
    assert all(hint["en"] in text for hint, text in zip(hints, shown, strict=True))
    assert 'hint("Mlp.forward") again' in shown[0]
    assert 'solution("Mlp.forward", reveal=True)' in shown[-1] and "paddle-vit" not in "".join(shown)


def test_the_solution_is_shown_once_passed_or_when_asked_for(kernel):
    assert 'solution("sincos_1d", reveal=True)' in kernel.run("solution('sincos_1d')")["error"]
    assert "```python\ndef sincos_1d" in kernel.run("solution('sincos_1d', reveal=True)")["markdown"]
    assert "passed" in checked(kernel, right("sincos_1d"), target="sincos_1d")
    assert "def sincos_1d" in kernel.run("solution('sincos_1d')")["text"]


def test_start_again_keeps_the_one_grader(kernel):
    before = kernel.server()
    assert kernel.run(FIRST)["error"] is None
    assert kernel.server() == before
    assert "passed" in checked(kernel, weights(RIGHT))


def test_figures_are_shown(kernel):
    cell = "from matplotlib.figure import Figure\nfigure = Figure()\nfigure.subplots().plot([1, 2])\nfigure"
    assert kernel.run(cell)["png"] == 1


def test_training_shows_a_growing_curve(kernel, tmp_path):
    shown = kernel.run(f"result = train('vit_digits', epochs=2, depth=1, out={str(tmp_path / 'run')!r})")
    assert shown["error"] is None
    assert "epoch 2/2  loss " in shown["text"] and "0 s left" in shown["text"]
    assert shown["png"] >= 1
    assert kernel.run("result")["text"].startswith("Result(test_accuracy=")


def test_an_interrupted_training_says_so_in_one_line(kernel, tmp_path):
    threading.Timer(1.5, lambda: os.kill(kernel.pid, signal.SIGINT)).start()
    shown = kernel.run(f"train('vit_digits', epochs=500, depth=1, out={str(tmp_path / 'run')!r})")
    assert shown["error"].startswith("stopped after ") and "\n" not in shown["error"]


# --- published weights ------------------------------------------------------------------------------------------------

PUBLISHED = ROOT / "tests" / "models" / "fixtures" / "published"
FITS = dict(image_size=(8, 10), patch_size=(4, 2), num_classes=7, embed_dim=12, depth=2, num_heads=3, mlp_ratio=2.0)
each_language = pytest.mark.parametrize("language", ["zh", "en"])


def load_published(monkeypatch, language, file, **changes):
    """published() in this process, in a notebook of this language; returns its model and what it returns."""
    from paddle_vit import models, notebook

    monkeypatch.setattr(notebook._session, "language", language)
    model = models.VisionTransformer(**{**FITS, **changes})
    return model, notebook.published(model, file)


@each_language
def test_published_weights_are_loaded_and_told(monkeypatch, capsys, language):
    from safetensors.numpy import load_file

    model, loaded = load_published(monkeypatch, language, PUBLISHED / "timm_vit.safetensors")
    assert loaded.kind == "safetensors" and not loaded.fresh and not loaded.resized
    assert (model.head.weight.numpy() == load_file(PUBLISHED / "timm_vit.safetensors")["head.weight"].T).all()
    count = sum(int(parameter.size) for parameter in model.parameters())
    said = {"zh": f"：{count:,} 个参数已载入你的模型。", "en": f": {count:,} parameters are now in your model."}
    assert capsys.readouterr().out == f"timm_vit.safetensors (safetensors){said[language]}\n"


@each_language
def test_published_weights_for_other_classes_and_another_resolution(monkeypatch, capsys, language):
    file = PUBLISHED / "deit_meta_resized.pth"  # of square images
    changes = dict(image_size=24, patch_size=4, num_classes=3)
    model, loaded = load_published(monkeypatch, language, file, **changes)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and {"zh": "torch 的 zip 格式", "en": "torch's zip format"}[language] in lines[0]
    head = {"head.weight", "head.bias"}
    count = sum(int(p.size) for name, p in model.named_parameters() if name not in head)
    assert f" {count:,} " in lines[0].replace("：", " ")
    assert lines[1].endswith("patch_embedding.position_embedding") and all(name in lines[2] for name in head)
    assert set(loaded.fresh) == head


@each_language
def test_no_published_weights(monkeypatch, capsys, tmp_path, language):
    assert load_published(monkeypatch, language, tmp_path / "vit.safetensors")[1] is None
    said = capsys.readouterr().out
    assert str(tmp_path / "vit.safetensors") in said and "https://huggingface.co" in said and "PaddleClas" in said
    assert {"zh": "可以先跳过", "en": "You can skip this section"}[language] in said


@each_language
def test_published_weights_that_do_not_fit(monkeypatch, capsys, tmp_path, language):
    from paddle_vit.notebook import Refused

    with pytest.raises(Refused) as refused:
        load_published(monkeypatch, language, PUBLISHED / "timm_vit.safetensors", embed_dim=24)
    said = str(refused.value)
    assert said.startswith({"zh": "什么也没有载入", "en": "Nothing was loaded"}[language])
    assert {"zh": "与模型不符", "en": "does not fit the model"}[language] in said
    assert "encoder.norm.weight [12], [24]" in said
    (tmp_path / "page.pth").write_text("<!DOCTYPE html>")
    for file, zh, en in (
        (tmp_path / "page.pth", "这是一个网页", "this is a web page"),
        (tmp_path, "是文件夹", "is a folder"),
    ):
        with pytest.raises(Refused, match={"zh": zh, "en": en}[language]):
            load_published(monkeypatch, language, file)
    assert capsys.readouterr().out == ""


def test_every_kind_of_file_has_a_name_in_both_languages():
    from paddle_vit.grader.messages import FILE_KINDS
    from paddle_vit.models.weight_files import read_weight_file

    files = [file for file in PUBLISHED.iterdir() if ".expected." not in file.name]
    assert {read_weight_file(file).kind for file in files} == set(FILE_KINDS)
    assert all(names["en"] == kind and names["zh"] for kind, names in FILE_KINDS.items())


def test_published_weights_in_a_notebook(kernel, tmp_path):
    """Own weights, without start() of the language; and a file that does not fit is one short message."""
    kernel.run(
        "from paddle_vit.models import VisionTransformer\nfrom paddle_vit.notebook import published\n"
        "from paddle_vit.training.checkpoint import save_weights\n"
        f"sizes = {FITS!r}\nfile = {str(tmp_path / 'own.safetensors')!r}\n"
        "save_weights(VisionTransformer(**sizes), file, labels=dict(enumerate('abcdefg')))"
    )
    shown = kernel.run("published(VisionTransformer(**sizes), file).labels")
    assert shown["error"] is None and "parameters are now in your model" in shown["text"]
    assert "{0: 'a', 1: 'b'" in shown["text"]
    shown = kernel.run("published(VisionTransformer(**{**sizes, 'depth': 3}), file)")
    assert shown["error"].startswith("Nothing was loaded") and "Traceback" not in shown["error"]
    assert "encoder.layers.2.attn.qkv.weight" in shown["error"]


# --- which text is checked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cells",
    [
        ["%%time\n" + weights(RIGHT)],
        ["!echo start\nfiles = !ls\n%precision 3\n" + weights(RIGHT)],
        [weights("return my_softmax(q @ k.transpose([0, 1, 3, 2]) / q.shape[-1] ** 0.5)"),
         "def my_softmax(x):\n    return x", "def my_softmax(x):\n    return F.softmax(x, axis=-1)"],
        [weights(NO_SCALE), weights(RIGHT)],
        ["def weights_of(self, q, k):\n    " + RIGHT, "Attention.attention_weights = weights_of"],
        ["Attention.attention_weights = lambda self, q, k: F.softmax(\n    q @ k.transpose([0, 1, 3, 2]) / math.sqrt(q.shape[-1]), axis=-1)"],
        ["import functools\ndef same(f):\n    @functools.wraps(f)\n    def g(*a):\n        return f(*a)\n    return g",
         in_class(WEIGHTS, f"@same\ndef attention_weights(self, q, k):\n    {RIGHT}\n")],
        [weights(RIGHT) + "\n\nclass Other(nn.Layer):\n    pass\n"],
        ["# 注意力的权重：先缩放\n" + weights(RIGHT.replace("return", "结果 =") + "\nreturn 结果")],
        # what other cells do with the same names does no harm, even if it fails or takes for ever
        ["q = nonsense()", "k = [1]\nwhile True:\n    if k: break", "x = q.sum()", weights(RIGHT), "q = nonsense(k)"],
        [weights(NO_SCALE), weights(RIGHT) + "\nraise RuntimeError('half way')"],
    ],
    ids=["time", "magics", "helpers", "redefined", "assigned", "lambda", "decorated", "two classes", "chinese",
         "other cells", "raised half way"],
)  # fmt: skip
def test_the_newest_answer_is_right(kernel, cells):
    assert "passed" in checked(kernel, weights("return q"), *cells)


def test_the_newest_answer_is_wrong(kernel):
    assert "wrong" in checked(kernel, weights(RIGHT), weights(NO_SCALE))


def test_a_class_run_again_takes_its_old_methods_with_it(kernel):
    """What was called by its right name once is gone, as it is gone in the kernel."""
    renamed = weights(RIGHT).replace("def attention_weights", "def attention_weight")
    shown = checked(kernel, weights(RIGHT), renamed)
    assert "missing" in shown and "attention_weight; is the name misspelt?" in shown
    assert "passed" in checked(kernel, weights(RIGHT), "class Attention(Attention):\n    pass")


def test_a_cell_that_was_not_noted_in_the_history(tmp_path, kernel):
    kernel.run(right("sincos_2d"), store_history=False)
    assert "passed" in checked(kernel, target="sincos_2d")


def test_the_learners_own_file(kernel, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    file = folder / "myvit.py"
    mlp = LESSON.find("Mlp.forward")
    file.write_text(with_definition(mlp, "def forward(self, x):\n    return undefined(x)\n"), encoding="utf-8")
    kernel.run(
        f"import sys\nsys.path.append({str(folder)!r})\n%load_ext autoreload\n%autoreload 2\nfrom myvit import Mlp"
    )
    text = checked(kernel, target="Mlp.forward")
    assert "myvit.py, line " in text and "return undefined(x)" in text
    file.write_text(REFERENCE, encoding="utf-8")
    assert "passed" in checked(kernel, target="Mlp.forward")
    cell = in_class("Mlp.forward", "def forward(self, x):\n    return self.fc1(x)\n")
    assert "wrong" in checked(kernel, cell, target="Mlp.forward")  # a newer cell takes the file's place
    assert "passed" in checked(kernel, "from myvit import Mlp", target="Mlp.forward")
    assert "passed" in checked(kernel, "del Mlp\nimport myvit", target="Mlp.forward")
    shown = kernel.run("class Mlp(nn.Layer):\n    def forward(self, x)\n        return x")
    assert "cell In [" in checked(kernel, target="Mlp.forward") and "SyntaxError" in shown["error"]


def test_the_reference_is_nobodys_answer(kernel):
    kernel.run("from paddle_vit.models.vit import EncoderLayer")
    assert "missing" in checked(kernel, target="EncoderLayer.forward")


# --- the whole lesson, and the process --------------------------------------------------------------------------------

ENDLESS = "while True:\n    pass"


def test_a_day_of_a_learner(tmp_path):
    """The whole lesson at once, an interrupt, a grader that is killed, a restart; at the end the kernel is killed."""
    kernel = Kernel(tmp_path, PADDLE_VIT_LANG="zh")
    try:
        assert "评分程序正在后台启动" in kernel.run(FIRST)["text"]
        assert "通过" in checked(kernel, right("sincos_1d"), target="sincos_1d")
        assert kernel.run("import sys; print('paddle' in sys.modules)")["text"] == "False\n"

        kernel.run(STUB)
        text = kernel.run("check('all')")["text"]
        assert text.count("未开始") == len(LESSON.exercises) and "得分 0 / 43" in text
        kernel.run(REFERENCE)
        text = kernel.run("check('all')")["text"]
        assert text.count("✔") == len(LESSON.exercises) + 1 and "得分 43 / 43" in text and "前向" in text
        assert "20 道练习全部通过" in checked(kernel)
        memory = json.loads((tmp_path / ".paddle_vit" / "progress.json").read_text())["exercises"]
        assert {memory[exercise.target]["state"] for exercise in LESSON.exercises} == {"passed"}

        before = kernel.server()
        kernel.run(weights(ENDLESS))
        running = []
        timer = threading.Timer(1.5, lambda: (running.extend(below(before)), os.kill(kernel.pid, signal.SIGINT)))
        timer.start()
        shown = kernel.run(f"check('{WEIGHTS}')")
        assert shown["error"].startswith("检查已中断") and "\n" not in shown["error"]
        assert len(running) >= 2 and gone([before, *running], 1.0)
        text = checked(kernel, target="sincos_1d")
        assert "sincos_1d" in text and "通过" in text and WEIGHTS not in text

        os.kill(kernel.server(), signal.SIGKILL)
        assert "不正确" in checked(kernel, weights(NO_SCALE))

        before = kernel.server()
        kernel.manager.restart_kernel(now=False)
        assert gone([before], 1.0)
        kernel.connect()
        kernel.run(FIRST)
        assert "19/20 通过" in checked(kernel, weights(NO_SCALE))

        before = kernel.server()
        kernel.run(weights(ENDLESS))
        kernel.client.execute(f"check('{WEIGHTS}')")
        until = time.monotonic() + 5
        while len(below(before)) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        running = [before, *below(before)]
        assert len(running) >= 3
        os.kill(kernel.pid, signal.SIGKILL)
        assert gone(running, 1.0)
    finally:
        kernel.stop()


# --- what is missing --------------------------------------------------------------------------------------------------

MISSING = """
import importlib.util, os, sys
sys.path.insert(0, {root!r})
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name in {missing} else real(name, *more)
import paddle_vit.notebook as notebook
notebook.AI_STUDIO = {home!r}
try:
    notebook.start("vit", {language!r})
except notebook.Refused as error:
    print(error._render_traceback_() == [str(error)], error, sep="\\n")
"""


AI_STUDIO_PIP = "!pip install --no-deps -t /home/aistudio/external-libraries"


@pytest.mark.parametrize(
    ("language", "ai_studio", "missing", "says"),
    [
        ("zh", True, {"rich", "safetensors"}, f"{AI_STUDIO_PIP} rich safetensors"),
        ("en", True, {"rich", "markdown_it"}, f"{AI_STUDIO_PIP} rich markdown-it-py"),
        ("zh", True, {"matplotlib"}, "!pip install -t /home/aistudio/external-libraries matplotlib"),
        ("en", False, {"rich", "yaml"}, "%pip install PyYAML rich"),
        ("zh", False, {"numpy", "paddle"}, '%pip install "numpy<2.4" "paddlepaddle>=2.6.2"'),
        ("zh", True, {"paddle"}, None),
    ],
)
def test_what_is_missing_is_one_line_to_copy(tmp_path, language, ai_studio, missing, says):
    code = MISSING.format(root=str(ROOT), missing=missing, home=str(tmp_path / "aistudio"), language=language)
    variables = {"PATH": os.environ["PATH"], **({"WEBIDE_PLATFORM": "AIStudio"} if ai_studio else {})}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=variables, capture_output=True, text=True, encoding="utf-8"
    )
    lines = done.stdout.splitlines()
    assert done.stderr == "" and lines[0] == "True"
    if says:
        assert says in lines
        assert ("重新运行" if language == "zh" else "this cell again") in lines[1]
    else:
        assert not [line for line in lines if line.startswith(("!", "%"))]
    assert ("paddle" in missing) == any("AI Studio: choose an environment with Paddle" in line for line in lines)


def test_outside_a_notebook_functions_in_files_are_checked(tmp_path):
    (tmp_path / "myvit.py").write_text(REFERENCE, encoding="utf-8")
    code = "from myvit import Mlp\nfrom paddle_vit.notebook import check\ncheck('Mlp.forward')\ncheck('1.9')\n"
    (tmp_path / "main.py").write_text(code)
    (tmp_path / "lessons").mkdir()
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PADDLE_VIT_LANG": "en"}
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, env=variables, capture_output=True, text=True, encoding="utf-8"
    )
    assert "✔ 1.13 Mlp.forward" in done.stdout and "? 1.9" in done.stdout, done.stdout + done.stderr
