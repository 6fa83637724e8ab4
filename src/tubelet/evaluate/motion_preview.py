"""How far a system says that the positions of a clip move, in all of its latent steps."""

from typing import NamedTuple

import numpy as np

from tubelet.evaluate.clips import windows
from tubelet.evaluate.protocols import Protocol
from tubelet.evaluate.systems.system import Moved, MovingSystem, System
from tubelet.tokenizers.grouping import Grouping
from tubelet.types import Frames


class MotionPreview(NamedTuple):
    """The motion of a clip.

    Attributes:
        values: pixels to the right and down, from the first frame of a latent step to its last.
        frames: the first frame of each step, and the number of frames.
    """

    values: Moved
    frames: tuple[int, ...]


def motion_preview(system: System, frames: Frames, protocol: Protocol) -> MotionPreview | None:
    """The motion of a clip, window by window; none of a system whose tokenizer does not look for any."""
    grid = system.grid
    if grid is None or not isinstance(system, MovingSystem):
        return None
    grouping = Grouping(stride=grid.stride, lead_frame=grid.lead_frame)
    found: list[Moved] = []
    begins: list[int] = []
    for number, part in enumerate(windows(frames, protocol)):
        moved = system.motion(part)
        if moved is None:
            return None
        before = number * (protocol.window or 0)
        # The last window may be filled up: what lies beyond the clip is not shown.
        steps = grouping.steps(min(len(part), len(frames) - before))
        found.append(moved[:steps])
        begins += [before + grouping.first_frame(step) for step in range(steps)]
    return MotionPreview(np.concatenate(found), (*begins, len(frames)))
