"""The bytes of format version 3, and what the specification says of parts, counts and a prior."""

import hashlib
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_model import NumpyModel, model_for
from toy_model import NAME, SHA256, ToyModel

from tubelet.bitstream import Chunk, PartSymbols, PriorHeader, TubeReader, TubeWriter
from tubelet.bitstream.coding import MODEL, TABLES

HERE = Path(__file__).parent
maker = runpy.run_path(str(HERE / "make_golden.py"))
reference = runpy.run_path(str(HERE / "reference_decoder.py"))

NAMES = tuple(maker["VERSION_3"])
golden = pytest.mark.parametrize("name", NAMES)


def toy_for(part):
    """The prior of a part, as the reference decoder asks for it."""
    return ToyModel(part["channels"], [base for token in part.get("bases", []) for base in token])


def made(name):
    """The header and the chunks of a golden file."""
    make_header, make_chunks = maker["VERSION_3"][name]
    return make_header(), list(make_chunks())


def facts_of(name):
    return json.loads((HERE / f"{name}.json").read_text())


@golden
def test_the_golden_file_is_the_one_that_was_committed(name):
    data = (HERE / f"{name}.tube").read_bytes()
    assert hashlib.sha256(data).hexdigest() == facts_of(name)["file"]


@golden
def test_the_writer_still_gives_the_golden_bytes(name, tmp_path):
    maker["write_version_3"](tmp_path / "again.tube", *made(name))
    assert (tmp_path / "again.tube").read_bytes() == (HERE / f"{name}.tube").read_bytes()


def read_back(part, one):
    """What is read of a part: nothing beyond its counts."""
    counts = np.full(one.symbols.shape[1:], part.counts[0]) if len(part.counts) == 1 else one.counts
    if counts is None:
        return one.symbols, None
    return one.symbols * (np.arange(part.channels)[:, None, None, None] < counts), counts


@golden
def test_the_reader_still_gives_the_golden_content(name):
    header, chunks = made(name)
    with TubeReader(HERE / f"{name}.tube", model_for) as reader:
        assert (reader.complete, reader.end) == (True, 2**40 + 100)
        assert reader.header == header
        assert tuple(reader.audio()) == tuple(maker["packets"]())
        for expected in chunks:
            chunk = reader.read_chunk(expected.number)
            assert (chunk.first_step, chunk.first_frame) == (expected.first_step, expected.first_frame)
            np.testing.assert_array_equal(chunk.timestamps, expected.timestamps)
            for found, one, part in zip(chunk.parts, expected.parts, header.parts, strict=True):
                symbols, counts = read_back(part, one)
                np.testing.assert_array_equal(found.symbols, symbols)
                np.testing.assert_equal(found.counts, counts)


@golden
def test_the_specification_decodes_the_golden_file(name):
    header, chunks = made(name)
    found = reference["decode"]((HERE / f"{name}.tube").read_bytes(), toy_for)
    permitted = [part.counts for part in header.parts]
    expected = maker["digest_of_parts"](chunks, permitted)
    assert reference["digest"](found["chunks"]) == facts_of(name)["symbols"] == expected
    assert found["header"] == json.loads(header.to_bytes())
    assert found["end"] == 2**40 + 100


def codings_in(name):
    """How each part of each chunk of a golden file is coded."""
    with TubeReader(HERE / f"{name}.tube") as reader:  # without the prior: heads need none
        for entry in reader.chunks:
            yield [part.coding for part in reader.head(entry.number).parts]


def test_the_golden_files_hold_parts_of_both_codings_and_escapes():
    assert list(codings_in("version3")) == [[TABLES] * 3] * 3
    assert list(codings_in("version3-prior")) == [[TABLES], [MODEL], [MODEL]]
    assert [MODEL] in list(codings_in("version3-tokens"))
    _, chunks = made("version3-prior")
    assert abs(chunks[2].symbols).max() == maker["EXTREME"]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_specification_decodes_any_file_that_the_writer_makes(tmp_path_factory, data):
    target = tmp_path_factory.mktemp("tubes") / "any.tube"
    name = data.draw(st.sampled_from(NAMES))
    header, _ = made(name)
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    most = data.draw(st.sampled_from([1, 3, 2**23 - 1]))
    models = {part.name: NumpyModel(part.channels, part.digit_bases) for part in header.parts if header.prior}
    chunks = []
    with TubeWriter(target, header, models=models) as writer:
        for number in range(data.draw(st.integers(0, 2))):
            steps = data.draw(st.integers(1, 3))
            parts = tuple(
                random_part(header, part, writer.steps, steps, generator, most) for part in header.parts
            )
            times = np.arange(writer.frames, writer.frames + 2)
            places = {"number": number, "first_step": writer.steps, "first_frame": writer.frames}
            chunks.append(Chunk(**places, timestamps=times, parts=parts))
            writer.write_chunk(chunks[-1])
    found = reference["decode"](target.read_bytes(), toy_for)
    for got, chunk in zip(found["chunks"], chunks, strict=True):
        for one, given_part, part in zip(got["parts"], chunk.parts, header.parts, strict=True):
            symbols, counts = read_back(part, given_part)
            assert one["channels"] == symbols.reshape(part.channels, -1).tolist()
            assert one["counts"] == (
                [part.channels] * symbols[0].size if counts is None else counts.ravel().tolist()
            )


def random_part(header, part, first_step, steps, generator, most):
    """Symbols up to a magnitude, mostly small, and counts."""
    shape = (header.part_steps(part, first_step, steps), part.rows, part.columns)
    symbols = np.rint(generator.standard_cauchy((part.channels, *shape)) / 2).clip(-most, most)
    if part.bases:
        symbols = np.minimum(abs(symbols), np.array(part.digit_bases)[:, None, None, None] - 1)
    counts = generator.choice(np.array(part.counts, np.int32), shape) if len(part.counts) > 1 else None
    return PartSymbols(symbols=symbols.astype(np.int32), counts=counts)


def test_the_toy_model_is_the_prior_of_the_golden_files():
    assert maker["PRIOR"] == PriorHeader(name=NAME, sha256=SHA256)
