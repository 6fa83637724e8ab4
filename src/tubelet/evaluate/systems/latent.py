"""A continuous tokenizer whose latent is not quantised."""

import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch

from tubelet.checkpoint import Checkpoint
from tubelet.evaluate.frame_buffer import FrameBuffer
from tubelet.evaluate.systems.representation import LatentRepresentation, Representation
from tubelet.evaluate.systems.system import Grid, Reconstruction
from tubelet.evaluate.systems.timing import Timing
from tubelet.evaluate.systems.tokenizer import continuous_timing, facts_of, grid_of, run_length, streamed
from tubelet.types import Frames, Latent
from tubelet.video.pixels import from_model, to_model


@dataclass(frozen=True, kw_only=True)
class LatentSystem:
    """A continuous tokenizer whose latent is not quantised.

    Attributes:
        checkpoint: the tokenizer.
        name: as the text of the system has it.
        channels: how many are kept.
        at_once: whether all latent steps of a clip are worked on together, or in streams.
    """

    checkpoint: Checkpoint
    name: str
    channels: int
    at_once: bool

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie."""
        return grid_of(self.checkpoint.tokenizer)

    @property
    def representation(self) -> Representation | None:
        """Its latent."""
        return LatentRepresentation(self.latent)

    @property
    def timing(self) -> Timing:
        """Of its networks."""
        tokenizer = self.checkpoint.tokenizer
        return continuous_timing(tokenizer, name=self.name, channels=self.channels, at_once=self.at_once)

    def facts(self) -> dict[str, Any]:
        """What identifies it."""
        way = "at once" if self.at_once else "in streams"
        return facts_of(self.checkpoint) | {"kind": "latent", "channels": self.channels, "way": way}

    def latent(self, frames: Frames) -> Latent:
        """The latent of a clip, on the CPU."""
        tokenizer = self.checkpoint.tokenizer
        with torch.no_grad():
            if self.at_once:
                return tokenizer.encode(to_model(frames).to(tokenizer.device))[:, : self.channels].cpu()
            return streamed(tokenizer.stream_encoder(channels=self.channels), frames).cpu()

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Encode and decode a clip."""
        del rate
        began = time.perf_counter()
        latent = self.latent(frames)
        between = time.perf_counter()
        back = self._decoded(latent, frames)
        ended = time.perf_counter()
        return Reconstruction(
            frames=back,
            numbers=latent.numel(),
            seconds_encode=between - began,
            seconds_decode=ended - between,
        )

    @torch.no_grad()
    def _decoded(self, latent: Latent, frames: Frames) -> Frames:
        """The frames of a latent, as many and as large as those of the clip."""
        tokenizer = self.checkpoint.tokenizer
        length, height, width = frames.shape[:3]
        if self.at_once:
            moved = latent.to(tokenizer.device)
            return from_model(tokenizer.decode(moved, frames=length, height=height, width=width))
        decoder = tokenizer.stream_decoder(frames=length, height=height, width=width)
        buffer = FrameBuffer(height=height, width=width)
        for steps in latent.split(max(1, run_length(frames) // tokenizer.stride.t), dim=2):
            buffer.add(decoder.push_frames(steps))
        return buffer.frames()
