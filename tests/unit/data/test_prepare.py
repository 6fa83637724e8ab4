"""What `prepare_crops` writes: which frames, which pixels, and the same again after an interruption."""

import contextlib
import json
import tracemalloc
import warnings
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import av
import numpy as np
import pytest

from tubelet.data import cutting
from tubelet.data.crops import open_crops
from tubelet.data.cutting import SCALES, STRIDES, PrepareConfig, plan_cuts
from tubelet.data.prepare import is_blank, prepare_crops
from tubelet.errors import OptionError, OutputError, VideoError
from tubelet.video.ranges import VideoRange, open_any
from tubelet.video.read import read
from tubelet.video.resize import shrink

SMALL = PrepareConfig(crop=16, frames=5, per_clip=6, seed=3)


@pytest.fixture
def array_clip(tmp_path):
    """Write a clip of noise; the seed decides."""

    def make(name, *, frames=24, height=36, width=50, seed=0):
        folder = tmp_path / "videos"
        folder.mkdir(exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), np.uint8)
        np.save(folder / name, noise)
        return folder / name

    return make


@pytest.fixture
def reads(monkeypatch):
    """The arguments of every reading of frames."""
    calls = []

    @contextmanager
    def counted(clip):
        with open_any(clip) as opened:

            def runs(**numbers):
                calls.append((clip.name, numbers))
                return opened.runs(**numbers)

            yield SimpleNamespace(info=opened.info, runs=runs)

    monkeypatch.setattr(cutting, "open_any", counted)
    return calls


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def obvious(frames, cut, config):
    """A crop as the index describes it, the slow way."""
    height, width = frames.shape[1:3]
    picked = frames[[cut.first + cut.stride * step for step in range(config.frames)]]
    small = shrink(picked, height=round(height / cut.scale), width=round(width / cut.scale))
    return small[:, cut.row : cut.row + config.crop, cut.column : cut.column + config.crop]


def test_crops_are_the_shrunk_frames_that_the_index_names(array_clip, tmp_path):
    paths = [array_clip("a.npy", frames=41, height=50, width=64), array_clip("b.npy", seed=1)]
    config = PrepareConfig(crop=16, frames=5, per_clip=24)
    crops = prepare_crops(paths, tmp_path / "data", config)
    assert {cut.scale for cut in crops.clips[0].cuts} == set(SCALES)
    assert {cut.stride for cut in crops.clips[0].cuts} == set(STRIDES)
    for number, path in enumerate(paths):
        frames = np.load(path)
        for index, cut in zip(crops.of_clip(number), crops.clips[number].cuts, strict=True):
            np.testing.assert_array_equal(crops[index], obvious(frames, cut, config))


@pytest.mark.parametrize("run_bytes", [1, 3 * 24 * 40 * 4])
def test_crops_do_not_depend_on_how_frames_arrive(video_file, smooth, tmp_path, monkeypatch, run_bytes):
    monkeypatch.setattr(cutting, "_RUN_BYTES", run_bytes)
    path = video_file(frames=21, height=24, width=40)
    crops = prepare_crops([path], tmp_path / "data", SMALL)
    frames = np.concatenate([run.frames.copy() for run in read(path)])
    for index, cut in enumerate(crops.clips[0].cuts):
        np.testing.assert_array_equal(crops[index], obvious(frames, cut, SMALL))


def test_every_clip_gives_the_same_number_however_long(array_clip, tmp_path):
    paths = [array_clip("long.npy", frames=200), array_clip("short.npy", frames=5)]
    crops = prepare_crops(paths, tmp_path / "data", SMALL)
    assert [len(crops.of_clip(clip)) for clip in range(2)] == [SMALL.per_clip] * 2


def test_every_clip_is_decoded_once_and_no_further_than_needed(array_clip, tmp_path, reads):
    paths = [array_clip("a.npy", frames=60), array_clip("b.npy", seed=1)]
    crops = prepare_crops(paths, tmp_path / "data", SMALL)
    needed = [max(cut.first + 4 * cut.stride for cut in clip.cuts) + 1 for clip in crops.clips]
    assert [(name, numbers["stop"]) for name, numbers in reads] == [
        ("a.npy", needed[0]),
        ("b.npy", needed[1]),
    ]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(array_clip, tmp_path):
    path = array_clip("a.npy")
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        prepare_crops([path], tmp_path / name, PrepareConfig(crop=16, frames=5, per_clip=6, seed=seed))
    assert content(tmp_path / "one") == content(tmp_path / "two")
    shard = "crops-00000.npy"
    assert content(tmp_path / "one")[shard] != content(tmp_path / "three")[shard]


