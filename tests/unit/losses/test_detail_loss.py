"""The loss of fine detail: how much there is, not where it lies."""

import math

import pytest
import torch
from torch.nn import functional as F

from tubelet.errors import OptionError
from tubelet.losses.detail import log_detail


def textured(seed, size=32):
    return 0.3 * torch.randn(1, 3, 2, size, size, generator=torch.Generator().manual_seed(seed))


def test_equal_videos_have_none():
    assert float(log_detail(textured(0), textured(0))) == 0


def test_other_detail_of_the_same_power_costs_less_than_none_of_it():
    video = textured(0, size=128)
    blurred = F.avg_pool3d(video, (1, 2, 2)).repeat_interleave(2, dim=3).repeat_interleave(2, dim=4)
    assert float(log_detail(video, textured(1, size=128), window=16)) < 0.2
    assert float(log_detail(video, blurred, window=16)) > 5


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_logarithm_of_power_is_what_counts(factor):
    loss = float(log_detail(textured(0), factor * textured(0), floor=1e-12))
    assert loss == pytest.approx(2 * math.log(2), rel=1e-4)


def test_detail_is_compared_where_it_is():
    video = torch.zeros(1, 3, 1, 32, 32)
    video[..., :16] = textured(0)[:, :, :1, :, :16]
    assert float(log_detail(video, video.flip(4))) > 1


@pytest.mark.parametrize("shape", [(1, 3, 1, 1, 1), (1, 3, 2, 1, 9), (2, 3, 1, 7, 5)])
def test_any_size_is_taken(shape):
    video = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    assert float(log_detail(video - 0.5, video / 2)) >= 0


def test_numbers_out_of_range_are_refused():
    with pytest.raises(OptionError, match="window is 0"):
        log_detail(textured(0), textured(0), window=0)
    with pytest.raises(OptionError, match="floor 0"):
        log_detail(textured(0), textured(0), floor=0.0)
