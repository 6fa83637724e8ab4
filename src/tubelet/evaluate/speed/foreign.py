"""Autoencoders of diffusers as subjects: whole clips, what the autoencoder itself does, and no more."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tubelet.evaluate.speed.grid import AbsentError, Case, Variant
from tubelet.evaluate.speed.subjects import Cost, Subject, WholeClips, million_numbers
from tubelet.evaluate.words import Words
from tubelet.interop.known import KNOWN
from tubelet.interop.optional import diffusers_package
from tubelet.interop.rivals import DiffusersTokenizer, open_diffusers
from tubelet.types import Latent, Video

_COUNTED = (17, 64, 64)
"""Frames, rows and columns of the clip that operations are counted on, before it is filled up."""


def open_foreign(variant: Variant, words: Words, *, device: torch.device) -> Subject:
    """An autoencoder of diffusers.

    Args:
        variant: the system, its number format and mode.
        words: a folder, an id of the hub or a class, and the option ``tiling`` (true or false).
        device: where it computes.

    Raises:
        OptionError: the text has no meaning, or diffusers is not installed.
        CheckpointError: there is no such autoencoder.
        AbsentError: a class cannot be built as its author configures it, or has no parts to compile.
    """
    words.only("tiling")
    place, tiling = words.name, words.flag("tiling")
    dtype = getattr(torch, variant.number_format or "float32")
    if place in KNOWN and not Path(place).exists():
        model = _untrained(place).to(device)
        tokenizer = DiffusersTokenizer(model, tiling=tiling, encode_dtype=dtype, decode_dtype=dtype)
    else:
        tokenizer = open_diffusers(
            place, tiling=tiling, encode_dtype=dtype, decode_dtype=dtype, device=device
        )
    if variant.mode == "compiled":
        _compile(tokenizer)
    about = {
        "kind": "diffusers",
        "name": tokenizer.name,
        "tiling": tokenizer.tiling,
        "weights": "random" if place in KNOWN else "its own",
        "million_numbers": million_numbers(tokenizer.model),
    }
    return WholeClips(
        device=tokenizer.device,
        dtype=dtype,
        encode=partial(_encode, tokenizer),
        decode=partial(_decode, tokenizer),
        about=about,
        cost=partial(_cost, tokenizer),
    )


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
