"""A prior as a folder: ``config.json``, ``weights.safetensors`` of whole numbers alone, and ``card.md``."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save as arrays_to_bytes

from tubelet.bitstream.header import Header
from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.symbol_model import SymbolModel
from tubelet.errors import CheckpointError
from tubelet.files import replacing_folder
from tubelet.files.names import is_name
from tubelet.further import PRIORS as FURTHER_PRIORS
from tubelet.further import further_folders, how_to_install
from tubelet.json_fields import fields_from_json
from tubelet.json_text import read_json
from tubelet.priors.beside import ModelBeside
from tubelet.priors.config import PriorConfig
from tubelet.priors.context import ContextPrior, weight_shapes
from tubelet.priors.motion.prior import VECTORS, MotionPrior, MotionPriorConfig, motion_weight_shapes
from tubelet.weights_file import read_weights

Prior = ContextPrior | MotionPrior
"""All kinds of priors: networks, and counts of motion."""

PriorNumbers = PriorConfig | MotionPriorConfig
"""The numbers of one."""

Weights = Mapping[str, NDArray[np.integer]]
"""The arrays of one, by name."""

MOTION_KIND = "motion"
"""What the configuration of a prior of motion calls its kind; that of a network says none."""

FORMAT = 1
"""The newest format of a prior."""

WEIGHTS = "weights.safetensors"

FILES = ("config.json", WEIGHTS, "card.md")
"""What the folder of a prior holds."""

SHIPPED = Path(__file__).parent / "weights"
"""The folder of the priors that come with the package; others are in the distribution tubelet-weights."""

PRIORS: dict[str, str] = {
    "465967b57903ae2e706e18d8aa4616562e09de149b7c46570da4e2f29c995e47": "tubelet-m-prior",
    "11a33db38f0bf4468b8fef765402bf4c9d392e36844512b38debee0ea2292afe": "tubelet-fsq-prior",
    "267666e247ab7604541631fd8e475884a6da69dd1243458b3072b0e002f8e243": "klt-4x8x8-motion-prior",
    "31fb4aa0ca89a78e3763b8b2fb492fc5ad5a0af7eeb079e1d7000854cd817817": "tubelet-m-rate-prior",
    "8e7608cbfe218eb75c5834eab5ee82724176ae4e4e0659bb274a618e91ef8a67": "tubelet-motion-prior",
}
"""Which shipped prior is for which tokenizer, by the tokenizer's fingerprint."""

VECTORS_PRIOR = "klt-4x8x8-motion-prior"
"""The prior of vectors and flags; what a search finds does not depend on what content is made of."""

_CONFIG_BYTES = 1 << 20

_LATER = ("part", "beside")
"""Fields that configurations of before lack; empty, they are left out of files and fingerprints."""


def prior_for(tokenizer_sha256: str) -> Prior | None:
    """The shipped prior of a tokenizer; none if it has none, or its distribution is not installed.

    Args:
        tokenizer_sha256: fingerprint of the tokenizer.

    Raises:
        CheckpointError: the prior is damaged.
    """
    name = PRIORS.get(tokenizer_sha256)
    folder = None if name is None else folder_of(name)
    return None if folder is None else _shipped(folder)


def prior_of_parts(channels: Mapping[str, int]) -> MotionPrior | None:
    """The shipped prior of vectors, for any tokenizer that has as many of them in a step.

    Args:
        channels: of each part of the tokenizer, by its name.

    Raises:
        CheckpointError: the prior is damaged.
    """
    if VECTORS not in channels:
        return None
    prior = _shipped(SHIPPED / VECTORS_PRIOR)
    if isinstance(prior, MotionPrior) and prior.config.channels == channels[VECTORS]:
        return prior
    return None


def shipped_folders(tokenizer_sha256: str, channels: Mapping[str, int]) -> list[Path]:
    """The folder of the prior that files of a tokenizer name, and those of the priors beside it.

    Args:
        tokenizer_sha256: fingerprint of the tokenizer.
        channels: of each part of its latent, by name; none of tokens.

    Raises:
        CheckpointError: one of them is damaged, or does not come with this program.
    """
    prior = prior_for(tokenizer_sha256) or prior_of_parts(channels)
    if prior is None:
        return []
    names = [each.config.name for each in (prior, *_beside(prior))]
    return [folder for name in names if (folder := folder_of(name)) is not None]


def prior_of_file(name: str, sha256: str) -> Prior:
    """The shipped prior that a file was coded with.

    Args:
        name: of the prior, as the file says it.
        sha256: its fingerprint, as the file says it.

    Raises:
        CheckpointError: there is none of this name and fingerprint.
    """
    folder = folder_of(name) if name in PRIORS.values() else None
    if folder is None and name in FURTHER_PRIORS:
        raise CheckpointError(f"the file was coded with a prior: {how_to_install(name)}")
    prior = None if folder is None else _shipped(folder)
    if prior is None or prior.sha256 != sha256:
        raise CheckpointError(
            f"the file was coded with the prior {name[:80]!r} of SHA-256 {sha256:.16}…, which does not come "
            f"with this program; known are {', '.join(PRIORS.values()) or 'none'}. Upgrade it."
        )
    return prior


def given_folder(given: str) -> Path:
    """The folder of a prior that is named as users name it: that of a shipped one, or ``./name`` and paths.

    Raises:
        CheckpointError: there is none, or it is among further weights that are not installed.
    """
    folder = (folder_of(given) if is_name(given) else None) or Path(given)
    if (folder / "config.json").is_file():
        return folder
    if given in FURTHER_PRIORS:
        raise CheckpointError(f"there is no prior {given}: {how_to_install(given)}")
    raise CheckpointError(
        f"there is no prior {given}: it is neither one that ships ({', '.join(PRIORS.values())}) nor a "
        "folder with a config.json. Give one of these, or what `tubelet export-checkpoint` made of a run of "
        "recipe prior."
    )


