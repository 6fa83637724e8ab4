import json
import zipfile
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from grids import BARE, FACTS, in_a_folder, make_grid, origins, same, sizes
from hypothesis import given

from tubelet.codec.tokens.array import read_token_array, write_token_array
from tubelet.codec.tokens.clip import ClipFacts
from tubelet.errors import BitstreamError, OptionError, OutputError, ShapeError, TokenError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clip.npz"


@pytest.fixture
def written(path):
    write_token_array(path, make_grid(), FACTS)
    return path


@in_a_folder
@given(sizes(), origins)
def test_every_clip_comes_back_whole(path, size, origin):
    grid, facts = make_grid(**size), ClipFacts(**origin)
    write_token_array(path, grid, facts, force=True)
    back = read_token_array(path)
    assert same(back.grid, grid)
    assert back.facts == facts


def test_codebooks_beyond_64_bits_come_back_whole(path):
    grid = make_grid(bases=((8,) * 40,))
    write_token_array(path, grid, BARE)
    assert same(read_token_array(path).grid, grid)


def test_digits_that_lie_otherwise_in_memory_are_the_same_digits(path):
    grid = make_grid()
    turned = grid.digits.transpose(1, 4).contiguous().transpose(1, 4)
    write_token_array(path, replace(grid, digits=turned), FACTS)
    assert same(read_token_array(path).grid, grid)


def test_numpy_alone_reads_it(written):
    arrays = np.load(written, allow_pickle=False)
    facts = json.loads(bytes(arrays["facts"]))
    assert torch.equal(torch.from_numpy(arrays["digits"])[None], make_grid().digits)
    assert (facts["frames"], facts["fps"], facts["caption"]) == (5, [30000, 1001], FACTS.caption)


def test_any_damaged_byte_is_named_or_changes_nothing(written):
    content = written.read_bytes()
    grid = make_grid()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        written.write_bytes(damaged)
        try:
            back = read_token_array(written)
        except BitstreamError as error:
            assert str(written) in str(error)
        else:
            assert same(back.grid, grid)
            assert back.facts == FACTS


def test_a_file_that_ends_early_is_named(written):
    content = written.read_bytes()
    for length in range(0, len(content), 37):
        written.write_bytes(content[:length])
        with pytest.raises(BitstreamError, match="damaged or another file"):
            read_token_array(written)


def rewritten(path, **changes):
    """The file with other facts, written as if that were right."""
    arrays = np.load(path)
    facts = json.loads(bytes(arrays["facts"])) | changes
    content = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    np.savez(path, digits=arrays["digits"], facts=np.frombuffer(content, np.uint8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 6}, r"digits is of type .*'\|u1' and \(6, 3, 2, 3\)"),
        ({"frames": 0}, "sizes are"),
        ({"height": 1 << 60, "width": 1 << 60}, "digits; at most 268435456 are read"),
        ({"stride": [4, 8]}, "stride is"),
        ({"stride": [4, 0, 8]}, "stride is"),
        ({"bases": [[8, 8, 8, 5, 5, 3]]}, "digit 5 is .*its base is 3"),
        ({"bases": [[8, 8, 8, 5, 5, 500]]}, "not '<i2'"),
        ({"bases": []}, "bases are"),
        ({"bases": [[8, 8, 8, 5, 5], [], [5]]}, "bases are"),
        ({"bases": [[8, 8, 8, 5, 5, -5]]}, "bases are"),
        ({"bases": "8"}, "bases are"),
        ({"bases": [["8"]]}, "bases in the header"),
        ({"fps": [0, 1]}, "fps is"),
        ({"fps": [24]}, "fps is"),
        ({"tokenizer_sha256": "f"}, "tokenizer_sha256 is 'f'"),
        ({"caption": 3}, "caption"),
        ({"lead_frame": 1}, "lead_frame"),
        ({"format": 2}, "its format is 2; this program reads 1. Upgrade"),
        ({"more": 1}, "more, unknown"),
    ],
)
def test_facts_that_contradict_the_digits_are_named(written, changes, message):
    rewritten(written, **changes)
    with pytest.raises(BitstreamError, match=message):
        read_token_array(written)


def test_an_array_that_claims_more_than_it_is_said_to_hold_is_not_read(written):
    facts = np.load(written)["facts"]
    np.savez_compressed(written, digits=np.zeros((6, 30, 20, 30), np.uint8), facts=facts)
    with pytest.raises(BitstreamError, match=r"shape \(6, 30, 20, 30\), not '\|u1' and \(6, 2, 2, 3\)"):
        read_token_array(written)


def test_objects_are_not_read(written):
    facts = np.load(written)["facts"]
    np.savez(written, digits=np.array([{}], dtype=object), facts=facts)
    with pytest.raises(BitstreamError, match="does not begin as numpy's arrays do"):
        read_token_array(written)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip file at all"])
def test_another_file_is_named(path, content):
    path.write_bytes(content)
    with pytest.raises(BitstreamError, match="damaged or another file"):
        read_token_array(path)


def test_another_archive_is_named(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(BitstreamError, match="no item named"):
        read_token_array(path)
    with pytest.raises(BitstreamError, match="No such file"):
        read_token_array(path.with_name("absent.npz"))


def test_what_no_file_can_hold_is_refused_before_it_is_written(path):
    with pytest.raises(ShapeError, match="holds 2 clips"):
        write_token_array(path, make_grid(clips=2), FACTS)
    wrong = make_grid()
    wrong.digits[0, 0] = 8
    with pytest.raises(TokenError, match="digit 0 is 8"):
        write_token_array(path, wrong, FACTS)
    assert list(path.parent.iterdir()) == []


def test_nothing_is_overwritten_unasked(written):
    with pytest.raises(OutputError, match="exists"):
        write_token_array(written, make_grid(), BARE)
    assert read_token_array(written).facts == FACTS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer_sha256": "F" * 64}, "64 lower-case hexadecimal digits"),
        ({"source_sha256": ""}, "64 lower-case hexadecimal digits"),
        ({"fps": Fraction(0)}, "above zero"),
        ({"fps": Fraction(-24)}, "above zero"),
        ({"fps": Fraction(1 << 63)}, "at most 63 bits"),
        ({"fps": Fraction(1, 1 << 63)}, "at most 63 bits"),
        ({"caption": "half \ud800"}, "half a character"),
        ({"source": "half \udfff"}, "half a character"),
    ],
)
def test_facts_without_meaning_are_refused(change, message):
    with pytest.raises(OptionError, match=message):
        replace(FACTS, **change)
