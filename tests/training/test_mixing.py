"""Mixup, cutmix, random erasing and RandAugment against loops, pixel counts and frequencies.

Where the recipe fixes the draws, a second generator of the same seed repeats them here. Frequencies are held to bounds
that a right answer exceeds less than once in a million times; seeds are fixed all the same.
"""

import itertools
import math

import numpy as np
import pytest
from PIL import Image

from paddle_vit.training import recipe
from paddle_vit.training.operations import OPERATIONS, apply_operation
from paddle_vit.training.recipe import cutmix, cutmix_box, mix, mixup, rand_augment, random_erasing


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def randn(*shape, seed=0):
    return generator(seed).standard_normal(shape).astype("float32")


def batch(size=4, classes=5, shape=(2, 6, 9), seed=0):
    """Images in which no two pixels are equal, and one-hot targets of different classes."""
    images = generator(seed).permutation(size * math.prod(shape)).reshape(size, *shape).astype("float32")
    return images, np.eye(classes, dtype="float32")[:size]


def far(probability, draws):
    """How far a frequency may be from its probability: Bernstein's inequality for a chance of 1e-7, both sides."""
    t = math.log(2 / 1e-7)
    return t / (3 * draws) + math.sqrt((t / (3 * draws)) ** 2 + 2 * t * probability * (1 - probability) / draws)


class Fixed:
    """A generator whose beta is given; all else is drawn."""

    def __init__(self, lam, seed=0):
        self.lam, self.generator = lam, generator(seed)

    def beta(self, a, b):
        return self.lam

    def __getattr__(self, name):
        return getattr(self.generator, name)


