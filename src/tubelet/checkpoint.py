"""Tokenizers on disk: a folder with ``config.json``, ``weights.safetensors`` and ``card.md``.

Numbers only: nothing in a checkpoint is executed. A tokenizer is known by the SHA-256 of what it computes
with.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from tubelet.devices import find_device
from tubelet.errors import CheckpointError, OptionError
from tubelet.files import replacing_folder
from tubelet.json_text import read_json
from tubelet.quantizers.config import least_numbers
from tubelet.tokenizers.config import ContinuousConfig, DiscreteConfig
from tubelet.tokenizers.config_json import continuous_from_json, discrete_from_json
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.weights_file import read_weights

FORMAT = 1
"""The newest checkpoint format that this program reads, and the one it writes."""

Architecture = Literal["continuous", "discrete"]

ARCHITECTURES: dict[Architecture, type] = {"continuous": ContinuousTokenizer, "discrete": DiscreteTokenizer}
"""Every kind of tokenizer that a checkpoint may hold."""

DEFAULT = "tubelet-m"
"""The shipped tokenizer that is meant when none is named."""

DEFAULT_DISCRETE = "tubelet-fsq"
"""The shipped tokenizer that is meant when one that gives tokens is wanted and none is named."""

SHIPPED = Path(__file__).parent / "weights"
"""The folder of the tokenizers that come with the package."""

WEIGHTS = "weights.safetensors"

FILES = ("config.json", WEIGHTS, "card.md")
"""What the folder of a checkpoint holds."""

_CONFIG_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A continuous tokenizer and who it is.

    Attributes:
        config: the numbers that it was built from.
        tokenizer: ready to use: evaluation mode, no gradients.
        sha256: of its configuration and weights; the same wherever the checkpoint lies.
    """

    config: ContinuousConfig
    tokenizer: ContinuousTokenizer
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscreteCheckpoint:
    """A discrete tokenizer and who it is; attributes as those of `Checkpoint`."""

    config: DiscreteConfig
    tokenizer: DiscreteTokenizer
    sha256: str


def shipped() -> list[str]:
    """Names of the tokenizers that come with the package, the default first."""
    names = sorted(folder.name for folder in SHIPPED.iterdir() if (folder / "config.json").is_file())
    return sorted(names, key=lambda name: name != DEFAULT)


def find(name: str | Path | None = None) -> Path:
    """The folder of a checkpoint, by the name of a shipped tokenizer or the path of a folder.

    Raises:
        CheckpointError: there is none.
    """
    wanted = DEFAULT if name is None else name
    for folder in (SHIPPED / wanted, Path(wanted)):
        if (folder / "config.json").is_file():
            return folder
    raise CheckpointError(
        f"{str(wanted)!r} is neither a shipped tokenizer nor a folder with a config.json; shipped are "
        f"{', '.join(shipped())}. `tubelet models` tells more."
    )


def architecture(name: str | Path | None = None) -> Architecture:
    """What kind of tokenizer a checkpoint holds.

    Raises:
        CheckpointError: it is unknown, damaged, or newer than this program.
    """
    return _read_facts(find(name))["architecture"]


def read_checkpoint(
    name: str | Path | None = None, *, lead_frame: bool | None = None, device: str = "cpu"
) -> Checkpoint:
    """Read a continuous tokenizer, with the identity that files refer to.

    Args:
        name: a shipped tokenizer or a folder; the default tokenizer for none.
        lead_frame: whether the first frame is a group of its own; what the checkpoint says for none.
        device: where it computes: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        CheckpointError: it is unknown, damaged, newer than this program, or discrete.
        OptionError: there is no such device here.
    """
    place = find_device(device)
    folder = find(name)
    facts = _read_facts(folder, "continuous")
    config = continuous_from_json(facts["config"], folder)
    if lead_frame is not None:
        config = replace(config, lead_frame=lead_frame)
    # Without memory until the weights are there, whatever sizes the configuration claims.
    with _building(folder), torch.device("meta"):
        tokenizer = config.build()
    sha256 = _fill(tokenizer, config, folder, facts)
    return Checkpoint(config=config, tokenizer=tokenizer.to(place), sha256=sha256)


