"""The tokenizer that made a file: found by name, known by what it computes with."""

from pathlib import Path
from typing import NamedTuple

from tubelet.checkpoint import Checkpoint, read_continuous, read_discrete, shipped
from tubelet.errors import CheckpointError
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer


class MadeBy(NamedTuple):
    """What a file says of its tokenizer.

    Attributes:
        path: the file.
        name: the tokenizer's.
        sha256: its fingerprint.
        lead_frame: whether the first latent step stands for one frame alone.
    """

    path: Path
    name: str
    sha256: str
    lead_frame: bool


def matching_continuous(made_by: MadeBy, given: str | Path | None, device: str) -> ContinuousTokenizer:
    """The tokenizer of a file of a latent.

    Args:
        made_by: what the file says.
        given: a shipped tokenizer or a folder; the one that the file names for none.
        device: where it computes.

    Raises:
        CheckpointError: it is not here, or another one has its name.
        OptionError: there is no such device here.
    """
    found = read_continuous(_name(made_by, given), lead_frame=made_by.lead_frame, device=device)
    _check(made_by, found)
    return found.tokenizer


def matching_discrete(made_by: MadeBy, given: str | Path | None, device: str) -> DiscreteTokenizer:
    """The tokenizer of a file of tokens; the rest as `matching_continuous`."""
    found = read_discrete(_name(made_by, given), lead_frame=made_by.lead_frame, device=device)
    _check(made_by, found)
    return found.tokenizer


def _name(made_by: MadeBy, given: str | Path | None) -> str | Path:
    """Where to look."""
    if given is None and made_by.name not in shipped():
        # A name inside a file is no path: it never makes the program open a folder of its choice.
        raise CheckpointError(
            f"{made_by.path} was made with the tokenizer {made_by.name!r} ({made_by.sha256[:16]}…), "
            f"none of the shipped ones ({', '.join(shipped())}). Give its folder with --tokenizer."
        )
    return made_by.name if given is None else given


def _check(made_by: MadeBy, found: Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer]) -> None:
    """Raise unless it is the one."""
    if found.sha256 != made_by.sha256:
        raise CheckpointError(
            f"{made_by.path} was made with the tokenizer {made_by.name!r} of SHA-256 "
            f"{made_by.sha256[:16]}…; {found.name!r} here has {found.sha256[:16]}…. Give the folder "
            "of the right one with --tokenizer."
        )
