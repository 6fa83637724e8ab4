"""Laws 1, 2 and 6 for counts per position, and for distributions of the latent."""

import pytest
import torch
from clips import LAW, make_clip, seeds, small_shapes, tiles
from hypothesis import given
from hypothesis import strategies as st
from parts_model import PartsModel
from random_tokenizers import make_tokenizer

from tubelet.testing import LAWS, Draw, LawBrokenError, check_counts, check_posterior
from tubelet.tokenizers.continuous import ContinuousTokenizer

VARIATIONAL = {
    "network": lambda: make_tokenizer(blocks=1, variational=True),
    "network without lead frame": lambda: make_tokenizer(blocks=1, variational=True, lead_frame=False),
}


@pytest.fixture(params=VARIATIONAL, scope="module")
def variational(request):
    return VARIATIONAL[request.param]()


@LAW
@given(shape=small_shapes, seed=seeds, tile=tiles)
def test_counts_in_streams_and_tiles_give_the_whole(any_tokenizer, shape, seed, tile):
    video = make_clip(any_tokenizer, shape, seed)
    generator = torch.Generator().manual_seed(seed)
    known = {
        name: torch.randint(0, latent.shape[1] + 1, (1, 1, *latent.shape[2:]), generator=generator)
        for name, latent in any_tokenizer.encode_parts(video).items()
    }
    check_counts(any_tokenizer, video, known=known, tile=tile)


@LAW
@given(shape=small_shapes, seed=seeds, tile=tiles, data=st.data())
def test_distributions_in_streams_and_tiles_are_those_of_the_whole(variational, shape, seed, tile, data):
    cut = data.draw(st.integers(0, shape[0]))
    check_posterior(variational, make_clip(variational, shape, seed), cut=cut, tile=tile)


def test_counts_change_what_is_decoded():
    tokenizer = make_tokenizer(blocks=1)
    video = make_clip(tokenizer, (5, 16, 16), 0)
    latent = tokenizer.encode(video)
    few = torch.full((1, 1, 1, 1, 1), 2)
    one, other = (tokenizer.stream_decoder(frames=5, height=16, width=16) for _ in range(2))
    assert not torch.allclose(one.push(latent, counts=few), other.push(latent))


@pytest.mark.parametrize("halo", ["encoder_halo", "decoder_halo", "warm_up"])
def test_a_model_that_looks_further_than_it_says_breaks_a_law(halo):
    model = PartsModel().eval()
    setattr(model, halo, 0)
    tokenizer = ContinuousTokenizer(model)
    video = make_clip(tokenizer, (13, 60, 60), 0)
    generator = torch.Generator().manual_seed(0)
    broken = []
    for law in LAWS:
        try:
            law.check(tokenizer, video, SmallTiles(generator))
        except LawBrokenError:
            broken.append(law.name)
    assert ("seek anywhere" if halo == "warm_up" else "tile anywhere") in broken


class SmallTiles(Draw):
    """Tiles of one cell: every halo shows."""

    def tile(self):
        return (1, 1)
