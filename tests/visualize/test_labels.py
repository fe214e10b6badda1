"""Words in pictures: Chinese only where the reader wants it and a font can write it; and the same for every picture."""

import inspect
import logging
import re
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.text import Text
from picture_checks import check_texts, history, image, model, noise, words

from paddle_vit.language import default_language
from paddle_vit.models.swin import cyclic_shift, shifted_window_mask, window_partition
from paddle_vit.models.vit import sincos_1d
from paddle_vit.training.recipe import learning_rate_at
from paddle_vit.visualize import (
    augmentation,
    diagrams,
    distillation,
    finish,
    ideas,
    labels,
    new_figure,
    precision,
    predictions,
    relative,
    schedule,
    swin,
    tokens,
    training,
    vit,
    windows,
)
from paddle_vit.visualize.distillation import VARIANTS

pytestmark = pytest.mark.filterwarnings("error:.*[Gg]lyph.*", "error::UserWarning:matplotlib")


def runs():
    return [
        dict(contender=contender, train_images=images, seed=seed, test_accuracy=0.6 + images / 5000 + 0.1 * seed)
        for contender in distillation.CONTENDERS
        for images in (100, 1000)
        for seed in (0, 1)
    ]


# Every picture of the course, once
PICTURES = {
    "patches_picture": lambda draw: draw(image(), 2),
    "sincos_picture": lambda draw: draw(sincos_1d(6, 16)),
    "heads_picture": lambda draw: draw(),
    "scale_picture": lambda draw: draw(),
    "one_query_picture": lambda draw: draw(np.full((5, 5), 0.2), 3),
    "norms_picture": lambda draw: draw(),
    "encoder_layer_picture": lambda draw: draw(),
    "gelu_picture": lambda draw: draw(),
    "drop_picture": lambda draw: draw(),
    "tokens_picture": lambda draw: draw(model().patch_embedding, image()),
    "position_similarity_picture": lambda draw: draw(noise(15, 8), (3, 5)),
    "resize_picture": lambda draw: draw(noise(15, 8), noise(24, 8), (3, 5), (4, 6)),
    "attention_picture": lambda draw: draw(model(), image()),
    "classes_picture": lambda draw: draw(model(), image()),
    "head_picture": lambda draw: draw(model(), image(), 0, 1, 3),
    "learning_curve": lambda draw: draw(history(12)),
    "compare_picture": lambda draw: draw({"a": history(12), "b": history(7)}),
    "confusion_picture": lambda draw: draw([0, 1, 2, 2], [0, 1, 1, 2]),
    "mistakes_picture": lambda draw: draw(noise(3, 1, 8, 8), [1, 2, 3], [1, 3, 2]),
    "temperature_picture": lambda draw: draw(),
    "smoothing_picture": lambda draw: draw(),
    "teacher_picture": lambda draw: draw(noise(2, 1, 8, 8), [1, 3], np.eye(10)[[1, 2]]),
    "data_efficiency_picture": lambda draw: draw(runs(), {"deit_soft": (300, 0.7)}),
    "ablation_picture": lambda draw: draw([dict(variant=variant, test_accuracy=0.9) for variant in VARIANTS]),
    "gallery_picture": lambda draw: draw(noise(2, 3, 9, 9), [("before", "之前"), ("after", "之后")]),
    "operations_picture": lambda draw: draw(noise(1, 8, 8)),
    "magnitudes_picture": lambda draw: draw(noise(3, 20, 20), "Rotate"),
    "mixed_picture": lambda draw: draw(noise(2, 1, 8, 8), np.full((2, 2), 0.5)),
    "repeated_picture": lambda draw: draw([4, 4, 4, 0, 0, 0]),
    "truncated_normal_picture": lambda draw: draw(noise(100)),
    "initial_values_picture": lambda draw: draw(),
    "schedule_picture": lambda draw: draw(learning_rate_at),
    "drop_path_picture": lambda draw: draw(noise(12, 128) > 0.1),
    "ema_picture": lambda draw: draw(noise(9), {0.9: noise(9)}),
    "ema_runs_picture": lambda draw: draw([dict(epoch=1, test_accuracy=0.9, test_accuracy_raw=0.8)]),
    "deit_picture": lambda draw: draw(),
    "hierarchy_picture": lambda draw: draw(noise(3, 224, 224)),
    "merging_picture": lambda draw: draw(),
    "cost_picture": lambda draw: draw([64, 256, 1024, 4096], [0.001, 0.004, 0.05], [0.001, 0.002, 0.008, 0.03]),
    "receptive_field_picture": lambda draw: draw([noise(14, 14)], [("one block", "一个块")], 7),
    "windows_picture": lambda draw: draw(noise(3, 224, 224), window_partition, cyclic_shift),
    "shift_picture": lambda draw: draw(noise(3, 224, 224), cyclic_shift),
    "mask_picture": lambda draw: draw(shifted_window_mask((14, 14), 7, 3), (14, 14), 7, 3),
    "relative_index_words_picture": lambda draw: draw(),
    "relative_index_picture": lambda draw: draw(),
    "bias_picture": lambda draw: draw([noise(169, 3), noise(169, 6)], [("stage 1", "阶段 1"), ("stage 2", "阶段 2")]),
    "float16_picture": lambda draw: draw([noise(99)], 1e6),
    "swin_picture": lambda draw: draw(),
}
MODULES = [
    augmentation,
    diagrams,
    distillation,
    ideas,
    precision,
    predictions,
    relative,
    schedule,
    swin,
    tokens,
    training,
    vit,
    windows,
]
FUNCTIONS = {
    name: function
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__ and "path" in inspect.signature(function).parameters
}


