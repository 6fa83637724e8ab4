"""The laws for discrete tokenizers: what holds of a latent holds of its tokens.

The same latent gives the same tokens, bit for bit. Where a law allows a latent float rounding (tiles, the
parallel path), a digit may fall to the other side of an edge that the latent lies on, and nowhere else.
"""

from itertools import pairwise

import pytest
import torch
from clips import LAW, make_clip, seeds, tiles
from hypothesis import given
from hypothesis import strategies as st

from tubelet.quantizers.digits import Digits
from tubelet.quantizers.fsq import FSQ
from tubelet.testing import ROUNDING
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.streams.state import StreamState
from tubelet.types import Stride, Video
from tubelet.video.pixels import from_model, to_model

LEVELS = (8, 8, 8, 5, 5, 5)
DEEP = {"patches": (Stride(4, 8, 8), Stride(2, 2, 2)), "coefficients": (12, 12)}
BACKBONES = {
    "network": {"encoder_blocks": 1, "decoder_blocks": 1},
    "linear": {},
    "without lead frame": {"encoder_blocks": 1, "decoder_blocks": 1, "lead_frame": False},
    "8x16x16": DEEP | {"encoder_blocks": 1, "decoder_blocks": 1},
}

FLIPS = 1e-4
"""Share of digits that may differ between two ways of computing a latent in float32; none of 10⁶ did."""

shapes = st.tuples(st.integers(1, 20), st.integers(1, 40), st.integers(1, 40))
cuts = st.lists(st.integers(0, 20), max_size=4)


@pytest.fixture(params=BACKBONES, scope="session")
def discrete(request, make_tokenizer) -> DiscreteTokenizer:
    """Each backbone in turn, with one token per position or two."""
    backbone = make_tokenizer(channels=6, width=8, **BACKBONES[request.param]).tokenizer
    quantizer = FSQ(LEVELS, tokens=2 if request.param == "8x16x16" else 1)
    return DiscreteTokenizer(backbone, quantizer).eval().requires_grad_(requires_grad=False)


def size_of(video: Video) -> dict[str, int]:
    return dict(zip(("frames", "height", "width"), video.shape[2:], strict=True))


def tokenize_in_runs(discrete: DiscreteTokenizer, video: Video, cuts=(), **options) -> Digits:
    """The digits of a clip through a stream, pushed in the pieces between `cuts`."""
    stream = discrete.stream_encoder(**options)
    edges = [0, *sorted(min(cut, video.shape[2]) for cut in cuts), video.shape[2]]
    parts = [*(stream.push(video[:, :, a:b]) for a, b in pairwise(edges)), stream.finish()]
    return torch.cat([part for part in parts if part.shape[2]], dim=2)


def detokenize_in_runs(
    discrete: DiscreteTokenizer, digits: Digits, video: Video, cuts=(), **options
) -> Video:
    """The frames of digits through a stream, pushed in the pieces between `cuts`."""
    stream = discrete.stream_decoder(**size_of(video), **options)
    edges = [0, *sorted(min(cut, digits.shape[2]) for cut in cuts), digits.shape[2]]
    return torch.cat([stream.push(digits[:, :, a:b]) for a, b in pairwise(edges)], dim=2)


def check_flips_lie_on_edges(
    discrete: DiscreteTokenizer, video: Video, digits: Digits, other: Digits
) -> None:
    """A digit differs only where the latent lies within float rounding of the edge between the two."""
    latent = discrete.backbone.encode(video)
    rounding = 2 * ROUNDING[latent.dtype] * max(1.0, float(latent.abs().max()))
    low, high = (discrete.quantizer.quantize(latent + sign * rounding) for sign in (-1, 1))
    assert digits.shape == other.shape
    assert ((digits == other) | (low != high)).all()
    assert (digits.int() - other.int()).abs().max() <= 1


@LAW
@given(shape=shapes, seed=seeds, cuts=cuts)
def test_a_cut_changes_no_token_and_no_frame(discrete, shape, seed, cuts):
    video = make_clip(discrete.backbone, shape, seed)
    digits = tokenize_in_runs(discrete, video)
    assert torch.equal(tokenize_in_runs(discrete, video, cuts), digits)
    decoded = detokenize_in_runs(discrete, digits, video)
    assert torch.equal(detokenize_in_runs(discrete, digits, video, cuts), decoded)


@LAW
@given(shape=shapes, seed=seeds)
def test_all_steps_at_once_give_the_tokens_of_a_stream_but_on_edges(discrete, shape, seed):
    video = make_clip(discrete.backbone, shape, seed)
    whole = discrete.tokenize(video).digits
    check_flips_lie_on_edges(discrete, video, whole, tokenize_in_runs(discrete, video))


@LAW
@given(shape=shapes, seed=seeds, tile=tiles)
def test_tiles_change_no_token_but_on_edges(discrete, shape, seed, tile):
    video = make_clip(discrete.backbone, shape, seed)
    tiled = tokenize_in_runs(discrete, video, tile=tile)
    check_flips_lie_on_edges(discrete, video, tokenize_in_runs(discrete, video, tile=(99, 99)), tiled)
    decoded = discrete.backbone.decode(discrete.quantizer.dequantize(tiled), **size_of(video))
    found = detokenize_in_runs(discrete, tiled, video, tile=tile)
    scale = max(1.0, float(decoded.abs().max()))
    assert (found - decoded).abs().max() <= ROUNDING[decoded.dtype] * scale


