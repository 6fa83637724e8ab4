"""Rendered scenes: what is drawn is what is said, at any size and from any frame on."""

import tracemalloc
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from tubelet.data.scenes import (
    COLOURS,
    DIRECTIONS,
    SHAPES,
    Appearance,
    Camera,
    Ground,
    Motion,
    Scene,
    SceneOptions,
    Thing,
    draw_scene,
    is_held_out,
    scene_at,
)
from tubelet.data.scenes.grounds import check_photographs
from tubelet.data.scenes.parts import NAMES
from tubelet.data.scenes.shapes import EXTENT, distance_of
from tubelet.errors import OptionError

ALL = SceneOptions(
    things=(1, 3), kinds=("shape", "letter", "digit"), grounds=("plain", "gradient", "photograph"), pan=0.5
)


def one(motion: Motion, appearance: Appearance | None = None, **scene) -> Scene:
    return Scene(things=(Thing(appearance=appearance or Appearance(), motion=motion),), **scene)


def middles(scene: Scene) -> np.ndarray:
    """Where the mass of the first thing is in each frame, in pixels: x and y."""
    masks = scene.masks()[:, 0].astype(np.float64)
    y, x = np.mgrid[: scene.height, : scene.width] + 0.5
    mass = masks.sum(axis=(1, 2))
    return np.stack([(masks * x).sum(axis=(1, 2)) / mass, (masks * y).sum(axis=(1, 2)) / mass], axis=1)


@pytest.mark.parametrize("index", range(6))
def test_the_same_seed_gives_the_same_frames_and_another_gives_others(index):
    first, again = (scene_at(index, seed=3, options=ALL) for _ in range(2))
    assert first == again
    assert (first.frames() == again.frames()).all()
    assert scene_at(index, seed=4, options=ALL) != first


@pytest.mark.parametrize("index", range(8))
def test_any_run_of_frames_is_that_run_of_the_whole(index):
    scene = scene_at(index, seed=1, options=ALL)
    whole, masks = scene.frames(), scene.masks()
    for start, stop in ((0, 1), (5, 6), (7, 20), (32, 33), (9, 9), (33, 33)):
        assert (scene.frames(start, stop) == whole[start:stop]).all()
        assert (scene.masks(start, stop) == masks[start:stop]).all()


@pytest.mark.parametrize("pixels", [64 * 64 * 3, 64 * 7, 1])
def test_frames_that_are_drawn_in_several_runs_or_bands_are_those_of_one(monkeypatch, pixels):
    scene = scene_at(2, seed=1, options=replace(ALL, frames=9))
    whole, truth = scene.frames(), scene.truth()
    monkeypatch.setattr("tubelet.data.scenes.scene._PIXELS_AT_ONCE", pixels)
    assert (scene.frames() == whole).all()
    assert scene.truth() == truth


@pytest.mark.parametrize("ground", ["plain", "gradient", "photograph"])
def test_a_large_frame_is_drawn_in_little_memory(monkeypatch, ground):
    monkeypatch.setattr("tubelet.data.scenes.scene._PIXELS_AT_ONCE", 1 << 14)
    scene = scene_at(0, options=replace(ALL, height=512, width=512, frames=1, grounds=(ground,)))
    scene.frames()  # what is kept of a photograph
    tracemalloc.start()
    try:
        size = scene.frames().nbytes
        scene.truth()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size + 4e6  # a whole frame takes more than 40 bytes a pixel beside it: 10e6


@pytest.mark.parametrize(("height", "width", "frames"), [(1, 1, 1), (7, 3, 2), (64, 200, 5), (130, 65, 3)])
def test_any_size_and_length(height, width, frames):
    options = replace(ALL, height=height, width=width, frames=frames)
    for index in range(4):
        scene = scene_at(index, options=options)
        assert scene.frames().shape == (frames, height, width, 3)
        assert scene.masks().shape == (frames, len(scene.things), height, width)
        assert all(len(thing.trajectory) == frames for thing in scene.truth().things)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_thing_goes_where_its_truth_says_between_pixels_too(direction):
    scene = one(Motion(direction=direction, speed=0.25), Appearance(name="square"))
    said = np.array([(place.x, place.y) for place in scene.truth().things[0].trajectory])
    assert np.abs(middles(scene) - said).max() < 0.02
    moved = said[-1] - said[0]
    assert np.allclose(moved, np.array(DIRECTIONS[direction]) * 0.25 * 64 * 32 / 24, atol=1e-3)


def test_a_scene_looks_alike_at_any_size_and_frame_rate():
    scene = scene_at(0, seed=9, options=SceneOptions(pan=0.0))
    large = replace(scene, height=128, width=128)
    halves = large.masks().reshape(33, 1, 64, 2, 64, 2).mean(axis=(3, 5))
    assert np.abs(halves - scene.masks()).mean() < 0.004
    slow = replace(scene, fps=12.0, count=17)
    assert (slow.frames() == scene.frames()[::2]).all()


