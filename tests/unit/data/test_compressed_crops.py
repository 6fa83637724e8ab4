"""Crops that are compressed without loss: the same numbers, window by window, and damage is named."""

import numpy as np
import pytest

from tubelet.data.compressed_crops import CompressedBlock, write_block
from tubelet.data.cutting import PrepareConfig
from tubelet.data.feed import Draw, draw_batch
from tubelet.data.prepare import prepare_crops
from tubelet.errors import OutputError, VideoError

SMALL = PrepareConfig(crop=16, frames=5, per_clip=4)


@pytest.fixture
def clips(tmp_path):
    paths = [tmp_path / f"clip{number}.npy" for number in range(3)]
    ramp = np.linspace(0, 200, 9 * 24 * 24 * 3).reshape(9, 24, 24, 3)
    for number, path in enumerate(paths):
        noise = np.random.default_rng(number).integers(0, 20, ramp.shape)
        np.save(path, (ramp + noise).astype(np.uint8))
    return paths


@pytest.fixture
def both(clips, tmp_path):
    """The same crops as arrays and compressed."""
    return [
        prepare_crops(clips, tmp_path / name, SMALL, compressed=name == "compressed")
        for name in ("arrays", "compressed")
    ]


def test_they_are_the_same_crops_in_fewer_bytes(both):
    arrays, compressed = both
    assert (len(arrays), arrays.compressed, compressed.compressed) == (12, False, True)
    for index in range(12):
        np.testing.assert_array_equal(compressed[index], arrays[index])
    assert compressed.size < 0.8 * arrays.size


def test_a_run_of_training_sees_the_same_windows(both):
    draw = Draw(batch=6, frames=3, side=8, reverse=True)
    for step in range(4):
        one, other = (draw_batch(crops, draw, seed=3, step=step, indices=range(6)) for crops in both)
        np.testing.assert_array_equal(one, other)


def test_a_window_has_its_own_frames(both):
    for crops in both:
        np.testing.assert_array_equal(crops.window(7, 2, 3), crops[7][2:5])
        for first, frames in ((-1, 2), (3, 3), (0, 0)):
            with pytest.raises(IndexError, match="of 5"):
                crops.window(7, first, frames)


def test_an_interrupted_preparation_goes_on_to_the_same_bytes(clips, tmp_path, both):
    def stop(done):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_crops(clips, tmp_path / "again", SMALL, compressed=True, on_clip=stop)
    prepare_crops(clips, tmp_path / "again", SMALL, compressed=True)
    for path in (tmp_path / "compressed").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_arrays_and_compressed_crops_are_two_preparations(clips, tmp_path, both):
    with pytest.raises(OutputError, match="its crops are not compressed"):
        prepare_crops(clips, tmp_path / "arrays", SMALL, compressed=True)
    with pytest.raises(OutputError, match="its crops are compressed"):
        prepare_crops(clips, tmp_path / "compressed", SMALL)
    prepare_crops(clips, tmp_path / "arrays", SMALL, compressed=True, force=True)
    assert not list((tmp_path / "arrays").glob("*.npy"))


def test_every_flipped_byte_and_every_cut_is_named(tmp_path):
    block = np.random.default_rng(0).integers(0, 256, (2, 2, 3, 4, 3), np.uint8)
    path = tmp_path / "crops-00000.crops"
    with path.open("wb") as file:
        write_block(file, block)
    whole = path.read_bytes()

    def read():
        shard = CompressedBlock(path, block.shape)
        return np.stack([shard.frames(crop, 0, 2) for crop in range(2)])

    path.write_bytes(whole)
    np.testing.assert_array_equal(read(), block)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        with pytest.raises(VideoError, match=r"crops-00000\.crops is damaged"):
            read()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(VideoError, match="is damaged"):
            read()
    path.write_bytes(whole)
    with pytest.raises(VideoError, match="no crops of"):
        CompressedBlock(path, (2, 2, 4, 4, 3))
