import pytest
import torch

from tubelet.errors import OptionError
from tubelet.losses.reconstruction import l1
from tubelet.losses.sampling import sample


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def numbered() -> torch.Tensor:
    """Two clips of which every sample is another whole number."""
    return torch.arange(2 * 3 * 7 * 9 * 11, dtype=torch.float64).reshape(2, 3, 7, 9, 11)


def test_the_generator_decides(draw):
    videos = draw(3, 3, 9, 20, 20), draw(3, 3, 9, 20, 20, seed=1)
    first = sample(*videos, frames=3, generator=seeded())
    again = sample(*videos, frames=3, generator=seeded())
    other = sample(*videos, frames=3, generator=seeded(1))
    assert torch.equal(first.video, again.video)
    assert not torch.equal(first.video, other.video)


def test_both_videos_give_the_same_frames(numbered):
    pair = sample(numbered, numbered + 0.5, frames=3, generator=seeded())
    assert pair.video.shape == (2, 3, 3, 9, 11)
    assert torch.equal(pair.video - pair.reference, torch.full_like(pair.video, 0.5))


def test_the_frames_are_different_ones_in_their_order(numbered):
    part = sample(numbered, numbered, frames=3, generator=seeded()).video
    for clip in range(2):
        times = [int(value) // 99 % 7 for value in part[clip, 0, :, 0, 0]]
        assert times == sorted(set(times))
        assert torch.equal(part[clip], numbered[clip][:, times])


def test_clips_draw_for_themselves(numbered):
    both = numbered[:1].expand(2, -1, -1, -1, -1)
    parts = [sample(both, both, frames=2, generator=seeded(seed)).video for seed in range(5)]
    assert any(not torch.equal(part[0], part[1]) for part in parts)


@pytest.mark.parametrize("frames", [7, 100])
def test_all_is_the_whole_and_so_is_more_than_there_is(frames, numbered):
    assert torch.equal(sample(numbered, numbered, frames=frames, generator=seeded()).video, numbered)


def test_the_mean_of_a_loss_over_draws_is_that_over_all_frames(draw):
    reference, video = draw(1, 3, 5, 2, 2), draw(1, 3, 5, 2, 2, seed=1)
    generator = seeded()
    values = [l1(*sample(reference, video, frames=2, generator=generator)) for _ in range(2000)]
    drawn = torch.stack(values)
    error = drawn.std() / len(values) ** 0.5
    assert abs(drawn.mean() - l1(reference, video)) < 4 * error
    assert error < 0.01 * drawn.mean()


def test_gradients_reach_the_samples_that_were_taken_and_no_others(draw):
    video = draw(1, 3, 5, 6, 6, seed=1).requires_grad_()
    pair = sample(draw(1, 3, 5, 6, 6), video, frames=2, generator=seeded())
    l1(*pair).backward()
    assert int((video.grad != 0).sum()) == 3 * 2 * 6 * 6


@pytest.mark.parametrize("frames", [0, -3])
def test_there_is_at_least_one_frame(frames, numbered):
    with pytest.raises(OptionError, match=f"frames is {frames}; it must be at least 1"):
        sample(numbered, numbered, frames=frames, generator=seeded())
