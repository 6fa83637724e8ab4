"""Law 4: any length from one frame, any size from one pixel; an image is a clip of one frame."""

import numpy as np
import pytest
import torch
from clips import LAW, make_clip, seeds, shapes
from hypothesis import given

import tubelet
from tubelet.errors import LatentError, OptionError, ShapeError
from tubelet.testing import check_any_clip


@LAW
@given(shape=shapes, seed=seeds)
def test_any_clip_comes_back_with_its_length_and_size(any_tokenizer, shape, seed):
    check_any_clip(any_tokenizer, make_clip(any_tokenizer, shape, seed))


@LAW
@given(shape=shapes, seed=seeds)
def test_streams_give_back_exactly_the_frames_that_went_in(tokenizer, shape, seed):
    video = make_clip(tokenizer, shape, seed)
    encoder = tokenizer.stream_encoder()
    latent = torch.cat([encoder.push(video), encoder.finish()], dim=2)
    decoder = tokenizer.stream_decoder(frames=shape[0], height=shape[1], width=shape[2])
    assert decoder.push(latent).shape == video.shape
    assert decoder.finish().shape[2] == 0


def test_twenty_four_frames_of_1080p_are_4x6x135x240_without_a_lead_frame():
    tokenizer = tubelet.load(lead_frame=False)
    video = torch.zeros(1, 3, 24, 1080, 1920)
    assert tokenizer.encode(video, channels=4).shape == (1, 4, 6, 135, 240)


def test_four_n_plus_one_frames_are_n_plus_one_steps_with_a_lead_frame():
    tokenizer = tubelet.load("klt-4x8x8")
    assert [tokenizer.grouping.steps(frames) for frames in (1, 2, 5, 6, 33)] == [1, 2, 2, 3, 9]


@pytest.mark.parametrize("shape", [(1, 3, 0, 8, 8), (1, 3, 4, 0, 8), (1, 4, 4, 8, 8), (3, 4, 8, 8)])
def test_what_is_no_clip_is_refused_with_its_shape(shape):
    encode = tubelet.load("klt-4x8x8").encode
    with pytest.raises((ShapeError, TypeError)):
        getattr(encode, "__wrapped__", encode)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("frames", "height", "width"), [(4, 16, 16), (10, 16, 16), (5, 17, 16), (5, 16, 24), (0, 16, 16)]
)
def test_a_latent_of_another_clip_is_refused(frames, height, width):
    tokenizer = tubelet.load("klt-4x8x8")
    latent = tokenizer.encode(torch.zeros(1, 3, 5, 16, 16))
    if tokenizer.grouping.steps(frames) == latent.shape[2] and (height, width) == (16, 16):
        assert tokenizer.decode(latent, frames=frames, height=height, width=width).shape[2] == frames
        return
    with pytest.raises(ShapeError, match="give the size of the encoded clip"):
        tokenizer.decode(latent, frames=frames, height=height, width=width)


def test_a_latent_of_no_clip_is_refused():
    tokenizer, latent = tubelet.load("klt-4x8x8"), torch.zeros(0, 16, 2, 2, 2)
    with pytest.raises(ShapeError, match=r"\(0, 16, 2, 2, 2\), of no clip"):
        tokenizer.decode(latent, frames=5, height=16, width=16)
    with pytest.raises(ShapeError, match="of no clip"):
        tokenizer.stream_decoder(height=16, width=16).push(latent)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_latent_that_is_no_number_is_refused(value):
    tokenizer = tubelet.load("klt-4x8x8")
    latent = tokenizer.encode(torch.zeros(1, 3, 5, 16, 16))
    latent[0, 3, 1, 0, 1] = value
    with pytest.raises(LatentError, match="1 of 512 values"):
        tokenizer.decode(latent, frames=5, height=16, width=16)
    with pytest.raises(LatentError):
        tokenizer.stream_decoder(height=16, width=16).push(latent)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((2, 8, 8, 4), np.uint8),
    ],
)
def test_frames_of_another_kind_are_refused(frames):
    push = type(tubelet.load("klt-4x8x8").stream_encoder()).push_frames
    with pytest.raises(ShapeError, match="they must be uint8"):
        getattr(push, "__wrapped__", push)(tubelet.load("klt-4x8x8").stream_encoder(), frames)


def test_frames_that_may_not_be_written_or_are_turned_are_taken_as_they_are():
    frames = np.random.default_rng(0).integers(0, 256, (1, 9, 9, 3), dtype=np.uint8)
    turned = np.ascontiguousarray(frames[:, ::-1])[:, ::-1]
    turned.flags.writeable = False
    streams = [tubelet.load("klt-4x8x8").stream_encoder() for _ in range(2)]
    latents = [
        torch.cat([stream.push_frames(clip), stream.finish()], dim=2)
        for stream, clip in zip(streams, (frames, turned), strict=True)
    ]
    assert torch.equal(*latents)


def test_frames_and_model_input_do_not_mix_in_a_group():
    stream = tubelet.load("klt-4x8x8").stream_encoder()
    stream.push(torch.zeros(1, 3, 2, 8, 8))
    with pytest.raises(ShapeError, match="a group is of one kind"):
        stream.push_frames(np.zeros((1, 8, 8, 3), np.uint8))


def test_more_channels_than_there_are_is_refused():
    with pytest.raises(OptionError, match="channels is 65; this tokenizer has 1 to 64"):
        tubelet.load("klt-4x8x8").encode(torch.zeros(1, 3, 1, 8, 8), channels=65)
