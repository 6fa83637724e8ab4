"""The last frame is shown as long as the source says, through a ``.tube`` file and whatever is made of it."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tubelet.codec.decode import decode_file
from tubelet.codec.encode import encode_file
from tubelet.codec.reconstruct import reconstruct_file
from tubelet.codec.tokens.tokenize import tokenize_file
from tubelet.codec.tube import open_tube
from tubelet.video.read import read
from tubelet.video.write import Writer

FILMS = (".mp4", ".mov", ".mkv", ".webm")


@pytest.fixture
def make_clip(tmp_path, smooth):
    """A clip of frames at some milliseconds that ends at another."""

    def make(times, end):
        path = tmp_path / "clip.mp4"
        with Writer(path, width=32, height=16, time_base=Fraction(1, 1000), force=True) as writer:
            writer.write(smooth(len(times), 16, 32), np.array(times), end=end)
        return path

    return make


def seconds(path):
    """When the frames of a film are shown and the last one ends, by PyAV alone; and the stream's length."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        last = max(packets, key=lambda packet: packet.pts)
        shown = sorted(float(packet.pts * packet.time_base) for packet in packets)
        length = float(stream.duration * stream.time_base) if stream.duration else None
        return shown, float((last.pts + last.duration) * last.time_base), length


CLIPS = {
    "slides": ([0, 2000, 4000], 10_000),
    "a still": ([0], 7300),
    "a short last one": ([0, 40, 80, 120, 160, 200, 240], 245),
    "an uneven clip of several runs": ([0, 10, 300, 310, 2000, 2001, 2500, 9000, 9100], 9999),
}


@pytest.mark.parametrize(("times", "end"), CLIPS.values(), ids=CLIPS)
@pytest.mark.parametrize("suffix", FILMS)
def test_the_last_frame_lasts_as_long_as_in_the_source(tmp_path, make_clip, small_folder, times, end, suffix):
    clip, tube, back = make_clip(times, end), tmp_path / "a.tube", tmp_path / f"back{suffix}"
    encode_file(clip, tube, tokenizer=small_folder)
    with open_tube(tube, tokenizer=small_folder) as opened:
        assert opened.end is not None
        assert [float(time * opened.time_base) for time in (*opened.timestamps, opened.end)] == pytest.approx(
            [time / 1000 for time in (*times, end)], abs=1e-3
        )
    decode_file(tube, back, tokenizer=small_folder)
    shown, ended, length = seconds(back)
    assert shown == pytest.approx([time / 1000 for time in times], abs=1.01e-3)
    assert ended == pytest.approx(end / 1000, abs=1.01e-3)
    assert length is None or length == pytest.approx(end / 1000, abs=1.01e-3)
    # and a second time round
    encode_file(back, tube, tokenizer=small_folder, force=True)
    with open_tube(tube, tokenizer=small_folder) as opened:
        assert opened.end is not None
        assert float(opened.end * opened.time_base) == pytest.approx(end / 1000, abs=1.01e-3)


def test_files_of_tokens_and_reconstructions_keep_it_too(tmp_path, make_clip, small_folder, token_folder):
    clip = make_clip([0, 40, 80], 5000)
    tokenize_file(clip, tmp_path / "tokens.tube", tokenizer=token_folder)
    with open_tube(tmp_path / "tokens.tube", tokenizer=token_folder) as opened:
        assert opened.end == 5000 / 1000 / opened.time_base
    for side_by_side in (False, True):
        reconstruct_file(
            clip, tmp_path / "r.mp4", tokenizer=small_folder, side_by_side=side_by_side, force=True
        )
        assert seconds(tmp_path / "r.mp4")[1] == 5.0
        with open_tube(tmp_path / "r.tube", tokenizer=small_folder) as opened:
            assert opened.end == 5000 / 1000 / opened.time_base


def test_a_part_ends_where_the_next_frame_would_be_shown(tmp_path, make_clip, small_folder):
    clip, tube, back = make_clip([0, 100, 900, 1000, 1100], 3000), tmp_path / "a.tube", tmp_path / "back.mp4"
    encode_file(clip, tube, tokenizer=small_folder)
    for start, end, ended in ((None, 0.85, 0.9), (0.1, 0.9, 0.8), (0.9, None, 2.1)):
        decode_file(tube, back, tokenizer=small_folder, start=start, end=end, force=True)
        assert seconds(back)[1] == pytest.approx(ended)


def test_every_run_of_a_tube_says_when_it_ends(tmp_path, make_clip, small_folder):
    times = [0, 10, 300, 310, 2000, 2001, 2500, 9000, 9100]
    clip, tube = make_clip(times, 9999), tmp_path / "a.tube"
    encode_file(clip, tube, tokenizer=small_folder)
    with open_tube(tube, tokenizer=small_folder) as opened:
        ends = [*opened.timestamps[1:].tolist(), opened.end]
        for start in range(9):
            for stop in range(start + 1, 10):
                for run in opened.read(start, stop):
                    assert run.end == ends[opened.timestamps.tolist().index(run.timestamps[-1])]


def test_a_still_with_sound_lasts_as_long_as_its_sound(tmp_path, video_file, sine, small_folder):
    clip = video_file("still.mp4", frames=1, sound=sine)
    [run] = read(clip)
    tube, back = tmp_path / "a.tube", tmp_path / "back.mp4"
    encode_file(clip, tube, tokenizer=small_folder)
    decode_file(tube, back, tokenizer=small_folder)
    assert run.end is not None
    assert seconds(back)[1] > 0.9
    with open_tube(tube, tokenizer=small_folder) as opened:
        assert opened.end == run.end
