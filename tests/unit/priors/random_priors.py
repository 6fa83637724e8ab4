"""Priors whose weights are random."""

import numpy as np
import torch

from tubelet.priors.config import PriorConfig
from tubelet.priors.context import ContextPrior
from tubelet.train.prior.export import network_to_arrays
from tubelet.train.prior.fit_tables import ResidualCounts
from tubelet.train.prior.network import PriorNetwork, groups_of


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


def parts_of(network, *, steps=None, name="random"):
    """Numbers and arrays of the prior that a network becomes, with tables that fit no data."""
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
    return config, arrays


def prior_of(network, *, steps=None, kind=np.float32, name="random"):
    """The prior that a network becomes."""
    config, arrays = parts_of(network, steps=steps, name=name)
    return ContextPrior(config, arrays, sha256="0" * 64, kind=kind)
