"""The numbers that make a model along motion, and nothing else."""

from dataclasses import dataclass, field
from typing import ClassVar

from tubelet.errors import OptionError
from tubelet.json_fields import bounded
from tubelet.models.klt.start import Crops
from tubelet.models.motion.coarse import COARSE
from tubelet.models.motion.model import MotionModel
from tubelet.models.protocol import StepModel
from tubelet.types import Stride

_SIZE = bounded(1, 1 << 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionConfig:
    """A linear transform along what moves.

    Attributes:
        name: what files call the tokenizer.
        patch: frames, rows and columns of a position.
        channels: channels of content.
        lead_frame: whether the first frame is a group of its own.
    """

    variational: ClassVar[bool] = False

    name: str
    patch: Stride = field(default=Stride(4, 8, 8), metadata=_SIZE)
    channels: int = field(default=64, metadata=_SIZE)
    lead_frame: bool = True

    def build(self) -> MotionModel:
        """Make the model; its statistics are those of no data until it is fitted or loaded.

        Raises:
            OptionError: the numbers contradict one another.
        """
        t, h, w = self.patch
        if t < 2 or h % COARSE or w % COARSE or max(t, h, w) > _MOST:
            raise OptionError(
                f"the stride is {self.patch}; with motion it has 2 to {_MOST} frames, and rows and columns "
                f"that are multiples of {COARSE} up to {_MOST}. 4x8x8 is the usual one."
            )
        if not 1 <= self.channels <= 3 * t * h * w:
            raise OptionError(f"channels is {self.channels}; a patch has 1 to {3 * t * h * w} of them.")
        return MotionModel(self.patch, channels=self.channels)

    def start(self, crops: Crops, *, seed: int, linear: StepModel | None = None) -> MotionModel:
        """A model as training starts: a linear one that was fitted.

        Raises:
            OptionError: none is given; this model has nothing to train, and is fitted by `tubelet fit-klt`.
        """
        if not isinstance(linear, MotionModel):
            raise OptionError(
                "a model along motion starts from a fitted one. Fit it with tubelet fit-klt --motion."
            )
        return linear.narrowed(self.channels)


_MOST = 32
"""Frames, rows and columns of a patch at most: sums of differences over it are exact in float32."""
