"""`tubelet prepare` from a folder of videos to windows for training."""

import numpy as np
import pytest

from tubelet.cli.main import main
from tubelet.data.crops import open_crops
from tubelet.data.feed import Draw, crop_feed


@pytest.fixture
def videos(video_file):
    video_file("a.mkv", frames=20, height=40, width=64)
    video_file("b_val.mkv", frames=20, height=40, width=64)
    return video_file("short.mkv", frames=3, height=40, width=64).parent


def prepare(videos, data, *more):
    return main(
        ["prepare", str(videos), "-o", str(data), "--crop", "32", "--frames", "9", "--per-clip", "4", *more]
    )


def test_a_folder_becomes_windows_for_training(videos, capsys):
    data = videos / "data"
    assert prepare(videos, data, "--exclude", "*_val*") == 0
    shown = capsys.readouterr().out
    for text in ("4 of 9 frames, 32x32", "1 used, 1 skipped", "1: it has 3 frames", "tubelet train m --data"):
        assert text in shown
    crops = open_crops(data)
    assert [clip.name for clip in crops.clips] == ["a.mkv"]
    with crop_feed(crops, Draw(batch=2, frames=5, side=16), seed=0) as batches:
        batch = next(batches)
    assert batch.shape == (2, 5, 16, 16, 3)
    assert len(np.unique(batch)) > 10
    # The crops lie where videos are searched and are not videos.
    assert prepare(videos, data, "--exclude", "*_val*") == 0


def test_another_preparation_needs_force(videos, capsys):
    data = videos / "data"
    assert prepare(videos, data) == 0
    assert prepare(videos, data, "--seed", "5") == 1
    assert "its seed is 0, not 5" in capsys.readouterr().err
    assert prepare(videos, data, "--seed", "5", "--force") == 0
    assert open_crops(data).settings["seed"] == 5


def test_options_without_meaning_are_bad_usage(videos, capsys):
    assert prepare(videos, videos / "data", "--per-clip", "0") == 2
    assert prepare(videos, videos / "data", "--crop", "64") == 2
    said = capsys.readouterr().err
    assert "none of the 3 clips gives a crop" in said and "`tubelet prepare --crop" in said
    assert not (videos / "data").exists()


def test_a_list_with_a_bad_clip_is_prepared_without_it_or_stops_there(videos, video_file, capsys):
    (videos / "list.csv").write_text("path,start,end\na.mkv,,0.4\nno.mkv,,\nb_val.mkv,,\n")
    assert prepare(videos / "list.csv", videos / "stopped", "--on-error", "stop") == 1
    assert "no.mkv" in capsys.readouterr().err
    assert prepare(videos / "list.csv", videos / "data") == 1
    assert "1 of 3 clips are damaged or cannot be read" in capsys.readouterr().err
    assert [clip.name for clip in open_crops(videos / "data").clips] == ["a.mkv#t=0,0.4", "b_val.mkv"]
    video_file("no.mkv", frames=20, height=40, width=64)
    assert prepare(videos / "list.csv", videos / "data") == 0
    assert len(open_crops(videos / "data").clips) == 3