def test_tiles_and_runs_flip_a_tiny_share_of_many_digits(discrete):
    flipped = count = 0
    video = make_clip(discrete.backbone, (9, 192, 192), 0)
    whole = discrete.tokenize(video).digits
    for tile in ((99, 99), (5, 7)):
        other = tokenize_in_runs(discrete, video, cuts=(7,), tile=tile)
        flipped += int((other != whole).sum())
        count += whole.numel()
    assert flipped <= FLIPS * count


@LAW
@given(shape=shapes, seed=seeds, data=st.data())
def test_the_tokens_of_the_first_frames_are_the_first_tokens(discrete, shape, seed, data):
    video = make_clip(discrete.backbone, shape, seed)
    grouping = discrete.grouping
    steps = data.draw(st.integers(1, grouping.steps(shape[0])))
    frames = min(grouping.first_frame(steps), shape[0])
    begin = tokenize_in_runs(discrete, video[:, :, :frames])
    assert torch.equal(begin, tokenize_in_runs(discrete, video)[:, :, :steps])
    whole, first = discrete.tokenize(video), discrete.tokenize(video[:, :, :frames])
    check_flips_lie_on_edges(discrete, video[:, :, :frames], first.digits, whole.digits[:, :, :steps])
    assert first.flatten().shape[1] * whole.cells[0] == whole.flatten().shape[1] * steps


@LAW
@given(shape=shapes, seed=seeds, data=st.data())
def test_future_frames_do_not_change_past_tokens(discrete, shape, seed, data):
    video = make_clip(discrete.backbone, shape, seed)
    changed = data.draw(st.integers(0, shape[0] - 1))
    other = video.clone()
    other[:, :, changed:] = -other[:, :, changed:]
    known = discrete.grouping.step_of(changed)
    before, after = (tokenize_in_runs(discrete, each)[:, :, :known] for each in (video, other))
    assert torch.equal(before, after)


@LAW
@given(shape=shapes, seed=seeds)
def test_any_clip_comes_back_with_its_length_and_size(discrete, shape, seed):
    video = make_clip(discrete.backbone, shape, seed)
    grid = discrete.tokenize(video)
    assert (1, *grid.cells) == (1, *discrete.grouping.grid(*shape))
    decoded = discrete.detokenize(grid)
    assert decoded.shape == video.shape
    assert decoded.isfinite().all()
    assert torch.equal(discrete.backbone.decode(discrete.embed(grid), **size_of(video)), decoded)


@LAW
@given(shape=shapes, seed=seeds)
def test_detokenizing_from_any_step_gives_the_frames_of_a_full_decode(discrete, shape, seed):
    video = make_clip(discrete.backbone, shape, seed)
    digits = tokenize_in_runs(discrete, video)
    full = detokenize_in_runs(discrete, digits, video)
    grouping = discrete.grouping
    for step in range(digits.shape[2]):
        first = max(0, step - discrete.warm_up)
        stream = discrete.stream_decoder(**size_of(video), first_step=first)
        sought = stream.push(digits[:, :, first : step + 1])
        begin, end = grouping.first_frame(step), min(grouping.first_frame(step + 1), shape[0])
        assert torch.equal(sought[:, :, sought.shape[2] - (end - begin) :], full[:, :, begin:end])


@LAW
@given(shape=shapes, seed=seeds, data=st.data())
def test_streams_resumed_from_their_state_go_on_as_if_they_had_not_stopped(discrete, shape, seed, data):
    video = make_clip(discrete.backbone, shape, seed)
    digits = tokenize_in_runs(discrete, video)
    cut = data.draw(st.integers(1, shape[0]))
    stream = discrete.stream_encoder()
    before = stream.push(video[:, :, :cut])
    resumed = discrete.stream_encoder(state=StreamState.from_tensors(stream.state().to_tensors()))
    parts = [before, resumed.push(video[:, :, cut:]), resumed.finish()]
    assert torch.equal(torch.cat([part for part in parts if part.shape[2]], dim=2), digits)
    full = detokenize_in_runs(discrete, digits, video)
    step = data.draw(st.integers(1, digits.shape[2]))
    decoder = discrete.stream_decoder(**size_of(video))
    begun = decoder.push(digits[:, :, :step])
    stored = StreamState.from_tensors(decoder.state().to_tensors())
    later = discrete.stream_decoder(**size_of(video), state=stored)
    assert torch.equal(torch.cat([begun, later.push(digits[:, :, step:])], dim=2), full)
    assert later.finish().shape[2] == 0


@LAW
@given(shape=shapes, seed=seeds)
def test_frames_of_eight_bits_and_model_input_have_the_same_tokens(discrete, shape, seed):
    frames = from_model(make_clip(discrete.backbone, shape, seed))
    stream = discrete.stream_encoder()
    digits = torch.cat([stream.push_frames(frames), stream.finish()], dim=2)
    assert torch.equal(digits, tokenize_in_runs(discrete, to_model(frames)))
    decoder = discrete.stream_decoder(**size_of(to_model(frames)))
    shown = detokenize_in_runs(discrete, digits, to_model(frames))
    assert (decoder.push_frames(digits) == from_model(shown)).all()
