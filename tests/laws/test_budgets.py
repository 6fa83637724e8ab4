"""Law 11: what is written never exceeds the budget, and more budget never makes a clip worse."""

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from clips import LAW
from hypothesis import given
from hypothesis import strategies as st

import tubelet
from tubelet.bitstream.reader import TubeReader
from tubelet.codec import encode
from tubelet.codec.budget import Bitrate, BitsPerPixel, MeanChannels, Quality, TargetPSNR
from tubelet.codec.encode import encode_file
from tubelet.errors import OptionError
from tubelet.metrics.psnr import ClipPSNR

RATE = 24
KINDS = ["noise", "still", "moving", "cut"]


def make_frames(kind, shape, seed=0):
    """Frames of a kind that budgets treat differently."""
    frames, height, width = shape
    generator = np.random.default_rng(seed)
    if kind == "noise":
        return generator.integers(0, 256, (*shape, 3), dtype=np.uint8)
    rows, columns = np.mgrid[: height + 64, : width + 64] / generator.uniform(3, 9)
    texture = np.stack(
        [np.sin(rows + phase) * np.cos(columns * (1 + phase)) for phase in (0, 0.3, 0.7)], axis=-1
    )
    picture = (127 + 90 * texture + generator.normal(0, 4, texture.shape)).clip(0, 255).astype(np.uint8)
    if kind == "still":
        return np.repeat(picture[None, :height, :width], frames, axis=0)
    if kind == "cut":
        return np.stack(
            [(picture if t < frames // 2 else 255 - picture)[:height, :width] for t in range(frames)]
        )
    return np.stack([picture[t % 60 : t % 60 + height, :width] for t in range(frames)])


class Encoded:
    """A clip that was encoded within a budget, as a file in a folder that is gone afterwards."""

    def __init__(self, frames, **options):
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "a.npy", frames)
            self.report = encode_file(
                Path(folder) / "a.npy", Path(folder) / "a.tube", tokenizer="klt-4x8x8", **options
            )
            self.data = (Path(folder) / "a.tube").read_bytes()
            with tubelet.open_tube(Path(folder) / "a.tube") as tube:
                self.frames = tube[:]
            psnr = ClipPSNR()
            psnr.update(frames, self.frames)
            self.psnr = psnr.compute()


shapes = st.tuples(st.integers(1, 21), st.integers(1, 40), st.integers(1, 40))
contrasts = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@LAW
@given(
    kind=st.sampled_from(KINDS),
    shape=shapes,
    seed=st.integers(0, 99),
    channels=st.floats(0.01, 64),
    by=contrasts,
)
def test_a_mean_of_channels_is_never_exceeded(kind, shape, seed, channels, by):
    report = Encoded(make_frames(kind, shape, seed), budget=channels, contrast=by).report
    assert report.mean_channels <= channels


@LAW
@given(
    kind=st.sampled_from(KINDS),
    shape=shapes,
    seed=st.integers(0, 99),
    bits=st.floats(0.001, 20),
    by=contrasts,
)
def test_bits_per_pixel_are_never_exceeded(kind, shape, seed, bits, by):
    frames = make_frames(kind, shape, seed)
    try:
        encoded = Encoded(frames, budget=BitsPerPixel(bits=bits), contrast=by)
    except OptionError as error:
        assert "Allow more" in str(error)
        assert bits * frames[..., 0].size < 8 * 3000, "a file of nothing takes less"
        return
    assert 8 * len(encoded.data) <= bits * frames[..., 0].size


@pytest.mark.parametrize("two_pass", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "budgets",
    [(1, 2, 4, 8, 16, 32, 64), [BitsPerPixel(bits=bits) for bits in (0.3, 0.5, 0.9, 2.0, 4.0, 8.0)]],
    ids=["channels", "bits"],
)
def test_more_budget_never_makes_a_clip_worse(kind, budgets, two_pass):
    frames = make_frames(kind, (33, 48, 64))
    quality = [Encoded(frames, budget=budget, two_pass=two_pass).psnr for budget in budgets]
    assert all(later > sooner - 0.05 for sooner, later in pairwise(quality)), quality


@pytest.mark.slow
@LAW
@given(
    kind=st.sampled_from(KINDS),
    shape=st.tuples(st.integers(9, 21), st.integers(24, 63), st.integers(24, 63)),
    seed=st.integers(0, 99),
    counted=st.booleans(),
    amount=st.floats(2, 20),
    more=st.floats(1, 3),
    two_pass=st.booleans(),
)
def test_any_more_budget_never_makes_any_clip_worse(kind, shape, seed, counted, amount, more, two_pass):
    frames = make_frames(kind, shape, seed)
    kind_of = (
        (lambda each: MeanChannels(channels=each)) if counted else (lambda each: BitsPerPixel(bits=each))
    )
    try:
        less = Encoded(frames, budget=kind_of(amount), two_pass=two_pass)
    except OptionError:
        return  # so few bits that not even a file of nothing keeps to them
    greater = Encoded(frames, budget=kind_of(amount * more), two_pass=two_pass)
    assert greater.psnr >= less.psnr - 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_a_bitrate_holds_over_any_two_seconds(kind, tmp_path):
    frames = make_frames(kind, (121, 32, 48))
    np.save(tmp_path / "a.npy", frames)  # an array is shown at 24 frames per second
    rate = 120_000.0
    encode_file(
        tmp_path / "a.npy", tmp_path / "a.tube", tokenizer="klt-4x8x8", budget=Bitrate(bits_per_second=rate)
    )
    with TubeReader(tmp_path / "a.tube") as reader:
        chunks = [(entry.frames / RATE, 8 * entry.length) for entry in reader.chunks]
    for first in range(len(chunks)):
        seconds = bits = 0
        for length, size in chunks[first:]:
            seconds, bits = seconds + length, bits + size
            if seconds > 2:
                break
            assert bits <= rate * seconds


def test_a_bitrate_pays_for_the_heads_of_the_last_chunks(tmp_path):
    """Of 97 frames a chunk of a second each would leave the last frames with less than its head takes."""
    np.save(tmp_path / "a.npy", make_frames("moving", (97, 32, 48)))
    report = encode_file(
        tmp_path / "a.npy",
        tmp_path / "a.tube",
        tokenizer="klt-4x8x8",
        budget=Bitrate(bits_per_second=20_000.0),
    )
    assert 8 * report.bytes_total <= 20_000 * 97 / RATE
    with TubeReader(tmp_path / "a.tube") as reader:
        assert [entry.steps for entry in reader.chunks] == [6, 6, 6, 4, 3]


def test_a_bitrate_is_used_though_the_first_second_pays_for_the_header(tmp_path):
    """What the header takes of the first second must not make all others coarser."""
    random = np.random.default_rng(0)
    picture = np.kron(random.integers(0, 256, (20, 100, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    np.save(tmp_path / "a.npy", np.stack([picture[8:56, t : t + 64] for t in range(241)]))
    rate = 60_000.0
    report = encode_file(
        tmp_path / "a.npy", tmp_path / "a.tube", tokenizer="klt-4x8x8", budget=Bitrate(bits_per_second=rate)
    )
    assert 0.95 <= 8 * report.bytes_total / (rate * 241 / RATE) <= 1


def test_a_still_clip_costs_next_to_nothing_after_its_first_step():
    frames = make_frames("still", (61, 64, 64))
    one = Encoded(frames[:1], budget=Quality(level=40.0)).report.bytes_symbols
    all_of_it = Encoded(frames, budget=Quality(level=40.0)).report.bytes_symbols
    assert all_of_it < 1.05 * one


@pytest.mark.parametrize("contrast", [0.25, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_psnr_is_met(kind, contrast):
    frames = make_frames(kind, (17, 48, 48))
    wanted = {"noise": 11.0}.get(kind, 25.0)
    assert abs(Encoded(frames, budget=TargetPSNR(db=wanted), contrast=contrast).psnr - wanted) < 0.3


def test_more_contrast_moves_what_a_budget_buys_to_where_errors_are_seen():
    frames = make_frames("noise", (9, 64, 64))
    frames[:, :, 32:] = make_frames("moving", (9, 64, 32)) // 8 + 100  # a texture of little contrast

    def error_in_the_faint_half(contrast):
        back = Encoded(frames, budget=Quality(level=36.0), contrast=contrast)
        return np.square(back.frames[:, :, 36:] - frames[:, :, 36:].astype(float)).mean(), back.report

    (squares, of_squares), (weighed, of_weighed) = map(error_in_the_faint_half, (0.0, 1.0))
    assert weighed < 0.8 * squares
    assert of_weighed.bytes_total < of_squares.bytes_total


def test_a_psnr_out_of_reach_says_what_is_in_reach():
    with pytest.raises(OptionError, match=r"gives .* dB on this clip"):
        Encoded(make_frames("noise", (5, 16, 16)), budget=TargetPSNR(db=60.0))


def test_a_psnr_far_out_of_reach_is_refused_by_the_beginning(tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr(
        encode, "open_tube", lambda *given, **named: tried.append(given) or tubelet.open_tube(*given, **named)
    )
    np.save(tmp_path / "a.npy", make_frames("moving", (61, 32, 32)))
    with pytest.raises(OptionError, match=r"gives .* dB on the first 24 frames, so at most .* on this clip"):
        encode_file(
            tmp_path / "a.npy", tmp_path / "a.tube", tokenizer="klt-4x8x8", budget=TargetPSNR(db=100.0)
        )
    assert len(tried) == 1


def test_trying_the_beginning_changes_no_file(monkeypatch):
    frames = make_frames("moving", (37, 24, 24))
    wanted = TargetPSNR(db=Encoded(frames, budget=Quality(level=63.0)).psnr - 1)
    files = []
    for high in (0.0, 1e9):
        monkeypatch.setattr(encode, "_HIGH", high)
        files.append(Encoded(frames, budget=wanted).data)
    assert files[0] == files[1]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_the_same_from_anywhere_and_however_the_file_was_read(kind, tmp_path, monkeypatch):
    frames = make_frames(kind, (41, 40, 56))
    monkeypatch.setattr("tubelet.codec.plan_budget.LARGEST_CHUNK", 4)
    np.save(tmp_path / "a.npy", frames)
    for name, memory in (("a", 1 << 30), ("b", 1 << 24)):
        encode_file(
            tmp_path / "a.npy", tmp_path / f"{name}.tube", budget=6, memory=memory, tokenizer="klt-4x8x8"
        )
    assert (tmp_path / "a.tube").read_bytes() == (tmp_path / "b.tube").read_bytes()
    with tubelet.open_tube(tmp_path / "a.tube") as tube:
        whole = tube[:]
        for start in range(0, 41, 5):
            assert np.array_equal(tube[start : start + 3], whole[start : start + 3])
        latents = tube.latents()
    tokenizer = tubelet.load("klt-4x8x8")
    decoder = tokenizer.parts_decoder(frames=41, height=40, width=56)
    assert np.array_equal(decoder.push_frames(latents.latents, counts=latents.known), whole)
    with tubelet.open_tube(tmp_path / "a.tube", channels=2) as few:
        assert few[:].shape == whole.shape
