"""Few files of crops are open at a time; which, nobody sees."""

import pickle  # noqa: TID251  of our own objects
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tubelet.data import crop_files
from tubelet.data.crops import open_crops
from tubelet.data.cutting import PrepareConfig
from tubelet.data.prepare import prepare_crops

CLIPS = 7


@pytest.fixture(params=[False, True], ids=["arrays", "compressed"])
def data(request, tmp_path, monkeypatch):
    """Clips with two crops each, of which no more than three are open."""
    monkeypatch.setattr(crop_files, "_OPEN", 3)
    paths = [tmp_path / f"clip{number}.npy" for number in range(CLIPS)]
    for number, path in enumerate(paths):
        np.save(path, np.random.default_rng(number).integers(0, 256, (9, 20, 20, 3), np.uint8))
    config = PrepareConfig(crop=16, frames=5, per_clip=2)
    prepare_crops(paths, tmp_path / "data", config, compressed=request.param)
    return tmp_path / "data"


def open_below(folder: Path) -> int:
    """How many files of a folder this process has open."""
    count = 0
    for opened in Path("/proc/self/fd").iterdir():
        try:
            count += opened.readlink().is_relative_to(folder)
        except OSError:  # the one that the list was read with
            continue
    return count


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists what is open")
def test_no_more_files_are_open_than_systems_allow(data):
    crops = open_crops(data)
    assert open_below(data) <= 3
    for index in range(len(crops)):
        assert crops[index].shape == (5, 16, 16, 3)
        assert open_below(data) <= 3


def test_crops_are_the_same_in_any_order_and_in_threads(data):
    crops = open_crops(data)
    expected = [np.array(crops[index]) for index in range(len(crops))]
    order = np.random.default_rng(0).integers(0, len(crops), 300).tolist()
    with ThreadPoolExecutor(4) as threads:
        for index, crop in zip(order, threads.map(crops.__getitem__, order), strict=True):
            assert np.array_equal(crop, expected[index])


def test_a_crop_that_is_kept_outlives_that_its_file_is_closed(data):
    crops = open_crops(data)
    kept = crops[0]
    before = np.array(kept)
    for index in range(len(crops)):
        _ = crops[index]
    assert np.array_equal(kept, before)


def test_another_process_opens_them_itself(data):
    crops = open_crops(data)
    sent = pickle.dumps(crops)
    assert len(sent) < 20_000
    again = pickle.loads(sent)  # noqa: S301  our own bytes
    assert again.size == crops.size
    assert all(np.array_equal(one, other) for one, other in zip(again, crops, strict=True))
