"""Cutting clips into crops once, so that a training run need not decode video."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from tubelet.data.compressed_crops import SUFFIX, write_block
from tubelet.data.crops import (
    COMPRESSED,
    FORMAT,
    INDEX,
    Clip,
    Crops,
    clip_from_json,
    open_crops,
    read_index,
    settings_from_json,
    shard_name,
)
from tubelet.data.cutting import PrepareConfig, Skipped, crops_of
from tubelet.errors import OptionError, OutputError, VideoError
from tubelet.files import locked, output_errors, replacing
from tubelet.files.leftovers import OWN
from tubelet.files.lock import LOCK_FILE
from tubelet.files.names import text_name
from tubelet.json_text import text_to_json
from tubelet.types import Frames
from tubelet.video.ranges import AnyVideo, VideoRange, path_of, range_text

LEAST_DEVIATION = 2.0
"""A crop is blank if no channel deviates more from its mean, in levels of 255 (root mean square)."""

_NAMED = 8
"""Clips that are named where none gives a crop."""

UNFINISHED = "unfinished.jsonl"
"""What is done so far: the preparation in the first line, then a line per clip."""


def prepare_crops(
    clips: Sequence[AnyVideo],
    folder: Path,
    config: PrepareConfig,
    *,
    compressed: bool = False,
    force: bool = False,
    on_clip: Callable[[int], None] = lambda _: None,
    on_skip: Callable[[AnyVideo, Clip], None] = lambda _video, _clip: None,
    opened: Callable[[AnyVideo], AbstractContextManager[AnyVideo]] = nullcontext,
) -> Crops:
    """Cut crops out of clips into a folder; goes on where the same preparation was interrupted.

    Each clip is decoded once, up to the last frame that a crop needs; again only if it holds fewer frames
    than it claims. Memory holds the crops of one clip and some frames.

    Args:
        clips: files of video, or ranges of them. Those that cannot be read or are damaged, or are too short,
            too small or blank, are skipped. What is damaged is tried again by the next run.
        folder: where the crops go; made if it is missing.
        config: what is cut out of each clip.
        compressed: whether crops are compressed without loss: a third of the bytes, and slower to read.
        force: whether another preparation in that folder is replaced.
        on_clip: called with the number of clips done so far.
        on_skip: called with each clip that gives no crop, and why. What it raises ends the work.
        opened: gives the file of each clip when it is its turn, such as a copy of one that lies elsewhere.

    Raises:
        OptionError: no clip gives a crop, as the crops are too large for all of them, or they are blank.
        VideoError: no clip gives a crop, and some cannot be read or are damaged.
        OutputError: the folder holds another preparation or other files, another process works there, or the
            disk is full or refuses something.
    """
    if not clips:
        raise OptionError("0 clips were given; at least one is needed.")
    paths = list(map(path_of, clips))
    sizes = [path.stat().st_size if path.is_file() else 0 for path in paths]
    header: dict[str, Any] = {
        "format": COMPRESSED if compressed else FORMAT,
        "settings": asdict(config),
        "clips": [[_name_of(clip), size] for clip, size in zip(clips, sizes, strict=True)],
    }
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; crops go into a folder. Name a new one.")
    was_there = folder.exists()
    try:
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder):
                if not _is_done(folder, header, force=force):
                    _prepare_all(clips, folder, config, header, on_clip, on_skip, opened)
                return open_crops(folder)
    finally:
        if not was_there:
            # One that holds anything stays.
            with suppress(OSError):
                folder.rmdir()


def _prepare_all(
    clips: Sequence[AnyVideo],
    folder: Path,
    config: PrepareConfig,
    header: dict[str, Any],
    on_clip: Callable[[int], None],
    on_skip: Callable[[AnyVideo, Clip], None],
    opened: Callable[[AnyVideo], AbstractContextManager[AnyVideo]],
) -> None:
    """Cut what is not cut yet, and write the index."""
    done = _resume(folder, header)
    before = len(done)
    with (folder / UNFINISHED).open("a", encoding="utf-8") as log:
        for number, (video, (name, size)) in enumerate(zip(clips, header["clips"], strict=True)):
            if number >= before or _has_failed(done[number]):
                clip = Clip(name=name, size=size)
                try:
                    with opened(video) as here:
                        found = _prepare_clip(here, number, folder, config, clip, header["format"])
                except VideoError as error:
                    found = replace(clip, skipped=text_name(str(error)), damaged=True)
                if found.skipped:
                    on_skip(video, found)
                done[number:] = [found, *done[number + 1 :]]
                if number >= before:
                    log.write(json.dumps(asdict(found)) + "\n")
                    log.flush()
            elif done[number].skipped:
                on_skip(video, done[number])
            on_clip(number + 1)
    if not any(clip.cuts for clip in done):
        # Nothing was cut, so nothing stays that other settings would have to replace.
        (folder / UNFINISHED).unlink()
        raise _no_crops(done)
    with replacing(folder / INDEX, force=True, durable=True) as beside:
        index = header | {"clips": [asdict(clip) for clip in done]}
        beside.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    (folder / UNFINISHED).unlink()


def _has_failed(clip: Clip) -> bool:
    """Whether a clip gave no crop for a reason that may be gone when it is tried again."""
    return bool(clip.skipped) and clip.damaged


def _name_of(video: AnyVideo) -> str:
    """What a clip is called: its file's name, and its range."""
    of_range = range_text(video.start, video.end) if isinstance(video, VideoRange) else ""
    return text_name(path_of(video).name) + of_range


