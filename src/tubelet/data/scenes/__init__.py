"""Rendered scenes: moving things whose caption and truth are known, in any size and length, from a seed."""

from tubelet.data.scenes.captions import vocabulary, words_of
from tubelet.data.scenes.draw import SceneOptions, draw_scene, scene_at
from tubelet.data.scenes.files import scene_from_json, scene_to_json
from tubelet.data.scenes.parts import Appearance, Camera, Ground, Motion, Thing
from tubelet.data.scenes.scene import Scene, is_held_out
from tubelet.data.scenes.truth import Place, ThingTruth, Truth
from tubelet.data.scenes.words import COLOURS, DIRECTIONS, GROUND_COLOURS, SHAPES, SIZES, SPEEDS

__all__ = [
    "COLOURS",
    "DIRECTIONS",
    "GROUND_COLOURS",
    "SHAPES",
    "SIZES",
    "SPEEDS",
    "Appearance",
    "Camera",
    "Ground",
    "Motion",
    "Place",
    "Scene",
    "SceneOptions",
    "Thing",
    "ThingTruth",
    "Truth",
    "draw_scene",
    "is_held_out",
    "scene_at",
    "scene_from_json",
    "scene_to_json",
    "vocabulary",
    "words_of",
]
