"""What a system makes of the middle of a clip before it decodes it: one latent step, or its tokens."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float16, Integer

from tubelet.errors import TokenError
from tubelet.evaluate.clips import windows
from tubelet.evaluate.foreign import ForeignSystem
from tubelet.evaluate.ours import LatentSystem, TokenSystem
from tubelet.evaluate.protocols import Protocol
from tubelet.evaluate.systems import System
from tubelet.quantizers.digits import digits_to_tokens
from tubelet.tokenizers.grouping import Grouping
from tubelet.types import Frames

CHANNELS = 16
"""The first channels of a latent, which are the most important ones of ours, and enough to look at."""


class Middle(NamedTuple):
    """The middle latent step of a clip.

    Attributes:
        kind: what it is of, as the results call it.
        values: channels of the latent, or tokens, of every position.
        frames: the frames of the clip that it stands for: the first, and the one after the last.
    """

    kind: Literal["latents", "tokens"]
    values: Float16[np.ndarray, "c h w"] | Integer[np.ndarray, "k h w"]
    frames: tuple[int, int]


def middle_of(system: System, frames: Frames, protocol: Protocol) -> Middle | None:
    """The middle latent step of a clip; none for what has neither latent nor tokens.

    Of a protocol with windows it is that of the middle window. Tokens of more than 2⁶³ values are given as
    their digits.
    """
    parts = list(windows(frames, protocol))
    number = len(parts) // 2
    part, before = parts[number], number * (protocol.window or 0)
    if isinstance(system, TokenSystem):
        digits = system.digits(part)
        try:
            values = digits_to_tokens(digits, system.checkpoint.tokenizer.bases)
        except TokenError:
            values = digits
        kind, step = "tokens", values.shape[2] // 2
        shown = values[0, :, step].numpy()
    elif isinstance(system, LatentSystem | ForeignSystem):
        values = system.latent(part)
        kind, step = "latents", values.shape[2] // 2
        shown = values[0, :CHANNELS, step].half().numpy()
    else:
        return None
    grid = system.grid
    assert grid is not None, "what has a latent has a grid"
    grouping = Grouping(stride=grid.stride, lead_frame=grid.lead_frame)
    first = grouping.first_frame(step)
    last = min(first + grouping.frames_in(step), len(part))
    return Middle(kind, shown, (before + first, min(before + last, len(frames))))
