"""A continuous tokenizer whose latent is not quantised."""

import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch

from tubelet.checkpoint import Checkpoint
from tubelet.codec.symbols import kept_channels
from tubelet.evaluate.frame_buffer import FrameBuffer
from tubelet.evaluate.systems.representation import LatentRepresentation, Representation
from tubelet.evaluate.systems.system import Grid, Moved, Reconstruction
from tubelet.evaluate.systems.timing import Timing
from tubelet.evaluate.systems.tokenizer import continuous_timing, facts_of, grid_of, motion_of, run_length
from tubelet.tokenizers.clip import main_part
from tubelet.tokenizers.parts import joined
from tubelet.types import Frames, Latent, Latents
from tubelet.video.pixels import from_model, to_model


@dataclass(frozen=True, kw_only=True)
class LatentSystem:
    """A continuous tokenizer whose latent is not quantised.

    Attributes:
        checkpoint: the tokenizer.
        name: as the text of the system has it.
        channels: how many are kept; none of a latent of several ordered parts, of which all are.
        at_once: whether all latent steps of a clip are worked on together, or in streams.
    """

    checkpoint: Checkpoint
    name: str
    channels: int | None
    at_once: bool

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie."""
        return grid_of(self.checkpoint.tokenizer)

    @property
    def representation(self) -> Representation | None:
        """Its latent; none of several ordered parts, which no one picture shows."""
        return None if self.channels is None else LatentRepresentation(self.latent)

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
        """The latent of a clip, on the CPU; of several parts that of ordered channels."""
        return self.latents(frames)[main_part(self.checkpoint.tokenizer.parts).name]

    def motion(self, frames: Frames) -> Moved | None:
        """How far the positions of a clip move, if its tokenizer says so."""
        return motion_of(self.checkpoint.tokenizer, frames)

    @torch.no_grad()
    def latents(self, frames: Frames) -> Latents:
        """Every part of the latent of a clip, on the CPU."""
        tokenizer = self.checkpoint.tokenizer
        kept = kept_channels(tokenizer, self.channels)
        if self.at_once:
            found = tokenizer.encode_parts(to_model(frames).to(tokenizer.device), channels=kept)
        else:
            stream, run = tokenizer.parts_encoder(channels=kept), run_length(frames)
            runs = [stream.push_frames(frames[begin : begin + run]) for begin in range(0, len(frames), run)]
            found = joined([*runs, stream.finish()])
        return {name: part.cpu() for name, part in found.items()}

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Encode and decode a clip."""
        del rate
        began = time.perf_counter()
        latents = self.latents(frames)
        between = time.perf_counter()
        back = self._decoded(latents, frames)
        ended = time.perf_counter()
        return Reconstruction(
            frames=back,
            numbers=sum(part.numel() for part in latents.values()),
            seconds_encode=between - began,
            seconds_decode=ended - between,
        )

    @torch.no_grad()
    def _decoded(self, latents: Latents, frames: Frames) -> Frames:
        """The frames of a latent, as many and as large as those of the clip."""
        tokenizer = self.checkpoint.tokenizer
        length, height, width = frames.shape[:3]
        if self.at_once:
            moved = {name: part.to(tokenizer.device) for name, part in latents.items()}
            return from_model(tokenizer.decode_parts(moved, frames=length, height=height, width=width))
        decoder = tokenizer.parts_decoder(frames=length, height=height, width=width)
        buffer, grids = FrameBuffer(height=height, width=width), tokenizer.grids
        steps, run = grids.steps_in(latents, 0), max(1, run_length(frames) // tokenizer.stride.t)
        for step in range(0, steps, run):
            stop = min(step + run, steps)
            some = {
                name: part[:, :, grids[name].first(step) : grids[name].first(stop)]
                for name, part in latents.items()
            }
            buffer.add(decoder.push_frames(some))
        return buffer.frames()
