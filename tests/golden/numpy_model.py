"""The toy model as the bitstream wants a model: the same functions, with arrays in place of lists."""

import numpy as np
from toy_model import NAME, SHA256, ToyModel

from tubelet.bitstream import CodingTable


class NumpyModel:
    """A `SymbolModel` around a `ToyModel`."""

    def __init__(self, channels, bases=(), *, name=NAME, sha256=SHA256):
        self.name, self.sha256 = name, sha256
        self._toy = ToyModel(channels, bases)
        self.groups = self._toy.groups
        self.tables = [
            CodingTable(first, np.array(frequencies, np.int64), ends)
            for first, frequencies, ends in self._toy.tables
        ]

    def code_counts(self, shape, classes, exchange):
        return np.array(self._toy.code_counts(shape, classes, self._asking(exchange)), np.int32)

    def code_group(self, group, lower, counts, exchange):
        shape = lower.shape[1:]
        given = (lower.tolist(), None if counts is None else counts.tolist())
        return np.array(self._toy.code_group(group, *given, self._asking(exchange), shape), np.int32)

    @staticmethod
    def _asking(exchange):
        def ask(places, offsets, tables):
            kinds = (np.int64, np.int32, np.int32)
            wanted = zip((places, offsets, tables), kinds, strict=True)
            return exchange(*(np.array(values, kind) for values, kind in wanted)).tolist()

        return ask


def model_for(header, part):
    """The toy model of a part of a file, as a reader asks for it."""
    return NumpyModel(part.channels, part.digit_bases)
