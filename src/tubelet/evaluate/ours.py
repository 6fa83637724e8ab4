"""Our tokenizers as systems: the latent as it is, through a .tube file, and tokens through a .tube file."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from tubelet.checkpoint import (
    Checkpoint,
    DiscreteCheckpoint,
    architecture,
    find,
    read_checkpoint,
    read_discrete,
)
from tubelet.codec.encode import TubeReport, encode_file
from tubelet.codec.memory import RUN_BYTES
from tubelet.codec.tokenize import TokenReport, tokenize_file
from tubelet.codec.tube import Tube, open_tube
from tubelet.errors import OptionError
from tubelet.evaluate.measures import Grid
from tubelet.evaluate.spool import Spool
from tubelet.evaluate.systems import Reconstruction, System
from tubelet.evaluate.words import Words
from tubelet.quantizers.digits import Digits
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import StreamTokenizer
from tubelet.tokenizers.stream_encoder import StreamEncoder
from tubelet.types import Frames, Latent
from tubelet.video.pixels import from_model, to_model

_Report = TypeVar("_Report", TubeReport, TokenReport)


def open_ours(words: Words, *, channels: int | None, at_once: bool, device: str) -> System:
    """A tokenizer of ours as a system.

    Args:
        words: its name or folder, and the option ``step``.
        channels: how many channels of a continuous one are kept; all by default.
        at_once: whether all latent steps are worked on together, where nothing is coded.
        device: where it computes: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        OptionError: an option has no meaning for this tokenizer, or there is no such device here.
        CheckpointError: there is no such tokenizer, or it is damaged.
    """
    words.only("step")
    folder = find(words.name)
    if architecture(folder) == "discrete":
        if channels is not None or words.options:
            raise OptionError(
                f"{words.text!r} names a discrete tokenizer, which has no choice of channels or "
                "step. Leave them out."
            )
        return TokenSystem(folder=folder, checkpoint=read_discrete(folder, device=device))
    checkpoint = read_checkpoint(folder, device=device)
    kept = checkpoint.tokenizer.check_channels(channels)
    if "step" in words.options:
        step = words.number("step", low=1e-3, high=1e3)
        return TubeSystem(folder=folder, checkpoint=checkpoint, channels=kept, step=step)
    return LatentSystem(checkpoint=checkpoint, channels=kept, at_once=at_once)


@dataclass(frozen=True, kw_only=True)
class LatentSystem:
    """A continuous tokenizer whose latent is not quantised."""

    checkpoint: Checkpoint
    channels: int
    at_once: bool

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie."""
        return _grid(self.checkpoint.tokenizer)

    def facts(self) -> dict[str, Any]:
        """Who it is."""
        way = "at once" if self.at_once else "in streams"
        return _facts(self.checkpoint) | {"kind": "latent", "channels": self.channels, "way": way}

    def latent(self, frames: Frames) -> Latent:
        """The latent of a clip, on the CPU."""
        tokenizer = self.checkpoint.tokenizer
        with torch.no_grad():
            if self.at_once:
                return tokenizer.encode(to_model(frames).to(tokenizer.device))[:, : self.channels].cpu()
            return _streamed(tokenizer.stream_encoder(channels=self.channels), frames).cpu()

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Encode and decode a clip."""
        del rate
        tokenizer = self.checkpoint.tokenizer
        length, height, width = frames.shape[:3]
        began = time.perf_counter()
        latent = self.latent(frames)
        between = time.perf_counter()
        with torch.no_grad():
            if self.at_once:
                moved = latent.to(tokenizer.device)
                back = from_model(tokenizer.decode(moved, frames=length, height=height, width=width))
            else:
                decoder = tokenizer.stream_decoder(frames=length, height=height, width=width)
                spool = Spool(height=height, width=width)
                for steps in latent.split(max(1, _run(frames) // tokenizer.stride.t), dim=2):
                    spool.add(decoder.push_frames(steps))
                back = spool.frames()
        ended = time.perf_counter()
        return Reconstruction(
            frames=back,
            numbers=latent.numel(),
            seconds_encode=between - began,
            seconds_decode=ended - between,
        )


@dataclass(frozen=True, kw_only=True)
class TubeSystem:
    """A continuous tokenizer through a .tube file."""

    folder: Path
    checkpoint: Checkpoint
    channels: int
    step: float

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie."""
        return _grid(self.checkpoint.tokenizer)

    def facts(self) -> dict[str, Any]:
        """Who it is."""
        return _facts(self.checkpoint) | {"kind": "tube", "channels": self.channels, "step": self.step}

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Encode a clip into a file, and decode that."""
        del rate
        encode = partial(encode_file, tokenizer=self.checkpoint, channels=self.channels, step=self.step)
        decode = partial(open_tube, tokenizer=self.folder, device=str(self.checkpoint.tokenizer.device))
        report, back = _through_file(frames, encode, decode)
        rows, columns = self.checkpoint.tokenizer.grouping.cells(report.height, report.width)
        return Reconstruction(
            frames=back.frames,
            bytes_on_disk=report.bytes_total,
            entropy_bits=8 * report.entropy_bytes,
            numbers=report.steps * report.channels * rows * columns,
            seconds_encode=back.seconds_encode,
            seconds_decode=back.seconds_decode,
        )


@dataclass(frozen=True, kw_only=True)
class TokenSystem:
    """A discrete tokenizer through a .tube file of tokens."""

    folder: Path
    checkpoint: DiscreteCheckpoint

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie."""
        return _grid(self.checkpoint.tokenizer.backbone)

    def facts(self) -> dict[str, Any]:
        """Who it is."""
        sizes = self.checkpoint.tokenizer.codebook_sizes
        return _facts(self.checkpoint) | {"kind": "tokens", "codebook_sizes": list(sizes)}

    def digits(self, frames: Frames) -> Digits:
        """The digits of a clip, on the CPU."""
        with torch.no_grad():
            return _streamed(self.checkpoint.tokenizer.stream_encoder(), frames).cpu()

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Turn a clip into a file of tokens, and decode that."""
        del rate
        encode = partial(tokenize_file, tokenizer=self.checkpoint)
        decode = partial(open_tube, tokenizer=self.folder, device=str(self.checkpoint.tokenizer.device))
        report, back = _through_file(frames, encode, decode)
        return Reconstruction(
            frames=back.frames,
            bytes_on_disk=report.bytes_total,
            nominal_bits=report.nominal_bits_per_pixel * report.pixels,
            entropy_bits=8 * report.entropy_bytes,
            numbers=report.tokens,
            seconds_encode=back.seconds_encode,
            seconds_decode=back.seconds_decode,
        )


class _Back(NamedTuple):
    """The frames of a .tube file, and the time to it and back."""

    frames: Frames
    seconds_encode: float
    seconds_decode: float


def _through_file(
    frames: Frames, encode: Callable[[Path, Path], _Report], decode: Callable[[Path], Tube]
) -> tuple[_Report, _Back]:
    """Encode a clip into a .tube file and decode that; give what encoding reports, and what came back.

    Args:
        frames: the clip.
        encode: source, target: what makes the file.
        decode: what opens it.
    """
    with tempfile.TemporaryDirectory(prefix="tubelet-") as place:
        source, tube = Path(place) / "clip.npy", Path(place) / "clip.tube"
        np.save(source, frames, allow_pickle=False)
        began = time.perf_counter()
        report = encode(source, tube)
        between = time.perf_counter()
        with decode(tube) as opened:
            spool = Spool(height=opened.header.height, width=opened.header.width)
            for run in opened.read():
                spool.add(run.frames)
        back = spool.frames()
        return report, _Back(back, between - began, time.perf_counter() - between)


def _streamed(stream: StreamEncoder | StreamTokenizer, frames: Frames) -> Tensor:
    """What a stream makes of all frames of a clip."""
    run = _run(frames)
    parts = [stream.push_frames(frames[begin : begin + run]) for begin in range(0, len(frames), run)]
    return torch.cat([*parts, stream.finish()], dim=2)


def _run(frames: Frames) -> int:
    """How many frames of a clip a stream takes at a time."""
    return max(1, RUN_BYTES // (3 * frames.shape[1] * frames.shape[2]))


def _grid(tokenizer: ContinuousTokenizer) -> Grid:
    return Grid(stride=tokenizer.stride, lead_frame=tokenizer.lead_frame)


def _facts(checkpoint: Checkpoint | DiscreteCheckpoint) -> dict[str, Any]:
    """Who a tokenizer of ours is."""
    tokenizer = checkpoint.tokenizer
    return {
        "name": checkpoint.config.name,
        "sha256": checkpoint.sha256,
        "stride": list(tokenizer.stride),
        "lead_frame": tokenizer.lead_frame,
        "megaflops_per_pixel": tokenizer.flops_per_pixel() / 1e6,
    }
