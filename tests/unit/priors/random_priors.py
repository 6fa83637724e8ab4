"""Priors whose weights are random, and what stands in for the bitstream around them."""

import numpy as np
import torch

from tubelet.priors.config import PriorConfig
from tubelet.priors.context import ContextPrior
from tubelet.train.prior.export import network_to_arrays
from tubelet.train.prior.fit_tables import ResidualCounts
from tubelet.train.prior.network import PriorNetwork, groups_of

TOTAL_BITS = 24


def random_network(channels=8, *, bases=(), hidden=12, seed=0, strength=1.0):
    """A network as training makes it, moved away from its start at random."""
    network = PriorNetwork(
        groups_of(channels, bases=bases),
        bases=bases,
        scales=torch.zeros(channels),
        hidden=hidden,
        four_passes=4,
        seed=seed,
    )
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise * strength * parameter.abs().mean().clamp(min=0.05))
    return network


def prior_of(network, *, steps=None, kind=np.float32, name="random"):
    """The prior that a network becomes, with tables that fit no data."""
    arrays = network_to_arrays(network)
    channels = network.channels[-1][1]
    if not network.bases:
        arrays |= ResidualCounts().tables()
    config = PriorConfig(
        name=name,
        tokenizer="none",
        tokenizer_sha256="0" * 64,
        ends=tuple(stop for _, stop in network.channels),
        passes=tuple(group.passes for group in network.groups),
        hidden=network.map.second.shape[0],
        steps=() if network.bases else (steps or (1 << 18,) * channels),
        bases=network.bases,
        entries=len(arrays.get("open_frequencies", ())),
    )
    return ContextPrior(config, arrays, sha256="0" * 64, kind=kind)


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
