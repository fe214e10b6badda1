"""paddle-vit eval, predict and export, as somebody uses them whose run has ended."""

import re

import numpy as np
import pytest
from helpers import REFERENCE
from PIL import Image
from safetensors.numpy import load_file, save_file
from test_commands import WITHOUT_PADDLE, command

import paddle_vit
from paddle_vit.commands import run
from paddle_vit.models import VisionTransformer
from paddle_vit.training import save_weights, train
from paddle_vit.training.data import load_digits

SMALL = dict(epochs=2, depth=1, embed_dim=32, batch_size=16, learning_rate=5e-3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with runs/vit_digits, and the Result."""
    folder = tmp_path_factory.mktemp("work")
    result = train("vit_digits", out=folder / "runs" / "vit_digits", quiet=True, **SMALL)
    assert result.test_accuracy > 0.3  # it has learned enough to be told from one that says the same to all
    return result


@pytest.fixture(scope="module")
def digit(tmp_path_factory):
    """A digit of the test images as a PNG, and the class that it has."""
    _, test = load_digits()
    path = tmp_path_factory.mktemp("images") / "digit.png"
    Image.fromarray(((test.images[0, 0] + 1) * 127.5).round().astype(np.uint8)).save(path)
    return path


def said(capsys, *arguments):
    """What a command prints, in English; it must succeed."""
    status = run([*map(str, arguments), "--lang", "en"])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    return printed.out


# ---- eval


def test_eval_says_what_the_run_measured(trained, capsys):
    out = said(capsys, "eval", trained.out)
    top5 = trained.history[-1]["test_top5"]
    assert out == (
        f"vit_digits: 500 test images of digits, top-1 accuracy {trained.test_accuracy:.2%}, top-5 accuracy {top5:.2%}\n"
    )
    assert run(["eval", str(trained.out), "--lang", "zh"]) == 0
    assert f"500 张测试图像，top-1 准确率 {trained.test_accuracy:.2%}" in capsys.readouterr().out


def test_eval_of_each_class(trained, capsys):
    out = said(capsys, "eval", trained.out, "--classes")
    rows = re.findall(r"^ +([\d.]+)%  class (\d) \((\d+) of (\d+)\)$", out, re.M)
    assert [int(row[1]) for row in rows] == list(range(10))
    assert sum(int(row[3]) for row in rows) == 500
    assert sum(int(row[2]) for row in rows) == round(500 * trained.test_accuracy)
    assert all(float(share) == pytest.approx(100 * int(n) / int(of), abs=0.006) for share, _, n, of in rows)


def test_eval_of_other_data(trained, capsys):
    out = said(capsys, "eval", trained.out, "--data", "digits_16x16")
    assert "resized to another resolution: patch_embedding.position_embedding" in out
    assert "500 test images of digits_16x16" in out


def test_throughput(trained, capsys):
    out = said(capsys, "eval", trained.out, "--throughput")
    assert out.startswith("vit_digits: 500 test images")
    count = sum(parameter.size for parameter in trained.model.parameters())
    assert f"parameters: {int(count):,}" in out and "a multiply-add counted as two" in out
    assert re.search(r"^batch size 1: [\d.,]+ images/s$", out, re.M)
    assert re.search(r"^batch size 16: [\d.,]+ images/s$", out, re.M)
    assert re.search(r"one image: [\d.]+ ms, the median of 20; 95 % within [\d.]+ ms", out)
    assert re.search(r"highest memory: [\d,]+ MiB", out)


def test_eval_with_the_learners_code(trained, tmp_path, capsys):
    (tmp_path / "vit.py").write_text(REFERENCE, encoding="utf-8")
    same = said(capsys, "eval", trained.out, "--code", tmp_path / "vit.py")
    assert f"top-1 accuracy {trained.test_accuracy:.2%}" in same
    upside_down = REFERENCE.replace("return self.head(x)", "return -self.head(x)")
    assert upside_down != REFERENCE
    (tmp_path / "vit.py").write_text(upside_down, encoding="utf-8")
    other = said(capsys, "eval", trained.out, "--code", tmp_path / "vit.py")
    assert f"top-1 accuracy {trained.test_accuracy:.2%}" not in other
    assert said(capsys, "eval", trained.out) in same  # the package's own code is in its place again


# ---- predict


def test_predict(trained, digit, tmp_path, capsys):
    out = said(capsys, "predict", trained.out, digit, "--out", tmp_path / "seen")
    lines = out.splitlines()
    rows = [re.fullmatch(r" +([\d.]+)%  class (\d)", line) for line in lines[1:6]]
    assert lines[0] == str(digit) and all(rows)
    shares = [float(row[1]) for row in rows]
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 100.3
    assert len({row[2] for row in rows}) == 5
    written = {path.name: Image.open(path).size for path in (tmp_path / "seen").iterdir()}
    assert set(written) == {"digit_classes.png", "digit_attention.png"}
    assert all(min(size) > 100 for size in written.values())


def test_predict_puts_pictures_beside_the_run_and_keeps_namesakes_apart(trained, digit, tmp_path, capsys):
    namesake = tmp_path / "digit.png"
    namesake.write_bytes(digit.read_bytes())
    said(capsys, "predict", trained.out, digit, namesake)
    names = sorted(path.name for path in (trained.out / "predictions").iterdir())
    assert names == ["digit_2_attention.png", "digit_2_classes.png", "digit_attention.png", "digit_classes.png"]


def test_names_of_classes_and_a_published_model(tmp_path, capsys):
    name = "swin_tiny_patch4_window7_224"
    model = paddle_vit.create_model(name, num_classes=3, embed_dim=96)
    save_weights(model, tmp_path / "w.safetensors", {0: "猫", 1: "coffee", 2: "flower"})
    Image.new("RGB", (60, 40), "orange").save(tmp_path / "photo.jpg")
    out = said(capsys, "predict", tmp_path / "w.safetensors", tmp_path / "photo.jpg", "--model", name)
    assert {line.split()[-1] for line in out.splitlines()[1:4]} == {"猫", "coffee", "flower"}
    assert [path.name for path in (tmp_path / "predictions").iterdir()] == ["photo_classes.png"]  # Swin: no attention


def test_one_image_that_is_none_does_not_stop_the_others(trained, digit, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no image")
    images = [str(tmp_path / "nowhere.png"), str(tmp_path / "text.png"), str(digit)]
    assert run(["predict", str(trained.out), *images, "--out", str(tmp_path / "out"), "--lang", "en"]) == 2
    printed = capsys.readouterr()
    assert f"there is no file {images[0]}" in printed.err
    assert f"{images[1]} cannot be read as an image" in printed.err
    assert "class" in printed.out and (tmp_path / "out" / "digit_classes.png").exists()


# ---- export


def test_export(trained, tmp_path, capsys):
    out = said(capsys, "export", trained.out, "--out", tmp_path / "program")
    assert "Input [None, 1, 8, 8]" in out and re.search(r"by at most \d\.\de[-+]\d\d of the largest logit", out)
    assert "your own code" not in out
    assert (tmp_path / "program" / "model.pdiparams").stat().st_size > 0
    about = (tmp_path / "program" / "about.yaml").read_text(encoding="utf-8")
    assert "model: vit_digits" in about and "classes: 10" in about


def test_export_of_a_run_with_own_code_says_what_was_exported(tmp_path, capsys):
    class Mine(VisionTransformer):
        pass

    train("vit_digits", Mine, out=tmp_path / "run", quiet=True, train_images=50, **SMALL)
    out = said(capsys, "export", tmp_path / "run", "--out", tmp_path / "program")
    assert "This run trained your own code; what was exported is the package's model with your weights." in out


# ---- bad input


def changed_weights(trained, folder, change):
    """A copy of the run with a change of its arrays."""
    folder.mkdir()
    (folder / "config.yaml").write_bytes((trained.out / "config.yaml").read_bytes())
    arrays = load_file(trained.out / "weights.safetensors")
    change(arrays)
    save_file(arrays, folder / "weights.safetensors")
    return folder


def test_bad_input_is_said_in_words(trained, digit, tmp_path, capsys):
    short = changed_weights(trained, tmp_path / "short", lambda arrays: arrays.pop("encoder.norm.bias"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("recipe: vit_digits\n", encoding="utf-8")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.yaml").write_text("recipe: vit_digit\n", encoding="utf-8")
    (tmp_path / "odd" / "weights.safetensors").write_bytes(b"{}")
    file = tmp_path / "file"
    file.write_text("")
    weights = trained.out / "weights.safetensors"
    for arguments, expected in [
        (["eval", tmp_path / "nowhere"], "there is no run"),
        (["eval", tmp_path / "nowhere.npz", "--model", "vit_tiny_patch16_224"], "there is no file"),
        (["eval", tmp_path / "empty"], "has no config.yaml"),
        (["eval", tmp_path / "config"], "has no weights.safetensors"),
        (["eval", tmp_path / "odd"], "did you mean vit_digits?"),
        (["eval", short], "encoder.norm.bias"),
        (["eval", short], "if it was your own code that was trained, add --code PATH"),
        (["eval", trained.out, "--data", "digits_0_to_4"], "tells 10 classes apart, the data have 5"),
        (["eval", trained.out, "--data", "digit"], "no data set is called 'digit'"),
        (["eval", trained.out, "--code", tmp_path / "nowhere.py"], "no such file"),
        (["eval", weights, "--model", "vit_tini_patch16_224"], "did you mean vit_tiny_patch16_224"),
        (["eval", weights, "--model", "vit_tiny_patch16_224"], "weights.safetensors"),
        (["eval", weights, "--model", "vit_tiny_patch16_224", "--code", "x.py"], "--code goes with a run"),
        (["eval", trained.out, "--model", "vit_tiny_patch16_224"], "with --model give a file"),
        (["predict", trained.out, tmp_path / "nowhere.png"], "there is no file"),
        (["predict", trained.out, digit, "--out", file / "deeper"], "choose another folder, --out DIR"),
        (["export", trained.out, "--out", file / "deeper"], "cannot be written"),
    ]:
        assert run([*map(str, arguments), "--lang", "en"]) == 2, arguments
        printed = capsys.readouterr()
        assert expected in printed.err and printed.err.startswith(f"paddle-vit {arguments[0]}: "), printed.err


def test_weights_that_do_not_fit_are_explained_in_chinese_too(trained, tmp_path, capsys):
    short = changed_weights(trained, tmp_path / "short", lambda arrays: arrays.pop("encoder.norm.bias"))
    assert run(["export", str(short), "--out", str(tmp_path / "program"), "--lang", "zh"]) == 2
    refusal = capsys.readouterr().err
    assert "encoder.norm.bias" in refusal and "请加上 --code PATH" in refusal
    assert not (tmp_path / "program").exists()


def test_without_a_traceback_in_a_process_of_its_own(trained, tmp_path):
    done = command("eval", "vit_digits", "--lang", "en", cwd=trained.out.parents[1])
    assert done.returncode == 2
    assert done.stderr == "paddle-vit eval: there is no run vit_digits: did you mean runs/vit_digits?\n"
    for arguments in (["eval", "run"], ["predict", "run", "image"], ["export", "run", "--out", "out"]):
        done = command(*arguments, cwd=tmp_path, start=("-c", WITHOUT_PADDLE))
        assert done.returncode == 2 and "pip install" in done.stderr and "Traceback" not in done.stderr
