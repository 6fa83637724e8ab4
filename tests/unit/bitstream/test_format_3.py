"""What format version 3 adds: content, parts, counts, centroids and a prior in the header; their chunks."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_model import NumpyModel, model_for
from toy_model import NAME, SHA256

from tubelet.bitstream import (
    Chunk,
    Codings,
    Header,
    PartHeader,
    PartSymbols,
    PriorHeader,
    TubeReader,
    TubeWriter,
    bytes_to_chunk,
    chunk_to_bytes,
    limits,
)
from tubelet.bitstream.chunk_head import ChunkHead, part_shape
from tubelet.bitstream.coding import MODEL, TABLES
from tubelet.bitstream.container import Window
from tubelet.errors import BitstreamError, OptionError

MOST = limits.SYMBOL
TOY = PriorHeader(name=NAME, sha256=SHA256)

strides = st.sampled_from([(4, 8, 8), (1, 1, 1), (8, 16, 4), (6, 4, 4)])


def divisors(number):
    return [each for each in range(1, number + 1) if number % each == 0]


@st.composite
def some_facts(draw):
    """Those of a header of one to three parts, all of the same few cells; and those of the parts."""
    content, stride = draw(st.sampled_from(["latent", "tokens"])), draw(strides)
    cells = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    parts = []
    for name in draw(st.sampled_from([("latent",), ("a", "b"), ("structure", "rows", "columns")])):
        own = tuple(draw(st.sampled_from(divisors(side)[-2:])) for side in stride)
        channels = draw(st.integers(1, 5))
        facts = {"name": name, "channels": channels, "stride": own}
        facts["rows"], facts["columns"] = (cells[axis] * stride[axis + 1] // own[axis + 1] for axis in (0, 1))
        facts["counts"] = tuple(sorted(draw(st.sets(st.integers(0, channels), max_size=4))))
        if content == "tokens":
            facts["bases"] = (tuple(draw(st.integers(2, 9)) for _ in range(channels)),)
        else:
            facts["steps"] = tuple(draw(st.integers(1, 2**32 - 1)) for _ in range(channels))
            pairs = st.tuples(st.integers(0, 127), st.integers(0, 127))
            facts["centroids"] = draw(st.just(()) | st.tuples(*[pairs] * channels))
        parts.append(facts)
    return {
        "version": 3,
        "content": content,
        "stride": stride,
        "lead_frame": draw(st.booleans()),
        "height": draw(st.integers(1, cells[0] * stride[1])),
        "width": draw(st.integers(1, cells[1] * stride[2])),
    }, parts


def made_header(make_header, data):
    facts, parts = data.draw(some_facts())
    prior = TOY if data.draw(st.booleans()) else None
    return make_header(**facts, parts=tuple(PartHeader(**part) for part in parts), prior=prior)


def symbols_of(part, shape, generator, most):
    """Symbols as an encoder might quantise them, the largest and smallest among them, and counts."""
    size = (part.channels, *shape)
    spread = generator.choice([0, 0.3, 3])
    symbols = np.rint(generator.normal(0, spread, size))
    symbols[generator.random(size) < 0.05] = most
    symbols[generator.random(size) < 0.05] = -most
    if part.bases:
        symbols = np.minimum(np.abs(symbols), np.array(part.digit_bases)[:, None, None, None] - 1)
    symbols = symbols.astype(np.int32)
    if not part.counts:
        return PartSymbols(symbols=symbols)
    counts = generator.choice(np.array(part.counts, np.int32), shape)
    return PartSymbols(symbols=symbols, counts=counts)


def stored(part, given, channels=None):
    """What is read of the first channels: what is beyond the counts is 0."""
    kept = part.channels if channels is None else channels
    counts = np.full(given.symbols.shape[1:], part.channels) if given.counts is None else given.counts
    has_symbol = np.arange(part.channels)[:, None, None, None] < counts
    return (given.symbols * has_symbol)[:kept], np.minimum(counts, kept)


def assert_same(found, given, parts, channels):
    for got, one, part in zip(found.parts, given.parts, parts, strict=True):
        symbols, counts = stored(part, one, channels[part.name])
        np.testing.assert_array_equal(got.symbols, symbols)
        assert (got.counts is None) == (not part.counts)
        if got.counts is not None:
            np.testing.assert_array_equal(got.counts, counts)


def chunk_of(header, generator, *, first_step=0, steps=2, most=MOST):
    parts = tuple(
        symbols_of(part, part_shape(header, part, first_step, steps), generator, most)
        for part in header.parts
    )
    times = np.arange(3, dtype=np.int64) + 10 * first_step
    return Chunk(number=0, first_step=first_step, first_frame=0, timestamps=times, parts=parts)


@settings(max_examples=150)
@given(st.data())
def test_a_header_of_any_parts_survives(make_header, data):
    header = made_header(make_header, data)
    assert Header.from_bytes(header.to_bytes(), version=3) == header


@settings(max_examples=150)
@given(st.data())
def test_any_chunk_of_any_parts_survives_whole_and_as_any_prefix(make_header, data):
    header = made_header(make_header, data)
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    first_step, steps = data.draw(st.integers(0, 1)), data.draw(st.integers(1, 3))
    most = data.draw(st.sampled_from([1, 60, MOST]))
    chunk = chunk_of(header, generator, first_step=first_step, steps=steps, most=most)
    codings = Codings(header, model_for)
    encoded = chunk_to_bytes(chunk, codings)
    assert encoded.steps == steps
    wanted = {part.name: data.draw(st.integers(1, part.channels)) for part in header.parts}
    everything = {part.name: part.channels for part in header.parts}
    for channels in (everything, wanted):
        found = bytes_to_chunk(encoded.to_bytes(), codings, channels=channels)
        assert_same(found, chunk, header.parts, channels)


def test_a_lead_step_has_one_latent_step_of_every_part(make_header, make_part):
    parts = tuple(make_part(name=str(t), stride=(t, 8, 8)) for t in (4, 2, 1))
    header = make_header(version=3, parts=parts)
    assert [header.part_steps(part, 0, 1) for part in parts] == [1, 1, 1]
    assert [header.part_steps(part, 0, 3) for part in parts] == [3, 5, 9]
    assert [header.part_steps(part, 1, 2) for part in parts] == [2, 4, 8]
    plain = replace(header, lead_frame=False)
    assert [plain.part_steps(part, 0, 3) for part in parts] == [3, 6, 12]
    for first_step, steps in ((0, 1), (0, 3), (5, 2)):
        for one, part in ((header, parts[2]), (plain, parts[1])):
            assert one.steps_of(part, first_step, one.part_steps(part, first_step, steps)) == steps
    for wrong in (0, 2, 8):
        with pytest.raises(BitstreamError, match="latent steps of part '1'"):
            header.steps_of(parts[2], 0, wrong)


WRONG = {
    "no part": {"parts": ()},
    "content": {"content": "video"},
    "content of the other kind": {"content": "tokens"},
    "version 1": {"version": 1, "prior": TOY},
    "version 4": {"version": 4},
    "a digest": {"tokenizer_sha256": "0"},
}

WRONG_PARTS = {
    "no name": {"name": ""},
    "a long name": {"name": "x" * (limits.NAME + 1)},
    "stride that does not divide": {"stride": (3, 8, 8)},
    "rows that fill no cell": {"stride": (4, 4, 8), "rows": 7},
    "fewer cells than pixels": {"rows": 2},
    "counts that fall": {"counts": (2, 1)},
    "counts twice": {"counts": (1, 1)},
    "counts below 0": {"counts": (-1, 1)},
    "counts above the channels": {"counts": (0, 3)},
    "a centroid too few": {"centroids": ((0, 0),)},
    "a centroid of half a step": {"centroids": ((0, 0), (128, 0))},
    "a centroid below 0": {"centroids": ((0, 0), (0, -1))},
    "steps and bases": {"bases": ((2, 2),)},
    "neither": {"steps": ()},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_a_header_outside_the_rules_cannot_be_made(make_header, changes):
    make_header(version=3)
    with pytest.raises(BitstreamError):
        make_header(**({"version": 3} | changes))


@pytest.mark.parametrize("changes", WRONG_PARTS.values(), ids=WRONG_PARTS)
def test_a_part_outside_the_rules_cannot_be_in_a_header(make_header, make_part, changes):
    with pytest.raises(BitstreamError):
        make_header(version=3, parts=(make_part(**changes),))


def test_parts_that_do_not_belong_together_are_refused(make_header, make_part):
    one, other = make_part(name="a"), make_part(name="b")
    for parts in (
        (one, one),
        (one, make_part(name="b", rows=4)),
        (one, make_part(name="b", steps=(), bases=((2, 2),))),
        (make_part(name="a", channels=4096, steps=(1,) * 4096), other),
        tuple(make_part(name=str(number)) for number in range(limits.PARTS + 1)),
    ):
        with pytest.raises(BitstreamError):
            make_header(version=3, parts=parts)
    with pytest.raises(BitstreamError, match="Write version 3"):
        make_header(version=1, parts=(one,))


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize("wrong", [None, 1, "x", [], {}, [1], [[]], [{}], [None], True, {"name": 1}])
def test_facts_of_the_wrong_kind_are_refused(make_header, make_part, wrong):
    facts = json.loads(make_header(version=3, prior=TOY, parts=(make_part(counts=(0, 2)),)).to_bytes())
    part = facts["parts"][0]
    tried = [facts | {key: wrong} for key in ("content", "parts", "prior")]
    tried += [facts | {"parts": [part | {key: wrong}]} for key in part]
    tried += [facts | {"prior": facts["prior"] | {key: wrong}} for key in facts["prior"]]
    for each in tried:
        try:
            header = Header.from_bytes(canonical(each), version=3)
        except BitstreamError:
            continue
        assert canonical(json.loads(header.to_bytes())) == canonical(each)  # what is right after all


def test_a_header_of_several_parts_has_no_only_part(make_header, make_part):
    header = make_header(version=3, parts=(make_part(name="a"), make_part(name="b")))
    with pytest.raises(BitstreamError, match=r"2 parts \(a, b\)"):
        _ = header.channels


@pytest.fixture
def make_file_header(make_header, make_part):
    """A header of one part of 5 channels, with a map of counts and the toy model as its prior; or changed."""

    def make(*, prior=TOY, **changes):
        facts = {"channels": 5, "steps": (1,) * 5, "counts": (0, 2, 5)}
        return make_header(version=3, prior=prior, parts=(make_part(**(facts | changes)),))

    return make


def like_the_toy(header, *, steps=3):
    """Symbols that the toy model knows better than tables of few symbols do."""
    (part,) = header.parts
    generator = np.random.default_rng(0)
    shape = part_shape(header, part, 0, steps)
    still = generator.integers(-3000, 3000, (part.channels, 1, *shape[1:]))
    symbols = np.repeat(still, shape[0], axis=1).astype(np.int32)
    counts = np.full(shape, part.channels, np.int32)
    counts[:, 0, 0] = 2
    counts[:, 1, 1] = 0
    times = np.arange(2, dtype=np.int64)
    given = PartSymbols(symbols=symbols, counts=counts if part.counts else None)
    return Chunk(number=0, first_step=0, first_frame=0, timestamps=times, parts=(given,))


def test_of_tables_and_prior_the_shorter_is_written(make_file_header):
    header = make_file_header()
    still = like_the_toy(header)
    (calm,) = still.parts
    leaps = calm.symbols.clip(3000, 3000) * np.array([1, -1, 1], np.int32)[:, None, None]
    for one, coding in ((calm, MODEL), (replace(calm, symbols=leaps), TABLES)):
        chunk = replace(still, parts=(one,))
        lengths = {
            number: len(chunk_to_bytes(chunk, Codings(header, model)).to_bytes())
            for number, model in ((TABLES, None), (MODEL, model_for))
        }
        codings = Codings(header, model_for)
        data = chunk_to_bytes(chunk, codings).to_bytes()
        assert len(data) == lengths[MODEL]
        assert (lengths[MODEL] < lengths[TABLES]) == (coding == MODEL)
        head = ChunkHead.read(Window(io.BytesIO(data), 0, len(data)), header)
        assert head.parts[0].coding == coding
        assert_same(bytes_to_chunk(data, codings), chunk, header.parts, {"latent": 5})


def test_positions_without_any_symbol_take_no_bytes(make_file_header):
    header = make_file_header(counts=(0, 5))
    chunk = like_the_toy(header)
    nothing = PartSymbols(symbols=chunk.symbols, counts=np.zeros(chunk.symbols.shape[1:], np.int32))
    for models in (None, model_for):
        encoded = chunk_to_bytes(replace(chunk, parts=(nothing,)), Codings(header, models))
        assert [len(segment) for segment in encoded.segments[1:]] == [0] * (len(encoded.segments) - 1)


def test_one_permitted_count_needs_no_map(make_file_header):
    header = make_file_header(counts=(3,))
    chunk = like_the_toy(header)
    symbols, counts = chunk.symbols, np.full(chunk.symbols.shape[1:], 3, np.int32)
    for known in (None, counts):
        parts = (PartSymbols(symbols=symbols, counts=known),)
        encoded = chunk_to_bytes(replace(chunk, parts=parts), Codings(header))
        assert len(encoded.segments) == 5
        found = bytes_to_chunk(encoded.to_bytes(), Codings(header)).parts[0]
        np.testing.assert_array_equal(found.counts, counts)
        np.testing.assert_array_equal(found.symbols[:3], symbols[:3])
        assert not found.symbols[3:].any()


def test_counts_that_the_header_does_not_permit_are_refused(make_file_header):
    header = make_file_header()
    chunk = like_the_toy(header)
    good = chunk.parts[0]
    for counts, message in (
        (None, "counts of part 'latent' are none"),
        (good.counts[:1], "of shape"),
        (good.counts + np.int32(1), r"has \d channels; the header permits \[0, 2, 5\]"),
    ):
        with pytest.raises(BitstreamError, match=message):
            chunk_to_bytes(replace(chunk, parts=(replace(good, counts=counts),)), Codings(header))
    plain = make_file_header(counts=())
    with pytest.raises(BitstreamError, match=r"permits \[5\]"):
        chunk_to_bytes(chunk, Codings(plain))


def write(path, header, chunk, **models):
    with TubeWriter(path, header, models=models) as writer:
        writer.write_chunk(chunk)
    return writer


@pytest.fixture
def tube(tmp_path, make_file_header):
    """A file that is coded with the toy model, and its chunk."""
    header = make_file_header()
    chunk = like_the_toy(header)
    writer = write(tmp_path / "prior.tube", header, chunk, latent=NumpyModel(5))
    assert writer.steps == 3
    return tmp_path / "prior.tube", chunk


def test_a_file_that_is_coded_with_a_prior_comes_back(tube):
    path, chunk = tube
    assert path.read_bytes()[8:10] == b"\x03\x00"
    with TubeReader(path, model_for) as reader:
        assert reader.steps == 3
        assert_same(reader.read_chunk(0), chunk, reader.header.parts, {"latent": 5})
        assert_same(reader.read_chunk(0, channels=2), chunk, reader.header.parts, {"latent": 2})


def test_a_prior_that_is_not_given_or_another_one_is_named(tube):
    path, _ = tube
    with TubeReader(path) as reader:
        assert reader.timestamps().tolist() == [0, 1]
        with pytest.raises(
            BitstreamError, match=rf"prior\.tube: .* prior 'toy' \(sha256 {SHA256}\), which was not"
        ):
            reader.read_chunk(0)
    for changes in ({"name": "other"}, {"sha256": "0" * 64}):
        other = NumpyModel(5, **changes)
        with (
            TubeReader(path, lambda _header, _part, other=other: other) as reader,
            pytest.raises(BitstreamError, match=rf"prior 'toy' .*; given is .*{other.sha256}.* Give the one"),
        ):
            reader.read_chunk(0)


def test_a_model_is_asked_for_when_it_is_needed_and_once(tube):
    path, _ = tube
    asked = []

    def ask(header, part):
        asked.append(part.name)
        return model_for(header, part)

    with TubeReader(path, ask) as reader:
        assert asked == []
        for _ in range(2):
            reader.read_chunk(0)
        assert asked == ["latent"]


def test_a_writer_is_given_the_models_of_its_header(tmp_path, make_file_header):
    path = tmp_path / "wrong.tube"
    for header, models, message in (
        (make_file_header(), {}, "names the prior 'toy' and 0 models"),
        (make_file_header(prior=None), {"latent": NumpyModel(5)}, "names the prior none and 1 models"),
        (make_file_header(), {"other": NumpyModel(5)}, r"models for \['other'\]"),
    ):
        with pytest.raises(OptionError, match=message):
            TubeWriter(path, header, models=models)
    for model, message in (
        (NumpyModel(4), "groups of channels"),
        (NumpyModel(5, name="other"), "given is 'other'"),
    ):
        with pytest.raises(BitstreamError, match=message):
            TubeWriter(path, make_file_header(), models={"latent": model})


def test_reading_a_prefix_touches_none_of_the_later_bytes(tube, tmp_path):
    path, chunk = tube
    data = bytearray(path.read_bytes())
    with TubeReader(path) as reader:
        entry = reader.chunks[0]
    data[entry.offset + 13 + entry.length - 1] ^= 0xFF
    path.write_bytes(data)
    with TubeReader(path, model_for) as reader:
        assert_same(reader.read_chunk(0, channels=1), chunk, reader.header.parts, {"latent": 1})
        with pytest.raises(BitstreamError, match=r"channels 1 to 4 of chunk 0 does not match"):
            reader.read_chunk(0, channels=2)


def test_of_several_parts_each_is_read_as_far_as_is_asked(make_header, make_part):
    header = make_header(version=3, parts=(make_part(name="a"), make_part(name="b", stride=(2, 8, 8))))
    chunk = chunk_of(header, np.random.default_rng(0))
    codings = Codings(header)
    data = chunk_to_bytes(chunk, codings).to_bytes()
    assert_same(bytes_to_chunk(data, codings, channels={"a": 1}), chunk, header.parts, {"a": 1, "b": 2})
    for channels, message in ((1, "Name one"), ({"c": 1}, "part 'c'"), ({"a": 3}, "3 channels of part 'a'")):
        with pytest.raises(OptionError, match=message):
            bytes_to_chunk(data, codings, channels=channels)
    with pytest.raises(OptionError, match="2 parts"):
        _ = chunk.symbols


def test_parts_of_another_shape_are_refused(make_header, make_part):
    header = make_header(version=3, parts=(make_part(name="a"), make_part(name="b", stride=(2, 8, 8))))
    chunk = chunk_of(header, np.random.default_rng(0))
    one, other = chunk.parts
    for parts in (
        (one,),
        (other, one),
        (one, one),
        (PartSymbols(symbols=one.symbols[0, 0, 0]), other),
    ):
        with pytest.raises(BitstreamError):
            chunk_to_bytes(replace(chunk, parts=parts), Codings(header))
