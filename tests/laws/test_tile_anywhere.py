"""Law 2: spatial tiles give the same result as the whole frame: no blending, no seams, at any budget."""

import numpy as np
import pytest
import torch
from clips import LAW, make_clip, seeds, small_shapes, tiles
from hypothesis import given
from random_tokenizers import make_motion_network, make_motion_tokenizer

from tubelet.errors import OptionError
from tubelet.testing import check_tile_anywhere


@LAW
@given(shape=small_shapes, seed=seeds, tile=tiles)
def test_tiles_of_any_size_give_the_whole_frame(any_tokenizer, shape, seed, tile):
    check_tile_anywhere(any_tokenizer, make_clip(any_tokenizer, shape, seed), tile=tile)


@pytest.mark.parametrize("make", [make_motion_tokenizer, make_motion_network])
def test_tiles_give_the_whole_of_a_clip_wider_than_all_that_a_cell_depends_on(make):
    """Small clips do not tell a halo that is too small: in each tile lies most of them."""
    tokenizer = make()
    halo = max(tokenizer.model.encoder_halo, tokenizer.model.decoder_halo)
    width, shift = 8 * (2 * halo + 12), 9
    still = torch.rand(1, 3, 1, 6, (width + 4 * shift) // 4 + 1, generator=torch.Generator().manual_seed(2))
    still = still.repeat_interleave(4, dim=3).repeat_interleave(4, dim=4) * 2 - 1
    video = torch.cat([still[..., shift * t : width + shift * t] for t in range(5)], dim=2)
    # Far enough that vectors reach as far as they can.
    assert tokenizer.encode_parts(video)["motion"].abs().max() >= 3 * shift - 1
    check_tile_anywhere(tokenizer, video, tile=(2, 5))


def test_eight_bit_frames_differ_by_one_level_on_fewer_than_one_sample_in_ten_thousand(tokenizer):
    video = make_clip(tokenizer, (5, 96, 112), 3)
    latent = tokenizer.encode(video)
    size = {"height": 96, "width": 112, "frames": 5}
    whole = tokenizer.stream_decoder(**size, tile=(99, 99)).push_frames(latent)
    tiled = tokenizer.stream_decoder(**size, tile=(2, 3)).push_frames(latent)
    difference = np.abs(whole.astype(int) - tiled)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-4


def test_any_budget_that_holds_one_tile_gives_the_same_latent(tokenizer):
    video = make_clip(tokenizer, (9, 70, 66), 5)
    expected = tokenizer.encode(video)
    for memory in (1 << 22, 1 << 24, 1 << 30):
        stream = tokenizer.stream_encoder(memory=memory)
        latent = torch.cat([stream.push(video), stream.finish()], dim=2)
        torch.testing.assert_close(latent, expected, rtol=1e-4, atol=1e-4)


def test_a_budget_that_holds_no_tile_is_refused_with_the_amount_that_would_do(tokenizer):
    if not tokenizer.model.networks():
        pytest.skip("a linear tokenizer works on single positions: every budget holds one")
    with pytest.raises(OptionError, match=r"memory is 1000 bytes.*takes \d+"):
        tokenizer.stream_encoder(memory=1000).push(make_clip(tokenizer, (1, 70, 70), 0))