# -- mixup ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size,alpha", [(2, 0.8), (4, 0.8), (5, 0.2), (3, 1.0)])
def test_mixup(size, alpha):
    images, targets = randn(size, 2, 3, 5), np.eye(7, dtype="float32")[:size]
    for seed in range(20):
        mixed, labels = mixup(images, targets, generator(seed), alpha)
        lam = generator(seed).beta(alpha, alpha)
        assert mixed.dtype == labels.dtype == np.float32
        for b in range(size):
            partner = size - 1 - b
            assert np.allclose(mixed[b], lam * images[b].astype("float64") + (1 - lam) * images[partner], atol=1e-6)
            assert np.allclose(labels[b], lam * targets[b].astype("float64") + (1 - lam) * targets[partner], atol=1e-6)
    if size % 2:
        assert np.allclose(mixed[size // 2], images[size // 2], atol=1e-6), "the middle one is its own partner"


@pytest.mark.parametrize("lam", [0.0, 0.3, 1.0])
def test_mixup_gives_lam_to_the_image_itself(lam):
    images, targets = batch()
    mixed, labels = mixup(images, targets, Fixed(lam))
    assert np.allclose(labels[0], [lam, 0, 0, 1 - lam, 0], atol=1e-7)
    assert np.allclose(mixed[0], lam * images[0] + (1 - lam) * images[3], rtol=1e-6)
    if lam in (0.0, 1.0):
        assert np.array_equal(mixed, images if lam else images[::-1])


@pytest.mark.parametrize("function", [mixup, cutmix])
@pytest.mark.parametrize("size", [0, 1])
def test_there_must_be_a_partner(function, size):
    with pytest.raises(ValueError, match=f"at least 2 images, got {size}"):
        function(np.zeros((size, 1, 2, 2), "float32"), np.zeros((size, 3), "float32"), generator())


# -- cutmix -----------------------------------------------------------------------------------------------------------


def pixels_of_box(height, width, lam, row, column):
    """Of a box of the given centre, the pixels that lie in the image, one by one."""
    tall, wide = int(height * math.sqrt(1 - lam)), int(width * math.sqrt(1 - lam))
    rows = {row - tall // 2 + i for i in range(tall)} & set(range(height))
    columns = {column - wide // 2 + i for i in range(wide)} & set(range(width))
    return set(itertools.product(rows, columns))


@pytest.mark.parametrize("height,width", [(7, 13), (12, 5), (1, 8), (1, 1), (32, 32)])
def test_cutmix_box(height, width):
    clipped = whole = 0
    for seed in range(200):
        lam = generator(1000 + seed).random()
        twin = generator(seed)
        expected = pixels_of_box(height, width, lam, twin.integers(height), twin.integers(width))
        source = generator(seed)
        top, bottom, left, right = cutmix_box(height, width, lam, source)
        assert source.random() == twin.random(), "two draws, row then column"
        assert set(itertools.product(range(top, bottom), range(left, right))) == expected
        assert 0 <= top <= bottom <= height and 0 <= left <= right <= width
        whole_size = int(height * math.sqrt(1 - lam)) * int(width * math.sqrt(1 - lam))
        clipped += len(expected) < whole_size
        whole += len(expected) == whole_size > 0
    if min(height, width) > 1:
        assert clipped > 20 and whole > 20, "both kinds have to be seen"


def test_cutmix_box_of_everything_and_of_nothing():
    for seed in range(50):
        top, bottom, left, right = cutmix_box(7, 13, 1.0, generator(seed))
        assert (bottom - top) * (right - left) == 0
        top, bottom, left, right = cutmix_box(7, 13, 0.0, generator(seed))
        assert (bottom - top) >= 4 and (right - left) >= 7, "a centre inside leaves at least half of each side"


@pytest.mark.parametrize("lam", [-0.2, 1.25, math.nan])
def test_cutmix_box_errors(lam):
    with pytest.raises(ValueError, match=f"lam must be from 0 to 1, got {lam}"):
        cutmix_box(7, 13, lam, generator())


def test_cutmix_counts_pixels():
    """Hundreds of boxes: every pixel from the image or the same place of its partner, labels by the pixels counted."""
    images, targets = batch()
    shares = []
    for seed in range(300):
        mixed, labels = cutmix(images, targets, generator(seed))
        assert mixed.dtype == labels.dtype == np.float32
        pasted = mixed == images[::-1]
        assert ((mixed == images) ^ pasted).all()
        assert (pasted == pasted[:1, :1]).all(), "one box for the whole batch and all channels"
        share = pasted[0, 0].mean()  # of 54 pixels
        rows, columns = np.nonzero(pasted[0, 0])
        if share:
            assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1), "a rectangle"
        for b in range(4):
            assert np.allclose(labels[b], (1 - share) * targets[b] + share * targets[3 - b], atol=1e-6)
        twin = generator(seed)
        lam = twin.beta(1.0, 1.0)
        expected = pixels_of_box(6, 9, lam, twin.integers(6), twin.integers(9))
        assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == expected
        shares.append((share, 1 - lam))
    shares = np.array(shares)
    assert (shares[:, 0] < 0.7 * shares[:, 1]).sum() > 20, "clipped boxes, where the drawn lam would be wrong"
    assert len(np.unique(shares[:, 0])) > 15


@pytest.mark.parametrize("seed", range(20))
def test_cutmix_with_lam_at_its_ends(seed):
    images, targets = batch()
    mixed, labels = cutmix(images, targets, Fixed(1.0, seed))
    assert np.array_equal(mixed, images) and np.array_equal(labels, targets)
    mixed, labels = cutmix(images, targets, Fixed(0.0, seed))
    share = (mixed != images)[0, 0].mean()
    assert share >= 0.25
    assert np.allclose(labels[0], [1 - share, 0, 0, share, 0], atol=1e-6)


def test_cutmix_draws_lam_from_its_alpha():
    images, targets = batch()
    lams = []

    class Spy(Fixed):
        def beta(self, a, b):
            lams.append((a, b))
            return 0.5

    cutmix(images, targets, Spy(0.5), alpha=0.3)
    cutmix(images, targets, Spy(0.5))
    mixup(images, targets, Spy(0.5), alpha=0.4)
    mixup(images, targets, Spy(0.5))
    mix(images, targets, Spy(0.5), mixup_alpha=0.6, cutmix_alpha=0.7, switch=0.0)
    mix(images, targets, Spy(0.5), mixup_alpha=0.6, cutmix_alpha=0.7, switch=1.0)
    mix(images, targets, Spy(0.5), switch=0.0)
    mix(images, targets, Spy(0.5), switch=1.0)
    assert lams == [(x, x) for x in (0.3, 1.0, 0.4, 0.8, 0.6, 0.7, 0.8, 1.0)]


# -- one of the two ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switch", [0.0, 0.2, 0.5, 1.0])
def test_mix_chooses_cutmix_with_probability_switch(switch, monkeypatch):
    images, targets = batch(2, 2, (1, 1, 1))
    chosen = []
    monkeypatch.setattr(recipe, "mixup", lambda *_: chosen.append("mixup"))
    monkeypatch.setattr(recipe, "cutmix", lambda *_: chosen.append("cutmix"))
    source = generator(1)
    for _ in range(2000):
        mix(images, targets, source, switch=switch)
    assert len(chosen) == 2000
    assert abs(chosen.count("cutmix") / 2000 - switch) <= (far(switch, 2000) if 0 < switch < 1 else 0)


def test_mix_is_mixup_or_cutmix():
    images, targets = batch()
    kinds = set()
    for seed in range(40):
        twin = generator(seed)
        kind = cutmix if twin.random() < 0.5 else mixup
        kinds.add(kind)
        for ours, expected in zip(
            mix(images, targets, generator(seed)),
            kind(images, targets, twin, 1.0 if kind is cutmix else 0.8),
            strict=True,
        ):
            assert ours.dtype == np.float32 and np.array_equal(ours, expected)
    assert kinds == {mixup, cutmix}


@pytest.mark.parametrize("alphas,kind", [((0.8, 0.0), mixup), ((0.0, 1.0), cutmix)])
def test_mix_with_one_kind_off(alphas, kind):
    """No draw is spent on the choice."""
    images, targets = batch()
    for seed in range(20):
        expected = kind(images, targets, generator(seed), max(alphas))
        ours = mix(images, targets, generator(seed), *alphas)
        assert all(np.array_equal(a, b) for a, b in zip(ours, expected, strict=True))


@pytest.mark.parametrize("size", [1, 4])
def test_mix_with_both_off(size):
    images, targets = batch(size)
    source = generator(3)
    ours = mix(images, targets, source, 0.0, 0.0)
    assert np.array_equal(ours[0], images) and np.array_equal(ours[1], targets)
    assert source.random() == generator(3).random(), "nothing is drawn"


# -- random erasing ---------------------------------------------------------------------------------------------------


def erased(image, *arguments):
    """The pixels that random_erasing changed in every channel, as a mask, and its result."""
    result = random_erasing(image, *arguments)
    assert result.dtype == np.float32 and result.shape == image.shape
    changed = result != image
    assert (changed == changed[:1]).all(), "all channels at the same pixels"
    return changed[0], result


def test_random_erasing_draw_by_draw():
    """The draws of the docstring, repeated; on these images many boxes do not fit at the first try, some never."""
    tries = []
    for seed in range(200):
        rows, columns = [(11, 17), (6, 23), (3, 29)][seed % 3]
        image, area, ratio = randn(2, rows, columns, seed=7), (0.05, 0.9), (0.2, 4.0)
        source, twin = generator(seed), generator(seed)
        result = random_erasing(image, source, 0.8, area, ratio)
        expected = image.copy()
        if twin.random() < 0.8:
            for attempt in range(1, 11):
                share = twin.uniform(0.05, 0.9)
                aspect = math.e ** twin.uniform(math.log(0.2), math.log(4.0))
                height = round((share * rows * columns * aspect) ** 0.5)
                width = round((share * rows * columns / aspect) ** 0.5)
                if height < rows and width < columns:
                    top, left = twin.integers(rows - height + 1), twin.integers(columns - width + 1)
                    noise = twin.standard_normal((2, height, width))
                    for c, i, j in itertools.product(range(2), range(height), range(width)):
                        expected[c, top + i, left + j] = noise[c, i, j]
                    tries.append(attempt)
                    break
            else:
                tries.append(None)
        assert np.array_equal(result, expected)
        assert source.random() == twin.random()
    assert tries.count(1) > 20 and tries.count(None) > 5
    assert len(set(tries)) > 5


def test_random_erasing_makes_a_rectangle_in_range():
    image = np.full((3, 32, 32), 100.0, "float32")
    places, noise = [], []
    for seed in range(400):
        mask, result = erased(image, generator(seed), 1.0)
        rows, columns = np.nonzero(mask)
        top, left, height, width = rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1
        assert mask.sum() == height * width, "a full rectangle"
        # sides are rounded: half a pixel more or less
        assert (height + 0.5) * (width + 0.5) >= 0.02 * 1024 and (height - 0.5) * (width - 0.5) <= 1024 / 3
        assert (height + 0.5) / (width - 0.5) >= 0.3 and (height - 0.5) / (width + 0.5) <= 1 / 0.3
        places.append((top, left, top + height, left + width, height * width, height / width))
        noise.append(result[:, mask])
    places = np.array(places)
    assert places[:, :2].min() == 0 and places[:, 2:4].max() == 32, "up to the borders"
    assert places[:, 4].min() < 0.04 * 1024 and places[:, 4].max() > 0.3 * 1024
    assert places[:, 5].min() < 0.4 and places[:, 5].max() > 2.5
    assert abs((places[:, 5] > 1).mean() - 0.5) < 0.05 + far(0.5, 400), "tall as often as wide: the ratio's logarithm"
    noise = np.concatenate(noise, axis=1)  # 3 M
    assert not np.allclose(noise[0], noise[1]), "each channel has its own noise"
    assert abs(noise.mean()) < 5.4 / math.sqrt(noise.size)
    assert abs(noise.std() - 1) < 5.6 / math.sqrt(2 * noise.size)


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.6, 1.0])
def test_rate_of_random_erasing(probability):
    image, source = np.full((1, 16, 16), 100.0, "float32"), generator(2)
    rate = np.mean([erased(image, source, probability)[0].any() for _ in range(2000)])
    assert abs(rate - probability) <= (far(probability, 2000) if 0 < probability < 1 else 0)


def test_a_quarter_of_the_images_by_itself():
    image, source = np.full((1, 16, 16), 100.0, "float32"), generator(4)
    rate = np.mean([erased(image, source)[0].any() for _ in range(2000)])
    assert abs(rate - 0.25) < far(0.25, 2000)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 1), (1, 2, 2), (2, 1, 2), (1, 1, 40), (1, 40, 1), (1, 3, 2)])
