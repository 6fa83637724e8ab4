"""What is seen in one video, moved as another one: in memory and in files, and where it cannot be."""

import json

import numpy as np
import pytest
import torch
from random_tokenizers import make_tokenizer, make_twin

import tubelet
from tubelet.codec.swap import swap, swap_files
from tubelet.data.scenes import SceneOptions, scene_at
from tubelet.errors import OptionError, ShapeError
from tubelet.video.pixels import from_model, to_model


@pytest.fixture(scope="module")
def tokenizer():
    return make_twin()


@pytest.fixture(scope="module")
def folder(tokenizer, tmp_path_factory):
    return tokenizer.save(tmp_path_factory.mktemp("checkpoints") / "twin")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two clips of one size, the second longer, as lossless arrays."""
    place = tmp_path_factory.mktemp("clips")
    for index, frames in enumerate((19, 23)):
        options = SceneOptions(height=50, width=70, frames=frames)
        np.save(place / f"{index}.npy", scene_at(index, options=options).frames())
    return place / "0.npy", place / "1.npy"


@pytest.fixture(scope="module")
def videos(clips):
    first, second = (to_model(np.load(clip)) for clip in clips)
    return first, second[:, :, : first.shape[2]]


def test_a_clip_swapped_with_itself_is_what_comes_back_of_it(tokenizer, videos):
    assert torch.equal(swap(videos[0], videos[0], tokenizer=tokenizer), tokenizer(videos[0]))


def test_the_swap_has_the_structure_of_the_first_and_the_dynamics_of_the_second(tokenizer, videos):
    first, second = videos
    seen, moving = (tokenizer.encode_parts(video) for video in videos)
    mixed = {"structure": seen["structure"], "rows": moving["rows"], "columns": moving["columns"]}
    expected = tokenizer.decode_parts(mixed, frames=19, height=50, width=70)
    assert torch.equal(swap(first, second, tokenizer=tokenizer), expected)
    assert not torch.allclose(expected, swap(second, first, tokenizer=tokenizer), atol=1e-2)


def test_files_give_what_clips_in_memory_give_and_end_with_the_shorter_one(
    tokenizer, folder, clips, tmp_path
):
    report = swap_files(*clips, tmp_path / "swap.npy", tokenizer=folder)
    assert (report.tokenizer, report.frames, report.height, report.width) == ("twin", 19, 50, 70)
    written = np.load(tmp_path / "swap.npy")
    assert written.shape == (19, 50, 70, 3)
    # Of the longer clip all steps are encoded whole; the last of these is cut off by the shorter one.
    first, second = (to_model(np.load(clip)) for clip in clips)
    seen, moving = tokenizer.encode_parts(first), tokenizer.encode_parts(second)
    mixed = {"structure": seen["structure"], "rows": moving["rows"], "columns": moving["columns"]}
    expected = from_model(tokenizer.decode_parts(mixed, frames=19, height=50, width=70))
    assert float((np.abs(written.astype(int) - expected) > 0).mean()) < 1e-4


def test_panels_show_both_and_below_each_with_the_motion_of_the_other(folder, clips, tmp_path):
    first, second = clips
    swap_files(first, second, tmp_path / "there.npy", tokenizer=folder)
    swap_files(second, first, tmp_path / "back.npy", tokenizer=folder)
    report = swap_files(first, second, tmp_path / "four.npy", tokenizer=folder, panels=True)
    assert (report.frames, report.height, report.width) == (19, 100, 140)
    found = np.load(tmp_path / "four.npy").astype(int)
    there, back = (np.load(tmp_path / f"{name}.npy").astype(int) for name in ("there", "back"))
    assert (found[:, :50, :70] == np.load(first)).all()
    assert (found[:, :50, 70:] == np.load(second)[:19]).all()
    assert float((found[:, 50:, :70] != there).mean()) < 1e-4
    assert float((found[:, 50:, 70:] != back).mean()) < 1e-4


def test_the_memory_that_is_allowed_does_not_change_the_video(folder, clips, tmp_path):
    swap_files(*clips, tmp_path / "wide.npy", tokenizer=folder)
    swap_files(*clips, tmp_path / "tight.npy", tokenizer=folder, memory=60 << 20)
    wide, tight = np.load(tmp_path / "wide.npy"), np.load(tmp_path / "tight.npy")
    assert float((wide != tight).mean()) < 1e-4


def test_the_command_writes_a_video_and_says_so(folder, clips, tmp_path, cli):
    video = tmp_path / "swap.mp4"
    arguments = ("swap", *clips, "-o", video, "--tokenizer", folder)
    done = cli(*arguments, "--json", tmp_path / "swap.json")
    assert done.code == 0
    assert "19 of 70x50" in done.out
    figures = json.loads((tmp_path / "swap.json").read_text())["figures"]
    assert (figures["frames"], figures["width"], figures["tokenizer"]) == (19, 70, "twin")
    assert (figures["structure"], figures["dynamics"]) == tuple(str(clip) for clip in clips)
    assert tubelet.probe(video).frames == 19
    again = cli(*arguments)
    assert again.code != 0
    assert "--force" in again.err


def test_clips_of_different_sizes_are_refused(tokenizer, folder, clips, videos, tmp_path):
    np.save(tmp_path / "small.npy", np.load(clips[1])[:, :40])
    with pytest.raises(ShapeError, match=r"70x50 pixels and .*small.npy has 70x40"):
        swap_files(clips[0], tmp_path / "small.npy", tmp_path / "swap.npy", tokenizer=folder)
    assert not (tmp_path / "swap.npy").exists()
    with pytest.raises(ShapeError, match="same length and size"):
        swap(videos[0], videos[1][:, :, :5], tokenizer=tokenizer)


def test_a_tokenizer_without_dynamics_is_refused(clips, videos, tmp_path):
    with pytest.raises(OptionError, match="no dynamics"):
        swap(*videos, tokenizer=make_tokenizer())
    with pytest.raises(OptionError, match=r"no dynamics.*tubelet train twin"):
        swap_files(*clips, tmp_path / "swap.npy", tokenizer="tubelet-m")


def test_a_target_that_is_a_source_is_refused(folder, clips):
    before = clips[1].read_bytes()
    with pytest.raises(tubelet.TubeletError):
        swap_files(*clips, clips[1], tokenizer=folder, force=True)
    assert clips[1].read_bytes() == before
