"""The numbers that make a model along motion, and nothing else."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch

from tubelet.errors import OptionError
from tubelet.json_fields import bounded
from tubelet.models.klt.start import Crops
from tubelet.models.motion.coarse import COARSE
from tubelet.models.motion.model import MotionModel
from tubelet.models.motion.networks import MotionNetworks
from tubelet.models.motion.start import take_over
from tubelet.models.protocol import StepModel
from tubelet.nn.blocks import MEMORY
from tubelet.types import Stride

_SIZE = bounded(1, 1 << 16)
_BLOCKS = bounded(0, 1 << 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionConfig:
    """A transform along what moves; without blocks it is the linear one.

    Attributes:
        name: what files call the tokenizer.
        patch: frames, rows and columns of a position.
        channels: channels of content.
        lead_frame: whether the first frame is a group of its own.
        coefficients: coefficients of each basis, which the networks see; 0 for as many as channels.
        width: channels inside the networks.
        encoder_blocks: residual blocks of the encoder.
        decoder_blocks: residual blocks of the decoder. With none of both the model is linear.
        memory: latent steps that each block looks back.
    """

    variational: ClassVar[bool] = False
    ahead: ClassVar[int] = 0

    name: str
    patch: Stride = field(default=Stride(4, 8, 8), metadata=_SIZE)
    channels: int = field(default=64, metadata=_SIZE)
    lead_frame: bool = True
    coefficients: int = field(default=0, metadata=bounded(0, 1 << 16))
    width: int = field(default=192, metadata=_SIZE)
    encoder_blocks: int = field(default=0, metadata=_BLOCKS)
    decoder_blocks: int = field(default=0, metadata=_BLOCKS)
    memory: int = field(default=MEMORY, metadata=_BLOCKS)

    @property
    def kept(self) -> int:
        """Coefficients of each basis."""
        return self.coefficients or self.channels

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
        if not 1 <= self.channels <= self.kept <= 3 * t * h * w:
            raise OptionError(
                f"channels is {self.channels} and coefficients {self.coefficients}; there are 1 to "
                f"{3 * t * h * w} channels, and no fewer coefficients, or 0 for as many."
            )
        if bool(self.encoder_blocks) != bool(self.decoder_blocks) or (
            self.coefficients and not self.encoder_blocks
        ):
            raise OptionError(
                f"encoder_blocks is {self.encoder_blocks}, decoder_blocks {self.decoder_blocks} and "
                f"coefficients {self.coefficients}; give both networks blocks or, for a linear model, none "
                "of the three."
            )
        return MotionModel(
            self.patch, channels=self.channels, coefficients=self.kept, corrections=self._corrections()
        )

    def start(self, crops: Crops, *, seed: int, linear: StepModel | None = None) -> MotionModel:
        """Make a model as training starts: linear, as a fitted one; its networks change nothing yet.

        Args:
            crops: what it will be trained on; coefficients that the linear model has not are fitted to them.
            seed: of the patches that are looked at, and of the networks' first weights.
            linear: the linear model.

        Raises:
            OptionError: there is none, it is of another shape, or the crops are too few.
        """
        if not isinstance(linear, MotionModel):
            raise OptionError(
                "a model along motion starts from a fitted one. Fit it with tubelet fit-klt --motion."
            )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            model = self.build()
        take_over(model, linear, crops, seed=seed)
        return model

    def _corrections(self) -> MotionNetworks | None:
        if not self.encoder_blocks:
            return None
        # Numbers of motion of each later frame, and whether a cell is plain.
        return MotionNetworks(
            channels=self.channels,
            coefficients=self.kept,
            told=2 * (self.patch.t - 1) + 1,
            frames=self.patch.t,
            width=self.width,
            blocks=(self.encoder_blocks, self.decoder_blocks),
            memory=self.memory,
        )


_MOST = 32
"""Frames, rows and columns of a patch at most: sums of differences over it are exact in float32."""
