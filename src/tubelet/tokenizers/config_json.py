"""Configurations as a checkpoint's config.json holds them, read with suspicion: every size has a bound."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from tubelet.errors import CheckpointError
from tubelet.quantizers.config import QUANTIZERS, QuantizerConfig
from tubelet.tokenizers.config import ContinuousConfig, DiscreteConfig
from tubelet.types import Stride

_LARGEST_SIZE = 1 << 16
_MOST_BLOCKS = 1 << 8
_MOST_LEVELS = 1 << 16
_COUNTS = {"layers", "tokens"}
"""Numbers of a quantiser that count parts of it, each of which takes time to make."""


def continuous_from_json(numbers: object, folder: Path) -> ContinuousConfig:
    """Rebuild a configuration; JSON knows no tuples and no strides.

    Raises:
        CheckpointError: it is damaged, or newer than this program; `folder` is named.
    """
    known = {field.name for field in fields(ContinuousConfig)}
    if not isinstance(numbers, dict):
        raise CheckpointError(f"the configuration in {folder} is {numbers!r:.80}. Fetch it again.")
    try:
        if unknown := set(numbers) - known:
            raise CheckpointError(
                f"{folder} sets {sorted(unknown)!s:.200}, unknown to this program. Upgrade it."
            )
        patches = tuple(Stride(*(int(side) for side in patch)) for patch in numbers["patches"])
        coefficients = tuple(int(number) for number in numbers["coefficients"])
        config = ContinuousConfig(**{**numbers, "patches": patches, "coefficients": coefficients})
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise CheckpointError(
            f"the configuration in {folder} is damaged: {error!r:.200}. Fetch it again."
        ) from error
    sides = [side for patch in patches for side in patch] + [*coefficients, config.channels, config.width]
    blocks = [config.encoder_blocks, config.decoder_blocks, config.memory]
    if not all(type(size) is int and 1 <= size <= _LARGEST_SIZE for size in sides):
        raise CheckpointError(
            f"{folder} sets sizes {sides!s:.200}; each must lie between 1 and {_LARGEST_SIZE}. Fetch it "
            "again."
        )
    if not all(type(count) is int and 0 <= count <= _MOST_BLOCKS for count in blocks):
        raise CheckpointError(
            f"{folder} sets blocks {blocks!s:.200}; each must lie between 0 and {_MOST_BLOCKS}. Fetch it "
            "again."
        )
    if not (
        isinstance(config.name, str)
        and isinstance(config.lead_frame, bool)
        and isinstance(config.variational, bool)
    ):
        raise CheckpointError(
            f"{folder} sets the name {config.name!r:.80}, the lead frame {config.lead_frame!r:.80} and "
            f"variational {config.variational!r:.80}; they must be a text, and true or false. Fetch it again."
        )
    return config


def discrete_from_json(numbers: object, folder: Path) -> DiscreteConfig:
    """Rebuild the configuration of a discrete tokenizer.

    Raises:
        CheckpointError: it is damaged, or newer than this program; `folder` is named.
    """
    if not isinstance(numbers, dict) or set(numbers) != {"name", "backbone", "quantizer"}:
        raise CheckpointError(
            f"the configuration in {folder} is {numbers!r:.80}; it must give a name, a backbone and a "
            "quantizer. Fetch it again."
        )
    if not isinstance(numbers["name"], str):
        raise CheckpointError(f"{folder} sets the name {numbers['name']!r:.80}, no text. Fetch it again.")
    return DiscreteConfig(
        name=numbers["name"],
        backbone=continuous_from_json(numbers["backbone"], folder),
        quantizer=quantizer_from_json(numbers["quantizer"], folder),
    )


def quantizer_from_json(numbers: object, folder: Path) -> QuantizerConfig:
    """Rebuild the configuration of a quantiser.

    Raises:
        CheckpointError: it is damaged, or newer than this program; `folder` is named.
    """
    if not isinstance(numbers, dict):
        raise CheckpointError(f"the quantiser in {folder} is {numbers!r:.80}. Fetch it again.")
    kind = numbers.get("kind")
    if not isinstance(kind, str) or kind not in QUANTIZERS:
        raise CheckpointError(
            f"{folder} holds a quantiser of kind {kind!r:.80}; this program knows {', '.join(QUANTIZERS)}. "
            "Upgrade it."
        )
    usual = {field.name: field.default for field in fields(QUANTIZERS[kind])}
    if unknown := set(numbers) - set(usual):
        raise CheckpointError(f"{folder} sets {sorted(unknown)!s:.200}, unknown to this program. Upgrade it.")
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in numbers.items()
    }
    for name, value in known.items():
        if not _fits(value, usual[name]) or (name in _COUNTS and value > _MOST_BLOCKS):
            raise CheckpointError(
                f"{folder} sets {name} of the quantiser to {value!r:.80}; it must be like "
                f"{usual[name]!r:.80}. Fetch it again."
            )
    return QUANTIZERS[kind](**known)


def _fits(value: object, usual: object) -> bool:
    """Whether a value from a file is of the kind of a default, and of a size that can be meant."""
    if isinstance(usual, tuple):
        return isinstance(value, tuple) and all(
            type(each) is int and 0 < each < _MOST_LEVELS for each in value
        )
    if type(usual) is int:
        return type(value) is int and 0 <= value <= 1 << 22
    if type(usual) is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
    return type(value) is type(usual)
