"""Words in pictures: Chinese where the reader's language is Chinese and a font has the glyphs, else English."""

import contextlib
import functools

from matplotlib.font_manager import findSystemFonts, fontManager
from matplotlib.text import Text

from paddle_vit.language import default_language

# Families with Simplified Chinese, as matplotlib names them: of a collection (.ttc) it knows only the first, so that
# Noto's is "JP" and PingFang's "HK", with the glyphs of all. The order is that of looks.
CHINESE_FONTS = [
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "PingFang HK",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "SimHei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "AR PL UMing CN",
    "Noto Serif CJK SC",
    "Noto Serif CJK JP",
    "SimSun",
]


def chinese_font():
    """The family of an installed font with Chinese glyphs, None where there is none."""
    if known_chinese_font() is None:
        look_for_new_fonts()
    return known_chinese_font()


def known_chinese_font():
    """The same of the fonts that matplotlib knows."""
    installed = {font.name for font in fontManager.ttflist}
    return next((name for name in CHINESE_FONTS if name in installed), None)


@functools.cache
def look_for_new_fonts():
    """Tell matplotlib of fonts that were installed after it first looked: it keeps its list in a file for good."""
    known = {font.fname for font in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known:
            with contextlib.suppress(Exception):  # a file that matplotlib cannot read is no font for it
                fontManager.addfont(path)


def label(english, chinese):
    """The one of the two that the reader can read: no font, no Chinese."""
    return chinese if default_language() == "zh" and chinese_font() else english


def allow_chinese(figure):
    """Let every text of the figure fall back to the Chinese font for glyphs that its own font lacks.

    Also without Chinese labels: names of classes may be Chinese. Tick labels that matplotlib creates later copy the
    first of their axis.
    """
    font = chinese_font()
    if font is None:
        return
    for text in figure.findobj(Text):
        if font not in text.get_family():
            # By its concrete name: of a generic family, such as sans-serif, matplotlib takes only the first font
            text.set_family([*text.get_family(), font])
