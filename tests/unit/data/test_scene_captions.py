"""Captions of scenes say what is true, in words that can be listed; scenes go to JSON and back."""

import json
from dataclasses import replace

import pytest

from tubelet.data.scenes import (
    COLOURS,
    DIRECTIONS,
    GROUND_COLOURS,
    SIZES,
    SPEEDS,
    Appearance,
    Camera,
    Ground,
    Motion,
    Scene,
    SceneOptions,
    Thing,
    scene_at,
    scene_from_json,
    scene_to_json,
    vocabulary,
    words_of,
)
from tubelet.data.scenes.captions import caption_of
from tubelet.data.scenes.parts import NAMES
from tubelet.errors import ResultsError

ALL = SceneOptions(
    things=(1, 3), kinds=("shape", "letter", "digit"), grounds=("plain", "gradient", "photograph"), pan=0.5
)


def captions(scene: Scene) -> set[str]:
    return {replace(scene, phrasing=phrasing).caption for phrasing in range(60)}


def test_captions_use_every_word_of_the_vocabulary_and_no_other():
    names = [(kind, name) for kind, known in NAMES.items() for name in known]
    used = set()
    for phrasing, ((kind, name), colour, ground) in enumerate(
        zip(names * 5, list(COLOURS) * 30, list(GROUND_COLOURS) * 30, strict=False)
    ):
        direction = list(DIRECTIONS)[phrasing % 8]
        speed = (0.0, *SPEEDS.values())[phrasing % 4]
        motion = Motion(
            direction=direction, speed=speed, spin=phrasing % 3 - 1.0, growth=phrasing % 5 / 2 - 1.0
        )
        appearance = Appearance(
            kind=kind,
            name=name,
            colour="" if kind == "emoji" else colour,
            size=list(SIZES.values())[phrasing // 2 % 3],
        )
        grounds = (
            Ground(colours=(ground,)),
            Ground(kind="gradient", colours=(ground, "gray")),
            Ground(kind="photograph", colours=(), photograph="coffee"),
        )
        camera = Camera(direction=direction, speed=phrasing // 8 % 2 / 4)
        caption = caption_of(
            [Thing(appearance=appearance, motion=motion)],
            grounds[phrasing % 3],
            camera,
            [phrasing % 2 == 0],
            phrasing=phrasing,
        )
        used |= set(words_of(caption))
    used |= {word for index in range(15) for word in words_of(scene_at(index, options=ALL).caption)}
    assert used <= set(vocabulary())
    assert set(vocabulary()) - used <= {"an"}
    assert len(vocabulary()) < 260
    assert list(vocabulary()) == sorted(set(vocabulary()))


def test_what_differs_is_always_said_and_what_is_usual_may_be_left_out():
    quick = Scene(
        things=(Thing(appearance=Appearance(size=0.09), motion=Motion(direction="up-left", speed=1.0)),)
    )
    for caption in captions(quick):
        words = set(words_of(caption))
        assert {"red", "circle", "left"} <= words
        assert words & {"small", "little", "tiny"}
        assert words & {"quickly", "fast", "rapidly"}
    usual = captions(Scene())
    assert any("medium" not in caption and "steadily" not in caption for caption in usual)
    assert len(usual) > 20


def test_a_caption_follows_what_is_replaced():
    still = Scene(things=(Thing(motion=Motion(speed=0.0, spin=-0.5)),), ground=Ground(colours=("beige",)))
    for caption in captions(still):
        assert "counterclockwise" in caption
        assert "beige" in caption
        assert "camera" not in caption
        assert not set(words_of(caption)) & {"moves", "goes", "travels", "glides", "bouncing", "bounces"}
    panned = replace(still, camera=Camera(direction="down", speed=0.2))
    assert all("camera" in caption for caption in captions(panned))
    bouncing = Thing(motion=Motion(speed=1.0, bounce=True, growth=0.3))
    for caption in captions(replace(still, things=(bouncing,))):
        assert "bounc" in caption
        assert "growing" in caption or "getting larger" in caption
    assert not any("bounc" in caption for caption in captions(replace(still, things=(bouncing,), count=2)))


@pytest.mark.parametrize("index", range(20))
def test_a_scene_is_the_same_after_json(index):
    scene = scene_at(index, seed=5, options=ALL)
    assert scene_from_json(json.loads(json.dumps(scene_to_json(scene)))) == scene


def without(path: str, content: dict, *, value: object = None) -> dict:
    """The same with one value, or without it."""
    content = json.loads(json.dumps(content))
    *way, last = path.split(".")
    place = content
    for name in way:
        place = place[int(name)] if isinstance(place, list) else place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("height", None),
        ("height", 1e300),
        ("height", "64"),
        ("width", True),
        ("count", -1),
        ("things", 3),
        ("things", []),
        ("things.0.motion", None),
        ("things.0.motion.x", "left"),
        ("things.0.motion.bounce", 2),
        ("things.0.motion.speed", 1e999),
        ("things.0.appearance.name", ["circle"]),
        ("things.0.appearance.secret", 1),
        ("ground.colours", "gray"),
        ("ground.colours", [{}]),
        ("ground.kind", {}),
        ("camera", []),
        ("phrasing", -1),
        ("fps", 0),
    ],
)
def test_json_that_is_no_scene_is_refused(path, value):
    content = without(path, scene_to_json(Scene()), value=value)
    with pytest.raises(ResultsError, match=r"this is not a scene: .* Render the clips again\."):
        scene_from_json(content)
    with pytest.raises(ResultsError, match="this is not a scene"):
        scene_from_json([content])
