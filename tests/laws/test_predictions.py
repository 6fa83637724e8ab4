"""Steps after the last: the same whole and in streams, in any tiles, and the known ones as without them."""

import pytest
import torch
from clips import LAW, make_clip, seeds, tiles
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tokenizers import make_tokenizer

import tubelet
from tubelet.errors import OptionError, ShapeError
from tubelet.testing import LawBrokenError, check_ahead, check_tokenizer
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.streams.decoder import StreamDecoder


def gated(tokenizer: ContinuousTokenizer) -> ContinuousTokenizer:
    """With shares that depend on motion much more than those of weights do."""
    table = tokenizer.model.gate.table
    table.copy_(torch.linspace(-0.5, 1.2, len(table)))
    return tokenizer


PREDICTING = {
    "4x8x8": lambda: make_tokenizer(blocks=1, ahead=3),
    "float64 without lead frame": lambda: make_tokenizer(
        blocks=2, ahead=2, dtype=torch.float64, lead_frame=False
    ),
    "8x16x16": lambda: make_tokenizer(cascade="8x16x16", blocks=1, ahead=2),
    "1x8x8": lambda: make_tokenizer(cascade="1x8x8", blocks=1, ahead=5),
    "with a gate": lambda: gated(make_tokenizer(blocks=1, ahead=3, gate=True)),
}


@pytest.fixture(params=PREDICTING, scope="module")
def predicting(request: pytest.FixtureRequest) -> ContinuousTokenizer:
    return PREDICTING[request.param]()


def latent_of(tokenizer: ContinuousTokenizer, steps: int, height: int = 20, width: int = 28) -> torch.Tensor:
    generator = torch.Generator().manual_seed(steps)
    cells = tokenizer.grouping.cells(height, width)
    return torch.randn(1, 12, steps, *cells, generator=generator, dtype=tokenizer.dtype)


def decode(tokenizer: ContinuousTokenizer, latent: torch.Tensor, **options) -> torch.Tensor:
    frames = tokenizer.grouping.first_frame(latent.shape[2])
    return tokenizer.decode(latent, frames=frames, height=20, width=28, **options)


@settings(LAW, max_examples=2)
@given(
    shape=st.tuples(st.integers(1, 13), st.integers(1, 40), st.integers(1, 40)),
    seed=seeds,
    steps=st.integers(1, 5),
    tile=tiles,
    data=st.data(),
)
def test_streams_tiles_and_states_predict_what_the_whole_clip_does(
    predicting, shape, seed, steps, tile, data
):
    cut = data.draw(st.integers(0, steps))
    check_ahead(predicting, make_clip(predicting, shape, seed), steps=steps, cut=cut, tile=tile)


@pytest.mark.parametrize("shape", [(9, 24, 5), (5, 9, 3)])
def test_frames_of_one_column_are_predicted_alike_in_one_run_and_in_several(predicting, shape):
    clip = make_clip(predicting, shape, seed=3)
    for cut in (1, 3):
        check_ahead(predicting, clip, steps=3, cut=cut, tile=(9, 9))


def test_the_laws_of_predictions_are_among_those_of_every_tokenizer(monkeypatch):
    tokenizer = PREDICTING["4x8x8"]()
    check_tokenizer(tokenizer, generator=torch.Generator().manual_seed(0), clips=1)
    push = StreamDecoder.push_ahead
    monkeypatch.setattr(StreamDecoder, "push_ahead", lambda self, steps: push(self, steps) + 0.1)
    with pytest.raises(LawBrokenError, match="predicting"):
        check_tokenizer(tokenizer, generator=torch.Generator().manual_seed(0), clips=1)


def test_frames_follow_those_of_the_clip_and_leave_them_as_they_are(predicting):
    latent = latent_of(predicting, 3)
    known, longer = decode(predicting, latent), decode(predicting, latent, ahead=2)
    assert longer.shape[2] == known.shape[2] + 2 * predicting.stride.t
    assert torch.allclose(longer[:, :, : known.shape[2]], known, atol=1e-5)
    assert torch.equal(decode(predicting, latent, ahead=0), known)


def test_every_step_ahead_has_a_padding_of_its_own_and_those_beyond_have_the_last(predicting):
    latent, t = latent_of(predicting, 3), predicting.stride.t
    before = decode(predicting, latent, ahead=7)
    padding = predicting.model.prefix.padding
    for step in range(predicting.ahead):
        kept = padding.clone()
        padding[step] += 1
        changed = (decode(predicting, latent, ahead=7) - before).abs().amax(dim=(0, 1, 3, 4))
        padding.copy_(kept)
        first = before.shape[2] - (7 - step) * t
        assert not changed[:first].any()
        assert changed[first : first + t].all()
        assert changed[first + t :].any()  # blocks remember it


