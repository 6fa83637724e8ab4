import math

import pytest
import torch

from tubelet.checks import check_comparable
from tubelet.errors import LatentError, OptionError, RangeWarning, ShapeError


def clip(*, low: float = -1.0, high: float = 1.0, sides: tuple[int, ...] = (1, 3, 2, 16, 16)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(sides, generator=generator) * (high - low) + low


def test_clips_of_one_shape_and_scale_can_be_compared():
    check_comparable(clip(), 3 * clip(), stacklevel=1)


@pytest.mark.parametrize(
    ("reference", "video", "error", "message"),
    [
        (clip().int(), clip(), OptionError, "reference is torch.int32; it must be floating-point"),
        (clip(), clip().to("meta"), OptionError, "video is on meta and the reference on cpu"),
        (clip(), clip()[:, :, :1], ShapeError, r"is \(1, 3, 2, 16, 16\) and the video \(1, 3, 1, 16, 16\)"),
        (clip()[:, :, :0], clip()[:, :, :0], ShapeError, "an empty clip"),
        (clip()[0], clip()[0], ShapeError, "it must be .clips, 3, frames, height, width."),
        (clip(low=0, high=255), clip(), OptionError, "RGB lies in"),
        (clip() * math.nan, clip(), LatentError, "of the reference are NaN"),
        (clip(), clip() / 0, LatentError, "of the video are NaN or infinity"),
    ],
)
def test_others_are_refused_by_name(reference, video, error, message):
    with pytest.raises(error, match=message):
        check_comparable(reference, video, stacklevel=1)


def test_a_video_in_training_may_overflow():
    check_comparable(clip(), (clip() / 0).requires_grad_(), stacklevel=1)


def test_a_reference_between_0_and_1_is_warned_of():
    with pytest.warns(RangeWarning, match=r"lie in \[0, 1\] throughout"):
        check_comparable(clip(low=0), clip(), stacklevel=1)
