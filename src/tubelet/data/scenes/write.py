"""A folder of rendered clips, each with its caption and its truth, and a manifest of all."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np

from tubelet.data.scenes.draw import SceneOptions, scene_at
from tubelet.data.scenes.emoji import check_emoji
from tubelet.data.scenes.files import scene_to_json
from tubelet.data.scenes.grounds import check_photographs
from tubelet.data.scenes.parts import check_whole
from tubelet.data.scenes.scene import Scene
from tubelet.files import replacing_folder
from tubelet.video.write import Writer

SUFFIXES = (".mp4", ".mkv", ".npy")
"""How clips are stored: small; without loss; as arrays."""

MANIFEST = "manifest.csv"

_OWN = re.compile(rf"\d{{6,}}\.(mp4|mkv|npy|txt|json)|{re.escape(MANIFEST)}")
_COLUMNS: tuple[str, ...] = (
    "file", "description", "kind", "held_out", "things", "width", "height", "fps", "frames", "seed", "index",
)  # fmt: skip
_MOST_CLIPS = 10**9
_PIXELS_AT_ONCE = 1 << 22


def write_scenes(
    folder: Path,
    *,
    count: int,
    seed: int,
    options: SceneOptions,
    suffix: str = ".mp4",
    force: bool = False,
    on_clip: Callable[[int], None] = lambda _: None,
) -> None:
    """Render clips into a folder, which appears when all of them are there.

    Beside ``000000.mp4`` lie ``000000.txt`` with its caption and ``000000.json`` with the scene
    (`scene_from_json`) and its truth (`Truth`); ``manifest.csv`` has a row for each clip. The same arguments
    give the same clips, and fewer clips are the first of more.

    Args:
        folder: what is made.
        count: how many clips.
        seed: of the list of scenes; see `scene_at`.
        options: what the scenes are like.
        suffix: of `SUFFIXES`.
        force: whether a folder of such clips is replaced.
        on_clip: called with 1 after each clip.

    Raises:
        OptionError: a number has no meaning; photographs are asked for and scikit-image is not installed; or
            emoji are, and Pillow or a colour font is missing.
        OutputError: the folder is there already or holds something else, or the disk is full.
    """
    check_whole(count, 1, _MOST_CLIPS, "the number of clips")
    check_whole(seed, 0, 2**63 - 1, "the seed")
    if "photograph" in options.grounds:
        check_photographs()
    if "emoji" in options.kinds:
        check_emoji()
    before = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    holds = {name for name in before if _OWN.fullmatch(name)}
    with (
        replacing_folder(folder, holds=holds, force=force) as beside,
        (beside / MANIFEST).open("w", encoding="utf-8", newline="") as file,
    ):
        manifest = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        manifest.writeheader()
        for index in range(count):
            scene = scene_at(index, seed=seed, options=options)
            name = f"{index:06}{suffix}"
            write_scene(beside / name, scene)
            manifest.writerow(_row(scene) | {"file": name, "seed": seed, "index": index})
            on_clip(1)


def _row(scene: Scene) -> dict[str, object]:
    """What the manifest says of a scene."""
    return {
        "description": scene.caption,
        "kind": "rendered",
        "held_out": scene.held_out,
        "things": len(scene.things),
        "width": scene.width,
        "height": scene.height,
        "fps": scene.fps,
        "frames": scene.count,
    }


def write_scene(target: Path, scene: Scene) -> None:
    """Write one clip, and beside it its caption (``.txt``) and its scene and truth (``.json``).

    Raises:
        OutputError: one of them is there already, or the disk is full.
    """
    run = max(1, _PIXELS_AT_ONCE // (scene.height * scene.width))
    tick = 1 / Fraction(scene.fps).limit_denominator(1001)
    with Writer(target, width=scene.width, height=scene.height, time_base=tick, repeatable=True) as writer:
        for start in range(0, scene.count, run):
            stop = min(start + run, scene.count)
            writer.write(scene.frames(start, stop), np.arange(start, stop))
    target.with_suffix(".txt").write_text(scene.caption + "\n", encoding="utf-8")
    content = {"scene": scene_to_json(scene), "truth": asdict(scene.truth())}
    target.with_suffix(".json").write_text(json.dumps(content) + "\n", encoding="utf-8")
