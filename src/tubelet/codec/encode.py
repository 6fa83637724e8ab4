"""A video file to a ``.tube`` file."""

import logging
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np

from tubelet.checkpoint import Checkpoint
from tubelet.codec.budget import QUALITIES, Budget, Quality, TargetPSNR, as_budget
from tubelet.codec.contrast import CONTRAST, check_contrast
from tubelet.codec.encode_within import encode_within, first_pass
from tubelet.codec.open_clip import GivenCheckpoint, OpenClip, as_checkpoint, open_clip
from tubelet.codec.options import FileOptions, Options
from tubelet.codec.pipeline import latents_to_symbols
from tubelet.codec.priced import priced_checkpoint
from tubelet.codec.report import TubeReport
from tubelet.codec.search import largest_within
from tubelet.codec.sinks import filled
from tubelet.codec.symbols import LatentQuantizer
from tubelet.codec.tube import open_tube
from tubelet.errors import OptionError
from tubelet.given import check_numbers
from tubelet.metrics.psnr import ClipPSNR
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.video.ranges import AnyVideo, VideoRange, open_any, path_of

_LOG = logging.getLogger("tubelet.codec")

_LEVELS = 3.0
"""Levels of quality by which the squared error falls by about a third: what the search takes for one."""

_NEAR = 0.97
"""The share of the squared error that is asked for from which on no other quality is tried: 0.13 dB."""

_HIGH = 40.0
"""Of more dB than this, the beginning of a clip is tried first."""

_BEGINNING = 1.0
"""How much of a clip that is, in seconds."""

_ROOM = 1.0
"""By so many dB a target must be out of its reach: it is cut off from what follows."""


def encode_file(
    source: AnyVideo,
    target: Path | str,
    *,
    tokenizer: GivenCheckpoint = None,
    channels: int | None = None,
    step: float = 1.0,
    budget: Budget | int | float | None = None,
    two_pass: bool = False,
    contrast: float = CONTRAST,
    **options: Unpack[FileOptions],
) -> TubeReport:
    """Encode a video, an image or an array of frames into a ``.tube`` file.

    Args:
        source: any file that `tubelet.video` reads, or a `VideoRange` of one, which has no sound.
        target: the file to write; it appears when it is whole.
        tokenizer: a shipped tokenizer, a checkpoint's folder, or a checkpoint; ``tubelet-m-rate`` for none.
        channels: how many of the ordered channels to store; all by default.
        step: coarseness of the quantiser; 1 is the usual one, 2 halves the levels. A budget of bits or of
            quality chooses its own.
        budget: what the file may take, or give: a mean number of channels per position, or one of
            `tubelet.codec.budget`. Channels then go where they matter most, `channels` at most. All of them
            everywhere for none.
        two_pass: go through the clip once before, so that the budget is shared out over all of it.
        contrast: how much less an error counts, in a budget, where there is contrast to hide it: from 0, no
            less, to 1 (`tubelet.codec.contrast`).
        **options: see `FileOptions`.

    Raises:
        VideoError: the source cannot be read.
        CheckpointError: the tokenizer is unknown or damaged.
        OptionError: `channels`, `step`, `budget`, `contrast` or `memory` has no meaning for this tokenizer or
            this clip; there is no such device here; or `target` is the source, or does not end in ``.tube``.
        LatentError: the latent holds what cannot be stored.
        OutputError: the target exists or cannot be written.
    """
    check_numbers(step=step)
    asked = None if budget is None else as_budget(budget)
    settings = _over_passes(Options(**options), asked, two_pass=two_pass)
    weighed_by = 0.0 if asked is None else check_contrast(contrast)

    def opened(settings: Options = settings) -> AbstractContextManager[OpenClip]:
        return open_clip(
            source,
            target,
            tokenizer=tokenizer,
            channels=channels,
            settings=settings,
            contrast=weighed_by,
        )

    if isinstance(asked, TargetPSNR):
        with opened():  # whatever is wrong with the arguments is said before any work
            pass
        asked = _quality_of(
            asked, source, tokenizer=tokenizer, channels=channels, contrast=contrast, **options
        )
    if asked is not None:
        tokenizer = as_checkpoint(tokenizer, settings.device)
        beforehand = partial(opened, settings.unreported())
        tokenizer = priced_checkpoint(tokenizer, asked, beforehand, channels=channels)
    shares = None
    if two_pass and asked is not None:
        with opened() as clip:
            shares = first_pass(clip, asked, channels=channels, step=step)
    with opened() as clip:
        _LOG.debug("%s: channels %s, step %g, %s", source, clip.kept, step, asked or "no budget")
        if asked is not None:
            return encode_within(clip, asked, channels=channels, step=step, shares=shares)
        quantizer = LatentQuantizer.of(clip.checkpoint.tokenizer, clip.kept, step=step)
        sink = clip.sink(quantizer)
        with filled(sink) as put:
            for piece in latents_to_symbols(clip.latents, quantizer):
                put(piece)
        return sink.report()


