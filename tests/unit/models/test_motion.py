"""Models along motion: what vectors are found, what they do, and what their edits do."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from einops import rearrange, repeat
from rendered import SIDE, along, render

from tubelet.errors import OptionError
from tubelet.models.motion.config import MotionConfig
from tubelet.models.motion.matcher import Field
from tubelet.models.motion.model import CONTENT, MOTION, PLAIN
from tubelet.models.motion.search import find_field
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
    assert not latents[PLAIN].any()
    assert torch.allclose(latents[CONTENT], tokenizer.model.transform.along(groups), atol=1e-5)


CUT = repeat(
    np.random.default_rng(6).integers(0, 256, (2, 48, 64, 3), np.uint8), "t h w c -> (t 2) (h 2) (w 2) c"
)
"""Two pictures of noise, two frames each: nothing of the first is in the second."""


def test_what_cannot_be_followed_is_plain(tokenizer):
    latents = tokenizer.encode_parts(to_model(CUT))
    plain = latents[PLAIN][0, 0, 0].bool()
    assert float(plain.float().mean()) > 0.8
    # Noise is like noise elsewhere here and there, so that a vector leaves half.
    assert float((latents[MOTION][0, :, 0, plain] != 0).float().mean()) < 0.1
    for moving in (along((0, 3)), along((0.5, 0.75))):
        inside_the_square = (0, 0, 0, slice(4, 8), slice(6, 9))
        assert not tokenizer.encode_parts(to_model(render(moving)))[PLAIN][inside_the_square].any()


def test_vectors_that_are_given_where_they_lead_nowhere_are_kept_and_the_cells_are_plain(tokenizer):
    groups = tokenizer.grouping.group(to_model(CUT))
    given = torch.full((1, 6, 1, 12, 16), 2.5)
    latents = tokenizer.model.encode_along(groups, given)
    assert torch.equal(latents[MOTION], given)
    assert float(latents[PLAIN].mean()) > 0.8
    assert psnr(decoded(tokenizer, latents, CUT), CUT) > 60


def test_plain_cells_are_coded_as_they_are_with_a_basis_of_their_own(tokenizer):
    """Position by position, with bases and deviations of random numbers."""
    model = ContinuousTokenizer.of(replace(ALL, channels=6)).requires_grad_(requires_grad=False).model
    generator = torch.Generator().manual_seed(8)
    for basis in (model.transform.along.basis, model.transform.plain.basis):
        basis.copy_(torch.linalg.qr(torch.randn(768, 6, generator=generator))[0].T)
    model.transform.deviation.copy_(torch.rand(6, generator=generator) + 0.5)
    scene = np.concatenate([render(along((0, 3)))[:, :48], CUT[:, 48:]], axis=1)
    groups = tokenizer.grouping.group(to_model(scene))
    latents = model.encode_groups(groups, None).latents
    field = find_field(groups, 4, CELL)
    straight = model.straightened(groups, field).flatten(3)
    assert 0.2 < float(field.plain.float().mean()) < 0.8 and field.vectors.any()
    back = model.transform.inverse(rearrange(latents[CONTENT], "1 k 1 h w -> 1 h w k"), field.plain)
    for i, j in np.ndindex(12, 16):
        here = groups[0, :, :, 8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
        plain = bool(field.plain[0, i, j])
        level = model.transform.plain if plain else model.transform.along
        if plain:
            assert torch.equal(straight[0, i, j], rearrange(here, "c t h w -> (t h w c)"))
        expected = level.basis @ (straight[0, i, j] - level.mean) / model.transform.deviation
        assert torch.allclose(latents[CONTENT][0, :, 0, i, j], expected, atol=1e-4)
        projected = level.basis.T @ (expected * model.transform.deviation) + level.mean
        assert torch.allclose(back[0, i, j], projected, atol=1e-4)


def test_bending_undoes_straightening(tokenizer):
    generator = torch.Generator().manual_seed(3)
    model = tokenizer.model
    groups = torch.rand(2, 3, 8, 24, 40, generator=generator, dtype=torch.float64)
    vectors = torch.randint(-120, 121, (4, 3, 2, 3, 5), generator=generator)
    field = Field(vectors, torch.rand(4, 3, 5, generator=generator) < 0.3)
    straight = model.straightened(groups, field)
    before = model.straightened(groups, Field(torch.zeros_like(vectors), field.plain))
    assert torch.equal(straight[field.plain], before[field.plain])
    assert not torch.allclose(straight, before)
    assert float((model.bent(straight, field) - before).abs().max()) < 1e-12


def added(first, vectors):
    """What is displaced of one image, as an image."""
    colours, (rows, columns) = first.shape[1], (side // 8 for side in first.shape[2:])
    cells = rearrange(first, "1 c (h H) (w W) -> 1 h w 1 (H W c)", H=8, W=8)
    total = torch.zeros(rows * columns * 2, 64 * colours, dtype=first.dtype)
    for some in displacements(torch.cat([cells, cells], dim=3), vectors, CELL):
        total[some.rows] += some.differences
    back = total.unflatten(0, (rows, columns, 2))[:, :, 1]
    return rearrange(back, "h w (H W c) -> c (h H) (w W)", H=8, W=8)


def test_displaced_blocks_are_what_their_definition_says():
    """Pixel by pixel, beyond the borders too."""
    generator = torch.Generator().manual_seed(4)
    first = torch.rand(1, 3, 16, 24, generator=generator, dtype=torch.float64)
    vectors = 4 * torch.randint(-30, 31, (1, 1, 2, 2, 3), generator=generator)
    expected = torch.zeros(3, 16, 24, dtype=torch.float64)
    for y, x in np.ndindex(16, 24):
        down, right = vectors[0, 0, :, y // 8, x // 8].tolist()
        there = first[0, :, min(max(y + down // 4, 0), 15), min(max(x + right // 4, 0), 23)]
        expected[:, y, x] = there - first[0, :, y, x]
    assert torch.allclose(added(first, vectors), expected, atol=1e-12)


def test_between_pixels_a_wave_goes_on():
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")

    def wave(down, right):
        return torch.sin((y + down) / 5 + (x + right) / 4)

    vectors = quarters(repeat(torch.tensor([1.75, -3.25]), "two -> 1 1 two 8 8"))
    first = wave(0, 0)[None, None]
    moved = first[0] + added(first, vectors)
    inside = (..., slice(8, -8), slice(8, -8))
    assert float((moved[0] - wave(1.75, -3.25))[inside].abs().max()) < 0.01


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
