"""Rules choose the price of a step by what came before."""

import numpy as np
import pytest

from tubelet.codec.prices import StepTable
from tubelet.codec.rules import ConstantError, ConstantPrice, WithinAllowance

CLASSES = np.array([0.0, 1.0, 2.0, 4.0])[:, None, None]


def table(size=10.0):
    """The error halves with every channel."""
    return StepTable(size * 0.5**CLASSES + np.zeros((4, 4, 4)), CLASSES + np.zeros((4, 4, 4)))


def spend(rule, steps):
    """What each step costs, errs, and its price."""
    seen = []
    for step in steps:
        price = rule.price(step)
        choice = step.cheapest(price)
        seen.append((step.cost(choice), step.error(choice), price))
        rule.paid(cost=seen[-1][0], error=seen[-1][1])
    return np.array(seen).T


def test_a_constant_price_is_constant_until_the_total_runs_out():
    assert spend(ConstantPrice(2.0), [table()] * 3)[2].tolist() == [2, 2, 2]
    costs, _, prices = spend(ConstantPrice(2.0, total=40.0), [table()] * 3)
    assert costs.sum() <= 40
    assert prices[0] == 2 < prices[1]


def test_what_easy_steps_leave_is_kept_for_harder_ones():
    costs, _, _ = spend(WithinAllowance(lambda _: 32), [table(1e-12), table(), table()])
    assert costs.tolist() == [0, 64, 32] or costs.cumsum()[-1] <= 96
    assert costs[1] > 32


def test_below_the_floor_nothing_is_bought():
    _, _, prices = spend(WithinAllowance(lambda _: 1e9, floor=0.5), [table()] * 2)
    assert prices.tolist() == [0.5, 0.5]


def test_a_window_takes_what_is_too_old():
    steps = [table(1e-12)] * 5 + [table()] * 3
    free, _, _ = spend(WithinAllowance(lambda _: 16), steps)
    bound, _, _ = spend(WithinAllowance(lambda _: 16, window=2), steps)
    assert free[5] == 64
    assert bound[5] == 32
    assert all(bound[index : index + 2].sum() <= 32 for index in range(7))


def test_a_correction_is_paid_back():
    rule = WithinAllowance(lambda _: 32)
    spend(rule, [table()])
    rule.correct(cost=24.0)
    assert spend(rule, [table()])[0] <= 8


def test_a_copy_spends_by_itself():
    rule = WithinAllowance(lambda _: 32, window=3)
    spend(rule.copy(), [table()] * 3)
    assert spend(rule, [table()])[0] == 32


def test_the_error_is_what_is_asked_for_in_the_mean():
    sizes = np.random.default_rng(0).uniform(5, 20, 30)
    wanted = 16 * 4.0
    _, errors, _ = spend(ConstantError(wanted), [table(size) for size in sizes])
    assert errors.mean() == pytest.approx(wanted, rel=0.05)


def test_what_the_decoder_errs_beyond_is_taken_from_the_steps_that_follow():
    rule, total = ConstantError(64.0), 0.0
    for size in np.random.default_rng(0).uniform(5, 20, 40):
        step = table(size)
        error = step.error(step.cheapest(rule.price(step)))
        rule.paid(cost=0.0, error=error)
        rule.correct(error=20.0)
        total += error + 20
    assert total / 40 == pytest.approx(64, rel=0.05)
