import sys
from contextlib import ExitStack
from dataclasses import replace
from math import prod

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from grids import BARE, BASES, FACTS, in_a_folder, make_grid, origins, same, sizes
from hypothesis import given
from hypothesis import strategies as st

from tubelet.codec.tokens import table as token_table
from tubelet.codec.tokens import table_groups
from tubelet.codec.tokens.clip import ClipFacts
from tubelet.codec.tokens.table import TokenTable, TokenTableWriter
from tubelet.errors import BitstreamError, OptionError, OutputError, ShapeError, TokenError

PUBLISHED = BASES[0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clips.parquet"


def write(path, clips, **options):
    with TokenTableWriter(path, bases=clips[0][0].bases, **options) as writer:
        for grid, facts in clips:
            writer.append(grid, facts)
    return writer


def read(path):
    with TokenTable(path) as table:
        clips = list(table)
        assert len(table) == len(clips)
    return clips


def equal(clips, others):
    return len(clips) == len(others) and all(
        same(grid, other) and facts == origin
        for (grid, facts), (other, origin) in zip(clips, others, strict=True)
    )


@pytest.fixture
def written(path):
    write(path, [(make_grid(), FACTS), (make_grid(size=(1, 9, 9), seed=1), BARE)])
    return path


@in_a_folder
@given(st.sampled_from(BASES), st.lists(st.tuples(sizes(), origins), min_size=1, max_size=4))
def test_all_clips_come_back_whole(path, bases, drawn):
    clips = [(make_grid(**(size | {"bases": bases})), ClipFacts(**origin)) for size, origin in drawn]
    writer = write(path, clips, force=True)
    assert equal(read(path), clips)
    assert writer.clips == len(clips)
    assert writer.tokens == sum(grid.tokens.numel() for grid, _ in clips)


def test_a_table_without_clips_is_a_table(path):
    with TokenTableWriter(path, bases=PUBLISHED):
        pass
    assert read(path) == []


def test_row_groups_change_nothing_and_hold_what_they_may(path, monkeypatch):
    monkeypatch.setattr(token_table, "GROUP_TOKENS", 40)
    monkeypatch.setattr(table_groups, "CLIPS_AT_ONCE", 3)
    clips = [(make_grid(seed=seed, size=(1 + seed, 16, 24)), FACTS) for seed in range(17)]
    write(path, clips)
    groups = pq.ParquetFile(path).metadata
    assert groups.num_row_groups > 4
    assert equal(read(path), clips)
    monkeypatch.setattr(token_table, "GROUP_CLIPS", 2)
    write(path, clips, force=True)
    assert pq.ParquetFile(path).metadata.num_row_groups >= 8
    assert equal(read(path), clips)


def test_memory_does_not_grow_with_the_number_of_clips(path, monkeypatch):
    monkeypatch.setattr(token_table, "GROUP_CLIPS", 16)
    grid = make_grid(size=(17, 64, 64))

    def peak(clips: int) -> int:
        before = pa.total_allocated_bytes()
        with TokenTableWriter(path, bases=grid.bases, force=True) as writer:
            for _ in range(clips):
                writer.append(grid, FACTS)
                assert len(writer._rows) < 16
        with TokenTable(path) as table:
            return max(pa.total_allocated_bytes() - before for _ in table)

    few, many = peak(32), peak(256)
    assert many <= few * 1.2


@pytest.mark.parametrize(
    ("bases", "kind"),
    [
        (((256,),), pa.uint8()),
        (((2, 2), (257,)), pa.uint16()),
        (PUBLISHED, pa.uint16()),
        (((2,) * 18,), pa.uint32()),
        (((2,) * 33,), pa.uint64()),
    ],
)
def test_tokens_are_of_the_smallest_type_and_plain_numbers(path, bases, kind):
    grid = make_grid(bases=bases)
    write(path, [(grid, FACTS)])
    table = pq.read_table(path)
    assert table.schema.field("tokens").type == pa.list_(kind)
    row = table.to_pylist()[0]
    assert row["tokens"] == grid.flatten()[0].tolist()
    assert len(row["tokens"]) == prod(row[name] for name in ("k", "t", "h", "w"))


def test_what_a_row_says(written):
    rows = pq.read_table(written).to_pylist()
    assert {name: value for name, value in rows[0].items() if name != "tokens"} == {
        "k": 1,
        "t": 2,
        "h": 2,
        "w": 3,
        "frames": 5,
        "height": 16,
        "width": 24,
        "codebook_sizes": [64_000],
        "bases": [[8, 8, 8, 5, 5, 5]],
        "stride": [4, 8, 8],
        "lead_frame": True,
        "fps": 30000 / 1001,
        "fps_numerator": 30000,
        "fps_denominator": 1001,
        "caption": "a cat, seen from above",
        "source": "a clip.mp4",
        "source_sha256": "0" * 64,
        "tokenizer": "tubelet-fsq",
        "tokenizer_sha256": "f" * 64,
    }
    assert [rows[1][name] for name in ("fps", "fps_denominator", "caption", "source_sha256")] == [None] * 4


def test_random_tokens_take_no_more_than_their_bits(path):
    """Even tokens of 64,000 values: log2 of that, rounded up to whole bytes."""
    clips = [(make_grid(size=(33, 256, 256), seed=seed), FACTS) for seed in range(3)]
    write(path, clips)
    tokens = sum(grid.tokens.numel() for grid, _ in clips)
    assert path.stat().st_size * 8 < 16.5 * tokens + 8 * 20_000


def test_a_table_that_others_wrote_anew_is_read(written):
    """Other libraries know large lists and wider integers, and add columns."""
    table = pq.read_table(written)
    wide = table.column("tokens").cast(pa.large_list(pa.int64()))
    table = table.set_column(0, "tokens", wide).append_column("split", pa.array(["train", "test"]))
    expected = read(written)
    pq.write_table(table.replace_schema_metadata(), written)
    assert equal(read(written), expected)


def test_it_may_be_read_again_and_in_part(written):
    with TokenTable(written) as table:
        first = next(iter(table))
        assert equal([first], list(table)[:1])


@pytest.mark.parametrize("step", [31, pytest.param(3, marks=pytest.mark.slow)])
def test_any_damaged_byte_is_named_or_changes_nothing(written, step):
    expected = read(written)
    content = written.read_bytes()
    for place in range(0, len(content), step):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        written.write_bytes(damaged)
        try:
            clips = read(written)
        except BitstreamError as error:
            assert str(written) in str(error)
        else:
            assert equal(clips, expected), place


def test_a_file_that_ends_early_is_named(written):
    content = written.read_bytes()
    for length in range(0, len(content), 501):
        written.write_bytes(content[:length])
        with pytest.raises(BitstreamError, match=r"clips\.parquet cannot be read as a table of tokens"):
            read(written)


def test_another_file_is_named(path):
    path.write_bytes(b"no table at all")
    with pytest.raises(BitstreamError, match="damaged or another file"):
        TokenTable(path)
    with pytest.raises(BitstreamError, match="No such file"):
        TokenTable(path.with_name("absent.parquet"))


def test_a_table_of_other_things_is_named(path):
    pq.write_table(pa.table({"text": ["hello"]}), path)
    with pytest.raises(
        BitstreamError, match=r"clips\.parquet: it has no column tokens, k, .*not a table of tokens"
    ):
        TokenTable(path)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("tokens", pa.array([[0.5], [1.5]])),
        ("tokens", pa.array([1, 2])),
        ("bases", pa.array([8, 8])),
        ("bases", pa.array([[8], [8]])),
        ("k", pa.array(["1", "1"])),
        ("source", pa.array([1, 2])),
        ("lead_frame", pa.array([1, 0])),
        ("fps", pa.array([1, 2])),
    ],
)
def test_columns_of_another_type_are_named(written, column, values):
    table = pq.read_table(written)
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, values), written)
    with pytest.raises(BitstreamError, match=f"its column {column} is of type"):
        TokenTable(written)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 6}, "give the size of the encoded clip"),
        ({"frames": 0}, "it is not a clip"),
        ({"t": 3}, r"sequences are of shape \(1, 12\)"),
        ({"t": -2, "h": -2}, "it is not a clip"),
        ({"k": 2}, "1 codebooks: it is not a clip"),
        ({"tokens": [64_000] * 12}, "a token is 64000"),
        ({"tokens": [0] * 11}, "sequences are of shape"),
        ({"tokens": [None] * 12}, "a token is null"),
        ({"tokens": None}, "a token is null"),
        ({"source": None}, "source of a clip is null"),
        ({"stride": [4, 8]}, "stride is"),
        ({"stride": [4, 8, None]}, "stride is"),
        ({"stride": [0, 8, 8]}, "stride is"),
        ({"bases": [[8, 8]]}, "whose products are others"),
        ({"bases": [[64_000, None]]}, "null or empty"),
        ({"bases": [[]]}, "null or empty"),
        ({"bases": [None]}, "null or empty"),
        ({"bases": [], "k": 0, "codebook_sizes": []}, "bases are"),
        ({"bases": [[-8, -8000]]}, "bases are"),
        ({"bases": [[1 << 40, 1 << 40]], "codebook_sizes": [0]}, "whose products are others"),
        ({"codebook_sizes": [5]}, "whose products are others"),
        ({"fps": 25.0}, "they must agree"),
        ({"fps_denominator": 0}, "they must agree"),
        ({"fps_numerator": None}, "they must agree"),
        ({"tokenizer_sha256": "F"}, "tokenizer_sha256 is 'F'"),
    ],
)
def test_a_row_that_contradicts_itself_is_named_and_those_before_it_are_read(written, change, message):
    table = pq.read_table(written)
    rows = table.to_pylist()
    schema = pa.schema([field.with_nullable(True) for field in table.schema])
    pq.write_table(pa.Table.from_pylist([rows[1], rows[0] | change], schema=schema), written)
    with TokenTable(written) as clips, pytest.raises(BitstreamError, match=message):
        list(clips)