def test_a_thing_turns_back_at_the_edges_and_stays_inside():
    margin = 0.13
    scene = one(Motion(direction="down-right", speed=1.1, bounce=True, margin=margin), count=200)
    said = np.array([(place.x, place.y) for place in scene.truth().things[0].trajectory])
    assert said.min() >= margin * 64 - 1e-3
    assert said.max() <= (1 - margin) * 64 + 1e-3
    assert np.abs(middles(scene) - said).max() < 0.02
    assert scene.truth().things[0].bounces
    assert not one(Motion(speed=0.1, bounce=True)).truth().things[0].bounces


def test_one_thing_hides_another_in_front_of_which_it_is():
    behind = Thing(appearance=Appearance(colour="blue", size=0.1), motion=Motion(speed=0.0))
    front = Thing(appearance=Appearance(colour="red", size=0.2), motion=Motion(x=-0.5, speed=0.75))
    scene = Scene(things=(behind, front), count=33)
    seen = [place.visible for place in scene.truth().things[0].trajectory]
    assert seen[0] > 0.99
    assert min(seen) < 0.01
    assert (scene.masks().sum(axis=1) <= 1 + 1e-6).all()
    hidden = int(np.argmin(seen))
    assert tuple(scene.frames()[hidden, 32, 32]) == COLOURS["red"]
    assert tuple(replace(scene, things=(front, behind)).frames()[hidden, 32, 32]) == COLOURS["blue"]


def test_a_panning_camera_moves_the_ground_and_what_lies_on_it_alike():
    still = one(
        Motion(speed=0.0),
        ground=Ground(kind="gradient", colours=("black", "white")),
        camera=Camera(direction="left", speed=0.25),
    )
    frames = still.frames().astype(int)
    assert np.allclose(middles(still)[24] - middles(still)[0], (16.0, 0.0), atol=0.02)
    assert np.abs(frames[24, :8, 16:] - frames[0, :8, :-16]).max() <= 1
    assert frames[0, 0].std() > 10


def test_a_thing_turns_and_grows_as_it_says():
    turned = one(Motion(speed=0.0, spin=0.25), Appearance(name="triangle", size=0.3), count=25)
    first, quarter = turned.masks()[0, 0], turned.masks()[24, 0]
    assert np.abs(np.rot90(first, -1) - quarter).max() < 1e-3  # clockwise
    grown = one(Motion(speed=0.0, growth=np.log(1.5)), Appearance(name="square", size=0.2), count=25)
    area = grown.masks().sum(axis=(2, 3))[:, 0]
    assert abs(area[24] / area[0] - 1.5**2) < 0.01


def test_a_part_that_is_replaced_changes_nothing_else():
    a, b = (scene_at(index, seed=2, options=SceneOptions(combinations="all", pan=0.0)) for index in (0, 1))
    (thing,), (other,) = a.things, b.things
    swapped = replace(a, things=(replace(thing, motion=other.motion),))
    said, moved, looks = (scene.truth().things[0] for scene in (swapped, b, a))
    assert [(place.x, place.y) for place in said.trajectory] == [
        (place.x, place.y) for place in moved.trajectory
    ]
    assert (said.name, said.colour, said.direction) == (looks.name, looks.colour, moved.direction)
    hidden = swapped.masks().sum(axis=1) > 0
    assert (swapped.frames()[~hidden] == replace(a, things=(other,)).frames()[~hidden])[
        ~(b.masks().sum(axis=1) > 0)[~hidden]
    ].all()


@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind != "emoji"])
def test_shapes_have_smooth_edges_and_stay_inside_their_extent(kind):
    y, x = np.mgrid[-1.5:1.5:301j, -1.5:1.5:301j].astype(np.float32)
    seen = []
    for name in NAMES[kind]:
        away = distance_of(kind, name)(x, y)
        assert (away[np.hypot(x, y) > EXTENT] > 0).all(), name
        assert 0.05 < (away < 0).mean() * 9 < 3.5, name
        slope = np.hypot(*np.gradient(away, 0.01))
        near = np.abs(away) < 0.03
        assert abs(np.median(slope[near]) - 1) < 0.02, name
        seen.append(away < 0)
    for at, shape in enumerate(seen):
        for other in seen[:at]:
            assert (shape != other).mean() > 0.005


