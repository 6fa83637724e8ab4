"""The results of an evaluation, as a report finds them: ``results.json`` and what lies beside it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tubelet.errors import ResultsError
from tubelet.evaluate.parts import FORMAT
from tubelet.evaluate.run import RESULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What docs/results-format.md describes.

    Attributes:
        folder: of the results; paths of kept videos are below it.
        protocol: the protocol in one line.
        circumstances: where, when and with what it was measured.
        figures: all figures.
    """

    folder: Path
    protocol: str
    circumstances: dict[str, Any]
    figures: dict[str, Any]


def read_results(place: Path) -> Results:
    """Read the results of an evaluation.

    Args:
        place: the folder that `tubelet evaluate` wrote, or the ``results.json`` in it.

    Raises:
        ResultsError: there are none, or they are of another format.
    """
    path = place / RESULTS if place.is_dir() else place
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Results(
            folder=path.parent,
            protocol=content["protocol"],
            circumstances=content["circumstances"],
            figures=content["figures"],
        )
        number = found.figures["format"]
        complete = {"clips", "systems", "measures"} <= found.figures.keys()
    except OSError as error:
        raise ResultsError(f"{path} cannot be read ({error.strerror}). Give a folder of results.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsError(f"{path} holds no evaluation ({error!r}). Give a folder of results.") from error
    if number != FORMAT or not complete:
        raise ResultsError(
            f"{path} holds format {number}; this tubelet reads whole results of format {FORMAT}. Run "
            "`tubelet evaluate` again."
        )
    return found


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
