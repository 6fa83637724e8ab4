"""Data sets are verified, summed up and merged: every fault is named, and shares make the whole."""

import json
import shutil

import pytest
import torch
from bulk_records import records_of

from tubelet.data.shards.description import check_header
from tubelet.data.shards.merge import merge_datasets
from tubelet.data.shards.summary import summarise
from tubelet.data.shards.verify import verify_dataset
from tubelet.errors import DatasetError, OptionError, OutputError
from tubelet.jobs.bulk.bulk import Share

SMALL = 4000


@pytest.fixture
def made(encode, clips, tmp_path):
    """A data set of several shards."""
    encode(clips, shard_bytes=SMALL)
    return tmp_path / "out"


def shards_of(folder, suffix=".tar"):
    return sorted((folder / "shards").glob(f"*{suffix}"))


@pytest.mark.parametrize("kind", ["webdataset", "parquet", "tube"])
def test_a_whole_data_set_has_no_fault(encode, clips, tmp_path, kind):
    (clips / "junk.mp4").write_bytes(b"junk")
    report = encode(clips, format=kind, shard_bytes=SMALL)
    found = verify_dataset(tmp_path / "out")
    assert found.faults == []
    assert (found.clips, found.failed, found.shards) == (6, 1, report.shards)


def test_one_changed_byte_anywhere_in_a_shard_is_a_fault(made):
    path = shards_of(made)[0]
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 16)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        (fault,) = verify_dataset(made).faults
        assert path.name in fault
    path.write_bytes(whole)
    assert verify_dataset(made).faults == []


def test_a_missing_shard_a_missing_index_and_what_does_not_belong_are_faults(made):
    one, two = shards_of(made)[:2]
    one.unlink()
    two.with_suffix(".json").unlink()
    (made / "shards" / "shard-99999.tar").write_bytes(b"")
    faults = verify_dataset(made).faults
    assert len(faults) == 3
    assert any(one.name in each and "cannot be read" in each for each in faults)
    assert any("was not made yet" in each for each in faults)
    assert any("shard-99999.tar belongs to no shard" in each for each in faults)


def test_a_shard_of_another_tokenizer_is_a_fault(made, encode, clips, tmp_path, network_folder):
    encode(clips, to="other", tokenizer=str(network_folder), shard_bytes=SMALL)
    for mine, other in zip(shards_of(made), shards_of(tmp_path / "other"), strict=True):
        shutil.copy(other, mine)
        shutil.copy(other.with_suffix(".json"), mine.with_suffix(".json"))
    faults = verify_dataset(made).faults
    assert len(faults) == len(shards_of(made))
    assert all("its tokenizer is network" in each and "not small" in each for each in faults)


def test_a_folder_that_is_no_data_set_or_of_a_newer_program_says_so(tmp_path, made):
    with pytest.raises(DatasetError, match="holds no data set"):
        verify_dataset(tmp_path)
    (tmp_path / "shard.tar").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"shard\.tar is a file; a data set is a folder"):
        verify_dataset(tmp_path / "shard.tar")
    with pytest.raises(DatasetError, match="Upgrade tubelet"):
        check_header({"format": "tubelet dataset 2"}, "there")
    for content in ("", "[]", "{}", '{"format": "tubelet dataset 1"}', "\xff"):
        (made / "dataset.json").write_text(content, encoding="latin-1")
        with pytest.raises(DatasetError):
            verify_dataset(made)


def test_the_summary_counts_what_is_there(made, small_tokenizer):
    facts = summarise(made)
    records = records_of(made)
    assert facts["clips"] == len(records) == 6
    assert facts["frames"] == sum(record.facts["frames"] for record in records.values())
    assert sum(facts["shapes"].values()) == 6
    assert facts["shards_not_made"] == 0
    assert facts["tokenizer"] == "small"
    assert len(facts["statistics"]["latent.npy"]["mean"]) == small_tokenizer.channels


def test_shares_on_disks_of_their_own_merge_to_the_bytes_of_one_run(made, encode, clips, tmp_path, files):
    for index in range(3):
        encode(clips, to=f"share{index}", shard_bytes=SMALL, share=Share(index, 3))
    merge_datasets([tmp_path / f"share{index}" for index in (2, 0, 1)], tmp_path / "merged")
    whole = {name: data for name, data in files(made).items() if not name.startswith(".sources")}
    assert files(tmp_path / "merged") == whole


def test_data_sets_of_several_sources_merge_and_what_both_hold_is_there_once(
    made, encode, here, clips, video_file, tmp_path
):
    (tmp_path / "more").mkdir()
    video_file("more/new.mkv", frames=11)
    encode(clips, tmp_path / "more", to="second", shard_bytes=SMALL)
    merge_datasets([made, tmp_path / "second"], tmp_path / "merged")
    assert records_of(tmp_path / "merged") == records_of(made) | records_of(tmp_path / "second")
    assert verify_dataset(tmp_path / "merged").faults == []
    encode(clips, tmp_path / "more", to="merged", shard_bytes=SMALL)
    assert here.encoded == []


def test_what_cannot_be_one_data_set_is_not_merged(made, encode, clips, video_file, tmp_path):
    encode(clips, to="int8", dtype="int8")
    with pytest.raises(DatasetError, match="its dtype is int8, not float16"):
        merge_datasets([made, tmp_path / "int8"], tmp_path / "merged")
    video_file("clips/1.mkv", frames=20)
    encode(clips, to="changed")
    with pytest.raises(DatasetError, match=r"clips/1\.mkv in two versions"):
        merge_datasets([made, tmp_path / "changed"], tmp_path / "merged")
    with pytest.raises(OptionError, match="a new folder"):
        merge_datasets([made], made)
    with pytest.raises(OutputError, match="exists"):
        merge_datasets([made], tmp_path / "int8")


def test_failures_are_merged_unless_the_clip_is_there(made, encode, clips, tmp_path):
    good = (clips / "2.mkv").read_bytes()
    for name in ("2.mkv", "junk.mp4"):
        (clips / name).write_bytes(b"junk")
    encode(clips, to="second")
    (clips / "2.mkv").write_bytes(good)
    merge_datasets([made, tmp_path / "second"], tmp_path / "merged")
    (line,) = (tmp_path / "merged" / "errors.jsonl").read_text().splitlines()
    assert json.loads(line)["source"] == "clips/junk.mp4"
    assert len(records_of(tmp_path / "merged")) == 6


def test_moments_in_a_shard_are_those_of_its_latents(made):
    facts = summarise(made)["statistics"]["latent.npy"]
    records = records_of(made).values()
    weights = torch.tensor([record.facts["statistics"]["latent.npy"]["positions"] for record in records])
    means = torch.tensor([record.facts["statistics"]["latent.npy"]["mean"] for record in records])
    wanted = (means * weights[:, None]).sum(0) / weights.sum()
    torch.testing.assert_close(torch.tensor(facts["mean"]), wanted, atol=2e-6, rtol=0)
