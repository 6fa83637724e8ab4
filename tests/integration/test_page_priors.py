"""Files that are coded with a prior, in the page: it reads the symbols that tubelet wrote."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tubelet.bitstream import Chunk, Codings, Header, PartHeader, PartSymbols, PriorHeader, TubeWriter
from tubelet.bitstream.coding import MODEL
from tubelet.priors.config import PriorConfig
from tubelet.priors.files import PRIORS, Prior, model_for, prior_for, shipped_folders
from tubelet.serve import site
from tubelet.serve.site import write_priors

STEPS, ROWS, COLUMNS = 3, 9, 11

READ = """async ({ content, facts, weights, edits }) => {
    const { readTube, TubeError } = await import("./tube.js");
    const { readPriors } = await import("./prior.js");
    const bytesOf = (text) => Uint8Array.from(atob(text), (mark) => mark.charCodeAt(0));
    const packed = new Blob([bytesOf(weights)]).stream().pipeThrough(new DecompressionStream("gzip"));
    const prior = readPriors(facts, new Uint8Array(await new Response(packed).arrayBuffer()));
    const digest = async (chunk) => {
        const all = await new Blob(chunk.parts.map((part) => part.symbols)).arrayBuffer();
        const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
        return Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
    };
    const read = async (data) => {
        try {
            const { chunks, incomplete } = readTube(data, prior);
            const sizes = chunks.map((chunk) => chunk.parts.map((part) => part.sizes));
            return { incomplete, sizes, digests: await Promise.all(chunks.map(digest)) };
        } catch (error) {
            if (error instanceof TubeError) return { said: error.message };
            return { fault: String(error.stack) };
        }
    };
    const found = [];
    for (const [at, value] of edits) {
        const changed = bytesOf(content);
        changed[at] ^= value;
        found.push(await read(changed));
    }
    return edits.length ? found : [await read(bytesOf(content))];
}"""


TOKENIZERS = {prior: tokenizer for tokenizer, prior in PRIORS.items()}


@pytest.fixture(autouse=True)
def coded_with_priors(monkeypatch):
    """Even where tables would be shorter: symbols at random are not what priors expect."""

    def choices(codings, part):
        return [codings.of(part, MODEL)]

    monkeypatch.setattr(Codings, "choices", choices)


def shipped(name: str) -> Prior:
    prior = prior_for(TOKENIZERS[name])
    assert prior is not None
    return prior


def prior_config(name: str) -> PriorConfig:
    config = shipped(name).config
    assert isinstance(config, PriorConfig)
    return config


def latent_part(
    config: PriorConfig, *, channels: int, counts: tuple[int, ...] = (), name: str = "latent"
) -> PartHeader:
    # Twice as coarse as usual: the class of the step is one of the things that a prior sees.
    steps = tuple(2 * step for step in config.steps[:channels])
    return part_of(name, channels=channels, steps=steps, counts=counts)


def part_of(name: str, **facts: Any) -> PartHeader:
    return PartHeader(name=name, stride=(4, 8, 8), rows=ROWS, columns=COLUMNS, **facts)


def symbols_of(part: PartHeader, random: np.random.Generator) -> PartSymbols:
    """Some that are near to those of the step before, some far from everything, and digits of all values."""
    shape = (part.channels, STEPS, ROWS, COLUMNS)
    if part.bases:
        highs = np.array(part.digit_bases).reshape(-1, 1, 1, 1)
        return PartSymbols(symbols=random.integers(highs, size=shape, dtype=np.int32), counts=None)
    scales = 6 / (1 + np.arange(part.channels)).reshape(-1, 1, 1, 1)
    symbols = np.rint(random.normal(0, 1, shape) * scales).astype(np.int32)
    symbols[:, 1, :3] = symbols[:, 0, :3]
    symbols[0, 0, 0, :3] = 5000, -(2**23) + 1, 700
    if part.name == "plain":
        symbols = (symbols > 0).astype(np.int32)
    if not part.counts:
        return PartSymbols(symbols=symbols, counts=None)
    counts = random.choice(np.array(part.counts, np.int32), shape[1:])
    symbols *= counts > np.arange(part.channels).reshape(-1, 1, 1, 1)
    return PartSymbols(symbols=symbols, counts=counts)


def written(target: Path, name: str, parts: tuple[PartHeader, ...]) -> list[PartSymbols]:
    """Write a chunk of these parts, coded with a prior; gives the symbols."""
    prior = shipped(name)
    header = Header(
        version=3,
        content="tokens" if parts[0].bases else "latent",
        tokenizer=prior.config.tokenizer,
        tokenizer_sha256=TOKENIZERS[name],
        stride=(4, 8, 8),
        lead_frame=True,
        height=8 * ROWS,
        width=8 * COLUMNS,
        time_base=(1, 30),
        sample_aspect=(1, 1),
        colour={},
        source={},
        audio=None,
        parts=parts,
        prior=PriorHeader(name=name, sha256=prior.sha256),
    )
    random = np.random.default_rng(7)
    symbols = [symbols_of(part, random) for part in parts]
    models = {part.name: model for part in parts if (model := model_for(header, part))}
    assert len(models) == len(parts)
    times = np.arange(9, dtype=np.int64)
    with TubeWriter(target, header, models=models) as writer:
        chunk = Chunk(number=0, first_step=0, first_frame=0, timestamps=times, parts=tuple(symbols))
        writer.write_chunk(chunk)
    return symbols


@pytest.fixture
def read(scripts, tmp_path) -> Callable[..., list[dict[str, Any]]]:
    """What the page reads of a file with a prior that lies beside it."""

    def make(content: bytes, name: str, *, edits: Any = ()) -> list[dict[str, Any]]:
        write_priors(shipped_folders(TOKENIZERS[name], {}), tmp_path)
        given = {
            "content": base64.b64encode(content).decode(),
            "facts": json.loads((tmp_path / site.PRIORS).read_text()),
            "weights": base64.b64encode((tmp_path / site.PRIOR_WEIGHTS).read_bytes()).decode(),
            "edits": list(edits),
        }
        return scripts.evaluate(READ, given)

    return make


def parts_for(case: str) -> tuple[str, tuple[PartHeader, ...]]:
    """Each prior, with and without a map of counts, of all channels and of some."""
    rate, fsq = "tubelet-m-rate-prior", "tubelet-fsq-prior"
    vectors, whole = "klt-4x8x8-motion-prior", "tubelet-motion-prior"
    config = prior_config(rate)
    motion = (
        part_of("motion", channels=6, steps=(1 << 18,) * 6),
        part_of("plain", channels=1, steps=(1 << 20,)),
    )
    return {
        "all channels": (rate, (latent_part(config, channels=64),)),
        "a map": (rate, (latent_part(config, channels=64, counts=(0, 1, 2, 4, 8, 16, 32, 64)),)),
        "some channels": (rate, (latent_part(config, channels=5),)),
        "some, a map": (rate, (latent_part(config, channels=13, counts=(2, 4, 13)),)),
        "vectors and flags": (vectors, motion),
        "content too": (whole, (*motion, latent_part(prior_config(whole), channels=16, name="content"))),
        "digits": (fsq, (part_of("tokens", channels=6, bases=((8, 8, 8, 5, 5, 5),)),)),
    }[case]


@pytest.mark.parametrize(
    "case",
    [
        "all channels",
        "a map",
        "some channels",
        "some, a map",
        "digits",
        "vectors and flags",
        "content too",
    ],
)
def test_its_symbols_are_those_that_were_written(read, tmp_path, case):
    name, parts = parts_for(case)
    symbols = written(tmp_path / "x.tube", name, parts)
    (found,) = read((tmp_path / "x.tube").read_bytes(), name)
    assert found.get("incomplete", found) is None
    every = b"".join(part.symbols.astype("<i4").tobytes() for part in symbols)
    assert found["digests"] == [hashlib.sha256(every).hexdigest()]


def test_a_group_of_channels_costs_what_its_segment_takes(read, tmp_path):
    name, parts = parts_for("some channels")
    written(tmp_path / "x.tube", name, parts)
    (found,) = read((tmp_path / "x.tube").read_bytes(), name)
    ((sizes,),) = found["sizes"]
    assert [size > 0 for size in sizes] == [True, False, True, False, True]  # groups begin at 0, 2 and 4


def test_no_changed_byte_is_taken_for_the_file(read, tmp_path):
    name, parts = parts_for("some, a map")
    written(tmp_path / "x.tube", name, parts)
    content = (tmp_path / "x.tube").read_bytes()
    random = np.random.default_rng(0)
    places = random.choice(len(content), 60, replace=False).tolist()
    for found in read(content, name, edits=[(at, int(1 << random.integers(8))) for at in places]):
        assert "fault" not in found, found
        assert found.get("said") or found["incomplete"], found


def test_another_prior_than_the_one_beside_the_page_is_named(read, tmp_path):
    name, parts = parts_for("some channels")
    written(tmp_path / "x.tube", name, parts)
    (found,) = read((tmp_path / "x.tube").read_bytes(), "tubelet-m-prior")
    assert "needs the prior tubelet-m-rate-prior" in found["said"]
    assert "--no-prior" in found["said"]
