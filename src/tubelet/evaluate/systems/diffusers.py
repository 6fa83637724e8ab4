"""Autoencoders of diffusers as systems."""

import time
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tubelet.devices import find_device
from tubelet.errors import OptionError
from tubelet.evaluate.cases import AbsentError, Case
from tubelet.evaluate.systems.representation import LatentRepresentation, Representation
from tubelet.evaluate.systems.system import Grid, Reconstruction, Setting
from tubelet.evaluate.systems.system_specs import SystemSpec
from tubelet.evaluate.systems.timing import Cost, Timing, million_numbers, whole_clips
from tubelet.interop.known import KNOWN
from tubelet.interop.optional import diffusers_package
from tubelet.interop.rivals import DiffusersTokenizer, open_diffusers
from tubelet.types import Frames, Latent, Video
from tubelet.video.pixels import from_model, to_model

_FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

_COUNTED = (17, 64, 64)
"""Frames, rows and columns of the clip that operations are counted on, before it is filled up."""


@dataclass(frozen=True, kw_only=True)
class DiffusersSystem:
    """An autoencoder of diffusers; its latent is not quantised, and clips are worked on whole.

    Attributes:
        place: a folder, an id of the hub, or a class.
        tokenizer: the autoencoder behind our interface.
        random_weights: whether its weights are drawn from a seed.
    """

    place: str
    tokenizer: DiffusersTokenizer
    random_weights: bool = False

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie; a first frame stands alone if its rule says so."""
        frames = self.tokenizer.rules.frames
        return Grid(stride=self.tokenizer.stride, lead_frame=frames.first == 1 and frames.step > 1)

    @property
    def representation(self) -> Representation | None:
        """Its latent."""
        return LatentRepresentation(self.latent)

    @property
    def timing(self) -> Timing:
        """Of what the autoencoder itself does with a whole clip, and no more."""
        tokenizer = self.tokenizer
        about = {
            "kind": "diffusers",
            "name": tokenizer.name,
            "tiling": tokenizer.tiling,
            "weights": "random" if self.random_weights else "its own",
            "million_numbers": million_numbers(tokenizer.model),
        }
        return whole_clips(
            partial(_encode, tokenizer),
            partial(_decode, tokenizer),
            device=tokenizer.device,
            dtype=tokenizer.encode_dtype,
            about=about,
            cost=partial(_cost, tokenizer),
        )

    def facts(self) -> dict[str, Any]:
        """What identifies it; the checksum is the sum of the sizes of its weights."""
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


def open_diffusers_system(spec: SystemSpec, setting: Setting) -> DiffusersSystem:
    """An autoencoder of diffusers as a system.

    Args:
        spec: a folder or an id of the hub, and the options ``tiling`` (true or false) and, where the setting
            names no number format, ``decode`` (float32 or bfloat16, the number format of its decoder).
        setting: what the text does not say.

    Raises:
        OptionError: an option has no meaning, diffusers is not installed, or there is no such device here.
        CheckpointError: there is no such autoencoder.
        AbsentError: a class cannot be built as its author configures it, or has no parts to compile.
    """
    place, device = spec.name, find_device(setting.device)
    if setting.number_format is None:
        decode = spec.only("tiling", "decode").get("decode", "bfloat16")
        if decode not in _FORMATS:
            raise OptionError(f"{spec.text!r} has decode={decode}; it is {' or '.join(_FORMATS)}.")
        encode_dtype, decode_dtype = torch.float32, _FORMATS[decode]
    else:
        spec.only("tiling")
        encode_dtype = decode_dtype = _FORMATS[setting.number_format]
    formats = {"encode_dtype": encode_dtype, "decode_dtype": decode_dtype}
    random_weights = setting.random_weights and place in KNOWN and not Path(place).exists()
    if random_weights:
        model = _untrained(place).to(device)
        tokenizer = DiffusersTokenizer(model, tiling=spec.flag("tiling"), **formats)
    else:
        tokenizer = open_diffusers(place, tiling=spec.flag("tiling"), device=device, **formats)
    if setting.compiled:
        _compile(tokenizer)
    return DiffusersSystem(place=place, tokenizer=tokenizer, random_weights=random_weights)


def _untrained(name: str) -> Any:  # noqa: ANN401  any model of diffusers
    """A model as its author configures the class, with weights drawn from seed 0."""
    build = getattr(diffusers_package(), name)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        try:
            return build()
        except Exception as error:
            raise AbsentError(f"{name} cannot be built in its default configuration: {error}") from error


def _compile(tokenizer: DiffusersTokenizer) -> None:
    for name in ("encoder", "decoder"):
        part = getattr(tokenizer.model, name, None)
        if not isinstance(part, torch.nn.Module):
            raise AbsentError(f"{tokenizer.name} has no {name} to compile")
        part.compile()


def _encode(tokenizer: DiffusersTokenizer, video: Video) -> Latent:
    """The mode; not normalised, which every pipeline does in its own way."""
    return tokenizer.encode_raw(tokenizer.fill(video))


def _decode(tokenizer: DiffusersTokenizer, latent: Latent, case: Case) -> Video:
    return tokenizer.decode_raw(latent)[:, :, : case.frames, : case.size.height, : case.size.width]


def _cost(tokenizer: DiffusersTokenizer) -> Cost:
    """Count what PyTorch is told to multiply, on a small clip that is taken as it is."""
    frames, height, width = (
        rule.filled(length) for rule, length in zip(tokenizer.rules, _COUNTED, strict=True)
    )
    video = torch.zeros(1, 3, frames, height, width, dtype=tokenizer.encode_dtype, device=tokenizer.device)
    # What a compiler made of a network cannot be counted.
    with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False) as counter:
        tokenizer.decode_raw(tokenizer.encode_raw(video))
    mflop = counter.get_total_flops() / (frames * height * width) / 1e6
    return Cost(mflop, f"by PyTorch, on {frames} frames of {width}x{height}")
