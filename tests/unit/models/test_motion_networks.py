"""Networks along motion: where they begin, what they are told, and how gradients come back through a warp."""

import pytest
import torch
from rendered import along, render

import tubelet
from tubelet.errors import OptionError
from tubelet.models.motion.config import MotionConfig
from tubelet.models.motion.model import CONTENT, MOTION, PLAIN, MotionModel
from tubelet.models.motion.networks import warped
from tubelet.models.motion.warp import REACH, Cells, _Blocks, _blocks
from tubelet.types import Frames
from tubelet.video.pixels import to_model

CELL = Cells(8, 8)
SMALL = MotionConfig(name="small", channels=32, coefficients=64, width=8, encoder_blocks=1, decoder_blocks=1)


class NoCrops:
    """What a start that fits nothing looks at."""

    frames = side = 0

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: int, /) -> Frames:
        raise IndexError(index)


@pytest.fixture(scope="module")
def linear() -> MotionModel:
    model = tubelet.load("klt-4x8x8-motion").model
    assert isinstance(model, MotionModel)
    return model


@pytest.fixture
def model(linear) -> MotionModel:
    return SMALL.start(NoCrops(), seed=0, linear=linear).requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def groups():
    return to_model(render(along((1.25, -2.5))))


def test_untrained_networks_change_nothing(model, linear, groups):
    expected = linear.encode_groups(groups, None).latents
    found = model.encode_groups(groups, None)
    assert torch.equal(found.latents[MOTION], expected[MOTION])
    assert torch.equal(found.latents[PLAIN], expected[PLAIN])
    assert torch.equal(found.latents[CONTENT], expected[CONTENT][:, :32])
    back = model.decode_groups(found.latents, None, {}).groups
    kept = expected | {CONTENT: expected[CONTENT][:, :32]}
    assert torch.allclose(back, linear.decode_groups(kept, None, {}).groups, atol=1e-5)


def test_both_networks_are_told_of_motion(model, groups):
    generator = torch.Generator().manual_seed(2)
    for parameter in model.corrections.parameters():
        parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    latents = model.encode_groups(groups, None).latents
    still = latents | {MOTION: torch.zeros_like(latents[MOTION])}
    along_nothing = model.encode_along(groups, still[MOTION])
    assert not torch.allclose(along_nothing[CONTENT], latents[CONTENT], atol=1e-2)
    first = slice(0, 1)
    found, frozen = (model.decode_groups(each, None, {}).groups[:, :, first] for each in (latents, still))
    # The first frame of a group is not moved: what changes it is the network alone.
    assert (found - frozen).abs().max() > 1e-3


def test_features_come_from_where_vectors_point():
    features = torch.rand(1, 2, 5, 6, generator=torch.Generator().manual_seed(0))
    vectors = torch.zeros(1, 3, 2, 5, 6, dtype=torch.long)
    vectors[:, 0, 1] = 32  # a cell to the right
    vectors[:, 1, 0] = -16  # half a cell up
    vectors[:, 2] = -4 * REACH  # far beyond the border, for most
    found = warped(features, vectors, CELL)
    right = torch.cat([features[..., 1:], features[..., -1:]], dim=-1)
    above = torch.cat([features[..., :1, :], features[..., :-1, :]], dim=-2)
    assert torch.equal(found[:, 0], right)
    assert torch.allclose(found[:, 1], (features + above) / 2)
    assert torch.allclose(found[:, 2, :, :4, :4], features[:, :, :1, :1].expand(-1, -1, 4, 4))


@pytest.mark.parametrize("phase", [(0, 0), (1, 2), (3, 0)])
def test_gradients_come_back_through_displaced_blocks(phase):
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(2, 9, 10, 3, dtype=torch.float64, generator=generator).requires_grad_()
    start = torch.tensor([0, 6, 33, 9 * 30 + 60])
    found = _Blocks.apply(images, start, Cells(4, 4), phase)
    assert isinstance(found, torch.Tensor)
    weights = torch.rand(found.shape, dtype=torch.float64, generator=generator)
    (fast,) = torch.autograd.grad((found * weights).sum(), images)
    slow = _blocks(images, start, Cells(4, 4), phase)
    (expected,) = torch.autograd.grad((slow * weights).sum(), images)
    assert torch.equal(found, slow)
    assert torch.allclose(fast, expected, atol=1e-12)


def test_a_model_along_motion_has_two_networks_or_none():
    for wrong in ({"encoder_blocks": 1}, {"decoder_blocks": 1}, {"coefficients": 96}):
        with pytest.raises(OptionError, match="give both networks blocks or"):
            MotionConfig(name="half", channels=64, **wrong).build()


def test_networks_are_not_narrowed_and_no_linear_start(model):
    with pytest.raises(OptionError, match="networks that know all 32 channels"):
        model.narrowed(16)
    with pytest.raises(OptionError, match="it must be linear"):
        SMALL.start(NoCrops(), seed=0, linear=model)
