"""Where the bytes of a file went, by its heads alone."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tubelet.bitstream import TubeReader, TubeWriter
from tubelet.bitstream.sizes import ChannelGroup, read_sizes, usual_groups
from tubelet.errors import BitstreamError, DamageWarning

GOLDEN = Path(__file__).parents[2] / "golden"
FILES = ("version1", "version2", "version3", "version3-prior", "version3-tokens")


@pytest.fixture(scope="module")
def golden():
    """What makes the golden files, and the models of their prior."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(GOLDEN)
        maker = runpy.run_path(str(GOLDEN / "make_golden.py"))
        model_for = runpy.run_path(str(GOLDEN / "numpy_model.py"))["model_for"]
    return maker | {"model_for": model_for}


@pytest.mark.parametrize("name", FILES)
def test_the_sizes_together_are_the_file(name):
    with TubeReader(GOLDEN / f"{name}.tube") as reader:
        sizes = read_sizes(reader)
    assert sizes.total == (GOLDEN / f"{name}.tube").stat().st_size
    assert (sizes.other, sizes.unread) == (0, 0)
    assert sizes.heads > 0 and sizes.audio > 0


def test_the_sizes_are_those_that_the_writer_counted(golden, tmp_path):
    header, sounds = golden["parts_header"](), list(golden["packets"]())
    with TubeWriter(tmp_path / "a.tube", header) as writer:
        for chunk in golden["parts_chunks"]():
            writer.write_chunk(chunk)
        writer.write_audio(sounds)
        writer.write_end(2**40 + 100)
    with TubeReader(tmp_path / "a.tube") as reader:
        sizes = read_sizes(reader)
    assert (sizes.header, sizes.heads) == (writer.bytes_header, writer.bytes_heads)
    assert (sizes.audio, sizes.index) == (writer.bytes_audio, writer.bytes_index)
    assert sizes.maps + sum(sizes.groups.values()) == writer.bytes_tables + writer.bytes_payload


def test_each_channel_is_counted_where_it_belongs(golden, tmp_path):
    """One channel alone has symbols that cost something: its group has all the bytes beyond constants."""
    header = golden["header"]()
    only = replace(header.only_part, channels=9, steps=(1,) * 9)
    chunk = next(golden["chunks"]())
    for channel, group in [(0, (0, 1)), (1, (1, 2)), (3, (2, 4)), (4, (4, 8)), (8, (8, 9))]:
        symbols = np.zeros((9, *chunk.symbols.shape[1:]), np.int32)
        symbols[channel] = chunk.symbols[0]
        with TubeWriter(tmp_path / "a.tube", replace(header, parts=(only,)), force=True) as writer:
            writer.write_chunk(replace_symbols(chunk, symbols))
        with TubeReader(tmp_path / "a.tube") as reader:
            sizes = read_sizes(reader)
        assert [(each.start, each.stop) for each in sizes.groups] == usual_groups(9)
        assert max(sizes.groups, key=sizes.groups.__getitem__) == ChannelGroup("latent", *group)


def replace_symbols(chunk, symbols):
    places = {"number": chunk.number, "first_step": chunk.first_step, "first_frame": chunk.first_frame}
    return type(chunk)(**places, timestamps=chunk.timestamps, symbols=symbols)


def test_usual_groups_double_and_are_cut():
    assert usual_groups(1) == [(0, 1)]
    assert usual_groups(5) == [(0, 1), (1, 2), (2, 4), (4, 5)]
    assert usual_groups(64) == [(0, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 32), (32, 64)]


def test_a_prior_has_groups_of_its_own(golden):
    path = GOLDEN / "version3-prior.tube"
    with TubeReader(path) as reader:
        groups = golden["model_for"](reader.header, reader.header.only_part).groups
        known = read_sizes(reader, lambda _: groups)
        unknown = read_sizes(reader)
    assert [(each.start, each.stop) for each in known.groups] == list(groups)
    numbered = {each.start: count for each, count in unknown.groups.items() if each.stop is None}
    assert set(numbered) == set(range(len(groups)))
    assert sum(known.groups.values()) == sum(unknown.groups.values())
    assert known.total == unknown.total == path.stat().st_size


def test_what_cannot_be_read_is_counted_apart(tmp_path):
    data = (GOLDEN / "version1.tube").read_bytes()
    with TubeReader(GOLDEN / "version1.tube") as reader:
        last = reader.chunks[-1]
    (tmp_path / "a.tube").write_bytes(data[: last.offset + 20])
    with pytest.warns(DamageWarning), TubeReader(tmp_path / "a.tube") as reader:
        sizes = read_sizes(reader)
    assert (sizes.unread, sizes.index, sizes.total) == (20, 0, last.offset + 20)


def test_no_segment_is_read_for_the_sizes_and_maps_alone_for_the_counts(golden, tmp_path):
    """Every byte behind the maps may be wrong."""
    path = GOLDEN / "version3.tube"
    with TubeReader(path) as reader:
        expected, data = read_sizes(reader), bytearray(path.read_bytes())
        counts = [reader.read_counts(number) for number in range(3)]
        for number, entry in enumerate(reader.chunks):
            segments = [each for part in reader.head(number).parts for each in part.segments]
            end = entry.offset + entry.record_bytes
            for place in range(end - sum(each.length for each in segments[1:]), end):
                data[place] ^= 0xFF
            chunk = reader.read_chunk(number)
            assert np.array_equal(chunk.parts[0].counts, counts[number][0])
            assert counts[number][1] is None
    (tmp_path / "a.tube").write_bytes(data)
    with TubeReader(tmp_path / "a.tube") as reader:
        assert read_sizes(reader) == expected
        for number in range(3):
            for found, before in zip(reader.read_counts(number), counts[number], strict=True):
                np.testing.assert_equal(found, before)
        with pytest.raises(BitstreamError, match="checksum"):
            reader.read_chunk(0)
