"""Tokenizers of ours through a .tube file: a continuous one with its latent quantised, and a discrete one."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import torch

from tubelet.bitstream.reader import TubeReader
from tubelet.checkpoint import Checkpoint
from tubelet.codec.budget import Budget
from tubelet.codec.contrast import CONTRAST
from tubelet.codec.models import prior_header
from tubelet.evaluate.frame_buffer import FrameBuffer
from tubelet.evaluate.systems.representation import CountsRepresentation, Representation, TokenRepresentation
from tubelet.evaluate.systems.system import Grid, Moved, Reconstruction
from tubelet.evaluate.systems.timing import Timing
from tubelet.evaluate.systems.tokenizer import (
    continuous_timing,
    discrete_timing,
    facts_of,
    grid_of,
    motion_of,
    streamed,
)
from tubelet.priors.files import model_for
from tubelet.quantizers.digits import Digits
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Counts, Frames

if TYPE_CHECKING:
    from tubelet.codec.report import TubeReport

_Report = TypeVar("_Report")


@dataclass(frozen=True, kw_only=True)
class TubeSystem:
    """A continuous tokenizer through a .tube file.

    Attributes:
        folder: of the checkpoint.
        checkpoint: the tokenizer.
        name: as the text of the system has it.
        channels: how many are kept.
        step: of the quantiser.
        budget: what the file may take; none for all channels everywhere.
        two_pass: whether the clip is looked at before.
        contrast: how much less errors count in a budget where there is contrast.
        prior: whether a learned prior codes the symbols, if there is one.
        refine: steps of a flow by which frames of the file are refined.
        seed: of the noise for that.
    """

    folder: Path
    checkpoint: Checkpoint
    name: str
    channels: int
    step: float
    budget: Budget | None = None
    two_pass: bool = False
    contrast: float = CONTRAST
    prior: bool = True
    refine: int = 0
    seed: int = 0

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie."""
        return grid_of(self.checkpoint.tokenizer)

    @property
    def representation(self) -> Representation | None:
        """The counts of a budget; else none: its latent is that of the same tokenizer without a step."""
        return None if self.budget is None else CountsRepresentation(self.counts)

    @property
    def timing(self) -> Timing:
        """Of its networks, in streams: the file is not part of it."""
        tokenizer = self.checkpoint.tokenizer
        return continuous_timing(tokenizer, name=self.name, channels=self.channels, at_once=False)

    def facts(self) -> dict[str, Any]:
        """What identifies it."""
        facts = facts_of(self.checkpoint) | {"kind": "tube", "channels": self.channels, "step": self.step}
        prior = prior_header(self.checkpoint.sha256, self.checkpoint.tokenizer.parts) if self.prior else None
        if prior is not None:
            facts |= {"prior": prior.name, "prior_sha256": prior.sha256}
        if self.budget is not None:
            passes = 2 if self.two_pass else 1
            facts |= {"budget": type(self.budget).__name__, **asdict(self.budget), "passes": passes}
            facts["contrast"] = self.contrast
        return facts

    def counts(self, frames: Frames) -> Counts:
        """How many channels a file of a clip stores of each position."""
        with _file_of(frames, self._encode) as (_, tube, _), TubeReader(tube, model_for) as reader:
            found = [reader.read_counts(number) for number in range(len(reader.chunks))]
        every = [counts for parts in found for counts in parts if counts is not None]
        return torch.from_numpy(np.concatenate(every))[None, None]

    def motion(self, frames: Frames) -> Moved | None:
        """How far the positions of a clip move, if its tokenizer says so."""
        return motion_of(self.checkpoint.tokenizer, frames)

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Encode a clip into a file, and decode that."""
        del rate
        # A process that times networks holds no codec, for its memory is measured.
        from tubelet.codec.tube import open_tube  # noqa: PLC0415

        decode = partial(
            open_tube,
            tokenizer=self.folder,
            refine=self.refine,
            seed=self.seed if self.refine else None,
            device=str(self.checkpoint.tokenizer.device),
        )
        report, back = _through_file(frames, self._encode, decode)
        return Reconstruction(
            frames=back.frames,
            bytes_on_disk=report.bytes_total,
            entropy_bits=8 * report.entropy_bytes,
            numbers=report.numbers,
            seconds_encode=back.seconds_encode,
            seconds_decode=back.seconds_decode,
        )

    def _encode(self, source: Path, target: Path) -> "TubeReport":
        """Make a file of a video."""
        from tubelet.codec.encode import encode_file  # noqa: PLC0415  as above

        return encode_file(
            source,
            target,
            tokenizer=self.checkpoint,
            channels=self.channels,
            step=self.step,
            budget=self.budget,
            two_pass=self.two_pass,
            contrast=self.contrast,
            prior=self.prior,
        )


@dataclass(frozen=True, kw_only=True)
class TokenSystem:
    """A discrete tokenizer through a .tube file of tokens.

    Attributes:
        folder: of the checkpoint, from which a decoder is read; none where it was exported, and decodes too.
        checkpoint: the tokenizer.
        name: as the text of the system has it.
        at_once: whether all latent steps of a clip are worked on together when it is timed; a file is always
            made in streams.
    """

    folder: Path | None
    checkpoint: Checkpoint[DiscreteTokenizer]
    name: str
    at_once: bool = False

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie."""
        return grid_of(self.checkpoint.tokenizer)

    @property
    def representation(self) -> Representation | None:
        """Its tokens."""
        return TokenRepresentation(self.digits, self.checkpoint.tokenizer.bases)

    @property
    def timing(self) -> Timing:
        """Of its networks and its quantiser: the file is not part of it."""
        return discrete_timing(self.checkpoint.tokenizer, name=self.name, at_once=self.at_once)

    def facts(self) -> dict[str, Any]:
        """What identifies it."""
        sizes = self.checkpoint.tokenizer.codebook_sizes
        return facts_of(self.checkpoint) | {"kind": "tokens", "codebook_sizes": list(sizes)}

    def digits(self, frames: Frames) -> Digits:
        """The digits of a clip, on the CPU."""
        with torch.no_grad():
            return streamed(self.checkpoint.tokenizer.stream_encoder(), frames).cpu()

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Turn a clip into a file of tokens, and decode that."""
        del rate
        from tubelet.codec.tokens.tokenize import tokenize_file  # noqa: PLC0415  as above
        from tubelet.codec.tube import open_tube  # noqa: PLC0415

        encode = partial(tokenize_file, tokenizer=self.checkpoint)
        reader = self.checkpoint if self.folder is None else self.folder
        decode = partial(open_tube, tokenizer=reader, device=str(self.checkpoint.tokenizer.device))
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


@contextmanager
def _file_of(
    frames: Frames, encode: Callable[[Path, Path], _Report]
) -> Iterator[tuple[_Report, Path, float]]:
    """A clip in a .tube file that is there for the context: what encoding reports, the file, the seconds.

    Args:
        frames: the clip.
        encode: source, target: what makes the file.
    """
    with tempfile.TemporaryDirectory(prefix="tubelet-") as place:
        source, tube = Path(place) / "clip.npy", Path(place) / "clip.tube"
        np.save(source, frames, allow_pickle=False)
        began = time.perf_counter()
        report = encode(source, tube)
        yield report, tube, time.perf_counter() - began


def _through_file(
    frames: Frames, encode: Callable[[Path, Path], _Report], decode: Callable[[Path], Any]
) -> tuple[_Report, _Back]:
    """Encode a clip into a .tube file and decode that; give what encoding reports, and what came back.

    Args:
        frames: the clip.
        encode: source, target: what makes the file.
        decode: what opens it.
    """
    with _file_of(frames, encode) as (report, tube, seconds):
        began = time.perf_counter()
        with decode(tube) as opened:
            buffer = FrameBuffer(height=opened.header.height, width=opened.header.width)
            for run in opened.read():
                buffer.add(run.frames)
        back = buffer.frames()
        return report, _Back(back, seconds, time.perf_counter() - began)
