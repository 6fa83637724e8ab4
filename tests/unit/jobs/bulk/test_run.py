"""A data set is what its clips and settings say, whatever was interrupted when, and nothing is done twice."""

import json
import os
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from bulk_records import StoppedError, records_of

import tubelet
from tubelet.data.shards.description import read_description
from tubelet.data.shards.formats import FORMAT_NAMES
from tubelet.data.shards.numbers import from_stored
from tubelet.data.shards.record import bytes_to_array
from tubelet.errors import OptionError, OutputError, VideoError
from tubelet.files import locked
from tubelet.jobs.bulk import encode_clip, parts, worker
from tubelet.jobs.bulk.bulk import Share
from tubelet.jobs.bulk.plan import plan_clips
from tubelet.jobs.bulk.run import BulkEncoding, prospect
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.jobs.sources import read_sources
from tubelet.video.read import read

SMALL = 4000
"""Bytes of a shard, so that a few clips need several."""


def test_every_clip_is_encoded_as_the_tokenizer_does_it(encode, clips, tmp_path, small_tokenizer):
    report = encode(clips, dtype="float32", channels=5, shard_bytes=SMALL)
    assert (report.clips, report.encoded, report.failed) == (6, 6, 0)
    assert report.shards > 1
    found = records_of(tmp_path / "out")
    assert len(found) == 6
    for record in found.values():
        path = tmp_path / record.facts["source"]
        frames = np.concatenate([run.frames for run in read(path)])
        latent = small_tokenizer.encode(tubelet.to_model(frames), channels=5)[0]
        about = record.facts["arrays"]["latent.npy"]
        stored = from_stored(bytes_to_array(record.arrays["latent.npy"], "there"), about, "there")
        torch.testing.assert_close(stored, latent, atol=2e-5, rtol=0)
        assert record.facts["frames"] == len(frames)
        assert record.facts["fps"] == "25"


@pytest.mark.parametrize("kind", FORMAT_NAMES)
def test_interrupted_after_any_number_of_clips_it_goes_on_to_the_same_bytes(
    encode, here, clips, tmp_path, files, kind
):
    encode(clips, format=kind, shard_bytes=SMALL)
    whole = files(tmp_path / "out")
    for most in (0, 1, 3, 5):
        here.most = most
        with pytest.raises(StoppedError):
            encode(clips, to=f"cut{most}", format=kind, shard_bytes=SMALL)
        here.most = None
        report = encode(clips, to=f"cut{most}", format=kind, shard_bytes=SMALL)
        assert (report.kept, report.encoded) == (most, 6 - most)
        assert files(tmp_path / f"cut{most}") == whole


def test_a_run_that_ends_before_its_first_clip_binds_no_other(encode, here, clips, tmp_path):
    here.most = 0
    (tmp_path / "there").mkdir()
    for name in ("out", "there"):
        with pytest.raises(StoppedError):
            encode(clips, to=name, dtype="float32")
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "there").iterdir()) == []
    here.most = 1
    with pytest.raises(StoppedError):
        encode(clips, dtype="int8")
    with pytest.raises(OutputError, match="holds another data set"):
        encode(clips, dtype="float32")


def test_a_second_run_encodes_nothing_and_changes_nothing(encode, here, clips, tmp_path, files):
    encode(clips, shard_bytes=SMALL)
    before = files(tmp_path / "out")
    report = encode(clips, shard_bytes=SMALL)
    assert here.encoded == []
    assert (report.kept, report.encoded) == (6, 0)
    assert files(tmp_path / "out") == before


def test_shares_of_the_work_together_give_what_one_run_gives(encode, clips, tmp_path, files):
    (clips / "junk.mp4").write_bytes(b"junk")
    encode(clips, shard_bytes=SMALL)
    for index in (2, 0, 1):
        encode(clips, to="shares", shard_bytes=SMALL, share=Share(index, 3))
    assert files(tmp_path / "shares") == files(tmp_path / "out")


