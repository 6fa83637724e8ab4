import math

import numpy as np
import pytest
import torch

from tubelet.checks.arrays import check_floating, check_frames, ends, in_memory
from tubelet.errors import OptionError, ShapeError


def channels_last(video: torch.Tensor) -> torch.Tensor:
    return video.movedim(1, 4).contiguous().movedim(4, 1)


VIDEO = torch.randn((2, 3, 4, 5, 6), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "video",
    [VIDEO, channels_last(VIDEO), channels_last(VIDEO)[..., 1:4], VIDEO[:, :, :1].expand(-1, -1, 9, -1, -1)],
    ids=["planes", "channels last", "part", "repeated"],
)
def test_the_smallest_and_the_largest_are_found_wherever_channels_lie(video):
    assert ends(video) == (min(video.flatten().tolist()), max(video.flatten().tolist()))


def test_one_value_that_is_no_number_is_found_anywhere():
    for place in range(0, VIDEO.numel(), 37):
        video = channels_last(VIDEO).contiguous()
        video.view(-1)[place] = math.nan
        assert not ends(channels_last(video)).finite


@pytest.mark.parametrize("lies", [torch.clone, channels_last])
def test_a_clip_need_not_be_copied_to_be_looked_at(lies):
    video = lies(VIDEO)
    # PyTorch copies what does not lie in this order, number by number.
    assert in_memory(video).is_contiguous()
    assert in_memory(video).data_ptr() == video.data_ptr()


@pytest.mark.parametrize(
    ("video", "cure"),
    [
        (VIDEO.to_sparse(), r"torch\.sparse_coo; it must be dense\. Give video\.to_dense\(\)"),
        (VIDEO.to(torch.float8_e4m3fn), r"torch\.float8_e4m3fn; .* Give video\.float\(\)"),
    ],
    ids=["sparse", "float8"],
)
def test_floating_point_that_nothing_computes_with_is_named_with_its_cure(video, cure):
    with pytest.raises(OptionError, match=cure):
        check_floating(video, "video", cure="")


@pytest.mark.parametrize(
    ("numbers", "cure"),
    [
        (np.float64, r"Of \[0, 1\] make \(255 \* a\)"),
        (np.uint16, r"\(a >> 8\)"),
        (np.bool_, r"Make \(255 \* a\)"),
        (np.int64, "Levels of 0 to 255 become it"),
        (np.complex64, r"\(frames, height, width, 3\)\. usual$"),
    ],
)
def test_frames_of_other_numbers_are_told_what_makes_levels_of_them(numbers, cure):
    with pytest.raises(ShapeError, match=cure):
        check_frames(np.zeros((2, 4, 6, 3), numbers), "frames", cure="usual")
