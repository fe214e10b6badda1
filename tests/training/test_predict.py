"""A trained model found again, asked about its test images, and images of one's own prepared for it."""

import numpy as np
import paddle
import pytest
from PIL import Image, ImageDraw, ImageFilter

import paddle_vit
from paddle_vit.training import DATA, RecipeError, load_recipe, save_weights, train
from paddle_vit.training.config import dump_recipe
from paddle_vit.training.data import Data, load_digits
from paddle_vit.training.predict import (
    find_trained,
    held_out,
    load_trained,
    on_paper,
    prepare,
    score,
)
from paddle_vit.visualize.photos import FOLDER, load_photo

SMALL = dict(epochs=5, depth=1, embed_dim=32, batch_size=16, learning_rate=5e-3)
RECIPE = load_recipe("vit_digits")
DIGITS = DATA["digits"]
_, TEST = load_digits()


def fresh_run(folder, recipe="vit_digits", **changes):
    """A folder as a run leaves it, with weights that nobody trained."""
    recipe = load_recipe(recipe, **changes)
    data = DATA[recipe.data]
    model = getattr(paddle_vit.models, recipe.model_class)(**data.model_arguments(), **recipe.model_arguments)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    save_weights(model, folder / "weights.safetensors", {number: f"digit {number}" for number in range(10)})
    return model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run that trains with some images only: the others are its test images."""
    result = train("vit_digits", out=tmp_path_factory.mktemp("runs") / "vit", quiet=True, train_images=300, **SMALL)
    assert result.test_accuracy > 0.2  # it has learned enough to be told from one that says the same to all
    return result


# ---- finding


def test_a_run_answers_as_it_did_when_it_ended(run):
    trained = load_trained(find_trained(run.out))
    split = held_out(trained)
    scores = score(trained, split)
    assert len(split.labels) == 1797 - 300
    assert scores.top1 == pytest.approx(run.test_accuracy, abs=1e-9)
    assert scores.top5 == pytest.approx(run.history[-1]["test_top5"], abs=1e-9)
    assert [count for _, count in scores.by_class] == np.bincount(split.labels).tolist()
    assert sum(right for right, _ in scores.by_class) == round(scores.top1 * len(split.labels))
    assert not trained.model.training


def test_each_class_is_counted_for_itself(run):
    trained = load_trained(find_trained(run.out))
    split = held_out(trained)
    with paddle.no_grad():
        best = trained.model(paddle.to_tensor(split.images)).argmax(axis=1).numpy()
    expected = [(int((best[split.labels == k] == k).sum()), int((split.labels == k).sum())) for k in range(10)]
    assert score(trained, split).by_class == expected


def test_the_file_in_a_run_is_the_run(run):
    found = find_trained(run.out / "weights.safetensors")
    assert found == find_trained(run.out)
    assert not found.own_code


def test_all_models_of_the_course_are_found(tmp_path):
    for recipe in ("deit_digits", "swin_digits", "regnet_digits"):
        model = fresh_run(tmp_path / recipe, recipe)
        trained = load_trained(find_trained(tmp_path / recipe))
        model.eval()
        images = paddle.randn([3, 1, *trained.data.image_size])
        with paddle.no_grad():
            assert np.array_equal(trained.model(images).numpy(), model(images).numpy())
        assert trained.labels[7] == "digit 7"


def test_images_of_another_size(tmp_path):
    fresh_run(tmp_path, depth=1)
    trained = load_trained(find_trained(tmp_path), "digits_16x16")
    assert trained.loaded.resized == ("patch_embedding.position_embedding",)
    assert 0 <= score(trained, held_out(trained)).top1 <= 1


def test_five_classes_have_no_top5(tmp_path):
    recipe = load_recipe("vit_digits", data="digits_0_to_4", depth=1)
    model = paddle_vit.models.VisionTransformer(**DATA["digits_0_to_4"].model_arguments(), **recipe.model_arguments)
    (tmp_path / "config.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    save_weights(model, tmp_path / "weights.safetensors")
    trained = load_trained(find_trained(tmp_path))
    assert score(trained, held_out(trained)).top5 is None
    assert trained.labels == {}


def test_a_published_file_with_its_name(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(paddle_vit.create_model("deit_tiny_patch16_224", depth=12, num_classes=7), path)
    trained = load_trained(find_trained(path, "deit_tiny_patch16_224"))
    assert trained.data[:3] == (3, (224, 224), 7)
    assert trained.normalize == "imagenet"  # as DeiT's and Swin's authors; ViT's have -1 to 1
    with pytest.raises(RecipeError, match="--data NAME"):
        held_out(trained)
    with pytest.raises(RecipeError, match="no data set is called 'nowhere'"):
        load_trained(find_trained(path, "deit_tiny_patch16_224"), "nowhere")
    with pytest.raises(ValueError, match="channels"):
        load_trained(find_trained(path, "deit_tiny_patch16_224"), "digits_32x32")


def test_no_such_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match="there is no run vit_digits: paddle-vit train RECIPE makes one"):
        find_trained("vit_digits")
    fresh_run(tmp_path / "runs" / "vit_digits", depth=1)
    with pytest.raises(RecipeError, match="did you mean runs.vit_digits"):
        find_trained("vit_digits")


def test_a_run_without_weights(tmp_path):
    (tmp_path / "config.yaml").write_text("recipe: vit_digits\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="has no weights.safetensors: the run ended before"):
        find_trained(tmp_path)


def test_a_folder_or_file_that_is_of_no_run(tmp_path):
    with pytest.raises(RecipeError, match="is not of a run: it has no config.yaml"):
        find_trained(tmp_path)
    with pytest.raises(RecipeError, match="with --model give a file"):
        find_trained(tmp_path, "vit_tiny_patch16_224")
    (tmp_path / "w.safetensors").write_bytes(b"")
    with pytest.raises(RecipeError, match="say which model it is: --model NAME"):
        find_trained(tmp_path / "w.safetensors")


def test_weights_that_do_not_fit(tmp_path):
    fresh_run(tmp_path, depth=1)
    (tmp_path / "config.yaml").write_text(dump_recipe(load_recipe("vit_digits", depth=2)), encoding="utf-8")
    with pytest.raises(ValueError, match="does not fit the model"):
        load_trained(find_trained(tmp_path))


def test_an_unknown_model(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(paddle.nn.Sequential(("head", paddle.nn.Linear(4, 3))), path)
    with pytest.raises(RecipeError, match="no model is called 'vit_tiny_16_224': did you mean vit_tiny_patch16_224"):
        load_trained(find_trained(path, "vit_tiny_16_224"))


@pytest.mark.parametrize("data", ["digits_0_to_4", "digits_5_to_9"])
def test_data_with_other_classes_than_the_head(tmp_path, data):
    fresh_run(tmp_path, depth=1)
    with pytest.raises(RecipeError, match="tells 10 classes apart, the data have 5"):
        load_trained(find_trained(tmp_path), data)


# ---- preparing images


def test_a_photograph():
    photograph = Data(3, (224, 224), 1000, load=None)
    image = prepare(FOLDER / "cat.jpg", None, photograph)
    assert image.shape == (3, 224, 224) and image.dtype == np.float32
    assert image.min() >= -1 and image.max() <= 1 and image.max() - image.min() > 1.5
    centre = 2 * load_photo("cat")[:, 40:184, 40:184].mean(axis=(1, 2)) - 1  # the same picture: nearly the same colours
    assert np.abs(image[:, 40:184, 40:184].mean(axis=(1, 2)) - centre).max() < 0.1


def test_a_photograph_for_an_oblong_model():
    wide = Data(3, (32, 48), 10, load=None)
    assert prepare(FOLDER / "cat.jpg", None, wide).shape == (3, 32, 48)


def test_a_photograph_loses_imagenets_mean(tmp_path):
    colour = [0.485, 0.456, 0.406 + 0.225]
    image = np.broadcast_to(np.round(np.array(colour) * 255).astype(np.uint8), (300, 260, 3))
    Image.fromarray(np.ascontiguousarray(image)).save(tmp_path / "plain.png")
    result = prepare(tmp_path / "plain.png", None, Data(3, (32, 32), 10, load=None), "imagenet")
    assert np.abs(result - np.reshape([0, 0, 1], (3, 1, 1))).max() < 0.02


def saved(folder, pixels):
    """Pixels from 0 to 1 as a PNG."""
    path = folder / "image.png"
    Image.fromarray((255 * np.clip(pixels, 0, 1)).round().astype(np.uint8)).save(path)
    return path


def test_a_digit_of_the_data_comes_back_as_it_was(tmp_path):
    for image in TEST.images[:20]:
        prepared = prepare(saved(tmp_path, (image[0] + 1) / 2), RECIPE, DIGITS)
        assert prepared.shape == (1, 8, 8)
        assert np.abs(prepared - image).max() < 0.005  # 256 steps of gray


def test_enlarged_digits_are_enlarged_as_the_data_are(tmp_path):
    data = DATA["digits_32x32"]
    expected = data.load()[1].images[3]
    for pixels in (TEST.images[3, 0], np.kron(TEST.images[3, 0], np.ones([9, 9]))):
        prepared = prepare(saved(tmp_path, (pixels + 1) / 2), load_recipe("swin_digits"), data)
        assert np.abs(prepared - expected).max() < 0.005


def test_which_ground_a_digit_has():
    pixels = (TEST.images[:, 0] + 1) / 2
    assert not any(map(on_paper, pixels))
    assert all(map(on_paper, 1 - pixels))


def photographed(digit, seed):
    """A digit, [8, 8] from 0 to 1, as dark ink in the middle of a sheet of gray paper that is darker on one side."""
    big = np.asarray(Image.fromarray(digit).resize((160, 160), Image.Resampling.BICUBIC)).clip(0, 1)
    ink = np.zeros([300, 420], dtype=np.float32)
    ink[70:230, 130:290] = big
    paper = np.linspace(0.8, 0.7, 420)[None]
    noise = np.random.default_rng(seed).normal(0, 0.02, ink.shape)
    return paper * (1 - 0.8 * ink) + noise


def test_a_photographed_digit_looks_like_one_of_the_data(tmp_path):
    """Of 500 digits each finds itself, or one of its class, nearest."""
    flat = TEST.images.reshape(500, 64)
    found = []
    for number in range(60):
        path = saved(tmp_path, photographed((TEST.images[number, 0] + 1) / 2, number))
        prepared = prepare(path, RECIPE, DIGITS)
        assert prepared.max() == 1 and np.median(prepared[0, :, 0]) < -0.7  # ink bright, paper dark
        nearest = np.abs(flat - prepared.ravel()).sum(axis=1).argmin()
        found.append(TEST.labels[nearest] == TEST.labels[number])
    assert np.mean(found) > 0.9


def test_where_the_ink_stands_on_the_sheet_does_not_matter(tmp_path):
    pictures = []
    for left, top in ((60, 40), (150, 120)):
        sheet = Image.new("L", (320, 260), 210)
        ImageDraw.Draw(sheet).line([(left, top), (left + 60, top), (left + 20, top + 80)], fill=30, width=14)
        sheet.filter(ImageFilter.GaussianBlur(1)).save(tmp_path / "seven.png")
        pictures.append(prepare(tmp_path / "seven.png", RECIPE, DIGITS))
    assert np.abs(pictures[0] - pictures[1]).max() < 0.5
    assert pictures[0][0, 0].mean() > 0 > pictures[0][0, -1].mean()  # the bar on top, and little below


@pytest.mark.parametrize("side", [8, 200])
def test_an_empty_sheet_is_an_image_too(tmp_path, side):
    prepared = prepare(saved(tmp_path, np.full([side, side], 0.8)), RECIPE, DIGITS)
    assert prepared.shape == (1, 8, 8) and np.isfinite(prepared).all()


def test_colour_and_transparency_of_an_image_for_gray_data(tmp_path):
    drawn = np.zeros([80, 80, 4], dtype=np.uint8)  # transparent, with a dark red bar
    drawn[10:70, 30:50] = (120, 0, 0, 255)
    Image.fromarray(drawn).save(tmp_path / "bar.png")
    prepared = prepare(tmp_path / "bar.png", RECIPE, DIGITS)
    assert prepared[0, :, 3:5].min() > 0.9 and prepared[0, :, [0, 1, 6, 7]].max() < -0.9


@pytest.mark.parametrize("data", [DIGITS, Data(3, (32, 32), 10, load=None)])
def test_no_image(tmp_path, data):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "half.jpg").write_bytes((FOLDER / "cat.jpg").read_bytes()[:3000])
    for name, says in (
        ("nowhere.png", "there is no file"),
        ("text.png", "cannot be read as an image"),
        ("half.jpg", "cannot be read as an image"),
        (".", "cannot be read as an image"),
    ):
        with pytest.raises(RecipeError, match=says) as raised:
            prepare(tmp_path / name, RECIPE, data)
        assert str(tmp_path / name) in str(raised.value)
