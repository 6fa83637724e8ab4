"""Headers of ``.tube`` files whose frames or chunks no memory holds: refused when they are asked for."""

import resource
import time

import numpy as np
import pytest

from tubelet.bitstream import Chunk, Header, PartHeader, TubeWriter
from tubelet.checkpoint import read_continuous
from tubelet.codec.decode import decode_file
from tubelet.codec.tube import open_tube
from tubelet.errors import OptionError


@pytest.fixture
def made(tmp_path, small_folder):
    """A file of one chunk, of a clip of this size: equal symbols take next to nothing."""
    found = read_continuous(small_folder)

    def make(side, *, steps=1, channels=1):
        cells = -(-side // 8)
        part = PartHeader(
            name="latent",
            channels=channels,
            stride=(4, 8, 8),
            rows=cells,
            columns=cells,
            steps=(1 << 18,) * channels,
        )
        header = Header(
            version=1,
            content="latent",
            parts=(part,),
            tokenizer=found.name,
            tokenizer_sha256=found.sha256,
            stride=(4, 8, 8),
            lead_frame=True,
            height=side,
            width=side,
            time_base=(1, 25),
            sample_aspect=(1, 1),
            colour={"matrix": "bt709", "range": "limited", "primaries": 1, "transfer": 1},
            source={},
            audio=None,
        )
        path = tmp_path / "large.tube"
        times = np.arange(4 * steps - 3)
        symbols = np.zeros((channels, steps, cells, cells), np.int32)
        with TubeWriter(path, header, force=True) as writer:
            writer.write_chunk(
                Chunk(number=0, first_step=0, first_frame=0, timestamps=times, symbols=symbols)
            )
        assert path.stat().st_size < 2000
        return path

    return make


def test_frames_larger_than_memory_are_refused_before_they_are_made(made, tmp_path, small_folder):
    path = made(16_000)
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    match = r"a step of 4 frames of 16000x16000 would take 3072000000 bytes; memory is 1073741824"
    with pytest.raises(OptionError, match=match):
        decode_file(path, tmp_path / "out.mkv", tokenizer=small_folder)
    assert not (tmp_path / "out.mkv").exists()
    with open_tube(path, tokenizer=small_folder) as tube:
        assert tube.frames == 1
        with pytest.raises(OptionError, match=match):
            tube[0]
    assert time.perf_counter() - begun < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_chunk_larger_than_memory_is_refused_before_it_is_made(made, small_folder):
    path = made(800, steps=100)
    match = r"chunk 0 would take 12000000 bytes; memory is 8388608"
    with (
        open_tube(path, tokenizer=small_folder, memory=1 << 23) as tube,
        pytest.raises(OptionError, match=match),
    ):
        tube.latent(0, 1)
    with open_tube(path, tokenizer=small_folder) as tube:
        assert tube.latent(0, 1).shape == (1, 1, 1, 100, 100)
