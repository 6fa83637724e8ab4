"""Tokens to files and back: exact, seekable, damage named; for every quantiser that a checkpoint may hold."""

import hashlib
import warnings
from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tubelet
from tubelet.bitstream import TubeReader
from tubelet.checkpoint import load_discrete, read_discrete
from tubelet.codec import chunking
from tubelet.codec.tokens.array import read_token_array
from tubelet.codec.tokens.detokenize import detokenize_file
from tubelet.codec.tokens.table import TokenTable
from tubelet.codec.tokens.tokenize import tokenize_file, tokenize_files
from tubelet.errors import BitstreamError, CheckpointError, DamageWarning, OptionError, OutputError
from tubelet.quantizers import config as quantizers
from tubelet.quantizers.config import (
    BSQConfig,
    FSQConfig,
    IBQConfig,
    LFQConfig,
    ResidualFSQConfig,
    ResidualVQConfig,
    SimVQConfig,
    VQConfig,
)
from tubelet.tokenizers.config import DiscreteConfig
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.video.audio import read_audio

FSQ = FSQConfig(levels=(8, 5, 5))

QUANTIZERS = {
    "fsq": FSQ,
    "fsq of three tokens": FSQConfig(levels=(8, 5, 300), tokens=3),
    "residual_fsq": ResidualFSQConfig(levels=(8, 5, 5)),
    "lfq": LFQConfig(),
    "bsq": BSQConfig(),
    "vq": VQConfig(codes=300),
    "residual_vq": ResidualVQConfig(codes=32, layers=3),
    "simvq": SimVQConfig(codes=32),
    "ibq": IBQConfig(codes=32),
}
"""One of every kind, for a latent of three channels."""

FRAMES = 27


@pytest.fixture(scope="module")
def make_discrete(make_tokenizer, tmp_path_factory):
    """The checkpoint of a small discrete tokenizer, on disk."""

    def make(quantizer, *, name="tokens", **numbers):
        small = {"channels": 3, "width": 8, "encoder_blocks": 1, "decoder_blocks": 1}
        backbone = make_tokenizer(**(small | numbers))
        config = DiscreteConfig(name=name, backbone=backbone.config, quantizer=quantizer)
        tokenizer = DiscreteTokenizer.of(config)
        tokenizer.backbone.load_state_dict(backbone.tokenizer.state_dict())
        generator = torch.Generator().manual_seed(0)
        tokenizer.quantizer.fit(torch.randn(1000, 3, generator=generator), generator=generator)
        return tokenizer.save(tmp_path_factory.mktemp("discrete") / name, card="# tokens\n")

    return make


@pytest.fixture(scope="module", params=QUANTIZERS.values(), ids=QUANTIZERS)
def folder(request, make_discrete):
    return make_discrete(request.param)


@pytest.fixture(scope="module", params=["fsq", "fsq of three tokens"])
def few_folder(request, make_discrete):
    return make_discrete(QUANTIZERS[request.param])


@pytest.fixture(scope="module")
def fsq_folder(make_discrete):
    return make_discrete(FSQ)


@pytest.fixture
def short_chunks(monkeypatch):
    """Two latent steps a chunk, so that a tiny clip has several."""
    monkeypatch.setattr(chunking, "LARGEST_CHUNK", 2)


@pytest.fixture
def tube(video_file, fsq_folder, tmp_path, short_chunks):
    """A tiny clip as a .tube file of tokens, of several chunks."""
    tokenize_file(video_file(frames=FRAMES), tmp_path / "clip.tube", tokenizer=fsq_folder)
    return tmp_path / "clip.tube"


def frames_of(path):
    return np.concatenate([run.frames.copy() for run in tubelet.read(path)])


def digits_by_hand(folder, frames):
    """Digits of the public stream, a frame at a time."""
    stream = load_discrete(folder).stream_encoder()
    return torch.cat([*(stream.push_frames(frame[None]) for frame in frames), stream.finish()], dim=2)


