"""A `StepModel` that computes with another program: onnxruntime, OpenVINO."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, final, runtime_checkable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.interop.steps.facts import Remembered, StepFacts, counts_name
from tubelet.models.protocol import Decoded, Encoded, Footprint, Past
from tubelet.models.whole_tile import WholeTileModel
from tubelet.types import Counts, Known, Latent, Latents, Part, Video


@runtime_checkable
class Session(Protocol):
    """A function that was loaded; that of onnxruntime is one."""

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """All outputs, in their order.

        Args:
            outputs: none stands for all.
            inputs: by name.
        """
        ...


@final
class RuntimeModel(WholeTileModel):
    """The parts of a latent, encoded and decoded by two sessions.

    That of a discrete tokenizer consists of its digits, as numbers.

    Args:
        facts: of the tokenizer that was exported.
        encoder: a session of its encoder's step.
        decoder: a session of its decoder's step.
    """

    def __init__(self, facts: StepFacts, encoder: Session, decoder: Session) -> None:
        super().__init__(facts.latent_parts(), stride=facts.stride, warm_up=facts.warm_up)
        self.facts = facts
        self.variational = facts.variational
        self.encoder_halo, self.decoder_halo = facts.encoder_halo, facts.decoder_halo
        self._encoder, self._decoder = encoder, decoder

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        """Encode consecutive whole steps of whole cells; no gradients come back."""
        runs = [
            self._encoded(clip, None if past is None else past[0][index])
            for index, clip in enumerate(groups.detach().float().numpy())
        ]
        parts = [part.name for part in self.parts]
        return Encoded(
            {name: torch.stack([run.latents[name] for run in runs]) for name in parts},
            {name: torch.stack([run.log_variances[name] for run in runs]) for name in parts}
            if self.variational
            else None,
            _stacked([run.past for run in runs]),
        )

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        """Decode consecutive whole steps; the mirror of `encode_groups`."""
        given: dict[str, np.ndarray] = {}
        for part in self.parts:
            latent = latents[part.name].detach().float()
            counts = _counts(latent, known.get(part.name))
            full = torch.nn.functional.pad(latent, (0,) * 7 + (part.channels - latent.shape[1],))
            given |= self._of_decoder(part, full.numpy(), counts.numpy())
        clips = len(latents[self.parts[0].name])
        runs = [
            self._decoded(
                {name: whole[index] for name, whole in given.items()},
                None if past is None else past[0][index],
            )
            for index in range(clips)
        ]
        return Decoded(torch.stack([run.groups for run in runs]), _stacked([run.past for run in runs]))

    def encoder_footprint(self) -> Footprint:
        """What a stream takes for the encoder."""
        return self._steps_footprint(self.facts.encoder_memory)

    def decoder_footprint(self) -> Footprint:
        """What a stream takes for the decoder."""
        return self._steps_footprint(self.facts.decoder_memory)

    def flops_per_pixel(self) -> float:
        """Operations to encode and decode a pixel."""
        return self.facts.flops_per_pixel

    def pixel_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """By how much one of each channel changes pixels."""
        return {
            name: torch.tensor(units) for name, units in self.facts.by_part(self.facts.pixel_units).items()
        }

    def coding_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """What a file's quantiser takes for `pixel_units`."""
        coding = self.facts.by_part(self.facts.coding_units)
        return {name: torch.tensor(units) for name, units in coding.items()}

    def _encoded(self, clip: Float[np.ndarray, "c T H W"], past: Tensor | None) -> "_EncodedClip":
        """The parts of a clip, logarithms of their variances, and what is remembered."""
        found: list[list[np.ndarray]] = []
        state = None if past is None else past.numpy()[None]
        for frames in rearrange(clip, "c (n t) h w -> n 1 (t c) h w", t=self.stride.t):
            cells = frames.shape[2] // self.stride.h, frames.shape[3] // self.stride.w
            given = {"frames": np.ascontiguousarray(frames)} | _state(state, self.facts.encoder_memory, cells)
            values = list(self._encoder.run(None, given))
            state = values.pop() if self.facts.encoder_past else None
            found.append(values)
        whole = [
            torch.from_numpy(np.concatenate([_unfolded(each, part.channels) for each in steps], axis=1))
            for part, steps in zip(self.parts * 2, zip(*found, strict=True), strict=False)
        ]
        names = [part.name for part in self.parts]
        return _EncodedClip(
            dict(zip(names, whole, strict=False)),
            dict(zip(names, whole[len(names) :], strict=False)),
            None if state is None else torch.from_numpy(state[0]),
        )

    def _decoded(self, given: dict[str, np.ndarray], past: Tensor | None) -> "_DecodedClip":
        """The frames of a clip, whose parts and counts are ``c t h w``, and what is remembered."""
        groups: list[np.ndarray] = []
        state = None if past is None else past.numpy()[None]
        (first, *_), (t, h, w) = self.parts, self.stride
        values = next(iter(given.values()))
        cells = (values.shape[2] * first.stride.h // h, values.shape[3] * first.stride.w // w)
        for index in range(values.shape[1] * first.stride.t // t):
            inputs = _state(state, self.facts.decoder_memory, cells)
            for name, whole in given.items():
                steps = whole.shape[1] // (values.shape[1] * first.stride.t // t)
                some = whole[:, index * steps : (index + 1) * steps]
                inputs[name] = np.ascontiguousarray(rearrange(some, "c t h w -> 1 (t c) h w"))
            frames, *rest = self._decoder.run(None, inputs)
            groups.append(rearrange(frames[0], "(t c) h w -> c t h w", c=3))
            state = rest[0] if self.facts.decoder_past else None
        video = torch.from_numpy(np.concatenate(groups, axis=1))
        return _DecodedClip(video, None if state is None else torch.from_numpy(state[0]))

    def _of_decoder(self, part: Part, latent: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        """What the decoder is given of a part."""
        if self.facts.bases:
            return {"digits": np.rint(latent).astype(np.int32)}
        return {part.name: latent, counts_name(self.facts, part.name): counts}

    def _steps_footprint(self, memory: Remembered) -> Footprint:
        item = self.dtype.itemsize
        return Footprint(
            remembered=item * memory.channels * memory.side**2, whole=item * self.facts.work, strip=0, most=1
        )


class _EncodedClip(NamedTuple):
    """One clip."""

    latents: dict[str, Tensor]
    log_variances: dict[str, Tensor]
    past: Tensor | None


class _DecodedClip(NamedTuple):
    """One clip."""

    groups: Tensor
    past: Tensor | None


def _stacked(pasts: Sequence[Tensor | None]) -> Past | None:
    """What is remembered of every clip."""
    known = [past for past in pasts if past is not None]
    return (torch.stack(known),) if known else None


def _unfolded(step: np.ndarray, channels: int) -> Float[np.ndarray, "c t h w"]:
    """A part of one step, whose steps lie in its channels."""
    return rearrange(step[0].astype(np.float32), "(t c) h w -> c t h w", c=channels)


def _state(state: np.ndarray | None, memory: Remembered, cells: tuple[int, int]) -> dict[str, np.ndarray]:
    """What a step is given of the one before, if anything is remembered."""
    if not memory.channels:
        return {}
    past = np.zeros(memory.size(cells), np.float32) if state is None else state
    return {"first": np.array([state is None]), "past": past}


def _counts(latent: Latent, counts: Counts | None) -> Counts:
    """How many channels each position has, written out."""
    size = (*latent.shape[:1], 1, *latent.shape[2:])
    if counts is None:
        return torch.full(size, latent.shape[1])
    return counts.clamp(0, latent.shape[1]).long().expand(size)
