"""A model of symbols small enough to read at once, in plain Python: nested lists in, nested lists out.

It knows what the specification asks of a model and nothing of this project; `numpy_model.py` is the same
model as the bitstream wants it.
"""

import hashlib

TOTAL = 2**24

NAME = "toy"
SHA256 = hashlib.sha256(b"toy model, 1").hexdigest()


def table(first, weights, *, ends):
    """Frequencies in the ratio of some weights; `ends` says whether the ends stand for all beyond them."""
    rest, whole = TOTAL - len(weights), sum(weights)
    frequencies = [1 + weight * rest // whole for weight in weights]
    frequencies[weights.index(max(weights))] += TOTAL - sum(frequencies)
    return first, frequencies, ends


class ToyModel:
    """A latent in two groups of channels, or digits of some bases; a map of up to `CLASSES` classes.

    Symbols of a latent are predicted by the step before, and wider where the channels before are large.
    Digits are small, more likely than not. A position keeps its class from step to step.
    """

    CLASSES = 4

    def __init__(self, channels, bases=()):
        self.bases = list(bases)
        self.groups = [(0, 1), (1, channels)] if channels > 1 else [(0, 1)]
        self.tables = [table(-reach, self._bell(reach), ends=True) for reach in (1, 2, 5)]
        for classes in range(1, self.CLASSES + 1):
            for usual in range(classes):
                weights = [20 if each == usual else 1 for each in range(classes)]
                self.tables.append(table(0, weights, ends=False))
        self.first_of_digits = len(self.tables)
        for base in self.bases:
            self.tables.append(table(0, [2 * base - digit for digit in range(base)], ends=False))

    @staticmethod
    def _bell(reach):
        return [4 ** (reach - abs(residual)) for residual in range(-reach, reach + 1)]

    def code_counts(self, shape, classes, exchange):
        """The map of classes, a step at a time."""
        steps, rows, columns = shape
        first_table = 3 + classes * (classes - 1) // 2
        found = []
        for step in range(steps):
            usual = found[-1] if found else [0] * (rows * columns)
            places = [step * rows * columns + each for each in range(rows * columns)]
            found.append(exchange(places, [0] * len(places), [first_table + each for each in usual]))
        return [[flat[row * columns : (row + 1) * columns] for row in range(rows)] for flat in found]

    def code_group(self, group, lower, counts, exchange, shape):
        """The symbols of a group; of each step first the black positions of a chessboard, then the white."""
        first, last = self.groups[group]
        steps, rows, columns = shape
        found = [[[[0] * columns for _ in range(rows)] for _ in range(steps)] for _ in range(first, last)]
        for step in range(steps):
            for colour in (0, 1):
                asked = [
                    (channel, row, column)
                    for channel in range(first, last)
                    for row in range(rows)
                    for column in range(columns)
                    if (row + column) % 2 == colour
                    and (counts is None or counts[step][row][column] > channel)
                ]
                places, offsets, tables = [], [], []
                for channel, row, column in asked:
                    own = found[channel - first]
                    places.append((((channel - first) * steps + step) * rows + row) * columns + column)
                    tables.append(self._table(channel, lower, (step, row, column)))
                    offsets.append(0 if self.bases or not step else own[step - 1][row][column])
                symbols = exchange(places, offsets, tables)
                for (channel, row, column), symbol in zip(asked, symbols, strict=True):
                    found[channel - first][step][row][column] = symbol
        return found

    def _table(self, channel, lower, place):
        if self.bases:
            return self.first_of_digits + channel
        step, row, column = place
        size = sum(abs(before[step][row][column]) for before in lower)
        return 0 if lower and size == 0 else 1 if size < 4 else 2
