"""A file that is written again in the newest version decodes to the same frames, prefixes included."""

import numpy as np
import pytest
from parts_model import PartsModel

from tubelet.bitstream import VERSION, TubeReader
from tubelet.checkpoint import Checkpoint, read_continuous, read_discrete
from tubelet.codec import chunking, plan_budget
from tubelet.codec.encode import encode_file
from tubelet.codec.tokens.tokenize import tokenize_file
from tubelet.codec.transcode import transcode_file
from tubelet.codec.tube import open_tube
from tubelet.tokenizers.continuous import ContinuousTokenizer

VERSIONS = {"latent": 1, "tokens": 2, "counts": 3, "parts": 3}


@pytest.fixture
def clip(smooth, tmp_path):
    frames = smooth(14, 24, 40)
    frames[6:10] = frames[6]  # something for a budget to save
    np.save(tmp_path / "clip.npy", frames)
    return tmp_path / "clip.npy"


@pytest.fixture
def make_tube(clip, network_folder, token_folder, tmp_path, monkeypatch):
    """Makes a file of some kind, of several chunks, and gives its tokenizer too."""
    for module in (chunking, plan_budget):
        monkeypatch.setattr(module, "LARGEST_CHUNK", 2)

    def make(kind):
        target = tmp_path / "old.tube"
        if kind == "tokens":
            checkpoint = read_discrete(token_folder)
            tokenize_file(clip, target, tokenizer=checkpoint)
        elif kind == "parts":
            checkpoint = Checkpoint(
                name="parts", tokenizer=ContinuousTokenizer(PartsModel()), sha256="0" * 64
            )
            encode_file(clip, target, tokenizer=checkpoint)
        else:
            checkpoint = read_continuous(network_folder)
            encode_file(clip, target, tokenizer=checkpoint, budget=3 if kind == "counts" else None)
        return target, checkpoint

    return make


@pytest.mark.parametrize("kind", VERSIONS)
def test_the_frames_are_those_of_the_old_file(make_tube, tmp_path, kind):
    old, checkpoint = make_tube(kind)
    report = transcode_file(old, tmp_path / "new.tube")
    assert (report.version_before, report.version) == (VERSIONS[kind], VERSION)
    assert (report.bytes_before, report.bytes_total) == (
        old.stat().st_size,
        (tmp_path / "new.tube").stat().st_size,
    )
    with (
        open_tube(old, tokenizer=checkpoint) as before,
        open_tube(tmp_path / "new.tube", tokenizer=checkpoint) as after,
    ):
        assert np.array_equal(after[:], before[:])
        assert np.array_equal(after[9], before[9])
        assert np.array_equal(after.timestamps, before.timestamps)
        assert (after.end, after.colour, after.time_base) == (before.end, before.colour, before.time_base)
        if kind == "tokens":
            assert np.array_equal(after.tokens().digits, before.tokens().digits)


@pytest.mark.parametrize("kind", ["latent", "counts"])
@pytest.mark.parametrize("channels", [1, 3, 12])
def test_fewer_channels_are_a_prefix_of_the_old_file(make_tube, tmp_path, kind, channels):
    old, checkpoint = make_tube(kind)
    transcode_file(old, tmp_path / "new.tube", channels=channels)
    with (
        open_tube(old, tokenizer=checkpoint, channels=channels) as before,
        open_tube(tmp_path / "new.tube", tokenizer=checkpoint) as after,
    ):
        assert after.header.channels == channels
        assert np.array_equal(after[:], before[:])


@pytest.mark.parametrize("kind", ["latent", "counts"])
def test_a_prefix_of_the_new_file_is_that_of_the_old_one(make_tube, tmp_path, kind):
    old, checkpoint = make_tube(kind)
    transcode_file(old, tmp_path / "new.tube")
    for channels in (1, 5):
        with (
            open_tube(old, tokenizer=checkpoint, channels=channels) as before,
            open_tube(tmp_path / "new.tube", tokenizer=checkpoint, channels=channels) as after,
        ):
            assert np.array_equal(after[:], before[:])


def test_the_files_hold_several_chunks_and_different_counts(make_tube):
    old, _ = make_tube("counts")
    with TubeReader(old) as reader:
        assert len(reader.chunks) > 1
        assert len(np.unique(reader.read_chunk(0).parts[0].counts)) > 1