def folder_of(name: str) -> Path | None:
    """The folder of a prior that ships; none if it is among further weights that are not installed."""
    places = (SHIPPED, *further_folders("priors"))
    return next((place / name for place in places if (place / name).is_dir()), None)


@lru_cache(maxsize=4)
def _shipped(folder: Path) -> Prior:
    """A prior that ships, read and proven once: it takes as long as a second of video."""
    return read_prior(folder)


def model_for(header: Header, part: PartHeader) -> SymbolModel | None:
    """The model of a part of a file, for `TubeReader` and `Codings`.

    Returns:
        None if the file names no prior, or one that cannot be for this part; nor can those beside it.

    Raises:
        CheckpointError: the prior, or one beside it, does not come with this program, or is damaged.
    """
    if header.prior is None:
        return None
    prior = prior_of_file(header.prior.name, header.prior.sha256)
    if (model := prior.model_of(part)) is not None:
        return model
    for other in _beside(prior):
        if (model := other.model_of(part)) is not None:
            return ModelBeside(header.prior.name, header.prior.sha256, model)
    return None


def _beside(prior: Prior) -> Iterator[Prior]:
    """The priors of the other parts of its latent."""
    for other in prior.config.beside if isinstance(prior, ContextPrior) else ():
        yield prior_of_file(other.name, other.sha256)


def read_prior(folder: Path) -> Prior:
    """Read a prior; nothing in it is executed, and the sums of a network are proven exact.

    Raises:
        CheckpointError: it is damaged, or newer than this program.
    """
    config, weights, sha256 = read_arrays(folder)
    return _made(config, weights, sha256=sha256)


def read_arrays(folder: Path) -> tuple[PriorNumbers, Weights, str]:
    """The numbers of a prior, its arrays by name, and its fingerprint.

    Raises:
        CheckpointError: it is damaged, or newer than this program.
    """
    path = folder / "config.json"
    try:
        facts = read_json(path, most=_CONFIG_BYTES)
        version, numbers, sha256 = facts["format"], facts["config"], facts["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a prior of tubelet: {error!r:.200}. Fetch it again.") from error
    if version != FORMAT:
        raise CheckpointError(f"{path} has format {version!r:.80}; this program reads {FORMAT}. Upgrade it.")
    kind = facts.get("kind")
    if kind not in (None, MOTION_KIND):
        raise CheckpointError(f"{path} is a prior of kind {kind!r:.80}, unknown to this program. Upgrade it.")
    config: PriorNumbers = fields_from_json(MotionPriorConfig if kind else PriorConfig, numbers, str(path))
    wanted = {
        name: torch.empty(shape, dtype=getattr(torch, number), device="meta")
        for name, (number, shape) in _weight_shapes(config).items()
    }
    weights = {name: tensor.numpy().copy() for name, tensor in read_weights(folder / WEIGHTS, wanted).items()}
    own = fingerprint(config, weights)
    if own != sha256:
        raise CheckpointError(
            f"the prior in {folder} has SHA-256 {own[:16]}… and its config.json says {sha256!s:.16}…; they "
            "must agree. It was changed or damaged: fetch it again."
        )
    return config, weights, own


def save_prior(
    config: PriorNumbers,
    weights: Weights,
    folder: Path,
    *,
    card: str,
    force: bool = False,
) -> Path:
    """Write a prior; the folder appears, or is replaced, as a whole.

    Raises:
        CheckpointError: it would not be readable: a sum could be inexact, or a table is none.
        OutputError: a prior is there and `force` is false, or the disk is full or refuses it.
    """
    sha256 = _made(config, weights, sha256=fingerprint(config, weights)).sha256
    every = asdict(config).items()
    numbers = {name: value for name, value in every if value != () and not _unsaid(name, value)}
    kind = {"kind": MOTION_KIND} if isinstance(config, MotionPriorConfig) else {}
    facts = {"format": FORMAT, **kind, "config": numbers, "sha256": sha256}
    with replacing_folder(folder, holds=FILES, force=force) as beside:
        (beside / WEIGHTS).write_bytes(arrays_to_bytes(dict(weights)))
        (beside / "card.md").write_text(card, encoding="utf-8")
        (beside / "config.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return folder


def fingerprint(config: PriorNumbers, weights: Weights) -> str:
    """SHA-256 of all that a prior's answers depend on; its name does not change it."""
    numbers = {
        name: value for name, value in asdict(config).items() if name != "name" and not _unsaid(name, value)
    }
    digest = hashlib.sha256(json.dumps(numbers, sort_keys=True).encode())
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _unsaid(name: str, value: object) -> bool:
    """Whether a field says nothing, and configurations of before it did not have it."""
    return name in _LATER and not value


def _weight_shapes(config: PriorNumbers) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Kind and shape of every array of a prior, by name."""
    return motion_weight_shapes(config) if isinstance(config, MotionPriorConfig) else weight_shapes(config)


def _made(config: PriorNumbers, weights: Weights, *, sha256: str) -> Prior:
    """The prior of these numbers; raises CheckpointError if it is damaged."""
    if isinstance(config, MotionPriorConfig):
        return MotionPrior(config, weights, sha256=sha256)
    return ContextPrior(config, weights, sha256=sha256)
