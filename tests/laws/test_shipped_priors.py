"""Priors that ship: each for a tokenizer that ships, exact, small, with the answers that it always gave."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
from recorder import random_symbols, recorded

from tubelet.bitstream import PartHeader
from tubelet.checkpoint import architecture, read_continuous, read_discrete
from tubelet.codec.symbols import BASE_STEP
from tubelet.priors.context import ContextPrior
from tubelet.priors.files import PRIORS, folder_of, prior_for, prior_of_file
from tubelet.priors.motion.prior import MotionPrior
from tubelet.quantizers.scalar import ScalarQuantizer
from tubelet.tokenizers.clip import only_part

DIGESTS = {
    "klt-4x8x8-motion-prior": "d9fc753888f4de4f8004b205ab8090c8deb89910238931931353484bd3c75d7f",
    "tubelet-m-prior": "785718c94b11c6017b2bb5a60e0eb8e85e5a60ad60a7619ab5b9b9e93765672f",
    "tubelet-m-rate-prior": "d15a8687e337a04a33ee2f375c1aa91cac24ace20894c7d479e5a0338d740cec",
    "tubelet-motion-prior": "2e9d5985a7d1ebe9e992b0baf5cf5c6e2ec7ee0c737e095b0aa9dade998a9b0f",
    "tubelet-fsq-prior": "d5e0e1032ceff776d44959f0a47ae714be2e11a4514e6343cd90d82c2d11d1db",
}
"""Of what each answers to symbols made by whole numbers alone; files that were written depend on it."""

NETWORKS = [sha256 for sha256 in PRIORS if isinstance(prior_for(sha256), ContextPrior)]

MOTION = [sha256 for sha256 in PRIORS if isinstance(prior_for(sha256), MotionPrior)]


def some_symbols(config):
    """The same on every machine, large and small, still and moving."""
    state, found = 12345, []
    shape = (config.ends[-1], 3, 8, 9)
    for _ in range(int(np.prod(shape))):
        state = (1103515245 * state + 12345) % 2**31
        found.append((state >> 16) % 41 * ((state >> 8) % 3 == 0) - 7)
    symbols = np.array(found, np.int32).reshape(shape)
    symbols[:, 2, :4] = symbols[:, 1, :4]
    symbols[:2, 0, 0, 0] = (5000, -(2**23 - 1))
    if config.bases:
        return np.abs(symbols) % np.array(config.bases, np.int32).reshape(-1, 1, 1, 1)
    return symbols


@pytest.mark.parametrize("sha256", NETWORKS)
def test_a_shipped_prior_is_for_the_tokenizer_that_ships(sha256):
    prior = prior_for(sha256)
    config = prior.config
    assert config.tokenizer_sha256 == sha256
    assert config.name == PRIORS[sha256]
    if architecture(config.tokenizer) == "discrete":
        known = read_discrete(config.tokenizer)
        assert config.bases == tuple(base for token in known.tokenizer.bases for base in token)
    else:
        known = read_continuous(config.tokenizer)
        units = known.tokenizer.model.coding_units()[config.part or only_part(known.tokenizer.parts).name]
        assert config.steps == ScalarQuantizer.scaled(BASE_STEP / units, 1.0).steps
    assert known.sha256 == sha256
    assert (folder_of(config.name) / "weights.safetensors").stat().st_size <= 1 << 20


@pytest.mark.parametrize("sha256", MOTION)
def test_a_shipped_prior_of_motion_is_for_the_tokenizer_that_ships(sha256):
    config = prior_for(sha256).config
    known = read_continuous(config.tokenizer)
    assert (config.tokenizer_sha256, config.name) == (sha256, PRIORS[sha256])
    assert (known.sha256, known.tokenizer.parts[0].channels) == (sha256, config.channels)
    assert (folder_of(config.name) / "weights.safetensors").stat().st_size <= 1 << 20


@pytest.mark.parametrize("sha256", MOTION)
def test_a_shipped_prior_of_motion_answers_what_it_always_answered(sha256):
    prior = prior_for(sha256)
    symbols = some_symbols(SimpleNamespace(ends=(prior.config.channels,), bases=()))
    found = hashlib.sha256()
    for table in prior.tables:
        found.update(table.frequencies.astype("<i8").tobytes())
    for name, some in (("motion", symbols), ("plain", symbols[:1] > 0)):
        facts = {"stride": (4, 8, 8), "rows": some.shape[2], "columns": some.shape[3]}
        part = PartHeader(name=name, channels=len(some), steps=(1,) * len(some), **facts)
        for choices in recorded(prior.model_of(part), some.astype(np.int32)):
            for answer in choices:
                found.update(answer.astype("<i4").tobytes())
    assert found.hexdigest() == DIGESTS[prior.config.name]


@pytest.mark.parametrize("sha256", NETWORKS)
def test_a_shipped_prior_answers_what_it_always_answered(sha256):
    prior = prior_for(sha256)
    part = prior.for_part(steps=prior.config.steps, bases=prior.config.bases)
    found = hashlib.sha256()
    for choices in recorded(part, some_symbols(prior.config)):
        for answer in choices:
            found.update(answer.astype("<i4").tobytes())
    assert found.hexdigest() == DIGESTS[prior.config.name]


def test_priors_beside_one_that_ships_ship():
    """And each prior that is named can be read where its distribution is installed."""
    for sha256 in NETWORKS:
        for other in prior_for(sha256).config.beside:
            assert prior_of_file(other.name, other.sha256).sha256 == other.sha256


@pytest.mark.parametrize("sha256", NETWORKS)
def test_a_shipped_prior_expects_still_symbols_to_stay(sha256):
    """Even noise, which no clip is, costs less than half of what it cost at first, once it repeats."""
    prior = prior_for(sha256)
    part = prior.for_part(steps=prior.config.steps, bases=prior.config.bases)
    bases = prior.config.bases
    channels = prior.config.ends[-1]
    symbols = random_symbols((channels, 1, 8, 8), bases=bases)
    if not bases:
        # As small as those of real clips.
        spread = 2.0 ** (4 - np.arange(channels) / 10).reshape(-1, 1, 1, 1)
        symbols = np.rint(np.random.default_rng(0).laplace(size=symbols.shape) * spread).astype(np.int32)
    symbols = np.repeat(symbols, 4, axis=1)
    bits = np.zeros(4)
    for (start, stop), (places, offsets, tables) in zip(part.groups, recorded(part, symbols), strict=True):
        own = symbols[start:stop].reshape(-1)[places]
        for residual, table, place in zip(own - offsets, tables, places, strict=True):
            known = prior.tables[table]
            entry = min(max(residual - known.first, 0), len(known.frequencies) - 1)
            bits[place // 64 % 4] += 24 - np.log2(known.frequencies[entry])
    assert bits[3] < 0.5 * bits[0], bits
