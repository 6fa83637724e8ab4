"""Law 1: encoding or decoding in pieces of any lengths gives the same result as in one go."""

import torch
from clips import LAW, make_clip, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st

from tubelet.testing import check_cut_anywhere, check_resuming
from tubelet.video.pixels import from_model, to_model


@LAW
@given(shape=shapes, seed=seeds, cuts=st.lists(st.integers(0, 40), max_size=5))
def test_pieces_of_any_lengths_give_the_bits_of_one_go(any_tokenizer, shape, seed, cuts):
    video = make_clip(any_tokenizer, shape, seed)
    check_cut_anywhere(any_tokenizer, video, cuts=[min(cut, shape[0]) for cut in cuts])


@LAW
@given(shape=shapes, seed=seeds, data=st.data())
def test_a_stream_resumed_from_its_state_goes_on_as_if_it_had_not_stopped(any_tokenizer, shape, seed, data):
    cut = data.draw(st.integers(1, shape[0]))
    check_resuming(any_tokenizer, make_clip(any_tokenizer, shape, seed), cut=cut)


@LAW
@given(shape=shapes, seed=seeds)
def test_frames_and_model_input_give_the_same_latent(tokenizer, shape, seed):
    frames = from_model(make_clip(tokenizer, shape, seed))
    by_frames, by_video = tokenizer.stream_encoder(), tokenizer.stream_encoder()
    first = torch.cat([by_frames.push_frames(frames), by_frames.finish()], dim=2)
    second = torch.cat([by_video.push(to_model(frames).to(tokenizer.dtype)), by_video.finish()], dim=2)
    assert torch.equal(first, second)


def test_a_stream_does_not_change_with_the_callers_buffer(tokenizer):
    video = make_clip(tokenizer, (3, 20, 20), 0)
    honest, reused = tokenizer.stream_encoder(), tokenizer.stream_encoder()
    expected = torch.cat([honest.push(video), honest.finish()], dim=2)
    buffer = video.clone()
    first = reused.push(buffer)
    buffer.zero_()
    assert torch.equal(torch.cat([first, reused.finish()], dim=2), expected)
