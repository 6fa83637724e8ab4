"""Cutting clips into crops once, so that a training run need not decode video."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from tubelet.data.crops import (
    FORMAT,
    INDEX,
    Clip,
    Crops,
    Cut,
    clip_from_json,
    open_crops,
    read_index,
    settings_from_json,
    shard_name,
)
from tubelet.errors import OptionError, OutputError, VideoError
from tubelet.files import locked, output_errors, replacing
from tubelet.files.leftovers import OWN
from tubelet.files.lock import LOCK_FILE
from tubelet.files.names import text_name
from tubelet.json_text import text_to_json
from tubelet.types import Frames
from tubelet.video.info import VideoInfo
from tubelet.video.probe import probe
from tubelet.video.read import read
from tubelet.video.resize import Small, shrink

Block = UInt8[np.ndarray, "n t side side 3"]
"""The crops of one clip."""

STRIDES = (1, 2, 4, 8)
"""Frames of a clip per frame of a crop; training on low frame rates too is worth 0.2 dB (VidTok, 2024)."""

SCALES = (1.0, 1.5, 2.0, 3.0)
"""By how much frames are shrunk before a crop is cut."""

LEAST_DEVIATION = 2.0
"""A crop is blank if no channel deviates more from its mean, in levels of 255 (root mean square)."""

LARGEST_BLOCK = 1 << 30
"""Bytes that the crops of one clip may take, in memory and in their file."""

UNFINISHED = "unfinished.jsonl"
"""What is done so far: the preparation in the first line, then a line per clip."""

_RUN_BYTES = 1 << 25
"""Bytes of decoded frames that are cut at a time."""

_LONGEST = 2**31
"""Frames that a clip may claim to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareConfig:
    """What is cut out of each clip; every clip counts the same, however long it is.

    Attributes:
        crop: rows and columns of a crop.
        frames: of a crop.
        per_clip: crops of a clip; fewer where some are blank.
        seed: of the random choices; the same seed gives the same bytes.
    """

    crop: int = 160
    frames: int = 33
    per_clip: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.crop, self.frames, self.per_clip) < 1 or self.seed < 0:
            raise OptionError(
                f"crop is {self.crop}, frames is {self.frames}, per_clip is {self.per_clip} and seed is "
                f"{self.seed}; the first three start at 1 and the seed at 0."
            )
        size = self.per_clip * self.frames * self.crop**2 * 3
        if size > LARGEST_BLOCK:
            raise OptionError(
                f"the {self.per_clip} crops of a clip would take {size} bytes; at most {LARGEST_BLOCK} are "
                "held in memory. Choose fewer or smaller crops."
            )


def prepare_crops(
    clips: Sequence[Path],
    folder: Path,
    config: PrepareConfig,
    *,
    force: bool = False,
    on_clip: Callable[[int], None] = lambda _: None,
    on_skip: Callable[[Path, str], None] = lambda _path, _reason: None,
) -> Crops:
    """Cut crops out of clips into a folder; goes on where the same preparation was interrupted.

    Each clip is decoded once, up to the last frame that a crop needs; again only if it holds fewer frames
    than it claims. Memory holds the crops of one clip and some frames.

    Args:
        clips: files of video. Those that cannot be read, or are too short, too small or blank, are skipped.
        folder: where the crops go; made if it is missing.
        config: what is cut out of each clip.
        force: whether another preparation in that folder is replaced.
        on_clip: called with the number of clips done so far.
        on_skip: called with each clip that gives no crop, and why.

    Raises:
        OptionError: no clip gives a crop.
        OutputError: the folder holds another preparation or other files, another process works there, or the
            disk is full or refuses something.
    """
    if not clips:
        raise OptionError("0 clips were given; at least one is needed.")
    sizes = [path.stat().st_size if path.is_file() else 0 for path in clips]
    header: dict[str, Any] = {
        "format": FORMAT,
        "settings": asdict(config),
        "clips": [[text_name(path.name), size] for path, size in zip(clips, sizes, strict=True)],
    }
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; crops go into a folder. Name a new one.")
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if not _is_done(folder, header, force=force):
                _prepare_all(clips, folder, config, header, on_clip, on_skip)
            return open_crops(folder)