def grids_of(clip, folder, into):
    """A clip tokenized into a file of every kind, and the tokens that come back."""
    for suffix in (".tube", ".npz", ".parquet"):
        tokenize_file(clip, into / f"tokens{suffix}", tokenizer=folder, force=True)
    with tubelet.open_tube(into / "tokens.tube", tokenizer=folder) as opened:
        tube = opened.tokens()
    with TokenTable(into / "tokens.parquet") as table:
        row = next(iter(table)).grid
    return tube, read_token_array(into / "tokens.npz").grid, row


# There and back


def test_every_quantiser_that_a_checkpoint_may_hold_is_tried_here():
    assert {config.kind for config in QUANTIZERS.values()} == set(quantizers.QUANTIZERS)


@settings(max_examples=5)
@given(
    frames=st.integers(1, 20), height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99)
)
def test_tokens_come_back_from_every_kind_of_file(folder, tmp_path_factory, frames, height, width, seed):
    into = tmp_path_factory.mktemp("round")
    clip = np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    np.save(into / "clip.npy", clip)
    expected = digits_by_hand(folder, clip)
    for grid in grids_of(into / "clip.npy", folder, into):
        assert torch.equal(grid.digits, expected)
        assert grid.digits.dtype == expected.dtype
        assert (grid.frames, grid.height, grid.width) == (frames, height, width)
        assert grid.lead_frame


def test_the_tokens_of_a_file_are_what_its_tokenizer_takes(few_folder, video_file, tmp_path):
    tokenizer = load_discrete(few_folder)
    grids = grids_of(video_file(frames=6), few_folder, tmp_path)
    videos = [tokenizer.detokenize(grid) for grid in grids]
    assert all(torch.equal(video, videos[0]) for video in videos)


def test_every_kind_of_file_gives_the_same_video(folder, video_file, tmp_path):
    source = video_file(frames=11, height=23, width=33)
    grids_of(source, folder, tmp_path)
    videos = []
    for suffix in (".tube", ".npz", ".parquet"):
        target = tmp_path / f"back{suffix}.npy"
        report = detokenize_file(tmp_path / f"tokens{suffix}", target, tokenizer=folder)
        assert (report.first_frame, report.frames, report.complete) == (0, 11, True)
        videos.append(np.load(target))
    assert videos[0].shape == (11, 23, 33, 3)
    assert all((video == videos[0]).all() for video in videos)
    # Law 1: in runs of a few steps, as when all steps are decoded by a stream at once.
    stream = load_discrete(folder).stream_decoder(height=23, width=33, frames=11)
    grid = read_token_array(tmp_path / "tokens.npz").grid
    assert (stream.push_frames(grid.digits) == videos[0]).all()


def test_the_same_clip_gives_the_same_bytes(few_folder, video_file, tmp_path):
    source = video_file()
    for suffix in (".tube", ".npz"):
        for name in ("one", "other"):
            tokenize_file(source, tmp_path / f"{name}{suffix}", tokenizer=few_folder)
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"other{suffix}").read_bytes()


def test_what_files_say_of_a_clip_is_true(fsq_folder, video_file, tmp_path):
    source = video_file(frames=6)
    grids_of(source, fsq_folder, tmp_path)
    with TokenTable(tmp_path / "tokens.parquet") as table:
        row = next(iter(table)).facts
    assert row == read_token_array(tmp_path / "tokens.npz").facts
    assert (row.source, row.fps, row.caption) == ("clip.mkv", 25, None)
    assert row.source_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert row.tokenizer == "tokens"
    assert row.tokenizer_sha256 == read_discrete(fsq_folder).sha256


@pytest.mark.parametrize(
    ("ticks", "time_base", "rate"),
    [
        ([0, 33, 67, 100, 133, 167], Fraction(1, 1000), 30),
        ([0, 1001, 2002, 3003], Fraction(1, 30000), Fraction(30000, 1001)),
        ([0, 1, 3, 4, 9, 10], Fraction(1, 25), None),
        ([5], Fraction(1, 25), None),
    ],
    ids=str,
)
def test_a_rate_is_stored_where_there_is_one(fsq_folder, video_file, tmp_path, ticks, time_base, rate):
    source = video_file("rate.mp4", frames=len(ticks), timestamps=ticks, time_base=time_base)
    tokenize_file(source, tmp_path / "rate.npz", tokenizer=fsq_folder)
    assert read_token_array(tmp_path / "rate.npz").facts.fps == rate


