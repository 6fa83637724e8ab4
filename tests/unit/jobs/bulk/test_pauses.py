"""Ranges of films with pauses: those in which no frame begins are left out, and no frame is lost."""

import warnings

import numpy as np
import pytest
from bulk_records import records_of

from tubelet.errors import TubeletWarning
from tubelet.jobs.bulk import run, split
from tubelet.jobs.bulk.bulk import BulkEncoding
from tubelet.jobs.bulk.plan import plan_clips
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.jobs.bulk.split import Split, split_rows
from tubelet.jobs.sources import read_sources

TICKS = [0, 1, 2, 3, 50, 51, 52, 130, 131]
"""Of a 25th of a second: pauses from 0.12 to 2 s and from 2.08 to 5.2 s."""


@pytest.fixture
def paused(video_file):
    return video_file("paused.mp4", frames=len(TICKS), timestamps=TICKS)


def test_ranges_within_pauses_are_left_out_and_every_frame_is_in_one_that_is_left(
    here, paused, tmp_path, small_folder
):
    with pytest.warns(TubeletWarning, match=r"^3 ranges lie within pauses.*paused.mp4#t=1,2\. .*--fps"):
        rows = split_rows(read_sources([str(paused)]), Split(seconds=1.0))
    assert [(row.start, row.end) for row in rows] == [(None, 1.0), (2.0, 3.0), (5.0, None)]
    settings = BulkSettings(tokenizer=str(small_folder))
    report = run.encode_dataset(
        BulkEncoding(clips=plan_clips(rows, mirror=False), folder=tmp_path / "out", settings=settings)
    )
    assert (report.encoded, report.failed) == (3, 0)
    assert sum(each.facts["frames"] for each in records_of(tmp_path / "out").values()) == len(TICKS)


def test_at_a_rate_pauses_are_shown(paused):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = split_rows(read_sources([str(paused)]), Split(seconds=1.0), BulkSettings(fps="5"))
    assert [row.start for row in rows] == [None, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_packets_do_not_decide_what_is_left_out(paused, monkeypatch):
    monkeypatch.setattr(split, "packet_times", lambda _: np.array([0.0, 0.04]))
    with pytest.warns(TubeletWarning, match=r"^3 ranges.*#t=1,2\."):
        rows = split_rows(read_sources([str(paused)]), Split(seconds=1.0))
    # All but the first range seem empty, two of which are not: with a frame at its very beginning, and later.
    assert [row.start for row in rows] == [None, 2.0, 5.0]


def test_a_clip_that_lies_in_a_pause_stays_and_encoding_says_why(paused, tmp_path):
    (tmp_path / "list.csv").write_text("path,start,end\npaused.mp4,2.5,4.5\n")
    rows = split_rows(read_sources([str(tmp_path / "list.csv")]), Split(seconds=1.0))
    assert [(row.start, row.end) for row in rows] == [(2.5, 3.5), (3.5, 4.5)]
