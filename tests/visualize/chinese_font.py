"""A font in which every Chinese character is a box, so that what is drawn in Chinese is tested on any machine."""

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

CHARACTERS = [*range(0x3000, 0x3040), *range(0x4E00, 0xA000), *range(0xFF00, 0xFFF0)]  # with full-width punctuation


def make_font(path, family):
    """Write a TrueType font of this family name: square boxes as wide as real characters."""
    pen = TTGlyphPen(None)
    pen.moveTo((50, -80))
    for corner in [(50, 840), (950, 840), (950, -80)]:
        pen.lineTo(corner)
    pen.closePath()
    empty, box = TTGlyphPen(None).glyph(), pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "box"])
    builder.setupCharacterMap(dict.fromkeys(CHARACTERS, "box"))
    builder.setupGlyf({".notdef": empty, "box": box})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "box": (1000, 50)})
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=880, usWinAscent=880, usWinDescent=120)
    builder.setupPost()
    builder.save(path)