def test_several_clips_make_a_table_of_as_many_rows(fsq_folder, video_file, tmp_path):
    sources = [video_file(f"{frames}.mkv", frames=frames, height=9 + frames) for frames in (5, 1, 8)]
    report = tokenize_files(sources, tmp_path / "clips.parquet", tokenizer=fsq_folder)
    assert (report.clips, report.frames) == (3, 14)
    with TokenTable(tmp_path / "clips.parquet") as table:
        assert [clip.facts.source for clip in table] == ["5.mkv", "1.mkv", "8.mkv"]
        assert report.tokens == sum(clip.grid.tokens.numel() for clip in table)
    detokenize_file(
        tmp_path / "clips.parquet", tmp_path / "third.npy", clip=2, tokenizer=fsq_folder, force=True
    )
    tokenize_file(sources[2], tmp_path / "third.tube", tokenizer=fsq_folder)
    detokenize_file(tmp_path / "third.tube", tmp_path / "alone.npy", tokenizer=fsq_folder)
    assert (np.load(tmp_path / "third.npy") == np.load(tmp_path / "alone.npy")).all()


# Any place in a .tube file


@pytest.fixture(scope="module", params=[True, False], ids=["lead frame", "plain groups"])
def any_folder(request, make_discrete):
    return make_discrete(FSQ, lead_frame=request.param, decoder_blocks=2)


@pytest.fixture
def any_tube(video_file, any_folder, tmp_path, short_chunks):
    tokenize_file(video_file(frames=FRAMES), tmp_path / "any.tube", tokenizer=any_folder)
    return tmp_path / "any.tube"


def test_a_frame_by_itself_is_that_of_a_full_decode(any_tube, any_folder):
    with tubelet.open_tube(any_tube, tokenizer=any_folder) as tube:
        full = tube[:]
        assert len(tube) == len(full) == FRAMES
        for index in (0, 1, 4, 5, 13, 20, 26):
            assert (tube[index] == full[index]).all(), index
        assert (tube[7:12] == full[7:12]).all()


def test_a_part_is_the_same_part_of_a_full_decode(any_tube, any_folder, tmp_path):
    tubelet.decode_file(any_tube, tmp_path / "full.npy", tokenizer=any_folder)
    tubelet.decode_file(any_tube, tmp_path / "part.npy", tokenizer=any_folder, start=0.4, end=0.6)
    assert (np.load(tmp_path / "part.npy") == np.load(tmp_path / "full.npy")[10:15]).all()


def test_a_range_of_steps_is_that_range_of_the_tokens_and_of_what_they_stand_for(any_tube, any_folder):
    tokenizer = load_discrete(any_folder)
    with tubelet.open_tube(any_tube, tokenizer=any_folder) as tube:
        whole = tube.tokens()
        assert torch.equal(tube.latent(), tokenizer.embed(whole))
        steps = whole.cells[0]
        for first, last in [(0, 1), (0, 3), (1, 2), (2, 5), (3, steps), (steps - 1, steps)]:
            part = tube.tokens(first, last)
            assert torch.equal(part.digits, whole.digits[:, :, first:last])
            assert part.lead_frame == (tokenizer.lead_frame and first == 0)
            assert torch.equal(tube.latent(first, last), tokenizer.embed(whole)[:, :, first:last])
        for first, last in [(0, 0), (2, 1), (-1, 2), (0, 99)]:
            with pytest.raises(OptionError, match="are asked for"):
                tube.tokens(first, last)


