"""What a recipe is: what can be changed, what is refused and in which words, YAML."""

import dataclasses
import os
import subprocess
import sys

import pytest

from paddle_vit.training.config import Recipe, RecipeError, dump_recipe, load_recipe, parse_changes, settings_of


def test_changes_reach_the_run_and_the_model():
    base = load_recipe("vit_digits")
    changed = load_recipe("vit_digits", epochs=3, depth=2, learning_rate=1, position="none", qkv_bias=False)
    assert (changed.epochs, changed.learning_rate) == (3, 1.0)
    assert isinstance(changed.learning_rate, float)
    assert changed.model_arguments == {**base.model_arguments, "depth": 2, "position": "none", "qkv_bias": False}
    assert load_recipe("vit_digits") == base, "changing one recipe must not change the next"
    assert load_recipe(changed, epochs=4).model_arguments == changed.model_arguments
    assert load_recipe(changed, depth=9).model_arguments["depth"] == 9
    assert changed.model_arguments["depth"] == 2, "nor the recipe that was given"


def test_recipes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_recipe("vit_digits").epochs = 3


def test_key_value_texts():
    texts = ["epochs=3", "learning_rate=1e-3", "position=none", "qkv_bias=false", "mlp_ratio=3", "warmup=.25"]
    recipe = load_recipe("vit_digits", **parse_changes(texts))
    assert (recipe.epochs, recipe.learning_rate, recipe.warmup) == (3, 0.001, 0.25)
    assert recipe.model_arguments["position"] == "none"
    assert recipe.model_arguments["qkv_bias"] is False
    assert recipe.model_arguments["mlp_ratio"] == 3.0
    for text, says in [
        ("epochs", "not of the form key=value"),
        ("=3", "not of the form key=value"),
        ("epochs=[1,", "the value cannot be read"),
        ("epochs=2001-13-45", "the value cannot be read"),  # looks like a date to YAML
        ("epochs=" + "[" * 1000, "the value cannot be read"),
    ]:
        with pytest.raises(RecipeError, match=says):
            parse_changes([text])


def test_texts_of_the_command_line_are_taken_as_they_are():
    texts = ["data=cifar10", "data_path=/mnt/a: b #1", "weights=2024", "teacher_weights=[x]", "precision=null"]
    assert list(parse_changes(texts).values()) == ["cifar10", "/mnt/a: b #1", "2024", "[x]", "null"]
    assert load_recipe(load_recipe("vit_digits", weights="a.npz"), **parse_changes(["weights="])).weights == ""


def test_the_home_folder_is_put_in_for_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("recipe: vit_digits\ndata_path: ~/images\n")
    recipe = load_recipe(tmp_path / "mine.yaml", weights="~/vit.npz", teacher_weights="~/regnet.safetensors")
    found = [recipe.data_path, recipe.weights, recipe.teacher_weights]
    assert found == [os.path.join(tmp_path, name) for name in ("images", "vit.npz", "regnet.safetensors")]
    assert load_recipe("vit_digits", data_path="a~b/~").data_path == "a~b/~", "elsewhere it is a letter as any other"


def test_yaml_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("recipe: vit_digits\nepochs: 3\nlearning_rate: 2e-3  # a text to YAML 1.1\ndepth: 2\n")
    recipe = load_recipe(file)
    assert (recipe.name, recipe.epochs, recipe.learning_rate) == ("vit_digits", 3, 0.002)
    assert load_recipe(str(file), epochs=5).epochs == 5, "what is said on the spot wins over the file"


