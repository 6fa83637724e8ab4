"""Make a folder of crops of what `pack.py` wrote: `python scripts/gpu/unpack.py PACK [PACK ...] -o DATA`.

Several packs of the same crops become one folder. Needs Pillow 11.3 or later and no video library.
"""

import argparse
import json
import tarfile
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from io import BytesIO
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageSequence

from tubelet.data.crops import (
    FORMAT,
    INDEX,
    Clip,
    Crops,
    Index,
    clip_from_json,
    open_crops,
    settings_from_json,
    shard_name,
)
from tubelet.errors import OptionError, OutputError, VideoError
from tubelet.files import replacing
from tubelet.types import Frames

LARGEST_MEMBER = 1 << 26
"""Bytes that a member of a pack may have."""


class Place(NamedTuple):
    """Where a coded crop lies."""

    pack: Path
    offset: int
    size: int


def main() -> None:
    """Unpack, and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packs", nargs="+", type=Path, metavar="PACK")
    parser.add_argument("-o", type=Path, required=True, metavar="DATA", help="the folder to make")
    parser.add_argument("--jobs", type=int, help="threads; a few more than there are cores by default")
    arguments = parser.parse_args()
    began = time.monotonic()
    crops = unpack(arguments.packs, arguments.o, jobs=arguments.jobs)
    took = time.monotonic() - began
    print(f"{len(crops)} crops of {len(crops.clips)} clips, {crops.size / 1e9:.2f} GB, in {took:.1f} s")


def unpack(packs: Sequence[Path], folder: Path, *, jobs: int | None = None) -> Crops:
    """Decode packs into a folder of crops.

    Raises:
        OptionError: the packs are of different crops.
        OutputError: the folder exists.
        VideoError: a pack is damaged.
    """
    if folder.exists():
        raise OutputError(f"{folder} exists; crops get a folder of their own. Name a new one.")
    index, places = read_packs(packs)
    folder.mkdir(parents=True)
    clips: list[Clip] = []
    tasks: list[list[Place]] = []
    for number, clip in enumerate(index.clips):
        if own := sorted(places[number]):
            clips.append(replace(clip, cuts=tuple(clip.cuts[cut] for cut in own)))
            tasks.append([places[number][cut] for cut in own])
    side = index.settings["crop"]
    shape = (index.settings["frames"], side, side, 3)
    targets = [folder / shard_name(number) for number in range(len(clips))]
    # Decoding happens outside of Python, so threads do.
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(decode_clip, targets, tasks, repeat(shape)))
    with replacing(folder / INDEX, force=True) as beside:
        content = {
            "format": FORMAT,
            "settings": index.settings,
            "clips": [asdict(clip) for clip in clips],
        }
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return open_crops(folder)


def read_packs(packs: Sequence[Path]) -> tuple[Index, dict[int, dict[int, Place]]]:
    """The index that packs agree on, and where each coded crop lies, by clip and cut.

    Raises:
        OptionError: the packs are of different crops.
        VideoError: a pack is damaged.
    """
    contents: set[bytes] = set()
    places: dict[int, dict[int, Place]] = defaultdict(dict)
    for path in packs:
        try:
            with tarfile.open(path, "r:") as pack:
                for member in pack:
                    if not member.isreg() or member.size > LARGEST_MEMBER:
                        raise VideoError(
                            f"{path} holds {member.name!r}, which is not a packed crop. Pack again."
                        )
                    if member.name == INDEX:
                        file = pack.extractfile(member)
                        contents.add(file.read() if file else b"")
                        continue
                    clip, cut = map(int, member.name.removesuffix(".avif").split("-"))
                    places[clip][cut] = Place(path, member.offset_data, member.size)
        except (tarfile.TarError, ValueError, EOFError) as error:
            raise VideoError(f"{path} is damaged: {error}. Pack again.") from error
    if len(contents) != 1:
        raise OptionError(
            f"the packs have {len(contents)} different indices; unpack those of one preparation."
        )
    content = json.loads(contents.pop())
    settings = settings_from_json(content)
    every = [clip_from_json(each, settings) for each in content["clips"]]
    clips = tuple(clip for clip in every if clip.cuts)
    if any(clip >= len(clips) or max(own) >= len(clips[clip].cuts) for clip, own in places.items()):
        raise VideoError(f"{packs[0]} holds crops that its index does not list. Pack again.")
    return Index(settings=settings, clips=clips), places


def decode_clip(target: Path, places: Sequence[Place], shape: tuple[int, ...]) -> None:
    """Write the file with the crops of a clip."""
    block = np.empty((len(places), *shape), np.uint8)
    for crop, place in zip(block, places, strict=True):
        with place.pack.open("rb") as file:
            file.seek(place.offset)
            crop[...] = read_sequence(file.read(place.size), shape=shape)
    np.save(target, block, allow_pickle=False)


def read_sequence(content: bytes, *, shape: tuple[int, ...]) -> Frames:
    """The frames of an AVIF sequence.

    Raises:
        VideoError: it does not decode, or gives another shape.
    """
    try:
        with Image.open(BytesIO(content), formats=["AVIF"]) as sequence:
            found = (getattr(sequence, "n_frames", 1), sequence.height, sequence.width, 3)
            if found != shape:
                raise VideoError(f"a packed crop is {found}; the index says {shape}. Pack again.")
            return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(sequence)])
    except (OSError, ValueError, SyntaxError) as error:
        raise VideoError(f"a packed crop does not decode: {error}. Pack again.") from error


def member_name(crops: Crops, index: int) -> str:
    """The name of a crop in a pack: the number of its clip, counted without those skipped, and of its cut."""
    clip = crops.clip_of(index)
    return f"{clip:05d}-{index - crops.of_clip(clip).start:03d}.avif"


if __name__ == "__main__":
    main()