def test_a_tenth_of_the_combinations_is_held_out_and_stays_so():
    def thing(colour: str, name: str, direction: str) -> Thing:
        return Thing(appearance=Appearance(colour=colour, name=name), motion=Motion(direction=direction))

    held_out = [
        (colour, name, direction)
        for colour in COLOURS
        for name in SHAPES
        for direction in DIRECTIONS
        if is_held_out(thing(colour, name, direction))
    ]
    assert 0.07 < len(held_out) / (len(COLOURS) * len(SHAPES) * len(DIRECTIONS)) < 0.13
    assert held_out[:2] == [("red", "circle", "down"), ("red", "square", "up")]
    assert sha256(repr(held_out).encode()).hexdigest()[:12] == "0ff2ce3b7c0a"


@pytest.mark.parametrize("combinations", ["seen", "held-out"])
def test_only_the_combinations_asked_for_are_drawn(combinations):
    options = SceneOptions(things=(1, 3), combinations=combinations)
    for index in range(30):
        scene = scene_at(index, options=options)
        assert all(is_held_out(thing) == (combinations == "held-out") for thing in scene.things)
        assert scene.held_out == scene.truth().held_out == (combinations == "held-out")


def test_only_the_words_asked_for_are_drawn():
    options = SceneOptions(
        things=(2, 2), grounds=("plain",), colours=("red", "white", "cyan"), shapes=("ring", "cross"),
        directions=("up", "down-left"), sizes=("large",), ground_colours=("black", "gray"),
        combinations="seen",
    )  # fmt: skip
    for index in range(20):
        scene = scene_at(index, options=options)
        assert scene.ground.colours[0] in options.ground_colours
        for each in scene.truth().things:
            assert each.colour in options.colours
            assert each.name in options.shapes
            assert each.direction in ("", *options.directions)
            assert each.size == "large"


def test_words_without_a_combination_that_is_wanted_are_refused():
    words = {"colours": ("red",), "shapes": ("circle",), "directions": ("up",)}
    assert scene_at(0, options=SceneOptions(combinations="seen", **words)).things
    with pytest.raises(OptionError, match="0 of the colours red have a combination"):
        scene_at(0, options=SceneOptions(combinations="held-out", **words))


def test_things_stay_in_the_frame_and_stand_out_from_a_plain_ground():
    options = SceneOptions(grounds=("plain",))
    generator = np.random.default_rng(0)
    for _ in range(40):
        scene = draw_scene(generator, options)
        truth = scene.truth().things[0]
        assert min(place.visible for place in truth.trajectory) > 0
        assert all(-0.1 <= place.x <= 64.1 and -0.1 <= place.y <= 64.1 for place in truth.trajectory)
        inside = scene.masks()[0, 0] == 1
        apart = scene.frames()[0].astype(float) - scene.frames()[0, ~inside][0]
        assert (np.linalg.norm(apart, axis=-1)[inside] > 140).all()


def test_scenes_are_drawn_in_a_balanced_way():
    scenes = [scene_at(index, options=SceneOptions(still=0.0)) for index in range(300)]
    for name in DIRECTIONS:
        share = np.mean([scene.things[0].motion.direction == name for scene in scenes])
        assert 0.06 < share < 0.2
    speeds = [scene.truth().things[0].speed for scene in scenes[:100]]
    assert all(0.2 < speeds.count(name) / 100 < 0.5 for name in ("slow", "medium", "fast"))


def test_without_scikit_image_only_photographs_are_refused(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage", None)
    with pytest.raises(OptionError, match=r"scikit-image, which is not installed; run .*tubelet\[scenes\]"):
        check_photographs()
    assert scene_at(0).frames().shape == (33, 64, 64, 3)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Appearance(colour="mauve"), "the colour of a thing is 'mauve'; it is one of red,"),
        (lambda: Appearance(kind="letter", name="circle"), "a letter is 'circle'; it is one of B,"),
        (lambda: Motion(direction="north"), "a direction is 'north'"),
        (lambda: Motion(speed=float("nan")), "a speed is nan"),
        (lambda: Ground(kind="gradient", colours=("gray",)), "1 colours; it takes 2"),
        (lambda: Scene(height=0), "the height of a scene is 0"),
        (lambda: Scene(things=()), "a scene has 0 things"),
        (lambda: Scene().frames(3, 99), "frames 3 to 99 were asked for; the scene has 0 to 33"),
        (lambda: SceneOptions(still=1.5), "the share still is 1.5"),
        (lambda: SceneOptions(kinds=()), "no kind of things were given"),
        (lambda: SceneOptions(things=(2, 1)), "2 to 1 things"),
        (lambda: SceneOptions(things=(1, 2), colours=("red",)), "the number of things is 2"),
        (lambda: SceneOptions(shapes=("blob",)), "a shape of things is 'blob'"),
        (lambda: SceneOptions(ground_colours=("gray",)), "a gradient has two colours"),
    ],
)
def test_what_has_no_meaning_is_refused(make, match):
    with pytest.raises(OptionError, match=match):
        make()
