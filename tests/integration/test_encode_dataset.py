"""`tubelet encode-dataset` with any number of processes, killed at any time: the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from commands import refused

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked up in /proc")


@pytest.fixture
def clips(tmp_path, video_file):
    (tmp_path / "clips").mkdir()
    for number in range(24):
        video_file(f"clips/{number:02d}.mkv", frames=5 + number % 3, width=40 + number)
    return tmp_path / "clips"


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "shards").iterdir())}


def started(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tubelet", "encode-dataset", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def workers_of(driver: int) -> list[int]:
    """Processes that a process has started and that are there."""
    lists = [path.read_text() for path in Path(f"/proc/{driver}/task").glob("*/children")]
    return [int(each) for text in lists for each in text.split()]


def wait_for_parts(folder: Path, count: int, process: "subprocess.Popen[str]") -> None:
    while len(list(folder.glob("work/*/*.part"))) < count and process.poll() is None:
        time.sleep(0.002)


def is_whole(part: Path) -> bool:
    """Whether all of a part is written: its name is there from its first byte on."""
    head, _, data = part.read_bytes().partition(b"\n")
    return bool(data) and len(data) == sum(json.loads(head)["members"].values())


def test_the_bytes_are_the_same_for_any_number_of_processes_and_a_second_run_does_nothing(
    cli, clips, tmp_path, small_folder
):
    (clips / "junk.mp4").write_bytes(b"junk")
    given = ("--tokenizer", small_folder, "--shard-size", "20kB")
    one = cli("encode-dataset", clips, "-o", tmp_path / "one", "--workers", 1, *given)
    assert one.code == 1
    assert "1 of 25 clips failed" in one.err and f"The first, {clips / 'junk.mp4'}: " in one.err
    (failed,) = map(json.loads, (tmp_path / "one" / "errors.jsonl").read_text().splitlines())
    assert failed["path"] == str(clips / "junk.mp4")
    two = cli("encode-dataset", clips, "-o", tmp_path / "two", "--workers", 2, "--json", "-", *given)
    assert json.loads(two.out)["figures"]["encoded"] == 24
    assert shards(tmp_path / "one") == shards(tmp_path / "two")
    assert len(shards(tmp_path / "one")) > 4
    assert not (tmp_path / "one" / "work").exists()
    (clips / "junk.mp4").unlink()
    # One clip less was to be encoded, and no process begins where nothing is to do.
    again = cli("encode-dataset", clips, "-o", tmp_path / "one", *given)
    assert again.code == 0, again.err
    assert not (tmp_path / "one" / "errors.jsonl").exists()


def test_bad_usage_is_refused_before_anything_is_written(cli, clips, tmp_path, small_folder):
    def tried(*arguments: object):
        return cli("encode-dataset", clips, "-o", tmp_path / "out", "--tokenizer", small_folder, *arguments)

    assert refused(tried("--format", "zip"), 2, "no choice 'zip'", "webdataset, parquet, tube")
    assert refused(tried("--dtype", "float8"), 2, "no choice 'float8'")
    assert refused(tried("--fps", "fast"), 2, "fps is 'fast'")
    assert refused(tried("--shard", "4/4"), 2, "shard is 4/4")
    assert refused(tried("--shard", "x"), 2, "'x' is not a share")
    assert refused(tried("--workers", 0), 2, "workers is 0")
    assert refused(tried("--channels", 99), 2, "channels")
    assert refused(tried("--short-side", 0), 2, "short_side is 0")
    assert refused(tried("--captions", "none.csv"), 2, "none.csv")
    assert refused(cli("encode-dataset", tmp_path / "no", "-o", tmp_path / "out"), 2, "is not there")
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_there_is_to_do(cli, clips, tmp_path, small_folder):
    ended = cli("encode-dataset", clips, "-o", tmp_path / "out", "--tokenizer", small_folder, "--dry-run")
    assert ended.code == 0
    assert ["to", "do", "24"] in map(str.split, ended.out.splitlines())
    assert not (tmp_path / "out").exists()


@LINUX
def test_a_killed_worker_is_replaced_and_a_killed_run_goes_on(cli, clips, tmp_path, small_folder):
    given = ("--tokenizer", small_folder, "--workers", 2)
    with started(clips, "-o", tmp_path / "out", *given) as driver:
        wait_for_parts(tmp_path / "out", 1, driver)
        os.kill(workers_of(driver.pid)[0], signal.SIGKILL)
        wait_for_parts(tmp_path / "out", 10, driver)
        driver.kill()
    begun = list(tmp_path.glob("out/work/*/*.part"))
    whole = sum(map(is_whole, begun))
    ended = cli("encode-dataset", clips, "-o", tmp_path / "out", "--json", "-", *given)
    assert ended.code == 0, ended.err
    figures = json.loads(ended.out)["figures"]
    assert figures["kept"] + figures["encoded"] == 24
    # The workers of the killed run may have ended a clip each meanwhile, or left one each unfinished.
    assert 8 <= whole <= figures["kept"] <= len(begun) + 2
    cli("encode-dataset", clips, "-o", tmp_path / "whole", *given)
    assert shards(tmp_path / "out") == shards(tmp_path / "whole")


@LINUX
@pytest.mark.slow
def test_killed_five_times_at_random_the_bytes_are_those_of_an_undisturbed_run(
    cli, tmp_path, video_file, small_folder
):
    (tmp_path / "clips").mkdir()
    for number in range(300):
        video_file(f"clips/{number:03d}.mkv", frames=5 + number % 4)
    given = ("--tokenizer", small_folder, "--workers", 2, "--shard-size", "200kB")
    chance, out = random.Random(0), tmp_path / "out"
    for kill in range(5):
        with started(tmp_path / "clips", "-o", out, *given) as driver:
            # Counted from when there is something to lose, so that a slow machine is no other test.
            wait_for_parts(out, 1, driver)
            time.sleep(chance.uniform(0, 1))
            workers = workers_of(driver.pid) if driver.poll() is None else []
            if kill % 2 and workers:
                os.kill(chance.choice(workers), signal.SIGKILL)
                time.sleep(chance.uniform(0, 1))
            driver.kill()
    ended = cli("encode-dataset", tmp_path / "clips", "-o", out, *given)
    assert ended.code == 0, ended.err
    cli("encode-dataset", tmp_path / "clips", "-o", tmp_path / "whole", *given)
    assert shards(out) == shards(tmp_path / "whole")


def test_what_is_lost_is_said_in_one_line_for_all_clips(cli, tmp_path, small_folder):
    (tmp_path / "clips").mkdir()
    for number in range(3):
        pixels = np.full((24, 40), 1 << 14, np.uint16)
        frame = av.VideoFrame.from_ndarray(pixels, format="gray16le")
        with av.open(str(tmp_path / "clips" / f"{number}.mkv"), "w") as output:
            stream = output.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 40, 24, "gray16le"
            output.mux([*stream.encode(frame), *stream.encode(None)])
    given = (tmp_path / "clips", "-o", tmp_path / "out", "--tokenizer", small_folder, "--workers", 1)
    for _ in range(2):
        ended = cli("encode-dataset", *given)
        assert ended.code == 0, ended.err
        assert ended.err.count("16 bits per sample, of which 8 are kept") == 1
        assert "3 of 3 clips lose something; of the first, " in ended.err
    assert "3 clips; of the first, " in cli("dataset", "info", tmp_path / "out").out