def test_a_file_of_a_latent_has_no_tokens(video_file, small_folder, tmp_path):
    tubelet.encode_file(video_file(), tmp_path / "latent.tube", tokenizer=small_folder)
    with (
        tubelet.open_tube(tmp_path / "latent.tube", tokenizer=small_folder) as tube,
        pytest.raises(OptionError, match=r"no tokens\. Use `latent`"),
    ):
        tube.tokens()


def test_tokens_need_all_their_digits(tube, fsq_folder):
    with pytest.raises(OptionError, match=r"channels is 2; .* Leave it out"):
        tubelet.open_tube(tube, tokenizer=fsq_folder, channels=2)


def test_time_and_sound_are_kept_in_a_tube_file(fsq_folder, video_file, sine, tmp_path):
    source = video_file("sound.mkv", frames=8, timestamps=[0, 1, 3, 4, 9, 10, 30, 31], sound=sine)
    report = tokenize_file(source, tmp_path / "sound.tube", tokenizer=fsq_folder)
    detokenize_file(tmp_path / "sound.tube", tmp_path / "back.mkv", tokenizer=fsq_folder)
    assert [p.data for p in read_audio(tmp_path / "back.mkv")] == [p.data for p in sine.packets]
    for path in (source, tmp_path / "back.mkv"):
        times = np.concatenate([run.timestamps for run in tubelet.read(path)])
        assert [int(tick) * tubelet.probe(path).time_base * 25 for tick in times] == [
            0,
            1,
            3,
            4,
            9,
            10,
            30,
            31,
        ]
    assert report.bytes_audio > sum(len(packet.data) for packet in sine.packets)
    mute = tokenize_file(source, tmp_path / "mute.tube", tokenizer=fsq_folder, audio=False)
    assert mute.bytes_audio == 0


# Figures


def test_the_figures_of_a_report_are_those_of_its_file(few_folder, video_file, tmp_path):
    source = video_file(frames=9)
    tokenizer = load_discrete(few_folder)
    positions = 3 * 3 * 5
    for suffix in (".tube", ".npz", ".parquet"):
        target = tmp_path / f"figures{suffix}"
        report = tokenize_file(source, target, tokenizer=few_folder)
        assert (report.clips, report.frames, report.steps) == (1, 9, 3)
        assert report.tokens == positions * len(tokenizer.bases)
        assert report.bytes_total == target.stat().st_size
        assert report.bits_per_pixel == 8 * report.bytes_total / (9 * 24 * 40)
        nominal = positions * sum(np.log2(size) for size in tokenizer.codebook_sizes)
        assert report.nominal_bits_per_pixel == pytest.approx(nominal / (9 * 24 * 40))
        assert 8 * report.entropy_bytes <= nominal
        for usage, size in zip(report.usage, tokenizer.codebook_sizes, strict=True):
            assert (usage.count, usage.size) == (positions, size)
            assert 1 <= usage.perplexity <= usage.used <= min(size, positions)


def test_the_usage_of_a_codebook_without_bound_is_not_counted(make_discrete, video_file, tmp_path):
    folder = make_discrete(FSQConfig(levels=(128, 128, 128)))
    report = tokenize_file(video_file(), tmp_path / "large.tube", tokenizer=folder)
    assert report.usage == (None,)


def test_tokens_take_far_fewer_bytes_than_the_latent(fsq_folder, make_discrete, video_file, tmp_path):
    report = tokenize_file(video_file(frames=60), tmp_path / "clip.tube", tokenizer=fsq_folder)
    with TubeReader(tmp_path / "clip.tube") as reader:
        coded = sum(entry.length for entry in reader.chunks)
    assert coded < report.entropy_bytes + 60 * 3 + 200


# Damage


def test_a_flipped_bit_gives_a_named_error_and_no_wrong_token(tube, fsq_folder):
    with tubelet.open_tube(tube, tokenizer=fsq_folder) as opened:
        whole = opened.tokens().digits
    data = tube.read_bytes()
    for place in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        tube.write_bytes(bytes(damaged))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                with tubelet.open_tube(tube, tokenizer=fsq_folder) as opened:
                    digits = opened.tokens().digits
            except (BitstreamError, CheckpointError):
                continue
        assert [warning.category for warning in caught] == [DamageWarning], place
        assert torch.equal(digits, whole[:, :, : digits.shape[2]])