def _no_crops(skipped: Sequence[Clip]) -> OptionError | VideoError:
    """The error that no clip gives a crop, and why; some may be damaged, or the crops too large for all."""
    reasons = [f"{clip.name}: {clip.skipped.rstrip('.')}" for clip in skipped[:_NAMED]]
    more = f"; and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    text = f"none of the {len(skipped)} clips gives a crop. {'; '.join(reasons)}{more}."
    if any(clip.damaged for clip in skipped):
        return VideoError(text)
    return OptionError(
        f"{text} Choose smaller or shorter crops (`tubelet prepare --crop 64 --frames 17`), or other clips."
    )


def is_blank(crop: Frames) -> bool:
    """Whether a crop hardly varies in space and time; see `LEAST_DEVIATION`."""
    return bool(crop.std(axis=(0, 1, 2), dtype=np.float32).max() <= LEAST_DEVIATION)


def _prepare_clip(
    video: AnyVideo, number: int, folder: Path, config: PrepareConfig, clip: Clip, form: int
) -> Clip:
    """Write the crops of a clip; give the clip with where they are, or why there are none."""
    found = crops_of(video, number, config)
    if isinstance(found, Skipped):
        return replace(clip, skipped=found.reason, damaged=found.damaged)
    block = found.block
    kept = [index for index, crop in enumerate(block) if not is_blank(crop)]
    if not kept:
        return replace(clip, skipped=f"all of its {len(block)} crops are blank")
    block = block if len(kept) == len(block) else block[kept]
    path = folder / shard_name(number, compressed=form == COMPRESSED)
    with replacing(path, force=True, durable=True) as beside, beside.open("wb") as file:
        if form == COMPRESSED:
            write_block(file, block)
        else:
            np.save(file, block, allow_pickle=False)
    return replace(clip, cuts=tuple(found.cuts[index] for index in kept), damaged=found.damaged)


