"""Any two videos, frame by frame."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tubelet.errors import ShapeError
from tubelet.evaluate.measurement import Measured, Measurement
from tubelet.evaluate.measures import CLIP_MEASURES
from tubelet.spelling import counted
from tubelet.video.probe import probe
from tubelet.video.read import read

PROTOCOL = (
    "tubelet compare v2: frame n of the one with frame n of the other, at their size, accurate colour "
    "conversion from where chroma lies to 8-bit RGB, all frames or the first ones that were asked for; "
    "timestamps are not looked at."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two videos have in common.

    Attributes:
        frames: how many were compared.
        height: their rows.
        width: their columns.
        measured: the figures of the second against the first.
    """

    frames: int
    height: int
    width: int
    measured: Measured


def compare_files(
    reference: Path | str,
    other: Path | str,
    *,
    frames: int | None = None,
    measures: Sequence[str] = tuple(CLIP_MEASURES),
    on_frames: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """Compare two videos by all measures that need no weights.

    Args:
        reference: what is right.
        other: what is judged.
        frames: how many frames to compare, from the first on; all for none.
        measures: names from `tubelet.evaluate.measures.CLIP_MEASURES`.
        on_frames: called with the number of frames of each run.

    Raises:
        VideoError: one cannot be read.
        ShapeError: sizes or lengths differ.
        OptionError: there is no such measure, or `frames` has no meaning.
    """
    paths = Path(reference), Path(other)
    one, two = (probe(path) for path in paths)
    if (one.width, one.height) != (two.width, two.height):
        raise ShapeError(
            f"{one.path} is {one.width}x{one.height} and {two.path} is {two.width}x{two.height}; only equal "
            f"sizes can be compared. Scale one of them: ffmpeg -i {two.path} -vf "
            f"scale={one.width}:{one.height} -c:v ffv1 scaled.mkv"
        )
    measurement = Measurement(measures)
    count = 0
    runs = itertools.zip_longest(*(read(path, stop=frames) for path in paths))
    for first, second in runs:
        lengths = [0 if run is None else len(run.frames) for run in (first, second)]
        if lengths[0] != lengths[1]:
            ends = count + min(lengths)
            shorter = paths[lengths.index(min(lengths))]
            raise ShapeError(
                f"{shorter} ends after {counted(ends, 'frame')} and the other goes on; frames are compared "
                f"in pairs. Compare what both have: --frames {ends}"
            )
        measurement.update(first.frames, second.frames)
        count += lengths[0]
        on_frames(lengths[0])
    return Comparison(frames=count, height=one.height, width=one.width, measured=measurement.compute())
