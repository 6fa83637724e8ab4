"""What is left of a clip that is encoded and decoded again and again."""

from collections.abc import Callable
from itertools import pairwise

from tubelet.errors import OptionError
from tubelet.metrics.psnr import ClipPSNR
from tubelet.types import Frames


def drift(
    reconstruct: Callable[[Frames], Frames], frames: Frames, *, passes: tuple[int, ...] = (1, 2, 5, 10)
) -> list[float]:
    """PSNR of a clip after so many passes through a tokenizer, each against the clip before the first.

    Every pass starts from the 8-bit frames of the one before, as an edited film does. PSNR is that of the
    clip (`ClipPSNR`), in dB; infinity where nothing was lost.

    Args:
        reconstruct: encodes and decodes a clip; it must not write into what it is given.
        frames: the clip.
        passes: after how many passes to measure, growing.

    Raises:
        OptionError: there are no passes, or they do not grow from 1 or more.
        ShapeError: a pass gives a clip of another length or size, or the clip has no frame.
    """
    if not passes or passes[0] < 1 or any(later <= earlier for earlier, later in pairwise(passes)):
        raise OptionError(
            f"passes are {passes}; they are whole numbers from 1 on, each above the one before, such as "
            "1, 2, 5."
        )
    values: list[float] = []
    current = frames
    for number in range(1, passes[-1] + 1):
        current = reconstruct(current)
        if number in passes:
            metric = ClipPSNR()
            metric.update(frames, current)
            values.append(metric.compute())
    return values
