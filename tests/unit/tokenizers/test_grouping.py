import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from tubelet.errors import ShapeError
from tubelet.tokenizers.grouping import Grouping, fill
from tubelet.types import Stride

strides = st.builds(Stride, st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
groupings = st.builds(Grouping, stride=strides, lead_frame=st.booleans())


def clip(frames: int, height: int, width: int) -> torch.Tensor:
    values = torch.arange(2 * 3 * frames * height * width, dtype=torch.float64)
    return values.reshape(2, 3, frames, height, width)


@given(groupings, st.integers(0, 10_000))
def test_every_frame_lies_in_exactly_the_step_that_holds_it(grouping, frame):
    step = grouping.step_of(frame)
    assert grouping.first_frame(step) <= frame < grouping.first_frame(step + 1)


@given(groupings, st.integers(1, 10_000))
def test_a_clip_has_as_many_steps_as_its_frames_need(grouping, frames):
    steps = grouping.steps(frames)
    assert grouping.first_frame(steps - 1) < frames <= grouping.first_frame(steps)


@given(groupings, st.integers(0, 1000))
def test_whole_groups_need_no_filling(grouping, steps):
    assert grouping.steps(grouping.first_frame(steps)) == steps


@given(groupings, st.integers(0, 1000))
def test_a_step_holds_the_stride_or_one_lead_frame(grouping, step):
    lead = grouping.lead_frame and step == 0
    assert grouping.frames_in(step) == (1 if lead else grouping.stride.t)


@given(groupings, st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
def test_ungroup_undoes_group(grouping, frames, height, width):
    video = clip(frames, height, width)
    back = grouping.ungroup(grouping.group(video), frames=frames, height=height, width=width)
    assert torch.allclose(back, video, rtol=1e-14, atol=0)


@given(groupings, st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
def test_groups_are_whole_groups_of_whole_patches(grouping, frames, height, width):
    sides = grouping.group(clip(frames, height, width)).shape[2:]
    cells = (grouping.steps(frames), *grouping.cells(height, width))
    assert tuple(sides) == tuple(n * s for n, s in zip(cells, grouping.stride, strict=True))


def test_a_lead_frame_is_a_clip_that_stands_still():
    grouped = Grouping(stride=Stride(4, 1, 1), lead_frame=True).group(clip(5, 1, 1))
    assert grouped[0, 0, :, 0, 0].tolist() == [0, 0, 0, 0, 1, 2, 3, 4]


def test_what_is_missing_is_filled_with_the_last_frame_row_and_column():
    filled = fill(clip(2, 2, 2), Stride(1, 1, 1))
    assert filled[0, 0].tolist() == [
        [[0, 1, 1], [2, 3, 3], [2, 3, 3]],
        [[4, 5, 5], [6, 7, 7], [6, 7, 7]],
        [[4, 5, 5], [6, 7, 7], [6, 7, 7]],
    ]


def test_nothing_is_copied_if_nothing_is_missing():
    video = clip(2, 2, 2)
    assert fill(video, Stride(0, 0, 0)) is video


@given(groupings, st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(0, 2))
def test_a_latent_of_another_size_is_refused(grouping, frames, height, width, axis):
    right = [grouping.steps(frames), *grouping.cells(height, width)]
    size = {"frames": frames, "height": height, "width": width}
    grouping.check(steps=right[0], cells=(right[1], right[2]), **size)
    right[axis] += 1
    with pytest.raises(ShapeError, match="give the size of the encoded clip"):
        grouping.check(steps=right[0], cells=(right[1], right[2]), **size)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("missing", [Stride(0, 0, 3), Stride(0, 2, 0), Stride(3, 0, 0), Stride(2, 3, 1)])
def test_filling_repeats_edges_and_leaves_channels_where_they_lie(missing, channels_last):
    video = clip(2, 3, 4)
    if channels_last:
        video = video.movedim(1, 4).contiguous().movedim(4, 1)
    filled = fill(video.requires_grad_(), missing)
    expected = F.pad(video, (0, missing.w, 0, missing.h, 0, missing.t), mode="replicate")
    assert torch.equal(filled, expected)
    assert (filled.stride(1) == 1) == channels_last
    weights = torch.rand(filled.shape, dtype=filled.dtype, generator=torch.Generator().manual_seed(0))
    found, wanted = (torch.autograd.grad((each * weights).sum(), video)[0] for each in (filled, expected))
    assert torch.allclose(found, wanted, rtol=1e-14, atol=0)


def test_frames_before_the_first_repeat_it():
    video = clip(2, 3, 4)
    filled = fill(video, Stride(1, 1, 0), before=3)
    assert torch.equal(filled[:, :, :3, :3], video[:, :, :1].expand(-1, -1, 3, -1, -1))
    assert torch.equal(filled[:, :, 3:], fill(video, Stride(1, 1, 0)))
