"""How much work a file is, for showing progress."""

import warnings
from contextlib import suppress
from pathlib import Path

from tubelet.errors import TubeletError


def frames_to_decode(path: Path, start: float | None = None, end: float | None = None) -> int | None:
    """Frames of a ``.tube`` file that are shown from `start` to `end` seconds; none if the file does not say.

    Whatever is wrong with the file is for whoever decodes it to say.
    """
    from tubelet.bitstream.reader import TubeReader

    with warnings.catch_warnings(), suppress(TubeletError, OSError):
        warnings.simplefilter("ignore")
        with TubeReader(path) as reader:
            if start is None and end is None:
                return reader.frames
            numerator, denominator = reader.header.time_base
            times = reader.timestamps()
            seconds = (times - times[:1]) * (numerator / denominator)
            shown = (seconds >= (start or 0.0)) & (seconds < (float("inf") if end is None else end))
            return int(shown.sum()) or None
    return None
