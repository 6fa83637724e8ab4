"""Tokenizers on disk: a folder with ``config.json``, ``weights.safetensors`` and ``card.md``.

Numbers only: nothing in a checkpoint is executed. A tokenizer is known by the SHA-256 of what it computes
with.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import torch

from tubelet import further, hub
from tubelet.devices import find_device
from tubelet.errors import CheckpointError, OptionError
from tubelet.files.marks import RUN_FILE
from tubelet.files.names import is_name
from tubelet.further import further_folders
from tubelet.json_text import read_json
from tubelet.models.table import ModelConfig, model_from_json
from tubelet.quantizers.config import least_numbers
from tubelet.quantizers.digits import codebook_sizes
from tubelet.spelling import did_you_mean
from tubelet.tokenizers.config import DiscreteConfig, discrete_from_json
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.save import FORMAT, WEIGHTS, fingerprint, widened
from tubelet.weights_file import read_weights

Architecture = Literal["continuous", "discrete"]

ARCHITECTURES: dict[Architecture, str] = {
    "continuous": "It gives latents: use `tubelet encode`, or `load`",
    "discrete": "It gives tokens: use `tubelet tokenize`, or `load_discrete`",
}
"""Every kind of tokenizer that a checkpoint may hold, and what takes it."""

DEFAULT = "tubelet-m"
"""The shipped tokenizer that is meant when none is named."""

DEFAULT_OF_FILES = "tubelet-m-rate"
"""The shipped tokenizer of ``.tube`` files when none is named: it was trained for what their bits cost."""

DEFAULT_DISCRETE = "tubelet-fsq"
"""The shipped tokenizer that is meant when one that gives tokens is wanted and none is named."""

SHIPPED = Path(__file__).parent / "weights"
"""The folder of the tokenizers that come with the package."""

_CONFIG_BYTES = 1 << 20

_LOG = logging.getLogger("tubelet.checkpoint")


Tokenizer = TypeVar("Tokenizer", ContinuousTokenizer, DiscreteTokenizer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint(Generic[Tokenizer]):
    """A tokenizer and who it is.

    Attributes:
        name: what files call it.
        tokenizer: ready to use: evaluation mode, no gradients.
        sha256: of its configuration and weights; the same wherever the checkpoint lies.
    """

    name: str
    tokenizer: Tokenizer
    sha256: str


def shipped() -> list[str]:
    """Names of the tokenizers that come with the package and with tubelet-weights, the default first."""
    names = sorted(
        folder.name
        for place in _weights_folders()
        for folder in place.iterdir()
        if (folder / "config.json").is_file()
    )
    return sorted(names, key=lambda name: name != DEFAULT)


EXPORTED = {"onnx": "encoder.onnx", "openvino": "encoder.xml", "torch": "encoder.pt2"}
"""What only the folder of an exported tokenizer holds, by its format; `tubelet.interop` writes it."""


def _weights_folders() -> Iterator[Path]:
    """Where tokenizers that are called by name lie: in the package, and in tubelet-weights if it is there."""
    yield SHIPPED
    yield from further_folders("weights")


def find(name: str | Path | None = None) -> Path:
    """The folder of a checkpoint: of a shipped tokenizer, here, or fetched from the hub as ``owner/name``.

    Of a shipped one and a folder here the name stands for the first, ``./name`` for the second.

    Raises:
        CheckpointError: there is none.
    """
    wanted = DEFAULT if name is None else name
    if not isinstance(wanted, str | Path):
        raise CheckpointError(
            f"the tokenizer is given as a {type(wanted).__name__}, which does not say where it is found "
            "again. Give the name or folder that it was loaded from, or what read_continuous or "
            "read_discrete of tubelet.checkpoint gives."
        )
    places = _weights_folders() if is_name(wanted) else ()
    for folder in chain((place / wanted for place in places), [Path(wanted)]):
        if (folder / "config.json").is_file():
            return folder
    if any((Path(wanted) / name).is_file() for name in EXPORTED.values()):
        raise CheckpointError(
            f"{wanted} holds a tokenizer that was exported for other programs; tubelet computes with the one "
            f"that it was made of, which `tubelet info {wanted}` names. Give that one."
        )
    if (Path(wanted) / RUN_FILE).is_file():
        raise CheckpointError(
            f"{wanted} is a training run, not a tokenizer. Make one of it and give that: "
            f"`tubelet export-checkpoint {wanted} -o DIR`."
        )
    if isinstance(wanted, str) and hub.is_repository(wanted):
        return hub.fetch(wanted)
    if wanted in further.TOKENIZERS:
        raise CheckpointError(further.how_to_install(str(wanted)))
    known = did_you_mean(str(wanted), shipped()) or f"shipped are {', '.join(shipped())}."
    raise CheckpointError(
        f"{str(wanted)!r} is neither a shipped tokenizer nor a folder with a config.json; {known} "
        "`tubelet models` tells more."
    )


def architecture(name: str | Path | None = None) -> Architecture:
    """What kind of tokenizer a checkpoint holds.

    Raises:
        CheckpointError: it is unknown, damaged, or newer than this program.
    """
    return _read_facts(find(name))["architecture"]


def read_continuous(
    name: str | Path | None = None, *, lead_frame: bool | None = None, device: str = "cpu"
) -> Checkpoint[ContinuousTokenizer]:
    """Read a continuous tokenizer, with the identity that files refer to.

    Args:
        name: a shipped tokenizer or a folder; the default tokenizer for none.
        lead_frame: whether the first frame is a group of its own; what the checkpoint says for none.
        device: where it computes: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        CheckpointError: it is unknown, damaged, newer than this program, or discrete.
        OptionError: there is no such device here.
    """
    place, folder = find_device(device), find(name)
    facts = _read_facts(folder, "continuous")
    config = _with_lead(model_from_json(facts["config"], folder), lead_frame)
    # Without memory until the weights are there, whatever sizes the configuration claims.
    with _building(folder), torch.device("meta"):
        tokenizer = ContinuousTokenizer.of(config)
    return _filled(tokenizer, folder, facts, place)


def read_discrete(
    name: str | Path | None = None, *, lead_frame: bool | None = None, device: str = "cpu"
) -> Checkpoint[DiscreteTokenizer]:
    """Read a discrete tokenizer, with the identity that files refer to; arguments as `read_continuous`.

    Raises:
        CheckpointError: it is unknown, damaged, newer than this program, or continuous.
        OptionError: there is no such device here.
    """
    place, folder = find_device(device), find(DEFAULT_DISCRETE if name is None else name)
    facts = _read_facts(folder, "discrete")
    config = discrete_from_json(facts["config"], folder)
    if lead_frame is not None:
        config = replace(config, backbone=replace(config.backbone, lead_frame=lead_frame))
    with _building(folder), torch.device("meta"):
        backbone = ContinuousTokenizer.of(config.backbone)
    _check_room(config, folder)
    with _building(folder):  # A quantiser is small, and some of its numbers are in no file.
        quantizer = config.quantizer.build(backbone.channels)
        tokenizer = DiscreteTokenizer(backbone, quantizer, config=config)
    return _filled(tokenizer, folder, facts, place)


def read_empty(name: str | Path | None = None) -> tuple[ContinuousTokenizer, tuple[int, ...] | None]:
    """What a tokenizer of either kind is, without its weights and without memory for them.

    Returns:
        The continuous tokenizer, or the backbone of a discrete one; and the sizes of its codebooks.

    Raises:
        CheckpointError: it is unknown, damaged, or newer than this program.
    """
    folder = find(name)
    facts = _read_facts(folder)
    discrete = discrete_from_json(facts["config"], folder) if facts["architecture"] == "discrete" else None
    config = model_from_json(facts["config"], folder) if discrete is None else discrete.backbone
    with _building(folder), torch.device("meta"):
        backbone = ContinuousTokenizer.of(config)
    if discrete is None:
        return backbone, None
    _check_room(discrete, folder)
    with _building(folder):
        return backbone, codebook_sizes(discrete.quantizer.build(backbone.channels).bases)


def load(
    name: str | Path | None = None, *, lead_frame: bool | None = None, device: str = "cpu"
) -> ContinuousTokenizer:
    """Load a continuous tokenizer, ready to use: evaluation mode, no gradients.

    ``requires_grad_()`` lets it be trained.

    Args:
        name: a shipped tokenizer (`shipped`), a folder, or ``owner/name`` of a repository of the Hugging Face
            hub, ``owner/name@revision`` for one of its states; the default tokenizer for none.
        lead_frame: whether the first frame is a group of its own (1 + t·n frames are n + 1 latent steps);
            what the checkpoint says for none.
        device: where it computes: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        CheckpointError: it is unknown, damaged, newer than this program, or discrete.
        OptionError: there is no such device here.
    """
    return read_continuous(name, lead_frame=lead_frame, device=device).tokenizer


def load_discrete(
    name: str | Path | None = None, *, lead_frame: bool | None = None, device: str = "cpu"
) -> DiscreteTokenizer:
    """Load a discrete tokenizer, ready to use; arguments as `load`.

    Raises:
        CheckpointError: it is unknown, damaged, newer than this program, or continuous.
        OptionError: there is no such device here.
    """
    return read_discrete(name, lead_frame=lead_frame, device=device).tokenizer


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
            f"{path} is not a checkpoint of tubelet: {error!r:.200}. Fetch it again."
        ) from error
    if version != FORMAT:
        raise CheckpointError(f"{path} has format {version!r:.80}; this program reads {FORMAT}. Upgrade it.")
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise CheckpointError(
            f"{path} holds a {architecture!r:.80} tokenizer; this program knows {known}. Upgrade it."
        )
    if wanted is not None and architecture != wanted:
        raise CheckpointError(
            f"{folder.name} is a {architecture} tokenizer, and a {wanted} one is needed. "
            f"{ARCHITECTURES[architecture]}."
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


def _with_lead(config: ModelConfig, lead_frame: bool | None) -> ModelConfig:  # noqa: FBT001  as in `load`
    return config if lead_frame is None else replace(config, lead_frame=lead_frame)


def _filled(
    tokenizer: Tokenizer, folder: Path, facts: dict[str, Any], place: torch.device
) -> Checkpoint[Tokenizer]:
    """Give an empty tokenizer its weights, and make it ready to use."""
    weights = read_weights(folder / WEIGHTS, tokenizer.weights())
    tokenizer.load_weights({name: widened(each) for name, each in weights.items()})
    if fault := tokenizer.fault():
        raise CheckpointError(f"in {folder} {fault}. Fetch the weights again.")
    sha256 = fingerprint(tokenizer.config, tokenizer.weights())
    if sha256 != facts["sha256"]:
        raise CheckpointError(
            f"the checkpoint in {folder} has SHA-256 {sha256[:16]}… and its config.json says "
            f"{facts['sha256']!s:.16}…; they must agree. It was changed or damaged: fetch it again."
        )
    _LOG.debug("%s (%s), read from %s", tokenizer.config.name, sha256[:16], folder)
    tokenizer.eval().requires_grad_(requires_grad=False)
    return Checkpoint(name=tokenizer.config.name, tokenizer=tokenizer.to(place), sha256=sha256)


@contextmanager
def _building(folder: Path) -> Iterator[None]:
    """Name the checkpoint whose numbers contradict one another."""
    try:
        yield
    except (OptionError, ValueError, IndexError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"the configuration in {folder} makes no tokenizer: {error!s:.200}. Fetch it again."
        ) from error
