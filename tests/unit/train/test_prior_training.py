"""A prior in training computes what it computes as whole numbers."""

import numpy as np
import pytest
import torch

from random_priors import prior_of, random_network, random_symbols, recorded
from tubelet.priors.numbers import LEAST_SCALE, MEAN_UNIT, SCALE_UNIT
from tubelet.priors.predictor import Expected
from tubelet.priors.tables import choose_open
from tubelet.train.prior.network import Symbols

BASES = (8, 5, 3)


def as_batch(symbols, counts, *, bases=(), step_class=8):
    values = torch.from_numpy(symbols).float()
    if bases:
        values = 2 * values - (torch.tensor(bases).reshape(-1, 1, 1, 1) - 1)
    return Symbols(
        values=values[None],
        counts=torch.from_numpy(counts).long()[None, None],
        classes=torch.zeros(1, 1, *counts.shape),
        class_count=torch.ones(1).long(),
        step_class=torch.tensor([step_class]),
    )


@pytest.mark.parametrize("with_map", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_prior_asks_with_what_its_network_said_in_training(seed, with_map):
    network = random_network(seed=seed)
    symbols = random_symbols((8, 4, 7, 6), seed=seed, extreme=seed == 2)
    counts = np.full(symbols.shape[1:], 64, np.int32)
    if with_map:
        counts = np.random.default_rng(seed).choice([0, 1, 2, 4, 8], size=symbols.shape[1:]).astype(np.int32)
        symbols[np.arange(8).reshape(-1, 1, 1, 1) >= counts] = 0
    part = prior_of(network).for_part(steps=(1 << 18,) * 8)
    found = recorded(part, symbols, counts if with_map else None)
    for group, (start, stop) in enumerate(part.groups):
        predicted = network.expect(group, as_batch(symbols, counts))
        mean = (predicted.mean * MEAN_UNIT).round().detach().numpy().transpose(1, 0, 2, 3).astype(np.int32)
        scale = ((predicted.scale - LEAST_SCALE) * SCALE_UNIT).round().detach().numpy()
        choice = choose_open(Expected(mean, scale.transpose(1, 0, 2, 3).astype(np.int32)))
        present = counts > np.arange(start, stop).reshape(-1, 1, 1, 1)
        places, offsets, tables = found[group]
        assert np.array_equal(places, np.flatnonzero(present))
        assert np.array_equal(offsets, choice.offsets[present])
        assert np.array_equal(tables, choice.tables[present])
        assert len(np.unique(tables)) > 5
