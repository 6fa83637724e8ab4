"""Opening a ``.tube`` costs in proportion to its chunks, reads none, and finds a frame in few looks."""

import sys
from itertools import pairwise

import numpy as np
import pytest

from tubelet.bitstream import Chunk, Header, PartHeader, TubeReader, TubeWriter
from tubelet.bitstream.container import RecordHead
from tubelet.checkpoint import read_continuous
from tubelet.codec.tube import open_tube
from tubelet.errors import DamageWarning

CHUNKS = (100, 400, 1600)


@pytest.fixture(scope="module")
def tubes(tmp_path_factory, small_folder):
    """Files of one latent step, of 8x8 pixels, in each chunk."""
    made = read_continuous(small_folder)
    stride, steps = (4, 8, 8), (1 << 18, 1 << 18)
    part = PartHeader(name="latent", channels=2, stride=stride, rows=1, columns=1, steps=steps)
    header = Header(
        version=1,
        content="latent",
        parts=(part,),
        tokenizer=made.name,
        tokenizer_sha256=made.sha256,
        stride=stride,
        lead_frame=True,
        height=8,
        width=8,
        time_base=(1, 25),
        sample_aspect=(1, 1),
        colour={"matrix": "bt709", "range": "limited", "primaries": 1, "transfer": 1},
        source={},
        audio=None,
    )
    paths = []
    first_frame = made.tokenizer.grouping.first_frame
    for count in CHUNKS:
        paths.append(tmp_path_factory.mktemp("tubes") / f"{count}.tube")
        with TubeWriter(paths[-1], header) as writer:
            for number in range(count):
                times = np.arange(first_frame(number), first_frame(number + 1))
                symbols = np.full((2, 1, 1, 1), number % 5, np.int32)
                writer.write_chunk(
                    Chunk(
                        number=number,
                        first_step=number,
                        first_frame=int(times[0]),
                        timestamps=times,
                        symbols=symbols,
                    )
                )
    return paths


def calls(work):
    """How many functions are called and generators resumed while something is done."""
    count = 0

    def step(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(step)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def test_calls_grow_as_the_number_of_chunks(tubes, small_folder):
    def opened(path):
        with open_tube(path, tokenizer=small_folder) as tube:
            assert len(tube) == 4 * len(tube._reader.chunks) - 3

    opened(tubes[0])  # what is done once in a process
    counts = [calls(lambda path=path: opened(path)) for path in tubes]
    (a, b), (c, d) = pairwise(counts)
    # Linear is a + b n: four times as many chunks more cost four times as much more.
    assert b - a <= d - c <= 4.4 * (b - a), counts


def test_a_file_without_its_end_is_gone_through_once(tubes, tmp_path):
    counts = []
    for path in tubes:
        cut = tmp_path / path.name
        cut.write_bytes(path.read_bytes()[:-30])

        def opened(cut=cut):
            with pytest.warns(DamageWarning), TubeReader(cut):
                pass

        counts.append(calls(opened))
    (a, b), (c, d) = pairwise(counts)
    assert b - a <= d - c <= 4.4 * (b - a), counts


def test_opening_reads_header_and_index_alone(tubes, small_folder, monkeypatch):
    heads = []
    read = RecordHead.read
    monkeypatch.setattr(RecordHead, "read", lambda window: heads.append(window.at) or read(window))
    with open_tube(tubes[-1], tokenizer=small_folder) as tube:
        assert len(heads) == 1
        assert (tube.frames, len(tube._reader.chunks)) == (6397, 1600)
        assert tube.frame_at(100.0) == 2500
        assert tube.end == 6397
        assert len(heads) < 30
        before = len(heads)
        assert tube[6000].shape == (8, 8, 3)
        assert len(heads) < before + 10
