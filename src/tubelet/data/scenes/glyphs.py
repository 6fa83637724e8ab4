"""Letters and digits as strokes, so that they can be drawn at any size and angle without a font."""

_STROKES = {
    "B": "00 06 36 45 44 33 03, 00 30 41 42 33",
    "C": "41 30 10 01 05 16 36 45",
    "D": "00 06 26 44 42 20 00",
    "E": "40 00 06 46, 03 33",
    "F": "40 00 06, 03 33",
    "G": "41 30 10 01 05 16 36 45 43 23",
    "H": "00 06, 40 46, 03 43",
    "J": "40 45 36 16 05",
    "K": "00 06, 40 03 46",
    "L": "00 06 46",
    "M": "06 00 23 40 46",
    "N": "06 00 46 40",
    "P": "06 00 30 41 42 33 03",
    "R": "06 00 30 41 42 33 03, 23 46",
    "S": "41 30 10 01 02 13 33 44 45 36 16 05",
    "T": "00 40, 20 26",
    "U": "00 05 16 36 45 40",
    "V": "00 26 40",
    "X": "00 46, 40 06",
    "Y": "00 23 40, 23 26",
    "Z": "00 40 06 46",
    "0": "10 30 41 45 36 16 05 01 10, 15 31",
    "1": "11 20 26, 06 46",
    "2": "01 10 30 41 42 06 46",
    "3": "01 10 30 41 42 33 44 45 36 16 05, 13 33",
    "4": "36 30 04 44",
    "5": "40 00 03 33 44 45 36 06",
    "6": "41 30 10 01 05 16 36 45 44 33 03",
    "7": "00 40 16",
    "8": "13 02 01 10 30 41 42 33 44 45 36 16 05 04 13 33",
    "9": "05 16 36 45 41 30 10 01 02 13 43",
}
"""By character the points of its strokes: column 0 to 4 and row 0 to 6 of a grid."""

LETTERS = tuple(name for name in _STROKES if name.isalpha())
"""Without A, which in small letters is a word of its own, and those that look like a shape or a digit."""

DIGITS = tuple(name for name in _STROKES if name.isdigit())

HALF_STROKE = 0.17
"""Half the width of a stroke, where the glyph's disc has radius 1."""

_HALF_HEIGHT = 0.78


def strokes_of(name: str) -> list[list[tuple[float, float]]]:
    """The points of a glyph's strokes, x and y, inside the disc of radius 1."""
    scale = _HALF_HEIGHT / 3
    return [
        [((int(x) - 2) * scale, (int(y) - 3) * scale) for x, y in stroke.split()]
        for stroke in _STROKES[name].split(", ")
    ]