def test_random_erasing_of_tiny_images(shape):
    image = np.full(shape, 100.0, "float32")
    for seed in range(100):
        mask, _ = erased(image, generator(seed), 1.0)
        assert not mask.any() or (mask.any(axis=1).sum() < shape[1] and mask.any(axis=0).sum() < shape[2])


@pytest.mark.parametrize("area", [(0.1, 1.5), (0.5, 0.2), (-0.1, 0.3), (math.nan, 0.3)])
def test_area_errors(area):
    with pytest.raises(ValueError) as error:
        random_erasing(randn(1, 8, 8), generator(), 0.0, area)
    assert str(area) in str(error.value) and "from 0 to 1" in str(error.value)


# -- RandAugment ------------------------------------------------------------------------------------------------------


def photo(mode="RGB", height=13, width=9):
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(generator(5).integers(0, 256, shape, dtype=np.uint8))


@pytest.fixture
def applied(monkeypatch):
    """What rand_augment applies, in its order: (name, magnitude, sign, fill). Images count the operations."""
    calls = []

    def record(image, name, magnitude, sign=1, fill=None):
        calls.append((name, magnitude, sign, fill))
        return image + 1

    monkeypatch.setattr(recipe, "apply_operation", record)
    return calls


def test_rand_augment_draw_by_draw(applied):
    names = ("Rotate", "Invert", "ShearX")
    settings = dict(num_operations=3, magnitude=6.0, deviation=3.0, probability=0.7, operations=names, fill=17)
    for seed in range(100):
        applied.clear()
        source, twin = generator(seed), generator(seed)
        result = rand_augment(0, source, **settings)
        expected = []
        for _ in range(3):
            name, used = names[twin.integers(3)], twin.random() < 0.7
            magnitude, sign = twin.normal(6.0, 3.0), (-1 if twin.random() < 0.5 else 1)
            if used:
                expected.append((name, min(10.0, max(0.0, magnitude)), sign, 17))
        assert applied == expected and result == len(expected)
        assert source.random() == twin.random(), "twelve draws, whether they are needed or not"


