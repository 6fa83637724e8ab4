"""Stored figures, as a report finds them; those of an evaluation with what lies beside them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tubelet.errors import ResultsError
from tubelet.evaluate.results_file import FORMAT, RESULTS
from tubelet.json_text import read_json
from tubelet.report.content import check_described, check_evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The content of a file of figures.

    Attributes:
        protocol: the protocol in one line.
        circumstances: where, when and with what it was measured.
        figures: all figures.
    """

    protocol: str
    circumstances: dict[str, Any]
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(Stored):
    """What docs/reference/results-format.md describes.

    Attributes:
        folder: of the results; paths of kept videos are below it.
    """

    folder: Path


class Kind(NamedTuple):
    """A kind of files of figures.

    Attributes:
        name: what such a file holds one of.
        several: what it holds, of several.
        give: what to give instead of another file.
        command: what writes it.
        format: the format that is read.
        check: raises `ValueError` if its figures are not what they should be.
    """

    name: str
    several: str
    give: str
    command: str
    format: int
    check: Callable[[object], None]


EVALUATIONS = Kind(
    name="evaluation",
    several="results",
    give="a folder of results",
    command="tubelet evaluate",
    format=FORMAT,
    check=check_evaluation,
)


def read_stored(path: Path, kind: Kind) -> Stored:
    """Read a file of figures.

    Raises:
        ResultsError: it cannot be read, is of another kind, or of another format.
    """
    try:
        content = read_json(path)
        found = Stored(
            protocol=content["protocol"], circumstances=content["circumstances"], figures=content["figures"]
        )
        number = found.figures["format"]
    except OSError as error:
        raise ResultsError(f"{path} cannot be read ({error.strerror}). Give {kind.give}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{path} holds no {kind.name} ({error!r}). Give {kind.give}.") from error
    if number != kind.format:
        raise ResultsError(
            f"{path} holds format {number!r:.40}; this tubelet reads {kind.several} of format {kind.format}. "
            f"Run `{kind.command}` again."
        )
    try:
        check_described(found.protocol, found.circumstances)
        kind.check(found.figures)
    except ValueError as error:
        raise ResultsError(f"{path} is damaged: {error}. Run `{kind.command}` again.") from error
    return found


def read_results(place: Path) -> Results:
    """Read the results of an evaluation.

    Args:
        place: the folder that `tubelet evaluate` wrote, or the ``results.json`` in it.

    Raises:
        ResultsError: there are none, or they are of another format.
    """
    path = place / RESULTS if place.is_dir() else place
    found = read_stored(path, EVALUATIONS)
    return Results(
        folder=path.parent,
        protocol=found.protocol,
        circumstances=found.circumstances,
        figures=found.figures,
    )


def read_own(path: Path) -> Results:
    """Read figures that this very command has written: whatever was measured is shown, however odd it is."""
    content = read_json(path)
    return Results(
        folder=path.parent,
        protocol=content["protocol"],
        circumstances=content["circumstances"],
        figures=content["figures"],
    )


def kept_file(results: Results, place: str) -> Path:
    """A file that an evaluation kept beside its figures.

    Args:
        results: of an evaluation.
        place: its path below the folder, as the results have it.

    Raises:
        ResultsError: it is missing, or the path leads out of the folder.
    """
    path = results.folder / place
    if not path.resolve().is_relative_to(results.folder.resolve()):
        raise ResultsError(f"{place} lies outside of the results; what they kept lies in their folder.")
    if not path.is_file():
        raise ResultsError(f"{place} is missing beside {RESULTS}. Copy the whole folder, or evaluate again.")
    return path
