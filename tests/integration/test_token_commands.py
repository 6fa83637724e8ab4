"""The commands that make tokens and take them, and what others say of them."""

import json
import shutil

import av
import numpy as np
import pytest
import torch
from commands import refused

import tubelet
from tubelet.codec.tokens.table import TokenTable
from tubelet.quantizers.config import FSQConfig
from tubelet.tokenizers.config import DiscreteConfig
from tubelet.tokenizers.discrete import DiscreteTokenizer


@pytest.fixture(scope="module")
def folder(make_tokenizer, tmp_path_factory):
    """The checkpoint of a small discrete tokenizer of two tokens."""
    backbone = make_tokenizer(channels=4)
    config = DiscreteConfig(
        name="two-tokens", backbone=backbone.config, quantizer=FSQConfig(levels=(8, 5, 5, 3), tokens=2)
    )
    tokenizer = DiscreteTokenizer.of(config)
    tokenizer.backbone.load_state_dict(backbone.tokenizer.state_dict())
    generator = torch.Generator().manual_seed(0)
    tokenizer.quantizer.fit(torch.randn(1000, 4, generator=generator), generator=generator)
    return tokenizer.save(tmp_path_factory.mktemp("discrete") / "two-tokens", card="# test\n")


def as_transport_stream(source, target):
    """The bytes of a film's packets as MPEG-TS, of which two can be joined."""
    with av.open(str(source)) as film, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    return target.read_bytes()


@pytest.fixture
def clip(video_file):
    return video_file()


@pytest.fixture
def tube(cli, clip, folder, tmp_path):
    assert cli("tokenize", clip, "-o", tmp_path / "clip.tube", "--tokenizer", folder).code == 0
    return tmp_path / "clip.tube"


@pytest.mark.parametrize("suffix", [".tube", ".npz", ".parquet"])
def test_a_clip_goes_to_tokens_and_back(cli, clip, folder, tmp_path, suffix):
    tokens, back = tmp_path / f"tokens{suffix}", tmp_path / "back.npy"
    made = cli("tokenize", clip, "-o", tokens, "--tokenizer", folder)
    again = cli("detokenize", tokens, "-o", back, "--tokenizer", folder)
    assert (made.code, again.code, made.err, again.err) == (0, 0, "", "")
    assert "9 frames, 3 steps" in made.out
    assert "90, in digits of 8x5, 5x3" in made.out
    assert "codebook 1" in made.out and "perplexity" in made.out
    assert "0 to 8" in again.out
    assert np.load(back).shape == (9, 24, 40, 3)


def test_decode_takes_a_file_of_tokens_too(cli, tube, folder, tmp_path):
    arguments = ("--start", "0.08", "--tokenizer", folder)
    assert cli("decode", tube, "-o", tmp_path / "part.npy", *arguments).code == 0
    assert len(np.load(tmp_path / "part.npy")) == 7


def test_figures_are_written_as_json(cli, clip, folder, tmp_path):
    arguments = ("--tokenizer", folder, "--json", tmp_path / "a.json")
    assert cli("tokenize", clip, "-o", tmp_path / "a.tube", *arguments).code == 0
    content = json.loads((tmp_path / "a.json").read_text())
    (figures,) = content["figures"]["files"]
    assert content["protocol"] == "tubelet tokenize"
    assert (figures["tokens"], figures["bases"]) == (90, [[8, 5], [5, 3]])
    assert [usage["count"] for usage in figures["usage"]] == [45, 45]


def test_several_clips_go_into_one_table(cli, video_file, folder, tmp_path):
    clips = [video_file("a.mkv"), video_file("b.mkv", frames=3)]
    table = tmp_path / "clips.parquet"
    ended = cli("tokenize", *clips, "-o", table, "--tokenizer", folder)
    assert ended.code == 0 and "2 clips, 12 frames" in ended.out
    with TokenTable(table) as opened:
        assert [clip.facts.source for clip in opened] == ["a.mkv", "b.mkv"]
    back = tmp_path / "b.npy"
    assert cli("detokenize", table, "--clip", 1, "-o", back, "--tokenizer", folder).code == 0
    assert len(np.load(back)) == 3
    assert refused(cli("detokenize", table, "-o", tmp_path / "x.npy", "--tokenizer", folder), 2, "--clip")


