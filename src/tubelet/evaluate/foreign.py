"""Autoencoders of diffusers as systems."""

import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch

from tubelet.devices import find_device
from tubelet.errors import OptionError
from tubelet.evaluate.measures import Grid
from tubelet.evaluate.systems import Reconstruction
from tubelet.evaluate.words import Words
from tubelet.interop.rivals import DiffusersTokenizer, open_diffusers
from tubelet.types import Frames, Latent
from tubelet.video.pixels import from_model, to_model

_FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class ForeignSystem:
    """An autoencoder of diffusers; its latent is not quantised, and clips are worked on whole."""

    place: str
    tokenizer: DiffusersTokenizer

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie; a first frame stands alone if its rule says so."""
        frames = self.tokenizer.rules.frames
        return Grid(stride=self.tokenizer.stride, lead_frame=frames.first == 1 and frames.step > 1)

    def facts(self) -> dict[str, Any]:
        """Who it is; the checksum is the sum of the sizes of its weights."""
        tokenizer = self.tokenizer
        return {
            "kind": "diffusers",
            "name": tokenizer.name,
            "place": self.place,
            "stride": list(tokenizer.stride),
            "channels": tokenizer.channels,
            "tiling": tokenizer.tiling,
            "encode_dtype": str(tokenizer.encode_dtype),
            "decode_dtype": str(tokenizer.decode_dtype),
            "parameters": sum(weights.numel() for weights in tokenizer.model.parameters()),
            "checksum": sum(float(weights.double().abs().sum()) for weights in tokenizer.model.parameters()),
        }

    def latent(self, frames: Frames) -> Latent:
        """The latent of a clip, on the CPU."""
        return self.tokenizer.encode(to_model(frames)).cpu()

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Encode and decode a clip."""
        del rate
        length, height, width = frames.shape[:3]
        began = time.perf_counter()
        latent = self.latent(frames)
        between = time.perf_counter()
        video = self.tokenizer.decode(latent, frames=length, height=height, width=width)
        back = from_model(video)
        ended = time.perf_counter()
        return Reconstruction(
            frames=back,
            numbers=latent.numel(),
            seconds_encode=between - began,
            seconds_decode=ended - between,
        )


def open_foreign(words: Words, *, device: str) -> ForeignSystem:
    """An autoencoder of diffusers as a system.

    Args:
        words: a folder or an id of the hub, and the options ``tiling`` (true or false) and ``decode``
            (float32 or bfloat16, the number format of its decoder).
        device: where it computes: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        OptionError: an option has no meaning, diffusers is not installed, or there is no such device here.
        CheckpointError: there is no such autoencoder.
    """
    decode = words.only("tiling", "decode").get("decode", "bfloat16")
    if decode not in _FORMATS:
        raise OptionError(f"{words.text!r} has decode={decode}; it is {' or '.join(_FORMATS)}.")
    tokenizer = open_diffusers(
        words.name,
        tiling=words.flag("tiling"),
        decode_dtype=_FORMATS[decode],
        device=find_device(device),
    )
    return ForeignSystem(place=words.name, tokenizer=tokenizer)