def test_a_source_that_changed_is_encoded_again_though_its_size_and_time_are_the_same(
    encode, here, clips, tmp_path
):
    array = np.zeros((5, 24, 24, 3), np.uint8)
    path = clips / "same.npy"
    np.save(path, array)
    before = path.stat()
    encode(clips)
    np.save(path, array + 9)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    encode(clips)
    assert here.encoded == ["clips/same.npy"]
    fresh = tmp_path / "fresh"
    encode(clips, to="fresh")
    assert records_of(fresh) == records_of(tmp_path / "out")


def test_a_source_that_was_touched_moved_or_is_gone_is_not_encoded_again(encode, here, clips, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"clips/{number}.mkv\n" for number in range(4)))
    encode(listed)
    before = records_of(tmp_path / "out")
    (clips / "1.mkv").touch()
    shutil.copy(clips / "2.mkv", tmp_path / "copy.mkv").replace(clips / "2.mkv")
    (clips / "3.mkv").unlink()
    encode(listed)
    assert here.encoded == []
    assert records_of(tmp_path / "out") == before


def test_a_list_that_was_edited_or_put_into_another_order_gives_what_a_new_run_gives(
    encode, here, clips, tmp_path
):
    lines = [f"clips/{number}.mkv,," for number in range(4)]
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join(["path,start,end", *lines]))
    encode(listed)
    before = records_of(tmp_path / "out")
    listed.write_text("\n".join(["path,start,end", *reversed(lines)]))
    encode(listed)
    assert here.encoded == []
    assert records_of(tmp_path / "out") == before
    listed.write_text(
        "\n".join(["path,start,end", lines[3], "clips/1.mkv,0.04,0.12", lines[2], "clips/5.mkv,,"])
    )
    report = encode(listed)
    assert sorted(here.encoded) == ["clips/1.mkv", "clips/5.mkv"]
    assert report.dropped == 2
    encode(listed, to="fresh")
    assert records_of(tmp_path / "out") == records_of(tmp_path / "fresh")


@pytest.mark.parametrize("batch", [1, 2])
def test_a_caption_that_no_file_holds_fails_its_clip_alone(encode, tmp_path, clips, batch):
    listed, captions = tmp_path / "list.jsonl", {1: "a cat", 2: 70_000 * "a", 3: "\ud800"}
    lines = [json.dumps({"path": f"clips/{n}.mkv", "caption": text}) for n, text in captions.items()]
    listed.write_text("\n".join(lines))
    report = encode(listed, batch=batch)
    assert (report.encoded, report.failed) == (1, 2)
    said = (tmp_path / "out" / "errors.jsonl").read_text()
    assert "over 65536 characters" in said and "half a character" in said


@pytest.mark.parametrize("batch", [1, 2])
def test_a_row_that_means_nothing_fails_alone(encode, tmp_path, clips, batch):
    listed = tmp_path / "list.csv"
    listed.write_text("path,start,caption\nclips/1.mkv,,a cat\nclips/2.mkv,soon,a dog\n")
    report = encode(listed, batch=batch)
    assert (report.encoded, report.failed) == (1, 1)
    assert "line 3: start is 'soon'" in (tmp_path / "out" / "errors.jsonl").read_text()


def test_a_caption_that_changed_is_stored(encode, tmp_path, clips):
    listed = tmp_path / "list.csv"
    for caption in ("a cat", "a dog"):
        listed.write_text(f"path,caption\nclips/1.mkv,{caption}\nclips/2.mkv,other\n")
        encode(listed)
        found = {record.facts["caption"] for record in records_of(tmp_path / "out").values()}
        assert found == {caption, "other"}


