"""Recipes: what can be changed, what is refused and in which words."""

import dataclasses
import subprocess
import sys

import pytest

from paddle_vit.training.config import (
    RECIPES,
    Recipe,
    RecipeError,
    dump_recipe,
    list_recipes,
    load_recipe,
    parse_changes,
    settings_of,
)


def test_every_recipe_documents_itself():
    assert list_recipes() == list(RECIPES)
    for name, make in RECIPES.items():
        recipe = make()
        assert recipe.name == name
        for word in ("arXiv", "accuracy", "seconds", f"paddle-vit train {name}"):
            assert word in make.__doc__, f"the docstring of {name} does not give {word}"
        own = {field.name for field in dataclasses.fields(recipe)}
        assert not own & set(recipe.model_arguments), "settings are found by name alone"


def test_model_arguments_are_those_of_the_class():
    import inspect

    from paddle_vit import models

    for make in RECIPES.values():
        recipe = make()
        accepted = set(inspect.signature(getattr(models, recipe.model_class)).parameters)
        assert set(recipe.model_arguments) <= accepted - {"image_size", "in_channels", "num_classes"}


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
    for text in ("epochs", "=3", "epochs=[1,"):
        with pytest.raises(RecipeError, match="key=value|cannot be read"):
            parse_changes([text])


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
    for content, text in [
        ("epochs: 3\n", "'recipe' must name the base recipe"),
        ("recipe: vit_digit\n", "did you mean vit_digits"),
        ("recipe: [vit_digits]\n", "'recipe' must name the base recipe"),
        ("- 3\n", "must hold lines of the form"),
        ("", "must hold lines of the form"),
        ("recipe: [vit\n", "cannot be read"),
        ("recipe: !!python/object/apply:os.getcwd []\n", "cannot be read"),
        ("recipe: vit_digits\n3: 4\n", "no setting 3"),
        ("recipe: vit_digits\nepoch: 4\n", "did you mean epochs"),
        ("recipe: vit_digits\nmodel_arguments: {depth: 2}\n", "no setting 'model_arguments'"),
    ]:
        (tmp_path / "bad.yaml").write_text(content)
        with pytest.raises(RecipeError, match=text):
            load_recipe(tmp_path / "bad.yaml")


def test_settings_have_an_order():
    assert list(settings_of(load_recipe("vit_digits")))[:3] == ["data", "epochs", "batch_size"]


def test_checking_a_recipe_loads_neither_paddle_nor_numpy():
    program = (
        "import sys, paddle_vit.training, paddle_vit.commands.training\n"
        "from paddle_vit.training import load_recipe, RecipeError\n"
        "load_recipe('vit_digits', epochs=3)\n"
        "sys.exit(' '.join({'paddle', 'numpy', 'matplotlib', 'rich'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, f"loaded early: {done.stderr}"
