"""Vectors that files leave out: those that take more bits than they save; in tiles as in the whole."""

from math import log

import numpy as np
import pytest
import torch
from einops import rearrange
from rendered import along, render

import tubelet
from tubelet.checkpoint import Checkpoint, read_continuous
from tubelet.codec.budget import BitsPerPixel, MeanChannels, Quality, price_of_step
from tubelet.codec.encode import encode_file
from tubelet.codec.symbols import BASE_STEP
from tubelet.codec.tube import open_tube
from tubelet.models.motion.model import CONTENT, MOTION, PLAIN
from tubelet.models.motion.worth import COUNT, COUNTS, UNIT, Worth
from tubelet.models.protocol import BitPrice
from tubelet.tokenizers.parts import joined
from tubelet.video.pixels import to_model

FRAMES = render(along((1.5, -2.0), frames=9), size=(72, 120))
FRAMES[:, :36] = 90 + FRAMES[:, :36] // 3
FRAMES[5:, :, :40] = np.random.default_rng(3).integers(0, 256, (4, 72, 40, 3), np.uint8)
"""A square that slides, of which the upper part is faint, and noise that cannot be followed."""


def price_at(step: float, channels: int = 64) -> BitPrice:
    return BitPrice(BASE_STEP * step, price_of_step(step), channels)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return read_continuous("klt-4x8x8-motion")


@pytest.fixture(scope="module")
def video():
    return to_model(FRAMES)


def test_the_coarser_a_file_the_fewer_vectors_are_worth_their_bits(checkpoint, video):
    found = checkpoint.tokenizer.encode_parts(video)
    moving = [(found[MOTION] != 0).any(dim=1).sum()]
    for step in (4.0, 12.0, 60.0):
        latents = checkpoint.tokenizer.priced(price_at(step)).encode_parts(video)
        kept = (latents[MOTION] != 0).any(dim=1)
        assert torch.equal(latents[MOTION], torch.where(kept[:, None], found[MOTION], 0))
        moving.append(kept.sum())
    assert moving[0] >= moving[1] > moving[2] > moving[3] == 0 and moving[1] > moving[0] / 2, moving


@pytest.mark.parametrize("tile", [(1, 2), (4, 3)])
def test_tiles_and_runs_of_frames_drop_the_same(checkpoint, video, tile):
    priced = checkpoint.tokenizer.priced(price_at(12.0))
    whole = priced.encode_parts(video)
    assert not torch.equal(whole[MOTION], checkpoint.tokenizer.encode_parts(video)[MOTION])
    assert whole[MOTION].any() and whole[PLAIN].any()
    stream = priced.parts_encoder(tile=tile)
    runs = joined([*(stream.push(run) for run in video.split(2, dim=2)), stream.finish()])
    for name in (MOTION, PLAIN):
        assert torch.equal(runs[name], whole[name])
    assert torch.allclose(runs[CONTENT], whole[CONTENT], atol=2e-5)


def test_vectors_that_are_given_are_all_kept(checkpoint, video):
    model = checkpoint.tokenizer.priced(price_at(60.0)).model
    given = torch.full((1, 6, 1, 9, 15), 2.5)
    assert torch.equal(model.encode_along(video[:, :, 1:5], given)[MOTION], given)


def test_what_content_takes_is_what_its_definition_says(checkpoint):
    """Cell by cell, in floating point, of grey pictures."""
    transform, price = checkpoint.tokenizer.model.transform, price_at(3.0, channels=16)
    grey = render(along((2.0, 1.0)), size=(64, 64)).mean(axis=3).round()
    cells = torch.from_numpy(rearrange(grey, "t (h p) (w q) -> (h w) (t p q)", p=8, q=8)).float()
    patches = (cells / 127.5 - 1).repeat_interleave(3, dim=1)
    worth = Worth(transform, price)
    for klt, basis in zip(transform.klts, worth._bases, strict=True):
        found = worth._costs(cells, basis)
        centred = patches - klt.mean
        values = (klt.basis[:16] @ centred.T).T.double().numpy()
        energy = centred.double().square().sum(dim=1).numpy()
        deviations = transform.deviation[:16].numpy()
        pairs = zip(values, energy, strict=True)
        taken = [_cheapest(one, all_, deviations, price) for one, all_ in pairs]
        # The mean of a patch has colours, of which brightness is left.
        assert np.allclose(found.numpy() / UNIT, taken, rtol=0.02, atol=6)


def _cheapest(values: np.ndarray, energy: float, deviations: np.ndarray, price: BitPrice) -> float:
    """Error in units of the price of a bit, and bits, of the cheapest number of channels."""
    best = energy / price.error
    for count in (count for count in COUNTS if count <= len(values)):
        left = energy - np.square(values[:count]).sum()
        total = left / price.error + COUNT / UNIT
        for value, deviation in zip(values[:count], deviations, strict=False):
            width = 2**0.5 * price.step / float(deviation)
            nearest = abs(round(value / price.step))
            total += min(
                (abs(value) - symbol * price.step) ** 2 / price.error + _bits(symbol, width)
                for symbol in {nearest, max(nearest - 1, 0)}
            )
        best = min(best, total)
    return best


def _bits(symbol: int, width: float) -> float:
    """Of a symbol of a Laplace distribution."""
    zero = 1 - np.exp(-width / 2)
    likely = zero if not symbol else (1 - zero) / 2 * (1 - np.exp(-width)) * np.exp(-width * (symbol - 1))
    return -log(likely + 1e-6) / log(2)


@pytest.mark.parametrize(
    "budget", [Quality(level=12.0), BitsPerPixel(bits=0.9), MeanChannels(channels=6.0), None]
)
def test_files_of_a_budget_of_bits_hold_what_is_worth_them(checkpoint, video, budget, tmp_path):
    np.save(tmp_path / "a.npy", FRAMES)
    found = tubelet.load("klt-4x8x8-motion").encode_parts(video)
    encode_file(tmp_path / "a.npy", tmp_path / "a.tube", tokenizer=checkpoint, budget=budget)
    with open_tube(tmp_path / "a.tube", tokenizer=checkpoint) as tube:
        stored = tube.latents().latents[MOTION]
    kept = (stored != 0).any(dim=1, keepdim=True)
    assert torch.equal(stored, torch.where(kept, found[MOTION], 0))
    assert torch.equal(stored, found[MOTION]) == (budget in (None, MeanChannels(channels=6.0)))
