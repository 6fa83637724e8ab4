"""Crops go through one small file to another machine, and are crops again there."""

import json
import sys
import tarfile
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from tubelet.data.crops import FORMAT, INDEX, Clip, Cut, open_crops, shard_name
from tubelet.errors import OptionError, OutputError, VideoError
from tubelet.metrics.psnr import ClipPSNR

SCRIPTS = Path(__file__).parents[2] / "scripts" / "gpu"
SIDE, FRAMES = 32, 5


@pytest.fixture(scope="module")
def scripts():
    """The modules of the scripts, which import one another as they do when they are started."""
    pytest.importorskip("PIL", minversion="11.3")
    sys.path.insert(0, str(SCRIPTS))
    yield import_module("pack"), import_module("unpack")
    sys.path.remove(str(SCRIPTS))
    for name in ("pack", "unpack"):
        sys.modules.pop(name)


@pytest.fixture
def data(tmp_path):
    """Crops of three clips: two of the first, none of the second, one of the third."""
    folder = tmp_path / "data"
    folder.mkdir()
    clips = []
    for number, count in enumerate((2, 0, 1)):
        cuts = tuple(Cut(first=i, stride=1, scale=1.0, row=2 * number, column=3) for i in range(count))
        skipped = "" if count else "it has 1 frames; a crop takes 5"
        clips.append(Clip(name=f"{number}.mp4", size=100, cuts=cuts, skipped=skipped))
        if count:
            np.save(folder / shard_name(number), np.stack([moving_pattern(number, i) for i in range(count)]))
    write_index(folder, clips)
    return folder


def write_index(folder, clips, seed=0):
    settings = {"crop": SIDE, "frames": FRAMES, "per_clip": 4, "seed": seed}
    content = {"format": FORMAT, "settings": settings, "clips": [asdict(clip) for clip in clips]}
    (folder / INDEX).write_text(json.dumps(content))


def moving_pattern(clip, crop):
    rows, columns = np.mgrid[:SIDE, :SIDE]
    waves = [np.sin((rows * (1 + clip) + columns * (1 + crop) + 2 * frame) / 7) for frame in range(FRAMES)]
    grey = np.stack(waves)[..., None] * [90, 60, -80]
    return (128 + grey).astype(np.uint8)


def run(module, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
    module.main()


def psnr(one, other):
    measure = ClipPSNR()
    measure.update(np.asarray(one), np.asarray(other))
    return measure.compute()


def test_unpacked_crops_are_the_packed_ones(data, tmp_path, scripts, monkeypatch, capsys):
    pack, unpack = scripts
    run(pack, monkeypatch, data, "-o", tmp_path / "pack.bin", "--jobs", 2)
    assert "3 crops of 2 clips" in capsys.readouterr().out
    run(unpack, monkeypatch, tmp_path / "pack.bin", "-o", tmp_path / "again")
    before, after = open_crops(data), open_crops(tmp_path / "again")
    assert after.settings == before.settings
    assert after.clips == before.clips
    assert not after.skipped
    assert min(psnr(one, other) for one, other in zip(before, after, strict=True)) >= pack.LEAST_PSNR


def test_every_clip_goes_in_before_any_goes_in_twice(data, scripts):
    pack, _ = scripts
    crops = open_crops(data)
    assert [crops.clip_of(index) for index in pack.rounds(crops)] == [0, 1, 0]


def test_what_does_not_fit_goes_into_a_further_pack(data, tmp_path, scripts, monkeypatch, capsys):
    pack, unpack = scripts
    crops = open_crops(data)
    sizes = [len(pack.encode_crop(crops[index]).content) for index in pack.rounds(crops)]
    room = sum(sizes[:2]) + 2 * pack.MEMBER_BYTES + pack.TAR_BYTES + (data / INDEX).stat().st_size
    one, two = tmp_path / "one.bin", tmp_path / "two.bin"
    run(pack, monkeypatch, data, "-o", one, "--megabytes", room / 1e6)
    assert "2 crops of 2 clips" in (said := capsys.readouterr().out)
    assert "--skip 2" in said
    assert one.stat().st_size <= room
    run(pack, monkeypatch, data, "-o", two, "--skip", 2)
    unpack.unpack([one], tmp_path / "first")
    assert [len(clip.cuts) for clip in open_crops(tmp_path / "first").clips] == [1, 1]
    unpack.unpack([two, one], tmp_path / "both")
    assert open_crops(tmp_path / "both").clips == crops.clips


def test_packs_of_other_crops_do_not_mix(data, tmp_path, scripts, monkeypatch):
    pack, unpack = scripts
    run(pack, monkeypatch, data, "-o", tmp_path / "one.bin")
    write_index(data, [*open_crops(data).clips[:1]], seed=1)
    run(pack, monkeypatch, data, "-o", tmp_path / "two.bin")
    with pytest.raises(OptionError, match="2 different indices"):
        unpack.unpack([tmp_path / "one.bin", tmp_path / "two.bin"], tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_damaged_pack_is_named(data, tmp_path, scripts, monkeypatch):
    pack, unpack = scripts
    path = tmp_path / "pack.bin"
    run(pack, monkeypatch, data, "-o", path)
    with tarfile.open(path) as tar:
        place = tar.getmembers()[1].offset_data
    whole = path.read_bytes()
    path.write_bytes(whole[:place] + bytes(64) + whole[place + 64 :])
    with pytest.raises(VideoError, match="does not decode"):
        unpack.unpack([path], tmp_path / "again")
    path.write_bytes(b"no tar")
    with pytest.raises(VideoError, match="is damaged"):
        unpack.unpack([path], tmp_path / "another")


def test_a_folder_that_is_there_is_left_alone(data, tmp_path, scripts, monkeypatch):
    pack, unpack = scripts
    run(pack, monkeypatch, data, "-o", tmp_path / "pack.bin")
    with pytest.raises(OutputError, match="exists"):
        unpack.unpack([tmp_path / "pack.bin"], data)
