"""What stands in for the bitstream around a prior, and symbols for it; imports no torch."""

import numpy as np


def random_symbols(shape, *, seed=0, bases=(), extreme=False):
    """Symbols of a latent, sparse and of all sizes, or digits."""
    random = np.random.default_rng(seed)
    if bases:
        return np.stack([random.integers(base, size=shape[1:]) for base in bases]).astype(np.int32)
    sizes = 2.0 ** random.uniform(-3, 8, (shape[0], 1, 1, 1))
    symbols = np.rint(random.laplace(size=shape) * sizes)
    if extreme:
        wild = random.random(shape) < 0.2
        symbols[wild] = random.choice([-(2**23 - 1), 2**23 - 1, 1023, -1024, 245, -244], size=int(wild.sum()))
    return symbols.astype(np.int32)


class Recorder:
    """An exchange that knows the symbols; keeps what it was asked with."""

    def __init__(self, symbols):
        self.symbols = symbols.reshape(-1)
        self.places, self.offsets, self.tables = [], [], []

    def __call__(self, places, offsets, tables):
        self.places.append(places)
        self.offsets.append(offsets)
        self.tables.append(tables)
        return self.symbols[places]

    def choices(self):
        """Offset and table of every symbol that was asked for, by its place."""
        places = np.concatenate(self.places)
        order = np.argsort(places)
        return places[order], np.concatenate(self.offsets)[order], np.concatenate(self.tables)[order]


def recorded(part, symbols, counts=None):
    """What a prior asks with for every group of some symbols (``c t h w``)."""
    found = []
    for group, (start, stop) in enumerate(part.groups):
        recorder = Recorder(symbols[start:stop])
        given = part.code_group(group, symbols[:start], counts, recorder)
        present = np.ones(given.shape, bool)
        if counts is not None:
            present = counts > np.arange(start, stop).reshape(-1, 1, 1, 1)
        assert np.array_equal(given, np.where(present, symbols[start:stop], 0))
        found.append(recorder.choices())
    return found
