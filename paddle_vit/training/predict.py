"""A trained model put to use: found again in its folder, and asked about the test images or about images of one's own."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import paddle
from PIL import Image

from paddle_vit.models import create_model
from paddle_vit.models.weights import Loaded, head_arguments, load_weights
from paddle_vit.training.build import build_model
from paddle_vit.training.config import Recipe, RecipeError, load_recipe
from paddle_vit.training.data import DATA, Data, few
from paddle_vit.training.datasets import normalised, open_data
from paddle_vit.visualize.photos import load_image, open_on_white

OWN_MODEL = "# trained a model given by the caller"  # engine.origin writes it
CONFIG, WEIGHTS = "config.yaml", "weights.safetensors"

_DRAWN = 8  # pixels of a side of the digits' originals
_GRAIN = 64  # pixels of a side: with more it is a photograph, and its grain is averaged away
_FAINT = 0.3  # of the darkest ink: what is paler lies outside of the square around the ink


class Found(NamedTuple):
    """Where a model is.

    name: for the user, of the recipe or of the published model
    weights: path of the file
    recipe: Recipe of the run, None for a published model
    folder: of the run, or of the file
    own_code: whether the run trained a model of the learner's
    """

    name: str
    weights: Path
    recipe: Recipe | None
    folder: Path
    own_code: bool = False


class Trained(NamedTuple):
    """A model with its weights, in evaluation mode, and what has to be known to ask it.

    data: Data, the sizes it was built for; of a published model without load
    normalize: of its images, as in a Recipe
    recipe: Recipe whose data they are; None for a published model alone
    """

    found: Found
    model: paddle.nn.Layer
    data: Data
    loaded: Loaded
    normalize: str
    recipe: Recipe | None

    @property
    def labels(self):
        """Names of the classes by number, empty where nobody gave them."""
        return self.loaded.labels or {}


class Scores(NamedTuple):
    """How many of the test images were classified right.

    top1: share from 0 to 1
    top5: share whose label is among the five highest logits; None with five classes or fewer
    by_class: for each class in turn (right, all)
    """

    top1: float
    top5: float | None
    by_class: list


def find_trained(source, model=None):
    """Look for a model; nothing is built or read yet but the settings of the run.

    Args:
        source: folder of a run; or a file with weights: in such a folder, or anywhere with a model's name.
        model: None, or a name of list_models().

    Returns:
        Found

    Raises:
        RecipeError: there is none, or it cannot be told which model it is; the message says what to give.
    """
    path = Path(source)
    if not path.exists() and (model is not None or path.suffix):
        raise RecipeError(f"there is no file {source}: expected weights, or the folder of a run")
    if not path.exists():
        beside = Path("runs") / path.name
        advice = f"did you mean {beside}?" if beside.is_dir() else "paddle-vit train RECIPE makes one, in runs/RECIPE"
        raise RecipeError(f"there is no run {source}: {advice}")
    if model is not None:
        if path.is_dir():
            raise RecipeError(f"{source} is a folder: with --model give a file of weights")
        return Found(model, path, None, path.parent)
    folder = path if path.is_dir() else path.parent
    weights = path / WEIGHTS if path.is_dir() else path
    if not (folder / CONFIG).is_file():
        wanted = (
            f"it has no {CONFIG}"
            if path.is_dir()
            else f"no {CONFIG} stands beside it; say which model it is: --model NAME"
        )
        raise RecipeError(f"{source} is not of a run: {wanted}")
    if not weights.is_file():
        raise RecipeError(
            f"{source} has no {WEIGHTS}: the run ended before it looked at its test images for the first time; train it again"
        )
    recipe = load_recipe(folder / CONFIG)
    own_code = OWN_MODEL in (folder / CONFIG).read_text(encoding="utf-8")
    return Found(recipe.name, weights, recipe, folder, own_code)


def load_trained(found, data=None, model=None):
    """Build the model and read its weights.

    Args:
        found: Found
        data: data set to ask it about, of the same classes, NAME or NAME=PATH; None for that of the run. Images of another
            size are possible: positions are resized.
        model: the learner's class, for a run; None for the reference.

    Returns:
        Trained

    Raises:
        RecipeError: the data have other classes than the head, or the model cannot be built.
        WeightsError (a ValueError): the weights do not fit.
    """
    recipe = _recipe_of(found, data)
    data = open_data(recipe) if recipe is not None else None
    if found.recipe is None:
        built, data = _published(found, data)
    else:
        built = build_model(found.recipe, data, model)
    normalize = recipe.normalize if recipe is not None else _normalize_of(found.name)
    loaded = load_weights(built, found.weights)
    if "head.weight" in loaded.fresh:  # load_weights would fine-tune
        classes = head_arguments(found.weights)["num_classes"]
        raise RecipeError(
            f"{found.weights} tells {classes} classes apart, the data have {data.num_classes}: choose data with those classes"
        )
    built.eval()
    return Trained(found, built, data, loaded, normalize, recipe)


def _normalize_of(name):
    """How the images of a published model were normalised: ViT's to -1..1, DeiT's and Swin's by ImageNet's numbers."""
    return "half" if name.startswith("vit_") else "imagenet"


def _recipe_of(found, data):
    """The Recipe that says which data are asked for: NAME or NAME=PATH, None for the run's own; None if there are none."""
    if data is None:
        return found.recipe
    name, _, path = data.partition("=")
    recipe = found.recipe or load_recipe("vit_digits", normalize=_normalize_of(found.name))
    if name in DATA:
        return replace(recipe, data=name, data_path="", image_size=0, normalize="half", train_images=0)
    if name == recipe.data and not path:
        return recipe
    return replace(recipe, data=name, data_path=path, train_images=0)