@pytest.mark.parametrize("torn", [False, True])
def test_an_interrupted_run_goes_on_to_the_same_bytes(array_clip, tmp_path, reads, torn):
    paths = [array_clip(f"{seed}.npy", seed=seed) for seed in range(4)]
    paths.insert(1, array_clip("short.npy", frames=2))
    prepare_crops(paths, tmp_path / "whole", SMALL)

    def stop(done):
        if done == 3:
            raise KeyboardInterrupt

    data = tmp_path / "data"
    with pytest.raises(KeyboardInterrupt):
        prepare_crops(paths, data, SMALL, on_clip=stop)
    with pytest.raises(OptionError, match="not a finished preparation"):
        open_crops(data)
    (data / ".crops-00003.0123abcd.part.npy").write_bytes(b"killed while writing")
    if torn:
        log = data / "unfinished.jsonl"
        log.write_bytes(log.read_bytes()[:-9])
    reads.clear()
    seen = []
    prepare_crops(paths, data, SMALL, on_clip=seen.append)
    again = ["1.npy"] if torn else []
    assert [name for name, _ in reads] == [*again, "2.npy", "3.npy"]
    assert seen == [1, 2, 3, 4, 5]
    assert content(data) == content(tmp_path / "whole")


def test_a_finished_preparation_is_not_made_again(array_clip, tmp_path, reads):
    path = array_clip("a.npy")
    prepare_crops([path], tmp_path / "data", SMALL)
    reads.clear()
    assert len(prepare_crops([path], tmp_path / "data", SMALL)) == 6
    assert not reads


@pytest.mark.parametrize("finished", [True, False])
def test_another_preparation_is_refused_and_the_difference_named(array_clip, tmp_path, finished):
    path, data = array_clip("a.npy"), tmp_path / "data"

    def stop(_):
        if not finished:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        prepare_crops([path], data, SMALL, on_clip=stop)
    other = PrepareConfig(crop=16, frames=7, per_clip=6, seed=3)
    before = content(data)
    with pytest.raises(OutputError, match=r"its frames is 5, not 7.*--force"):
        prepare_crops([path], data, other)
    with pytest.raises(OutputError, match="its 1 clips are not these 2"):
        prepare_crops([path, path], data, SMALL)
    assert content(data) == before
    assert prepare_crops([path], data, other, force=True).frames == 7


