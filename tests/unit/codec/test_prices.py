"""At a price each position takes the class of least error plus cost."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tubelet.codec.prices import StepTable

seeds = st.integers(0, 10**6)


def table(seed, classes=4, shape=(2, 3)):
    """Errors fall and costs grow with the class, in uneven strides."""
    random = np.random.default_rng(seed)
    errors = np.sort(random.exponential(10, (classes, *shape)), axis=0)[::-1]
    return StepTable(errors.copy(), np.sort(random.exponential(3, (classes, *shape)), axis=0))


@given(seeds, st.floats(0, 60))
def test_no_more_is_spent_than_allowed(seed, most):
    step = table(seed)
    spent = step.cost(step.cheapest(step.price_of_cost(most)))
    assert spent <= most or spent == pytest.approx(step.costs[0].sum())


@given(seeds, st.floats(0, 60))
def test_a_price_of_cost_is_the_least(seed, most):
    step = table(seed)
    price = step.price_of_cost(most)
    if step.costs[0].sum() <= most < step.costs[-1].sum():
        assert step.cost(step.cheapest(price * (1 - 1e-6))) > most


@given(seeds, st.floats(1, 120))
def test_a_price_of_error_is_the_highest(seed, most):
    step = table(seed)
    price = step.price_of_error(most)
    if step.errors[-1].sum() <= most < step.errors[0].sum():
        assert step.error(step.cheapest(price)) <= most
        assert step.error(step.cheapest(price * (1 + 1e-6))) > most


@given(seeds, st.floats(0.01, 100))
def test_no_other_choice_of_the_same_cost_errs_less(seed, price):
    step = table(seed, classes=3, shape=(1, 4))
    choice = step.cheapest(price)
    for other in product(range(3), repeat=4):
        tried = np.array(other)[None]
        if step.cost(tried) <= step.cost(choice):
            assert step.error(tried) >= step.error(choice) - 1e-9


def test_of_equals_the_first_is_taken():
    step = TIE
    assert not step.cheapest(0.0).any()


TIE = StepTable(np.ones((3, 2, 2)), np.broadcast_to(np.arange(3.0)[:, None, None], (3, 2, 2)))