def test_a_clip_that_fails_is_listed_with_its_reason_and_tried_again(encode, here, clips, tmp_path, files):
    junk = clips / "junk.mp4"
    junk.write_bytes(b"no video at all")
    report = encode(clips, shard_bytes=SMALL)
    assert (report.encoded, report.failed) == (6, 1)
    (line,) = (tmp_path / "out" / "errors.jsonl").read_text().splitlines()
    said = json.loads(line)
    assert said["path"] == str(junk)
    assert "cannot be read as video" in said["reason"]
    before = files(tmp_path / "out")
    report = encode(clips, shard_bytes=SMALL)
    assert (report.kept, report.failed) == (6, 1)
    assert here.encoded == ["clips/junk.mp4"]
    assert files(tmp_path / "out") == before
    shutil.copy(clips / "1.mkv", junk)
    report = encode(clips, shard_bytes=SMALL)
    assert (report.kept, report.encoded, report.failed) == (6, 1, 0)
    assert not (tmp_path / "out" / "errors.jsonl").exists()


def test_a_clip_whose_end_is_missing_fails(encode, video_file, tmp_path):
    path = video_file("cut.mkv", frames=40)
    path.write_bytes(path.read_bytes()[:-400])
    report = encode(path)
    assert report.failed == 1
    assert "damaged" in (tmp_path / "out" / "errors.jsonl").read_text()


def test_what_a_kill_left_behind_is_removed_though_nothing_is_to_do(encode, clips, tmp_path, files):
    encode(clips)
    before = files(tmp_path / "out" / "shards")
    parts = tmp_path / "out" / "work" / "shard-00000"
    parts.mkdir(parents=True)
    (parts / f"{'0' * 32}.part").write_bytes(b"of a shard that was put together")
    (tmp_path / "out" / "shards" / ".shard-00000.tubelet-0123abcd.part.tar").write_bytes(b"half")
    assert encode(clips).encoded == 0
    assert files(tmp_path / "out" / "shards") == before
    assert not (tmp_path / "out" / "work").exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_part_that_a_kill_cut_off_is_made_again(encode, here, clips, tmp_path, files, share):
    encode(clips)
    here.most = 3
    with pytest.raises(StoppedError):
        encode(clips, to="cut")
    here.most = None
    part, *_ = sorted((tmp_path / "cut" / "work").rglob("*.part"))
    whole = part.read_bytes()
    part.write_bytes(whole[: int(share * len(whole))])
    report = encode(clips, to="cut")
    assert (report.kept, report.encoded) == (2, 4)
    assert files(tmp_path / "cut") == files(tmp_path / "out")


