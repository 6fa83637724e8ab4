import math
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

import tubelet
from tubelet.checkpoint import read_continuous
from tubelet.codec import chunking
from tubelet.codec.symbols import BASE_STEP
from tubelet.errors import CheckpointError, DamageWarning, OptionError, OutputError
from tubelet.metrics.psnr import ClipPSNR
from tubelet.video.audio import read_audio

FRAMES = 14


@pytest.fixture(params=["small", "network"])
def folder(request):
    """The checkpoint of a linear tokenizer, and of one with networks."""
    return request.getfixturevalue(f"{request.param}_folder")


@pytest.fixture
def short_chunks(monkeypatch):
    """Two latent steps a chunk, so that a tiny clip has several."""
    monkeypatch.setattr(chunking, "LARGEST_CHUNK", 2)


@pytest.fixture
def tube(video_file, folder, tmp_path, short_chunks):
    """A tiny clip as a .tube file of several chunks."""
    tubelet.encode_file(video_file(frames=FRAMES), tmp_path / "clip.tube", tokenizer=folder)
    return tmp_path / "clip.tube"


def frames_of(path) -> np.ndarray:
    return np.concatenate([run.frames.copy() for run in tubelet.read(path)])


def times_of(path) -> list[Fraction]:
    ticks = np.concatenate([run.timestamps for run in tubelet.read(path)])
    return [int(tick) * tubelet.probe(path).time_base for tick in ticks]


def decoded(tube, folder, target, **options) -> np.ndarray:
    tubelet.decode_file(tube, target, tokenizer=folder, **options)
    return frames_of(target)