def read_discrete(
    name: str | Path | None = None, *, lead_frame: bool | None = None, device: str = "cpu"
) -> DiscreteCheckpoint:
    """Read a discrete tokenizer, with the identity that files refer to; arguments as `read_checkpoint`.

    Raises:
        CheckpointError: it is unknown, damaged, newer than this program, or continuous.
        OptionError: there is no such device here.
    """
    place = find_device(device)
    folder = find(DEFAULT_DISCRETE if name is None else name)
    facts = _read_facts(folder, "discrete")
    config = discrete_from_json(facts["config"], folder)
    if lead_frame is not None:
        config = replace(config, backbone=replace(config.backbone, lead_frame=lead_frame))
    with _building(folder), torch.device("meta"):
        backbone = config.backbone.build()
    _check_room(config, folder)
    with _building(folder):  # A quantiser is small, and some of its numbers are in no file.
        tokenizer = DiscreteTokenizer(backbone, config.quantizer.build(backbone.channels))
    sha256 = _fill(tokenizer, config, folder, facts)
    return DiscreteCheckpoint(config=config, tokenizer=tokenizer.to(place), sha256=sha256)


def read_config(name: str | Path | None = None) -> ContinuousConfig | DiscreteConfig:
    """The numbers that a tokenizer is built from, of either kind, without its weights.

    Raises:
        CheckpointError: it is unknown, damaged, or newer than this program.
    """
    folder = find(name)
    facts = _read_facts(folder)
    read = discrete_from_json if facts["architecture"] == "discrete" else continuous_from_json
    return read(facts["config"], folder)


def load(
    name: str | Path | None = None, *, lead_frame: bool | None = None, device: str = "cpu"
) -> ContinuousTokenizer:
    """Load a continuous tokenizer, ready to use: evaluation mode, no gradients.

    ``requires_grad_()`` lets it be trained.

    Args:
        name: a shipped tokenizer (`shipped`) or a folder; the default tokenizer for none.
        lead_frame: whether the first frame is a group of its own (1 + t·n frames are n + 1 latent steps);
            what the checkpoint says for none.
        device: where it computes: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        CheckpointError: it is unknown, damaged, newer than this program, or discrete.
        OptionError: there is no such device here.
    """
    return read_checkpoint(name, lead_frame=lead_frame, device=device).tokenizer


def load_discrete(
    name: str | Path | None = None, *, lead_frame: bool | None = None, device: str = "cpu"
) -> DiscreteTokenizer:
    """Load a discrete tokenizer, ready to use; arguments as `load`.

    Raises:
        CheckpointError: it is unknown, damaged, newer than this program, or continuous.
        OptionError: there is no such device here.
    """
    return read_discrete(name, lead_frame=lead_frame, device=device).tokenizer


def save(
    tokenizer: ContinuousTokenizer | DiscreteTokenizer,
    config: ContinuousConfig | DiscreteConfig,
    folder: Path,
    *,
    card: str,
    force: bool = False,
) -> Path:
    """Write a checkpoint; `card` says in Markdown what it was made from and how good it is.

    The folder appears, or is replaced, as a whole.

    Raises:
        OutputError: a checkpoint is there and `force` is false; the folder holds other files; or the disk is
            full or refuses it.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in tokenizer.state_dict().items()}
    facts = {
        "format": FORMAT,
        "architecture": "discrete" if isinstance(config, DiscreteConfig) else "continuous",
        "config": asdict(config),
        "sha256": fingerprint(config, weights),
    }
    with replacing_folder(folder, holds=FILES, force=force) as beside:
        # Written by Python, so that a full disk is the error that it always is.
        content = tensors_to_bytes({name: _narrowed(tensor) for name, tensor in weights.items()})
        (beside / WEIGHTS).write_bytes(content)
        (beside / "card.md").write_text(card, encoding="utf-8")
        (beside / "config.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return folder


def _narrowed(tensor: Tensor) -> Tensor:
    """A tensor of float32 as bfloat16, if that loses nothing: half the bytes on disk."""
    half = tensor.to(torch.bfloat16)
    exact = tensor.dtype == torch.float32 and tensor.ndim > 1 and torch.equal(half.to(torch.float32), tensor)
    return half if exact else tensor


def _widened(tensor: Tensor) -> Tensor:
    """A tensor as it is computed with: what was stored as bfloat16 is float32 again.

    Always a copy, because what was loaded may still be the file itself, mapped into memory.
    """
    return tensor.to(torch.float32) if tensor.dtype == torch.bfloat16 else tensor.clone()


def fingerprint(config: ContinuousConfig | DiscreteConfig, weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of what a tokenizer computes with; its name and the use of a lead frame do not change it.

    Only numbers that differ from their defaults count, so a configuration may grow without changing who the
    tokenizers of before are.
    """
    digest = hashlib.sha256(json.dumps(_numbers(config), sort_keys=True).encode())
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _numbers(config: ContinuousConfig | DiscreteConfig) -> dict[str, Any]:
    """What of a configuration decides what is computed, and is not the default."""
    if isinstance(config, DiscreteConfig):
        usual = asdict(type(config.quantizer)())
        quantizer = {key: value for key, value in asdict(config.quantizer).items() if value != usual[key]}
        # The kind stands there always: so no quantiser is known by the absence of numbers.
        return {
            "backbone": _numbers(config.backbone),
            "quantizer": quantizer | {"kind": config.quantizer.kind},
        }
    usual = asdict(ContinuousConfig(name=""))
    numbers = {key: value for key, value in asdict(config).items() if value != usual[key]}
    for free in ("name", "lead_frame"):
        numbers.pop(free, None)
    return numbers


