"""A tokenizer as a folder: ``config.json``, ``weights.safetensors`` and ``card.md``."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.files import replacing_folder
from tubelet.files.names import real_path, text_name
from tubelet.given import as_path, check_texts
from tubelet.models.table import ModelConfig, base_config, model_to_json
from tubelet.nn.precision import HALVES
from tubelet.tokenizers.config import DiscreteConfig
from tubelet.weights_file import weights_to_bytes

Config = TypeVar("Config", ModelConfig, DiscreteConfig)

FORMAT = 1
"""The newest format of a checkpoint."""

WEIGHTS = "weights.safetensors"

FILES = ("config.json", WEIGHTS, "card.md")
"""What the folder of a checkpoint holds."""

_NO_NUMBERS = ("name", "lead_frame", "kind")
"""What of a configuration does not change what is computed, or is told by other numbers."""


def known_config(config: Config | None) -> Config:
    """The numbers that a tokenizer was built from.

    Raises:
        OptionError: it was put together by hand.
    """
    if config is None:
        raise OptionError(
            "this tokenizer was put together by hand, so nothing says how to build it again. Build it by "
            "ContinuousTokenizer.of(config) or DiscreteTokenizer.of(config)."
        )
    return config


def save_weights(
    config: ModelConfig | DiscreteConfig,
    weights: Mapping[str, Tensor],
    folder: Path,
    *,
    card: str,
    force: bool = False,
) -> Path:
    """Write a checkpoint; the folder appears, or is replaced, as a whole.

    Args:
        config: the numbers that the tokenizer is built from.
        weights: what it has learned; matrices take one byte a number, or two, where that loses nothing.
        folder: where.
        card: says in Markdown what it was made from and how good it is.
        force: replace a checkpoint that is there.

    Raises:
        OutputError: a checkpoint is there and `force` is false; the folder holds other files; or the disk is
            full or refuses it.
    """
    stored = {name: _stored(tensor) for name, tensor in weights.items()}
    facts = {
        "format": FORMAT,
        "architecture": "discrete" if isinstance(config, DiscreteConfig) else "continuous",
        "config": _to_json(config),
        "sha256": fingerprint(config, stored),
    }
    with replacing_folder(folder, holds=FILES, force=force) as beside:
        # Written by Python, so that a full disk is the error that it always is.
        (beside / WEIGHTS).write_bytes(weights_to_bytes(stored))
        (beside / "card.md").write_text(card, encoding="utf-8")
        (beside / "config.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return folder


def save_tokenizer(
    config: ModelConfig | DiscreteConfig,
    weights: Mapping[str, Tensor],
    folder: Path | str,
    *,
    card: str | None,
    force: bool,
) -> Path:
    """Write a tokenizer under the name of its folder, with a card that says no more than what it is.

    Arguments and errors as `save_weights`.
    """
    folder = as_path(folder, "folder")
    if card is not None:
        check_texts(card=card)
    named = replace(config, name=text_name(real_path(folder).name))
    numbers = sum(tensor.numel() for tensor in weights.values())
    plain = (
        f"# {named.name}\n\nSaved from Python; {numbers / 1e6:.2f} million numbers. Nothing is noted of what "
        f"it was trained on. Measure it with `tubelet evaluate CLIPS --with {named.name} -o figures`.\n"
    )
    return save_weights(named, weights, folder, card=plain if card is None else card, force=force)


def fingerprint(config: ModelConfig | DiscreteConfig | None, weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of what a tokenizer computes with; its name and the use of a lead frame do not change it.

    Only numbers that differ from their defaults count, so a configuration may grow without changing who the
    tokenizers of before are. Without a configuration it is that of the weights alone.
    """
    numbers = {} if config is None else _numbers(config)
    digest = hashlib.sha256(json.dumps(numbers, sort_keys=True).encode())
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def widened(tensor: Tensor) -> Tensor:
    """A stored tensor as it is computed with: what was stored as bfloat16 is float32 again.

    Always a copy, because what was loaded may still be the file itself, mapped into memory.
    """
    return tensor.to(torch.float32) if tensor.dtype == torch.bfloat16 else tensor.clone()


def _to_json(config: ModelConfig | DiscreteConfig) -> dict[str, Any]:
    if isinstance(config, DiscreteConfig):
        return asdict(config) | {"backbone": model_to_json(config.backbone)}
    return model_to_json(config)


def _numbers(config: ModelConfig | DiscreteConfig) -> dict[str, Any]:
    """What of a configuration decides what is computed, and is not the default."""
    if isinstance(config, DiscreteConfig):
        usual = asdict(type(config.quantizer)())
        quantizer = {key: value for key, value in asdict(config.quantizer).items() if value != usual[key]}
        # The kind stands there always: so no quantiser is known by the absence of numbers.
        return {
            "backbone": _numbers(config.backbone),
            "quantizer": quantizer | {"kind": config.quantizer.kind},
        }
    usual = asdict(type(config)(name=""))
    numbers = model_to_json(config)
    kind = {"kind": numbers["kind"]} if "kind" in numbers else {}
    if (base := base_config(config)) is not None:
        numbers["base"], usual["base"] = _numbers(base), {}
    return kind | {
        key: value for key, value in numbers.items() if key not in _NO_NUMBERS and value != usual[key]
    }


def _stored(tensor: Tensor) -> Tensor:
    """A tensor as a checkpoint has it: on the CPU, and in float32 what networks compute with in halves."""
    plain = tensor.detach().cpu().contiguous()
    return plain.to(torch.float32) if plain.dtype in HALVES else plain
