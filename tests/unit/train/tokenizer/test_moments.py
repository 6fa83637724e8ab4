import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tubelet.models.klt.moments import Moments


def vectors(count: int, *, offset: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(count)
    return generator.normal(size=(count, 4)) @ generator.normal(size=(4, 4)) + offset


def moments(parts: list[np.ndarray]) -> Moments:
    result = Moments(4)
    for part in parts:
        result.update(torch.from_numpy(part))
    return result


@given(st.integers(1, 40), st.lists(st.integers(0, 40), max_size=6))
def test_any_cut_into_batches_gives_the_moments_of_all(count, cuts):
    # Equal cuts make empty batches, which must change nothing.
    data = vectors(count)
    found = moments(np.split(data, sorted(min(cut, count) for cut in cuts)))
    assert found.count == count
    np.testing.assert_allclose(found.mean, data.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(data.T, bias=True).reshape(4, 4), atol=1e-12)


def test_a_large_mean_does_not_drown_a_small_variance():
    data = vectors(1000, offset=1e6)
    centred = data - data.mean(axis=0)
    found = moments(np.array_split(data, 10))
    np.testing.assert_allclose(found.covariance, centred.T @ centred / 1000, rtol=1e-7)


def test_single_precision_is_added_up_in_double():
    data = vectors(1000).astype(np.float32)
    found = moments(list(np.array_split(data, 100)))
    np.testing.assert_allclose(found.mean, data.astype(np.float64).mean(axis=0), rtol=0, atol=1e-13)


def test_nothing_has_no_variance():
    assert not moments([]).covariance.any()
