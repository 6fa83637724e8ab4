import torch
from einops import reduce

from tubelet.perceptual.clip_size import resize_frames


def draw(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_clips_of_that_size_stay_as_they_are():
    video = draw(2, 3, 2, 8, 8)
    assert torch.equal(resize_frames(video, 8), video)


def test_half_the_size_is_the_mean_of_four_neighbours_whatever_the_shape():
    video = draw(2, 3, 2, 16, 8)
    halved = resize_frames(video[..., :8, :], 4)
    assert torch.allclose(
        halved, reduce(video[..., :8, :], "b c t (h y) (w x) -> b c t h w", "mean", y=2, x=2)
    )
    assert resize_frames(video, 4).shape == (2, 3, 2, 4, 4)


def test_a_quarter_of_the_size_looks_at_four_pixels_of_sixteen():
    video = draw(1, 3, 1, 16, 16)
    middle = video.unfold(3, 4, 4).unfold(4, 4, 4)[..., 1:3, 1:3]
    assert torch.allclose(resize_frames(video, 4), middle.mean(dim=(-2, -1)))
