"""Codecs as subjects: an elementary stream, with 8-bit frames in memory at both ends, in one thread."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch

from tubelet.evaluate import codecs
from tubelet.evaluate.speed.grid import Case, Variant
from tubelet.evaluate.speed.picture import Picture
from tubelet.evaluate.speed.subjects import Cost, Subject, Times
from tubelet.evaluate.systems import System
from tubelet.evaluate.words import codec_words

_RATE = Fraction(24)
"""Frames per second; some codecs look at it."""


@dataclass(frozen=True)
class CodecSubject:
    """A codec."""

    system: System
    in_streams: bool = False

    @property
    def device(self) -> torch.device:
        """Codecs know no other."""
        return torch.device("cpu")

    def facts(self) -> dict[str, Any]:
        """Who it is."""
        return self.system.facts() | {"first_frame_after_frames": None, "threads": 1}

    def work(self, case: Case) -> Callable[[], Times]:
        """Keep the frames."""
        frames = Picture(height=case.size.height, width=case.size.width).frames(0, case.frames)

        def once() -> Times:
            back = self.system.reconstruct(frames, _RATE)
            both = back.seconds_encode + back.seconds_decode
            return Times(back.seconds_encode, back.seconds_decode, both)

        return once

    def cost(self) -> Cost | None:
        """None: what a codec does depends on the picture."""
        return None


def open_codec(variant: Variant) -> Subject:
    """A codec as `tubelet evaluate` knows it.

    Raises:
        OptionError: an option has no meaning, or FFmpeg was built without the encoder.
    """
    return CodecSubject(codecs.open_codec(codec_words(variant.system)))
