"""Shards of every format: records come back, the same records give the same bytes, damage is named."""

import tarfile

import numpy as np
import pytest
import torch

from tubelet.data.shards.formats import FORMATS
from tubelet.data.shards.index import digest_of
from tubelet.data.shards.numbers import DTYPES, from_stored, to_stored
from tubelet.data.shards.record import Record, array_to_bytes, bytes_to_array
from tubelet.data.shards.statistics import deviations, joined, moments_of
from tubelet.errors import DatasetError, LatentError

HEADER = {"format": "tubelet dataset 1", "clips": 3}


def record(number: int, *, suffix: str = "latent.npy") -> Record:
    key = f"{number:032x}"
    array = np.full((2, 1, 3, 4), number, np.float16)
    facts = {"source": f"{number}.mp4", "caption": "a \u00e9" if number else None, "frames": 9 + number}
    return Record.of(key, facts, {suffix: array_to_bytes(array)}, {suffix: {"shape": [2, 1, 3, 4]}})


@pytest.fixture(params=FORMATS)
def kind(request):
    return request.param


@pytest.fixture
def write(tmp_path, kind):
    """Write a shard of three records; give its path, the records and their places."""

    def make(name: str = "shard"):
        path = tmp_path / f"{name}{FORMATS[kind].suffix}"
        if not FORMATS[kind].suffix:
            path.mkdir()
        records = [record(number, suffix="tube" if kind == "tube" else "latent.npy") for number in range(3)]
        return path, records, FORMATS[kind].write(path, HEADER, iter(records))

    return make


def test_records_come_back_in_any_order(write, kind):
    path, records, places = write()
    with FORMATS[kind].opened(path) as shard:
        assert shard.header() == HEADER
        for each, place in reversed(list(zip(records, places, strict=True))):
            back = shard.read(each.key, place)
            assert back == each


def test_the_same_records_give_the_same_bytes(write):
    assert digest_of(write("one")[0]) == digest_of(write("two")[0])


def test_a_missing_shard_is_named(tmp_path, kind):
    with (
        pytest.raises(DatasetError, match=r"gone.* (cannot be read|is missing)"),
        FORMATS[kind].opened(tmp_path / f"gone{FORMATS[kind].suffix}"),
    ):
        pass


def test_every_changed_byte_of_an_array_is_noticed(write, kind):
    path, records, places = write()
    files = [path] if path.is_file() else sorted(path.glob("*.tube"))
    wanted = records[1].arrays[next(iter(records[1].arrays))]
    for file in files:
        data = bytearray(file.read_bytes())
        at = data.find(wanted) if kind != "parquet" else len(data) // 3
        if at >= 0:
            data[at + len(wanted) // 2 if kind != "parquet" else at] ^= 1
            file.write_bytes(data)
    with (
        pytest.raises(DatasetError, match=r"(E|e)ncode it again"),
        FORMATS[kind].opened(path) as shard,
    ):
        for each, place in zip(records, places, strict=True):
            shard.read(each.key, place)


def test_what_is_no_shard_says_so(write, kind, tmp_path):
    path = tmp_path / f"other{FORMATS[kind].suffix}"
    if FORMATS[kind].suffix:
        path.write_bytes(b"nothing of ours" * 100)
    else:
        path.mkdir()
    with pytest.raises(DatasetError, match="not a shard of tubelet"), FORMATS[kind].opened(path) as shard:
        shard.header()


def test_a_tar_shard_is_one_for_every_program(tmp_path):
    path = tmp_path / "shard.tar"
    records = [record(number) for number in range(2)]
    FORMATS["webdataset"].write(path, HEADER, records)
    with tarfile.open(path) as archive:
        names = archive.getnames()
        member = archive.extractfile(names[2])
        assert member is not None
        assert member.read() == records[0].arrays["latent.npy"]
        assert {(each.mtime, each.uid, each.gid, each.mode) for each in archive} == {(0, 0, 0, 0o644)}
    keys = [each.key for each in records]
    stems = [f"{key}.{suffix}" for key in keys for suffix in ("json", "latent.npy")]
    assert names == ["__tubelet__/shard.json", *stems]


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_come_back_as_near_as_their_format_is(dtype):
    latent = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    stored = to_stored(latent, dtype)
    back = from_stored(bytes_to_array(array_to_bytes(stored.array), "there"), stored.about, "there")
    peaks = latent.abs().amax(dim=(1, 2, 3), keepdim=True)
    near = {"float16": latent.abs() / 2**11 + 1e-7, "bfloat16": latent.abs() / 2**8, "float32": 0 * latent}
    assert bool(((back - latent).abs() <= near.get(dtype, peaks / 254 * 1.001)).all())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 7e4])
def test_a_number_that_a_format_has_not_is_refused(value):
    latent = torch.zeros(1, 1, 1, 2)
    latent[0, 0, 0, 1] = value
    with pytest.raises(LatentError, match="float16 holds"):
        to_stored(latent, "float16")


def test_moments_of_clips_are_those_of_all_their_positions():
    latents = [torch.randn(3, t, 4, 5, generator=torch.Generator().manual_seed(t)) for t in (1, 4)]
    found = joined(map(moments_of, latents))
    assert found is not None
    whole = torch.cat(latents, dim=1).double()
    assert found["positions"] == 100
    torch.testing.assert_close(torch.tensor(found["mean"]).double(), whole.mean(dim=(1, 2, 3)))
    deviation = whole.std(dim=(1, 2, 3), correction=0)
    torch.testing.assert_close(torch.tensor(deviations(found)).double(), deviation)
    assert joined([]) is None
