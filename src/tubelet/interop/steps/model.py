"""A `StepModel` that computes with another program: onnxruntime, OpenVINO."""

from collections.abc import Mapping, Sequence
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.interop.steps.facts import StepFacts
from tubelet.models.protocol import Decoded, Encoded, Footprint, Past
from tubelet.models.whole_tile import WholeTileModel
from tubelet.types import Counts, Known, Latent, Latents, Part, Video

PART = "latent"
"""The name of the only part."""


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
    """One part of ordered channels, encoded and decoded by two sessions.

    That of a discrete tokenizer is its digits, as numbers.

    Args:
        facts: of the tokenizer that was exported.
        encoder: a session of its encoder's step.
        decoder: a session of its decoder's step.
    """

    def __init__(self, facts: StepFacts, encoder: Session, decoder: Session) -> None:
        super().__init__(
            [Part(PART, facts.channels, facts.stride)], stride=facts.stride, warm_up=facts.warm_up
        )
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
        latents, variances, pasts = zip(*runs, strict=True)
        return Encoded(
            {PART: torch.stack(latents)},
            {PART: torch.stack(variances)} if self.variational else None,
            (torch.stack(pasts),) if self.facts.encoder_past else None,
        )

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        """Decode consecutive whole steps; the mirror of `encode_groups`."""
        latent = latents[PART].detach().float()
        counts = _counts(latent, known.get(PART))
        full = torch.nn.functional.pad(latent, (0,) * 7 + (self.facts.channels - latent.shape[1],))
        runs = [
            self._decoded(clip, number, None if past is None else past[0][index])
            for index, (clip, number) in enumerate(zip(full.numpy(), counts.numpy(), strict=True))
        ]
        groups, pasts = zip(*runs, strict=True)
        return Decoded(torch.stack(groups), (torch.stack(pasts),) if self.facts.decoder_past else None)

    def encoder_footprint(self) -> Footprint:
        """What a stream takes for the encoder."""
        return self._steps_footprint(self.facts.encoder_past)

    def decoder_footprint(self) -> Footprint:
        """What a stream takes for the decoder."""
        return self._steps_footprint(self.facts.decoder_past)

    def flops_per_pixel(self) -> float:
        """Operations to encode and decode a pixel."""
        return self.facts.flops_per_pixel

    def pixel_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """By how much one of each channel changes pixels."""
        return {PART: torch.tensor(self.facts.pixel_units)}

    def coding_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """What a file's quantiser takes for `pixel_units`."""
        return {PART: torch.tensor(self.facts.coding_units)}

    def _encoded(
        self, clip: Float[np.ndarray, "c T H W"], past: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The latent of a clip, logarithms of its variances, and what is remembered."""
        latents: list[np.ndarray] = []
        variances: list[np.ndarray] = []
        state = None if past is None else past.numpy()[None]
        for frames in rearrange(clip, "c (n t) h w -> n 1 (t c) h w", t=self.stride.t):
            cells = frames.shape[2] // self.stride.h, frames.shape[3] // self.stride.w
            given = {"frames": np.ascontiguousarray(frames)} | _state(state, self.facts.encoder_past, cells)
            latent, *rest = self._encoder.run(None, given)
            latents.append(latent[0].astype(np.float32))
            variances += [rest.pop(0)[0]] if self.variational else []
            state = rest[0] if self.facts.encoder_past else None
        return (
            torch.from_numpy(np.stack(latents, axis=1)),
            torch.from_numpy(np.stack(variances, axis=1)) if variances else None,
            None if state is None else torch.from_numpy(state[0]),
        )

    def _decoded(
        self, latent: Float[np.ndarray, "c t h w"], counts: np.ndarray, past: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The frames of a latent, and what is remembered."""
        groups: list[np.ndarray] = []
        state = None if past is None else past.numpy()[None]
        for index in range(latent.shape[1]):
            given = self._of_decoder(latent[None, :, index], counts[None, :, index])
            given |= _state(state, self.facts.decoder_past, latent.shape[2:])
            frames, *rest = self._decoder.run(None, given)
            groups.append(rearrange(frames[0], "(t c) h w -> c t h w", c=3))
            state = rest[0] if self.facts.decoder_past else None
        video = torch.from_numpy(np.concatenate(groups, axis=1))
        return video, None if state is None else torch.from_numpy(state[0])

    def _of_decoder(self, latent: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        """What the decoder is given of a step."""
        if self.facts.bases:
            return {"digits": np.rint(latent).astype(np.int32)}
        return {"latent": np.ascontiguousarray(latent), "counts": np.ascontiguousarray(counts)}

    def _steps_footprint(self, past: int) -> Footprint:
        item = self.dtype.itemsize
        return Footprint(remembered=item * past, whole=item * self.facts.work, strip=0, most=1)


def _state(state: np.ndarray | None, channels: int, cells: tuple[int, ...]) -> dict[str, np.ndarray]:
    """What a step is given of the one before, if anything is remembered."""
    if not channels:
        return {}
    past = np.zeros((1, channels, *cells), np.float32) if state is None else state
    return {"first": np.array([state is None]), "past": past}


def _counts(latent: Latent, counts: Counts | None) -> Counts:
    """How many channels each position has, written out."""
    size = (*latent.shape[:1], 1, *latent.shape[2:])
    if counts is None:
        return torch.full(size, latent.shape[1])
    return counts.clamp(0, latent.shape[1]).long().expand(size)