def _is_done(folder: Path, header: dict[str, Any], *, force: bool) -> bool:
    """Whether the folder holds this preparation already; gives up another one if `force` says so.

    Raises:
        OutputError: the folder holds something else.
    """
    names = [
        path.name for path in folder.iterdir() if path.name != LOCK_FILE and not OWN.fullmatch(path.name)
    ]
    if not any(map(_is_own, names)):
        if names:
            raise OutputError(f"{folder} holds other files; crops get a folder of their own. Name a new one.")
        return False
    try:
        before = _header_of(folder)
    except VideoError:
        if not force:
            raise
        before = {}
    differences = list(_differences(before, header))
    finished = (folder / INDEX).exists()
    if differences and not force:
        raise OutputError(
            f"{folder} holds another preparation: {'; '.join(differences)}. Name another folder, or replace "
            "it with --force."
        )
    if force and (differences or finished):
        # The new one begins first: whenever this is interrupted, the folder is either of the two.
        _write_log(folder, header, [])
        (folder / INDEX).unlink(missing_ok=True)
        return False
    if finished and any(map(_has_failed, clips := read_index(folder).clips)):
        _write_log(folder, header, clips)
        return False
    if finished:
        (folder / UNFINISHED).unlink(missing_ok=True)
    return finished


def _is_own(name: str) -> bool:
    return name in {INDEX, UNFINISHED} or _is_of_crops(name)


def _is_of_crops(name: str) -> bool:
    return name.lstrip(".").startswith("crops-") and name.endswith((".npy", SUFFIX))


def _header_of(folder: Path) -> dict[str, Any]:
    """What a folder says of the preparation in it; nothing if it says nothing."""
    if (folder / INDEX).exists():
        index = read_index(folder)
        return {
            "format": COMPRESSED if index.compressed else FORMAT,
            "settings": index.settings,
            "clips": [[clip.name, clip.size] for clip in index.clips],
            "failed": [number for number, clip in enumerate(index.clips) if _has_failed(clip)],
        }
    try:
        with (folder / UNFINISHED).open(encoding="utf-8") as log:
            header = text_to_json(log.readline())
        return {
            "format": header["format"],
            "settings": settings_from_json(header),
            "clips": list(header["clips"]),
        }
    except (OSError, KeyError, TypeError, ValueError):
        return {}


def _differences(before: dict[str, Any], header: dict[str, Any]) -> Iterator[str]:
    """Say in which settings and clips two preparations differ."""
    if not before:
        yield "what it holds cannot be read"
        return
    for name, value in header["settings"].items():
        if before["settings"][name] != value:
            yield f"its {name} is {before['settings'][name]}, not {value}"
    if before["format"] != header["format"]:
        yield f"its crops are {'' if before['format'] == COMPRESSED else 'not '}compressed"
    # A file that failed may have been replaced.
    failed = set(before.get("failed", ()))
    clips = [
        [name, None if number in failed else size]
        for each in (before["clips"], header["clips"])
        for number, (name, size) in enumerate(each)
    ]
    if clips[: len(before["clips"])] != clips[len(before["clips"]) :]:
        yield f"its {len(before['clips'])} clips are not these {len(header['clips'])}"


def _resume(folder: Path, header: dict[str, Any]) -> list[Clip]:
    """Give the clips that are done; leaves a log of whole lines, to which more can be added."""
    path = folder / UNFINISHED
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    lines = text.splitlines()[1:]
    compressed = header["format"] == COMPRESSED
    done: list[Clip] = []
    for line, (name, size) in zip(lines, header["clips"], strict=False):
        try:
            clip = clip_from_json(text_to_json(line), header["settings"])
        except (KeyError, TypeError, ValueError):
            break
        if clip.name != name or (clip.size != size and not _has_failed(clip)):
            break
        if clip.cuts and not (folder / shard_name(len(done), compressed=compressed)).exists():
            break
        done.append(clip)
    _write_log(folder, header, done)
    told = {shard_name(number, compressed=compressed) for number, clip in enumerate(done) if clip.cuts}
    for path in folder.iterdir():
        # Crops that nothing tells of: of another preparation, or of a clip that a kill cut off.
        if _is_of_crops(path.name) and path.name not in told:
            path.unlink()
    return done


def _write_log(folder: Path, header: dict[str, Any], done: Sequence[Clip]) -> None:
    with replacing(folder / UNFINISHED, force=True) as beside:
        whole = [header, *(asdict(clip) for clip in done)]
        beside.write_text("".join(json.dumps(each) + "\n" for each in whole), encoding="utf-8")
