"""Small files of tokens that claim much: refused by name before memory is asked for."""

import io
import json
import resource
import time
import zipfile

import numpy as np
import pytest
from grids import FACTS, make_grid

from tubelet.codec.tokens.array import read_token_array, write_token_array
from tubelet.codec.tokens.table import TokenTable, TokenTableWriter
from tubelet.codec.tokens.table_claims import read_claims
from tubelet.errors import BitstreamError, OptionError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def bounded():
    """Whatever a file claims, it costs little time, and memory far below its claims."""

    def run(work, error, match):
        begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(error, match=match):
            work()
        assert time.perf_counter() - begun < 8
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB

    return run


@pytest.fixture
def array(tmp_path):
    path = tmp_path / "clip.npz"
    write_token_array(path, make_grid(), FACTS)
    return path


def rewrite(path, digits, **changes):
    """The file with other digits, a stream of bytes, and other facts."""
    facts = json.loads(bytes(np.load(path)["facts"])) | changes
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    shape = (6, (facts["frames"] + 6) // 4, -(-facts["height"] // 8), -(-facts["width"] // 8))
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
    facts_of = io.BytesIO()
    np.save(facts_of, np.frombuffer(text, np.uint8))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("digits.npy", "w", force_zip64=True) as file:
            file.write(head.getvalue())
            for piece in digits(int(np.prod(shape))):
                file.write(piece)
        archive.writestr("facts.npy", facts_of.getvalue())


def zeros(count):
    for _ in range(count >> 20):
        yield bytes(1 << 20)
    yield bytes(count & (1 << 20) - 1)


def test_an_array_larger_than_memory_is_not_read(array, bounded):
    rewrite(array, lambda _: [b""], frames=4001, height=1024, width=1024)  # 98 million digits, none there
    bounded(lambda: read_token_array(array, memory=1 << 26), OptionError, r"digits would take 98402304 bytes")
    bounded(lambda: read_token_array(array), BitstreamError, "longer or shorter than it says")


def test_an_array_of_zeros_that_unpacks_to_much_is_read_as_far_as_memory_says(array, bounded):
    rewrite(array, zeros, frames=401, height=1024, width=1024)
    assert array.stat().st_size < 50_000
    bounded(lambda: read_token_array(array, memory=1 << 20), OptionError, "memory is 1048576")
    assert read_token_array(array, memory=1 << 24).grid.digits.shape == (1, 6, 101, 128, 128)


def test_facts_that_unpack_to_much_are_not_read(array, bounded):
    with zipfile.ZipFile(array, "w", zipfile.ZIP_DEFLATED) as archive:
        head = io.BytesIO()
        shape = {"descr": "|u1", "fortran_order": False, "shape": (1 << 33,)}
        np.lib.format.write_array_header_1_0(head, shape)
        archive.writestr("facts.npy", head.getvalue() + bytes(1 << 26))
    bounded(lambda: read_token_array(array), BitstreamError, "facts is of type")


def test_an_archive_of_many_entries_is_not_listed(array, bounded):
    with zipfile.ZipFile(array, "w") as archive:
        for number in range(3_000):
            archive.writestr(f"{number}.npy", b"")
    bounded(lambda: read_token_array(array), BitstreamError, "an array of tokens holds two")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "clips.parquet"
    grid = make_grid()
    with TokenTableWriter(path, bases=grid.bases) as writer:
        for _ in range(3):
            writer.append(grid, FACTS)
    return path


def changed(path, **columns):
    """The table with other columns, written by pyarrow."""
    table = pq.read_table(path)
    for name, values in columns.items():
        field = table.schema.field(name)
        column = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, field.type)
        table = table.set_column(table.schema.get_field_index(name), field, column)
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def lists(path, lengths):
    """Lists of zeros of these lengths, of the type of the table."""
    kind = pq.read_schema(path).field("tokens").type
    values = pa.array(np.zeros(sum(lengths), kind.value_type.to_pandas_dtype()))
    return pa.ListArray.from_arrays(pa.array(np.cumsum([0, *lengths]), pa.int32()), values).cast(kind)


def read(path, **options):
    with TokenTable(path, **options) as table:
        return list(table)


def test_lists_longer_than_the_sizes_of_their_clips_are_not_built(table, bounded):
    changed(table, tokens=lists(table, [12, 10_000_000, 12]))
    assert table.stat().st_size < 100_000
    bounded(lambda: read(table), BitstreamError, r"holds 10000024 tokens; its clips have \d+ by their sizes")


def test_lists_longer_than_memory_are_not_built(table, bounded):
    changed(table, tokens=lists(table, [3_000_000] * 3), t=[3_000_000] * 3, h=[1] * 3, w=[1] * 3)
    bounded(lambda: read(table, memory=1 << 27), OptionError, r"9000000 tokens would take 144000000 bytes")


def test_sizes_without_lists_cost_nothing(table, bounded):
    changed(table, t=[2**31 - 1] * 3, h=[2**31 - 1] * 3, w=[2**31 - 1] * 3)
    bounded(lambda: read(table), BitstreamError, "sequences are of shape")


def test_texts_that_unpack_to_much_are_not_built(table, bounded):
    changed(table, caption=["x" * (1 << 27)] + ["y"] * 2)
    bounded(lambda: read(table), BitstreamError, "values of caption")


def test_a_page_that_claims_more_than_the_footer_is_not_read(table, bounded):
    data = bytearray(table.read_bytes())
    [group] = read_claims(table)
    column = next(each for each in group.columns if each.name == "k")
    # kind, unpacked bytes, packed bytes: the second number of the page's head is made large
    assert data[column.pages[0]] == 0x15
    assert data[column.pages[0] + 2] == 0x15
    data[column.pages[0] + 3] = 0x7E
    table.write_bytes(data)
    bounded(lambda: read(table), BitstreamError, "pages of k claim|damaged")


def test_a_footer_longer_than_the_file_is_named(table, bounded):
    data = table.read_bytes()
    for length in (0, len(data), 2**32 - 1):
        table.write_bytes(data[:-8] + length.to_bytes(4, "little") + b"PAR1")
        bounded(lambda: read(table), BitstreamError, "does not end as a Parquet file does")
