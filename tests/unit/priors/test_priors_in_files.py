"""Files that are coded with a prior that ships: written, read back, and read in part."""

from dataclasses import replace

import numpy as np
import pytest
from random_priors import parts_of, random_network

from tubelet.bitstream import (
    Chunk,
    Codings,
    Header,
    PartHeader,
    PartSymbols,
    PriorHeader,
    TubeReader,
    TubeWriter,
)
from tubelet.bitstream.coding import MODEL
from tubelet.errors import BitstreamError, CheckpointError
from tubelet.priors import files
from tubelet.priors.config import NamedPrior
from tubelet.priors.context import LARGEST_CLASSES

TOKENIZER = "ab" * 32
SHAPE = (3, 5, 6)


@pytest.fixture(params=[(), (8, 5, 3)], ids=["latent", "tokens"])
def prior(request, tmp_path, monkeypatch):
    """A shipped prior for a tokenizer."""
    bases = request.param
    network = random_network(3 if bases else 8, bases=bases, strength=0.1)
    files.save_prior(*parts_of(network, name="own"), tmp_path / "own", card="# own\n")
    monkeypatch.setattr(files, "SHIPPED", tmp_path)
    monkeypatch.setattr(files, "PRIORS", {TOKENIZER: "own"})
    # Even where tables would be shorter: these priors have learned nothing.
    monkeypatch.setattr(Codings, "choices", lambda codings, part: [codings.of(part, MODEL)])
    found = files.prior_for(TOKENIZER)
    assert found is not None
    return found


def header_of(own, *, counts=(), channels=None, **changes):
    bases = own.config.bases
    channels = len(bases) or channels or 8
    part = PartHeader(
        name="part",
        channels=channels,
        stride=(4, 8, 8),
        rows=SHAPE[1],
        columns=SHAPE[2],
        steps=() if bases else (1 << 18,) * channels,
        bases=(bases,) if bases else (),
        counts=counts,
    )
    facts = {
        "version": 3,
        "content": "tokens" if bases else "latent",
        "tokenizer": "own",
        "tokenizer_sha256": TOKENIZER,
        "stride": (4, 8, 8),
        "lead_frame": True,
        "height": 8 * SHAPE[1],
        "width": 8 * SHAPE[2],
        "time_base": (1, 30),
        "sample_aspect": (1, 1),
        "colour": {},
        "source": {},
        "audio": None,
        "parts": (part,),
        "prior": PriorHeader(name=own.config.name, sha256=own.sha256),
    }
    return Header(**facts | changes)


def chunk_of(prior, header):
    """Symbols, and counts where there is a map."""
    (part,) = header.parts
    random = np.random.default_rng(0)
    symbols = np.rint(random.normal(0, 0.7, (part.channels, *SHAPE))).astype(np.int32)
    if prior.config.bases:
        symbols = random.integers(np.array(prior.config.bases).reshape(-1, 1, 1, 1), size=symbols.shape)
    counts = None
    if part.counts:
        counts = random.choice(np.array(part.counts, np.int32), SHAPE)
        symbols = symbols * (counts > np.arange(part.channels).reshape(-1, 1, 1, 1))
    given = PartSymbols(symbols=symbols.astype(np.int32), counts=counts)
    times = np.arange(9, dtype=np.int64)
    return Chunk(number=0, first_step=0, first_frame=0, timestamps=times, parts=(given,))


def written(path, header, chunk):
    models = {part.name: files.model_for(header, part) for part in header.parts}
    with TubeWriter(path, header, models=models) as writer:
        writer.write_chunk(chunk)
    return path


@pytest.mark.parametrize("with_map", [False, True])
def test_what_is_written_with_a_prior_is_read_and_its_prefixes_too(prior, tmp_path, with_map):
    channels = len(prior.config.bases) or 8
    header = header_of(prior, counts=(0, 2, channels) if with_map else ())
    chunk = chunk_of(prior, header)
    path = written(tmp_path / "x.tube", header, chunk)
    for kept in (channels, 2):
        with TubeReader(path, files.model_for) as reader:
            found = reader.read_chunk(0, channels={"part": kept})
        assert np.array_equal(found.parts[0].symbols, chunk.parts[0].symbols[:kept])


def test_a_file_of_a_prior_is_not_read_without_it(prior, tmp_path):
    header = header_of(prior)
    chunk = chunk_of(prior, header)
    path = written(tmp_path / "x.tube", header, chunk)
    with TubeReader(path) as reader, pytest.raises(BitstreamError, match="prior 'own'"):
        reader.read_chunk(0)


