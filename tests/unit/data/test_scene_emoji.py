"""Emoji in rendered scenes: pictures that move, turn and cover as shapes do."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tubelet.data.scenes import Scene, SceneOptions, scene_at
from tubelet.data.scenes import emoji as module
from tubelet.data.scenes.captions import vocabulary
from tubelet.data.scenes.emoji import EMOJI, FONT_VARIABLE, HALF_SIDE, check_emoji, emoji_picture, sampled
from tubelet.data.scenes.files import scene_from_json, scene_to_json
from tubelet.data.scenes.parts import Appearance, Ground, Motion, Thing
from tubelet.data.scenes.write import write_scenes
from tubelet.errors import OptionError

RED, BLUE = (200, 0, 0), (0, 0, 200)


@pytest.fixture
def picture(monkeypatch) -> Iterator[np.ndarray]:
    """In place of what a font draws: a red left half, a blue right one, and nothing in the upper quarter."""
    side = module._SIDE
    drawn = np.zeros((side, side, 4), np.float32)
    drawn[side // 4 :, : side // 2] = (*RED, 1)
    drawn[side // 4 :, side // 2 :] = (*BLUE, 1)
    monkeypatch.setattr(module, "_font_file", lambda: "made by the test")
    monkeypatch.setattr(module, "_drawn", lambda _name, _file: drawn)
    emoji_picture.cache_clear()
    yield drawn
    emoji_picture.cache_clear()


def a_dog(**motion) -> Scene:
    thing = Thing(
        appearance=Appearance(kind="emoji", name="dog", colour="", size=0.25),
        motion=Motion(speed=0.0) if not motion else Motion(**motion),
    )
    return Scene(height=64, width=64, count=9, things=(thing,), ground=Ground(colours=("black",)))


def test_a_picture_lies_in_its_square(picture):
    frame = a_dog().frames(0, 1)[0].astype(int)
    half = HALF_SIDE * 0.25 * 64
    left, right = int(32 - half / 2), int(32 + half / 2)
    assert np.abs(frame[36, left] - RED).max() <= 1
    assert np.abs(frame[36, right] - BLUE).max() <= 1
    ground = frame[0, 0]
    assert (frame[round(32 - 0.8 * half), left] == ground).all(), "nothing is drawn where nothing covers"
    assert (frame[36, int(32 - half) - 2] == ground).all()


def test_what_covers_half_is_mixed_with_what_is_behind_and_nothing_else(picture):
    """At a border towards nothing there is no third colour: sums are of colours times cover."""
    columns = np.full((1, 1, 1), -0.5, np.float32)
    rows = ((module._SIDE // 4) / (module._SIDE / 2) - 1) * HALF_SIDE
    found = sampled(picture, columns, np.full((1, 1, 1), rows, np.float32))[0, 0, 0]
    assert found[3] == pytest.approx(0.5, abs=0.01)
    assert found[:3] / found[3] == pytest.approx(RED)
    beyond = np.full((1, 1, 1), 1.1, np.float32)
    assert not sampled(picture, beyond, beyond).any()


def test_it_moves_turns_and_grows_as_shapes_do_and_any_part_is_the_same(picture):
    scene = a_dog(speed=0.5, direction="right", x=-0.2, spin=0.5, growth=0.5)
    frames = scene.frames()
    assert np.array_equal(frames[3:6], scene.frames(3, 6))
    half_turn = replace(scene.things[0].motion, speed=0.0, spin=0.0, growth=0.0, x=0.0, angle=0.5)
    still = replace(half_turn, angle=0.0)
    turned, straight = (
        replace(scene, things=(replace(scene.things[0], motion=motion),)).frames(0, 1)[0].astype(int)
        for motion in (half_turn, still)
    )
    assert np.abs(turned - straight[::-1, ::-1]).max() <= 1
    masks = scene.masks()
    assert masks.shape == (9, 1, 64, 64)
    assert masks[-1].sum() > 1.2 * masks[0].sum()


def test_pictures_are_made_small_by_means(picture):
    small, whole = emoji_picture("dog", 16), emoji_picture("dog", 500)
    assert small.shape == (16, 16, 4)
    assert whole.shape == picture.shape
    assert small.mean(axis=(0, 1)) == pytest.approx(picture.mean(axis=(0, 1)))


def test_it_is_said_stored_and_held_out_by_its_name(picture):
    options = SceneOptions(kinds=("emoji",), things=(1, 3), frames=5, still=0.0)
    names = set()
    for index in range(40):
        scene = scene_at(index, options=options)
        assert scene_from_json(scene_to_json(scene)) == scene
        for thing in scene.things:
            assert thing.appearance.colour == ""
            assert f" {thing.appearance.name} " in scene.caption
            names.add(thing.appearance.name)
        assert {truth.kind for truth in scene.truth().things} == {"emoji"}
    assert len(names) > 20
    held = [scene_at(i, options=replace(options, combinations="held-out")).held_out for i in range(5)]
    assert all(held)
    assert set(EMOJI) <= set(vocabulary())


def test_an_emoji_has_no_other_colour_and_a_shape_has_one():
    with pytest.raises(OptionError, match="the colour of an emoji is 'red'; it has its own"):
        Appearance(kind="emoji", name="dog", colour="red")
    with pytest.raises(OptionError, match="the colour of a thing is ''"):
        Appearance(colour="")
    with pytest.raises(OptionError, match="an emoji is 'unicorn'"):
        Appearance(kind="emoji", name="unicorn", colour="")


def test_a_machine_without_a_colour_font_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_FONTS", (str(tmp_path / "none.ttf"),))
    monkeypatch.delenv(FONT_VARIABLE, raising=False)
    with pytest.raises(OptionError, match=r"no such font was found\. Install one, .*fonts-noto-color-emoji"):
        check_emoji()
    monkeypatch.setenv(FONT_VARIABLE, str(tmp_path / "mine.ttf"))
    with pytest.raises(OptionError, match=r"mine\.ttf, which is no file"):
        check_emoji()
    Path(tmp_path / "mine.ttf").write_bytes(b"no font at all")
    with pytest.raises(OptionError, match="is not a font that Pillow reads"):
        write_scenes(tmp_path / "clips", count=1, seed=0, options=SceneOptions(kinds=("emoji",)))
    assert not (tmp_path / "clips").exists()


def test_a_font_of_this_machine_draws_all_of_them():
    try:
        check_emoji()
    except OptionError as error:
        pytest.skip(str(error))
    for name in EMOJI:
        picture = emoji_picture(name, 64)
        assert 0.2 < picture[..., 3].mean() < 1, name
