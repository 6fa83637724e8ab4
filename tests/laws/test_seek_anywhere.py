"""Law 6: decoding may start at any latent step after warming up, and gives the same frames."""

from clips import LAW, make_clip, seeds, small_shapes
from hypothesis import given

from tubelet.testing import check_seek_anywhere


@LAW
@given(shape=small_shapes, seed=seeds)
def test_decoding_from_any_step_gives_the_frames_of_a_full_decode(any_tokenizer, shape, seed):
    check_seek_anywhere(any_tokenizer, make_clip(any_tokenizer, shape, seed))
