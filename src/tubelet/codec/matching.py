"""The tokenizer that made a file: found by name, known by what it computes with."""

from operator import le
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tubelet.bitstream.header import Header
from tubelet.bitstream.part_header import TOKENS
from tubelet.bitstream.reader import TubeReader
from tubelet.checkpoint import Checkpoint, read_continuous, read_discrete, shipped
from tubelet.errors import BitstreamError, CheckpointError
from tubelet.models.protocol import GenerativeModel
from tubelet.models.table import base_config
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.save import fingerprint

Tokenizer = TypeVar("Tokenizer", ContinuousTokenizer, DiscreteTokenizer)

GivenTokenizer = str | Path | Checkpoint[Any] | None
"""A shipped tokenizer, a folder, or a checkpoint; the one that the file names for none."""


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


def matching_tokenizer(
    path: Path, header: Header, given: GivenTokenizer, device: str
) -> ContinuousTokenizer | DiscreteTokenizer:
    """The tokenizer that made a file, checked against all that the header says of it."""
    made_by = MadeBy(path, header.tokenizer, header.tokenizer_sha256, header.lead_frame)
    if header.content == TOKENS:
        tokenizer = matching_discrete(made_by, given, device)
        fits = header.bases == tokenizer.bases and _is_laid_out(header, tokenizer.backbone)
    else:
        tokenizer = matching_continuous(made_by, given, device)
        stored = [part.channels for part in header.parts]
        most = [part.channels for part in tokenizer.parts]
        fits = _is_laid_out(header, tokenizer) and all(map(le, stored, most))
    if not fits:
        raise BitstreamError(
            f"the header of {path} contradicts its tokenizer. It was not written by the format."
        )
    return tokenizer


def _is_laid_out(header: Header, tokenizer: ContinuousTokenizer) -> bool:
    """Whether the parts of a file lie as those of a tokenizer, in frames of this size."""
    cells = tokenizer.grouping.cells(header.height, header.width)
    stored = [(part.stride, part.rows, part.columns) for part in header.parts]
    needed = [(part.stride, *tokenizer.grids[part.name].shape(0, 1, cells)[1:]) for part in tokenizer.parts]
    names = tuple(part.name for part in tokenizer.parts)
    # An only part may have the name of its content, as in versions 1 and 2, which know no others.
    named = len(names) == 1 or names == tuple(part.name for part in header.parts)
    return header.stride == tokenizer.stride and stored == needed and named


def check_steps(path: Path, tokenizer: ContinuousTokenizer, reader: TubeReader) -> None:
    """Raise unless each chunk holds as many latent steps as its frames have, in the tokenizer's grouping."""
    first_frame, frames = tokenizer.grouping.first_frame, reader.frames
    for entry in reader.chunks:
        end = min(first_frame(entry.first_step + entry.steps), frames)
        if (entry.first_frame, entry.frames) != (first_frame(entry.first_step), end - entry.first_frame):
            raise BitstreamError(
                f"chunk {entry.number} of {path} holds {entry.frames} frames from {entry.first_frame} on for "
                f"{entry.steps} latent steps, which do not belong together. It was not written by the format."
            )


def matching_continuous(made_by: MadeBy, given: GivenTokenizer, device: str) -> ContinuousTokenizer:
    """The tokenizer of a file of a latent.

    Args:
        made_by: what the file says.
        given: what the user says.
        device: where it computes that is not a checkpoint already.

    Raises:
        CheckpointError: it is not here, or another one has its name.
        OptionError: there is no such device here.
    """
    if isinstance(given, Checkpoint):
        return _checked(made_by, given, ContinuousTokenizer)
    found = read_continuous(_name(made_by, given), lead_frame=made_by.lead_frame, device=device)
    return _checked(made_by, found, ContinuousTokenizer)


def matching_discrete(made_by: MadeBy, given: GivenTokenizer, device: str) -> DiscreteTokenizer:
    """The tokenizer of a file of tokens; the rest as `matching_continuous`."""
    if isinstance(given, Checkpoint):
        return _checked(made_by, given, DiscreteTokenizer)
    found = read_discrete(_name(made_by, given), lead_frame=made_by.lead_frame, device=device)
    return _checked(made_by, found, DiscreteTokenizer)


def _name(made_by: MadeBy, given: str | Path | None) -> str | Path:
    """Where to look."""
    if given is None and made_by.name not in shipped():
        # A name inside a file is not a path: it never makes the program open a folder of its choice.
        raise CheckpointError(
            f"{made_by.path} was made with the tokenizer {made_by.name!r} ({made_by.sha256[:16]}…), "
            f"none of the shipped ones ({', '.join(shipped())}). Give its folder with --tokenizer."
        )
    return made_by.name if given is None else given


def _checked(made_by: MadeBy, found: Checkpoint[Any], kind: type[Tokenizer]) -> Tokenizer:
    """The tokenizer, if it is the one, or refines that one."""
    same = made_by.sha256 == found.sha256 or made_by.sha256 == _refined_sha256(found)
    if not same or not isinstance(found.tokenizer, kind):
        raise CheckpointError(
            f"{made_by.path} was made with the tokenizer {made_by.name!r} of SHA-256 "
            f"{made_by.sha256[:16]}…; {found.name!r} here has {found.sha256[:16]}…. Give the folder "
            "of the right one with --tokenizer."
        )
    if found.tokenizer.lead_frame != made_by.lead_frame:
        raise CheckpointError(
            f"{made_by.path} was made {'with' if made_by.lead_frame else 'without'} a lead frame, and the "
            f"checkpoint {found.name!r} is not. Give its folder or its name: it is then read to fit."
        )
    return found.tokenizer


def _refined_sha256(found: Checkpoint[Any]) -> str | None:
    """The fingerprint of the tokenizer whose latents one with a flow decodes and refines; none without."""
    tokenizer = found.tokenizer
    if not isinstance(tokenizer, ContinuousTokenizer) or not isinstance(tokenizer.model, GenerativeModel):
        return None
    base, model = base_config(tokenizer.config), tokenizer.model
    if base is None or model.base.parts != model.parts:
        return None
    return fingerprint(base, model.base.state_dict())
