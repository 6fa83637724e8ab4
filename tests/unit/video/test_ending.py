"""The end of a clip is read: the last frame lasts as long as the file says."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tubelet.video.probe import probe
from tubelet.video.read import read


def end_of(path, *, run: int = 16) -> Fraction:
    """Seconds from the first frame to the end of the last."""
    runs = [(run.timestamps.copy(), run.end) for run in read(path, run=run)]
    assert runs[-1][1] is not None
    return (runs[-1][1] - int(runs[0][0][0])) * probe(path).time_base


def slides(clip, *durations: int) -> list[av.VideoFrame]:
    frames = [av.VideoFrame.from_ndarray(picture, "rgb24") for picture in clip(len(durations), 16, 32)]
    for frame, duration in zip(frames, durations, strict=True):
        frame.duration = duration
    return frames


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".gif", ".mkv"])
@pytest.mark.parametrize("run", [1, 2, 16])
def test_the_last_slide_stays_as_long_as_the_file_says(film, clip, suffix, run):
    codecs = {".gif": {"codec": "gif", "pixel_format": "rgb8"}}
    path = film(
        f"slides{suffix}",
        slides(clip, 20, 20, 60),
        timestamps=[0, 20, 40],
        time_base=Fraction(1, 10),
        **codecs.get(suffix, {"options": {"bf": "0"}}),
    )
    assert end_of(path, run=run) == 10


def test_a_run_ends_where_the_next_begins(film, clip):
    path = film("plain.mp4", clip(7, 16, 16))
    runs = [(run.timestamps.copy(), run.end) for run in read(path, run=3)]
    assert [end for _, end in runs[:-1]] == [int(ticks[0]) for ticks, _ in runs[1:]]
    assert next(iter(read(path, stop=3))).end == runs[1][0][0]


def still(picture, path, *, begin: int) -> None:
    """A film of one frame with five seconds of sound, both of which begin at a second."""
    with av.open(str(picture)) as source, av.open(str(path), "w") as output:
        video = output.add_stream_from_template(source.streams.video[0])
        audio = output.add_stream("aac", rate=8000)
        packet = next(source.demux(video=0))
        packet.stream = video
        packet.pts = packet.dts = round(begin / packet.time_base)
        output.mux(packet)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 40_000), np.float32), "fltp", "mono")
        sound.sample_rate, sound.pts = 8000, 8000 * begin
        output.mux([*audio.encode(sound), *audio.encode(None)])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("begin", [0, 2])
def test_a_still_is_shown_as_long_as_its_sound_lasts(film, clip, tmp_path, suffix, begin):
    path = tmp_path / f"still{suffix}"
    still(film("picture.mp4", clip(1, 16, 16)), path, begin=begin)
    assert abs(end_of(path) - 5) < Fraction(1, 5)


def test_the_length_that_mkvmerge_states_counts_from_its_first_block(film, clip, tmp_path):
    path = tmp_path / "still.mkv"
    still(film("picture.mp4", clip(1, 16, 16)), path, begin=2)
    data = path.read_bytes()
    by_ffmpeg, by_mkvmerge = data[data.index(b"Lavf") :][:13], b"libmatroska"
    seven, five = (np.array([seconds], ">f8").tobytes() for seconds in (_stated(data), _stated(data) - 2000))
    assert data.count(seven) == 1
    data = data.replace(by_ffmpeg, by_mkvmerge.ljust(len(by_ffmpeg))).replace(seven, five)
    path.write_bytes(data)
    assert abs(end_of(path) - 5) < Fraction(1, 5)


def _stated(data: bytes) -> float:
    """Milliseconds of the segment, from its element Duration of eight bytes."""
    at = data.index(b"\x44\x89\x88") + 3
    return float(np.frombuffer(data[at : at + 8], ">f8")[0])


def test_an_array_ends_one_tick_after_its_last_frame(tmp_path, clip):
    np.save(tmp_path / "a.npy", clip(5, 8, 8))
    assert [run.end for run in read(tmp_path / "a.npy", run=2)] == [2, 4, 5]
