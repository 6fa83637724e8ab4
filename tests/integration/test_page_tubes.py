"""The page's own reader and writer of .tube files, beside tubelet's: golden files, damaged ones, its own."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tubelet.bitstream.chunk import Chunk
from tubelet.bitstream.reader import TubeReader
from tubelet.bitstream.segment import encode_symbols

GOLDEN = Path(__file__).parents[1] / "golden"

READ = """async ({ content, edits, cuts }) => {
    const { readTube, TubeError } = await import("./tube.js");
    const bytes = Uint8Array.from(atob(content), (mark) => mark.charCodeAt(0));
    const digest = async (chunks) => {
        const symbols = chunks.flatMap((chunk) => chunk.parts.map((part) => part.symbols));
        const all = await new Blob(symbols).arrayBuffer();
        const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
        return Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
    };
    const read = async (data) => {
        try {
            const tube = readTube(data);
            const { header, end, incomplete } = tube;
            const times = tube.chunks.map((chunk) => chunk.timestamps.map(String));
            const each = await Promise.all(tube.chunks.map((chunk) => digest([chunk])));
            return { header, times, end: String(end), incomplete, digest: await digest(tube.chunks), each };
        } catch (error) {
            if (error instanceof TubeError) return { said: error.message };
            return { fault: String(error.stack) };
        }
    };
    const found = [];
    for (const [at, value] of edits) {
        const changed = bytes.slice();
        changed[at] ^= value;
        found.push(await read(changed));
    }
    for (const length of cuts) found.push(await read(bytes.slice(0, length)));
    return edits.length || cuts.length ? found : [await read(bytes)];
}"""

ENCODE = """async ([values, base]) => {
    const { encodeSegment } = await import("./tube.js");
    return Array.from(encodeSegment(Int32Array.from(values), base ?? undefined));
}"""

WRITE = """async ({ facts, chunks }) => {
    const { writeTube } = await import("./tube.js");
    const given = chunks.map(({ symbols, ...own }) => (
        { ...own, symbols: symbols.map((part) => Int32Array.from(part)) }));
    let text = "";
    for (const byte of writeTube(facts, given)) text += String.fromCharCode(byte);
    return btoa(text);
}"""


@pytest.fixture
def read(scripts) -> Callable[..., list[dict[str, Any]]]:
    def make(content: bytes, *, edits: Any = (), cuts: Any = ()) -> list[dict[str, Any]]:
        given = {"content": base64.b64encode(content).decode(), "edits": list(edits), "cuts": list(cuts)}
        return scripts.evaluate(READ, given)

    return make


def chunks_of(reader: TubeReader) -> list[Chunk]:
    return [reader.read_chunk(number) for number in range(len(reader.chunks))]


def by_tubelet(values: list[int], base: int | None = None) -> bytes:
    segment = encode_symbols(np.array(values, np.int32), base)
    return segment.table + segment.payload


@pytest.mark.parametrize("name", ["version1", "version2", "version3"])
def test_golden_files_hold_the_same_symbols(read, name):
    (found,) = read((GOLDEN / f"{name}.tube").read_bytes())
    assert found.get("incomplete", found) is None
    assert found["digest"] == json.loads((GOLDEN / f"{name}.json").read_text())["symbols"]
    with TubeReader(GOLDEN / f"{name}.tube") as reader:
        assert found["header"]["tokenizer"] == reader.header.tokenizer
        assert found["header"]["version"] == reader.header.version
        assert found["times"] == [[str(time) for time in one.timestamps] for one in chunks_of(reader)]
        assert found["end"] in (str(reader.end), "null")


@pytest.mark.parametrize("name", ["version3-prior", "version3-tokens"])
def test_a_file_that_needs_a_prior_that_is_not_there_says_which(read, name):
    (found,) = read((GOLDEN / f"{name}.tube").read_bytes())
    assert "needs the prior" in found["said"]
    assert "--no-prior" in found["said"]


@pytest.mark.parametrize("name", ["version1", "version2", "version3"])
def test_no_changed_byte_is_taken_for_the_file(read, name):
    """Each change is noticed: nothing is read, or less than all, and that is said."""
    content = (GOLDEN / f"{name}.tube").read_bytes()
    whole = read(content)[0]["each"]
    random = np.random.default_rng(0)
    edits = [
        (int(at), int(1 << random.integers(8))) for at in random.choice(len(content), 250, replace=False)
    ]
    for (at, _), found in zip(edits, read(content, edits=edits), strict=True):
        assert "fault" not in found, (at, found)
        assert found.get("said") or found["incomplete"], (at, found)
        kept = found.get("each", [])
        assert kept == whole[: len(kept)], (at, found)


@pytest.mark.parametrize("name", ["version1", "version3"])
def test_a_file_that_is_cut_short_keeps_its_whole_chunks(read, name):
    content = (GOLDEN / f"{name}.tube").read_bytes()
    cuts = [0, 1, 7, 13, 40, *range(100, len(content), 97), len(content) - 1]
    results = read(content, cuts=cuts)
    assert not any("fault" in found for found in results)
    assert all(found.get("said") or found["incomplete"] for found in results)
    kept = [len(found["times"]) for found in results if "times" in found]
    assert kept == sorted(kept)
    assert set(kept) == {1, 2, 3}


def test_what_is_none_or_newer_is_said(read):
    content = (GOLDEN / "version1.tube").read_bytes()
    assert read(b"RIFF....WEBPVP8 and so on")[0]["said"] == "this is not a .tube file"
    newer = content[:8] + (4).to_bytes(2, "little") + content[10:]
    assert "version 4" in read(newer)[0]["said"]


@pytest.mark.parametrize(
    "values",
    [
        [5],
        [7] * 40,
        [0, 1] * 50,
        [-(2**23) + 1, 2**23 - 1, 0],
        [*range(-300, 300)] * 3,
        [0] * 5000 + [9],
        np.random.default_rng(1).geometric(0.2, 4000).tolist(),
        np.random.default_rng(2).integers(-9, 9, 3000).tolist(),
    ],
)
def test_its_segments_are_those_of_tubelet(scripts, values):
    assert bytes(scripts.evaluate(ENCODE, [values, None])) == by_tubelet(values)


@pytest.mark.parametrize("base", [2, 8, 1000, 2**18])
def test_digits_have_a_table_only_where_that_is_shorter(scripts, base):
    random = np.random.default_rng(base)
    found = []
    for values in (random.integers(0, base, 700), random.integers(0, 2, 700), np.zeros(9, int)):
        expected = by_tubelet(values.tolist(), base)
        assert bytes(scripts.evaluate(ENCODE, [values.tolist(), base])) == expected
        found.append(expected[0] == 0)
    assert found == [True, base == 2, False]


def test_carries_run_as_far_as_they_must(scripts):
    """The very symbols of the specification's own test: the low end lies just below a power of two."""
    for seed in range(12):
        random = np.random.default_rng(seed)
        values = np.where(random.random(3000) < 0.002, random.integers(1, 4, 3000), 0).tolist()
        assert bytes(scripts.evaluate(ENCODE, [values, None])) == by_tubelet(values)