def _prepare_all(
    clips: Sequence[Path],
    folder: Path,
    config: PrepareConfig,
    header: dict[str, Any],
    on_clip: Callable[[int], None],
    on_skip: Callable[[Path, str], None],
) -> None:
    """Cut what is not cut yet, and write the index."""
    done = _resume(folder, header)
    with (folder / UNFINISHED).open("a", encoding="utf-8") as log:
        for number, (path, (name, size)) in enumerate(zip(clips, header["clips"], strict=True)):
            if number >= len(done):
                done.append(_prepare_clip(path, number, folder, config, Clip(name=name, size=size)))
                log.write(json.dumps(asdict(done[-1])) + "\n")
                log.flush()
            if done[number].skipped:
                on_skip(path, done[number].skipped)
            on_clip(number + 1)
    if not any(clip.cuts for clip in done):
        raise OptionError(
            f"none of the {len(done)} clips gives a crop ({done[0].name}: {done[0].skipped}). Choose smaller "
            "or shorter crops, or other clips."
        )
    with replacing(folder / INDEX, force=True, durable=True) as beside:
        index = header | {"clips": [asdict(clip) for clip in done]}
        beside.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    (folder / UNFINISHED).unlink()


def plan_cuts(
    config: PrepareConfig, *, length: int, height: int, width: int, generator: np.random.Generator
) -> list[Cut]:
    """Draw the stride, first frame, scale and position of each crop; all that fit are equally likely.

    Gives none if the clip is too short or too small for a crop.

    Args:
        config: how many crops, and of which size.
        length: frames of the clip.
        height: of its frames.
        width: of its frames.
        generator: of the random choices.
    """
    strides = [stride for stride in STRIDES if (config.frames - 1) * stride < length]
    sizes = {scale: (round(height / scale), round(width / scale)) for scale in SCALES}
    scales = [scale for scale, size in sizes.items() if min(size) >= config.crop]
    if not strides or not scales:
        return []
    cuts = []
    for _ in range(config.per_clip):
        stride = strides[generator.integers(len(strides))]
        scale = scales[generator.integers(len(scales))]
        rows, columns = sizes[scale]
        cuts.append(
            Cut(
                first=int(generator.integers(length - (config.frames - 1) * stride)),
                stride=stride,
                scale=scale,
                row=int(generator.integers(rows - config.crop + 1)),
                column=int(generator.integers(columns - config.crop + 1)),
            )
        )
    return cuts


def is_blank(crop: Frames) -> bool:
    """Whether a crop hardly varies in space and time; see `LEAST_DEVIATION`."""
    return bool(crop.std(axis=(0, 1, 2), dtype=np.float32).max() <= LEAST_DEVIATION)


def _prepare_clip(path: Path, number: int, folder: Path, config: PrepareConfig, clip: Clip) -> Clip:
    """Write the crops of a clip; give the clip with where they are, or why there are none."""
    try:
        info = probe(path)
        length = _claimed_length(info)
        if length < config.frames:
            length = _counted_length(path)
        block, cuts = None, []
        # A clip that ends before its time is planned again, with the length that was found.
        while block is None:
            generator = np.random.default_rng((config.seed, number))
            cuts = plan_cuts(config, length=length, height=info.height, width=info.width, generator=generator)
            if not cuts:
                return replace(clip, skipped=_why_none(info, length, config))
            found = _cut_out(path, info, cuts, config)
            block, length = (None, found) if isinstance(found, int) else (found, length)
    except VideoError as error:
        return replace(clip, skipped=text_name(str(error)), damaged=True)
    kept = [index for index, crop in enumerate(block) if not is_blank(crop)]
    if not kept:
        return replace(clip, skipped=f"all of its {len(block)} crops are blank")
    with replacing(folder / shard_name(number), force=True, durable=True) as beside:
        np.save(beside, block if len(kept) == len(block) else block[kept], allow_pickle=False)
    return replace(clip, cuts=tuple(cuts[index] for index in kept))


def _why_none(info: VideoInfo, length: int, config: PrepareConfig) -> str:
    if length < config.frames:
        return f"it has {length} frames; a crop takes {config.frames}"
    return f"its frames have {info.width}x{info.height} pixels; a crop takes {config.crop}x{config.crop}"


def _claimed_length(info: VideoInfo) -> int:
    """The number of frames that a file claims; 0 if it claims nothing."""
    if info.frames:
        return min(info.frames, _LONGEST)
    return round(min((info.duration_seconds or 0.0) * float(info.average_rate or 0), _LONGEST))


