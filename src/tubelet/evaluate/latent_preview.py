"""What a system makes of the middle of a clip before it decodes it: one step of latent, tokens or counts."""

from typing import NamedTuple

from tubelet.evaluate.clips import windows
from tubelet.evaluate.protocols import Protocol
from tubelet.evaluate.systems.representation import Kind, Shown
from tubelet.evaluate.systems.system import System
from tubelet.tokenizers.grouping import Grouping
from tubelet.types import Frames


class LatentPreview(NamedTuple):
    """The middle latent step of a clip.

    Attributes:
        kind: what it is of, as the results call it.
        values: channels of the latent, tokens, or the count of channels, of every position.
        frames: the frames of the clip that it stands for: the first, and the one after the last.
    """

    kind: Kind
    values: Shown
    frames: tuple[int, int]


def latent_preview(system: System, frames: Frames, protocol: Protocol) -> LatentPreview | None:
    """The middle latent step of a clip; none for what has neither latent, tokens nor counts.

    Of a protocol with windows it is that of the middle window. Tokens of more than 2⁶³ values are given as
    their digits.
    """
    representation, grid = system.representation, system.grid
    if representation is None or grid is None:
        return None
    parts = list(windows(frames, protocol))
    number = len(parts) // 2
    part, before = parts[number], number * (protocol.window or 0)
    encoded = representation.encode(part)
    step = encoded.shape[2] // 2
    grouping = Grouping(stride=grid.stride, lead_frame=grid.lead_frame)
    first = grouping.first_frame(step)
    last = min(first + grouping.frames_in(step), len(part))
    shown = representation.shown(encoded, step)
    return LatentPreview(representation.kind, shown, (before + first, min(before + last, len(frames))))
