"""Clips of one shape go through the networks at once; what is stored of each depends on no other."""

import inspect

import numpy as np
import pytest
import torch
from bulk_records import StoppedError, records_of
from hypothesis import given
from hypothesis import strategies as st

from tubelet.codec.budget import MeanChannels
from tubelet.data.shards.numbers import from_stored
from tubelet.data.shards.record import bytes_to_array
from tubelet.errors import OptionError, OutputError, ShapeError
from tubelet.jobs.bulk import encode_batch
from tubelet.jobs.bulk.settings import BulkSettings

SMALL = 9000
"""Bytes of a shard, so that the clips need several."""


@pytest.fixture
def alike(video_file, tmp_path):
    """A folder of clips, most of which have one shape."""
    (tmp_path / "clips").mkdir()
    for number in range(5):
        video_file(f"clips/{number}.mkv", frames=9)
    video_file("clips/short.mkv", frames=2)
    video_file("clips/tall.mkv", frames=9, height=40)
    return tmp_path / "clips"


def latents_of(folder, name="latent.npy"):
    return {
        key: from_stored(bytes_to_array(record.arrays[name], ""), record.facts["arrays"][name], "")
        for key, record in records_of(folder).items()
    }


def test_a_linear_tokenizer_stores_the_same_bits_in_batches_and_one_by_one(encode, alike, tmp_path):
    settings = {"tokenizer": "klt-4x8x8", "dtype": "float32", "measure": "psnr", "mirror": True}
    encode(alike, **settings)
    report = encode(alike, to="batches", batch=4, **settings)
    assert (report.encoded, report.failed) == (14, 0)
    assert records_of(tmp_path / "batches") == records_of(tmp_path / "out")


@pytest.mark.parametrize("batch", [2, 5])
def test_a_network_stores_the_same_but_for_rounding(encode, alike, tmp_path, network_folder, batch):
    encode(alike, tokenizer=str(network_folder), dtype="float32")
    encode(alike, to="batches", tokenizer=str(network_folder), dtype="float32", batch=batch)
    alone, together = latents_of(tmp_path / "out"), latents_of(tmp_path / "batches")
    assert alone.keys() == together.keys()
    for key, latent in alone.items():
        torch.testing.assert_close(together[key], latent, atol=2e-5, rtol=0)


def test_bytes_depend_on_no_interruption_and_not_on_what_a_clip_is_encoded_with(
    encode, here, alike, tmp_path, files, network_folder
):
    settings = {"tokenizer": str(network_folder), "dtype": "float32", "batch": 3, "shard_bytes": SMALL}
    encode(alike, **settings)
    before = files(tmp_path / "out")
    for most in (1, 4):
        here.most = most
        with pytest.raises(StoppedError):
            encode(alike, to=f"cut{most}", **settings)
        here.most = None
        encode(alike, to=f"cut{most}", **settings)
        assert files(tmp_path / f"cut{most}") == before
    encode(alike, to="one", **(settings | {"shard_bytes": 10**9}))
    assert records_of(tmp_path / "one") == records_of(tmp_path / "out")
    whole = records_of(tmp_path / "out")
    for number in (0, 3):
        listed = tmp_path / f"{number}.txt"
        listed.write_text(f"clips/{number}.mkv\n")
        encode(listed, to=f"alone{number}", **settings)
        ((key, record),) = records_of(tmp_path / f"alone{number}").items()
        assert record == whole[key]


@pytest.mark.parametrize("kind", ["tokens", "budget"])
def test_tokens_and_budgets_are_stored_in_batches_too(encode, alike, tmp_path, token_folder, kind):
    settings = {
        "tokens": {"tokenizer": str(token_folder)},
        "budget": {"tokenizer": "klt-4x8x8", "budget": MeanChannels(channels=4.0)},
    }[kind]
    encode(alike, **settings)
    encode(alike, to="batches", batch=4, **settings)
    assert records_of(tmp_path / "out") == records_of(tmp_path / "batches")


def test_distributions_are_stored_in_batches_too(encode, alike, tmp_path, make_folder, make_tokenizer):
    made = make_tokenizer(name="spread", width=16, encoder_blocks=1, decoder_blocks=1, variational=True)
    settings = {"tokenizer": str(make_folder(made)), "channels": 5, "dtype": "float32"}
    encode(alike, **settings)
    encode(alike, to="batches", batch=4, **settings)
    for name in ("latent.npy", "log_variance.npy"):
        alone, together = (latents_of(tmp_path / folder, name) for folder in ("out", "batches"))
        for key, latent in alone.items():
            torch.testing.assert_close(together[key], latent, atol=2e-5, rtol=0)