def test_several_clips_go_into_a_folder(cli, video_file, folder, tmp_path):
    clips = [video_file("a.mkv"), video_file("b.mkv", frames=3)]
    (tmp_path / "tubes").mkdir()
    ended = cli("tokenize", *clips, "-o", tmp_path / "tubes", "--tokenizer", folder)
    assert ended.code == 0 and ended.out.count("bits per pixel") == 2
    assert {path.name for path in (tmp_path / "tubes").glob("[!.]*")} == {"a.tube", "b.tube"}


@pytest.fixture
def some_bad(video_file, tmp_path):
    """Two good clips; between them one that cannot be read, and one that is not there."""
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"junk")
    return [video_file("a.mkv"), junk, tmp_path / "missing.mkv", video_file("b.mkv", frames=3)]


def test_clips_that_cannot_be_read_are_named_and_the_table_is_without_them(cli, some_bad, folder, tmp_path):
    table, figures = tmp_path / "clips.parquet", tmp_path / "x.json"
    captions = [word for each in ("first", "x", "y", "last") for word in ("--caption", each)]
    ended = cli("tokenize", *some_bad, "-o", table, "--tokenizer", folder, "--json", figures, *captions)
    assert ended.code == 1 and "2 clips, 12 frames" in ended.out
    assert all(f"nothing of {path}: " in ended.err for path in some_bad[1:3])
    with TokenTable(table) as opened:
        rows = [(clip.facts.source, clip.facts.caption, clip.grid.frames) for clip in opened]
    assert rows == [("a.mkv", "first", 9), ("b.mkv", "last", 3)]
    content = json.loads(figures.read_text())["figures"]
    assert set(content["skipped"]) == set(map(str, some_bad[1:3]))
    # Nothing of a clip that was left out is counted.
    assert (content["files"][0]["tokens"], content["files"][0]["steps"]) == (2 * (3 + 2) * 15, 5)


def test_clips_that_cannot_be_read_are_named_and_the_folder_is_without_them(cli, some_bad, folder, tmp_path):
    (tmp_path / "tubes").mkdir()
    ended = cli("tokenize", *some_bad, "-o", tmp_path / "tubes", "--tokenizer", folder)
    assert ended.code == 1 and ended.out.count("bits per pixel") == 2
    assert all(f"nothing of {path}: " in ended.err for path in some_bad[1:3])
    assert {path.name for path in (tmp_path / "tubes").glob("[!.]*")} == {"a.tube", "b.tube"}


@pytest.mark.parametrize("output", ["clips.parquet", "tubes"])
def test_no_table_and_no_figures_are_made_of_bad_clips_alone(cli, some_bad, folder, tmp_path, output):
    (tmp_path / "tubes").mkdir()
    figures = tmp_path / "x.json"
    ended = cli("tokenize", *some_bad[1:3], "-o", tmp_path / output, "--tokenizer", folder, "--json", figures)
    assert ended.code == 1 and "none of the 2 clips gives " in ended.err
    assert not (tmp_path / "clips.parquet").exists() and not list((tmp_path / "tubes").iterdir())
    assert not figures.exists()


def test_a_clip_whose_size_changes_midway_counts_for_nothing(cli, video_file, folder, tmp_path):
    changing = tmp_path / "changing.ts"
    parts = [video_file("small.mp4", frames=9), video_file("large.mp4", frames=9, height=48, width=64)]
    with changing.open("wb") as whole:
        for part in parts:
            whole.write(as_transport_stream(part, tmp_path / "part.ts"))
    table = tmp_path / "clips.parquet"
    ended = cli("tokenize", video_file("a.mkv"), changing, "-o", table, "--tokenizer", folder)
    assert ended.code == 1 and f"nothing of {changing}: " in ended.err and "64x48" in ended.err
    assert "9 frames, 3 steps" in ended.out


def test_several_clips_go_into_no_other_file(cli, video_file, folder, tmp_path):
    clips = [video_file("a.mkv"), video_file("b.mkv")]
    ended = cli("tokenize", *clips, "-o", tmp_path / "both.tube", "--tokenizer", folder)
    assert refused(ended, 2, "2 inputs go to", "Create the folder")
    (tmp_path / "more").mkdir()
    clips[1].rename(tmp_path / "more" / "a.mkv")
    ended = cli("tokenize", clips[0], tmp_path / "more" / "a.mkv", "-o", tmp_path, "--tokenizer", folder)
    assert refused(ended, 2, "both called 'a'")