def _published(found, data):
    """A published model with the head that its file has, and the data it is for."""
    head = head_arguments(found.weights)
    if not head["num_classes"]:
        raise RecipeError(f"{found.weights} has no head: it tells no classes apart")
    if not found.name.startswith("vit_"):  # only ViT was pre-trained with a hidden layer in its head
        head.pop("representation_size", None)
    if data is not None:
        head.update(data.model_arguments())
    try:
        model = create_model(found.name, **head)
    except ValueError as error:
        raise RecipeError(error) from None
    embedding = getattr(model, "patch_embedding", None) or getattr(model, "patch_embed", None)
    size = embedding.image_size if embedding is not None else (224, 224)  # convolutions take any
    return model, data or Data(3, size, head["num_classes"], load=None)


def held_out(trained):
    """The images that the run did not train with; all test images of other data.

    Returns:
        Split
    """
    data, recipe = trained.data, trained.recipe
    if data.load is None:
        raise RecipeError(f"{trained.found.name} alone brings no test images: name some, --data NAME")
    train, test = data.load()
    if recipe.train_images:
        test = few(train, test, recipe.train_images, recipe.seed)[1]
    return test


def score(trained, split):
    """Ask a model about all images of a split.

    Args:
        trained: Trained
        split: Split

    Returns:
        Scores
    """
    num_classes = trained.data.num_classes
    batch_size = 256 if max(trained.data.image_size) <= 64 else 32  # 32 photographs need 1 GB in a ViT-B
    best = []
    with paddle.no_grad():
        for start in range(0, len(split.labels), batch_size):
            logits = trained.model(paddle.to_tensor(split.images[start : start + batch_size]))  # B K
            best.append(logits.topk(min(5, num_classes), axis=1)[1].numpy())  # B 5, highest first
    hits = np.concatenate(best) == split.labels[:, None]  # images 5
    first = hits[:, 0]
    by_class = [(int(first[split.labels == k].sum()), int((split.labels == k).sum())) for k in range(num_classes)]
    return Scores(float(first.mean()), float(hits.any(axis=1).mean()) if num_classes > 5 else None, by_class)


def prepare(path, recipe, data, normalize="half"):
    """An image file as the model takes it.

    Data of three channels: load_image, which cuts as the papers do. Data of one: the square in the middle with all of the
    shorter side, in gray, resized by area. Where such data have a dark ground, as the digits do, a picture of dark ink on
    light paper (on_paper decides) is turned over and spread over all values from -1 to 1.

    Args:
        path: a file that Pillow reads.
        recipe: Recipe of the run; None for a published model.
        data: Data
        normalize: as in a Recipe.

    Returns:
        [in_channels, height, width] float32

    Raises:
        RecipeError: there is no such file, or it is no image.
    """
    height, width = data.image_size
    try:
        if data.in_channels != 1:
            image = load_image(path, max(height, width))  # 3 side side
            top, left = (image.shape[1] - height) // 2, (image.shape[2] - width) // 2
            return normalised(2 * image[:, top : top + height, left : left + width] - 1, normalize)
        gray = _open_gray(path)  # side side
    except ValueError as error:
        raise RecipeError(error) from None
    # the larger digits were enlarged from 8 x 8, linearly; so are these
    drawn = (_DRAWN, _DRAWN) if recipe is not None and recipe.data.startswith("digits") else (height, width)
    if data.background == 0 and on_paper(gray):
        gray = _resized(ink_of(gray), drawn)
        gray /= max(gray.max(), 1 / 255)  # thin strokes have become pale
    gray = _resized(_resized(gray, drawn), (height, width))
    return 2 * gray[None] - 1  # 1 height width


def _open_gray(path):
    """The square in the middle of an image file, [side, side] from 0, black, to 1, white. What is transparent becomes white."""
    image = open_on_white(path).convert("L")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)), dtype=np.float32) / 255


def on_paper(gray):
    """Whether a picture, [side, side], has a light ground: the median of its edge is nearer to its brightest pixel than to
    its darkest."""
    edge = np.concatenate([gray[0], gray[-1], gray[1:-1, 0], gray[1:-1, -1]])
    return bool(np.median(edge) > (gray.min() + gray.max()) / 2)


def ink_of(gray):
    """Ink on light paper as bright ink on a dark ground: 0 where the paper is, 1 at the darkest.

    Photographs are cut to a square around the ink, since stored digits fill theirs.

    Args:
        gray: [side, side] float32 from 0 to 1.

    Returns:
        [side, side] float32 from 0 to 1, with a side of its own
    """
    photograph = len(gray) > _GRAIN
    if photograph:
        gray = _resized(gray, (_GRAIN, _GRAIN))
    paper = float(np.median(gray[gray >= (gray.min() + gray.max()) / 2]))
    ink = np.clip((paper - gray) / max(paper - float(gray.min()), 1 / 255), 0, 1)
    if not photograph:
        return ink
    rows, columns = (np.flatnonzero((ink > _FAINT).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return ink
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side = max(ink.shape)
    missing = [side - length for length in ink.shape]
    return np.pad(ink, [(each // 2, each - each // 2) for each in missing])


def _resized(gray, size):
    """[rows, columns] at another size: by area where it shrinks, linearly where it grows."""
    if gray.shape == tuple(size):
        return gray
    way = Image.Resampling.BOX if gray.shape[0] > size[0] else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(gray).resize(size[::-1], way))