def test_a_clip_that_fails_costs_the_others_of_its_batch_nothing(encode, alike, tmp_path):
    encode(alike, to="good", batch=4, tokenizer="klt-4x8x8")
    (alike / "1b.mp4").write_bytes(b"junk")
    report = encode(alike, batch=4, tokenizer="klt-4x8x8")
    assert (report.encoded, report.failed) == (7, 1)
    assert records_of(tmp_path / "out") == records_of(tmp_path / "good")


def test_of_a_batch_that_is_interrupted_the_clips_that_are_done_are_kept(
    encode, here, alike, tmp_path, files, monkeypatch
):
    settings = {"batch": 16, "tokenizer": "klt-4x8x8"}
    encode(alike, to="whole", **settings)
    groups, encoded = [], encode_batch._encoded

    def stopping(group, *others):
        if groups:
            raise KeyboardInterrupt
        groups.append(len(group))
        return encoded(group, *others)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(encode_batch, "_encoded", stopping)
        encode(alike, **settings)
    assert "clips/short.mkv" in here.encoded and len(here.encoded) > groups[0]  # in the first batch
    report = encode(alike, **settings)
    assert (report.kept, report.encoded) == (groups[0], 7 - groups[0])
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_a_clip_too_long_to_be_held_goes_by_itself(encode, alike, tmp_path, monkeypatch):
    encode(alike, to="good", tokenizer="klt-4x8x8")
    groups, encoded = [], encode_batch._encoded

    def noting(group, *others):
        groups.append(len(group))
        return encoded(group, *others)

    monkeypatch.setattr(encode_batch, "_encoded", noting)
    # Nine frames of 24x40 take 25,920 bytes; of 40x40, 43,200.
    memory = 2 * 4 * 30_000
    monkeypatch.setattr(encode_batch, "left_for_streams", lambda *_: 1 << 28)
    monkeypatch.setattr("tubelet.jobs.bulk.clip_arrays.left_for_streams", lambda *_, **__: 1 << 28)
    encode(alike, batch=4, tokenizer="klt-4x8x8", memory=memory)
    assert sum(groups) == 6 and max(groups) <= 4
    assert records_of(tmp_path / "out") == records_of(tmp_path / "good")


def test_another_batch_on_an_old_output_is_refused_and_so_are_numbers_without_meaning(encode, alike):
    encode(alike, batch=2, tokenizer="klt-4x8x8")
    with pytest.raises(OutputError, match="batch"):
        encode(alike, tokenizer="klt-4x8x8")
    with pytest.raises(OptionError, match="between 1 and 256 clips"):
        BulkSettings(batch=0)
    with pytest.raises(OptionError, match="format is tube"):
        BulkSettings(batch=2, format="tube")


@given(st.lists(st.integers(0, 2**128 - 1), max_size=40), st.integers(1, 9))
def test_every_clip_is_in_one_batch_and_no_two_in_one_row(numbers, batch):
    keys = [f"{number:032x}" for number in numbers]
    batches = list(encode_batch.batches_of(keys, batch))
    assert sorted(place for several in batches for place in several) == list(range(len(keys)))
    for several in batches:
        rows = [encode_batch.row_of(keys[place], batch) for place in several]
        assert len(set(rows)) == len(rows) >= 1


def test_clips_that_are_pushed_together_are_those_pushed_one_by_one(network_tokenizer):
    clips = np.random.default_rng(0).integers(0, 256, (3, 6, 20, 36, 3), np.uint8)
    together, in_runs = network_tokenizer.stream_encoder(), network_tokenizer.stream_encoder()
    whole = torch.cat([together.push_clips(clips), together.finish()], dim=2)
    parts = [in_runs.push_clips(clips[:, :3]), in_runs.push_clips(clips[:, 3:]), in_runs.finish()]
    assert torch.equal(torch.cat([part for part in parts if part.shape[2]], dim=2), whole)
    for row, clip in enumerate(clips):
        alone = network_tokenizer.stream_encoder()
        latent = torch.cat([alone.push_frames(clip), alone.finish()], dim=2)
        torch.testing.assert_close(whole[row : row + 1], latent, atol=2e-5, rtol=0)
    begun = network_tokenizer.stream_encoder()
    begun.push_clips(clips)
    with pytest.raises(ShapeError, match="a clip has one size"):
        begun.push_clips(clips[:, :, 1:])
    with pytest.raises(ShapeError, match="several clips are uint8"):
        inspect.unwrap(type(together).push_clips)(together, clips[0])
