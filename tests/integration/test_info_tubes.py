"""`tubelet info` of a .tube file: where the bytes went, and the map of counts."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from commands import refused

from tubelet.bitstream import TubeReader
from tubelet.codec.encode import encode_file

GOLDEN = Path(__file__).parents[1] / "golden"

needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="an extra: tubelet[plots]")


@pytest.fixture
def told(cli):
    """What is told about a file, the same to people and to programs."""

    def tell(path):
        facts = json.loads(cli("info", path, "--json").out)
        assert [line.split()[0] for line in cli("info", path).out.splitlines()] == list(facts)
        return facts

    return tell


@pytest.fixture
def budget_tube(video_file, small_folder, tmp_path):
    encode_file(video_file(frames=17), tmp_path / "a.tube", tokenizer=small_folder, budget=2)
    return tmp_path / "a.tube"


def sizes_of(facts):
    return {name: each for name, each in facts.items() if name.startswith("bytes_")}


@pytest.mark.parametrize("name", ["version1", "version2", "version3", "version3-prior", "version3-tokens"])
def test_the_bytes_are_all_told_and_percent_are_a_hundred(told, name):
    facts = told(GOLDEN / f"{name}.tube")
    sizes = sizes_of(facts)
    assert sum(each["bytes"] for each in sizes.values()) == facts["bytes"]
    assert sum(each["percent"] for each in sizes.values()) == pytest.approx(100, abs=0.01 * len(sizes))
    assert ("bytes_map" in sizes) == (name.startswith("version3"))


def test_channels_are_told_by_groups(told, budget_tube):
    facts = told(budget_tube)
    groups = ["channel_0", "channel_1", "channels_2_to_3", "channels_4_to_7", "channels_8_to_11"]
    framing = ["header", "heads", "map"]
    expected = [f"bytes_{name}" for name in [*framing, *groups, "audio", "index"]]
    assert list(sizes_of(facts)) == expected


def test_the_map_is_told_in_the_mean(told, budget_tube):
    facts = told(budget_tube)
    with TubeReader(budget_tube) as reader:
        counts = np.concatenate([reader.read_chunk(each.number).parts[0].counts for each in reader.chunks])
    assert facts["mean_channels"] == pytest.approx(counts.mean(), abs=1e-4)
    assert facts["nothing_stored_percent"] == pytest.approx(100 * (counts == 0).mean(), abs=0.01)


def test_a_file_of_several_parts_is_told_part_by_part(told):
    facts = told(GOLDEN / "version3.tube")
    assert [part["name"] for part in facts["parts"]] == ["whole", "fine", "wide"]
    assert ["mean_channels" in part for part in facts["parts"]] == [True, False, False]
    assert "bytes_fine_channel_1" in facts


def test_what_needs_a_prior_that_is_not_here_is_left_open(cli):
    ended = cli("info", GOLDEN / "version3-prior.tube", "--json")
    facts = json.loads(ended.out)
    assert (ended.code, facts["prior"], facts["mean_channels"]) == (0, "toy", None)
    assert facts["bytes_group_1"]["bytes"] > 0


def test_damage_inside_is_told_and_the_rest_too(cli, budget_tube):
    with TubeReader(budget_tube) as reader:
        entry = reader.chunks[0]
        lengths = [each.length for each in reader.head(0).parts[0].segments]
    data = bytearray(budget_tube.read_bytes())
    data[entry.offset + entry.record_bytes - sum(lengths)] ^= 1  # in the map
    budget_tube.write_bytes(data)
    ended = cli("info", budget_tube, "--json")
    assert ended.code == 1
    assert "checksum" in ended.err
    assert json.loads(ended.out)["mean_channels"] is None


def test_what_is_cut_off_is_told(cli, budget_tube):
    budget_tube.write_bytes(budget_tube.read_bytes()[:-7])
    ended = cli("info", budget_tube, "--json")
    facts = json.loads(ended.out)
    assert (ended.code, facts["complete"]) == (1, False)
    assert sum(each["bytes"] for each in sizes_of(facts).values()) == facts["bytes"]
    assert facts["bytes_unread"]["bytes"] > 0


@needs_matplotlib
def test_the_map_is_drawn(cli, budget_tube, tmp_path):
    target = tmp_path / "map.png"
    ended = cli("info", budget_tube, "--map", target)
    assert (ended.code, ended.err) == (0, "")
    assert target.read_bytes().startswith(b"\x89PNG")
    assert ended.out.splitlines()[-1].split() == ["map", str(target)]
    assert refused(cli("info", budget_tube, "--map", target), 1, "--force")
    assert cli("info", budget_tube, "--map", target, "--force").code == 0


def test_maps_that_cannot_be_drawn_are_refused(cli, video_file, budget_tube, tmp_path):
    plain = tmp_path / "plain.tube"
    shutil.copy(GOLDEN / "version1.tube", plain)
    target = tmp_path / "map.png"
    assert refused(cli("info", plain, "--map", target), 2, "no map of counts", "--budget")
    assert refused(cli("info", video_file(), "--map", target), 2, "not a .tube file")
    assert refused(cli("info", budget_tube, "--map", tmp_path / "map.gif"), 2, "ends in")
    assert refused(cli("info", budget_tube, "--map", budget_tube, "--force"), 2)
    assert not target.exists()


@pytest.mark.parametrize("name", ["version1", "version2", "version3"])
def test_a_check_reads_every_chunk_and_names_what_is_damaged(cli, tmp_path, name):
    whole = (GOLDEN / f"{name}.tube").read_bytes()
    path = tmp_path / "a.tube"
    path.write_bytes(whole)
    sound = cli("info", path, "--check", "--json")
    assert (sound.code, json.loads(sound.out)["damage"]) == (0, None)
    with TubeReader(path) as reader:
        entry, last = reader.chunks[-1], len(reader.chunks) - 1
    damaged = bytearray(whole)
    damaged[entry.offset + entry.record_bytes - 1] ^= 1
    path.write_bytes(damaged)
    ended = cli("info", path, "--check", "--json")
    assert ended.code == 1
    damage = json.loads(ended.out)["damage"]
    assert f"of chunk {last} does not match its checksum" in damage
    assert damage in " ".join(ended.err.split())


def test_only_what_can_be_read_through_is_checked(cli, small_folder):
    assert refused(cli("info", small_folder, "--check"), 2, "--check reads", "`tubelet dataset verify`")