def test_a_dumped_recipe_comes_back(tmp_path):
    recipe = load_recipe("vit_digits", epochs=3, depth=2, position="none", learning_rate=1e-9, seed=7)
    (tmp_path / "config.yaml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "config.yaml") == recipe


@pytest.mark.parametrize(
    "changes,text",
    [
        (dict(epoch=3), "no setting 'epoch': did you mean epochs"),
        (dict(lr=0.1), "did you mean learning_rate"),
        (dict(wd=0.1), "did you mean weight_decay"),
        (dict(head=2), "did you mean depth|did you mean num_heads"),
        (dict(xyzzy=2), "choose from data, epochs, batch_size, .*position"),
        (dict(name="x"), "no setting 'name'"),
        (dict(data=3), r"data must be a text \(str\), not 3"),
        (dict(epochs="ten"), r"epochs must be a whole number \(int\), not 'ten'"),
        (dict(epochs="10"), r"epochs must be a whole number \(int\), not '10'"),
        (dict(epochs=2.0), r"epochs must be a whole number \(int\), not 2.0"),
        (dict(epochs=True), r"epochs must be a whole number \(int\), not True"),
        (dict(epochs=None), r"epochs must be a whole number \(int\), not None"),
        (dict(depth=[2]), r"depth must be a whole number \(int\), not \[2\]"),
        (dict(learning_rate="high"), r"learning_rate must be a number \(float\), not 'high'"),
        (dict(learning_rate=True), r"learning_rate must be a number \(float\), not True"),
        (dict(qkv_bias=1), r"qkv_bias must be true or false \(bool\), not 1"),
        (dict(pool=3), r"pool must be a text \(str\), not 3"),
        (dict(epochs=0), "epochs must be at least 1, not 0"),
        (dict(batch_size=-1), "batch_size must be at least 1, not -1"),
        (dict(evaluate_every=0), "evaluate_every must be at least 1, not 0"),
        (dict(depth=0), "depth must be at least 1, not 0"),
        (dict(patch_size=0), "patch_size must be at least 1, not 0"),
        (dict(learning_rate=0), "learning_rate must be above 0, not 0.0"),
        (dict(learning_rate=float("nan")), "learning_rate must be a finite number, not nan"),
        (dict(learning_rate=float("inf")), "learning_rate must be a finite number, not inf"),
        (dict(weight_decay=-0.1), "weight_decay must be 0 or more, not -0.1"),
        (dict(seed=-1), "seed must be 0 or more, not -1"),
        (dict(warmup=1.0), "warmup must be from 0 to below 1, not 1.0"),
        (dict(dropout=1.0), "dropout must be from 0 to below 1, not 1.0"),
        (dict(droppath=-0.1), "droppath must be from 0 to below 1, not -0.1"),
        (dict(data_path=3), r"data_path must be a text \(str\), not 3"),
        (dict(image_size=224.0), r"image_size must be a whole number \(int\), not 224.0"),
        (dict(image_size=-1), "image_size must be 0 or more, not -1"),
        (dict(image_size=[224, 224]), r"image_size must be a whole number \(int\), not \[224, 224\]"),
        (dict(normalize="Imagenet"), "normalize must be half or imagenet, not Imagenet"),
        (dict(crop="random"), "crop must be none, padded or resized, not random"),
        (dict(crop=False), r"crop must be a text \(str\), not False"),
        (dict(flip=1.5), "flip must be from 0 to 1, not 1.5"),
        (dict(flip=True), r"flip must be a number \(float\), not True"),
        (dict(bad_images=-1), "bad_images must be 0 or more, not -1"),
        (dict(workers=-1), "workers must be 0 or more, not -1"),
        (dict(workers="all"), r"workers must be a whole number \(int\), not 'all'"),
        (dict(weights=None), r"weights must be a text \(str\), not None"),
        (dict(freeze=-2), "freeze must be 0 or more, or -1, not -2"),
        (dict(freeze=True), r"freeze must be a whole number \(int\), not True"),
        (dict(layer_decay=0), "layer_decay must be above 0, at most 1, not 0.0"),
        (dict(layer_decay=1.1), "layer_decay must be above 0, at most 1, not 1.1"),
        (dict(augment=dict(epochs=3)), "'augment' holds other settings: write each in a line of its own"),
        (dict(epochs=dict(depth=3)), r"epochs must be a whole number \(int\), not {'depth': 3}"),
        (dict(seed=2**63), r"seed must be below 2\^63, not a number of 64 bits"),
        (dict(learning_rate=10**400), r"learning_rate must be below 2\^63"),
        (dict(epochs=list(range(1000))), r"not \[0, 1, 2, 3, 4, 5, \.\.\.\]$"),
    ],
)
def test_refused_changes(changes, text):
    with pytest.raises(RecipeError, match=text):
        load_recipe("vit_digits", **changes)


@pytest.mark.parametrize(
    "changes,text",
    [
        (dict(depths=2), r"depths must be a list of whole numbers above 0, not 2"),
        (dict(num_heads=[2, 0]), r"num_heads must be a list of whole numbers above 0, not \[2, 0\]"),
        (dict(num_heads="2,4"), "num_heads must be a list of whole numbers above 0"),
        (dict(window_size=0), "window_size must be at least 1, not 0"),
        (dict(window=3), "no setting 'window': did you mean window_size"),
        (dict(accumulate=0), "accumulate must be at least 1, not 0"),
        (dict(clip=-1.0), "clip must be 0 or more, not -1.0"),
        (dict(precision="half"), "precision must be float32, float16 or bfloat16, not half"),
        (dict(absolute_position=1), r"absolute_position must be true or false \(bool\), not 1"),
    ],
)
def test_refused_changes_of_swin_and_its_step(changes, text):
    with pytest.raises(RecipeError, match=text):
        load_recipe("swin_digits", **changes)


def test_lists_of_stages_go_to_yaml_and_back(tmp_path):
    recipe = load_recipe("swin_digits", **parse_changes(["depths=[1, 2, 1]", "num_heads=[1, 2, 4]", "accumulate=4"]))
    assert recipe.model_arguments["depths"] == (1, 2, 1) and recipe.accumulate == 4
    (tmp_path / "config.yaml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "config.yaml") == recipe


def test_the_ends_of_ranges_are_allowed():
    recipe = load_recipe("vit_digits", flip=1, layer_decay=1, freeze=-1, crop="resized", normalize="imagenet", seed=0)
    assert (recipe.flip, recipe.layer_decay, recipe.freeze) == (1.0, 1.0, -1)
    assert load_recipe("vit_digits", flip=0, layer_decay=0.65, workers=0, bad_images=0, seed=2**63 - 1).flip == 0.0


def test_a_recipe_of_nonsense_cannot_be_made():
    fields = {field.name: getattr(load_recipe("vit_digits"), field.name) for field in dataclasses.fields(Recipe)}
    assert Recipe(**fields) == load_recipe("vit_digits")
    for changes, text in [
        (dict(epochs=0), "epochs must be at least 1"),
        (dict(epochs="3"), "epochs must be a whole number"),
        (dict(model_arguments=dict(depth=0)), "depth must be at least 1"),
    ]:
        with pytest.raises(RecipeError, match=text):
            Recipe(**{**fields, **changes})


def test_refused_sources(tmp_path):
    with pytest.raises(RecipeError, match="no recipe is called 'vit_digit': did you mean vit_digits"):
        load_recipe("vit_digit")
    with pytest.raises(RecipeError, match="nowhere.yaml cannot be read"):
        load_recipe(tmp_path / "nowhere.yaml")
    with pytest.raises(
        RecipeError, match="no recipe is called 'swin_cifar', to train the teacher: did you mean swin_cifar10"
    ):
        load_recipe("deit_digits", teacher="swin_cifar")


@pytest.mark.parametrize(
    "content,text",
    [
        ("epochs: 3\n", "'recipe' must name the base recipe"),
        ("recipe: vit_digit\n", "did you mean vit_digits"),
        ("recipe: [vit_digits]\n", "'recipe' must name the base recipe"),
        ("- 3\n", "must hold lines of the form"),
        ("", "must hold lines of the form"),
        ("vit_digits\n", "must hold lines of the form"),
        ("!!set {recipe, epochs}\n", "must hold lines of the form"),
        ("recipe: [vit\n", "cannot be read"),
        ("recipe: vit_digits\n---\nepochs: 3\n", "cannot be read"),
        ("recipe: vit_digits\nseed: 2001-13-45\n", "cannot be read: month"),
        ("recipe: vit_digits\nseed: " + "[" * 1000, "cannot be read"),
        ("recipe: \xff\xfe\x00".encode("latin-1"), "cannot be read"),
        ("recipe: vit_digits\n3: 4\n", "bad.yaml, line 2: before the colon must be the name of a setting"),
        ("recipe: vit_digits\n? [epochs]\n: 4\n", "line 2: before the colon must be the name"),
        ("recipe: vit_digits\nepoch: 4\n", "did you mean epochs"),
        ("recipe: vit_digits\nmodel_arguments: {depth: 2}\n", "'model_arguments' holds other settings"),
        ("recipe: vit_digits\nmodel:\n  depth: 2\n", "'model' holds other settings: write each in a line of its own"),
        ("recipe: vit_digits\nepochs: [3]\n", r"epochs must be a whole number \(int\), not \[3\]"),
        (
            "recipe: vit_digits\nlearning_rate: [1.0e-3, 2]\n",
            r"learning_rate must be a number \(float\), not \[0.001, 2\]",
        ),
        ("recipe: vit_digits\nseed: 0x" + "f" * 5000, r"seed must be below 2\^63, not a number of 20000 bits"),
        ("recipe: vit_digits\nseed: [[0x" + "f" * 5000 + "]]", "seed must be a whole number .*, not this list"),
    ],
)
def test_refused_files(tmp_path, content, text):
    (tmp_path / "bad.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RecipeError, match=text):
        load_recipe(tmp_path / "bad.yaml")


def test_a_key_that_stands_twice_is_refused_with_both_lines(tmp_path):
    (tmp_path / "twice.yaml").write_text("recipe: vit_digits\nepochs: 3\n# a remark\ndepth: 2\n'epochs': 30\n")
    with pytest.raises(RecipeError, match="twice.yaml gives 'epochs' twice, in lines 2 and 5: delete one of them"):
        load_recipe(tmp_path / "twice.yaml")
    (tmp_path / "twice.yaml").write_text("recipe: vit_digits\nrecipe: deit_digits\n")
    with pytest.raises(RecipeError, match="gives 'recipe' twice, in lines 1 and 2"):
        load_recipe(tmp_path / "twice.yaml")


@pytest.mark.parametrize("where", ["seed: {}", "{} : 3", "{}"])
def test_python_tags_make_no_objects(tmp_path, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    for tag in ("object/apply:os.mkdir [made]", "object/new:os.mkdir [made]", "name:os.mkdir ''", "tuple [1, 2]"):
        (tmp_path / "bad.yaml").write_text("recipe: vit_digits\n" * (where != "{}") + where.format("!!python/" + tag))
        with pytest.raises(RecipeError, match="cannot be read|name of a setting|lines of the form"):
            load_recipe(tmp_path / "bad.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


def test_a_small_file_cannot_make_a_long_message(tmp_path):
    """Each list holds the one before ten times: written out the last would be a million million words."""
    lists = ["&l0 [" + ", ".join("x" * 10) + "]"]
    lists += [f"&l{level} [{', '.join([f'*l{level - 1}'] * 10)}]" for level in range(1, 12)]
    bomb = f"[{', '.join(lists)}]"
    for content, text in [
        (f"recipe: vit_digits\nepochs: {bomb}\n", "epochs must be a whole number"),
        (f"recipe: {bomb}\n", "must name the base recipe"),
    ]:
        (tmp_path / "bomb.yaml").write_text(content)
        with pytest.raises(RecipeError, match=text) as caught:
            load_recipe(tmp_path / "bomb.yaml")
        assert len(str(caught.value)) < 1000


def test_a_file_as_editors_and_shells_of_windows_write_it(tmp_path):
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "mine.yaml").write_bytes("recipe: vit_digits\r\nepochs: 3\r\n# 学习率\r\n".encode(encoding))
        assert load_recipe(tmp_path / "mine.yaml").epochs == 3


def test_settings_have_an_order():
    assert list(settings_of(load_recipe("vit_digits")))[:3] == ["data", "epochs", "batch_size"]


def test_checking_a_recipe_loads_neither_paddle_nor_numpy():
    program = (
        "import sys, paddle_vit.training, paddle_vit.commands.training\n"
        "from paddle_vit.training import load_recipe, RecipeError\n"
        "from paddle_vit.training import list_recipes\n"
        "for name in list_recipes():\n"
        "    if 'imagenet' not in name: load_recipe(name, epochs=3)\n"
        "sys.exit(' '.join({'paddle', 'numpy', 'matplotlib', 'rich'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, f"loaded early: {done.stderr}"
