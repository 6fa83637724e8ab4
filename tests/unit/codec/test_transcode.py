"""What a transcoded file holds, what is refused, and what is left where the old file is damaged."""

import runpy
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tubelet.bitstream import Chunk, PartHeader, PartSymbols, TubeReader, TubeWriter
from tubelet.bitstream.container import RecordHead
from tubelet.codec.transcode import transcode_file
from tubelet.errors import BitstreamError, CheckpointError, DamageWarning, OptionError, OutputError

GOLDEN = Path(__file__).parents[2] / "golden"
FILES = ("version1", "version2", "version3", "version3-prior", "version3-tokens")


@pytest.fixture(scope="module")
def toy():
    """The prior of the golden files: what gives its models, and how a header names it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(GOLDEN)
        maker = runpy.run_path(str(GOLDEN / "make_golden.py"))
        model_for = runpy.run_path(str(GOLDEN / "numpy_model.py"))["model_for"]
    return {"model_for": model_for, "prior_for": lambda _: maker["PRIOR"]}


@pytest.fixture
def transcoded(tmp_path):
    """Transcodes bytes, and gives the file."""

    def transcode(data, **options):
        (tmp_path / "old.tube").write_bytes(data)
        transcode_file(tmp_path / "old.tube", tmp_path / "new.tube", **options)
        return tmp_path / "new.tube"

    return transcode


def read(path, model_for=None):
    """All that a file holds, but its header."""
    with TubeReader(path, model_for) as reader:
        chunks = [reader.read_chunk(entry.number) for entry in reader.chunks]
        sounds = [(before, list(packets)) for before, packets in reader.audio_records()]
        return reader.header, chunks, sounds, reader.end


def assert_same(one, other):
    for before, after in zip(one, other, strict=True):
        assert np.array_equal(before.timestamps, after.timestamps)
        assert (before.number, before.first_step, before.first_frame) == (
            after.number,
            after.first_step,
            after.first_frame,
        )
        for old, new in zip(before.parts, after.parts, strict=True):
            assert np.array_equal(old.symbols, new.symbols)
            np.testing.assert_equal(new.counts, old.counts)


@pytest.mark.parametrize("name", FILES)
def test_everything_is_kept_and_the_version_is_the_newest(transcoded, toy, name):
    model_for = toy["model_for"]
    header, chunks, sounds, end = read(GOLDEN / f"{name}.tube", model_for)
    found = read(transcoded((GOLDEN / f"{name}.tube").read_bytes(), model_for=model_for))
    assert (found[0].version, found[0].prior) == (3, None)
    same = ("content", "parts", "tokenizer", "tokenizer_sha256", "stride", "lead_frame", "height", "width")
    for fact in (*same, "time_base", "sample_aspect", "colour", "source", "audio"):
        assert getattr(found[0], fact) == getattr(header, fact)
    assert_same(chunks, found[1])
    assert (found[2], found[3]) == (sounds, end)
    assert sounds


@pytest.mark.parametrize("name", FILES[2:])
def test_a_file_of_the_newest_version_is_written_as_it_was(transcoded, toy, name):
    data = (GOLDEN / f"{name}.tube").read_bytes()
    options = toy if "prior" in name or "tokens" in name else {}
    assert transcoded(data, **options).read_bytes() == data


@pytest.mark.parametrize("name", FILES)
def test_transcoding_twice_changes_nothing(transcoded, toy, name):
    once = transcoded((GOLDEN / f"{name}.tube").read_bytes(), model_for=toy["model_for"]).read_bytes()
    assert transcoded(once, force=True).read_bytes() == once


def test_a_prior_that_is_not_here_is_named_and_nothing_is_written(transcoded, tmp_path):
    with pytest.raises(CheckpointError, match="coded with the prior 'toy'"):
        transcoded((GOLDEN / "version3-prior.tube").read_bytes())
    assert [path.name for path in tmp_path.iterdir()] == ["old.tube"]


def test_fewer_channels_cut_counts_steps_and_centroids(transcoded, toy):
    path = transcoded((GOLDEN / "version3-prior.tube").read_bytes(), channels=3, model_for=toy["model_for"])
    header, chunks, _, _ = read(path)
    assert (header.only_part.counts, header.only_part.steps) == ((0, 1, 2, 3), (3, 2, 1))
    _, before, _, _ = read(GOLDEN / "version3-prior.tube", toy["model_for"])
    for old, new in zip(before, chunks, strict=True):
        assert np.array_equal(new.parts[0].symbols, old.parts[0].symbols[:3])
        assert np.array_equal(new.parts[0].counts, old.parts[0].counts.clip(max=3))


@pytest.mark.parametrize(
    ("counts", "channels", "expected"),
    [((2, 4), 1, (1,)), ((0, 2, 4), 1, (0, 1)), ((1, 2), 3, (1, 2)), ((3,), 2, (2,)), ((0,), 2, (0,))],
)
def test_counts_that_become_one_are_one(transcoded, tmp_path, counts, channels, expected):
    header, chunks, _, _ = read(GOLDEN / "version1.tube")
    part = PartHeader(
        name="latent",
        channels=4,
        stride=(4, 8, 8),
        rows=3,
        columns=5,
        steps=(1, 2, 3, 4),
        counts=counts,
        centroids=((1, 2), (3, 4), (5, 6), (7, 8)),
    )
    generator = np.random.default_rng(0)
    with TubeWriter(tmp_path / "made.tube", replace(header, version=3, parts=(part,))) as writer:
        for chunk in chunks:
            shape = chunk.symbols.shape[1:]
            symbols = generator.integers(-4, 5, (4, *shape)).astype(np.int32)
            given = generator.choice(np.array(counts, np.int32), shape) if len(counts) > 1 else None
            writer.write_chunk(with_part(chunk, PartSymbols(symbols=symbols, counts=given)))
    made = (tmp_path / "made.tube").read_bytes()
    found, after, _, _ = read(transcoded(made, channels=channels))
    assert found.only_part.counts == expected
    assert found.only_part.centroids == part.centroids[:channels]
    with TubeReader(tmp_path / "made.tube") as reader:
        assert_same([reader.read_chunk(number, channels=channels) for number in range(3)], after)


def with_part(chunk, part):
    places = {"number": chunk.number, "first_step": chunk.first_step, "first_frame": chunk.first_frame}
    return Chunk(**places, timestamps=chunk.timestamps, parts=(part,))


@pytest.mark.parametrize(
    ("name", "channels", "words"),
    [
        ("version1", 0, "holds 1 to 3"),
        ("version1", 4, "holds 1 to 3"),
        ("version2", 2, "need all their digits"),
        ("version3", 1, "several parts"),
    ],
)
def test_channels_that_mean_nothing_are_refused(transcoded, tmp_path, name, channels, words):
    with pytest.raises(OptionError, match=words):
        transcoded((GOLDEN / f"{name}.tube").read_bytes(), channels=channels)
    assert not (tmp_path / "new.tube").exists()


def test_a_file_that_is_cut_short_gives_its_whole_chunks(transcoded):
    data = (GOLDEN / "version1.tube").read_bytes()
    with TubeReader(GOLDEN / "version1.tube") as reader:
        last, count = reader.chunks[-1], len(reader.chunks)
    with pytest.warns(DamageWarning, match=f"{count - 1} whole chunks"):
        path = transcoded(data[: last.offset + 20])
    _, before, sounds, _ = read(GOLDEN / "version1.tube")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, after, found, _ = read(path)
    assert_same(before[:-1], after)
    assert found == sounds[: len(found)] and len(found) == count - 1


@pytest.mark.parametrize("what", ["segment", "head", "audio"])
def test_damage_inside_leaves_no_target(transcoded, tmp_path, what):
    data = bytearray((GOLDEN / "version1.tube").read_bytes())
    with TubeReader(GOLDEN / "version1.tube") as reader:
        entry = reader.chunks[1]
        end = entry.offset + RecordHead.SIZE + entry.length
    place = {
        "segment": end - 1,
        "head": entry.offset + RecordHead.SIZE + 6,
        "audio": end + RecordHead.SIZE + 4,
    }
    data[place[what]] ^= 1
    with pytest.raises(BitstreamError, match=r"old\.tube"):
        transcoded(bytes(data))
    assert [path.name for path in tmp_path.iterdir()] == ["old.tube"]


def test_a_chunk_that_claims_more_than_the_memory_is_refused_before_it_is_read(transcoded, tmp_path):
    with pytest.raises(OptionError, match="chunk 0 would take"):
        transcoded((GOLDEN / "version1.tube").read_bytes(), memory=1000)
    assert not (tmp_path / "new.tube").exists()


def test_targets_are_those_of_every_command(tmp_path):
    old = tmp_path / "old.tube"
    shutil.copy(GOLDEN / "version1.tube", old)
    with pytest.raises(OptionError, match="is also an input"):
        transcode_file(old, old, force=True)
    with pytest.raises(OptionError, match="ends in"):
        transcode_file(old, tmp_path / "new.mp4")
    (tmp_path / "new.tube").touch()
    with pytest.raises(OutputError, match="exists"):
        transcode_file(old, tmp_path / "new.tube")
