"""Errors of fine detail count less, wherever a budget decides."""

import numpy as np
import pytest
import torch

import tubelet
from tubelet.codec import allocate
from tubelet.codec.budget import Allocators, Quality
from tubelet.codec.detail import detail_weights


def test_weights_fall_from_channel_to_channel_and_one_counts_as_by_squares():
    weights = detail_weights(64)
    assert np.all(np.diff(weights) < 0)
    assert weights[8] == 1
    np.testing.assert_array_equal(detail_weights(10), weights[:10])
    np.testing.assert_array_equal(detail_weights(5, exponent=0.0), np.ones(5))


@pytest.fixture(scope="module")
def maker():
    return Allocators(tubelet.load("klt-4x8x8"))


def test_bits_move_from_fine_channels_to_coarse_ones(maker, monkeypatch):
    latent = torch.randn(1, 64, 3, 6, 6, generator=torch.Generator().manual_seed(0))

    def stored():
        done = maker.at_quality(Quality(level=24.0)).allocate(latent)
        return (done.symbols != 0).mean(axis=(1, 2, 3)), done.errors.sum()

    weighed, error = stored()
    monkeypatch.setattr(allocate, "detail_weights", np.ones)
    alike, least = stored()
    assert weighed[24:].sum() < alike[24:].sum()
    assert weighed[:8].sum() >= alike[:8].sum()
    assert least < error < 1.3 * least  # stated with all channels alike
