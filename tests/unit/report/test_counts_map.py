"""Pictures of maps of counts."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tubelet.bitstream import TubeReader
from tubelet.errors import OptionError, OutputError
from tubelet.report.counts_map import CountsMap, draw_maps, read_maps

GOLDEN = Path(__file__).parents[2] / "golden"

needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="an extra: tubelet[plots]")

MAP = CountsMap(
    part="latent",
    permitted=(0, 1, 2, 4, 64),
    mean=np.array([[0.0, 0.5, 3.0], [64.0, 2.0, 1.0]]),
    steps={0: np.array([[0, 0, 4], [64, 2, 1]]), 3: np.array([[0, 1, 2], [64, 2, 1]])},
    shape=(8, 8),
)


def test_the_map_is_that_of_the_chunks():
    with TubeReader(GOLDEN / "version3.tube") as reader:
        (found,) = read_maps(reader, GOLDEN)
        counts = np.concatenate([reader.read_chunk(number).parts[0].counts for number in range(3)])
    assert (found.part, found.permitted, found.shape) == ("whole", (0, 1, 3), (8, 8))
    np.testing.assert_allclose(found.mean, counts.mean(axis=0))
    assert list(found.steps) == list(range(6))
    for step, each in found.steps.items():
        assert np.array_equal(each, counts[step])


def test_a_file_without_a_map_is_named_with_its_cure():
    with (
        TubeReader(GOLDEN / "version1.tube") as reader,
        pytest.raises(OptionError, match=r"old\.tube has no map .*\(3\).*--budget"),
    ):
        read_maps(reader, Path("old.tube"))


@needs_matplotlib
def test_colours_tell_counts_apart(tmp_path):
    """Pictures of the lowest and of the highest count differ in their colours, from dark to light."""
    imread = pytest.importorskip("matplotlib.image").imread
    levels = []
    for count in MAP.permitted:
        still = np.full((2, 3), count)
        draw_maps([replace(MAP, mean=still.astype(float), steps={0: still})], tmp_path / f"{count}.png")
        picture = imread(tmp_path / f"{count}.png")[..., :3]
        levels.append(picture[picture.shape[0] // 2, picture.shape[1] // 4].mean())
    assert np.all(np.diff(levels) > 0.05)


@needs_matplotlib
@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_any_number_of_steps_and_parts_is_drawn_the_same_each_time(tmp_path, count):
    steps = dict.fromkeys(range(count), MAP.steps[0])
    maps = [replace(MAP, steps=steps), replace(MAP, part="$x_", steps=steps)]
    draw_maps(maps, tmp_path / "one.svg")
    draw_maps(maps, tmp_path / "two.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@needs_matplotlib
def test_targets_are_those_of_every_command(tmp_path):
    with pytest.raises(OptionError, match="ends in"):
        draw_maps([MAP], tmp_path / "map.gif")
    draw_maps([MAP], tmp_path / "map.png")
    with pytest.raises(OutputError, match="exists"):
        draw_maps([MAP], tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
