"""What a terminal shows of an evaluation: a table of all clips, one for each tag, and notes on them."""

from collections.abc import Mapping
from typing import Any

from tubelet.evaluate.measures import ENOUGH, RUN, SET_MEASURES
from tubelet.evaluate.summary import failures
from tubelet.report.columns import COLUMNS, cell, interval, parts, summary
from tubelet.report.markup import Cell, Head, Row, Table
from tubelet.report.read import Results
from tubelet.report.titles import data_name
from tubelet.spelling import counted


def clips_line(results: Results) -> str:
    """How many clips of which folder there are."""
    count = len(results.figures["clips"])
    return f"{count} clip{'s' if count > 1 else ''} of {data_name(results)}"


def evaluation_tables(results: Results) -> tuple[Table, ...]:
    """A table of all clips, which has no title, and one for each value of each tag."""
    found: list[Table] = []
    for part in (None, *parts(results)):
        systems = list(results.figures["systems"])
        columns = [
            column for column in COLUMNS if any(interval(results, name, column, part) for name in systems)
        ]
        rows = tuple(
            Row(
                name,
                (
                    Cell(str(summary(results, name, part).get("clips", 0))),
                    # What a mean leaves out is said once, in the notes.
                    *(
                        cell(interval(results, name, column, part), column)._replace(note="")
                        for column in columns
                    ),
                ),
            )
            for name in systems
        )
        title = "" if part is None else f"{part.tag} {part.value}"
        heads = (Head("clips"), *(Head(column.head) for column in columns))
        found.append(Table(title=title, protocol=results.protocol, note="", heads=heads, rows=rows))
    return tuple(found)


def evaluation_notes(results: Results) -> tuple[str, ...]:
    """Sentences to read beside the tables: what failed, what means leave out, and what is too small a set."""
    systems = results.figures["systems"]
    return (*failures(systems), *_exact(systems), *_sets(systems))


def failed_clips(results: Results) -> list[str]:
    """Names of the clips that some system has no figures of."""
    systems = results.figures["systems"].values()
    return [
        name for name in results.figures["clips"] if any("error" in each["clips"][name] for each in systems)
    ]


def damaged_clips(results: Results) -> list[str]:
    """Names of the clips whose figures are of what could be read of them."""
    return [name for name, clip in results.figures["clips"].items() if clip.get("damage")]


def losses(results: Results) -> list[str]:
    """Of each clip from which reading takes something (10 bits, HDR, transparency) the first such warning."""
    clips = results.figures["clips"].values()
    said = (
        [text for text in clip.get("warnings", ()) if text not in clip.get("damage", ())] for clip in clips
    )
    return [texts[0] for texts in said if texts]


def _exact(systems: Mapping[str, Any]) -> list[str]:
    """Which means leave clips out, because these came back without error."""
    found: dict[tuple[str, int, int], list[str]] = {}
    for name, system in systems.items():
        for column in COLUMNS:
            figure = system["summary"]["all"].get(column.group, {}).get(column.name, {})
            if figure.get("exact") and figure["mean"] is not None:
                found.setdefault((name, figure["exact"], figure["clips"]), []).append(column.head)
    return [
        f"{name} has no error in {', '.join(heads)} on {exact} of {exact + clips} clips; "
        "the mean is of the others."
        for (name, exact, clips), heads in found.items()
    ]


def _sets(systems: Mapping[str, Any]) -> list[str]:
    """Why a measure of sets is absent, and that its set is small."""
    notes: dict[str, None] = {}
    for name, system in systems.items():
        whole = system["summary"]
        notes |= {f"{name} has no {measure}: {why}": None for measure, why in whole["absent"].items()}
        for measure, about in SET_MEASURES.items():
            found = whole["all"].get(about.group, {}).get(measure)
            if found is not None and found["runs"] < ENOUGH:
                clips = counted(found["clips"], "clip")
                few = f"{counted(found['runs'], 'run')} of {RUN} frames from {clips}"
                what = f"{measure} is of {few}; below {ENOUGH} it is not an FVD to compare with papers."
                notes[what] = None
    return list(notes)