def test_frequencies_of_rand_augment(applied):
    source = generator(6)
    counts = np.bincount([rand_augment(0, source) for _ in range(3000)], minlength=3)
    assert np.abs(counts / 3000 - [0.25, 0.5, 0.25]).max() < far(0.5, 3000), "two operations, each in half of the cases"
    total = len(applied)
    assert abs(total / 6000 - 0.5) < far(0.5, 6000)
    names, magnitudes, signs, fills = zip(*applied, strict=True)
    assert set(names) == set(OPERATIONS) and len(OPERATIONS) == 15
    for name in OPERATIONS:
        assert abs(names.count(name) / total - 1 / 15) < far(1 / 15, total), name
    assert abs(signs.count(-1) / total - 0.5) < far(0.5, total) and set(signs) == {1, -1}
    assert set(fills) == {128}
    magnitudes = np.array(magnitudes)
    assert magnitudes.max() == 10.0 and magnitudes.min() > 5.0
    assert abs(np.median(magnitudes) - 9.0) < 5.4 * 1.2533 * 0.5 / math.sqrt(total)
    beyond = 0.5 * math.erfc(2 / math.sqrt(2))  # of the normal(9, 0.5) above 10
    assert abs((magnitudes == 10.0).mean() - beyond) < far(beyond, total)


