import pytest
from chinese_font import make_font
from matplotlib.font_manager import fontManager

from paddle_vit.visualize import labels


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("PADDLE_VIT_LANG", "en")


@pytest.fixture(scope="session")
def font(tmp_path_factory):
    """A font for Chinese that matplotlib knows: the one that is installed, or one made here."""
    if labels.chinese_font() is None:
        path = tmp_path_factory.mktemp("font") / "boxes.ttf"
        make_font(path, labels.CHINESE_FONTS[0])
        fontManager.addfont(path)
    return labels.chinese_font()


@pytest.fixture
def chinese(monkeypatch, font):
    monkeypatch.setenv("PADDLE_VIT_LANG", "zh")
