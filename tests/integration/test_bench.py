"""`tubelet bench`: real processes, tiny clips."""

import json

import pytest
from commands import refused


def test_two_systems_are_measured_in_turn(cli, small_folder, tmp_path):
    target = tmp_path / "bench.json"
    systems = (small_folder, "x264:crf=28,preset=ultrafast")
    clips = ("--sizes", "32x32", "--frames", 5, 9)
    ways = ("--formats", "float32", "--rounds", 2, "--threads", 1)
    ended = cli("bench", "--with", *systems, *clips, *ways, "-o", target)
    assert ended.code == 0, ended
    content = json.loads(target.read_text())
    figures = content["figures"]
    assert content["protocol"].startswith("tubelet bench: ") and figures["finished"]
    assert (figures["run"]["threads"], figures["run"]["rounds"]) == (1, 2)
    assert [row["frames"] for row in figures["rows"]] == [5, 5, 9, 9]
    for row in figures["rows"]:
        assert len(row["seconds"]["encode"]) == 2
        assert 0 < row["both_mpx_per_s"]["lowest"] <= row["both_mpx_per_s"]["median"]
        assert row["peak_mib"] >= row["before_mib"] > 10
    ours, codec = (figures["systems"][str(system)] for system in systems)
    assert ours["mflop_per_pixel"] > 0 and "mflop_per_pixel" not in codec
    assert [each["frames"] for each in figures["growth"]] == [[5, 9], [5, 9]]
    for text in (
        "5 frames of 32x32",
        "both Mpx/s",
        "peak MiB",
        "5 to 9",
        "cpu, 1 thread, 2 rounds",
        str(target),
    ):
        assert text in ended.out


def test_a_system_that_does_not_exist_ends_the_command(cli, tmp_path):
    target = tmp_path / "bench.json"
    ended = cli("bench", "--with", "no-such", "--formats", "float32", "-o", target)
    assert refused(ended, 2, "no-such", "tubelet-m")
    assert not target.exists()


@pytest.mark.parametrize(
    "wrong", [("--sizes", "32"), ("--formats", "int8"), ("--rounds", "0"), ("--frames", "0")]
)
def test_options_without_meaning_are_refused_before_anything_starts(cli, tmp_path, wrong):
    ended = cli("bench", "--with", "klt-4x8x8", *wrong, "-o", tmp_path / "bench.json")
    assert refused(ended, 2)