@pytest.mark.parametrize("magnitude,end", [(10.0, 10.0), (0.0, 0.0)])
def test_magnitude_is_clipped(magnitude, end, applied):
    source = generator(7)
    for _ in range(300):
        rand_augment(0, source, magnitude=magnitude, deviation=2.0, probability=1.0)
    magnitudes = np.array([call[1] for call in applied])
    assert len(magnitudes) == 600
    assert magnitudes.min() >= 0.0 and magnitudes.max() <= 10.0
    assert abs((magnitudes == end).mean() - 0.5) < far(0.5, 600)


def test_rand_augment_without_deviation(applied):
    for seed in range(30):
        rand_augment(0, generator(seed), magnitude=4.0, deviation=0.0, probability=1.0)
    assert {call[1] for call in applied} == {4.0} and len(applied) == 60


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_rand_augment_of_an_image(mode):
    image = photo(mode)
    before, changed = np.array(image), 0
    for seed in range(60):
        result = rand_augment(image, generator(seed))
        assert (result.mode, result.size) == (image.mode, image.size)
        assert np.array_equal(np.array(result), np.array(rand_augment(image, generator(seed))))
        changed += not np.array_equal(np.array(result), before)
        assert np.array_equal(np.array(image), before), "the image that was passed in stays as it is"
    assert changed > 20


@pytest.mark.parametrize("settings", [dict(num_operations=0), dict(probability=0.0)])
def test_rand_augment_of_nothing(settings):
    image = photo()
    assert np.array_equal(np.array(rand_augment(image, generator(), **settings)), np.array(image))


@pytest.mark.parametrize("fill", [0, 200])
def test_rand_augment_passes_everything_on(fill):
    """One operation that needs magnitude, sign and fill, and the same by hand."""
    image = photo()
    settings = dict(num_operations=1, probability=1.0, operations=("TranslateX",), fill=fill)
    for seed in range(10):
        twin = generator(seed)
        twin.integers(1), twin.random()
        magnitude, sign = twin.normal(9.0, 0.5), (-1 if twin.random() < 0.5 else 1)
        expected = apply_operation(image, "TranslateX", min(magnitude, 10.0), sign, fill=fill)
        assert np.array_equal(np.array(rand_augment(image, generator(seed), **settings)), np.array(expected))
        assert (np.array(expected) == fill).all(axis=(0, 2)).any(), "a column from outside"
