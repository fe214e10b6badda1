"""Data from this machine through the whole training: what a model sees of it, in training and in evaluation."""

import dataclasses
import gzip
import os

import numpy as np
import paddle
import pytest
from PIL import Image

from paddle_vit.models import VisionTransformer
from paddle_vit.models.weights import load_weights
from paddle_vit.training import RecipeError, load_recipe, train
from paddle_vit.training.augment import generator_of, training_batches
from paddle_vit.training.data import DATA, Split
from paddle_vit.training.datasets import Prepared, list_data, normalised, open_data
from paddle_vit.training.engine import evaluate
from paddle_vit.training.operations import to_array
from paddle_vit.training.photos import Photos, centre_crop, random_resized_crop
from paddle_vit.training.readers import Pixels

SMALL = dict(embed_dim=8, depth=1, num_heads=2, epochs=1, batch_size=8, evaluate_every=1)


def photographs(folder, classes=("cat", "dog", "frog"), train=5, test=2, seed=0):
    """ImageNet's layout, of random images of random sizes, one colour for each class."""
    rng = np.random.default_rng(seed)
    for part, count in (("train", train), ("val", test)):
        for number, name in enumerate(classes):
            (folder / part / name).mkdir(parents=True)
            for i in range(count):
                height, width = rng.integers(20, 60, 2)
                image = rng.integers(0, 60, (height, width, 3)).astype(np.uint8)
                image[..., number % 3] += 150
                Image.fromarray(image).save(folder / part / name / f"{i}.png")
    return folder


def mnist(folder, train=40, test=10):
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for part, count in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        header = np.array([0x803, count, 28, 28], ">i4").tobytes()
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(np.array([0x801, count], ">i4").tobytes() + labels.tobytes())
    return folder


def recipe_for(folder, **changes):
    return load_recipe("vit_digits", data="folder", data_path=str(folder), image_size=16, batch_size=4, **changes)


def batches(recipe, epoch=1, start=0):
    data = open_data(recipe)
    return list(training_batches(data.load()[0], recipe, data, epoch, start))


# What is opened


def test_a_folder_tells_its_classes_before_it_is_read(tmp_path):
    data = open_data(recipe_for(photographs(tmp_path)))
    assert (data.num_classes, data.image_size, data.in_channels) == (3, (16, 16), 3)
    train_split, test_split = data.load()
    assert len(train_split.images) == 15 and train_split.labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert test_split.images[[0, 5]].shape == (2, 3, 16, 16) and test_split.images[1:4].dtype == np.float32


def test_photographs_have_224_pixels_unless_the_recipe_says_otherwise(tmp_path):
    recipe = dataclasses.replace(recipe_for(photographs(tmp_path)), image_size=0)
    assert open_data(recipe).image_size == (224, 224)


def test_mnist_trains(tmp_path):
    result = train(
        "vit_digits",
        data="mnist",
        data_path=str(mnist(tmp_path / "m")),
        patch_size=7,
        out=tmp_path / "out",
        quiet=True,
        **SMALL,
    )
    assert result.model.patch_embedding.image_size == (28, 28) and 0 <= result.test_accuracy <= 1


def test_a_folder_of_photographs_trains_and_goes_on(tmp_path):
    folder = photographs(tmp_path / "photos")
    settings = dict(
        data="folder",
        data_path=str(folder),
        image_size=16,
        patch_size=8,
        crop="resized",
        flip=0.5,
        normalize="imagenet",
    )
    result = train("vit_digits", out=tmp_path / "one", quiet=True, **settings, **{**SMALL, "epochs": 3})
    again = train("vit_digits", out=tmp_path / "two", quiet=True, workers=2, **settings, **{**SMALL, "epochs": 3})
    for one, other in zip(result.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        assert np.array_equal(one.numpy(), other.numpy()), "workers change no number"


def test_the_names_of_classes_are_kept_with_the_weights(tmp_path):
    folder = photographs(tmp_path / "photos")
    train(
        "vit_digits",
        data="folder",
        data_path=str(folder),
        image_size=16,
        patch_size=8,
        out=tmp_path / "o",
        quiet=True,
        **SMALL,
    )
    model = VisionTransformer(16, 8, 3, 3, 8, 1, 2, mlp_ratio=2.0)
    assert load_weights(model, tmp_path / "o" / "best.safetensors").labels == {0: "cat", 1: "dog", 2: "frog"}


def test_a_batch_larger_than_the_data(tmp_path):
    with pytest.raises(RecipeError, match="batch_size=2000 is more than there are training images, 1297"):
        train("vit_digits", batch_size=2000, out=tmp_path / "o", quiet=True)
    assert not (tmp_path / "o").exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below" / "it"):
        with pytest.raises(RecipeError, match="file is a file, not a folder"):
            train("vit_digits", out=out, quiet=True)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(RecipeError, match="nothing can be written into"):
        train("vit_digits", out=tmp_path / "closed" / "run", quiet=True)


@pytest.mark.parametrize("device", ["gpu:7", "toaster"])
def test_a_device_that_is_not_there(device, tmp_path):
    with pytest.raises(RecipeError, match=f"device={device} cannot be used here"):
        train("vit_digits", device=device, out=tmp_path / "o", quiet=True)
    assert paddle.get_device() == "cpu" and not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "changes,said",
    [
        (dict(data="cifar"), "no data set is called 'cifar': did you mean cifar10"),
        (dict(data="cifar10"), "data=cifar10 needs data_path=cifar-10-python.tar.gz"),
        (dict(data="cifar10", data_path="nowhere"), "nowhere"),
        (dict(data="folder", data_path="nowhere"), "nowhere"),
        (dict(data_path="somewhere"), "data=digits comes with the package and is ready: leave data_path away"),
        (dict(normalize="imagenet"), "leave normalize away"),
        (dict(data="mnist", data_path=".", normalize="imagenet"), "normalize=imagenet is for images in colour"),
        (dict(data="cifar10", data_path=".", image_size=64), "the images of cifar10 have 32 pixels a side"),
    ],
)
def test_what_cannot_be_opened(changes, said, tmp_path):
    with pytest.raises(RecipeError) as error:
        train("vit_digits", out=tmp_path / "out", quiet=True, **changes)
    assert said in str(error.value) and not (tmp_path / "out").exists()


