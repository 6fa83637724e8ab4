"""At a price each position takes the class of least error plus cost."""

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tubelet.codec.prices import StepTable

seeds = st.integers(0, 10**6)


def table(seed, classes=4, shape=(2, 3)):
    """Errors fall and costs grow with the class, in uneven strides."""
    random = np.random.default_rng(seed)
    errors = np.sort(random.exponential(10, (classes, *shape)), axis=0)[::-1]
    return StepTable(errors.copy(), np.sort(random.exponential(3, (classes, *shape)), axis=0))


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
