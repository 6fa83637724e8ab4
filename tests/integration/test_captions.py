"""Captions go into files of tokens and come back by the function that everybody reads them with."""

from pathlib import Path

import pytest

import tubelet
from tubelet.cli.main import main
from tubelet.codec.tokens.tokenize import tokenize_files
from tubelet.errors import OptionError

pytest.importorskip("pyarrow")


def test_a_caption_comes_back(tmp_path, video_file, token_folder):
    clip = video_file(frames=5)
    for suffix in (".npz", ".parquet"):
        target = tmp_path / f"a{suffix}"
        for caption in ("Grüße, 猫", "", None):
            tubelet.tokenize_file(clip, target, tokenizer=token_folder, caption=caption, force=True)
            [(grid, facts)] = tubelet.read_tokens(target)
            assert (facts.caption, facts.source, grid.frames) == (caption, clip.name, 5)


def test_rows_come_back_in_order_each_with_its_caption(tmp_path, video_file, token_folder):
    clips = [video_file(f"{frames}.mkv", frames=frames) for frames in (5, 1, 9)]
    target = tmp_path / "a.parquet"
    tokenize_files(clips, target, tokenizer=token_folder, captions=["five", None, "nine"])
    found = list(tubelet.read_tokens(target))
    assert [(facts.caption, grid.frames) for grid, facts in found] == [("five", 5), (None, 1), ("nine", 9)]
    with pytest.raises(OptionError, match="2 captions and 3 names for 3 clips"):
        tokenize_files(clips, target, tokenizer=token_folder, captions=["a", "b"], force=True)
    skipped = []
    tokenize_files(
        clips,
        target,
        tokenizer=token_folder,
        captions=["five", 70_000 * "a", "nine"],
        force=True,
        on_skip=lambda path, error: skipped.append((path.name, str(error)[-40:])),
    )
    assert [facts.caption for _, facts in tubelet.read_tokens(target)] == ["five", "nine"]
    assert [name for name, _ in skipped] == ["1.mkv"]


def test_the_command_takes_a_caption_for_each_input(tmp_path, video_file, token_folder, capsys):
    clips = [str(video_file(f"{name}.mkv", frames=1)) for name in "ab"]
    target = tmp_path / "a.parquet"
    words = ["tokenize", *clips, "-o", str(target), "--tokenizer", str(token_folder)]
    assert main([*words, "--caption", "one", "--caption", "two"]) == 0
    assert [facts.caption for _, facts in tubelet.read_tokens(target)] == ["one", "two"]
    assert main([*words, "--caption", "one", "--force"]) == 2
    assert "1 times for 2 inputs" in capsys.readouterr().err
    words = ["tokenize", clips[0], "-o", str(tmp_path / "a.tube"), "--tokenizer", str(token_folder)]
    assert main([*words, "--caption", "one"]) == 2
    assert "no room for captions" in capsys.readouterr().err


def test_the_command_takes_captions_from_a_table_and_from_beside(tmp_path, video_file, token_folder, capsys):
    clips = [video_file(name, frames=5) for name in ("a.mkv", "b.mkv")]
    (tmp_path / "says.csv").write_text("path,caption\na.mkv,a cat\nb.mkv,a dog\n")
    clips[1].with_suffix(".txt").write_text("a bird\n")
    words = ["tokenize", *map(str, clips), "--tokenizer", str(token_folder)]
    for captions, wanted in ((str(tmp_path / "says.csv"), ["a cat", "a dog"]), ("sidecar", [None, "a bird"])):
        target = tmp_path / f"{Path(captions).stem}.parquet"
        assert main([*words, "-o", str(target), "--captions", captions]) == 0
        assert [facts.caption for _, facts in tubelet.read_tokens(target)] == wanted
    assert main([*words, "-o", str(tmp_path / "c.parquet"), "--captions", "sidecar", "--caption", "x"]) == 2
    assert "--captions are both given" in capsys.readouterr().err
    assert main([*words, "-o", str(tmp_path / "tubes"), "--captions", "sidecar"]) == 2
    assert "no room for captions" in capsys.readouterr().err
    assert not (tmp_path / "a.tube").exists()


def test_what_cannot_be_stored_is_refused_before_any_work(tmp_path, token_folder):
    for target, caption, message in (
        ("a.tube", "x", "no room for a caption"),
        ("a.npz", "half \ud800", "half a character"),
        ("a.parquet", "x" * 70_000, "over 65536 characters"),
    ):
        with pytest.raises(OptionError, match=message):
            tubelet.tokenize_file(
                tmp_path / "absent.mp4", tmp_path / target, tokenizer=token_folder, caption=caption
            )


def test_files_of_another_kind_are_refused(tmp_path):
    for name in ("a.tube", "a.mp4", "a"):
        with pytest.raises(OptionError, match="a file of tokens"):
            list(tubelet.read_tokens(tmp_path / name))
