"""The part of the page of figures that comes from an evaluation of the development clips."""

from collections.abc import Iterator, Sequence
from itertools import groupby, product
from math import prod
from typing import Any, NamedTuple

from tubelet.errors import OptionError
from tubelet.evaluate.measures import MEASURES
from tubelet.evaluate.summary import interval as interval_of
from tubelet.report.columns import cells, column_of, find_column, head, interval, used
from tubelet.report.figures.parts import STORED, Part, missing
from tubelet.report.markup import Cell, Head, Row, Table, markdown_text
from tubelet.report.plots import bars, rate_distortion
from tubelet.report.rate import rate_curves
from tubelet.report.read import Results
from tubelet.report.tables import (
    bd_table,
    families,
    protocol,
    reasons,
    result_note,
    result_table,
    tag_table,
)

TITLE = "Quality, rate and motion"

ANCHOR = "x264"
"""The curve that others are compared with."""

CURVES = ("psnr_db", "ms_ssim", "vmaf")
"""Measures that are drawn against bits, and at which bits are compared."""

PAIRED = ("psnr_db", "ms_ssim", "difference_psnr_db", "tof_px")
"""Measures in which a tokenizer is compared with the linear one, clip by clip."""

TOKEN_COLUMNS = tuple(
    column_of(MEASURES[name])
    for name in (
        *("psnr_db", "ms_ssim", "difference_psnr_db"),
        *("bits_per_pixel", "nominal_bits_per_pixel", "entropy_bits_per_pixel"),
    )
)

_READING = """
Latents that are not quantised are not bitstreams: they are stored as numbers, and tables and plots of them
say how many. What went through a file has bits on disk, headers counted. The two never share a table.
"""

_FLOOR = """
`klt-…` are linear: the best linear code of a patch in squared error, on the clips that they were fitted to.
What a trained tokenizer of the same stride and channels has above them, its networks have learned.
"""

_GAINS = """
The same clips through both, the difference taken clip by clip: these intervals are narrower than those
above, because clips differ more than tokenizers do. An interval that holds zero says that the clips do not
decide.
"""

_SPATIAL = """
Systems of one table have as many channels per pixel: four for one frame of a patch of 8x8 are sixteen for
four frames. A lead frame is a latent step of its own, so in a short clip space-time spends somewhat more;
the last column of the first table says what each one spent. A spatial-only tokenizer codes every frame by
itself, and gains nothing where frames stand still.
"""

_FILES = """
Bits are those of a whole file or stream, over the pixels of its clip. A tokenizer's file is its quantised
latent through a range coder that knows how often each symbol of a channel occurs, and no more: nothing is
predicted from its neighbours. That is not a video codec, and these curves do not make it one; they say what
it costs to store latents. Codecs predict, choose modes and quantisers block by block, and were made for this
very task. Nor do the curves say how well a generative model works on a latent.
"""

_CODECS = """
Codecs get 4:2:0 unless their name says otherwise, in one thread, at their usual preset, without tuning.
Quality is of RGB, so three quarters of their colour samples are gone before they begin. In clips as short
as these a key frame weighs more than in long ones.
"""

_TEMPORAL = """
Flicker is what still regions change beyond the original's own change: 0 is best, and below it lies
smoothing. The warping error of an original is not zero, because noise, light and what is hidden do not
follow the motion; blur lowers it, so a blurred clip may have less than its original. Read it beside the
detail above. A positive ends gap means that the first frame is kept better than the last.
"""

_MOTION = """
Motion dB is the PSNR of the differences between consecutive frames: it counts errors that change, and not
errors that stay. tOF is the distance between the optical flows of both clips; clips with fast motion decide
its mean.
"""

_CONTENT = """
Means over the clips that share a tag; in brackets, how many these are. A few clips are not a sample of their
kind: read the intervals; a single clip has none.
"""

_TOKENS = """
Nominal bits are the logarithm of the codebook, entropy bits those of each digit by itself; only bits on
disk are what a file took.
"""


def quality(results: Results | None) -> Part:
    """All that an evaluation says; a sentence without one."""
    part = Part(TITLE)
    if results is None:
        return missing(part, "dev/results.json", f"tubelet evaluate CLIPS --with SYSTEM … -o {STORED}/dev")
    part.source(markdown_text(protocol(results)), results.circumstances, "dev/results.json")
    part.say(markdown_text(result_note(results)))
    part.say(_READING)
    for section in (_floor, _spatial, _rate, _temporal_section, _motion_section, _content, _tokens, _absent):
        section(part, results)
    return part


