"""Motion goes through files as it is, at any coarseness; numbers of channels are of content."""

import numpy as np
import pytest
import torch
from random_tokenizers import make_motion_network, make_motion_tokenizer, make_twin

import tubelet
from tubelet.bitstream import TubeReader
from tubelet.bitstream.coding import MODEL, TABLES
from tubelet.checkpoint import Checkpoint
from tubelet.codec.budget import BitsPerPixel, MeanChannels
from tubelet.codec.encode import encode_file
from tubelet.codec.reconstruct import reconstruct_file
from tubelet.codec.transcode import transcode_file
from tubelet.codec.tube import open_tube
from tubelet.errors import OptionError
from tubelet.priors.files import model_for
from tubelet.video.pixels import to_model


@pytest.fixture(scope="module", params=[make_motion_tokenizer, make_motion_network])
def checkpoint(request):
    return Checkpoint(name="random-motion", tokenizer=request.param(), sha256="0" * 64)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A photograph of noise that slides, and stops."""
    path = tmp_path_factory.mktemp("clip") / "clip.npy"
    coarse = np.random.default_rng(5).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    still = coarse.repeat(4, axis=0).repeat(4, axis=1)
    np.save(path, np.stack([still[20:61, 30 + shift : 82 + shift] for shift in (0, 3, 6, 9, 12, 12, 12)]))
    return path


@pytest.mark.parametrize("step", [0.3, 1.0, 17.0])
def test_motion_is_kept_at_every_coarseness(checkpoint, clip, tmp_path, step):
    encode_file(clip, tmp_path / "a.tube", tokenizer=checkpoint, step=step)
    expected = checkpoint.tokenizer.encode_parts(to_model(np.load(clip)))["motion"]
    assert expected.any()
    with open_tube(tmp_path / "a.tube", tokenizer=checkpoint) as tube:
        assert torch.equal(tube.latents().latents["motion"], expected)


def test_the_prior_that_ships_makes_motion_shorter_and_changes_nothing(clip, tmp_path):
    for name, prior in (("with", True), ("without", False)):
        encode_file(clip, tmp_path / f"{name}.tube", tokenizer="klt-4x8x8-motion", prior=prior)
    found, sizes = {}, {}
    for name in ("with", "without"):
        with open_tube(tmp_path / f"{name}.tube") as tube:
            found[name] = tube.latents().latents
            assert np.array_equal(tube[3:5], tube[:][3:5])
        with TubeReader(tmp_path / f"{name}.tube") as reader:
            codings = [part.coding for part in reader.head(0).parts]
            assert codings[0] == (MODEL if name == "with" else TABLES)
            assert codings[2] == TABLES
            sizes[name] = sum(segment.length + 8 for segment in reader.head(0).parts[0].segments)
    assert all(torch.equal(found["with"][part], found["without"][part]) for part in found["with"])
    assert sizes["with"] < 0.6 * sizes["without"]


def test_vectors_of_any_tokenizer_along_motion_have_the_prior(checkpoint, clip, tmp_path):
    tube, again = tmp_path / "a.tube", tmp_path / "b.tube"
    encode_file(clip, tube, tokenizer=checkpoint)
    transcode_file(tube, again)
    for path in (tube, again):
        with TubeReader(path) as reader:
            assert [part.coding for part in reader.head(0).parts] == [MODEL, MODEL, TABLES]
    with open_tube(again, tokenizer=checkpoint) as back:
        expected = checkpoint.tokenizer.encode_parts(to_model(np.load(clip)))["motion"]
        assert torch.equal(back.latents().latents["motion"], expected)


def test_numbers_of_channels_are_of_content(checkpoint, clip, tmp_path):
    encode_file(clip, tmp_path / "all.tube", tokenizer=checkpoint)
    encode_file(clip, tmp_path / "few.tube", tokenizer=checkpoint, channels=5)
    with (
        open_tube(tmp_path / "few.tube", tokenizer=checkpoint) as few,
        open_tube(tmp_path / "all.tube", tokenizer=checkpoint, channels=5) as prefix,
    ):
        latents = few.latents().latents
        assert {name: part.shape[1] for name, part in latents.items()} == {
            "motion": 6,
            "plain": 1,
            "content": 5,
        }
        assert np.array_equal(few[:], prefix[:])
    reconstruct_file(clip, tmp_path / "back.npy", tokenizer=checkpoint, channels=5)
    with open_tube(tmp_path / "few.tube", tokenizer=checkpoint) as few:
        assert np.array_equal(np.load(tmp_path / "back.npy"), few[:])
    with pytest.raises(OptionError, match="channels is 13"):
        open_tube(tmp_path / "all.tube", tokenizer=checkpoint, channels=13)


@pytest.mark.parametrize(
    ("small", "large", "two_pass"),
    [
        (MeanChannels(channels=2.0), MeanChannels(channels=6.0), False),
        (BitsPerPixel(bits=2.0), BitsPerPixel(bits=6.0), False),
        (BitsPerPixel(bits=2.0), BitsPerPixel(bits=6.0), True),
    ],
)
def test_a_budget_is_kept_and_motion_stays_or_is_left_out(clip, tmp_path, small, large, two_pass):
    tokenizer = "klt-4x8x8-motion"
    frames = np.load(clip)
    expected = tubelet.load(tokenizer).encode_parts(to_model(frames))
    errors = []
    for number, budget in enumerate((small, large)):
        path = tmp_path / f"{number}.tube"
        report = encode_file(clip, path, tokenizer=tokenizer, budget=budget, two_pass=two_pass)
        if isinstance(budget, BitsPerPixel):
            assert 8 * path.stat().st_size <= budget.bits * frames[..., 0].size
        with open_tube(path) as tube, TubeReader(path, model_for) as reader:
            counts = [reader.read_counts(chunk) for chunk in range(len(reader.chunks))]
            assert all(parts[0] is None and parts[1] is None for parts in counts)
            mean = np.concatenate([parts[2] for parts in counts]).mean()
            assert report.mean_channels == pytest.approx(mean, rel=1e-9), "of content, not of motion"
            if isinstance(budget, MeanChannels):
                assert mean <= budget.channels
            latents = tube.latents().latents
            kept = (latents["motion"] != 0).any(dim=1, keepdim=True)
            if isinstance(budget, MeanChannels):
                kept = torch.ones_like(kept)
                assert torch.equal(latents["plain"], expected["plain"])
            assert torch.equal(latents["motion"], torch.where(kept, expected["motion"], 0))
            assert np.array_equal(tube[4:6], tube[:][4:6])
            errors.append(np.square(tube[:].astype(float) - frames).mean())
    assert errors[1] < errors[0]


def test_a_budget_that_motion_alone_exceeds_is_refused(clip, tmp_path):
    with pytest.raises(OptionError, match="if it stores nothing"):
        encode_file(clip, tmp_path / "a.tube", tokenizer="klt-4x8x8-motion", budget=BitsPerPixel(bits=0.01))


def test_a_budget_of_several_parts_that_it_would_decide_is_refused(clip, tmp_path):
    several = Checkpoint(name="random", tokenizer=make_twin(), sha256="0" * 64)
    with pytest.raises(
        OptionError, match="beside parts that files keep exactly; this tokenizer's has several"
    ):
        encode_file(clip, tmp_path / "a.tube", tokenizer=several, budget=MeanChannels(channels=4.0))