def test_a_source_that_vanishes_while_it_is_read_fails_and_costs_the_others_nothing(
    encode, clips, tmp_path, monkeypatch
):
    opened = encode_clip.open_clip_frames

    @contextmanager
    def vanishing(path, *place, **more):
        with opened(path, *place, **more) as frames:
            if path.name == "3.mkv":
                path.unlink()
            yield frames

    monkeypatch.setattr(encode_clip, "open_clip_frames", vanishing)
    report = encode(clips)
    assert (report.encoded, report.failed) == (5, 1)
    (line,) = (tmp_path / "out" / "errors.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["reason"] == f"{clips}/3.mkv vanished while it was read. Encode it again."
    assert not list(tmp_path.rglob("*.part"))


@pytest.fixture
def growing(monkeypatch, clips):
    """One source grows as soon as its clip is done, and another one is touched."""

    def written(path, part, **more):
        parts.write_part(path, part, **more)
        source = clips.parent / part.record.facts["source"]
        if source.name == "3.mkv" and source.stat().st_size < 1 << 20:
            source.write_bytes(source.read_bytes() + bytes(1 << 20))
        if source.name == "4.mkv":
            source.touch()

    monkeypatch.setattr(worker, "write_part", written)


@pytest.mark.usefixtures("growing")
def test_a_source_that_changes_after_its_clip_is_done_fails_and_costs_the_others_nothing(
    encode, clips, tmp_path
):
    report = encode(clips)
    assert (report.encoded, report.kept, report.failed) == (5, 0, 1)
    assert (
        report.first_failed == f"{clips}/3.mkv: {clips}/3.mkv changed after it was encoded. Encode it again."
    )
    (line,) = (tmp_path / "out" / "errors.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["source"] == "clips/3.mkv"
    assert len(records_of(tmp_path / "out")) == 5
    assert not list(tmp_path.rglob("*.part"))
    report = encode(clips)
    assert (report.encoded, report.kept, report.failed) == (1, 5, 0)
    assert not (tmp_path / "out" / "errors.jsonl").exists()


@pytest.mark.usefixtures("growing")
def test_a_source_that_changes_after_its_clip_is_done_ends_the_work_if_that_is_asked_for(encode, clips):
    with pytest.raises(VideoError, match=r"3\.mkv changed after it was encoded"):
        encode(clips, on_error="stop")
    assert encode(clips, on_error="stop").kept == 5


def test_the_first_clip_that_fails_ends_the_work_if_that_is_asked_for(encode, here, clips, tmp_path):
    (clips / "junk.mp4").write_bytes(b"junk")
    with pytest.raises(VideoError, match=r"junk\.mp4"):
        encode(clips, on_error="stop")
    done = len(here.encoded) - 1
    (clips / "junk.mp4").unlink()
    assert encode(clips).encoded == 6 - done


@pytest.mark.parametrize(
    "other", [{"channels": 3}, {"dtype": "int8"}, {"fps": "5"}, {"clip_seconds": 2.0}, {"format": "parquet"}]
)
def test_other_settings_on_an_old_output_are_refused(encode, clips, tmp_path, files, other):
    encode(clips)
    before = files(tmp_path / "out")
    with pytest.raises(OutputError, match=f"its {next(iter(other))} is .*, not "):
        encode(clips, **other)
    assert files(tmp_path / "out") == before


def test_another_tokenizer_on_an_old_output_is_refused(encode, clips, network_folder):
    encode(clips)
    with pytest.raises(OutputError, match=r"its tokenizer is small .*, not network"):
        encode(clips, tokenizer=str(network_folder))


def test_clips_of_another_source_never_replace_those_that_are_there(encode, clips, video_file):
    encode(clips)
    with pytest.raises(OutputError, match="holds 6 clips, and none of them is listed"):
        encode(video_file("else.mkv"))


def test_a_folder_of_other_files_and_one_in_use_are_refused(encode, clips, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(OutputError, match=r"holds other files \(mine\.txt\)"):
        encode(clips, to="full")
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"), pytest.raises(OutputError, match="is in use"):
        encode(clips)
    encode(clips, shard_bytes=SMALL, share=Share(0, 2))
    (tmp_path / "out" / "work" / "share-1-of-2").mkdir(parents=True)
    with locked(tmp_path / "out" / "work" / "share-1-of-2"), pytest.raises(OutputError, match="is in use"):
        encode(clips, shard_bytes=SMALL, share=Share(1, 2))


def test_a_shard_that_vanished_or_was_cut_off_is_made_again(encode, clips, tmp_path, files):
    encode(clips, shard_bytes=SMALL)
    before = files(tmp_path / "out")
    one, two = sorted((tmp_path / "out" / "shards").glob("*.tar"))[:2]
    one.unlink()
    two.write_bytes(two.read_bytes()[:-1])
    encode(clips, shard_bytes=SMALL)
    assert files(tmp_path / "out") == before


@pytest.mark.parametrize("renamed", [False, True])
def test_a_replacement_that_was_interrupted_is_ended_or_taken_back(
    encode, here, clips, tmp_path, files, renamed
):
    encode(clips)
    old = files(tmp_path / "out")
    shutil.copy(clips / "1.mkv", clips / "new.mkv")
    encode(clips, to="new")
    encode(clips)
    shards = tmp_path / "out" / "shards"
    new = files(tmp_path / "out")
    # As a kill leaves it: the new index beside the old one, and the shard of either.
    (shards / "shard-00000.pending").write_bytes(new["shards/shard-00000.json"])
    (shards / "shard-00000.json").write_bytes(old["shards/shard-00000.json"])
    (shards / "shard-00000.tar").write_bytes((new if renamed else old)["shards/shard-00000.tar"])
    encode(clips)
    assert here.encoded == ([] if renamed else ["clips/new.mkv"])
    assert files(shards) == {name[7:]: data for name, data in new.items() if name.startswith("shards/")}


def test_a_dry_run_writes_nothing_and_says_what_there_is_to_do(small_folder, clips, tmp_path):
    bulk = BulkEncoding(
        clips=plan_clips(read_sources([str(clips)]), mirror=True),
        folder=tmp_path / "out",
        settings=BulkSettings(tokenizer=str(small_folder)),
    )
    assert prospect(bulk).report.clips == 12
    assert not (tmp_path / "out").exists()


def test_mirrored_clips_are_those_of_mirrored_frames(encode, clips, tmp_path, small_tokenizer):
    encode(clips / "1.mkv", mirror=True, dtype="float32")
    for record in records_of(tmp_path / "out").values():
        frames = np.concatenate([run.frames for run in read(clips / "1.mkv")])
        frames = np.ascontiguousarray(frames[:, :, ::-1]) if record.facts["mirrored"] else frames
        latent = small_tokenizer.encode(tubelet.to_model(frames))[0]
        about = record.facts["arrays"]["latent.npy"]
        stored = from_stored(bytes_to_array(record.arrays["latent.npy"], "there"), about, "there")
        torch.testing.assert_close(stored, latent, atol=2e-5, rtol=0)


def test_tokens_are_those_of_the_tokenizer(encode, clips, tmp_path, token_folder):
    encode(clips / "1.mkv", tokenizer=str(token_folder))
    (record,) = records_of(tmp_path / "out").values()
    frames = np.concatenate([run.frames for run in read(clips / "1.mkv")])
    grid = tubelet.load_discrete(token_folder).tokenize(tubelet.to_model(frames))
    np.testing.assert_array_equal(
        bytes_to_array(record.arrays["tokens.npy"], "there"), grid.digits[0].numpy()
    )
    assert read_description(tmp_path / "out").tokenizer["bases"] == [[8, 5, 5, 3]]
    with pytest.raises(OptionError, match="gives tokens"):
        encode(clips / "1.mkv", to="other", tokenizer=str(token_folder), channels=2)


def test_a_variational_tokenizer_stores_mean_and_log_variance(
    encode, clips, tmp_path, make_tokenizer, make_folder
):
    made = make_tokenizer(name="spread", width=16, encoder_blocks=1, decoder_blocks=1, variational=True)
    encode(clips / "1.mkv", tokenizer=str(make_folder(made)), dtype="float32")
    (record,) = records_of(tmp_path / "out").values()
    frames = np.concatenate([run.frames for run in read(clips / "1.mkv")])
    posterior = made.tokenizer.posterior(tubelet.to_model(frames))
    for name, wanted in (("latent", posterior.mean), ("log_variance", posterior.log_variance)):
        about = record.facts["arrays"][f"{name}.npy"]
        stored = from_stored(bytes_to_array(record.arrays[f"{name}.npy"], "there"), about, "there")
        torch.testing.assert_close(stored, wanted[0], atol=2e-5, rtol=2e-5)


def test_tube_files_of_a_data_set_are_read_by_every_command(encode, clips, tmp_path, small_folder):
    encode(clips / "1.mkv", format="tube", short_side=16)
    (path,) = (tmp_path / "out" / "shards").rglob("*.tube")
    with tubelet.open_tube(path, tokenizer=small_folder) as tube:
        assert len(tube) == 6
        assert tube[0].shape[0] == 16
