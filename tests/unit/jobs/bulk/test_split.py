"""Long videos are cut into ranges that hold every frame; what is measured of a clip is what comes back."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from bulk_records import records_of
from hypothesis import given
from hypothesis import strategies as st

import tubelet
from tubelet.data.shards.numbers import from_stored
from tubelet.data.shards.record import bytes_to_array
from tubelet.errors import OptionError
from tubelet.jobs.bulk.plan import plan_clips
from tubelet.jobs.bulk.run import BulkEncoding, encode_dataset
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.jobs.bulk.split import Split, split_rows
from tubelet.jobs.sources import read_sources
from tubelet.metrics.psnr import ClipPSNR
from tubelet.video.read import read
from tubelet.video.write import Writer


@given(
    seconds=st.floats(0.1, 60), share=st.floats(0, 0.9), begin=st.floats(0, 100), length=st.floats(0.05, 500)
)
def test_ranges_cover_a_stretch_and_share_what_is_asked_for(seconds, share, begin, length):
    split = Split(seconds=seconds, overlap=seconds * share)
    ranges = split.ranges(begin, begin + length)
    assert ranges[0][0] == pytest.approx(begin, abs=1e-6)
    assert ranges[-1][1] == pytest.approx(begin + length, abs=2e-6)
    for one, other in pairwise(ranges):
        assert one[1] - one[0] == pytest.approx(seconds, abs=2e-6)
        assert one[1] - other[0] == pytest.approx(seconds * share, abs=2e-6)
    # The last one has something that the one before it has not.
    assert len(ranges) == 1 or ranges[-1][1] > ranges[-2][1] - 2e-6


@pytest.mark.parametrize(
    "numbers", [(0.0, 0.0), (1.0, 1.0), (1.0, -0.5), (1.0, 2.0), (float("nan"), 0.0), (1e9, 0.0)]
)
def test_numbers_without_a_meaning_are_refused(numbers):
    with pytest.raises(OptionError, match="share"):
        Split(seconds=numbers[0], overlap=numbers[1])


def test_a_last_slide_is_in_as_many_ranges_as_it_is_shown_in_at_a_rate(tmp_path):
    path = tmp_path / "slides.mp4"
    with Writer(path, width=16, height=16, time_base=Fraction(1, 25)) as writer:
        writer.write(np.zeros((2, 16, 16, 3), np.uint8), np.array([0, 5]), end=50)
    rows = read_sources([str(path)])
    ends = {
        rate: [row.end for row in split_rows(rows, Split(seconds=0.5), BulkSettings(fps=rate))]
        for rate in (None, "10")
    }
    assert ends == {None: [None], "10": [0.5, 1.0, 1.5, None]}


def test_every_frame_of_a_long_video_is_in_one_range(
    here, video_file, tmp_path, small_folder, small_tokenizer
):
    path = video_file("long.mp4", frames=53)
    rows = split_rows(read_sources([str(path)]), Split(seconds=0.5))
    assert [(row.start, row.end) for row in rows] == [
        (None, 0.5),
        (0.5, 1.0),
        (1.0, 1.5),
        (1.5, 2.0),
        (2.0, None),
    ]
    settings = BulkSettings(tokenizer=str(small_folder), dtype="float32")
    encode_dataset(
        BulkEncoding(clips=plan_clips(rows, mirror=False), folder=tmp_path / "out", settings=settings)
    )
    records = sorted(records_of(tmp_path / "out").values(), key=lambda record: record.facts["start"] or 0.0)
    assert [record.facts["frames"] for record in records] == [13, 12, 13, 12, 3]
    frames, begin = np.concatenate([run.frames for run in read(path)]), 0
    for record in records:
        piece = frames[begin : begin + record.facts["frames"]]
        begin += len(piece)
        about = record.facts["arrays"]["latent.npy"]
        stored = from_stored(bytes_to_array(record.arrays["latent.npy"], "there"), about, "there")
        wanted = small_tokenizer.encode(tubelet.to_model(piece))[0]
        torch.testing.assert_close(stored, wanted, atol=2e-5, rtol=0)
    assert begin == 53


def test_short_videos_and_those_that_cannot_be_opened_stay_whole(video_file, tmp_path):
    short = video_file("short.mkv", frames=9)
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"junk")
    rows = read_sources([str(short), str(junk)])
    assert split_rows(rows, Split(seconds=0.5)) == rows


def test_ranges_of_a_list_are_cut_too_and_end_where_they_end(video_file, tmp_path):
    video_file("long.mkv", frames=50)
    (tmp_path / "list.csv").write_text("path,start,end\nlong.mkv,0.4,1.5\n")
    rows = split_rows(read_sources([str(tmp_path / "list.csv")]), Split(seconds=0.5))
    assert [(row.start, row.end) for row in rows] == [(0.4, 0.9), (0.9, 1.4), (1.4, 1.5)]


@pytest.mark.parametrize("channels", [None, 3])
def test_the_psnr_that_is_stored_is_that_of_what_is_stored(
    encode, clips, tmp_path, small_tokenizer, channels
):
    encode(clips / "5.mkv", measure="psnr", dtype="int8", channels=channels)
    (record,) = records_of(tmp_path / "out").values()
    about = record.facts["arrays"]["latent.npy"]
    latent = from_stored(bytes_to_array(record.arrays["latent.npy"], "there"), about, "there")[None]
    frames = np.concatenate([run.frames for run in read(clips / "5.mkv")])
    video = small_tokenizer.decode(latent, frames=len(frames), height=24, width=40)
    psnr = ClipPSNR()
    psnr.update(frames, tubelet.from_model(video))
    assert record.facts["psnr_db"] == pytest.approx(psnr.compute(), abs=0.01)


def test_the_psnr_of_tokens(encode, clips, tmp_path, token_folder):
    encode(clips / "5.mkv", measure="psnr", tokenizer=str(token_folder))
    (record,) = records_of(tmp_path / "out").values()
    tokenizer = tubelet.load_discrete(token_folder)
    frames = np.concatenate([run.frames for run in read(clips / "5.mkv")])
    video = tokenizer.detokenize(tokenizer.tokenize(tubelet.to_model(frames)))
    psnr = ClipPSNR()
    psnr.update(frames, tubelet.from_model(video))
    assert record.facts["psnr_db"] == pytest.approx(psnr.compute(), abs=0.01)


def test_a_latent_of_several_parts_has_an_array_for_each(encode, clips, tmp_path):
    encode(clips / "5.mkv", measure="psnr", tokenizer="klt-4x8x8-motion", dtype="float32")
    (record,) = records_of(tmp_path / "out").values()
    tokenizer = tubelet.load("klt-4x8x8-motion")
    frames = np.concatenate([run.frames for run in read(clips / "5.mkv")])
    latents = tokenizer.encode_parts(tubelet.to_model(frames))
    assert set(record.arrays) == {f"{name}.npy" for name in latents}
    for name, latent in latents.items():
        about = record.facts["arrays"][f"{name}.npy"]
        stored = from_stored(bytes_to_array(record.arrays[f"{name}.npy"], "there"), about, "there")
        torch.testing.assert_close(stored, latent[0], atol=2e-5, rtol=0)
    psnr = ClipPSNR()
    video = tokenizer.decode_parts(latents, frames=len(frames), height=24, width=40)
    psnr.update(frames, tubelet.from_model(video))
    assert record.facts["psnr_db"] == pytest.approx(psnr.compute(), abs=0.01)


def test_tube_files_are_measured_by_another_command(encode, clips):
    with pytest.raises(OptionError, match="tubelet compare"):
        encode(clips, measure="psnr", format="tube")