def test_info_tells_about_a_file_of_tokens(cli, tube):
    facts = json.loads(cli("info", tube, "--json").out)
    assert (facts["format"], facts["frames"], facts["complete"]) == ("tube 2", 9, True)
    assert (facts["tokens"], facts["tokens_per_position"]) == ("2x3x3x5", 2)
    assert (facts["codebook_sizes"], facts["bases"]) == ([40, 15], ["8x5", "5x3"])
    assert facts["bits_per_pixel"] == round(8 * tube.stat().st_size / (9 * 24 * 40), 6)
    assert facts["nominal_bits_per_pixel"] == round(45 * np.log2(40 * 15) / (9 * 24 * 40), 6)
    assert [line.split()[0] for line in cli("info", tube).out.splitlines()] == list(facts)


@pytest.fixture
def shipped(folder, small_folder, tmp_path, monkeypatch):
    """A package that comes with a linear tokenizer and with the default one for tokens."""
    shutil.copytree(folder, tmp_path / "weights" / "tubelet-fsq")
    shutil.copytree(small_folder, tmp_path / "weights" / "small")
    monkeypatch.setattr("tubelet.checkpoint.SHIPPED", tmp_path / "weights")
    monkeypatch.setattr("tubelet.further.PACKAGE", "no_such_package")


def test_models_lists_tokenizers_of_both_kinds(cli, shipped):
    tokenizers = cli("models").out.partition("\n\n")[0]
    small, tokens = tokenizers.splitlines()[2:]
    assert small.split()[:5] == ["small", "4x8x8", "1", "to", "12"]
    assert tokens.startswith("tubelet-fsq") and "2 tokens of 40, 15" in tokens and "384:1" in tokens
    assert tokens.endswith("linear, tokens")
    assert tubelet.shipped() == ["small", "tubelet-fsq"]


def test_no_tokenizer_need_be_named_once_one_is_shipped(cli, clip, shipped, folder, tmp_path):
    assert cli("tokenize", clip, "-o", tmp_path / "a.tube").code == 0
    # A file knows its tokenizer by what it computes with; this one's own name is another.
    ended = cli("detokenize", tmp_path / "a.tube", "-o", tmp_path / "a.npy", "--tokenizer", "tubelet-fsq")
    assert ended.code == 0


def test_a_tokenizer_without_tokens_is_refused(cli, clip, small_folder, tmp_path):
    ended = cli("tokenize", clip, "-o", tmp_path / "a.tube", "--tokenizer", small_folder)
    assert refused(ended, 1, "continuous tokenizer", "tubelet encode")


def test_encode_says_where_tokens_are_made(cli, clip, folder, tmp_path):
    ended = cli("encode", clip, "-o", tmp_path / "a.tube", "--tokenizer", folder)
    assert refused(ended, 1, "discrete tokenizer", "tubelet tokenize")


def test_a_wrong_path_is_named(cli, folder, tmp_path):
    for command in ("tokenize", "detokenize"):
        target = tmp_path / ("x.tube" if command == "tokenize" else "x.mkv")
        ended = cli(command, tmp_path / "no such.npz", "-o", target, "--tokenizer", folder)
        assert refused(ended, 1, "no such.npz")
    assert not list(tmp_path.iterdir())


def test_an_output_of_unknown_kind_is_answered_with_the_known_kinds(cli, clip, folder, tmp_path):
    ended = cli("tokenize", clip, "-o", tmp_path / "a.mp4", "--tokenizer", folder)
    assert refused(ended, 2, ".tube .npz .parquet")


def test_an_existing_output_is_kept(cli, clip, tube, folder):
    before = tube.read_bytes()
    assert refused(cli("tokenize", clip, "-o", tube, "--tokenizer", folder), 1, "clip.tube exists", "--force")
    assert tube.read_bytes() == before
    assert cli("tokenize", clip, "-o", tube, "--tokenizer", folder, "--force").code == 0
    assert tube.read_bytes() == before