@pytest.mark.parametrize("share", [0.97, 0.8])
def test_a_file_cut_short_gives_the_frames_and_tokens_before_the_cut(tube, fsq_folder, tmp_path, share):
    detokenize_file(tube, tmp_path / "full.npy", tokenizer=fsq_folder)
    with tubelet.open_tube(tube, tokenizer=fsq_folder) as opened:
        whole = opened.tokens().digits
    data = tube.read_bytes()
    cut = tmp_path / "cut.tube"
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.warns(DamageWarning, match=r"cut short .* can be read"):
        report = detokenize_file(cut, tmp_path / "cut.npy", tokenizer=fsq_folder)
    assert not report.complete
    assert 0 < report.frames < FRAMES or share > 0.9
    assert (np.load(tmp_path / "cut.npy") == np.load(tmp_path / "full.npy")[: report.frames]).all()
    with pytest.warns(DamageWarning), tubelet.open_tube(cut, tokenizer=fsq_folder) as opened:
        grid = opened.tokens()
    assert torch.equal(grid.digits, whole[:, :, : grid.cells[0]])
    assert grid.frames == report.frames


def test_the_tokenizer_must_be_the_one_that_made_the_file(
    tube, fsq_folder, make_discrete, small_folder, video_file, tmp_path
):
    tokenize_file(video_file(), tmp_path / "clip.npz", tokenizer=fsq_folder)
    other = make_discrete(FSQConfig(levels=(5, 5, 8)))
    for source in (tube, tmp_path / "clip.npz"):
        with pytest.raises(CheckpointError, match=r"was made with .* of SHA-256 .*--tokenizer"):
            detokenize_file(source, tmp_path / "x.npy", tokenizer=other)
        with pytest.raises(CheckpointError, match=r"continuous tokenizer, and a discrete one"):
            detokenize_file(source, tmp_path / "x.npy", tokenizer=small_folder)
        with pytest.raises(CheckpointError, match=r"none of the shipped ones .* Give its folder"):
            detokenize_file(source, tmp_path / "x.npy")
    assert not (tmp_path / "x.npy").exists()


def test_a_folder_named_inside_a_file_is_never_opened(make_discrete, video_file, tmp_path, monkeypatch):
    folder = make_discrete(FSQ, name="inside")
    for suffix in (".tube", ".npz", ".parquet"):
        tokenize_file(video_file(), tmp_path / f"clip{suffix}", tokenizer=folder)
    monkeypatch.chdir(folder.parent)
    for suffix in (".tube", ".npz", ".parquet"):
        with pytest.raises(CheckpointError, match=r"'inside' .* none of the shipped ones"):
            detokenize_file(tmp_path / f"clip{suffix}", tmp_path / "x.npy")


def test_a_tokenizer_that_comes_with_the_package_is_found_by_its_name(
    make_discrete, video_file, tmp_path, monkeypatch
):
    folder = make_discrete(FSQ, name="tubelet-fsq")
    monkeypatch.setattr("tubelet.checkpoint.SHIPPED", folder.parent)
    tokenize_file(video_file(), tmp_path / "clip.tube")
    assert detokenize_file(tmp_path / "clip.tube", tmp_path / "back.npy").frames == 9


# What is refused


def test_a_tokenizer_without_tokens_is_refused(video_file, small_folder, tmp_path):
    with pytest.raises(CheckpointError, match=r"continuous tokenizer, and a discrete one"):
        tokenize_file(video_file(), tmp_path / "clip.tube", tokenizer=small_folder)


@pytest.mark.parametrize("name", ["clip", "clip.mp4", "clip.txt"])
def test_a_file_of_unknown_kind_is_answered_with_the_known_kinds(fsq_folder, video_file, tmp_path, name):
    with pytest.raises(OptionError, match=r"one of \.tube \.npz \.parquet"):
        tokenize_file(video_file(), tmp_path / name, tokenizer=fsq_folder)
    with pytest.raises(OptionError, match=r"are \.tube \.npz \.parquet"):
        detokenize_file(tmp_path / name, tmp_path / "x.npy", tokenizer=fsq_folder)


