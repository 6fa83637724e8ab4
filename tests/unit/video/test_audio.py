from fractions import Fraction

import av
import numpy as np
import pytest

from tubelet.errors import LossWarning, VideoError
from tubelet.video.audio import read_audio
from tubelet.video.info import AudioInfo
from tubelet.video.probe import probe
from tubelet.video.write import Writer

RATE = 48000
SOURCES = {
    "aac": ("aac", "source.mp4", [".mp4", ".mov"]),
    "mp3": ("libmp3lame", "source.mp4", [".mp4", ".mov"]),
    "opus": ("libopus", "source.webm", [".webm", ".mkv"]),
    "vorbis": ("vorbis", "source.mkv", [".mkv", ".webm"]),
    "flac": ("flac", "source.mkv", [".mkv", ".mp4"]),
    "ac3": ("ac3", "source.mkv", [".mkv"]),
    "pcm_s16le": ("pcm_s16le", "source.mov", [".mov", ".mkv"]),
}
CASES = [(name, suffix) for name, (_, _, suffixes) in SOURCES.items() for suffix in suffixes]


@pytest.fixture
def sounding(tmp_path):
    """A film with one second of a tone, by PyAV alone."""

    def make(encoder: str, name: str):
        tone = (9000 * np.sin(np.arange(RATE) * 0.05)).astype(np.int16).repeat(2)[None]
        sound = av.AudioFrame.from_ndarray(tone, format="s16", layout="stereo")
        sound.sample_rate, sound.pts, sound.time_base = RATE, 0, Fraction(1, RATE)
        with av.open(str(tmp_path / name), "w") as output:
            pictures = output.add_stream("libvpx-vp9" if name.endswith("webm") else "mpeg4", rate=24)
            pictures.width = pictures.height = 16
            stream = output.add_stream(encoder, rate=RATE)
            if encoder == "vorbis":
                stream.codec_context.options = {"strict": "experimental"}
            resampler = av.AudioResampler(format=stream.format.name, layout="stereo", rate=RATE)
            output.mux(pictures.encode(av.VideoFrame(16, 16, "yuv420p")))
            for part in [*resampler.resample(sound), *resampler.resample(None)]:
                output.mux(stream.encode(part))
            output.mux(stream.encode(None))
            output.mux(pictures.encode(None))
        return tmp_path / name

    return make


def samples_of(path) -> tuple[np.ndarray, float]:
    with av.open(str(path)) as source:
        frames = list(source.decode(audio=0))
        return np.concatenate([frame.to_ndarray() for frame in frames], -1), frames[0].time


def rewritten(source, suffix: str, audio: AudioInfo, *, first: int = 0):
    target = source.with_name(f"target{suffix}")
    picture = np.zeros((1, 16, 16, 3), np.uint8)
    with Writer(target, width=16, height=16, time_base=Fraction(1, 24), audio=audio) as output:
        for packet in read_audio(source):
            output.write_audio(packet)
        for tick in range(first, first + 24):
            output.write(picture, np.array([tick]))
    return target


@pytest.mark.parametrize(("name", "suffix"), CASES)
def test_sound_is_carried_over_to_the_bit_and_to_the_sample(sounding, name, suffix):
    encoder, file, _ = SOURCES[name]
    source = sounding(encoder, file)
    info = probe(source).audio
    assert (info.codec, info.sample_rate, info.channels, info.layout) == (name, RATE, 2, "stereo")
    target = rewritten(source, suffix, info)
    assert [packet.data for packet in read_audio(target)] == [packet.data for packet in read_audio(source)]
    (heard, start), (again, start_again) = samples_of(source), samples_of(target)
    assert np.array_equal(heard, again)
    assert start == pytest.approx(start_again, abs=1e-3)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_of_a_transport_stream_is_one_stream_of_a_film(sounding, suffix):
    source = sounding("aac", "source.ts")
    target = rewritten(source, suffix, probe(source).audio)
    with av.open(str(target)) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]
        assert film.streams.audio[0].codec_context.extradata
    assert np.array_equal(samples_of(source)[0], samples_of(target)[0])
    info = probe(target)
    assert (info.audio.codec, info.losses) == ("aac", ())


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_keeps_in_step_with_pictures_that_begin_before_zero(sounding, suffix):
    source = sounding("aac", "source.mp4")
    target = rewritten(source, suffix, probe(source).audio, first=-12)
    times = [
        [packet.pts * probe(path).audio.time_base for packet in read_audio(path)] for path in (source, target)
    ]
    assert len(times[0]) == len(times[1])
    for before, after in zip(*times, strict=True):
        assert abs(after - before - Fraction(1, 2)) <= Fraction(1, 1000)


@pytest.mark.parametrize(("name", "suffix"), [("aac", ".webm"), ("opus", ".mov"), ("pcm_s16le", ".mp4")])
def test_sound_that_does_not_fit_is_left_out_with_a_cure(sounding, name, suffix):
    encoder, file, _ = SOURCES[name]
    source = sounding(encoder, file)
    info = probe(source).audio
    with pytest.warns(LossWarning, match=rf"{suffix} cannot hold {name}; .mkv"):
        target = rewritten(source, suffix, info)
    assert probe(target).audio is None


def test_a_damaged_description_is_named(sounding, tmp_path):
    source = sounding("aac", "source.mp4")
    info = probe(source).audio
    fields = {name: getattr(info, name) for name in AudioInfo.__slots__}
    with pytest.raises(VideoError, match="description of the audio stream is damaged"):
        rewritten(source, ".mp4", AudioInfo(**{**fields, "header": b"nonsense" * 20}))
    assert not list(tmp_path.glob("*target*"))


def test_a_film_without_sound_has_no_packets(film, clip):
    assert list(read_audio(film("mute.mp4", clip(2, 16, 16)))) == []
