"""A prior in training computes what it computes as whole numbers."""

import numpy as np
import pytest
import torch
from random_priors import prior_of, random_network
from recorder import Recorder, random_symbols, recorded

from tubelet.priors.numbers import LEAST_SCALE, LEAST_STEP, MEAN_UNIT, SCALE_UNIT
from tubelet.priors.predictor import Expected
from tubelet.priors.tables import choose_closed, choose_open
from tubelet.train.prior.network import Symbols
from tubelet.train.prior.seen import Seen

BASES = (8, 5, 3)


def as_batch(symbols, counts, *, bases=(), step_class=-LEAST_STEP):
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


def as_expected(predicted):
    """What a network said, in the units of whole numbers, ``c t h w``."""
    mean = (predicted.mean * MEAN_UNIT).round().detach().numpy().transpose(1, 0, 2, 3)
    scale = ((predicted.scale - LEAST_SCALE) * SCALE_UNIT).round().detach().numpy().transpose(1, 0, 2, 3)
    return Expected(mean.astype(np.int32), scale.astype(np.int32))


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
    expected = network.expect(as_batch(symbols, counts))
    for group, (predicted, (start, stop)) in enumerate(zip(expected, part.groups, strict=True)):
        choice = choose_open(as_expected(predicted))
        present = counts > np.arange(start, stop).reshape(-1, 1, 1, 1)
        places, offsets, tables = found[group]
        assert np.array_equal(places, np.flatnonzero(present))
        assert np.array_equal(offsets, choice.offsets[present])
        assert np.array_equal(tables, choice.tables[present])
        assert len(np.unique(tables)) > 5


def test_a_prior_of_tokens_asks_with_what_its_network_said_in_training():
    network = random_network(3, bases=BASES)
    symbols = random_symbols((3, 4, 7, 6), bases=BASES)
    prior = prior_of(network)
    part = prior.for_part(bases=BASES)
    expected = network.expect(as_batch(symbols, np.full((4, 7, 6), 64, np.int32), bases=BASES))
    for (predicted, base), (_, offsets, tables) in zip(
        zip(expected, BASES, strict=True), recorded(part, symbols), strict=True
    ):
        choice = choose_closed(as_expected(predicted), base, prior.first_tables[base])
        assert not offsets.any()
        assert np.array_equal(tables, choice.tables.ravel())
        assert len(np.unique(tables)) > 5


def test_a_map_of_counts_is_asked_for_with_what_its_network_said_in_training():
    network = random_network()
    classes = np.random.default_rng(0).integers(6, size=(4, 7, 6)).astype(np.int32)
    recorder = Recorder(classes)
    prior = prior_of(network)
    given = prior.for_part(steps=(1 << 18,) * 8).code_counts((4, 7, 6), 6, recorder)
    assert np.array_equal(given, classes)
    values = torch.from_numpy(2 * classes - 5).float()[None, None]
    predicted = network.map(Seen.of(values, torch.zeros(1, 1, 4, 7, 6).long(), torch.tensor([-LEAST_STEP])))
    choice = choose_closed(as_expected(predicted), 6, prior.first_tables[6])
    assert np.array_equal(recorder.choices()[2], choice.tables.ravel())


@pytest.mark.parametrize("with_map", [False, True])
def test_the_loss_is_what_the_tables_say(with_map):
    network = random_network(strength=0.3)
    symbols = random_symbols((8, 2, 6, 6))
    symbols = np.clip(symbols, -3, 3)
    counts = np.full((2, 6, 6), 64, np.int32)
    if with_map:
        counts[:] = np.random.default_rng(0).choice([0, 2, 8], size=counts.shape)
        symbols[np.arange(8).reshape(-1, 1, 1, 1) >= counts] = 0
    prior = prior_of(network)
    part = prior.for_part(steps=(1 << 18,) * 8)
    found = recorded(part, symbols, counts if with_map else None)
    cost = network(as_batch(symbols, counts))
    for (start, stop), bits, (places, offsets, tables) in zip(
        part.groups, cost.groups[0].tolist(), found, strict=True
    ):
        residuals = symbols[start:stop].ravel()[places] - offsets
        ideal = 0.0
        for residual, table in zip(residuals.tolist(), tables.tolist(), strict=True):
            known = prior.tables[table]
            entry = min(max(residual - known.first, 0), len(known.frequencies) - 1)
            ideal += 24 - np.log2(known.frequencies[entry])
        # Tables of coarse scales know no fractions of a mean.
        assert bits == pytest.approx(ideal, rel=0.01, abs=0.5)