def part_of(name: str, stride: list[int], rows: int, columns: int, **numbers: Any) -> dict[str, Any]:
    usual = {"name": name, "stride": stride, "rows": rows, "columns": columns, "channels": 2}
    return usual | {"steps": [], "bases": []} | numbers


def written(scripts, target: Path, parts: list[dict[str, Any]], symbols: list[list[np.ndarray]]) -> bytes:
    """What the page writes of chunks of 3 and 2 steps, whose symbols are ``c t h w``, part by part."""
    facts = {
        "tokenizer": "any",
        "tokenizerSha256": "ab" * 32,
        "stride": [4, 8, 8],
        "leadFrame": True,
        "height": 23,
        "width": 30,
        "parts": parts,
        "timeBase": [1, 1000],
        "name": 'Füße "1"',
    }
    chunks = [
        {"steps": steps, "symbols": [part.ravel().tolist() for part in chunk], "timestamps": times}
        for steps, chunk, times in zip(LENGTHS, symbols, TIMES, strict=True)
    ]
    content = base64.b64decode(scripts.evaluate(WRITE, {"facts": facts, "chunks": chunks}))
    target.write_bytes(content)
    return content


def check_written(target: Path, symbols: list[list[np.ndarray]]) -> Any:
    """What tubelet reads of it; gives the header."""
    with TubeReader(target) as reader:
        assert reader.complete
        assert (reader.header.tokenizer, reader.header.width, reader.header.stride) == ("any", 30, (4, 8, 8))
        assert reader.header.source["name"] == 'Füße "1"'
        for found, expected, times in zip(chunks_of(reader), symbols, TIMES, strict=True):
            for part, own in zip(found.parts, expected, strict=True):
                np.testing.assert_array_equal(part.symbols, own)
            assert found.timestamps.tolist() == times
        return reader.header


LENGTHS = 3, 2
TIMES = [0, 40, 80, 120, 160, 200, 240, 280, 333], [400, 440, 480]


@pytest.mark.parametrize("bases", [[], [[9, 9]], [[9], [9]]])
def test_tubelet_reads_what_the_page_writes(scripts, read, tmp_path, bases):
    random = np.random.default_rng(3)
    symbols = [
        [random.integers(0, 9, (2, steps, 3, 4), np.int32) - np.int32(0 if bases else 4)] for steps in LENGTHS
    ]
    part = part_of("latent", [4, 8, 8], 3, 4, steps=[] if bases else [1000, 2000], bases=bases)
    content = written(scripts, tmp_path / "page.tube", [part], symbols)
    header = check_written(tmp_path / "page.tube", symbols)
    assert (header.version, header.parts[0].bases) == (2 if bases else 1, tuple(map(tuple, bases)))
    (again,) = read(content)
    assert again["incomplete"] is None
    in_order = b"".join(part.astype("<i4").tobytes() for (part,) in symbols)
    assert again["digest"] == hashlib.sha256(in_order).hexdigest()


def test_tubelet_reads_parts_that_the_page_writes(scripts, read, tmp_path):
    """On grids of their own, in time too: the first step, of one frame, has one latent step of every part."""
    random = np.random.default_rng(4)
    parts = [
        part_of("what", [4, 8, 8], 3, 4, steps=[1000, 2000]),
        part_of("where", [2, 4, 8], 6, 4, steps=[500], channels=1),
    ]
    symbols = [
        [
            random.integers(-4, 5, (2, steps, 3, 4), np.int32),
            random.integers(-9, 9, (1, more, 6, 4), np.int32),
        ]
        for steps, more in zip(LENGTHS, (5, 4), strict=True)
    ]
    content = written(scripts, tmp_path / "page.tube", parts, symbols)
    header = check_written(tmp_path / "page.tube", symbols)
    assert (header.version, [part.name for part in header.parts]) == (3, ["what", "where"])
    assert (header.parts[1].stride, header.parts[1].steps) == ((2, 4, 8), (500,))
    (again,) = read(content)
    in_order = b"".join(part.astype("<i4").tobytes() for chunk in symbols for part in chunk)
    assert again["digest"] == hashlib.sha256(in_order).hexdigest()
