"""When the frames of a video begin, without decoding them."""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from tubelet.video.source import opened


def packet_times(source: Path | str) -> Float64[np.ndarray, " packets"]:
    """Say when frames begin, in seconds after the first, by the words of their packets; growing.

    What a decoder drops is among them, and timestamps are not repaired: for what has to be exact, read the
    video. None at all where packets say nothing, as in AVI and in arrays.

    Raises:
        VideoError: there is no such file, or it is no video.
    """
    path = Path(source)
    if path.suffix.lower() == ".npy":
        return np.zeros(0)
    with opened(path) as video:
        ticks = [packet.pts for packet in video.packets() if packet.pts is not None and not packet.is_discard]
        seconds = np.sort(np.array(ticks, np.float64)) * float(video.stream.time_base or 0)
    return seconds - seconds[:1]