def has_chinese(text):
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


def install(monkeypatch, *families):
    """Let these be the only fonts."""
    fonts = SimpleNamespace(ttflist=[SimpleNamespace(name=name, fname=f"{name}.ttf") for name in families])
    monkeypatch.setattr(labels, "fontManager", fonts)
    monkeypatch.setattr(labels, "findSystemFonts", lambda: [])
    labels.look_for_new_fonts.cache_clear()


# -- which language, which font ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables, expected",
    [
        (dict(PADDLE_VIT_LANG="zh", LC_ALL="en_US.UTF-8"), "zh"),
        (dict(PADDLE_VIT_LANG="en", LANG="zh_CN.UTF-8"), "en"),
        (dict(PADDLE_VIT_LANG="fr", LANG="zh_CN.UTF-8"), "zh"),
        (dict(LC_ALL="C.UTF-8", LANG="zh_CN.UTF-8"), "en"),
        (dict(LC_MESSAGES="zh_CN", LANG="en_US"), "zh"),
        (dict(LANG="zh_CN.UTF-8"), "zh"),
    ],
)
def test_language(monkeypatch, variables, expected):
    for name in ("PADDLE_VIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_language() == expected


@pytest.mark.parametrize("locale_name, expected", [("Chinese (Simplified)_China", "zh"), (None, "en"), ("de_DE", "en")])
def test_language_of_the_system(monkeypatch, locale_name, expected):
    for name in ("PADDLE_VIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("locale.getlocale", lambda: (locale_name, "UTF-8"))
    assert default_language() == expected


@pytest.mark.parametrize(
    "families, expected",
    [
        (["DejaVu Sans", "STIXGeneral"], None),
        (["DejaVu Sans", "WenQuanYi Micro Hei"], "WenQuanYi Micro Hei"),
        (["SimSun", "SimHei", "DejaVu Sans"], "SimHei"),
        (["AR PL UMing CN", "Noto Sans CJK JP"], "Noto Sans CJK JP"),
        ([], None),
    ],
)
def test_chinese_font(monkeypatch, families, expected):
    install(monkeypatch, *families)
    assert labels.chinese_font() == expected


def test_a_font_installed_after_matplotlib_first_looked(monkeypatch, tmp_path):
    install(monkeypatch, "DejaVu Sans")
    added = []

    def addfont(path):
        if path == "broken.ttf":
            raise RuntimeError("not a font")
        added.append(path)
        labels.fontManager.ttflist.append(SimpleNamespace(name="SimHei", fname=path))

    labels.fontManager.addfont = addfont
    monkeypatch.setattr(labels, "findSystemFonts", lambda: ["DejaVu Sans.ttf", "broken.ttf", "simhei.ttf"])
    assert labels.chinese_font() == "SimHei"
    assert labels.chinese_font() == "SimHei" and added == ["simhei.ttf"], "looked for once, and new ones only"


def test_no_font_no_chinese(monkeypatch):
    monkeypatch.setenv("PADDLE_VIT_LANG", "zh")
    install(monkeypatch, "DejaVu Sans")
    assert labels.label("image", "图像") == "image"
    install(monkeypatch, "DejaVu Sans", "SimHei")
    assert labels.label("image", "图像") == "图像"
    monkeypatch.setenv("PADDLE_VIT_LANG", "en")
    assert labels.label("image", "图像") == "image"


def test_every_text_may_fall_back(monkeypatch):
    install(monkeypatch, "DejaVu Sans", "SimHei")
    figure = new_figure(4, 3)
    axes = figure.subplots()
    axes.set_title("title")
    axes.set_xticks([0, 1])
    finish(figure)
    finish(figure)
    assert all(text.get_family()[-1] == "SimHei" for text in figure.findobj(Text))
    assert axes.title.get_family().count("SimHei") == 1 and len(axes.title.get_family()) > 1
    axes.set_xticks(range(9), [str(number) for number in range(9)])  # matplotlib makes more ticks
    assert all(text.get_family()[-1] == "SimHei" for text in axes.get_xticklabels())


def test_without_a_font_nothing_is_changed(monkeypatch):
    install(monkeypatch, "DejaVu Sans")
    figure = new_figure(4, 3)
    before = figure.subplots().title.get_family()
    assert finish(figure).axes[0].title.get_family() == before


# -- every picture ----------------------------------------------------------------------------------------------------


def test_every_picture_is_here():
    assert set(PICTURES) == set(FUNCTIONS)


@pytest.mark.parametrize("name", PICTURES)
def test_english(name):
    figure = PICTURES[name](FUNCTIONS[name])
    assert not any(has_chinese(text) for text in words(figure))
    check_texts(figure)


@pytest.mark.parametrize("name", sorted(PICTURES.keys() - {"gelu_picture"}))  # which says GELU, ReLU and x
def test_chinese_words(monkeypatch, name):
    english = words(PICTURES[name](FUNCTIONS[name]))
    monkeypatch.setenv("PADDLE_VIT_LANG", "zh")
    install(monkeypatch, "SimHei")
    chinese = words(PICTURES[name](FUNCTIONS[name]))  # not drawn, so that the font need not be there
    assert any(has_chinese(text) for text in chinese)
    left = {text for text in chinese if not has_chinese(text)} - {"token", "rollout", "sample"}
    sentences = {text for text in left if " " in text and text in english and "softmax" not in text}
    sentences = {text for text in sentences if re.search("[A-Za-z]", text)}  # others are numbers or formulas
    allowed = ("D = ", "T = ", "a  ", "b  ", "x\n[B", "[B", "i - j", "+ (M", "dy +", "(dy +", "dx +", "token ")
    assert not {text for text in sentences if not text.startswith(allowed)}, "not translated"


@pytest.mark.parametrize("name", PICTURES)
def test_chinese_glyphs(chinese, caplog, name):
    with caplog.at_level(logging.WARNING, logger="matplotlib"):
        check_texts(PICTURES[name](FUNCTIONS[name]))  # lays out every glyph: one that is missing warns
    assert not caplog.records, "such as a font weight that is not there"
