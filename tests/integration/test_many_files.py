"""`tubelet encode` and `tubelet tokenize` of many videos at once."""

import json
import subprocess
import sys

import numpy as np
import pytest
from commands import refused

from tubelet.codec.tokens.table import TokenTable


@pytest.fixture
def folder(token_folder):
    return token_folder


@pytest.fixture
def clips(video_file, tmp_path):
    """A folder of three clips, one of which is junk, and one below."""
    (tmp_path / "clips" / "sub").mkdir(parents=True)
    for name, frames in (("a.mkv", 9), ("b.mkv", 5), ("sub/a.mkv", 3)):
        video_file(f"clips/{name}", frames=frames)
    (tmp_path / "clips" / "junk.mp4").write_bytes(b"junk")
    return tmp_path / "clips"


def tubes(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.tube")}


@pytest.mark.parametrize("command", ["encode", "tokenize"])
def test_a_folder_becomes_a_folder_of_the_files_of_single_runs(
    cli, clips, command, folder, small_folder, tmp_path
):
    given = ["--tokenizer", small_folder if command == "encode" else folder]
    figures = tmp_path / "x.json"
    ended = cli(command, clips, "-o", tmp_path / "out", *given, "--json", figures)
    assert ended.code == 1 and f"nothing of {clips / 'junk.mp4'}: " in ended.err
    assert "1 of 4 clips failed" in ended.err
    made = tubes(tmp_path / "out")
    assert set(made) == {"a.tube", "b.tube", "sub/a.tube"}
    content = json.loads(figures.read_text())["figures"]
    assert len(content["files"]) == 3 and list(content["skipped"]) == [str(clips / "junk.mp4")]
    assert cli(command, clips / "b.mkv", "-o", tmp_path / "b.tube", *given).code == 0
    assert (tmp_path / "b.tube").read_bytes() == made["b.tube"]
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.tube")}
    (clips / "junk.mp4").unlink()
    ended = cli(command, clips, "-o", tmp_path / "out", *given)
    assert ended.code == 0 and "done before  3 of 3 clips" in ended.out
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.parametrize("command", ["encode", "tokenize", "prepare", "evaluate"])
def test_a_row_that_means_nothing_is_named_and_the_others_are_done(
    cli, clips, command, folder, small_folder, tmp_path
):
    listed = clips / "list.csv"
    listed.write_text("path,start\na.mkv,\nb.mkv,soon\n")
    more = {
        "encode": ["-o", tmp_path / "out", "--tokenizer", small_folder],
        "tokenize": ["-o", tmp_path / "out.parquet", "--tokenizer", folder],
        "prepare": ["-o", tmp_path / "out", "--frames", 5, "--crop", 16],
        "evaluate": ["-o", tmp_path / "out", "--with", small_folder, "--workers", 1],
    }[command]
    ended = cli(command, listed, *more)
    assert ended.code == 1
    said = " ".join((ended.out + ended.err).split())
    assert "list.csv, line 3: start is 'soon'; it is seconds, from 0 on" in said
    assert list(tmp_path.glob("out*"))


def test_a_list_with_ranges_gives_the_frames_of_these_ranges(cli, clips, small_folder, tmp_path):
    (clips / "list.csv").write_text("path,start,end\na.mkv,,0.2\na.mkv,0.2,\n")
    assert cli("encode", clips / "list.csv", "-o", tmp_path / "out", "--tokenizer", small_folder).code == 0
    parts = []
    for name in ("a.0-0.2", "a.0.2-"):
        back = tmp_path / f"{name}.npy"
        tube = tmp_path / "out" / f"{name}.tube"
        assert cli("decode", tube, "-o", back, "--tokenizer", small_folder).code == 0
        parts.append(len(np.load(back)))
    assert sum(parts) == 9 and min(parts) > 0


def test_other_settings_on_an_old_folder_are_refused(cli, clips, small_folder, tmp_path):
    given = ["-o", tmp_path / "out", "--tokenizer", small_folder]
    cli("encode", clips, *given)
    before = tubes(tmp_path / "out")
    assert refused(cli("encode", clips, *given, "--channels", 3), 1, "its channels is None, not 3", "--force")
    assert tubes(tmp_path / "out") == before


def test_a_wrong_option_is_bad_usage_though_there_are_many_clips(cli, clips, small_folder, tmp_path):
    ended = cli("encode", clips, "-o", tmp_path / "out", "--tokenizer", small_folder, "--channels", 9999)
    assert refused(ended, 2, "9999")
    assert refused(cli("encode", clips, "-o", tmp_path / "a.tube"), 2, "which is not a folder")


@pytest.mark.parametrize("command", ["encode", "tokenize"])
def test_the_first_bad_clip_ends_the_work_if_that_is_asked_for(
    cli, clips, command, folder, small_folder, tmp_path
):
    given = ["--tokenizer", small_folder if command == "encode" else folder, "--on-error", "stop"]
    assert refused(cli(command, clips, "-o", tmp_path / "out", *given), 1, "junk.mp4")
    assert set(tubes(tmp_path / "out")) == {"a.tube", "b.tube"}


def test_a_table_is_gone_on_with(cli, clips, folder, tmp_path):
    table, given = tmp_path / "clips.parquet", ["--tokenizer", folder]
    few = [clips / "a.mkv", clips / "junk.mp4", clips / "b.mkv"]
    assert cli("tokenize", *few, "-o", table, *given).code == 1
    (clips / "list.txt").write_text("b.mkv\na.mkv\nsub/a.mkv\n")
    ended = cli("tokenize", clips / "list.txt", "-o", table, *given)
    assert ended.code == 0 and "done before  2 of 3 clips" in ended.out and "3 clips, 17 frames" in ended.out
    with TokenTable(table) as opened:
        assert [clip.facts.source for clip in opened] == ["b.mkv", "a.mkv", "sub/a.mkv"]
    again = tmp_path / "again.parquet"
    assert cli("tokenize", clips / "list.txt", "-o", again, *given).code == 0
    assert again.read_bytes() == table.read_bytes()


def test_what_a_table_holds_is_not_lost(cli, clips, video_file, folder, tmp_path):
    table, given = tmp_path / "clips.parquet", ["--tokenizer", folder]
    assert cli("tokenize", clips / "a.mkv", clips / "b.mkv", "-o", table, *given).code == 0
    before = table.read_bytes()
    ended = cli("tokenize", clips / "b.mkv", video_file("other.mkv"), "-o", table, *given)
    assert refused(ended, 1, "1 clip that is not among the inputs (a.mkv)", "--force")
    junk = tmp_path / "junk.parquet"
    junk.write_bytes(b"mine")
    ended = cli("tokenize", clips / "a.mkv", clips / "b.mkv", "-o", junk, *given)
    assert refused(ended, 1, "junk.parquet exists", "--force")
    assert (table.read_bytes(), junk.read_bytes()) == (before, b"mine")
    # A clip that changed is tokenized again.
    (clips / "a.mkv").write_bytes((clips / "sub" / "a.mkv").read_bytes())
    ended = cli("tokenize", clips / "a.mkv", clips / "b.mkv", "-o", table, *given)
    assert ended.code == 0 and "done before  1 of 2 clips" in ended.out and "2 clips, 8 frames" in ended.out


def test_a_list_with_captions_fills_a_table(cli, clips, folder, tmp_path):
    (clips / "list.csv").write_text("path,start,end,caption\na.mkv,,0.2,one\na.mkv,0.2,,two\n")
    table = tmp_path / "clips.parquet"
    assert cli("tokenize", clips / "list.csv", "-o", table, "--tokenizer", folder).code == 0
    with TokenTable(table) as opened:
        rows = [(clip.facts.source, clip.facts.caption) for clip in opened]
    assert rows == [("a.mkv#t=0,0.2", "one"), ("a.mkv#t=0.2", "two")]
    (clips / "list.csv").write_text("path,start,end,caption\na.mkv,,0.2,one\na.mkv,0.2,,another\n")
    ended = cli("tokenize", clips / "list.csv", "-o", table, "--tokenizer", folder)
    assert ended.code == 0 and "done before  1 of 2 clips" in ended.out
    assert refused(
        cli("tokenize", clips / "a.mkv", "-o", table, "--tokenizer", folder), 1, "clips.parquet exists"
    )


# A process between, because a child begins with the memory of the one that it was forked from.
USAGE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="bytes are those of Linux")
def test_memory_is_flat_over_300_files_in_one_process(tmp_path, small_folder):
    frames = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), np.uint8)

    def peak(count):
        """Of a process that encodes so many files, in MiB."""
        clips = tmp_path / f"clips{count}"
        clips.mkdir()
        for number in range(count):
            np.save(clips / f"{number:03d}.npy", frames)
        words = ["encode", clips, "-o", tmp_path / f"out{count}", "--tokenizer", small_folder, "--quiet"]
        command = [sys.executable, "-c", USAGE, sys.executable, "-m", "tubelet", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert len(list((tmp_path / f"out{count}").glob("*.tube"))) == count
        return int(done.stdout) / 1024

    # Half the bytes of the frames of 290 files, each of which would be noticed many times over.
    assert peak(300) < peak(10) + 290 * frames.nbytes / 2**20 / 2
