"""How often a clip is coded until it keeps its budget: that is what takes the time."""

import numpy as np
import pytest

from tubelet.codec.budget import Bitrate, BitsPerPixel
from tubelet.codec.budget_sink import FileSizes
from tubelet.codec.encode import encode_file


@pytest.fixture
def drifting(tmp_path):
    """A texture that moves, 129 frames: a chunk of 32 steps, and one of the last."""
    random = np.random.default_rng(0)
    picture = np.kron(random.integers(0, 256, (20, 60, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    np.save(tmp_path / "a.npy", np.stack([picture[8:56, t : t + 64] for t in range(129)]))
    return tmp_path / "a.npy"


@pytest.mark.parametrize("two_pass", [False, True])
@pytest.mark.parametrize(
    "budget", [BitsPerPixel(bits=0.5), Bitrate(bits_per_second=40e3)], ids=["bpp", "rate"]
)
def test_the_opening_is_coded_once_and_each_chunk_about_once(drifting, monkeypatch, two_pass, budget):
    coded, estimated = [], []
    exact, estimate = FileSizes.exact, FileSizes.estimate
    monkeypatch.setattr(FileSizes, "exact", lambda self, done: coded.append(done) or exact(self, done))
    monkeypatch.setattr(
        FileSizes, "estimate", lambda self, done: estimated.append(done) or estimate(self, done)
    )
    encode_file(
        drifting, drifting.with_suffix(".tube"), tokenizer="klt-4x8x8", budget=budget, two_pass=two_pass
    )
    chunks = 2 if isinstance(budget, BitsPerPixel) else 6  # of a bitrate a second at most
    assert len(coded) == 1 + chunks  # tables alone: what is estimated is exact
    assert len(estimated) <= 6 + 6 * chunks
