"""Things told from pixels: what rendered scenes show, without any trained network."""

from collections import deque
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from tubelet.checkpoint import load
from tubelet.data.scenes import Appearance, Ground, Motion, Scene, SceneOptions, Thing, scene_at
from tubelet.generate.evaluation.evaluate import check_clip_of
from tubelet.generate.evaluation.parse import parse_clip
from tubelet.generate.evaluation.regions import ground_of, label_regions
from tubelet.generate.scenes import SceneData
from tubelet.video.pixels import from_model, to_model

DATA = SceneData(seed=77)


def thing(x=0.0, y=0.0, *, name="circle", colour="red", size=0.15, **motion):
    return Thing(
        appearance=Appearance(name=name, colour=colour, size=size), motion=Motion(x=x, y=y, **motion)
    )


def parsed(*things, ground=("gray",), **further):
    kind = "plain" if len(ground) == 1 else "gradient"
    scene = Scene(count=17, things=things, ground=Ground(kind=kind, colours=ground), **further)
    return parse_clip(scene.frames(), fps=scene.fps)


def test_rendered_scenes_are_told_right():
    for scene in islice(DATA.all_scenes("all"), 12):
        assert check_clip_of(parse_clip(scene.frames(), fps=DATA.fps), scene.things).all_right, scene.caption


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", [None, "tubelet-m16"])
def test_99_of_100_rendered_scenes_are_told_right(tokenizer):
    known = None if tokenizer is None else load(tokenizer)
    data = replace(DATA, shapes=("circle", "square", "triangle", "star", "cross", "ring"))
    scenes = list(islice(data.all_scenes("all"), 300))
    right = []
    for scene in scenes:
        frames = scene.frames()
        if known is not None:
            with torch.inference_mode():
                frames = from_model(known(to_model(frames)))
        right.append(check_clip_of(parse_clip(frames, fps=data.fps), scene.things).right)
    for name in right[0]:
        least = 0.99 if known is None else 0.9
        assert np.mean([each[name] for each in right]) >= least, name


@pytest.mark.parametrize(
    ("direction", "speed"), [("right", 0.25), ("up-left", 0.4), ("down", 0.5), ("up-right", 0.2)]
)
def test_direction_and_speed_are_those_of_the_motion(direction, speed):
    (found,) = parsed(thing(direction=direction, speed=speed), fps=30.0)
    assert found.direction == direction
    assert abs(found.speed - speed) < 0.03 * speed
    assert found.seen == 1


def test_frames_per_second_make_the_speed():
    scene = Scene(count=17, fps=12.0, things=(thing(speed=0.2),))
    (once,), (twice,) = (parse_clip(scene.frames(), fps=fps) for fps in (12.0, 24.0))
    assert twice.speed == pytest.approx(2 * once.speed)
    assert (once.speed_name, twice.speed_name) == ("slow", "medium")


def test_what_stays_has_no_direction():
    (found,) = parsed(thing(speed=0.0))
    assert (found.direction, found.speed_name) == ("", "")


def test_two_things_are_told_apart():
    found = parsed(
        thing(-0.25, -0.2, direction="right"),
        thing(0.25, 0.2, name="square", colour="white", direction="up", speed=0.25, size=0.12),
        fps=30.0,
    )
    assert [(each.colour, each.shape, each.direction) for each in found] == [
        ("red", "circle", "right"),
        ("white", "square", "up"),
    ]


def test_an_empty_clip_holds_nothing():
    for level in (0, 128, 255):
        assert parse_clip(np.full((5, 32, 32, 3), level, np.uint8), fps=24.0) == []
    noise = np.random.default_rng(0).integers(100, 112, (5, 32, 32, 3), dtype=np.uint8)
    assert parse_clip(noise, fps=24.0) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (64, 3)])
def test_any_size_is_read(size):
    for frames in (1, 3):
        clip = np.random.default_rng(0).integers(0, 256, (frames, *size, 3), dtype=np.uint8)
        assert isinstance(parse_clip(clip, fps=24.0), list)


def test_things_over_a_gradient_are_found():
    (found,) = parsed(thing(colour="yellow", name="cross", direction="down"), ground=("black", "dark blue"))
    assert (found.colour, found.shape, found.direction) == ("yellow", "cross", "down")


def test_a_thing_in_the_corner_does_not_change_the_ground():
    scene = Scene(
        count=9, things=(thing(-0.45, -0.45, size=0.3, speed=0.0),), ground=Ground(colours=("gray",))
    )
    assert np.abs(ground_of(scene.frames()) - 128).max() < 4


def test_regions_are_those_of_a_flood(draw):
    mask = (draw(1, 1, 1, 9, 12, seed=4)[0, 0, 0] > 0.2).numpy()
    labels = label_regions(mask)
    assert (labels > 0).tolist() == mask.tolist()
    seen = np.zeros_like(mask)
    for start in zip(*np.nonzero(mask), strict=True):
        if seen[start]:
            continue
        flood, waiting = {start}, deque([start])
        while waiting:
            row, column = waiting.popleft()
            for at in ((row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
                inside = 0 <= at[0] < mask.shape[0] and 0 <= at[1] < mask.shape[1]
                if inside and mask[at] and at not in flood:
                    flood.add(at)
                    waiting.append(at)
        seen[tuple(zip(*flood, strict=True))] = True
        assert {tuple(map(int, place)) for place in np.argwhere(labels == labels[start])} == {
            tuple(map(int, place)) for place in flood
        }


def test_scenes_of_all_kinds_are_read_without_failing():
    options = SceneOptions(things=(1, 3), kinds=("shape", "letter", "digit"), frames=9)
    for index in range(6):
        assert isinstance(parse_clip(scene_at(index, options=options).frames(), fps=24.0), list)


def test_scenes_of_two_things_that_never_touch_are_told_right():
    scenes = list(islice(replace(DATA, things=2).all_scenes("all"), 10))
    assert all(scene.least_gap > 0 for scene in scenes)
    for scene in scenes:
        assert check_clip_of(parse_clip(scene.frames(), fps=DATA.fps), scene.things).all_right, scene.caption


def test_scenes_have_as_many_things_as_were_asked_for():
    scenes = islice(replace(DATA, things=3, least_things=2).all_scenes("seen"), 40)
    assert {len(scene.things) for scene in scenes} == {2, 3}
