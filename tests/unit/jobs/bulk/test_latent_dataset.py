"""Batches of encoded clips: every clip once, the same whatever the processes, and from any place on."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from bulk_records import records_of
from torch.utils.data import DataLoader

import tubelet.data
from tubelet.data.batch_order import Order, batches_of
from tubelet.data.latent_dataset import LatentDataset, Position
from tubelet.data.shards.numbers import from_stored
from tubelet.data.shards.record import bytes_to_array
from tubelet.errors import DatasetError, OptionError

SMALL = 4000

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
"""PyTorch says so where there are fewer cores than workers."""


@pytest.fixture
def make(encode, clips, video_file, tmp_path):
    """Nine clips of three shapes, in several shards of a format."""
    for number in range(3):
        video_file(f"clips/wide{number}.mkv", frames=5, width=80)

    def folder(kind: str) -> Path:
        encode(clips, format=kind, shard_bytes=SMALL, to=kind)
        return tmp_path / kind

    return folder


@pytest.fixture
def folder(make):
    return make("webdataset")


def seen(batches) -> list[list[str]]:
    return [batch.keys for batch in batches]


def flat(batches: list[list[str]]) -> list[str]:
    return [key for batch in batches for key in batch]


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
def test_every_clip_is_in_one_batch_with_its_latent_and_facts(make, kind):
    folder = make(kind)
    records = records_of(folder)
    dataset = tubelet.data.LatentDataset(folder, batch=2)
    batches = list(dataset)
    assert len(batches) == len(dataset)
    assert sorted(flat(seen(batches))) == sorted(records)
    for batch in batches:
        assert batch.latent.dtype == torch.float32
        for latent, caption, key, facts in zip(
            batch.latent, batch.captions, batch.keys, batch.facts, strict=True
        ):
            record = records[key]
            about = record.facts["arrays"]["latent.npy"]
            stored = from_stored(bytes_to_array(record.arrays["latent.npy"], "there"), about, "there")
            torch.testing.assert_close(latent, stored, atol=0, rtol=0)
            assert caption == ""
            assert facts == record.facts


def test_the_order_is_that_of_seed_and_epoch_and_of_nothing_else(folder):
    dataset = LatentDataset(folder, batch=2, seed=1)
    first = seen(dataset)
    assert seen(dataset) == first
    assert seen(LatentDataset(folder, batch=2, seed=2)) != first
    dataset.go_to(1)
    second = seen(dataset)
    assert second != first
    assert sorted(flat(second)) == sorted(flat(first))
    plain = seen(LatentDataset(folder, batch=1, shuffle=False))
    assert flat(plain) == list(records_of(folder))


def test_a_loader_with_workers_gives_the_same_batches_in_the_same_order(folder):
    dataset = LatentDataset(folder, batch=2, seed=3)
    alone = list(dataset)
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork")
    loaded = list(loader)
    assert seen(loaded) == seen(alone)
    assert [batch.position for batch in loaded] == [batch.position for batch in alone]
    for one, other in zip(loaded, alone, strict=True):
        torch.testing.assert_close(one.latent, other.latent, atol=0, rtol=0)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_that_stay_go_where_the_loop_says(folder, start):
    dataset = LatentDataset(folder, batch=2, seed=3)
    loader = DataLoader(
        dataset, batch_size=None, num_workers=2, persistent_workers=True, multiprocessing_context=start
    )
    for epoch, batch in ((0, 0), (1, 0), (1, 2)):
        dataset.go_to(epoch, batch)
        loaded = list(loader)
        assert [each.position for each in loaded] == [
            Position(epoch, number) for number in range(batch, batch + len(loaded))
        ]
        assert seen(loaded) == seen(dataset)


def test_training_goes_on_at_the_batch_after_the_last_one(folder):
    dataset = LatentDataset(folder, batch=2, seed=3)
    dataset.go_to(4)
    whole = list(dataset)
    for done in range(len(whole)):
        fresh = LatentDataset(folder, batch=2, seed=3)
        fresh.go_to(whole[done].position.epoch, whole[done].position.batch + 1)
        assert len(fresh) == len(whole) - done - 1
        assert seen(fresh) == seen(whole[done + 1 :])
    assert whole[-1].position == Position(4, len(whole) - 1)


def test_processes_share_an_epoch_and_get_as_many_batches(folder):
    alone = seen(LatentDataset(folder, batch=1, seed=5))
    shares = [seen(LatentDataset(folder, batch=1, seed=5, rank=rank, world=4)) for rank in range(4)]
    assert [len(share) for share in shares] == [2] * 4
    assert [share[number] for number in range(2) for share in shares] == alone[:8]


@pytest.mark.parametrize("rank", [0, 1])
def test_in_a_distributed_run_a_loader_with_workers_goes_on_where_its_process_was(folder, rank, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)

    def loader(batch):
        dataset = LatentDataset(folder, batch=1, seed=5)
        dataset.go_to(1, batch)
        return DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork")

    whole = list(loader(0))
    own = LatentDataset(folder, batch=1, seed=5, rank=rank, world=2)
    own.go_to(1)
    assert seen(whole) == seen(own)
    rest = list(loader(whole[1].position.batch + 1))
    assert [batch.position for batch in rest] == [batch.position for batch in whole[2:]]
    assert seen(rest) == seen(whole[2:])


def test_tokens_come_as_digits(encode, clips, tmp_path, token_folder):
    encode(clips, tokenizer=str(token_folder), to="tokens")
    for batch in LatentDataset(tmp_path / "tokens", batch=2):
        digits = batch.arrays["tokens"]
        with pytest.raises(DatasetError, match="holds tokens, not one latent"):
            _ = batch.latent
        assert digits.dtype == torch.int64
        assert digits.shape[1] == 4
        assert int(digits.max()) < 8


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
def test_damage_is_named_where_it_is_read(make, kind):
    folder = make(kind)
    path = sorted(folder.glob("shards/*.tar" if kind == "webdataset" else "shards/*.parquet"))[0]
    data = bytearray(path.read_bytes())
    # In an array; of a table, whose end describes it, a byte near the beginning belongs to a clip.
    data[data.index(b"NUMPY") + 200 if kind == "webdataset" else 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=path.name):
        list(LatentDataset(folder))
    path.unlink()
    with pytest.raises(DatasetError, match=f"{path.name} is missing"):
        LatentDataset(folder)
    path.with_suffix(".json").unlink()
    with pytest.raises(DatasetError, match="was not made yet"):
        LatentDataset(folder)


def test_a_shard_of_another_tokenizer_is_named(folder, encode, clips, tmp_path, network_folder):
    encode(clips, to="other", tokenizer=str(network_folder), shard_bytes=SMALL)
    for path in (tmp_path / "other" / "shards").iterdir():
        shutil.copy(path, folder / "shards" / path.name)
    with pytest.raises(DatasetError, match=r"its tokenizer is network .*not small"):
        list(LatentDataset(folder))


def test_numbers_without_a_meaning_are_refused(folder, encode, clips, tmp_path):
    for given, said in (({"batch": 0}, "batch is 0"), ({"rank": 2, "world": 2}, "rank is 2")):
        with pytest.raises(OptionError, match=said):
            LatentDataset(folder, **given)
    with pytest.raises(OptionError, match="epoch is -1"):
        LatentDataset(folder).go_to(-1)
    encode(clips, to="tubes", format="tube")
    with pytest.raises(OptionError, match="open_tube"):
        LatentDataset(tmp_path / "tubes")
    with pytest.raises(DatasetError, match="holds no data set"):
        LatentDataset(tmp_path)


def test_a_window_mixes_the_clips_of_few_shards():
    """Within a window clips come from shards that are read in turn, so that few are open at a time."""
    shards = np.repeat(np.arange(20), 50)
    order = Order(batch=10, shuffle=True, window=100, seed=0)
    batches = batches_of(shards, np.zeros(1000, np.int64), order, epoch=0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
    for begin in range(0, 100, 10):
        assert len({int(shards[clip]) for batch in batches[begin : begin + 10] for clip in batch}) == 2
    assert {len({int(shards[clip]) for clip in batch}) for batch in batches} == {2}
