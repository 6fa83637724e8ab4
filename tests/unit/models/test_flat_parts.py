"""Models of several parts as functions of one step on four axes give what the models give."""

import pytest
import torch
from einops import rearrange
from rendered import along, render

import tubelet
from tubelet.data.scenes import SceneOptions, scene_at
from tubelet.models.flow.config import FlowConfig
from tubelet.models.klt.config import KLTConfig
from tubelet.models.levels.config import LevelsConfig
from tubelet.models.levels.flat import FlatLevelsDecoder, FlatLevelsEncoder
from tubelet.models.motion.config import MotionConfig
from tubelet.models.motion.flat import FlatMotionDecoder, FlatMotionEncoder
from tubelet.models.motion.flat_search import FlatSearch
from tubelet.models.motion.search import find_field
from tubelet.models.motion.warp import Cells
from tubelet.models.twin.config import TwinConfig
from tubelet.models.twin.flat import FlatTwinDecoder, FlatTwinEncoder
from tubelet.types import Stride
from tubelet.video.pixels import to_model

MOTION = {"channels": 24, "coefficients": 40, "width": 8, "encoder_blocks": 1, "decoder_blocks": 1}
TWIN = {"structure": 6, "dynamics": 3, "features": 12, "width": 8}
NO_BLOCKS = {"structure_blocks": 0, "dynamics_blocks": 0, "decoder_blocks": 0}
BLOCKS = {"structure_blocks": 1, "dynamics_blocks": 1, "decoder_blocks": 1}
BASE = KLTConfig(name="base", coefficients=(16,), channels=12, width=8, encoder_blocks=1, decoder_blocks=1)
FLOW = FlowConfig(name="flow", base=BASE, width=8, blocks=1)

MADE = {
    "motion": (MotionConfig(name="a", channels=24), FlatMotionEncoder, FlatMotionDecoder),
    "motion with networks": (MotionConfig(name="a", **MOTION), FlatMotionEncoder, FlatMotionDecoder),
    "larger cells": (
        MotionConfig(name="a", channels=24, patch=Stride(3, 16, 16)),
        FlatMotionEncoder,
        FlatMotionDecoder,
    ),
    "twin": (TwinConfig(name="a", **TWIN, **NO_BLOCKS), FlatTwinEncoder, FlatTwinDecoder),
    "twin with networks": (TwinConfig(name="a", **TWIN, **BLOCKS), FlatTwinEncoder, FlatTwinDecoder),
    "global and detail": (
        LevelsConfig(name="a", base=FLOW, channels=20, seen=3),
        FlatLevelsEncoder,
        FlatLevelsDecoder,
    ),
}


@pytest.fixture(scope="module", params=MADE)
def made(request):
    """A model whose every number is another one, and its two functions."""
    config, encoder, decoder = MADE[request.param]
    model = config.build().eval().requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(5)
    for name, weights in (*model.named_parameters(), *model.named_buffers()):
        if name.endswith(("deviation", "unit", "scale", "left")):
            weights.copy_(0.5 + torch.rand(weights.shape, generator=generator))
        elif weights.is_floating_point():
            weights.add_(0.1 * torch.randn(weights.shape, generator=generator))
    return model, encoder(model), decoder(model)


@pytest.fixture(scope="module")
def scene():
    options = SceneOptions(height=128, width=192, frames=48, pan=1.0)
    return to_model(scene_at(3, seed=1, options=options).frames())


def folded(latent, count):
    return rearrange(latent, "1 c (n t) h w -> n 1 (t c) h w", n=count)


def nonsense(step, cells):
    """What is remembered before a clip begins, where it must not be looked at."""
    size = (1, step.past_channels, *(step.past_side * each for each in cells))
    return (torch.tensor([True]), torch.full(size, 1e9)) if step.past_channels else ()


@torch.no_grad()
def test_encoding_and_decoding_are_those_of_the_model(made, scene):
    model, encoder, decoder = made
    (t, h, w), count = model.stride, 3
    cells = (scene.shape[3] // h, scene.shape[4] // w)
    video = scene[:, :, : count * t, : cells[0] * h, : cells[1] * w]
    expected = model.encode_groups(video, None).latents
    parts = {part.name: folded(expected[part.name], count) for part in model.parts}
    state = nonsense(encoder, cells)
    for index, frames in enumerate(folded(video, count)):
        found = encoder(frames, *state)
        for one, name in zip(found, parts, strict=False):
            torch.testing.assert_close(one, parts[name][index], atol=5e-5, rtol=1e-4)
        state = (torch.tensor([False]), found[-1]) if state else ()
    generator = torch.Generator().manual_seed(2)
    known = {}
    for part in model.parts:
        size = (1, 1, *expected[part.name].shape[2:])
        known[part.name] = torch.randint(0, part.channels + 1, size, generator=generator)
    back = folded(model.decode_groups(expected, None, known).groups, count)
    counts = {name: folded(numbers, count) for name, numbers in known.items()}
    state = nonsense(decoder, cells)
    for index in range(count):
        given = [each[index] for name in parts for each in (parts[name], counts[name])]
        found = decoder(*given, *state)
        torch.testing.assert_close(found[0], back[index], atol=5e-5, rtol=1e-4)
        state = (torch.tensor([False]), found[-1]) if state else ()


@pytest.mark.parametrize("velocity", [(1.25, -2.5), (0.0, 0.0), (-7.0, 5.5), (0.5, 13.0)])
def test_every_cell_is_searched_as_those_that_move_are(velocity):
    video = to_model(render(along(velocity)))
    expected = find_field(video, 4, Cells(8, 8))
    found = FlatSearch(4, 8)(rearrange(video, "1 c t h w -> 1 (t c) h w"))
    assert torch.equal(found.vectors.long(), expected.vectors[0])
    assert torch.equal(found.plain[0, 0] > 0, expected.plain[0])
    assert found.vectors.any() == any(velocity)


@torch.no_grad()
def test_the_shipped_model_along_motion(scene):
    model = tubelet.load("klt-4x8x8-motion").model
    video = scene[:, :, :4]
    expected = model.encode_groups(video, None).latents
    found = FlatMotionEncoder(model)(rearrange(video, "1 c t h w -> 1 (t c) h w"))
    for one, part in zip(found, model.parts, strict=True):
        torch.testing.assert_close(one, expected[part.name][:, :, 0], atol=5e-5, rtol=1e-4)