def test_a_prior_that_did_not_ship_is_named(prior):
    header = header_of(prior, prior=PriorHeader(name="own", sha256="00" * 32))
    with pytest.raises(CheckpointError, match="the prior 'own' of SHA-256 0000000000000000…"):
        files.model_for(header, header.parts[0])


def test_parts_that_a_prior_is_not_for_have_no_model(prior):
    assert files.model_for(header_of(prior, prior=None), header_of(prior).parts[0]) is None
    if prior.config.bases:
        return
    header = header_of(prior, channels=9)
    assert files.model_for(header, header.parts[0]) is None
    header = header_of(prior, channels=9, counts=tuple(range(LARGEST_CLASSES + 1)))
    assert files.model_for(header, header.parts[0]) is None


@pytest.fixture
def of_parts(tmp_path, monkeypatch):
    """A shipped prior of one part, with one for other parts beside it."""
    vectors = files.prior_of_parts({"motion": 6})
    other = NamedPrior(name=vectors.config.name, sha256=vectors.sha256)
    config, arrays = parts_of(random_network(strength=0.1), name="own")
    files.save_prior(
        replace(config, part="content", beside=(other,)), arrays, tmp_path / "own", card="# own\n"
    )
    (tmp_path / other.name).symlink_to(files.SHIPPED / other.name)
    monkeypatch.setattr(files, "SHIPPED", tmp_path)
    monkeypatch.setattr(files, "PRIORS", {TOKENIZER: "own", "cd" * 32: other.name})
    monkeypatch.setattr(Codings, "choices", lambda codings, part: [codings.of(part, MODEL)])
    return files.prior_for(TOKENIZER)


def parts_header(own):
    sizes = {"motion": 6, "plain": 1, "content": 8}
    return header_of(
        own,
        parts=tuple(
            replace(header_of(own).only_part, name=name, channels=channels, steps=(1 << 18,) * channels)
            for name, channels in sizes.items()
        ),
    )


def test_parts_of_one_file_are_coded_with_priors_of_their_own(of_parts, tmp_path):
    header = parts_header(of_parts)
    random = np.random.default_rng(0)
    parts = [random.integers(-2, 3, (part.channels, *SHAPE), dtype=np.int32) for part in header.parts]
    parts[1] = np.abs(parts[1]) % 2
    chunk = Chunk(
        number=0,
        first_step=0,
        first_frame=0,
        timestamps=np.arange(9, dtype=np.int64),
        parts=tuple(PartSymbols(symbols=each) for each in parts),
    )
    path = written(tmp_path / "x.tube", header, chunk)
    with TubeReader(path, files.model_for) as reader:
        assert reader.header.prior.name == "own"
        assert [part.coding for part in reader.head(0).parts] == [MODEL] * 3
        assert [len(part.segments) for part in reader.head(0).parts] == [1, 1, 3]
        found = reader.read_chunk(0)
    assert all(np.array_equal(one.symbols, each) for one, each in zip(found.parts, parts, strict=True))
    beside = files.model_for(header, header.parts[0])
    assert (beside.name, beside.sha256) == ("own", of_parts.sha256)


def test_a_prior_of_a_part_is_for_no_other_part(of_parts):
    header = parts_header(of_parts)
    other = replace(header.parts[2], name="other")
    assert files.model_for(header, other) is None
    assert files.model_for(header, header.parts[2]) is not None


def test_a_prior_depends_on_the_one_beside_it(of_parts):
    config, arrays = parts_of(random_network(strength=0.1), name="own")
    some = replace(config, part="content")
    other = replace(some, beside=(NamedPrior(name="x", sha256="00" * 32),))
    assert len({files.fingerprint(each, arrays) for each in (config, some, other, of_parts.config)}) == 4


def test_a_prior_beside_that_did_not_ship_is_named(of_parts, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PRIORS", {TOKENIZER: "own"})
    header = parts_header(of_parts)
    with pytest.raises(CheckpointError, match="the prior 'klt-4x8x8-motion-prior' of SHA-256"):
        files.model_for(header, header.parts[0])


def test_a_prior_among_further_weights_says_how_to_install_them(of_parts, monkeypatch):
    monkeypatch.setattr(files, "PRIORS", {TOKENIZER: "elsewhere"})
    monkeypatch.setattr(files, "FURTHER_PRIORS", ("elsewhere",))
    assert files.prior_for(TOKENIZER) is None
    with pytest.raises(
        CheckpointError, match=r"elsewhere is in the distribution tubelet-weights.*pip install"
    ):
        files.prior_of_file("elsewhere", of_parts.sha256)