def nearly_equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Law 2 on 8 bits: one level, on fewer than one sample in ten thousand."""
    difference = np.abs(one.astype(int) - other.astype(int))
    return one.shape == other.shape and difference.max() <= 1 and (difference > 0).mean() < 1e-4


# There and back


def test_decoding_gives_the_frames_that_reconstructing_gives(tube, folder, video_file, tmp_path):
    source = video_file("again.mkv", frames=FRAMES)
    tubelet.reconstruct_file(source, tmp_path / "there.mkv", tokenizer=folder)
    assert (decoded(tube, folder, tmp_path / "back.mkv") == frames_of(tmp_path / "there.mkv")).all()


def test_reconstructing_writes_the_tube_file_that_encoding_writes(tube, folder, video_file, tmp_path):
    source = video_file(frames=FRAMES)
    tubelet.reconstruct_file(source, tmp_path / "there.mkv", tokenizer=folder)
    assert (tmp_path / "there.tube").read_bytes() == tube.read_bytes()


def test_decoding_a_file_is_decoding_its_latent(tube, folder, tmp_path):
    with tubelet.open_tube(tube, tokenizer=folder) as opened:
        latent = opened.latent()
    whole = tubelet.load(folder).decode(latent, frames=FRAMES, height=24, width=40)
    frames = decoded(tube, folder, tmp_path / "back.npy")
    assert nearly_equal(frames, tubelet.from_model(whole))


def test_the_latent_of_a_file_is_the_tokenizers_within_half_a_step(tube, folder, video_file):
    checkpoint = read_continuous(folder)
    video = tubelet.to_model(frames_of(video_file("again.mkv", frames=FRAMES)))
    with tubelet.open_tube(tube, tokenizer=folder) as opened:
        error = (opened.latent() - checkpoint.tokenizer.encode(video)).abs()
    step = BASE_STEP / checkpoint.tokenizer.model.transform.deviation
    assert (error <= 0.501 * step[:, None, None, None]).all()


def test_the_same_clip_gives_the_same_bytes(tube, folder, video_file, tmp_path):
    tubelet.encode_file(video_file(frames=FRAMES), tmp_path / "again.tube", tokenizer=folder)
    assert (tmp_path / "again.tube").read_bytes() == tube.read_bytes()


def test_the_figures_of_a_reconstruction_are_those_of_its_files(folder, video_file, tmp_path):
    source = video_file(frames=FRAMES)
    result = tubelet.reconstruct_file(source, tmp_path / "there.mkv", tokenizer=folder)
    metric = ClipPSNR()
    metric.update(frames_of(source), frames_of(tmp_path / "there.mkv"))
    assert result.psnr_db == metric.compute()
    assert result.source_bytes == source.stat().st_size
    assert result.tube.frames == FRAMES


def test_the_bytes_of_a_report_add_up_to_the_file(folder, video_file, sine, tmp_path):
    report = tubelet.encode_file(video_file(frames=30, sound=sine), tmp_path / "a.tube", tokenizer=folder)
    parts = report.bytes_symbols + report.bytes_tables + report.bytes_headers + report.bytes_audio
    assert parts == report.bytes_total == (tmp_path / "a.tube").stat().st_size
    assert report.entropy_bytes <= report.bytes_symbols


def test_side_by_side_shows_the_source_at_the_left(small_folder, video_file, tmp_path):
    source = video_file()
    tubelet.reconstruct_file(source, tmp_path / "pair.mkv", tokenizer=small_folder, side_by_side=True)
    tubelet.reconstruct_file(source, tmp_path / "one.mkv", tokenizer=small_folder)
    left, right = np.split(frames_of(tmp_path / "pair.mkv"), 2, axis=2)
    assert (left == frames_of(source)).all()
    assert (right == frames_of(tmp_path / "one.mkv")).all()


def test_a_coarser_step_makes_a_smaller_file(small_folder, video_file, tmp_path):
    source = video_file(frames=30)
    sizes = [
        tubelet.encode_file(source, tmp_path / f"{step}.tube", tokenizer=small_folder, step=step).bytes_total
        for step in (0.25, 1.0, 4.0)
    ]
    assert sizes == sorted(sizes, reverse=True)


# Time and sound


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_variable_frame_rate_is_kept(small_folder, video_file, tmp_path, suffix):
    ticks = [0, 1, 3, 4, 9, 10, 30, 31]
    source = video_file("vfr.mkv", frames=len(ticks), timestamps=ticks)
    tubelet.encode_file(source, tmp_path / "vfr.tube", tokenizer=small_folder)
    target = tmp_path / f"back{suffix}"
    tubelet.decode_file(tmp_path / "vfr.tube", target, tokenizer=small_folder)
    assert times_of(target) == times_of(source) == [Fraction(tick, 25) for tick in ticks]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_every_byte_of_the_audio_is_kept(small_folder, video_file, sine, tmp_path, suffix):
    source = video_file("sound.mp4", frames=25, sound=sine)
    tubelet.encode_file(source, tmp_path / "sound.tube", tokenizer=small_folder)
    target = tmp_path / f"back{suffix}"
    tubelet.decode_file(tmp_path / "sound.tube", target, tokenizer=small_folder)
    assert [p.data for p in read_audio(target)] == [p.data for p in sine.packets]
    assert tubelet.probe(target).audio.codec == "aac"


def test_reconstructing_keeps_every_byte_of_the_audio_too(small_folder, video_file, sine, tmp_path):
    source = video_file("sound.mp4", frames=25, sound=sine)
    tubelet.reconstruct_file(source, tmp_path / "back.mp4", tokenizer=small_folder)
    assert [p.data for p in read_audio(tmp_path / "back.mp4")] == [p.data for p in sine.packets]


def test_audio_that_is_left_out_is_not_in_the_file(small_folder, video_file, sine, tmp_path):
    source = video_file("sound.mkv", frames=25, sound=sine)
    tubelet.encode_file(source, tmp_path / "mute.tube", tokenizer=small_folder, audio=False)
    with tubelet.open_tube(tmp_path / "mute.tube", tokenizer=small_folder) as tube:
        assert tube.audio is None
        assert not list(tube.audio_packets())


def test_audio_can_be_left_out_of_the_decoded_file(small_folder, video_file, sine, tmp_path):
    source = video_file("sound.mkv", frames=25, sound=sine)
    tubelet.encode_file(source, tmp_path / "sound.tube", tokenizer=small_folder)
    tubelet.decode_file(tmp_path / "sound.tube", tmp_path / "mute.mp4", tokenizer=small_folder, audio=False)
    assert tubelet.probe(tmp_path / "mute.mp4").audio is None


def test_the_audio_of_a_part_is_what_sounds_with_it(small_folder, video_file, sine, tmp_path):
    source = video_file("sound.mkv", frames=25, sound=sine)
    tubelet.encode_file(source, tmp_path / "sound.tube", tokenizer=small_folder)
    target = tmp_path / "part.mkv"
    tubelet.decode_file(tmp_path / "sound.tube", target, tokenizer=small_folder, start=0.4, end=0.6)
    packets = [packet.data for packet in read_audio(target)]
    everything = [packet.data for packet in sine.packets]
    first = everything.index(packets[0])
    assert packets == everything[first : first + len(packets)]
    seconds = sine.packets[0].duration * sine.info.time_base
    assert len(packets) == pytest.approx(0.2 / float(seconds), abs=2)


class SlowFile:
    """A file that lets other threads go first between going somewhere and reading there."""

    closed = False

    def __init__(self, file) -> None:
        self._file = file
        self.read, self.close = file.read, file.close

    def seek(self, *place: int) -> int:
        at = self._file.seek(*place)
        time.sleep(0.0005)
        return at


def test_frames_and_audio_may_be_read_by_different_threads(small_folder, video_file, sine, tmp_path):
    source = video_file("sound.mkv", frames=25, sound=sine)
    tubelet.encode_file(source, tmp_path / "sound.tube", tokenizer=small_folder)
    with tubelet.open_tube(tmp_path / "sound.tube", tokenizer=small_folder) as tube:
        tube._reader._file = SlowFile(tube._reader._file)
        expected = tube.latent()
        with ThreadPoolExecutor(2) as threads:
            sounds = [threads.submit(lambda: [p.data for p in tube.audio_packets()]) for _ in range(4)]
            latents = [threads.submit(tube.latent) for _ in range(4)]
            sounds += [threads.submit(lambda: [p.data for p in tube.audio_packets()]) for _ in range(4)]
        assert all(sound.result() == [p.data for p in sine.packets] for sound in sounds)
        assert all(torch.equal(latent.result(), expected) for latent in latents)


# Anywhere


@pytest.fixture(params=[True, False], ids=["lead", "plain"])
def any_folder(request, folder, make_tokenizer, make_folder):
    """The same tokenizers, with and without a lead frame."""
    if request.param:
        return folder
    config = read_continuous(folder).tokenizer.config
    return make_folder(
        make_tokenizer(
            lead_frame=False,
            width=16,
            encoder_blocks=config.encoder_blocks,
            decoder_blocks=config.decoder_blocks,
        )
    )


@pytest.fixture
def any_tube(video_file, any_folder, tmp_path, short_chunks):
    tubelet.encode_file(video_file(frames=27), tmp_path / "long.tube", tokenizer=any_folder)
    return tmp_path / "long.tube"


def test_a_frame_by_itself_is_that_of_a_full_decode(any_tube, any_folder):
    with tubelet.open_tube(any_tube, tokenizer=any_folder) as tube:
        full = tube[:]
        assert len(tube) == len(full) == 27
        for index in (0, 1, 2, 4, 5, 6, 8, 9, 13, 20, 26):
            assert (tube[index] == full[index]).all(), index
        for part in (slice(None, None, 4), slice(3, 20, 5), slice(-9, None, 30), slice(20, 3, 2)):
            assert np.array_equal(tube[part], full[part]), part
        with pytest.raises(tubelet.TubeletError, match="in steps of -1"):
            tube[::-1]


@pytest.mark.parametrize(
    ("start", "end"), [(0.2, None), (None, 0.5), (0.39, 0.61), (0.52, 0.56), (1.0, 99.0)]
)
def test_a_part_is_the_same_part_of_a_full_decode(any_tube, any_folder, tmp_path, start, end):
    full = decoded(any_tube, any_folder, tmp_path / "full.npy")
    part = decoded(any_tube, any_folder, tmp_path / "part.mkv", start=start, end=end)
    first = 0 if start is None else math.ceil(start * 25 - 0.01)
    stop = 27 if end is None else min(27, math.ceil(end * 25 - 0.01))
    assert (part == full[first:stop]).all()
    assert len(part) == stop - first


def test_a_part_begins_at_time_zero(tube, folder, tmp_path):
    decoded(tube, folder, tmp_path / "part.mkv", start=0.2)
    assert times_of(tmp_path / "part.mkv")[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 5.0}, "no frame lies from 5.0 to"),
        ({"start": 0.2, "end": 0.2}, "Choose a longer part"),
        ({"start": 0.3, "end": 0.1}, "Choose a longer part"),
        ({"end": 0.0}, "Choose a longer part"),
        ({"start": -1.0}, "start is -1.0; it must be"),
        ({"end": math.nan}, "end is nan; it must be"),
        ({"start": math.inf}, "start is inf; it must be"),
        ({"channels": 0}, "channels is 0; this file holds 1 to 12"),
        ({"channels": 13}, "channels is 13; this file holds 1 to 12"),
    ],
    ids=str,
)
def test_a_part_without_meaning_is_refused(tube, folder, tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        tubelet.decode_file(tube, tmp_path / "part.mkv", tokenizer=folder, **options)
    assert not (tmp_path / "part.mkv").exists()


@pytest.mark.parametrize("channels", [1, 5, 12])
def test_the_first_channels_of_a_file_are_a_file_of_so_many(folder, video_file, tube, tmp_path, channels):
    # An encoder with blocks computes all channels either way; only what is stored differs.
    few = tmp_path / "few.tube"
    tubelet.encode_file(video_file(frames=FRAMES), few, tokenizer=folder, channels=channels)
    assert (
        decoded(tube, folder, tmp_path / "cut.npy", channels=channels)
        == decoded(few, folder, tmp_path / "few.npy")
    ).all()


@pytest.mark.parametrize("channels", [1, 5])
def test_fewer_channels_are_the_first_of_the_latent(tube, folder, channels):
    with (
        tubelet.open_tube(tube, tokenizer=folder) as everything,
        tubelet.open_tube(tube, tokenizer=folder, channels=channels) as few,
    ):
        assert torch.equal(few.latent(), everything.latent()[:, :channels])


def test_a_range_of_steps_is_that_range_of_the_latent(tube, folder):
    with tubelet.open_tube(tube, tokenizer=folder) as opened:
        whole = opened.latent()
        steps = whole.shape[2]
        for first in range(steps):
            for last in range(first + 1, steps + 1):
                assert torch.equal(opened.latent(first, last), whole[:, :, first:last])


@pytest.mark.parametrize("steps", [(0, 0), (2, 1), (-1, 2), (0, 99)])
def test_steps_that_are_not_there_are_refused(tube, folder, steps):
    with (
        tubelet.open_tube(tube, tokenizer=folder) as opened,
        pytest.raises(OptionError, match="are asked for"),
    ):
        opened.latent(*steps)


@pytest.mark.parametrize(
    "cut", [slice(3, 9), slice(-4, None), slice(5, 5), slice(9, 3), slice(0, 99)], ids=str
)
def test_slices_mean_what_they_mean_for_lists(tube, folder, cut):
    with tubelet.open_tube(tube, tokenizer=folder) as opened:
        assert (opened[cut] == opened[:][cut]).all()
        assert opened[cut].shape == opened[:][cut].shape


def test_negative_indices_count_from_the_end(tube, folder):
    with tubelet.open_tube(tube, tokenizer=folder) as opened:
        assert (opened[-1] == opened[FRAMES - 1]).all()
        assert opened[-FRAMES].shape == (24, 40, 3)


@pytest.mark.parametrize(
    "index", [FRAMES, -FRAMES - 1, slice(None, None, -2), slice(None, None, -1)], ids=str
)
def test_frames_that_are_not_there_are_refused(tube, folder, index):
    with tubelet.open_tube(tube, tokenizer=folder) as opened, pytest.raises(OptionError):
        opened[index]


def test_a_loop_over_a_tube_gives_every_frame_once(tube, folder):
    with tubelet.open_tube(tube, tokenizer=folder) as opened:
        assert (np.stack(list(opened)) == opened[:]).all()


# Any clip


def gif(path, frames: np.ndarray) -> None:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("gif", rate=10)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "rgb8"
        for picture in frames:
            output.mux(
                stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="rgb8"))
            )
        output.mux(stream.encode(None))


@pytest.mark.filterwarnings("ignore::tubelet.errors.LossWarning")
@pytest.mark.parametrize(
    ("name", "frames", "height", "width"),
    [
        ("one-frame.mkv", 1, 24, 40),
        ("two-frames.mkv", 2, 24, 40),
        ("odd.mkv", 6, 23, 41),
        ("flat.npy", 3, 1, 50),
        ("pixel.npy", 1, 1, 1),
        ("pixels.npy", 7, 1, 1),
        ("image.png", 1, 21, 33),
        ("image.jpg", 1, 21, 33),
        ("animation.gif", 5, 16, 24),
        ("array.npy", 10, 17, 9),
    ],
)
def test_any_clip_comes_back_with_its_length_and_size(
    folder, video_file, smooth, tmp_path, name, frames, height, width
):
    source = tmp_path / name
    if name.endswith(".gif"):
        gif(source, smooth(frames, height, width))
    else:
        video_file(name, frames=frames, height=height, width=width)
    tubelet.encode_file(source, tmp_path / "any.tube", tokenizer=folder)
    assert decoded(tmp_path / "any.tube", folder, tmp_path / "back.npy").shape == (frames, height, width, 3)
    assert decoded(tmp_path / "any.tube", folder, tmp_path / "back.mkv").shape == (frames, height, width, 3)


def test_a_clip_of_one_frame_can_be_decoded_to_an_image(folder, video_file, tmp_path):
    tubelet.encode_file(video_file(frames=1), tmp_path / "one.tube", tokenizer=folder)
    image = decoded(tmp_path / "one.tube", folder, tmp_path / "one.png")
    assert (image == decoded(tmp_path / "one.tube", folder, tmp_path / "one.npy")).all()


# Memory


LITTLE = 4 << 20
"""Enough for the frames in flight and what the network remembers, but to work on a few rows at a time."""


@pytest.fixture
def wide(video_file, network_folder, tmp_path):
    source = video_file("wide.mkv", frames=6, height=120, width=200)
    tubelet.encode_file(source, tmp_path / "wide.tube", tokenizer=network_folder)
    return tmp_path / "wide.tube"


def test_decoding_in_little_memory_gives_the_same_frames(wide, network_folder, tmp_path):
    whole = decoded(wide, network_folder, tmp_path / "whole.npy")
    assert nearly_equal(whole, decoded(wide, network_folder, tmp_path / "tiles.npy", memory=LITTLE))


def test_encoding_in_little_memory_gives_the_same_symbols(wide, network_folder, tmp_path):
    tubelet.encode_file(
        tmp_path / "wide.mkv", tmp_path / "tiles.tube", tokenizer=network_folder, memory=LITTLE
    )
    with (
        tubelet.open_tube(wide, tokenizer=network_folder) as whole,
        tubelet.open_tube(tmp_path / "tiles.tube", tokenizer=network_folder) as tiles,
    ):
        # A value on the edge between two symbols may fall to either side.
        assert (whole.latent() != tiles.latent()).float().mean() < 1e-4


def test_too_little_memory_is_refused_with_what_is_needed(wide, network_folder, tmp_path):
    with pytest.raises(OptionError, match=r"would take \d+ bytes; memory is 1000\. Allow more"):
        tubelet.decode_file(wide, tmp_path / "x.mkv", tokenizer=network_folder, memory=1000)
    with pytest.raises(OptionError, match="memory is 1000 bytes"):
        tubelet.encode_file(tmp_path / "wide.mkv", tmp_path / "x.tube", tokenizer=network_folder, memory=1000)


# Damage


@pytest.mark.parametrize("share", [0.97, 0.8, 0.6])
def test_a_file_cut_short_gives_the_frames_before_the_cut(any_tube, any_folder, tmp_path, share):
    full = decoded(any_tube, any_folder, tmp_path / "full.npy")
    data = any_tube.read_bytes()
    cut = tmp_path / "cut.tube"
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.warns(DamageWarning, match=r"cut short .* can be read"):
        report = tubelet.decode_file(cut, tmp_path / "cut.npy", tokenizer=any_folder)
    frames = frames_of(tmp_path / "cut.npy")
    assert not report.complete
    assert 0 < len(frames) == report.frames
    assert (frames == full[: len(frames)]).all()


def test_a_whole_file_says_so(tube, folder, tmp_path):
    assert tubelet.decode_file(tube, tmp_path / "x.npy", tokenizer=folder).complete


def test_the_tokenizer_must_be_the_one_that_made_the_file(
    tube, folder, make_tokenizer, make_folder, tmp_path
):
    other = make_folder(make_tokenizer(seed=99))
    with pytest.raises(CheckpointError, match=r"was made with the tokenizer .* of SHA-256 .*--tokenizer"):
        tubelet.decode_file(tube, tmp_path / "x.mkv", tokenizer=other)
    assert not (tmp_path / "x.mkv").exists()


def test_a_tokenizer_that_is_not_here_is_asked_for(tube, folder):
    with pytest.raises(
        CheckpointError, match=r"none of the shipped ones .*\. Give its folder with --tokenizer"
    ):
        tubelet.open_tube(tube)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_no_numbers_end_in_a_named_error(
    make_tokenizer, make_folder, video_file, tmp_path, value
):
    made = make_tokenizer()
    made.tokenizer.model.transform.klts[0].basis[3, 5] = value
    target = tmp_path / "x.tube"
    with pytest.raises(CheckpointError, match="not a finite number"):
        tubelet.encode_file(video_file(), target, tokenizer=make_folder(made))
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mkv"}


@pytest.mark.parametrize("value", [math.nan, 0.0, math.inf])
def test_statistics_that_are_no_numbers_end_in_a_named_error(
    make_tokenizer, make_folder, video_file, tmp_path, value
):
    made = make_tokenizer()
    made.tokenizer.model.transform.deviation[3] = value
    with pytest.raises(CheckpointError, match=r"not a finite number|each is above zero"):
        tubelet.encode_file(video_file(), tmp_path / "x.tube", tokenizer=make_folder(made))


class StopError(Exception):
    pass


def stop(_: int) -> None:
    raise StopError


def test_an_interrupted_run_leaves_nothing_behind(tube, folder, video_file, tmp_path):
    source = video_file("more.mkv")
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(StopError):
        tubelet.encode_file(source, tmp_path / "x.tube", tokenizer=folder, on_frames=stop)
    with pytest.raises(StopError):
        tubelet.decode_file(tube, tmp_path / "x.mkv", tokenizer=folder, on_frames=stop)
    with pytest.raises(StopError):
        tubelet.reconstruct_file(source, tmp_path / "x.mp4", tokenizer=folder, on_frames=stop)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_nothing_is_overwritten_unasked(tube, folder, video_file, tmp_path):
    source = video_file()
    (tmp_path / "there.mkv").write_text("precious")
    with pytest.raises(OutputError, match="--force"):
        tubelet.encode_file(source, tube, tokenizer=folder)
    with pytest.raises(OutputError, match="--force"):
        tubelet.decode_file(tube, tmp_path / "there.mkv", tokenizer=folder)
    with pytest.raises(OutputError, match="--force"):
        tubelet.reconstruct_file(source, tmp_path / "there.mkv", tokenizer=folder)
    assert (tmp_path / "there.mkv").read_text() == "precious"
    tubelet.decode_file(tube, tmp_path / "there.mkv", tokenizer=folder, force=True)
    assert len(frames_of(tmp_path / "there.mkv")) == FRAMES
