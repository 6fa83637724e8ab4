"""The parts of the page of figures on speed, memory and cost."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from tubelet.errors import OptionError
from tubelet.evaluate.speed.figures import absences
from tubelet.evaluate.speed.grid import Size
from tubelet.report.cost import (
    clips,
    cost_by_length,
    cost_by_size,
    read_bench,
    speed_table,
    speeds,
)
from tubelet.report.figures.parts import Part, missing
from tubelet.report.markup import markdown_text
from tubelet.report.plots import speed_quality
from tubelet.report.read import Results, Stored

_ABSOLUTE = """
Ratios of one run hold roughly on another machine; megapixels per second do not. Other formats, sizes and
devices may order systems otherwise. Classes by name have random weights, which changes no speed and makes
quality meaningless.
"""


def benches(folder: Path, results: Results | None) -> list[Part]:
    """A part for each benchmark that is stored; a sentence without any.

    Args:
        folder: where they are, as ``bench*.json``.
        results: of an evaluation, for quality beside speed.
    """
    paths = sorted(folder.glob("bench*.json"))
    if not paths:
        return [missing(Part("Cost against length and size"), "bench.json", "tubelet bench -o FILE")]
    return [_bench(Part(f"Cost, {path.stem}"), read_bench(path), path.stem, results) for path in paths]


def _bench(part: Part, bench: Stored, name: str, results: Results | None) -> Part:
    """Tables of every clip, and plots where there are several lengths or sizes."""
    run = bench.figures["run"]
    part.source(markdown_text(bench.protocol), bench.circumstances, f"{name}.json")
    part.say(_ABSOLUTE)
    if not bench.figures["finished"]:
        part.say("This run was interrupted: clips that should have come later are missing.")
    found = clips(bench)
    if not found:
        part.say("Nothing was fast enough to be timed.")
        return part
    part.say(f"Device: {run['device']}; threads: {run['threads']}; rounds: {run['rounds']}.")
    part.say(markdown_text(speed_table(bench, found[0]).note))
    for clip in found:
        part.blocks.append(f"**{clip}**")
        part.show(speed_table(bench, clip))
    # The size with the most lengths, and the length with the most sizes; of several, the largest.
    lengths, (width, height) = _most(clip.size for clip in found)
    sizes, frames = _most(clip.frames for clip in found)
    for figure in ("speed", "memory"):
        if lengths > 1:
            plot = cost_by_length(bench, figure, width=width, height=height)
            part.plot(f"{name}-{figure}-length", plot, says=f"{figure} against length")
        if sizes > 1:
            plot = cost_by_size(bench, figure, frames=frames)
            part.plot(f"{name}-{figure}-size", plot, says=f"{figure} against size")
    _quality(part, name, bench, results)
    if why := absences(bench.figures["rows"]):
        part.head(f"What has no figure in {name}")
        part.blocks.append("\n".join(f"- {markdown_text(each)}" for each in why))
    return part


_Size = TypeVar("_Size", int, Size)


def _most(values: Iterable[_Size]) -> tuple[int, _Size]:
    """How often the value occurs that occurs most often, and that value; of several, the largest."""
    return max((count, value) for value, count in Counter(values).items())


def _quality(part: Part, name: str, bench: Stored, results: Results | None) -> None:
    """Quality against speed, of systems that have both."""
    if results is None:
        return
    # The clip that most systems were timed on, and of those the largest.
    clip = max(clips(bench), key=lambda clip: (len(speeds(bench, clip)), clip.pixels))
    try:
        plot = speed_quality(results, speeds(bench, clip), says=f"Mpx/s, there and back, {clip}")
    except OptionError:
        return
    part.say(
        "Speed by this protocol against quality by that of the first part, which are of different clips:"
    )
    part.plot(f"{name}-quality", plot, says="PSNR against speed")
