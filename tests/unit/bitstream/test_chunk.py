from dataclasses import replace

import numpy as np
import pytest

from tubelet.bitstream import Codings, bytes_to_chunk, chunk_to_bytes, limits
from tubelet.bitstream.audio import AudioPacket, bytes_to_packets, packets_to_bytes, runs
from tubelet.errors import BitstreamError, OptionError


def times(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize("timestamps", [times(), times(-5), times(-(2**61), 0, 2**61), np.arange(1000)])
def test_a_chunk_survives(make_chunk, codings, timestamps):
    chunk = replace(make_chunk(3), timestamps=timestamps)
    found = bytes_to_chunk(chunk_to_bytes(chunk, codings).to_bytes(), codings)
    assert (found.number, found.first_step, found.first_frame) == (3, 6, 24)
    np.testing.assert_array_equal(found.timestamps, chunk.timestamps)
    np.testing.assert_array_equal(found.symbols, chunk.symbols)


def test_a_prefix_of_the_channels_does_not_need_the_others(make_chunk, make_header):
    chunk = make_chunk(channels=3)
    codings = Codings(make_header(channels=3, steps=(1, 1, 1)))
    encoded = chunk_to_bytes(chunk, codings)
    rest = len(encoded.segments[2].to_bytes())
    broken = encoded.to_bytes()[:-rest] + bytes(rest)
    np.testing.assert_array_equal(bytes_to_chunk(broken, codings, channels=2).symbols, chunk.symbols[:2])
    with pytest.raises(BitstreamError, match="channel 2 of chunk 0"):
        bytes_to_chunk(broken, codings)


@pytest.mark.parametrize("channels", [0, 3, -1])
def test_channels_that_are_not_there_are_refused(make_chunk, codings, channels):
    data = chunk_to_bytes(make_chunk(), codings).to_bytes()
    with pytest.raises(OptionError, match=f"{channels} channels"):
        bytes_to_chunk(data, codings, channels=channels)


@pytest.mark.parametrize(
    "timestamps",
    [
        times(1, 1),
        times(2, 1),
        times(0, 5, 4, 6),
        times(2**62),
        times(-(2**62)),
        times(-(2**63), 2**63 - 1),
        np.zeros((1, 1), np.int64),
        np.arange(limits.CHUNK_FRAMES + 1),
    ],
)
def test_timestamps_that_do_not_increase_or_fit_are_refused(make_chunk, codings, timestamps):
    with pytest.raises(BitstreamError, match="timestamp"):
        chunk_to_bytes(replace(make_chunk(), timestamps=timestamps), codings)


@pytest.mark.parametrize(
    "shape", [(2, 3, 5), (0, 1, 3, 5), (2, 0, 3, 5), (4097, 1, 1, 1), (1, 1, 2**16 + 1, 1)]
)
def test_sizes_that_a_chunk_cannot_have_are_refused(make_chunk, codings, shape):
    with pytest.raises(BitstreamError):
        chunk_to_bytes(replace(make_chunk(), symbols=np.zeros(shape, np.int32)), codings)


def test_a_chunk_too_large_is_refused_with_the_cure(make_chunk, make_header):
    symbols = np.broadcast_to(np.int32(0), (64, 64, 136, 241))
    header = make_header(channels=64, steps=(1,) * 64, rows=136, columns=241)
    with pytest.raises(BitstreamError, match="fewer steps"):
        chunk_to_bytes(replace(make_chunk(), symbols=symbols), Codings(header))


def packet(**changes):
    facts = {"data": b"abc", "pts": 0, "dts": 0, "duration": 960, "keyframe": True, "side_data": b""}
    return AudioPacket(**(facts | changes))


def test_audio_packets_survive():
    packets = (
        packet(pts=-(2**62) + 1, dts=2**62 - 1),
        packet(pts=2**62 - 1, dts=-(2**62) + 1, keyframe=False, duration=0),
        packet(data=b"", side_data=bytes(10)),
    )
    assert bytes_to_packets(packets_to_bytes(packets)) == packets


@pytest.mark.parametrize(
    "changes", [{"pts": 2**62}, {"dts": -(2**62)}, {"duration": -1}, {"duration": 2**62}]
)
def test_audio_times_that_do_not_fit_are_refused(changes):
    with pytest.raises(BitstreamError, match="coarser time base"):
        packets_to_bytes([packet(**changes)])


def test_long_audio_is_cut_into_records_of_about_a_megabyte():
    packets = [packet(data=bytes(100_000), pts=number) for number in range(50)]
    cut = list(runs(packets))
    assert [one for run in cut for one in run] == packets
    assert all(len(packets_to_bytes(run)) < 1_200_000 for run in cut)
