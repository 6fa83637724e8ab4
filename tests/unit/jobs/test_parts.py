"""Parts of some work: told apart by what they were made from, whole or not there."""

import math

import pytest

from tubelet.jobs.parts import part_path, parts_beside, read_part, write_part

FACTS = {"clip": {"name": "a.mp4"}, "system": {"name": "one"}}


def test_a_part_comes_back_with_its_infinities_as_text(tmp_path):
    path = part_path(tmp_path, "a.mp4", "one")
    write_part(path, {"made_from": FACTS, "figures": {"psnr_db": math.inf, "ssim": 1.0}})
    part = read_part(path, made_from=FACTS)
    assert part is not None
    assert float(part["figures"]["psnr_db"]) == math.inf
    assert part["figures"]["ssim"] == 1.0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"made_from": {}}', '"text"'])
def test_what_is_not_whole_is_not_there(tmp_path, content):
    path = part_path(tmp_path, "a.mp4", "one")
    assert read_part(path, made_from=FACTS) is None
    path.parent.mkdir()
    path.write_text(content)
    assert read_part(path, made_from=FACTS) is None


def test_names_that_look_alike_have_parts_of_their_own(tmp_path):
    names = [("a/b.mp4", "x"), ("a_b.mp4", "x"), ("a/b.mp4", "y"), ("\udc80.mp4", "x"), ("c" * 500, "x")]
    paths = [part_path(tmp_path, *each) for each in names]
    assert len(set(paths)) == len(paths)
    assert all(len(path.name) < 120 and path.name.isascii() for path in paths)


def test_other_systems_on_the_same_clip_are_found_beside_a_part(tmp_path):
    mine = part_path(tmp_path, "a.mp4", "one")
    others = {
        "two": FACTS | {"system": {"name": "two"}},
        "older": FACTS | {"system": {"name": "two"}, "versions": 1},
    }
    write_part(mine, {"made_from": FACTS})
    for name, made_from in others.items():
        write_part(part_path(tmp_path, "a.mp4", name), {"made_from": made_from, "name": name})
    write_part(part_path(tmp_path, "b.mp4", "two"), {"made_from": FACTS | {"clip": {"name": "b.mp4"}}})
    found = list(parts_beside(mine, made_from=FACTS, apart_from="system"))
    assert [part["name"] for part in found] == ["two"]
