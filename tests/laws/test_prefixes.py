"""Law 7: the first k channels of a latent are a valid latent of k channels."""

import torch
from clips import LAW, make_clip, seeds, small_shapes
from hypothesis import given
from hypothesis import strategies as st

import tubelet
from tubelet.testing import check_prefixes


@LAW
@given(shape=small_shapes, seed=seeds, channels=st.integers(1, 12))
def test_the_first_channels_are_the_latent_of_so_many_channels(tokenizer, shape, seed, channels):
    check_prefixes(tokenizer, make_clip(tokenizer, shape, seed), channels=channels)


@LAW
@given(shape=small_shapes, seed=seeds)
def test_each_channel_of_a_linear_latent_brings_the_clip_closer(shape, seed):
    tokenizer = tubelet.load("klt-4x8x8")
    whole = tuple(side + -side % 8 for side in shape[1:])
    frames = 1 + 4 * (shape[0] // 4)
    video = make_clip(tokenizer, (frames, *whole), seed)
    latent = tokenizer.encode(video)[:, :, 1:]
    if not latent.shape[2]:
        return
    later = tubelet.load("klt-4x8x8", lead_frame=False)
    size = {"frames": frames - 1, "height": whole[0], "width": whole[1]}
    errors = [
        float((later.decode(latent[:, :kept], **size) - video[:, :, 1:]).square().mean())
        for kept in (1, 2, 4, 8, 16, 32, 64)
    ]
    assert all(torch.tensor(errors).diff() <= 1e-7)
