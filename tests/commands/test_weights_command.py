"""paddle-vit weights: published files read into a model by name, and converted."""

import pickle

import numpy as np
import paddle
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file
from test_commands import WITHOUT_PADDLE, command

import paddle_vit
from paddle_vit.commands import run
from paddle_vit.training import save_weights

NAME = "vit_tiny_patch16_224"


@pytest.fixture(autouse=True)
def language_restored(monkeypatch):
    """--lang sets the variable for the pictures, here in the tests' own process."""
    monkeypatch.setenv("PADDLE_VIT_LANG", "en")


@pytest.fixture(scope="module")
def pdparams(tmp_path_factory):
    """A file with a hidden layer in its head, and 21 classes; and the model."""
    paddle.seed(1)
    model = paddle_vit.create_model(NAME, num_classes=21, representation_size=8)
    path = tmp_path_factory.mktemp("published") / "vit.pdparams"
    paddle.save(model.state_dict(), str(path))
    return path, model


def test_converts_with_the_head_that_the_file_has(pdparams, tmp_path, capsys):
    path, model = pdparams
    out = tmp_path / "vit.safetensors"
    assert run(["weights", str(path), "--model", NAME, "--out", str(out), "--lang", "en"]) == 0
    count = sum(parameter.size for parameter in model.parameters())
    assert capsys.readouterr().out.splitlines() == [
        f"{NAME}: {int(count):,} parameters from vit.pdparams (Paddle's pickle), 21 classes",
        f"written: {out}",
    ]
    arrays = load_file(out)
    assert arrays.keys() == model.state_dict().keys()
    assert all(np.array_equal(arrays[name], tensor.numpy()) for name, tensor in model.state_dict().items())


def test_another_resolution_is_told(pdparams, capsys):
    assert run(["weights", str(pdparams[0]), "--model", "vit_tiny_patch16_384", "--lang", "en"]) == 0
    assert "resized to another resolution: patch_embedding.position_embedding" in capsys.readouterr().out
    assert run(["weights", str(pdparams[0]), "--model", "vit_tiny_patch16_384", "--lang", "zh"]) == 0
    assert "已插值到新的分辨率：patch_embedding.position_embedding" in capsys.readouterr().out


def test_what_is_allowed(pdparams, tmp_path, capsys):
    arguments = ["weights", str(pdparams[0]), "--model", "deit_tiny_distilled_patch16_224", "--lang", "en"]
    assert run(arguments) == 2
    assert "left over (names in the file):\n    pre_logits" in capsys.readouterr().err
    path = tmp_path / "deit.safetensors"
    save_weights(paddle_vit.create_model("deit_tiny_patch16_224"), path)
    arguments[1] = str(path)
    assert run(arguments) == 2
    refusal = capsys.readouterr().err
    assert "(names of the model):\n    patch_embedding.distill_token" in refusal
    assert run([*arguments, "--allow", "*distill_token", "--allow", "head_distill.*"]) == 0
    assert "left as they were: patch_embedding.distill_token, head_distill.weight" in capsys.readouterr().out


def test_labels_are_shown_and_kept(tmp_path, capsys):
    path, out = tmp_path / "w.safetensors", tmp_path / "out.safetensors"
    labels = {0: "猫", 1: "dog", 2: "coffee", 3: "flower"}
    save_weights(paddle_vit.create_model(NAME, num_classes=4), path, labels)
    assert run(["weights", str(path), "--model", NAME, "--out", str(out), "--lang", "en"]) == 0
    assert "classes: 0 猫; 1 dog; 2 coffee; ..." in capsys.readouterr().out
    with safe_open(out, framework="numpy") as file:
        assert "猫" in file.metadata()["id2label"]


def test_a_file_of_features_only(tmp_path, capsys):
    path = tmp_path / "w.safetensors"
    save_weights(paddle_vit.create_model(NAME, num_classes=0), path)
    assert run(["weights", str(path), "--model", NAME, "--lang", "en"]) == 0
    assert "without a head, since the file has none" in capsys.readouterr().out


class Attack:
    def __reduce__(self):
        return print, ("executed",)


def test_bad_input_is_said_in_words(pdparams, tmp_path):
    bad = tmp_path / "bad.pdparams"
    bad.write_bytes(pickle.dumps({"w": Attack()}))
    folder, own = tmp_path / "folder.safetensors", tmp_path / "own.safetensors"
    folder.mkdir()
    own.write_bytes(b"precious")
    for arguments, said in [
        (["weights", pdparams[0], "--model", "vit_tiny"], "no model is called 'vit_tiny'"),
        (["weights", tmp_path / "nowhere.npz", "--model", NAME], "no such file"),
        (["weights", tmp_path, "--model", NAME], "is a folder"),
        (["weights", bad, "--model", NAME], "builtins.print"),
        (["weights", pdparams[0], "--model", "swin_tiny_patch4_window7_224"], "holds weights of a ViT or DeiT"),
        (["weights", pdparams[0], "--model", NAME, "--out", tmp_path / "no" / "out.safetensors"], "there is no folder"),
        (["weights", pdparams[0], "--model", NAME, "--out", "out.pth"], "let out.pth end in .safetensors"),
        (["weights", pdparams[0], "--model", NAME, "--out", folder], "is a folder: name a file"),
        (["weights", own, "--model", NAME, "--out", own], "--out is the file that is read"),
    ]:
        done = command(*arguments, cwd=tmp_path)
        assert done.returncode == 2 and said in done.stderr, done.stderr
        assert "Traceback" not in done.stderr and "executed" not in done.stdout
    assert own.read_bytes() == b"precious"


def test_refusals_in_chinese(pdparams, tmp_path, capsys):
    (tmp_path / "cut.pdparams").write_bytes(pdparams[0].read_bytes()[:-100])
    for file, model, said in [
        (pdparams[0], "swin_tiny_patch4_window7_224", "是 ViT 或 DeiT 的权重"),
        (pdparams[0], "vit_small_patch16_224", "请选用这个大小的模型"),
        (tmp_path / "nowhere", NAME, "没有这个文件"),
        (tmp_path / "cut.pdparams", NAME, "请重新下载"),
        (tmp_path, NAME, "是文件夹"),
    ]:
        assert run(["weights", str(file), "--model", model, "--lang", "zh"]) == 2
        assert said in capsys.readouterr().err


def test_without_paddle(tmp_path):
    done = command("weights", "file", "--model", NAME, cwd=tmp_path, start=("-c", WITHOUT_PADDLE))
    assert done.returncode == 2 and "pip install" in done.stderr and "Traceback" not in done.stderr
