"""Costs are what a coder would take: they learn what comes often, and nothing else decides them."""

import numpy as np
import pytest

from tubelet.codec.costs import ChannelCosts, TableCosts, up_to_each

CLASSES = (0, 1, 2, 4)


def symbols(seed=0, scale=1.0):
    random = np.random.default_rng(seed)
    return np.round(scale * random.laplace(size=(4, 5, 6))).astype(np.int32)


def test_sums_go_up_to_each_class():
    values = np.arange(4.0)[:, None, None] + np.zeros((4, 1, 2))
    assert up_to_each(values, CLASSES)[:, 0, 0].tolist() == [0, 0, 1, 6]


def test_channels_cost_one_each():
    costs = ChannelCosts(CLASSES)
    assert costs.of_step(symbols(), None)[:, 2, 3].tolist() == [0, 1, 2, 4]
    assert costs.copy().of_step(symbols(), None).shape == (4, 5, 6)


def test_each_class_costs_its_map_and_its_channels():
    bits = TableCosts(CLASSES, np.full(4, 0.5)).of_step(symbols(), None)
    assert (bits > 0).all()
    assert (np.diff(bits[1:], axis=0) > 0).all()


def test_the_first_tables_are_those_of_a_latent_of_unit_variance():
    random = np.random.default_rng(1)
    step = 0.25
    latent = random.laplace(scale=2**-0.5, size=(1, 100, 100))
    drawn = np.round(latent / step).astype(np.int32)
    bits = TableCosts((0, 1), np.array([step])).of_step(drawn, None)
    _, times = np.unique(drawn, return_counts=True)
    entropy = -(times / times.sum() * np.log2(times / times.sum())).sum()
    spent = (bits[1] - TableCosts((0, 1), np.array([step])).of_step(0 * drawn, None)[0]).mean()
    assert spent == pytest.approx(entropy, rel=0.03)


def test_what_comes_often_becomes_cheap():
    costs = TableCosts(CLASSES, np.full(4, 0.1))
    drawn, choice = symbols(scale=0.2), np.full((5, 6), 3)
    before = costs.of_step(drawn, None)[3].sum()
    for _ in range(30):
        costs.learn(drawn, choice, None)
    assert costs.of_step(drawn, None)[3].sum() < 0.5 * before


def test_symbols_that_are_not_stored_teach_nothing():
    one, two = (TableCosts(CLASSES, np.full(4, 0.5)) for _ in range(2))
    choice = np.ones((5, 6), dtype=np.int64)
    drawn, other = symbols(0), symbols(0)
    other[1:] = 77
    one.learn(drawn, choice, None)
    two.learn(other, choice, None)
    np.testing.assert_array_equal(one.of_step(drawn, choice), two.of_step(drawn, choice))


def test_a_larger_symbol_never_costs_less():
    costs = TableCosts((0, 1), np.array([0.5]))
    sizes = np.array([0, 1, 2, 5, 20, 64, 65, 100, 10_000, 2**23 - 1], dtype=np.int32).reshape(1, 1, -1)
    bits = costs.of_step(sizes, None)[1, 0]
    assert (np.diff(bits) >= -1e-9).all()
    assert bits[-1] > bits[5]
    assert np.isfinite(bits).all()


def test_a_copy_learns_by_itself():
    costs = TableCosts(CLASSES, np.full(4, 0.5))
    drawn, choice = symbols(), np.full((5, 6), 2)
    before = costs.of_step(drawn, choice)
    costs.copy().learn(drawn, choice, None)
    np.testing.assert_array_equal(costs.of_step(drawn, choice), before)


def test_a_step_without_positions_that_store_is_learned_too():
    costs = TableCosts(CLASSES, np.full(4, 0.5))
    nothing = np.zeros((5, 6), dtype=np.int64)
    before = costs.of_step(symbols(), nothing)[0].sum()
    costs.learn(symbols(), nothing, nothing)
    assert costs.of_step(symbols(), nothing)[0].sum() < before
