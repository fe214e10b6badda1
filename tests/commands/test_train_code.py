"""paddle-vit train --code: the learner's own code trains, whatever form it was handed in as."""

import json

import pytest
from helpers import REFERENCE, STUB
from test_commands import command

SMALL = ["train", "vit_digits", "epochs=1", "depth=1", "embed_dim=16"]


def trained(folder, *paths):
    return command(*SMALL, "--code", *paths, "--out", folder / "out", cwd=folder)


def test_a_files_own_code_trains(tmp_path):
    marked = REFERENCE.replace(
        "        x = self.dropout(F.gelu(self.fc1(x)))",
        "        print('MINE') if not hasattr(Mlp, 'said') else None\n        Mlp.said = True\n        x = self.dropout(F.gelu(self.fc1(x)))",
    )
    assert marked != REFERENCE
    (tmp_path / "vit.py").write_text(marked, encoding="utf-8")
    done = trained(tmp_path, "vit.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("MINE") == 1
    assert (tmp_path / "out" / "metrics.jsonl").exists()
    assert "VisionTransformer" in (tmp_path / "out" / "config.yaml").read_text()


def test_a_folder_and_a_notebook_train(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "vit.py").write_text(REFERENCE, encoding="utf-8")
    assert trained(tmp_path, "mine").returncode == 0
    cells = [
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": ["%matplotlib inline\n", REFERENCE],
        }
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "vit.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    assert trained(tmp_path, "vit.ipynb").returncode == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (STUB, "not finished yet: PatchEmbedding.__init__, PatchEmbedding.embed_patches"),
        (REFERENCE.replace("x = layer(x)", "x = layer("), "not finished yet: Encoder.forward"),
        (REFERENCE.replace("x = layer(x)", "x = layer(y)"), "name 'y' is not defined"),
        (REFERENCE.replace("return self.head(x)", "return x"), "must map images"),
    ],
    ids=["a stub", "a syntax error", "an exception", "another shape"],
)
def test_code_that_cannot_train_is_refused_before_data_is_read(tmp_path, text, says):
    assert text != REFERENCE
    (tmp_path / "vit.py").write_text(text, encoding="utf-8")
    done = trained(tmp_path, "vit.py")
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_settings_may_follow_the_paths(tmp_path):
    (tmp_path / "vit.py").write_text(REFERENCE, encoding="utf-8")
    done = command("train", "vit_digits", "--code", "vit.py", "epochs=1", "depth=1", "--lang", "zh", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "测试准确率" in done.stdout
    assert len((tmp_path / "runs" / "vit_digits" / "metrics.jsonl").read_text().splitlines()) == 1


def test_no_such_file(tmp_path):
    done = trained(tmp_path, "nowhere.py")
    assert done.returncode == 2
    assert "no such file: nowhere.py" in done.stderr