def _read_facts(folder: Path, wanted: Architecture | None = None) -> dict[str, Any]:
    """The content of a checkpoint's config.json, as far as any architecture shares it."""
    path = folder / "config.json"
    if path.stat().st_size > _CONFIG_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size} bytes; at most {_CONFIG_BYTES} are read.")
    try:
        facts = read_json(path, most=_CONFIG_BYTES)
        version, architecture = facts["format"], facts["architecture"]
        _ = facts["config"], facts["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is no checkpoint of tubelet: {error!r:.200}. Fetch it again."
        ) from error
    if version != FORMAT:
        raise CheckpointError(f"{path} has format {version!r:.80}; this program reads {FORMAT}. Upgrade it.")
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise CheckpointError(
            f"{path} holds a {architecture!r:.80} tokenizer; this program knows {known}. Upgrade it."
        )
    if wanted is not None and architecture != wanted:
        other = {
            "continuous": "It gives latents: use `tubelet encode`, or `load`",
            "discrete": "It gives tokens: use `tubelet tokenize`, or `load_discrete`",
        }
        raise CheckpointError(
            f"{folder.name} is a {architecture} tokenizer, and a {wanted} one is needed. "
            f"{other[architecture]}."
        )
    return facts


def _check_room(config: DiscreteConfig, folder: Path) -> None:
    """Raise if the file of weights is too small for the quantiser that a configuration claims."""
    path = folder / WEIGHTS
    stored = path.stat().st_size if path.is_file() else 0
    # The least that a number takes is two bytes; every quantiser stores at least these.
    if 2 * (least := least_numbers(config.quantizer, config.backbone.channels)) > stored:
        raise CheckpointError(
            f"the quantiser in {folder} claims {least} numbers; {WEIGHTS} has {stored} bytes, which do not "
            "hold them. Fetch it again."
        )


def _fill(
    tokenizer: ContinuousTokenizer | DiscreteTokenizer,
    config: ContinuousConfig | DiscreteConfig,
    folder: Path,
    facts: dict[str, Any],
) -> str:
    """Give an empty tokenizer its weights, and make it ready to use; give its SHA-256."""
    weights = read_weights(folder / WEIGHTS, tokenizer.state_dict())
    tokenizer.load_state_dict({name: _widened(each) for name, each in weights.items()}, assign=True)
    deviation = (
        tokenizer.backbone if isinstance(tokenizer, DiscreteTokenizer) else tokenizer
    ).transform.deviation
    if not bool((deviation > 0).all()):
        raise CheckpointError(
            f"a standard deviation in {folder} is {float(deviation.min())}; each is above zero. Fetch the "
            "weights again."
        )
    sha256 = fingerprint(config, tokenizer.state_dict())
    if sha256 != facts["sha256"]:
        raise CheckpointError(
            f"the checkpoint in {folder} has SHA-256 {sha256[:16]}… and its config.json says "
            f"{facts['sha256']!s:.16}…; they must agree. It was changed or damaged: fetch it again."
        )
    tokenizer.eval().requires_grad_(requires_grad=False)
    return sha256


@contextmanager
def _building(folder: Path) -> Iterator[None]:
    """Name the checkpoint whose numbers contradict one another."""
    try:
        yield
    except (OptionError, ValueError, IndexError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"the configuration in {folder} makes no tokenizer: {error!s:.200}. Fetch it again."
        ) from error
