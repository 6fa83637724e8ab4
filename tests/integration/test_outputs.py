"""What commands write, and never write: one rule for every option that names a file."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from commands import refused

from tubelet.cli.main import main


@pytest.fixture
def clip(video_file):
    return video_file("clip.mkv", frames=5)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def refuses(cli, tmp_path, small_folder):
    """Whether a command is refused with words, and changes nothing."""

    def check(code: int, text: str, *arguments: object) -> bool:
        before = content(tmp_path) | content(small_folder)
        answer = refused(cli(*arguments), code, text)
        assert content(tmp_path) | content(small_folder) == before
        return answer

    return check


def test_the_input_is_never_written(refuses, clip, tmp_path, small_folder):
    link, hard = tmp_path / "link.json", tmp_path / "hard.mkv"
    link.symlink_to(clip)
    hard.hardlink_to(clip)
    tokenizer = ("--tokenizer", small_folder, "--force")
    for arguments in (
        ("reconstruct", clip, "-o", clip),
        ("reconstruct", clip, "-o", hard),
        ("reconstruct", clip, "-o", tmp_path / "x.mkv", "--json", link),
        ("encode", clip, "-o", tmp_path / "x.tube", "--json", link),
        ("encode", clip, "-o", tmp_path / "x.tube", "--json", small_folder / "config.json"),
    ):
        assert refuses(2, "inputs are never written", *arguments, *tokenizer)
    assert refuses(2, "inputs are never written", "compare", clip, hard, "-o", link, "--force")


def test_what_is_decoded_is_never_written(cli, refuses, clip, tmp_path, small_folder, token_folder):
    tube, film = tmp_path / "x.tube", tmp_path / "link.mkv"
    film.symlink_to(tube)
    assert cli("encode", clip, "-o", tube, "--tokenizer", small_folder).code == 0
    assert refuses(2, "never written", "decode", tube, "-o", film, "--force", "--tokenizer", small_folder)
    array, film2 = tmp_path / "x.npz", tmp_path / "other.mkv"
    assert cli("tokenize", clip, "-o", array, "--tokenizer", token_folder).code == 0
    film2.symlink_to(array)
    assert refuses(
        2, "never written", "detokenize", array, "-o", film2, "--force", "--tokenizer", token_folder
    )


def test_two_results_never_go_into_one_file(refuses, clip, tmp_path, small_folder):
    tokenizer = ("--tokenizer", small_folder, "--force")
    (tmp_path / "x.json").symlink_to("x.tube")
    for name in ("encode", "reconstruct"):
        target = tmp_path / ("x.tube" if name == "encode" else "x.mkv")
        json_ = ("--json", tmp_path / "x.json")
        assert refuses(2, "two results go there", name, clip, "-o", target, *json_, *tokenizer)


def test_figures_that_exist_stay_unless_asked(cli, refuses, clip, tmp_path, small_folder):
    figures = tmp_path / "figures.json"
    figures.write_text("mine")
    arguments = ("encode", clip, "-o", tmp_path / "x.tube", "--tokenizer", small_folder, "--json", figures)
    assert refuses(1, "exists; nothing is overwritten unasked", *arguments)
    assert cli(*arguments, "--force").code == 0
    assert json.loads(figures.read_text())["protocol"] == "tubelet encode"


@pytest.mark.parametrize(
    ("command", "suffix", "words"),
    [
        ("encode", ".mp4", "ends in .tube"),
        ("decode", ".tube", "ends in one of .mp4"),
        ("reconstruct", ".tube", "ends in one of .mp4"),
        ("tokenize", ".mp4", "ends in one of .tube"),
    ],
)
def test_the_suffix_says_what_is_written(refuses, clip, tmp_path, command, suffix, words):
    assert refuses(2, words, command, clip, "-o", tmp_path / f"x{suffix}")


def test_figures_go_to_standard_output_and_the_table_beside_them(cli, clip, tmp_path, small_folder):
    ended = cli("encode", clip, "-o", tmp_path / "x.tube", "--tokenizer", small_folder, "--json", "-")
    assert json.loads(ended.out)["figures"]["frames"] == 5
    assert "smaller by" in ended.err
    ended = cli("compare", clip, clip, "-o", "-")
    assert json.loads(ended.out)["figures"]["frames"] == 5


def test_what_is_no_text_does_not_go_to_standard_output(refuses, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in ("encode", "reconstruct", "tokenize"):
        assert refuses(2, "- is standard output", command, clip, "-o", "-")
    assert not Path("-").exists()


def test_a_link_is_written_through(cli, clip, tmp_path, small_folder):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.tube"
    link.symlink_to("real/target.tube")
    arguments = ("encode", clip, "-o", link, "--tokenizer", small_folder)
    assert cli(*arguments).code == 0
    assert link.is_symlink() and (tmp_path / "real" / "target.tube").is_file()
    assert cli(*arguments).code == 1
    assert cli(*arguments, "--force").code == 0
    assert link.is_symlink()


def test_a_device_is_refused_and_stays(refuses, clip, tmp_path, small_folder):
    node = tmp_path / "node.tube"
    node.symlink_to("/dev/null")
    assert refuses(1, "device", "encode", clip, "-o", node, "--force", "--tokenizer", small_folder)
    assert node.is_char_device()


def test_a_file_of_latents_goes_into_a_pipe(cli, clip, tmp_path, small_folder):
    pipe, file = tmp_path / "pipe", tmp_path / "x.tube"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    ended = cli("encode", clip, "-o", pipe, "--tokenizer", small_folder)
    assert ended.code == 0
    assert cli("encode", clip, "-o", file, "--tokenizer", small_folder).code == 0
    assert os.read(reader, 1 << 20) == file.read_bytes()
    os.close(reader)
    assert pipe.is_fifo()


def test_a_demo_overwrites_nothing_unasked(refuses, tmp_path):
    (tmp_path / "figures.json").write_text("mine")
    assert refuses(1, "figures.json exists", "demo", "-o", tmp_path)


def test_a_checkpoint_replaces_no_other_folder(refuses, clip, tmp_path, small_folder):
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years")
    folder = (tmp_path, "--stride", "4x8x8", "--force")
    assert refuses(1, "holds other files (thesis.tex)", "fit-klt", *folder, "-o", home)
    start = ("--start", small_folder)
    assert refuses(2, "also an input", "fit-klt", *folder, "-o", small_folder, *start)


def test_an_output_in_a_folder_that_is_not_there_costs_no_work(cli, clip, tmp_path, small_folder):
    ended = cli("encode", clip, "-o", tmp_path / "no" / "x.tube", "--tokenizer", small_folder)
    assert refused(ended, 1, "Create it first")


def test_names_of_any_bytes_are_read_written_and_shown(clip, tmp_path, small_folder, capfd):
    name = os.fsdecode(b"caf\xe9\x1b[31m\n")
    source = clip.rename(tmp_path / f"{name}.mkv")
    tokenizer = ["--tokenizer", str(small_folder)]
    figures = tmp_path / "figures.json"
    assert main(["reconstruct", str(source), *tokenizer, "--json", str(figures)]) == 0
    tube = tmp_path / f"{name}.tubelet.tube"
    assert main(["info", str(tube)]) == 0
    assert main(["info", str(source), "--json"]) == 0
    assert main(["decode", str(tube), "-o", str(tmp_path / f"{name}2.mkv"), *tokenizer]) == 0
    assert main(["decode", str(tube), "-o", str(tmp_path / f"{name}2.mkv"), *tokenizer]) == 1
    out, err = capfd.readouterr()
    assert r"caf\xe9\x1b[31m\n" in out
    assert r"caf\xe9\x1b[31m" in err
    assert "\x1b" not in out + err
    json.loads(figures.read_text(encoding="utf-8"))


def test_names_of_any_bytes_go_into_tables_of_tokens(clip, tmp_path, token_folder, cli):
    table = pytest.importorskip("pyarrow.parquet")
    source = clip.rename(tmp_path / os.fsdecode(b"caf\xe9.mkv"))
    ended = cli("tokenize", source, "-o", tmp_path / "t.parquet", "--tokenizer", token_folder)
    assert ended.code == 0, ended
    assert table.read_table(tmp_path / "t.parquet")["source"].to_pylist() == ["caf\\xe9.mkv"]


def test_a_tokenizer_may_have_a_name_of_any_bytes(clip, tmp_path, small_folder, cli):
    folder = small_folder.rename(tmp_path / os.fsdecode(b"tok\xe9"))
    try:
        ended = cli("encode", clip, "-o", tmp_path / "x.tube", "--tokenizer", folder)
        assert ended.code == 0, ended
    finally:
        folder.rename(small_folder)


def test_a_name_made_of_the_longest_one_fits(video_file, small_folder, cli):
    source = video_file("short.mkv", frames=2)
    source = source.rename(source.with_name("x" * 251 + ".mkv"))
    ended = cli("reconstruct", source, "--tokenizer", small_folder)
    assert ended.code == 0, ended
    assert len(list(source.parent.glob("x*.tubelet.mp4"))) == 1


def test_hidden_files_and_leftovers_are_no_clips(cli, tmp_path):
    clips = tmp_path / "clips"
    (clips / ".cache").mkdir(parents=True)
    frames = np.random.default_rng(0).integers(0, 256, (9, 40, 40, 3), np.uint8)
    for name in ("a.npy", ".b.npy", ".cache/c.npy", ".d.tubelet-12345678.part.npy"):
        np.save(clips / name, frames)
    sizes = ("--crop", "16", "--frames", "5", "--per-clip", "1")
    assert "1 used, 0 skipped" in cli("prepare", clips, "-o", tmp_path / "data", *sizes).out


def test_clips_that_cannot_be_read_are_listed_and_make_a_preparation_incomplete(cli, tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    np.save(clips / "a.npy", np.random.default_rng(0).integers(0, 256, (9, 40, 40, 3), np.uint8))
    (clips / "b.mp4").write_bytes(b"garbage")
    arguments = (
        "prepare",
        clips,
        "-o",
        tmp_path / "data",
        "--crop",
        "16",
        "--frames",
        "5",
        "--per-clip",
        "1",
    )
    # The second time nothing is left to do, and the data are as incomplete as before.
    for _ in range(2):
        ended = cli(*arguments)
        assert ended.code == 1
        assert "1 of 2 clips are damaged or cannot be read, and the data are without them: b.mp4" in ended.err
        assert "1 used, 1 skipped" in ended.out
