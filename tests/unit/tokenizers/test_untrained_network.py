import pytest
import torch

from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Stride

SIZE = {"frames": 11, "height": 21, "width": 35}


@pytest.fixture(params=[True, False], ids=["lead", "plain"])
def pair(request, make_tokenizer):
    """A linear tokenizer, and one with new networks around the same transform."""
    made = make_tokenizer(coefficients=(12,), channels=9, lead_frame=request.param)
    linear, config = made.tokenizer, made.config
    untrained = ContinuousTokenizer.of(
        type(config)(
            name="untrained",
            patches=(Stride(4, 8, 8),),
            coefficients=(12,),
            channels=9,
            lead_frame=request.param,
            width=16,
            encoder_blocks=2,
            decoder_blocks=2,
        )
    )
    untrained.model.transform.load_state_dict(linear.model.transform.state_dict())
    return linear, untrained.requires_grad_(requires_grad=False)


@pytest.fixture
def video():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(1, 3, *SIZE.values(), generator=generator) * 2 - 1


def groups_of(tokenizer, video):
    return tokenizer.grouping.group(video)


def test_its_latent_is_the_linear_one_bit_for_bit(pair, video):
    linear, untrained = pair
    expected = linear.model.encode_groups(groups_of(linear, video), None).latents["latent"]
    assert torch.equal(untrained.encode(video), expected)


@pytest.mark.parametrize("channels", [9, 4, 1])
def test_its_video_is_the_linear_one_bit_for_bit(pair, video, channels):
    linear, untrained = pair
    latent = linear.encode(video, channels=channels)
    missing = torch.zeros(1, 12 - channels, *latent.shape[2:])
    groups = linear.model.decode_groups({"latent": torch.cat([latent, missing], dim=1)}, None, {}).groups
    expected = linear.grouping.ungroup(groups, **SIZE)
    assert torch.equal(untrained.decode(latent, **SIZE), expected)


def test_its_stream_encoder_gives_the_linear_latent_bit_for_bit(pair, video):
    latents = []
    for tokenizer in pair:
        stream = tokenizer.stream_encoder(tile=(3, 5))
        latents.append(
            torch.cat([stream.push(video[:, :, :6]), stream.push(video[:, :, 6:]), stream.finish()], 2)
        )
    assert torch.equal(*latents)


def test_its_stream_decoder_gives_the_linear_video_bit_for_bit(pair, video):
    latent = pair[0].encode(video)
    videos = []
    for tokenizer in pair:
        stream = tokenizer.stream_decoder(**SIZE, tile=(3, 5))
        videos.append(torch.cat([stream.push(latent[:, :, :1]), stream.push(latent[:, :, 1:])], dim=2))
    assert torch.equal(*videos)


def test_awake_branches_do_change_the_latent(network_tokenizer, small_tokenizer, video):
    # The tests above would prove nothing if the networks were not connected.
    correction = network_tokenizer.encode(video) - small_tokenizer.encode(video)
    assert correction.abs().mean() > 0.1
