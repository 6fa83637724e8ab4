from itertools import product

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tubelet.nn.patches import patches_to_video, video_to_patches
from tubelet.types import Stride

PATCH = Stride(2, 3, 2)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def channels_last(video: torch.Tensor) -> torch.Tensor:
    return video.movedim(1, 4).contiguous().movedim(4, 1)


def slow_patches(video: torch.Tensor, patch: Stride) -> torch.Tensor:
    """One number at a time."""
    b, c, *sides = video.shape
    grid = [side // size for side, size in zip(sides, patch, strict=True)]
    patches = torch.zeros(b, *grid, patch.t * patch.h * patch.w * c)
    for n, t, h, w in product(*map(range, (b, *grid))):
        within = product(range(patch.t), range(patch.h), range(patch.w), range(c))
        for number, (i, j, k, m) in enumerate(within):
            patches[n, t, h, w, number] = video[n, m, t * patch.t + i, h * patch.h + j, w * patch.w + k]
    return patches


class NewBytes(TorchDispatchMode):
    """Notes the size of everything that operations allocate."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function.overloadpacket in (torch.ops.aten.clone, torch.ops.aten.new_empty):
            self.sizes.append(result.untyped_storage().nbytes())
        return result


@pytest.mark.parametrize("lies", [torch.clone, channels_last])
def test_patches_are_the_same_wherever_channels_lie(lies):
    video = random(2, 3, 4, 6, 4)
    patches = video_to_patches(lies(video), PATCH)
    assert torch.equal(patches, slow_patches(video, PATCH))
    assert torch.equal(patches_to_video(patches, PATCH, channels=3), video)


@pytest.mark.parametrize("lies", [torch.clone, channels_last])
@pytest.mark.parametrize("sides", [(2, 3, 2), (6, 3, 2), (2, 9, 2)])
def test_patches_may_be_changed_without_changing_the_video(lies, sides):
    video = lies(random(1, 3, *sides))
    before = video.clone()
    video_to_patches(video, PATCH).zero_()
    assert torch.equal(video, before)


def test_beside_the_patches_of_planes_only_one_frame_is_held():
    video = random(1, 3, 8, 12, 20)
    with NewBytes() as new:
        video_to_patches(video, PATCH)
    whole = video.untyped_storage().nbytes()
    assert sorted(new.sizes) == [whole // 8] * 8 + [whole]


def test_gradients_come_back_to_where_numbers_came_from():
    video = random(2, 3, 4, 6, 4).requires_grad_()
    weights = random(2, 2, 2, 2, 36)
    (video_to_patches(video, PATCH) * weights).sum().backward()
    assert video.grad is not None
    assert torch.equal(video.grad, patches_to_video(weights, PATCH, channels=3))