def _floor(part: Part, results: Results) -> None:
    """Our tokenizers and the linear ones at as many channels."""
    part.head("Our tokenizers and the linear floor")
    latents = families(results).latents
    if not latents:
        part.say("No latent was evaluated.")
        return
    part.say(_FLOOR)
    if any(interval(results, name, find_column("numbers_per_pixel")) for name in latents):
        part.plot(
            "latents",
            rate_distortion(results, rate="numbers_per_pixel"),
            says="PSNR against numbers per pixel",
        )
    part.show(result_table(results, latents, title="", groups=("detail", "rate")))
    pairs = tuple(_pairs(results, latents))
    if not pairs:
        part.say("No trained tokenizer stands beside a linear one of its stride and channels.")
        return
    part.say(_GAINS)
    part.show(_pair_table(results, pairs))


class Pair(NamedTuple):
    """Two systems that are compared clip by clip, the one less the other."""

    one: str
    other: str


def _pairs(results: Results, latents: Sequence[str]) -> Iterator[Pair]:
    """Every trained tokenizer and the linear one of its stride and channels."""
    facts = {name: results.figures["systems"][name]["facts"] for name in latents}
    linear = {_size(each): name for name, each in facts.items() if _is_linear(each)}
    for name, each in facts.items():
        if not _is_linear(each) and _size(each) in linear:
            yield Pair(name, linear[_size(each)])


def _is_linear(facts: dict[str, Any]) -> bool:
    """Linear tokenizers that come with the package are called so, and only those."""
    return str(facts.get("name", "")).startswith("klt-")


def _size(facts: dict[str, Any]) -> tuple[Any, ...]:
    """Stride, lead frame and channels."""
    return (*facts.get("stride", ()), facts.get("lead_frame"), facts.get("channels"))


def _pair_table(results: Results, pairs: Sequence[Pair]) -> Table:
    """A row for each pair: differences in the mean, and on how many clips PSNR is better."""
    heads = [Head(head(results, find_column(name))) for name in PAIRED if name in results.figures["measures"]]
    rows = [Row(f"{one} less {other}", _gains(results, one, other)) for one, other in pairs]
    return _bare("pair", [*heads, Head("PSNR better on")], rows)


def _gains(results: Results, one: str, other: str) -> tuple[Cell, ...]:
    """Mean difference in each measure, over the clips that both have; then on how many PSNR is better."""
    systems, seed = results.figures["systems"], results.figures["intervals"]["seed"]
    found: list[Cell] = []
    better = ""
    for name in PAIRED:
        if name not in results.figures["measures"]:
            continue
        column = find_column(name)
        ours, theirs = (
            {
                clip: each["figures"].get(name)
                for clip, each in systems[text]["clips"].items()
                if "figures" in each
            }
            for text in (one, other)
        )
        differences = [
            float(value - theirs[clip])
            for clip, value in ours.items()
            if value is not None and theirs.get(clip) is not None
        ]
        if name == "psnr_db":
            better = f"{sum(each > 0 for each in differences)} of {len(differences)}"
        if not differences:
            found.append(Cell())
            continue
        mean = interval_of(differences, seed=seed)
        half = f"{(mean['high'] - mean['low']) / 2:.{column.digits}f}"
        found.append(Cell(f"{mean['mean']:+.{column.digits}f}", half if float(half) else ""))
    return (*found, Cell(better or "-"))


def _spatial(part: Part, results: Results) -> None:
    """Tokenizers that see one frame at a time, beside those that see several."""
    part.head("Spatial-only against space-time, at equal numbers")
    facts = {name: results.figures["systems"][name]["facts"] for name in families(results).latents}
    dense = {
        name: each["channels"] / prod(each["stride"])
        for name, each in facts.items()
        if {"channels", "stride"} <= each.keys()
    }
    shown = False
    for _, names in groupby(sorted(dense, key=dense.__getitem__), key=dense.__getitem__):
        group = sorted(names, key=list(dense).index)
        if len({facts[name]["stride"][0] for name in group}) < 2:
            continue
        if not shown:
            part.say(_SPATIAL)
        shown = True
        part.show(result_table(results, group, title=""))
        pairs = [
            Pair(one, other)
            for one, other in product(group, group)
            if facts[one]["stride"][0] > facts[other]["stride"][0] == 1
            and _is_linear(facts[one]) == _is_linear(facts[other])
        ]
        if pairs:
            part.show(_pair_table(results, pairs))
    if not shown:
        part.say("No two latents with equal numbers per pixel and different strides in time were evaluated.")