def test_what_is_not_known_of_the_last_step_is_no_part_of_the_guess(predicting):
    latent = latent_of(predicting, 2)
    counts = torch.full((1, 1, *latent.shape[2:]), 4)
    other = latent.clone()
    other[:, 4:] = 9
    one, two = (decode(predicting, each, counts=counts, ahead=2) for each in (latent, other))
    assert torch.equal(one, two)
    size = {"height": 20, "width": 28}
    stream = predicting.stream_decoder(**size)
    streamed = torch.cat([stream.push(other, counts=counts), stream.push_ahead(2)], dim=2)
    assert torch.allclose(streamed, one, atol=1e-4)


def test_a_prefix_of_channels_is_predicted_from_too(predicting):
    assert decode(predicting, latent_of(predicting, 2)[:, :5], ahead=1).isfinite().all()


def test_a_still_step_decodes_as_the_last_frame_that_goes_on():
    tokenizer = make_tokenizer(cascade="4x8x8")  # linear: nothing is corrected
    latent = latent_of(tokenizer, 1)
    still = tokenizer.model.still({"latent": latent}, {})["latent"]
    shown = tokenizer.model.transform.inverse(latent)[:, :, -1:].expand(-1, -1, 4, -1, -1)
    assert torch.allclose(still, tokenizer.model.transform(shown)[:, :12], atol=1e-5)


def test_a_trained_model_that_learns_to_predict_begins_as_it_was_and_shows_the_last_frame_on():
    trained = make_tokenizer(blocks=2)
    model = trained.model.predictive(4)
    longer = ContinuousTokenizer(model.requires_grad_(requires_grad=False))
    latent = latent_of(trained, 3)
    assert torch.allclose(decode(longer, latent), decode(trained, latent), atol=1e-5)
    still = trained.model.still({"latent": latent[:, :, -1:]}, {})["latent"]
    shown = decode(trained, torch.cat([latent, still, still], dim=2))
    assert torch.allclose(decode(longer, latent, ahead=2), shown, atol=1e-5)
    assert model.predictive(4) is model
    with pytest.raises(OptionError, match="predicts 4 steps and is to predict 3"):
        model.predictive(3)
    with pytest.raises(OptionError, match="has no decoder network"):
        make_tokenizer().model.predictive(2)


def test_fewer_channels_of_a_predicting_model_predict_too():
    tokenizer = PREDICTING["4x8x8"]()
    narrow = ContinuousTokenizer(tokenizer.model.narrowed(5))
    latent = latent_of(tokenizer, 3)[:, :5]
    one, two = (decode(each, latent, ahead=2) for each in (tokenizer, narrow))
    assert torch.allclose(one, two, atol=1e-4)


def test_a_tokenizer_without_the_ability_says_so():
    for tokenizer in (make_tokenizer(blocks=1), make_tokenizer(), tubelet.load("klt-4x8x8")):
        latent = torch.zeros(1, 4, 2, 3, 4, dtype=tokenizer.dtype)
        with pytest.raises(OptionError, match=r"has not learnt to predict.*tubelet train predictive"):
            decode(tokenizer, latent, ahead=1)
        stream = tokenizer.stream_decoder(height=20, width=28)
        stream.push(latent)
        with pytest.raises(OptionError, match="has not learnt to predict"):
            stream.push_ahead(1)
        assert tokenizer.ahead == 0


def test_what_cannot_be_predicted_is_refused(predicting):
    latent, size = latent_of(predicting, 3), {"height": 20, "width": 28}
    frames = predicting.grouping.first_frame(3)
    with pytest.raises(OptionError, match="ahead is -1; it is a number of latent steps"):
        decode(predicting, latent, ahead=-1)
    if predicting.stride.t > 1:
        with pytest.raises(
            ShapeError, match=f"the clip has {frames - 1} frames, and {frames} would fill its 3"
        ):
            predicting.decode(latent, frames=frames - 1, **size, ahead=1)
    stream = predicting.stream_decoder(**size, frames=frames)
    with pytest.raises(OptionError, match="1 steps are to be predicted after 0"):
        stream.push_ahead(1)
    stream.push(latent[:, :, :2])
    with pytest.raises(ShapeError, match=f"the clip has {frames} frames"):
        stream.push_ahead(1)
    stream.push(latent[:, :, 2:])
    with pytest.raises(OptionError, match="0 steps are to be predicted"):
        stream.push_ahead(0)
    stream.push_ahead(1)
    with pytest.raises(OptionError, match="1 steps were predicted, and what is pushed would come after them"):
        stream.push(latent[:, :, :1])