def _counted_length(path: Path) -> int:
    count = 0
    try:
        for run in read(path):
            count += len(run.frames)
    except VideoError:
        # The frames before a damage are good.
        if not count:
            raise
    return count


def _cut_out(path: Path, info: VideoInfo, cuts: list[Cut], config: PrepareConfig) -> Block | int:
    """Give the crops, or the number of frames if the clip ends before they do.

    Raises:
        VideoError: nothing can be read.
    """
    places = [cut.first + cut.stride * np.arange(config.frames) for cut in cuts]
    stop = max(int(place[-1]) for place in places) + 1
    block = np.empty((len(cuts), config.frames, config.crop, config.crop, 3), np.uint8)
    run_length = max(1, _RUN_BYTES // (info.height * info.width * 3))
    begin = 0
    try:
        for run in read(path, run=run_length, stop=stop):
            _fill(block, cuts, places, run.frames, begin)
            begin += len(run.frames)
    except VideoError:
        if not begin:
            raise
    return block if begin >= stop else begin


def _fill(block: Block, cuts: list[Cut], places: list[np.ndarray], frames: Frames, begin: int) -> None:
    """Copy what a run of frames, the first of which is number `begin`, gives to each crop."""
    side = block.shape[2]
    for scale in SCALES:
        users = [number for number, cut in enumerate(cuts) if cut.scale == scale]
        inside = {n: (begin <= places[n]) & (places[n] < begin + len(frames)) for n in users}
        needed = np.unique([place for n in users for place in places[n][inside[n]]]).astype(np.intp)
        small = _shrink_by(frames[needed - begin], scale)
        for n in users:
            rows = slice(cuts[n].row, cuts[n].row + side)
            columns = slice(cuts[n].column, cuts[n].column + side)
            block[n, inside[n]] = small[np.searchsorted(needed, places[n][inside[n]]), rows, columns]


def _shrink_by(frames: Frames, scale: float) -> Small:
    height, width = frames.shape[1:3]
    return frames if scale == 1 else shrink(frames, height=round(height / scale), width=round(width / scale))


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
    if finished:
        (folder / UNFINISHED).unlink(missing_ok=True)
    return finished


def _is_own(name: str) -> bool:
    return name in {INDEX, UNFINISHED} or (name.lstrip(".").startswith("crops-") and name.endswith(".npy"))


def _header_of(folder: Path) -> dict[str, Any]:
    """What a folder says of the preparation in it; nothing if it says nothing."""
    if (folder / INDEX).exists():
        index = read_index(folder)
        return {"settings": index.settings, "clips": [[clip.name, clip.size] for clip in index.clips]}
    try:
        with (folder / UNFINISHED).open(encoding="utf-8") as log:
            header = text_to_json(log.readline())
        return {"settings": settings_from_json(header), "clips": list(header["clips"])}
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
    if before["clips"] != header["clips"]:
        yield f"its {len(before['clips'])} clips are not these {len(header['clips'])}"


def _resume(folder: Path, header: dict[str, Any]) -> list[Clip]:
    """Give the clips that are done; leaves a log of whole lines, to which more can be added."""
    path = folder / UNFINISHED
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    lines = text.splitlines()[1:]
    done: list[Clip] = []
    for line, (name, size) in zip(lines, header["clips"], strict=False):
        try:
            clip = clip_from_json(text_to_json(line), header["settings"])
        except (KeyError, TypeError, ValueError):
            break
        if (clip.name, clip.size) != (name, size):
            break
        if clip.cuts and not (folder / shard_name(len(done))).exists():
            break
        done.append(clip)
    _write_log(folder, header, done)
    told = {shard_name(number) for number, clip in enumerate(done) if clip.cuts}
    for path in folder.iterdir():
        # Crops that nothing tells of: of another preparation, or of a clip that a kill cut off.
        name = path.name.lstrip(".")
        if name.startswith("crops-") and name.endswith(".npy") and path.name not in told:
            path.unlink()
    return done


def _write_log(folder: Path, header: dict[str, Any], done: Sequence[Clip]) -> None:
    with replacing(folder / UNFINISHED, force=True) as beside:
        whole = [header, *(asdict(clip) for clip in done)]
        beside.write_text("".join(json.dumps(each) + "\n" for each in whole), encoding="utf-8")
