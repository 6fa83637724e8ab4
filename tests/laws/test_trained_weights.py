"""The laws on the weights that are shipped, in float32 as stated, and with networks in bfloat16.

One clip of a size that shows every border: a lead frame, full groups, a group that is not full; tiles that
cut the receptive field. The random networks of the other law tests see many more shapes.
"""

import pytest
import torch

import tubelet
from tubelet.checkpoint import architecture
from tubelet.testing import (
    check_any_clip,
    check_causality,
    check_cut_anywhere,
    check_prefixes,
    check_refuses_nan,
    check_resuming,
    check_seek_anywhere,
    check_state_is_bounded,
    check_tile_anywhere,
    check_tokenizer,
    decode_in_runs,
    encode_in_runs,
)
from tubelet.tokenizers.continuous import ContinuousTokenizer

DISCRETE = [name for name in tubelet.shipped() if architecture(name) == "discrete"]
NETWORKS = [
    name for name in tubelet.shipped() if name not in DISCRETE and tubelet.load(name).model.networks()
]
SEVERAL = [name for name in NETWORKS if len(tubelet.load(name).parts) > 1]
TRAINED = DISCRETE + [name for name in NETWORKS if name not in SEVERAL]

HALF = 2.0**-5
"""What tiles may differ by with networks in bfloat16, in units of the largest value. Eight bits of mantissa
round a correction by 2⁻⁹ in each of twenty layers, and another order of summation may round otherwise."""


def backbone(name: str) -> ContinuousTokenizer:
    """A continuous tokenizer, or what a discrete one quantises the latent of."""
    return tubelet.load_discrete(name).backbone if name in DISCRETE else tubelet.load(name)


@pytest.fixture(scope="module", params=TRAINED)
def tokenizer(request: pytest.FixtureRequest) -> ContinuousTokenizer:
    return backbone(request.param)


@pytest.fixture(scope="module", params=TRAINED)
def halved(request: pytest.FixtureRequest) -> ContinuousTokenizer:
    return backbone(request.param).networks_to(torch.bfloat16)


@pytest.fixture(scope="module")
def video() -> torch.Tensor:
    """Smooth colours that move, with a little noise: what the networks were trained for, nearly."""
    t, y, x = torch.meshgrid(torch.arange(11), torch.arange(45), torch.arange(52), indexing="ij")
    waves = [torch.sin(x / 9 + t / 3), torch.cos(y / 7 - t / 4), torch.sin((x + y) / 12)]
    noise = torch.randn(1, 3, 11, 45, 52, generator=torch.Generator().manual_seed(0))
    return (0.7 * torch.stack(waves)[None] + 0.05 * noise).clamp(-1, 1)


def test_there_are_trained_weights():
    assert TRAINED


def test_every_law_that_one_clip_can_show_holds(tokenizer, video):
    check_any_clip(tokenizer, video)
    check_cut_anywhere(tokenizer, video, cuts=[1, 6])
    check_tile_anywhere(tokenizer, video, tile=(3, 4))
    check_causality(tokenizer, video, changed=7)
    check_seek_anywhere(tokenizer, video)
    check_prefixes(tokenizer, video, channels=min(16, tokenizer.channels))
    check_resuming(tokenizer, video, cut=6)
    check_state_is_bounded(tokenizer, video)
    check_refuses_nan(tokenizer, video)


@pytest.mark.parametrize("name", SEVERAL)
def test_every_law_holds_for_latents_of_several_parts(name):
    check_tokenizer(tubelet.load(name), generator=torch.Generator().manual_seed(3), clips=1)


@pytest.mark.parametrize("cuts", [[1], [3, 6], list(range(1, 11))])
def test_in_bfloat16_streams_are_the_same_bit_for_bit_however_they_are_cut(halved, video, cuts):
    latent = encode_in_runs(halved, video, [])
    assert torch.equal(encode_in_runs(halved, video, cuts), latent)
    decoded = decode_in_runs(halved, latent, video, [])
    assert torch.equal(decode_in_runs(halved, latent, video, [1, 3]), decoded)


def test_in_bfloat16_tiles_differ_by_its_rounding_only(halved, video):
    latent = halved.encode(video)
    tiled = encode_in_runs(halved, video, [], tile=(3, 4))
    assert (tiled - latent).abs().max() <= HALF * latent.abs().max()
    whole = decode_in_runs(halved, latent, video, [])
    parts = decode_in_runs(halved, latent, video, [], tile=(3, 4))
    assert (parts - whole).abs().max() <= HALF


@pytest.mark.parametrize("name", TRAINED)
def test_bfloat16_costs_little(name, video):
    size = {"frames": 11, "height": 45, "width": 52}
    tokenizer = backbone(name)
    with torch.no_grad():
        error = (tokenizer.decode(tokenizer.encode(video), **size) - video).square().mean()
        tokenizer.networks_to(torch.bfloat16)
        rounded = (tokenizer.decode(tokenizer.encode(video), **size) - video).square().mean()
    assert rounded < 1.1 * error + 1e-5


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.parametrize("cuts", [[1], [3, 6], list(range(1, 11))])
def test_a_cut_changes_no_token(name, cuts, video):
    tokenizer = tubelet.load_discrete(name)

    def digits(places: list[int]) -> torch.Tensor:
        stream = tokenizer.stream_encoder()
        runs = [stream.push(part) for part in torch.tensor_split(video, places, dim=2)]
        return torch.cat([*runs, stream.finish()], dim=2)

    assert torch.equal(digits(cuts), digits([]))


def test_the_past_of_trained_networks_matters(tokenizer, video):
    # Causality and seeking would prove nothing about networks that do not look back.
    if not tokenizer.warm_up:
        pytest.skip("this tokenizer sees every step by itself")
    latent = tokenizer.encode(video)
    cold = tokenizer.model.decode_groups({"latent": latent[:, :, 2:]}, None, {}).groups
    warm = tokenizer.model.decode_groups({"latent": latent}, None, {}).groups[:, :, 2 * tokenizer.stride.t :]
    assert (cold - warm).abs().max() > 1e-3
