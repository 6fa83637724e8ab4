"""A prior as a model of symbols, with the coder of the files around it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_priors import prior_of, random_network
from recorder import Recorder, random_symbols, recorded

from tubelet.bitstream.modelled import ModelTables, encode_modelled
from tubelet.errors import OptionError
from tubelet.priors.context import LARGEST_CLASSES, step_class
from tubelet.priors.group_step import GroupStep
from tubelet.priors.numbers import LARGEST_STEP, LEAST_STEP, STEPS
from tubelet.priors.tables import LARGEST_BASE, OPEN_TABLES, REACH, TOTAL, closed_count

STEP = 1 << 18


class Reader:
    """An exchange that gives symbols one request after the other, as a decoder does, and knows no place."""

    def __init__(self, recorder):
        self.answers = [recorder.symbols[places] for places in recorder.places]
        self.asked = [*zip(recorder.offsets, recorder.tables, strict=True)]

    def __call__(self, places, offsets, tables):
        known_offsets, known_tables = self.asked.pop(0)
        assert np.array_equal(offsets, known_offsets)
        assert np.array_equal(tables, known_tables)
        return self.answers.pop(0)


@pytest.fixture(scope="module")
def prior():
    return prior_of(random_network())


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
    channels=st.integers(1, 8),
    with_map=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=25)
def test_a_decoder_asks_what_the_encoder_asked(prior, shape, channels, with_map, seed):
    random = np.random.default_rng(seed)
    part = prior.for_part(steps=(STEP,) * channels)
    symbols = random_symbols((channels, *shape), seed=seed, extreme=True)
    counts = random.integers(channels + 1, size=shape).astype(np.int32) if with_map else None
    if counts is not None:
        symbols[np.arange(channels).reshape(-1, 1, 1, 1) >= counts] = 0
    for group, (start, stop) in enumerate(part.groups):
        recorder = Recorder(symbols[start:stop])
        part.code_group(group, symbols[:start], counts, recorder)
        found = part.code_group(group, symbols[:start], counts, Reader(recorder))
        assert found.dtype == np.int32
        assert np.array_equal(found, symbols[start:stop])


def test_the_coder_of_files_takes_it(prior):
    symbols = random_symbols((8, 3, 5, 4), extreme=True)
    tables = ModelTables(prior.tables)
    part = prior.for_part(steps=(STEP,) * 8)
    for group, (start, stop) in enumerate(part.groups):
        segment = encode_modelled(
            lambda exchange, group=group, start=start: part.code_group(
                group, symbols[:start], None, exchange
            ),
            symbols[start:stop],
            tables,
            total=symbols[start:stop].size,
        )
        assert len(segment.to_bytes()) > 0


def test_fewer_channels_are_asked_for_as_if_all_were_there(prior):
    symbols = random_symbols((8, 3, 5, 4))
    whole = recorded(prior.for_part(steps=(STEP,) * 8), symbols)
    first = recorded(prior.for_part(steps=(STEP,) * 4), symbols[:4])
    for one, other in zip(whole, first, strict=False):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_chunk_knows_nothing_of_the_one_before(prior):
    symbols = random_symbols((8, 3, 5, 4))
    part = prior.for_part(steps=(STEP,) * 8)
    before = recorded(part, symbols)
    recorded(part, random_symbols((8, 3, 5, 4), seed=1))
    for one, other in zip(before, recorded(part, symbols), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_coarser_step_expects_smaller_symbols():
    network = random_network(strength=0.0)
    symbols = np.zeros((8, 1, 4, 4), np.int32)
    tables = [
        recorded(prior_of(network).for_part(steps=(step,) * 8), symbols)[0][2] for step in (STEP, 4 * STEP)
    ]
    assert (tables[1] < tables[0]).all()


def test_classes_of_steps_are_the_nearest_of_four_per_doubling():
    usual = (1000003, 77)
    for k in range(-8, 20):
        steps = [round(own * 2 ** ((k + part) / 4)) for own, part in zip(usual, (-0.4, 0.4), strict=True)]
        expected = min(max(k, LEAST_STEP), LARGEST_STEP) - LEAST_STEP
        assert step_class(steps[:1], usual[:1]) == expected
        assert 0 <= step_class(steps, usual) < STEPS


def test_every_digit_finds_a_table_that_adds_up():
    prior = prior_of(random_network(3, bases=(8, LARGEST_BASE, 2)))
    firsts = prior.first_tables
    assert set(firsts) == {*range(2, LARGEST_CLASSES + 1), LARGEST_BASE}
    for base, first in firsts.items():
        tables = prior.tables[first : first + closed_count(base)]
        assert {len(table.frequencies) for table in tables} == {base}
        assert all(table.frequencies.sum() == TOTAL for table in tables)
        assert all(table.frequencies.min() >= 1 for table in tables)
    assert len(prior.tables) == max(firsts.values()) + closed_count(LARGEST_BASE)
    assert 4 * LARGEST_BASE - 2 <= REACH


def test_tables_of_a_latent_come_first(prior):
    assert all(table.open for table in prior.tables[:OPEN_TABLES])
    assert not any(table.open for table in prior.tables[OPEN_TABLES:])


@pytest.mark.parametrize(
    "numbers", [{}, {"steps": (STEP,) * 9}, {"bases": (8,)}, {"bases": (8,), "steps": (1,)}]
)
def test_a_prior_for_something_else_is_refused(prior, numbers):
    with pytest.raises(OptionError, match="random is"):
        prior.for_part(**numbers)


@pytest.mark.parametrize("classes", [1, LARGEST_CLASSES + 1])
def test_a_map_of_too_many_counts_is_refused(prior, classes):
    part = prior.for_part(steps=(STEP,) * 8)
    with pytest.raises(OptionError, match="counts to choose from"):
        part.code_counts((1, 2, 2), classes, Recorder(np.zeros((1, 2, 2), np.int32)))


class Everywhere(GroupStep):
    """What computes also where no symbol is stored."""

    def __init__(self, predictor, layout, known, needed):
        super().__init__(predictor, layout, known, np.ones_like(needed))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_what_is_not_computed_changes_no_answer(prior, monkeypatch, share):
    random = np.random.default_rng(3)
    shape, channels = (3, 9, 7), 8
    counts = (random.integers(channels + 1, size=shape) * (random.random(shape) < share)).astype(np.int32)
    symbols = random_symbols((channels, *shape), seed=5)
    symbols[np.arange(channels).reshape(-1, 1, 1, 1) >= counts] = 0
    part = prior.for_part(steps=(STEP,) * channels)

    def answers():
        recorders = []
        for group, (start, stop) in enumerate(part.groups):
            recorders.append(Recorder(symbols[start:stop]))
            part.code_group(group, symbols[:start], counts, recorders[-1])
        return [
            np.concatenate([np.zeros(0, np.int64), *asked])
            for each in recorders
            for asked in (each.places, each.offsets, each.tables)
        ]

    with monkeypatch.context() as patched:
        patched.setattr("tubelet.priors.context.GroupStep", Everywhere)
        wanted = answers()
    for few in (0.0, 2.0):  # all places of a strip at once, and those alone that are needed
        monkeypatch.setattr("tubelet.priors.predictor._FEW", few)
        for found, expected in zip(answers(), wanted, strict=True):
            np.testing.assert_array_equal(found, expected)
