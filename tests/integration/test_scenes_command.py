"""`tubelet scenes`: clips, captions and truth in a folder that is whole or absent."""

import csv
import json

import numpy as np
import pytest
from commands import refused

from tubelet.cli.main import main
from tubelet.data.scenes import SceneOptions, scene_at, scene_from_json
from tubelet.evaluate.tags import find_manifest, read_tags
from tubelet.video.read import read


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_clips_captions_and_truth_lie_side_by_side(tmp_path, capsys):
    clips = tmp_path / "clips"
    words = ["--count", "3", "--seed", "5", "--objects", "1..2", "--size", "48x32", "--frames", "6"]
    assert main(["scenes", "-o", str(clips), *words, "--format", "mkv"]) == 0
    assert "3 of 6 frames, 48x32" in capsys.readouterr().out
    options = SceneOptions(height=32, width=48, frames=6, things=(1, 2))
    with (clips / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["000000.mkv", "000001.mkv", "000002.mkv"]
    for index, row in enumerate(rows):
        scene = scene_at(index, seed=5, options=options)
        path = clips / row["file"]
        frames = np.concatenate([run.frames for run in read(path)])
        assert (frames == scene.frames()).all()
        assert row["description"] == path.with_suffix(".txt").read_text().strip() == scene.caption
        content = json.loads(path.with_suffix(".json").read_text())
        assert scene_from_json(content["scene"]) == scene
        assert content["truth"]["things"][0]["colour"] == scene.things[0].appearance.colour
        assert len(content["truth"]["things"][0]["trajectory"]) == 6
    assert read_tags(find_manifest(clips))["000001.mkv"] == {"kind": "rendered"}


def test_the_same_seed_gives_the_same_bytes_and_fewer_clips_are_the_first_of_more(tmp_path):
    for name, count in (("a", "3"), ("b", "3"), ("c", "2")):
        words = ["--count", count, "--frames", "9", "--grounds", "photograph", "gradient", "--pan", "1"]
        assert main(["scenes", "-o", str(tmp_path / name), *words, "--quiet"]) == 0
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b
    assert {name: a[name] for name in c if name != "manifest.csv"} == {
        name: c[name] for name in c if name != "manifest.csv"
    }


def test_nothing_is_overwritten_unasked(tmp_path, cli):
    clips = tmp_path / "clips"
    words = ["scenes", "-o", str(clips), "--frames", "2"]
    assert cli(*words, "--count", "2").code == 0
    before = contents(clips)
    assert refused(cli(*words, "--count", "1"), 1, "exists; nothing is overwritten unasked")
    assert contents(clips) == before
    assert cli(*words, "--count", "1", "--seed", "2", "--force").code == 0
    assert len(contents(clips)) == 4
    (clips / "mine.txt").write_text("mine")
    assert refused(cli(*words, "--count", "1", "--force"), 1, "holds other files")
    assert (clips / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--count", "0"], "the number of clips is 0"),
        (["--count", "2", "--objects", "3..1"], "3 to 1 things"),
        (
            ["--count", "2", "--objects", "some"],
            "'some' is not a number of things from 1 to 99; give one such as 2 or 1..3",
        ),
        (["--count", "2", "--size", "0x64"], "'0x64' is not a size; give columns x rows"),
        (["--count", "2", "--size", "99999x64"], "the width of a scene is 99999"),
        (["--count", "2", "--frames", "0"], "the number of frames of a scene is 0"),
        (["--count", "2", "--fps", "nan"], "the frame rate of a scene is nan"),
        (["--count", "2", "--seed", "-1"], "the seed is -1"),
        (["--count", "2", "--pan", "2"], "the share pan is 2.0"),
        (["--count", "2", "--kinds", "shap"], "did you mean shape"),
        ([], "--count"),
    ],
)
def test_bad_usage_is_refused_before_anything_is_made(tmp_path, cli, words, said):
    assert refused(cli("scenes", "-o", tmp_path / "clips", *words), 2, said)
    assert not (tmp_path / "clips").exists()