def _rate(part: Part, results: Results) -> None:
    """Curves of bits, and what they save."""
    part.head("Rate and distortion, beside codecs")
    files = families(results).files
    curves = {curve.name: curve for curve in rate_curves(results, "psnr_db") if curve.points}
    if not curves:
        part.say("Nothing with bits on disk was evaluated.")
        return
    part.say(_FILES)
    part.say(_CODECS)
    measures = [name for name in CURVES if name in results.figures["measures"]]
    for measure in measures:
        if not any(curve.points for curve in rate_curves(results, measure)):
            continue
        name = find_column(measure).head
        part.plot(
            f"rate-{measure.replace('_', '-')}",
            rate_distortion(results, measure, rate="bits_per_pixel"),
            says=f"{name} against bits per pixel",
        )
    _savings(part, results, list(curves))
    part.show(result_table(results, files, title="", groups=("detail", "rate")))


def _savings(part: Part, results: Results, curves: Sequence[str]) -> None:
    """Tables of BD-rates."""
    if ANCHOR not in curves:
        part.say(f"There is no curve `{ANCHOR}`, so nothing is compared with it.")
        return
    said: set[str] = set()
    for measure in CURVES:
        if measure in results.figures["measures"] and len(curves) > 1:
            table = bd_table(results, measure, anchor=ANCHOR)
            part.blocks.append(f"**{markdown_text(table.title)}.**")
            if table.note not in said:
                part.say(markdown_text(table.note))
            said.add(table.note)
            part.show(table)


def _temporal_section(part: Part, results: Results) -> None:
    part.head("Temporal consistency")
    part.say(_TEMPORAL)
    _group(part, results, "temporal_consistency", "temporal", ("flicker_levels", "warping_error"))


def _motion_section(part: Part, results: Results) -> None:
    part.head("Motion fidelity")
    part.say(_MOTION)
    _group(part, results, "motion_fidelity", "motion", ("difference_psnr_db", "tof_px"))


def _group(part: Part, results: Results, group: str, name: str, measures: tuple[str, ...]) -> None:
    """The tables of a group of measures, and a plot of the latents."""
    latents, files = families(results)
    try:
        part.plot(name, bars(results, latents or files, measures), says=f"{name} measures with intervals")
    except OptionError:
        part.say("Nothing of it was measured.")
        return
    for systems in (latents, files):
        if used(results, systems, [group]):
            part.show(result_table(results, systems, title="", groups=(group, "rate")))


def _content(part: Part, results: Results) -> None:
    part.head("By content")
    part.say(_CONTENT)
    shown = False
    for measure in ("psnr_db", "difference_psnr_db"):
        for name, systems in families(results)._asdict().items():
            table = tag_table(results, systems, find_column(measure), title=name)
            if table.heads and table.rows:
                part.blocks.append(f"**{markdown_text(table.title)}**")
                part.show(table)
                shown = True
    if not shown:
        part.say("The clips have no tags.")


def _tokens(part: Part, results: Results) -> None:
    part.head("Tokens through a file")
    systems = results.figures["systems"]
    names = [name for name in systems if systems[name]["facts"]["kind"] == "tokens"]
    if not names:
        part.say("No discrete tokenizer was evaluated.")
        return
    part.say(_TOKENS)
    columns = [
        column for column in TOKEN_COLUMNS if any(cell != Cell() for cell in cells(results, names, column))
    ]
    found = [cells(results, names, column) for column in columns]
    rows = [Row(name, tuple(column[place] for column in found)) for place, name in enumerate(names)]
    part.show(_bare("system", [Head(head(results, column)) for column in columns], rows))


def _absent(part: Part, results: Results) -> None:
    if why := reasons(results):
        part.head("What is missing in this part")
        part.blocks.append("\n".join(f"- {markdown_text(each)}" for each in why))


def _bare(corner: str, heads: Sequence[Head], rows: Sequence[Row]) -> Table:
    """A table whose title, protocol and note stand elsewhere on the page."""
    return Table(title="", protocol="", note="", corner=corner, heads=tuple(heads), rows=tuple(rows))