def test_a_row_group_that_claims_too_much_is_not_read(written, monkeypatch):
    monkeypatch.setattr(table_groups, "GROUP_BYTES", 50)
    with pytest.raises(BitstreamError, match=r"row group 0 claims \d+ bytes; at most 50 are read"):
        TokenTable(written)


def test_what_the_table_cannot_hold_is_refused_and_the_table_is_not_written(path):
    wrong = make_grid()
    wrong.digits[0, 0] = 8
    for grid, error, message in (
        (make_grid(clips=2), ShapeError, "holds 2 clips"),
        (make_grid(bases=((4,),)), OptionError, "one table is of one codebook"),
        (wrong, TokenError, "digit 0 is 8"),
    ):
        with ExitStack() as stack:
            writer = stack.enter_context(TokenTableWriter(path, bases=PUBLISHED))
            stack.enter_context(pytest.raises(error, match=message))
            writer.append(grid, FACTS)
            assert not path.exists()
        path.unlink()


def test_an_error_leaves_no_table(path):
    with pytest.raises(KeyboardInterrupt), TokenTableWriter(path, bases=PUBLISHED) as writer:
        writer.append(make_grid(), FACTS)
        raise KeyboardInterrupt
    assert list(path.parent.iterdir()) == []


def test_nothing_is_overwritten_unasked(written):
    with pytest.raises(OutputError, match="exists"):
        TokenTableWriter(written, bases=PUBLISHED).__enter__()
    assert len(read(written)) == 2


def test_codebooks_beyond_64_bits_are_refused_with_what_would_do(path):
    with pytest.raises(OptionError, match=r"token of 64 digits has more than 2\^63 values.*npz or \.tube"):
        TokenTableWriter(path, bases=((2,) * 64,))


def test_without_pyarrow_it_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for open_ in (lambda: TokenTableWriter(path, bases=PUBLISHED), lambda: TokenTable(path)):
        with pytest.raises(OptionError, match=r"pip install 'tubelet\[tokens\]'"):
            open_()


def test_arrays_of_tokens_are_what_numpy_calls_them(written):
    tokens = pq.read_table(written).column("tokens")[0].values.to_numpy()
    assert tokens.dtype == np.uint16
    assert (tokens == make_grid().flatten()[0].numpy()).all()
    assert replace(make_grid(), frames=5).cells == (2, 2, 3)
