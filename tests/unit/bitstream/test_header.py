import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tubelet.bitstream import Header
from tubelet.errors import BitstreamError

plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
facts = st.dictionaries(plain, st.booleans() | st.integers(-(2**63), 2**63 - 1) | plain, max_size=5)


@given(name=plain, colour=facts, source=facts, lead_frame=st.booleans())
def test_a_header_survives(make_header, name, colour, source, lead_frame):
    header = make_header(tokenizer=name, colour=colour, source=source, lead_frame=lead_frame)
    assert Header.from_bytes(header.to_bytes()) == header


def test_an_audio_header_survives(make_header, audio_header):
    header = make_header(audio=audio_header)
    assert Header.from_bytes(header.to_bytes()) == header


def test_the_same_facts_are_the_same_bytes(make_header):
    one, other = make_header(colour={"a": 1, "b": 2}), make_header(colour={"b": 2, "a": 1})
    assert one.to_bytes() == other.to_bytes()


WRONG = {
    "digest": {"tokenizer_sha256": "0" * 63},
    "upper-case digest": {"tokenizer_sha256": "A" * 64},
    "height": {"height": 0},
    "latent too small": {"rows": 2},
    "latent too narrow": {"width": 41},
    "side": {"columns": 2**16 + 1},
    "stride": {"stride": (4, 0, 8)},
    "channels": {"channels": 0, "steps": ()},
    "too many channels": {"channels": 4097, "steps": (1,) * 4097},
    "steps for channels": {"steps": (1,)},
    "step of nothing": {"steps": (0, 1)},
    "step too large": {"steps": (1, 2**32)},
    "time base": {"time_base": (0, 1)},
    "aspect": {"sample_aspect": (1, 2**31)},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_a_header_outside_the_rules_cannot_be_made(make_header, changes):
    with pytest.raises(BitstreamError):
        make_header(**changes)


@pytest.mark.parametrize("value", [2**63, "\ud800"])
def test_facts_that_the_header_cannot_hold_are_refused_when_written(make_header, value):
    with pytest.raises(BitstreamError):
        make_header(source={"fact": value}).to_bytes()


def test_a_header_too_long_is_refused_when_written(make_header):
    with pytest.raises(BitstreamError, match="Leave out"):
        make_header(source={"fact": "x" * (1 << 24)}).to_bytes()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


TYPES = [
    ("tokenizer", 1),
    ("stride", [4, 8]),
    ("stride", [4, 8, True]),
    ("lead_frame", 1),
    ("channels", True),
    ("channels", "2"),
    ("steps", {}),
    ("time_base", [1]),
    ("time_base", [1, 2, 3]),
    ("colour", []),
    ("colour", {"a": None}),
    ("colour", {"a": [1]}),
    ("audio", 1),
    ("audio", {}),
    ("height", 2**63),
    ("source", {"a": {"b": {"c": {"d": 1}}}}),
]


@pytest.mark.parametrize(("key", "value"), TYPES)
def test_a_fact_of_the_wrong_kind_is_refused(make_header, key, value):
    facts = json.loads(make_header().to_bytes()) | {key: value}
    with pytest.raises(BitstreamError):
        Header.from_bytes(canonical(facts))


@pytest.mark.parametrize("key", ["codec", "extradata", "parameters", "sample_rate"])
def test_an_audio_fact_of_the_wrong_kind_is_refused(make_header, audio_header, key):
    facts = json.loads(make_header(audio=audio_header).to_bytes())
    facts["audio"][key] = {"parameters": {"a": True}, "extradata": "0G"}.get(key)
    with pytest.raises(BitstreamError, match=key):
        Header.from_bytes(canonical(facts))


def test_a_missing_and_an_unknown_fact_are_named(make_header):
    facts = json.loads(make_header().to_bytes())
    with pytest.raises(BitstreamError, match="novelty"):
        Header.from_bytes(canonical(facts | {"novelty": 1}))
    del facts["stride"]
    with pytest.raises(BitstreamError, match="stride"):
        Header.from_bytes(canonical(facts))


TEXTS = {
    "empty": b"",
    "no object": b"[]",
    "not UTF-8": b'{"a":"\xff"}',
    "half a character": b'{"a":"\\ud800"}',
    "fraction": b'{"a":1.5}',
    "no number": b'{"a":NaN}',
    "endless number": b'{"a":' + b"9" * 5000 + b"}",
    "spaces": b'{"a": 1}',
    "unsorted": b'{"b":1,"a":1}',
    "twice": b'{"a":1,"a":1}',
    "escaped": b'{"\\u0061":1}',
    "deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("data", TEXTS.values(), ids=TEXTS)
def test_a_text_that_is_not_canonical_is_refused(data):
    with pytest.raises(BitstreamError):
        Header.from_bytes(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_as_a_header(data):
    with pytest.raises(BitstreamError):
        Header.from_bytes(data)
