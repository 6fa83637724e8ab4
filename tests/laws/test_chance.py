"""Law 12: what a flow makes up depends on the seed and the place in the frame, and on nothing else."""

import pytest
import torch
from clips import LAW, make_clip, seeds, tiles
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tokenizers import make_flow, make_tokenizer

from tubelet.errors import OptionError
from tubelet.models.flow.model import FlowModel
from tubelet.testing import LawBrokenError, check_chance, check_tokenizer
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.save import fingerprint

FLOWS = {
    "float32": make_flow,
    "float64 without lead frame": lambda: make_flow(dtype=torch.float64, lead_frame=False),
}


@pytest.fixture(params=FLOWS, scope="module")
def flow(request: pytest.FixtureRequest) -> ContinuousTokenizer:
    return FLOWS[request.param]()


def decode(tokenizer: ContinuousTokenizer, latent: torch.Tensor) -> torch.Tensor:
    return tokenizer.decode(latent, frames=9, height=20, width=28)


def latent_of(tokenizer: ContinuousTokenizer) -> torch.Tensor:
    return tokenizer.encode(make_clip(tokenizer, (9, 20, 28), 0))


@settings(LAW, max_examples=3)
@given(
    shape=st.tuples(st.integers(1, 13), st.integers(1, 60), st.integers(1, 60)),
    seed=seeds,
    steps=st.integers(1, 4),
    tile=tiles,
)
def test_streams_tiles_seeks_and_batches_give_the_video_of_the_whole_clip(flow, shape, seed, steps, tile):
    check_chance(flow, make_clip(flow, shape, seed), steps=steps, seed=seed, tile=tile)


def test_the_law_is_among_those_of_every_tokenizer_and_can_be_broken(monkeypatch):
    tokenizer = make_flow()
    check_tokenizer(tokenizer, generator=torch.Generator().manual_seed(0), clips=1)
    noise = FlowModel.noise

    def by_tile(model, rows, columns):
        return noise(model, slice(0, rows.stop - rows.start), columns)

    monkeypatch.setattr(FlowModel, "noise", by_tile)
    with pytest.raises(LawBrokenError, match=r"law 12 .*in tiles"):
        check_chance(tokenizer, make_clip(tokenizer, (5, 120, 20), 0), steps=2, seed=0, tile=(2, 2))


def test_a_seed_decides_and_nothing_else_does():
    tokenizer = make_flow()
    latent = latent_of(tokenizer)
    videos = [decode(tokenizer.refined(3, seed=seed), latent) for seed in (0, 1, 0)]
    assert torch.equal(videos[0], videos[2])
    assert float((videos[0] - videos[1]).abs().max()) > 1e-2


def test_in_no_step_it_is_the_frozen_tokenizer_bit_for_bit():
    tokenizer = make_flow()
    base = ContinuousTokenizer(tokenizer.model.base)
    latent = latent_of(tokenizer)
    assert torch.equal(latent, latent_of(base))
    assert torch.equal(decode(tokenizer, latent), decode(base, latent))
    assert torch.equal(decode(tokenizer.refined(4, seed=1).refined(0), latent), decode(base, latent))
    streams = [each.stream_decoder(height=20, width=28, frames=9) for each in (tokenizer, base)]
    assert torch.equal(*(stream.push(latent) for stream in streams))


def test_refining_leaves_the_tokenizer_as_it_was_and_who_it_is():
    tokenizer = make_flow()
    refined = tokenizer.refined(5, seed=2)
    assert (tokenizer.model.refine, refined.model.refine, refined.model.seed) == (0, 5, 2)
    assert refined.decode is not tokenizer.decode
    assert refined.config == tokenizer.config
    one, other = (fingerprint(each.config, each.weights()) for each in (tokenizer, refined))
    assert one == other
    # Each step of the flow looks further, so a tile needs a wider halo; it remembers nothing.
    assert refined.model.decoder_halo > tokenizer.model.decoder_halo
    assert refined.warm_up == tokenizer.warm_up


def test_what_does_not_change_is_refined_to_what_does_not_change():
    tokenizer = make_flow().refined(3, seed=4)
    still = torch.zeros(1, 12, 6, 3, 4)
    steps = tokenizer.decode(still, frames=21, height=24, width=32)[:, :, 1:].unflatten(2, (5, 4))
    later = steps[:, :, 2:]
    assert torch.equal(later, later[:, :, :1].expand_as(later))


@pytest.mark.parametrize(
    ("steps", "seed", "message"),
    [
        (-1, 0, "refine is -1"),
        (65, 0, "0 to 64"),
        (4, -1, "seed is -1"),
        (4, 2**63, "2.63 - 1"),
    ],
)
def test_numbers_out_of_range_are_refused(steps, seed, message):
    with pytest.raises(OptionError, match=message):
        make_flow().refined(steps, seed=seed)


def test_a_tokenizer_without_a_flow_refines_in_no_step_only():
    tokenizer = make_tokenizer(blocks=1)
    latent = latent_of(tokenizer)
    assert torch.equal(decode(tokenizer.refined(0, seed=3), latent), decode(tokenizer, latent))
    with pytest.raises(OptionError, match=r"no flow .*tubelet train flow"):
        tokenizer.refined(4)