@pytest.mark.parametrize("sources", [0, 2])
def test_clips_that_make_no_table_are_refused(fsq_folder, video_file, tmp_path, sources):
    target = tmp_path / ("clips.tube" if sources else "clips.parquet")
    with pytest.raises(OptionError, match=rf"{sources} clips go into"):
        tokenize_files([video_file()] * sources, target, tokenizer=fsq_folder)


def test_a_clip_that_is_not_there_is_refused(fsq_folder, video_file, tmp_path):
    table = tmp_path / "two.parquet"
    tokenize_files([video_file()] * 2, table, tokenizer=fsq_folder)
    for clip in (None, -1, 2):
        with pytest.raises(OptionError, match=r"holds 2, counted from 0\. Choose one with --clip"):
            detokenize_file(table, tmp_path / "x.npy", clip=clip, tokenizer=fsq_folder)
    tokenize_file(video_file(), tmp_path / "one.npz", tokenizer=fsq_folder)
    with pytest.raises(OptionError, match="holds one clip alone"):
        detokenize_file(tmp_path / "one.npz", tmp_path / "x.npy", clip=0, tokenizer=fsq_folder)


@pytest.mark.parametrize(("there", "words"), [(False, "appeared meanwhile"), (True, "changed meanwhile")])
def test_a_table_that_another_run_wrote_meanwhile_is_not_lost(fsq_folder, tmp_path, video_file, there, words):
    first, mine, other = (video_file(f"{name}.mkv", frames=5) for name in ("first", "mine", "other"))
    target = tmp_path / "clips.parquet"
    before = [first] * there
    if there:
        tokenize_files(before, target, tokenizer=fsq_folder)
    started = []

    def meanwhile(source):
        if not started:
            started.append(source)
            tokenize_files([*before, other], target, tokenizer=fsq_folder, extend=True)
        return nullcontext(source)

    with pytest.raises(OutputError, match=words):
        tokenize_files([*before, mine], target, tokenizer=fsq_folder, extend=True, opened=meanwhile)
    with TokenTable(target) as table:
        assert [clip.facts.source for clip in table] == [path.name for path in (*before, other)]
    assert [path.name for path in tmp_path.glob("*clips*")] == [target.name]


def test_a_table_whose_mode_alone_changed_meanwhile_is_gone_on_with(fsq_folder, tmp_path, video_file):
    first, mine = (video_file(f"{name}.mkv", frames=5) for name in ("first", "mine"))
    target = tmp_path / "clips.parquet"
    tokenize_files([first], target, tokenizer=fsq_folder)

    def meanwhile(source):
        target.chmod(0o600)
        return nullcontext(source)

    tokenize_files([first, mine], target, tokenizer=fsq_folder, extend=True, opened=meanwhile)
    with TokenTable(target) as table:
        assert [clip.facts.source for clip in table] == [first.name, mine.name]


class StopError(Exception):
    pass


def stop(_):
    raise StopError


@pytest.mark.parametrize("suffix", [".tube", ".npz", ".parquet"])
def test_an_interrupted_run_leaves_nothing_and_nothing_is_overwritten(
    fsq_folder, video_file, tmp_path, suffix
):
    source, target = video_file(), tmp_path / f"clip{suffix}"
    with pytest.raises(StopError):
        tokenize_file(source, target, tokenizer=fsq_folder, on_frames=stop)
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mkv"}
    tokenize_file(source, target, tokenizer=fsq_folder)
    with pytest.raises(OutputError, match="--force"):
        tokenize_file(source, target, tokenizer=fsq_folder)
    with pytest.raises(StopError):
        detokenize_file(target, tmp_path / "back.mkv", tokenizer=fsq_folder, on_frames=stop)
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mkv", target.name}