def test_images_of_another_size_than_their_name_says(tmp_path):
    folder = tmp_path / "m"
    mnist(folder)
    for part, count in (("train", 40), ("t10k", 10)):
        header = np.array([0x803, count, 14, 14], ">i4").tobytes()
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + bytes(count * 196)))
    with pytest.raises(RecipeError, match=r"the images of mnist must be \[1, 28, 28\], those found are \[1, 14, 14\]"):
        open_data(load_recipe("vit_digits", data="mnist", data_path=str(folder))).load()


def test_few_images_of_other_data_are_refused(tmp_path):
    with pytest.raises(RecipeError, match="train_images is for data that come with the package"):
        train(
            "vit_digits",
            data="mnist",
            data_path=str(mnist(tmp_path / "m")),
            patch_size=7,
            train_images=10,
            out=tmp_path / "o",
            quiet=True,
            **SMALL,
        )


def test_every_name_is_listed():
    assert set(DATA) < set(list_data()) and "folder" in list_data()


# What the model sees


def test_normalised_by_hand():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, 4, 5)).astype(np.float32)
    assert normalised(images, "half") is images
    result = normalised(images, "imagenet")
    assert np.allclose(result[:, 1], ((images[:, 1] + 1) / 2 - 0.456) / 0.224, atol=1e-6) and result.dtype == np.float32


def test_in_evaluation_the_middle_is_shown(tmp_path):
    folder = photographs(tmp_path)
    test = open_data(recipe_for(folder, normalize="imagenet")).load()[1]
    image = Image.open(folder / "val" / "dog" / "1.png")
    expected = normalised(to_array(centre_crop(image, 16)), "imagenet")
    assert np.array_equal(test.images[3:4][0], expected)


def test_in_training_a_random_part_of_each_photograph(tmp_path):
    folder = photographs(tmp_path)
    recipe = recipe_for(folder, crop="resized")
    split = open_data(recipe).load()[0]
    order = np.random.Generator(np.random.PCG64([recipe.seed, 1])).permutation(15)
    first = batches(recipe)[0][0]
    expected = to_array(random_resized_crop(split.images.open(order[2]), generator_of(recipe.seed, 1, 2), 16))
    assert np.array_equal(first[2], expected)
    assert not np.array_equal(first, batches(recipe, epoch=2)[0][0])
    for (one, _), (other, _) in zip(batches(recipe)[2:], batches(recipe, start=2), strict=True):
        assert np.array_equal(one, other), "from the middle of an epoch"


@pytest.mark.parametrize("changes", [dict(flip=1.0), dict(crop="padded"), dict(rand_augment=2, erasing=0.5, mixup=0.8)])
def test_pixels_are_changed_by_what_the_recipe_says(changes):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 3, 8, 8)).astype(np.uint8)
    data = DATA["digits"]._replace(in_channels=3)
    split = Split(Pixels(pixels), np.arange(12) % 10)
    plain, changed = (
        next(training_batches(split, load_recipe("vit_digits", batch_size=12, **settings), data, 1))[0]
        for settings in ({}, changes)
    )
    assert plain.shape == changed.shape and not np.array_equal(plain, changed)
    if changes == dict(flip=1.0):
        assert np.allclose(plain[..., ::-1], changed, atol=1e-6)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_give_the_same_batches(workers, tmp_path):
    recipe = recipe_for(
        photographs(tmp_path), crop="resized", flip=0.5, rand_augment=2, mixup=0.8, cutmix=1.0, erasing=0.3
    )
    alone = batches(recipe)
    together = batches(dataclasses.replace(recipe, workers=workers))
    assert len(alone) == len(together) == 4
    for (images, targets), (others, other_targets) in zip(alone, together, strict=True):
        assert np.array_equal(images, others) and np.array_equal(targets, other_targets)


# Images that cannot be read


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image_ends_the_run_by_its_name(workers, tmp_path):
    folder = photographs(tmp_path / "photos")
    (folder / "train" / "dog" / "3.png").write_bytes(b"no image")
    recipe = recipe_for(folder, workers=workers)
    with pytest.raises(RecipeError, match="dog/3.png cannot be decoded"):
        batches(recipe)
    allowed = dataclasses.replace(recipe, bad_images=1)
    data = open_data(allowed)
    split = data.load()[0]
    images = np.concatenate([batch for batch, _ in training_batches(split, allowed, data, 1)])
    assert len(images) == 15 and list(split.images.bad) == [str(folder / "train" / "dog" / "3.png")]
    (folder / "train" / "cat" / "0.png").write_bytes(b"no image either")
    with pytest.raises(RecipeError, match="cannot be decoded .*, and only 1 may be bad"):
        batches(allowed)


def test_prepared_images_are_evaluated(tmp_path):
    test = open_data(recipe_for(photographs(tmp_path))).load()[1]
    assert isinstance(test.images, Prepared) and isinstance(test.images.images, Photos)

    class Reddest(paddle.nn.Layer):
        def forward(self, x):
            return x.mean(axis=[2, 3])  # the classes are red, green and blue

    assert evaluate(Reddest(), test, batch_size=4) == 1.0
