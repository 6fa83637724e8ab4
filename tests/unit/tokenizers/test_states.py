"""The state of a stream says which tokenizer it is of, and no other one takes it up."""

from copy import copy, deepcopy
from dataclasses import replace

import pytest
import torch

from tubelet.errors import OptionError
from tubelet.tokenizers.save import fingerprint
from tubelet.tokenizers.streams.state import StreamState

SIZE = {"height": 16, "width": 16}
BLOCKS = {"width": 8, "encoder_blocks": 1, "decoder_blocks": 1}


def a_clip() -> torch.Tensor:
    return torch.rand(1, 3, 8, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1


def encoding(tokenizer) -> StreamState:
    stream = tokenizer.stream_encoder()
    stream.push(a_clip()[:, :, :7])
    return stream.state()


def decoding(tokenizer) -> StreamState:
    stream = tokenizer.stream_decoder(**SIZE)
    stream.push(tokenizer.encode(a_clip()[:, :, :5]))
    return stream.state()


def encoder(tokenizer, state):
    return tokenizer.stream_encoder(state=state)


def decoder(tokenizer, state):
    return tokenizer.stream_decoder(**SIZE, state=state)


both_ways = pytest.mark.parametrize(("state_of", "take_up"), [(encoding, encoder), (decoding, decoder)])


@both_ways
@pytest.mark.parametrize("stored", [False, True])
def test_a_state_of_other_weights_is_refused_by_both_names(make_tokenizer, state_of, take_up, stored):
    mine = make_tokenizer(name="mine", **BLOCKS).tokenizer
    other = make_tokenizer(name="other", seed=1, **BLOCKS).tokenizer
    state = state_of(other)
    if stored:
        state = StreamState.from_tensors(state.to_tensors())
    words = rf"is of 'other' \(SHA-256 {fingerprint(other.config, other.weights())[:16]}.*is 'mine' \("
    with pytest.raises(OptionError, match=words):
        take_up(mine, state)


@both_ways
def test_a_state_is_taken_up_by_its_own_weights_whatever_they_are_called(make_tokenizer, state_of, take_up):
    state = StreamState.from_tensors(state_of(make_tokenizer(**BLOCKS).tokenizer).to_tensors())
    again = take_up(make_tokenizer(name="renamed", **BLOCKS).tokenizer, state)
    origin = again.state().origin
    assert origin is not None and state.origin is not None
    assert (origin.name, state.origin.name) == ("renamed", "small")
    assert origin.sha256 == state.origin.sha256


@both_ways
def test_a_state_of_a_stream_whose_steps_hold_other_frames_is_refused(make_tokenizer, state_of, take_up):
    state = state_of(make_tokenizer(**BLOCKS).tokenizer)
    with pytest.raises(OptionError, match="with lead_frame=True, and this tokenizer has lead_frame=False"):
        take_up(make_tokenizer(lead_frame=False, **BLOCKS).tokenizer, state)


@both_ways
def test_a_state_of_another_number_format_is_refused(make_tokenizer, state_of, take_up):
    tokenizer = make_tokenizer(**BLOCKS).tokenizer
    halved = deepcopy(tokenizer).networks_to(torch.bfloat16)
    take_up(halved, state_of(halved))
    with pytest.raises(OptionError, match="in the same number format"):
        take_up(halved, state_of(tokenizer))


@both_ways
def test_a_state_from_before_they_named_their_tokenizer_is_still_taken_up(make_tokenizer, state_of, take_up):
    tokenizer = make_tokenizer(**BLOCKS).tokenizer
    tensors = state_of(tokenizer).to_tensors()
    del tensors["tokenizer"]
    state = StreamState.from_tensors(tensors)
    assert state.origin is None
    assert take_up(tokenizer, state).state().origin is not None


def test_a_tokenizer_put_together_by_hand_takes_up_states_of_its_own_alone(make_tokenizer):
    tokenizer = make_tokenizer(name="mine", **BLOCKS).tokenizer
    by_hand = type(tokenizer)(tokenizer.model)
    state = encoding(by_hand)
    encoder(by_hand, state)
    with pytest.raises(OptionError, match="put together by hand"):
        encoder(tokenizer, state)


@pytest.mark.parametrize(
    "said",
    [
        3,
        torch.zeros(4),
        torch.tensor([0xFF], dtype=torch.uint8),
        torch.tensor([*b'{"name": 3, "sha256": "", "lead_frame": true}'], dtype=torch.uint8),
        torch.tensor([*b'{"sha256": "", "lead_frame": true}'], dtype=torch.uint8),
        torch.tensor([*b"[1, 2]"], dtype=torch.uint8),
    ],
)
def test_a_damaged_name_of_a_tokenizer_is_refused(make_tokenizer, said):
    tensors = encoding(make_tokenizer().tokenizer).to_tensors()
    with pytest.raises(OptionError, match="the state says of its tokenizer"):
        StreamState.from_tensors(tensors | {"tokenizer": said})


def test_a_copy_of_a_stream_copies_no_weights(make_tokenizer):
    tokenizer = make_tokenizer(**BLOCKS).tokenizer
    stream = tokenizer.stream_encoder()
    stream.push(a_clip())
    first = stream.state()
    other = copy(stream)
    assert other._streamed.model is tokenizer.model
    assert other.state().origin == first.origin


def test_what_a_state_is_of_is_part_of_it(make_tokenizer):
    state = encoding(make_tokenizer().tokenizer)
    assert replace(state, origin=None).to_tensors().keys() == state.to_tensors().keys() - {"tokenizer"}
