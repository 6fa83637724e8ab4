"""Opening a folder of crops: what is mapped, and what is refused."""

import json

import numpy as np
import pytest

from tubelet.data.crops import open_crops
from tubelet.data.cutting import PrepareConfig
from tubelet.data.prepare import prepare_crops
from tubelet.errors import OptionError, TubeletError, VideoError


@pytest.fixture
def data(tmp_path):
    """Two clips with four crops each, and one that was skipped between them."""
    paths = []
    for number, frames in enumerate((9, 2, 9)):
        noise = np.random.default_rng(number).integers(0, 256, (frames, 20, 20, 3), np.uint8)
        paths.append(tmp_path / f"clip{number}.npy")
        np.save(paths[-1], noise)
    prepare_crops(paths, tmp_path / "data", PrepareConfig(crop=16, frames=5, per_clip=4))
    return tmp_path / "data"


def test_crops_are_mapped_and_read_only(data):
    crops = open_crops(data)
    assert (len(crops), crops.frames, crops.side, crops.size) == (8, 5, 16, 8 * 5 * 16 * 16 * 3)
    assert all(crop.shape == (5, 16, 16, 3) and crop.dtype == np.uint8 for crop in crops)
    assert isinstance(crops[0], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        crops[0][:] = 0


def test_crops_belong_to_the_clip_that_they_are_from(data):
    crops = open_crops(data)
    assert [clip.name for clip in crops.clips] == ["clip0.npy", "clip2.npy"]
    assert [clip.name for clip in crops.skipped] == ["clip1.npy"]
    assert [list(crops.of_clip(clip)) for clip in range(2)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [crops.clip_of(index) for index in range(8)] == [0] * 4 + [1] * 4
    np.testing.assert_array_equal(crops[5], np.load(data / "crops-00002.npy")[1])


@pytest.mark.parametrize("index", [-1, 8])
def test_there_is_no_crop_beyond_the_last(data, index):
    with pytest.raises(IndexError, match="of 8"):
        open_crops(data)[index]


def test_a_folder_without_an_index_is_no_preparation(tmp_path):
    with pytest.raises(OptionError, match="tubelet prepare"):
        open_crops(tmp_path)


def set_format(index):
    index["format"] = 3


def drop_clips(index):
    del index["clips"]


def set_side(index):
    index["settings"]["crop"] = "16"


def set_frames(index):
    index["settings"]["frames"] = 6


def set_row(index):
    index["clips"][0]["cuts"][0]["row"] = -1


def set_stride(index):
    index["clips"][0]["cuts"][0]["stride"] = 0


def set_first(index):
    index["clips"][0]["cuts"][0]["first"] = 1.5


def set_scale(index):
    index["clips"][0]["cuts"][0]["scale"] = float("nan")


def drop_column(index):
    del index["clips"][0]["cuts"][0]["column"]


def drop_cut(index):
    index["clips"][0]["cuts"].pop()


def add_cut(index):
    index["clips"][0]["cuts"] *= 2


def set_name(index):
    index["clips"][0]["name"] = 5


def drop_all(index):
    index["clips"] = []


@pytest.mark.parametrize(
    "damage",
    [
        set_format, drop_clips, set_side, set_frames, set_row, set_stride, set_first, set_scale, drop_column,
        drop_cut, add_cut, set_name, drop_all,
    ],
)  # fmt: skip
def test_a_damaged_index_is_a_named_error(data, damage):
    path = data / "index.json"
    index = json.loads(path.read_text())
    damage(index)
    path.write_text(json.dumps(index))
    with pytest.raises(VideoError, match=r"(index\.json|crops-0000\d\.npy) .*--force"):
        open_crops(data)


def test_an_index_that_is_cut_anywhere_is_a_named_error(data):
    path = data / "index.json"
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 37):
        path.write_bytes(whole[:length])
        with pytest.raises(VideoError, match="damaged"):
            open_crops(data)
    for text in (b"[" * 100_000, b"\xff\xfe", b"7", b"null", b'{"format": 1, "settings": [], "clips": 3}'):
        path.write_bytes(text)
        with pytest.raises(TubeletError, match="damaged"):
            open_crops(data)


def test_a_damaged_shard_is_a_named_error(data):
    shard = data / "crops-00002.npy"
    whole = shard.read_bytes()
    for length in (0, 5, 60, len(whole) - 1):
        shard.write_bytes(whole[:length])
        with pytest.raises(VideoError, match=r"crops-00002\.npy is not an array"):
            open_crops(data)
    np.save(shard, np.zeros((4, 5, 16, 16, 3), np.int8))
    with pytest.raises(VideoError, match="holds int8"):
        open_crops(data)
    np.save(shard, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(VideoError, match="is not an array"):
        open_crops(data)
    with shard.open("wb") as file:
        np.savez(file, a=np.zeros(3))
    with pytest.raises(VideoError, match="an archive"):
        open_crops(data)
    shard.unlink()
    with pytest.raises(VideoError, match="is missing"):
        open_crops(data)
