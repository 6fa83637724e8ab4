"""Models along motion: what vectors are found, what they do, and what their edits do."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from einops import rearrange, repeat
from rendered import SIDE, along, render

from tubelet.errors import OptionError
from tubelet.models.motion.config import MotionConfig
from tubelet.models.motion.model import CONTENT, MOTION
from tubelet.models.motion.warp import Cells, displacements, quarters
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Stride
from tubelet.video.pixels import from_model, to_model

CELL = Cells(8, 8)
ALL = MotionConfig(name="all", channels=768, lead_frame=False)
"""Keeps every coefficient, so that nothing but motion changes pixels."""


@pytest.fixture(scope="module")
def tokenizer():
    return ContinuousTokenizer.of(ALL).requires_grad_(requires_grad=False).eval()


def psnr(found, expected):
    return 10 * np.log10(255**2 / max(1e-6, np.mean((found.astype(float) - expected) ** 2)))


def decoded(tokenizer, latents, frames):
    length, height, width = frames.shape[:3]
    return from_model(tokenizer.decode_parts(latents, frames=length, height=height, width=width))


@pytest.mark.parametrize("velocity", [(0, 3), (-2, 0), (1.25, -2.5), (0.5, 0.75), (-2.25, 5)])
def test_what_moves_is_found_within_three_tenths_of_a_pixel(tokenizer, velocity):
    places = along(velocity)
    motion = tokenizer.encode_parts(to_model(render(places)))[MOTION]
    fields = rearrange(motion, "1 (k two) 1 h w -> k two h w", two=2)
    for step, (field, (top, left)) in enumerate(zip(fields, places[1:], strict=True), start=1):
        # Cells that are inside of the square, whole, in this frame.
        rows = slice(int(-(-top // 8)), int((top + SIDE) // 8))
        columns = slice(int(-(-left // 8)), int((left + SIDE) // 8))
        truth = torch.tensor([velocity[1], velocity[0]]) * step
        errors = (field[:, rows, columns] - truth[:, None, None]).norm(dim=0)
        assert float(errors.mean()) <= 0.3
        still = field.clone()
        still[:, max(rows.start - 1, 0) : rows.stop + 1, max(columns.start - 1, 0) : columns.stop + 1] = 0
        assert not still[:, 0].any() and not still[:, :, -1].any()


def test_frames_that_stand_still_have_no_motion_and_the_plain_transform(tokenizer):
    frames = render([(18, 30)] * 4)
    latents = tokenizer.encode_parts(to_model(frames))
    assert not latents[MOTION].any()
    groups = tokenizer.grouping.group(to_model(frames))
    assert torch.equal(latents[CONTENT], tokenizer.model.transform(groups))


def test_bending_undoes_straightening(tokenizer):
    generator = torch.Generator().manual_seed(3)
    model = tokenizer.model
    groups = torch.rand(2, 3, 8, 24, 40, generator=generator, dtype=torch.float64)
    vectors = torch.randint(-130, 131, (4, 3, 2, 3, 5), generator=generator)
    straight = model.straightened(groups, vectors)
    assert not torch.allclose(straight, groups)
    assert float((model.bent(straight, vectors) - groups).abs().max()) < 1e-12


def test_displaced_blocks_are_what_their_definition_says():
    """Pixel by pixel: blocks of twice a cell's side, weighted by distance from their middles."""
    generator = torch.Generator().manual_seed(4)
    first = torch.rand(1, 2, 16, 24, generator=generator, dtype=torch.float64)
    vectors = 4 * torch.randint(-9, 10, (1, 1, 2, 2, 3), generator=generator)
    expected = torch.zeros(2, 16, 24, dtype=torch.float64)
    for i in range(-1, 3):
        for j in range(-1, 4):
            down, right = vectors[0, 0, :, min(max(i, 0), 1), min(max(j, 0), 2)].tolist()
            for y in range(8 * i - 4, 8 * i + 12):
                for x in range(8 * j - 4, 8 * j + 12):
                    if not (0 <= y < 16 and 0 <= x < 24):
                        continue
                    weight = (1 - abs(y + 0.5 - 8 * i - 4) / 8) * (1 - abs(x + 0.5 - 8 * j - 4) / 8)
                    there = first[0, :, min(max(y + down // 4, 0), 15), min(max(x + right // 4, 0), 23)]
                    expected[:, y, x] += weight * (there - first[0, :, y, x])
    assert torch.allclose(displacements(first, vectors, CELL)[0, 0], expected, atol=1e-12)


def test_between_pixels_a_wave_goes_on():
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")

    def wave(down, right):
        return torch.sin((y + down) / 5 + (x + right) / 4)

    vectors = quarters(repeat(torch.tensor([1.75, -3.25]), "two -> 1 1 two 8 8"))
    first = wave(0, 0)[None, None]
    moved = first + displacements(first, vectors, CELL)[:, 0]
    inside = (..., slice(8, -8), slice(8, -8))
    assert float((moved[0, 0] - wave(1.75, -3.25))[inside].abs().max()) < 0.01


EDITS = {"freeze": 0.0, "reverse": -1.0, "exaggerate": 2.0}


@pytest.mark.parametrize("factor", EDITS.values(), ids=EDITS)
def test_scaled_vectors_move_the_square_as_far(tokenizer, factor):
    velocity = (1.5, -2.0)
    frames = render(along(velocity))
    latents = tokenizer.encode_parts(to_model(frames))
    edited = decoded(tokenizer, latents | {MOTION: factor * latents[MOTION]}, frames)
    truth = render(along((factor * velocity[0], factor * velocity[1])))
    # The middle of the square, which no edge and nothing that comes into view touches.
    middle = (slice(None), slice(40, 56), slice(48, 64))
    assert psnr(edited[middle], truth[middle]) > 30
    assert psnr(edited[middle], truth[middle]) > psnr(frames[middle], truth[middle]) + 10


def test_vectors_of_one_clip_move_the_first_frame_of_another(tokenizer):
    still = render([(18, 30)] * 4)
    moving = tokenizer.encode_parts(to_model(render(along((0, 3)))))
    latents = tokenizer.encode_parts(to_model(still)) | {MOTION: moving[MOTION]}
    found, truth = decoded(tokenizer, latents, still), render(along((0, 3)))
    middle = (slice(None), slice(30, 62), slice(48, 80))
    assert psnr(found[middle], truth[middle]) > 30


def test_given_vectors_are_taken_and_rounded_to_quarters(tokenizer):
    frames = render(along((0, 2)))
    groups = tokenizer.grouping.group(to_model(frames))
    given = torch.full((1, 6, 1, 12, 16), 1.3)
    latents = tokenizer.model.encode_along(groups, given)
    assert torch.equal(latents[MOTION], torch.full_like(given, 1.25))
    assert psnr(decoded(tokenizer, latents, frames), frames) > 60


def test_motion_beyond_reach_ends_there(tokenizer):
    frames = render(along((0, 2)))
    latents = tokenizer.encode_parts(to_model(frames))
    far, farther = (
        decoded(tokenizer, latents | {MOTION: torch.full_like(latents[MOTION], pixels)}, frames)
        for pixels in (30.0, 1e6)
    )
    assert np.array_equal(far, farther)


def test_missing_channels_of_motion_stand_still(tokenizer):
    frames = render(along((0, 2)))
    latents = tokenizer.encode_parts(to_model(frames))
    some = latents[MOTION].clone()
    some[:, 2:] = 0
    expected = decoded(tokenizer, latents | {MOTION: some}, frames)
    assert np.array_equal(decoded(tokenizer, latents | {MOTION: latents[MOTION][:, :2]}, frames), expected)


@pytest.mark.parametrize("patch", [Stride(1, 8, 8), Stride(4, 6, 8), Stride(4, 64, 8)])
def test_strides_that_motion_has_not_are_refused(patch):
    with pytest.raises(OptionError, match=f"stride is {patch}"):
        replace(ALL, patch=patch).build()
