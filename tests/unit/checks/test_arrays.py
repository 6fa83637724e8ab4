import math

import pytest
import torch

from tubelet.checks.arrays import ends, in_memory


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