def _over_passes(settings: Options, budget: Budget | None, *, two_pass: bool) -> Options:
    """Let the frames that there are to do be those of all passes; of a PSNR their number is not known."""
    if isinstance(budget, TargetPSNR):
        return replace(settings, on_total=lambda _: None)
    if budget is None or not two_pass:
        return settings
    return replace(settings, on_total=lambda frames: settings.on_total(frames and 2 * frames))


def _quality_of(
    wanted: TargetPSNR,
    source: AnyVideo,
    *,
    tokenizer: GivenCheckpoint,
    channels: int | None,
    contrast: float,
    **options: Unpack[FileOptions],
) -> Quality:
    """The least quality at which a clip comes back as well as is asked for; it is found by trying some."""
    checkpoint = as_checkpoint(tokenizer, Options(**options).device)
    trial: FileOptions = {**options, "audio": False, "force": True, "on_total": lambda _: None}

    def try_out(source: AnyVideo, quality: Quality) -> _Trial:
        with tempfile.TemporaryDirectory(prefix="tubelet-") as folder:
            tube = Path(folder) / "trial.tube"
            report = encode_file(
                source,
                tube,
                tokenizer=checkpoint,
                channels=channels,
                budget=quality,
                contrast=contrast,
                **trial,
            )
            return _Trial(frames=report.frames, db=_psnr(source, tube, checkpoint))

    def error_at(setting: float) -> tuple[float, Quality]:
        quality = Quality(level=-_LEVELS * setting)
        return 10 ** (-try_out(source, quality).db / 10), quality

    if wanted.db > _HIGH:
        _check_beginning(wanted, source, checkpoint.name, try_out)
    low, high = (-level / _LEVELS for level in reversed(QUALITIES))
    limit = 10 ** (-wanted.db / 10)
    found = largest_within(error_at, limit, start=-30 / _LEVELS, low=low, high=high, near=_NEAR)
    if found.value > limit:
        raise _out_of_reach(wanted, checkpoint.name, f"{-10 * np.log10(found.value):.2f} dB on this clip")
    return found.result


class _Trial(NamedTuple):
    """How many frames were encoded for a trial, and how well they came back, in dB."""

    frames: int
    db: float


def _check_beginning(
    wanted: TargetPSNR, source: AnyVideo, name: str, try_out: Callable[[AnyVideo, Quality], _Trial]
) -> None:
    """Raise if the beginning of a clip, at the best quality, has more error than all of it may have.

    Where the clip says nothing of how many frames it has, nothing is known.
    """
    with open_any(source) as video:
        info = video.info
        frames = info.frames or ceil((info.duration_seconds or 0) * (info.average_rate or 0))
    if frames < 2:
        return
    start, end = (source.start, source.end) if isinstance(source, VideoRange) else (None, None)
    stop = min(float("inf") if end is None else end, (start or 0) + _BEGINNING)
    tried = try_out(VideoRange(path_of(source), start, stop), Quality(level=QUALITIES[1]))
    most = tried.db + 10 * np.log10(max(1.0, frames / tried.frames))
    if wanted.db > most + _ROOM:
        raise _out_of_reach(
            wanted,
            name,
            f"{tried.db:.2f} dB on the first {tried.frames} frames, so at most {most:.2f} dB on this clip",
        )


def _out_of_reach(wanted: TargetPSNR, name: str, gives: str) -> OptionError:
    return OptionError(
        f"psnr is {wanted.db:g} dB; the best quality of {name} gives {gives}. Ask for less, or take more "
        "channels."
    )


def _psnr(source: AnyVideo, tube: Path, checkpoint: Checkpoint[ContinuousTokenizer]) -> float:
    """How well the frames of a file are those of its source, in dB."""
    psnr = ClipPSNR()
    with open_tube(tube, tokenizer=checkpoint) as opened, open_any(source) as video:
        frames = (frame for run in video.runs() for frame in run.frames)
        for frame, back in zip(frames, opened, strict=True):
            psnr.update(frame[None], back[None])
    return psnr.compute()
