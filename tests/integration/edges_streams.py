"""Streams and open files that are given what does not belong to them; see `edges.py`."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from edges_common import LINEAR, SIZE, clip, discrete, refuses, run, small

import tubelet
from tubelet.errors import CheckpointError, OptionError, ShapeError
from tubelet.tokenizers.streams.encoder import StreamEncoder


def encoders() -> list[StreamEncoder]:
    """A stream of each kind."""
    tokenizer = small()
    return [
        tokenizer.stream_encoder(),
        small(**LINEAR).stream_encoder(),
        tokenizer.parts_encoder(),
        small(variational=True).stream_posterior(),
        discrete().stream_encoder(),
    ]


def a_stream_stays_with_its_number_of_clips() -> None:
    for frames in (1, 3):
        for stream in encoders():
            stream.push(clip()[:, :, :frames])
            refuses(ShapeError, "a run is of 2 clips and those before were of 1", stream.push, clip(batch=2))
    for numbers in ({}, LINEAR):
        tokenizer = small(**numbers)
        latent = tokenizer.encode(clip(batch=2))
        decoder = tokenizer.stream_decoder(height=17, width=24)
        decoder.push(latent[:, :, :1])
        refuses(ShapeError, "a run is of 1 clip and those before were of 2", decoder.push, latent[:1, :, 1:])


def a_stream_that_was_taken_up_may_be_of_any_number_of_clips() -> None:
    tokenizer = small()
    for frames in (1, 3):
        stream = tokenizer.stream_encoder()
        first = stream.push(clip(batch=2)[:, :, :frames])
        other = tokenizer.stream_encoder(state=stream.state())
        rest = [other.push(clip(batch=2)[:, :, frames:]), other.finish()]
        whole = tokenizer.encode(clip(batch=2))
        assert torch.allclose(torch.cat([first, *rest], dim=2), whole, atol=2e-5)


def nothing_is_pushed_after_the_end() -> None:
    for stream in encoders():
        stream.push(clip())
        stream.finish()
        refuses(OptionError, "the stream is finished", stream.push, clip())
        refuses(OptionError, "the stream is finished", stream.push_frames, np.zeros((1, 17, 24, 3), np.uint8))


def a_state_is_of_frames_of_its_size() -> None:
    tokenizer = small()
    decoder = tokenizer.stream_decoder(height=17, width=24)
    decoder.push(tokenizer.encode(clip()))
    state, take_up = decoder.state(), tokenizer.stream_decoder
    refuses(ShapeError, "frames of 17x24 and the clip's are 24x17", take_up, height=24, width=17, state=state)


def a_state_is_what_a_stream_gave() -> None:
    size = {"height": 17, "width": 24}
    for of in (small(), small(**LINEAR), discrete()):
        for wrong in ("x", 3, {}, True):
            words = f"state is {wrong!r}; it is what `state()` of a stream gave"
            refuses(OptionError, words, of.stream_encoder, state=wrong)
            refuses(OptionError, words, of.stream_decoder, **size, state=wrong)
    stream = small().stream_encoder(tile=(1, 1))
    stream.push(clip()[:, :, :3])
    state = stream.state()
    refuses(OptionError, "it is of a stream that encodes", small().stream_decoder, **size, state=state)
    fewer = replace(state, past=state.past[1:])
    refuses(ShapeError, "is of 8 tiles, and this stream goes through 9", small().stream_encoder, state=fewer)
    held = replace(state, pending=(torch.zeros(1, 12, 1, 3, 3), torch.ones(1, 1, 1, 1, 1), torch.tensor(0)))
    refuses(OptionError, "it is of a stream that decodes", small().stream_encoder, state=held)


def a_state_is_made_of_all_of_its_tensors() -> None:
    stream = small().stream_encoder()
    stream.push(clip()[:, :, :3])
    tensors, make = stream.state().to_tensors(), tubelet.StreamState.from_tensors
    assert make(tensors).step == 1
    for wrong in (None, 3, {}, tensors | {"facts": tensors["facts"][:4]}, tensors | {"facts": None}):
        refuses(OptionError, "without the facts of a state", make, wrong)
    for place, number in enumerate((-1, 0, 0, 0, 0, 10**15, 2, 7)):
        facts = tensors["facts"].clone()
        facts[place] = number
        refuses(OptionError, "they are damaged, or of something else", make, tensors | {"facts": facts})
    renamed = {name.replace("past.0.0", "past.0.9"): tensor for name, tensor in tensors.items()}
    refuses(OptionError, "lack 'past.0.0'", make, renamed)


def a_decoder_begins_within_a_clip() -> None:
    for of in (small(), discrete()):
        for name, wrong, words in (
            ("frames", -1, "the clip is of -1 frames of 17x24 pixels from step 0"),
            ("first_step", -1, "the clip is of 17x24 pixels from step -1"),
            ("frames", 1 << 63, "no clip has 2^63 frames or more"),
            ("first_step", 10**30, "no clip has 2^63 frames or more"),
        ):
            refuses(ShapeError, words, of.stream_decoder, height=17, width=24, **{name: wrong})
        words = "the first step is 4; a clip of 9 frames has 3"
        refuses(ShapeError, words, of.stream_decoder, height=17, width=24, frames=9, first_step=4)
        assert of.stream_decoder(height=17, width=24, frames=9, first_step=3).finish().shape[2] == 0


def lengths_are_whole_numbers() -> None:
    tokenizer = small()
    latent = tokenizer.encode(clip())
    for name in SIZE:
        wrong = SIZE | {name: float(SIZE[name])}
        refuses(
            OptionError, f"{name} is {wrong[name]}; it is a whole number", tokenizer.decode, latent, **wrong
        )
        refuses(
            OptionError, f"{name} is {wrong[name]}; it is a whole number", tokenizer.stream_decoder, **wrong
        )
    whole = tokenizer.decode(latent, **SIZE)
    others = {name: np.int64(length) for name, length in SIZE.items()}
    assert torch.equal(tokenizer.decode(latent, **others), whole)


def a_tokenizer_is_named_where_files_are_to_find_it_again() -> None:
    for tokenizer in (small(), discrete(), 5):
        words = f"the tokenizer is given as a {type(tokenizer).__name__}, which does not say where"
        refuses(CheckpointError, words, tubelet.load, tokenizer)


def frames_of_a_file_are_asked_for_by_whole_numbers() -> None:
    with tempfile.TemporaryDirectory() as folder:
        frames = np.zeros((3, 8, 8, 3), np.uint8)
        source, target = Path(folder) / "a.npy", Path(folder) / "a.tube"
        np.save(source, frames)
        words = "given as a ContinuousTokenizer, which does not say where it is found again"
        refuses(CheckpointError, words, tubelet.encode_file, source, target, tokenizer=small())
        for memory in ("1GiB", 1e9, float("nan"), None):
            words = "it is a number of bytes, such as 1073741824"
            refuses(OptionError, words, tubelet.encode_file, source, target, memory=memory)
        tubelet.encode_file(source, target, tokenizer="klt-4x8x8")
        with tubelet.open_tube(target) as tube:
            refuses(OptionError, "channels is 2.5; this file holds", tubelet.open_tube, target, channels=2.5)
            for index in (1.0, "1", [1, 2], None):
                words = "a frame is a whole number, frames a slice"
                refuses(OptionError, words, tube.__getitem__, index)
            assert tube[np.int64(1)].shape == tube[torch.tensor(1)].shape == (8, 8, 3)


if __name__ == "__main__":
    run(globals())