def test_a_folder_with_other_files_is_refused_and_left_alone(array_clip, tmp_path):
    path, data = array_clip("a.npy"), tmp_path / "data"
    data.mkdir()
    (data / "thesis.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(OutputError, match="other files"):
            prepare_crops([path], data, SMALL, force=force)
    assert content(data) == {"thesis.txt": b"mine"}
    with pytest.raises(OutputError, match="is a file"):
        prepare_crops([path], data / "thesis.txt", SMALL)


def test_blank_crops_are_dropped(array_clip, tmp_path):
    path = array_clip("half.npy", frames=5, width=80)
    frames = np.load(path)
    frames[:, :, 30:] = 200
    np.save(path, frames)
    config = PrepareConfig(crop=16, frames=5, per_clip=40)
    crops = prepare_crops([path], tmp_path / "data", config)
    cuts = crops.clips[0].cuts
    assert 0 < len(cuts) < 40
    assert all(cut.column * cut.scale < 30 for cut in cuts)
    for index, cut in enumerate(cuts):
        np.testing.assert_array_equal(crops[index], obvious(frames, cut, config))


def test_a_crop_that_only_moves_is_not_blank():
    crop = np.full((5, 8, 8, 3), 90, np.uint8)
    assert is_blank(crop)
    crop[2:, :, :, 1] = 96
    assert not is_blank(crop)


def test_what_gives_no_crop_is_skipped_by_name(array_clip, tmp_path):
    blank = array_clip("blank.npy")
    np.save(blank, np.full((24, 36, 50, 3), 7, np.uint8))
    broken = array_clip("broken.npy")
    broken.write_bytes(b"no array")
    paths = [
        array_clip("short.npy", frames=4),
        array_clip("small.npy", height=15),
        blank,
        broken,
        tmp_path / "missing.mp4",
        array_clip("good.npy"),
    ]
    skipped = []
    crops = prepare_crops(
        paths, tmp_path / "data", SMALL, on_skip=lambda path, clip: skipped.append((path, clip.skipped))
    )
    assert [path for path, _ in skipped] == paths[:5]
    reasons = ["it has 4 frames; a crop takes 5", "50x15", "blank", "not an array", "no such file"]
    for (_, why), reason in zip(skipped, reasons, strict=True):
        assert reason in why
    assert [clip.name for clip in crops.clips] == ["good.npy"]
    assert [clip.name for clip in crops.skipped] == [path.name for path in paths[:5]]


def test_a_folder_without_a_single_crop_is_an_error(array_clip, tmp_path):
    short = array_clip("short.npy", frames=4)
    with pytest.raises(OptionError, match=r"none of the 1 clips .*short\.npy: it has 4 frames"):
        prepare_crops([short], tmp_path / "data", SMALL)
    # Nothing is there that shorter crops would have to replace.
    assert len(prepare_crops([short], tmp_path / "data", replace(SMALL, frames=4))) == SMALL.per_clip
    with pytest.raises(OptionError, match="0 clips"):
        prepare_crops([], tmp_path / "none", SMALL)


def test_where_no_clip_gives_a_crop_each_says_why_and_damage_is_no_matter_of_options(array_clip, tmp_path):
    broken = array_clip("broken.npy")
    broken.write_bytes(b"no array")
    clips = [array_clip("short.npy", frames=4), broken, *[tmp_path / f"missing{n}.mp4" for n in range(20)]]
    with pytest.raises(VideoError) as refusal:
        prepare_crops(clips, tmp_path / "data", SMALL)
    said = str(refusal.value)
    assert "none of the 22 clips" in said and "short.npy: it has 4 frames" in said
    assert "broken.npy: " in said and "not an array" in said and "and 14 more" in said
    assert not (tmp_path / "data").exists()


def test_a_clip_that_ends_early_still_gives_all_its_crops(video_file, tmp_path, reads):
    path = video_file(frames=60, height=64, width=64)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        crops = prepare_crops([path], tmp_path / "data", SMALL)
        held = sum(len(run.frames) for run in read(path))
    assert 5 < held < 60
    assert len(crops) == SMALL.per_clip
    assert all(cut.first + 4 * cut.stride < held for cut in crops.clips[0].cuts)
    # Once by its claim, once by what it holds.
    assert len([numbers for _, numbers in reads if "stop" in numbers]) == 2


def test_a_clip_that_claims_no_length_is_counted(video_file, tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "_claimed_length", lambda _: 0)
    crops = prepare_crops([video_file(frames=12)], tmp_path / "data", SMALL)
    assert len(crops) == SMALL.per_clip


def test_a_claim_beyond_belief_costs_no_memory(array_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "_claimed_length", lambda _: cutting._LONGEST)
    tracemalloc.start()
    crops = prepare_crops([array_clip("a.npy")], tmp_path / "data", SMALL)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(crops) == SMALL.per_clip
    assert peak < 16 << 20


def test_plans_fit_and_reach_the_edges():
    config = PrepareConfig(crop=16, frames=5, per_clip=4000)
    cuts = plan_cuts(config, length=9, height=16, width=20, generator=np.random.default_rng(0))
    assert {cut.scale for cut in cuts} == {1.0}
    assert {(cut.stride, cut.first) for cut in cuts} == {(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 0)}
    assert {(cut.row, cut.column) for cut in cuts} == {(0, column) for column in range(5)}


@pytest.mark.parametrize("wrong", [{"crop": 0}, {"frames": 0}, {"per_clip": 0}, {"seed": -1}])
def test_settings_without_meaning_are_refused(wrong):
    with pytest.raises(OptionError, match=f"{next(iter(wrong))} is {next(iter(wrong.values()))}"):
        PrepareConfig(**wrong)


def test_settings_that_take_too_much_memory_are_refused():
    with pytest.raises(OptionError, match="at most 1073741824"):
        PrepareConfig(crop=512, per_clip=64)


def test_the_index_names_no_folder(array_clip, tmp_path):
    prepare_crops([array_clip("a.npy")], tmp_path / "data", SMALL)
    text = (tmp_path / "data" / "index.json").read_text()
    assert str(tmp_path) not in text
    assert json.loads(text)["settings"] == {"crop": 16, "frames": 5, "per_clip": 6, "seed": 3}


@pytest.fixture
def film(tmp_path):
    """A film of noise whose decoder notices damage, long enough for every crop."""
    path = tmp_path / "videos" / "film.mkv"
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(1).integers(0, 256, (40, 48, 64, 3), np.uint8)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg2video", rate=25, options={"b": "2000000"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for pixels in noise:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(stream.encode(None))
    return path


def test_a_clip_with_frames_that_the_decoder_patched_up_is_left_out(film, array_clip, tmp_path):
    data = bytearray(film.read_bytes())
    for at in range(len(data) // 4, len(data), len(data) // 8):
        data[at : at + 40] = bytes(each ^ 0x5A for each in data[at : at + 40])
    film.write_bytes(data)
    crops = prepare_crops([film, array_clip("sound.npy")], tmp_path / "data", SMALL)
    assert [clip.name for clip in crops.clips] == ["sound.npy"]
    (left_out,) = crops.skipped
    assert left_out.damaged
    assert "patched up by the decoder" in left_out.skipped


def test_a_clip_whose_end_is_missing_gives_crops_of_what_is_left_and_says_so(film, tmp_path):
    film.write_bytes(film.read_bytes()[:-5000])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (clip,) = prepare_crops([film], tmp_path / "data", SMALL).clips
    assert clip.damaged
    assert clip.cuts


def test_what_failed_is_tried_again_and_what_is_done_is_not(array_clip, reads, tmp_path):
    clips = [array_clip("a.npy"), array_clip("broken.npy"), array_clip("c.npy", seed=2)]
    sound = clips[1].read_bytes()
    clips[1].write_bytes(b"no array")
    assert len(prepare_crops(clips, tmp_path / "data", SMALL).clips) == 2
    clips[1].write_bytes(sound)
    reads.clear()
    crops = prepare_crops(clips, tmp_path / "data", SMALL)
    assert {name for name, _ in reads} == {"broken.npy"} and len(crops.clips) == 3
    whole = prepare_crops(clips, tmp_path / "whole", SMALL)
    assert content(tmp_path / "data") == content(tmp_path / "whole") and len(whole.clips) == 3


def test_what_is_raised_of_a_bad_clip_ends_the_work_and_what_is_done_stays(array_clip, reads, tmp_path):
    clips = [array_clip("a.npy"), array_clip("broken.npy"), array_clip("c.npy", seed=2)]
    sound = clips[1].read_bytes()
    clips[1].write_bytes(b"no array")

    def stop(_video, clip):
        raise VideoError(clip.skipped)

    with pytest.raises(VideoError, match="not an array"):
        prepare_crops(clips, tmp_path / "data", SMALL, on_skip=stop)
    clips[1].write_bytes(sound)
    reads.clear()
    with pytest.raises(OutputError, match="are not these 3"):
        # Another list is another preparation.
        prepare_crops([*clips[:2], clips[0]], tmp_path / "data", SMALL)
    clips[1].write_bytes(b"no array")
    prepare_crops(clips, tmp_path / "data", SMALL)
    assert "a.npy" not in {name for name, _ in reads}


def test_ranges_give_crops_of_their_frames(array_clip, tmp_path):
    path = array_clip("a.npy", frames=48)
    frames = np.load(path)
    parts = [VideoRange(path, None, 1.0), VideoRange(path, 1.0, None)]
    crops = prepare_crops(parts, tmp_path / "data", SMALL)
    assert [clip.name for clip in crops.clips] == ["a.npy#t=0,1", "a.npy#t=1"]
    for number, part in enumerate((frames[:24], frames[24:])):
        for index, cut in zip(crops.of_clip(number), crops.clips[number].cuts, strict=True):
            assert np.array_equal(crops[index], obvious(part, cut, SMALL))
