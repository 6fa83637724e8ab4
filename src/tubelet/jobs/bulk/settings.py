"""How clips of a data set are encoded."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal

from tubelet.checkpoint import DEFAULT_OF_FILES, Checkpoint, architecture, read_continuous, read_discrete
from tubelet.codec.budget import (
    Allocators,
    Budget,
    MeanChannels,
    TargetPSNR,
    budget_to_json,
    json_to_budget,
)
from tubelet.codec.contrast import CONTRAST, check_contrast
from tubelet.codec.symbols import kept_channels
from tubelet.data.shards.description import Description
from tubelet.data.shards.formats import FORMAT_NAMES, Format
from tubelet.data.shards.numbers import DTYPES, DType
from tubelet.errors import OptionError
from tubelet.json_text import text_to_ratio
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.streams.state import DEFAULT_MEMORY

AnyCheckpoint = Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer]

LARGEST_SIDE = 1 << 14
LARGEST_RATE = 1000
LARGEST_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkSettings:
    """How clips are encoded, the same for all of a data set.

    Attributes:
        tokenizer: a shipped one or a checkpoint's folder; none for the default one, of files if `format` is.
        format: of the shards.
        dtype: of stored latents; tokens and ``tube`` have numbers of their own.
        channels: how many channels to keep; all for none.
        step: coarseness of the quantiser in ``tube`` files of latents.
        budget: what a clip may take, with its channels where they matter most: a mean number of channels per
            position; in ``tube`` files also bits or a quality. All `channels` everywhere for none.
        two_pass: whether ``tube`` files share their budget out over the whole clip, which is read twice then;
            arrays always do.
        contrast: how much less an error counts in a budget of ``tube`` files where contrast hides it, from 0
            to 1; the usual for none. In arrays squared errors count alone.
        short_side: frames are shrunk to it; none leaves them.
        fps: frames per second, as text such as ``12`` or ``30000/1001``; none leaves them.
        mirror: whether each clip is stored mirrored left to right, too.
        measure: what is measured of each clip: ``psnr`` of the frames that come back from what is stored.
        clip_seconds: of the ranges that longer videos are cut into (`tubelet.jobs.bulk.split`); none leaves
            them whole.
        overlap: seconds that a range shares with the one before it.
        batch: clips of one shape that go through the networks at once, of arrays. More than one rounds sums
            otherwise than one, the same for all clips of a data set.
        device: where networks compute.
        memory: bytes that one worker's frames, networks and work on them may take.

    Raises:
        OptionError: a value has no meaning.
    """

    tokenizer: str | None = None
    format: Format = "webdataset"
    dtype: DType = "float16"
    channels: int | None = None
    step: float = 1.0
    budget: Budget | None = None
    two_pass: bool = False
    contrast: float | None = None
    short_side: int | None = None
    fps: str | None = None
    mirror: bool = False
    measure: Literal["psnr"] | None = None
    clip_seconds: float | None = None
    overlap: float = 0.0
    batch: int = 1
    device: str = "cpu"
    memory: int = DEFAULT_MEMORY

    def __post_init__(self) -> None:
        for name, value, known in (("format", self.format, FORMAT_NAMES), ("dtype", self.dtype, DTYPES)):
            if value not in known:
                raise OptionError(f"{name} is {value!r:.40}; it is one of {', '.join(known)}.")
        if self.short_side is not None and not 1 <= self.short_side <= LARGEST_SIDE:
            raise OptionError(f"short_side is {self.short_side}; it is between 1 and {LARGEST_SIDE} pixels.")
        if self.measure is not None and self.format == "tube":
            raise OptionError(
                "measure is psnr and format is tube; `tubelet compare` measures such files. Leave one out."
            )
        if not 1 <= self.batch <= LARGEST_BATCH:
            raise OptionError(f"batch is {self.batch}; it is between 1 and {LARGEST_BATCH} clips.")
        if self.batch > 1 and self.format == "tube":
            raise OptionError(
                f"batch is {self.batch} and format is tube, whose clips are encoded one by one. Leave one "
                "of the two out."
            )
        self._check_budget()
        if self.rate is not None and not Fraction(1, LARGEST_RATE) <= self.rate <= LARGEST_RATE:
            raise OptionError(f"fps is {self.fps}; it is between 1/{LARGEST_RATE} and {LARGEST_RATE}.")

    def _check_budget(self) -> None:
        """Raise unless the format can keep the budget.

        Raises:
            OptionError: it cannot.
        """
        if isinstance(self.budget, TargetPSNR):
            raise OptionError(
                f"psnr is {self.budget.db:g} dB; each clip of a data set is encoded once, and that takes "
                "several tries. Ask for a quality."
            )
        if self.two_pass and self.budget is None:
            raise OptionError(
                "two_pass is true and there is no budget to share out. Give one, or leave it out."
            )
        if self.contrast is not None:
            if self.budget is None:
                raise OptionError(
                    f"contrast is {self.contrast} and there is no budget whose errors it weighs. Give one, "
                    "or leave it out."
                )
            check_contrast(self.contrast)
        if self.format == "tube":
            return
        if self.contrast is not None:
            raise OptionError(
                f"contrast is {self.contrast} and format is {self.format}, in whose budgets squared errors "
                "count alone. Leave it out, or choose the format tube."
            )
        if self.budget is not None and not isinstance(self.budget, MeanChannels):
            raise OptionError(
                f"format is {self.format}, which holds numbers, and the budget is of bits or a quality. Give "
                "a mean number of channels (--budget), or choose the format tube."
            )
        if self.two_pass:
            raise OptionError(
                f"two_pass is for format tube, not {self.format}: arrays share a budget out over the whole "
                "clip anyway. Leave it out."
            )

    @property
    def weighed_by(self) -> float:
        """The contrast by which errors are weighed in a budget of ``tube`` files; 0 where there is none."""
        if self.budget is None or self.format != "tube":
            return 0.0
        return CONTRAST if self.contrast is None else self.contrast

    @property
    def rate(self) -> Fraction | None:
        """Frames per second; none leaves them.

        Raises:
            OptionError: it is not a ratio.
        """
        try:
            return None if self.fps is None else text_to_ratio(self.fps)
        except ValueError as error:
            raise OptionError(f"fps is {self.fps!r:.40}: {error}.") from error

    def to_json(self) -> dict[str, Any]:
        """Everything, for another process."""
        budget = None if self.budget is None else budget_to_json(self.budget)
        return asdict(self) | {"budget": budget}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "BulkSettings":
        """What `to_json` gave."""
        given = dict(content)
        if given["budget"] is not None:
            given["budget"] = json_to_budget(given["budget"])
        return cls(**given)


def read_checkpoint(settings: BulkSettings) -> AnyCheckpoint:
    """The tokenizer.

    Raises:
        CheckpointError: it is unknown or damaged.
        OptionError: there is no such device here.
    """
    name = settings.tokenizer
    if name is None and settings.format == "tube":
        name = DEFAULT_OF_FILES
    if architecture(name) == "discrete":
        return read_discrete(name, device=settings.device)
    return read_continuous(name, device=settings.device)


def describe(settings: BulkSettings, checkpoint: AnyCheckpoint, *, shards: int) -> Description:
    """What a data set says of itself.

    Raises:
        OptionError: the tokenizer has not as many channels; channels or a budget are asked of tokens, or a
            budget of a latent of several parts.
    """
    tokenizer = checkpoint.tokenizer
    decided: dict[str, Any] = {
        "format": settings.format,
        "short_side": settings.short_side,
        "fps": None if settings.rate is None else str(settings.rate),
        "mirror": settings.mirror,
        "measure": settings.measure,
        "clip_seconds": settings.clip_seconds,
        "overlap": settings.overlap if settings.clip_seconds is not None else None,
    }
    if settings.batch > 1:
        # Not stated where it is one, so that such data sets are what they were.
        decided["batch"] = settings.batch
    facts: dict[str, Any] = {"name": checkpoint.name, "sha256": checkpoint.sha256}
    if isinstance(tokenizer, DiscreteTokenizer):
        if settings.channels is not None:
            raise OptionError(
                f"channels is {settings.channels}; {checkpoint.name} gives tokens, which need all their "
                "digits. Leave it out."
            )
        if settings.budget is not None:
            raise OptionError(
                f"a budget is given, and {checkpoint.name} gives tokens, which need all their digits. Leave "
                "it out."
            )
        backbone = tokenizer.backbone
        facts |= {"gives": "tokens", "bases": [list(token) for token in tokenizer.bases]}
    else:
        backbone = tokenizer
        kept = kept_channels(tokenizer, settings.channels)
        facts["gives"] = "latents"
        decided["channels"] = kept
        decided["variational"] = tokenizer.variational and settings.format != "tube"
        decided |= {"step": settings.step} if settings.format == "tube" else {"dtype": settings.dtype}
        if settings.budget is not None:
            # Which says what has no budget, and what no budget can be.
            Allocators(tokenizer, channels=settings.channels).check(settings.budget)
            if len(tokenizer.parts) > 1 and settings.format != "tube":
                raise OptionError(
                    f"a budget is given, and {checkpoint.name} gives latents of several parts; arrays keep "
                    "counts of one. Leave it out, or choose format tube."
                )
            # Not stated where there is none, so that such data sets are what they were.
            decided |= {"budget": budget_to_json(settings.budget), "two_pass": settings.two_pass}
            decided |= {"contrast": settings.weighed_by} if settings.format == "tube" else {}
    facts |= {
        "stride": str(tokenizer.stride),
        "lead_frame": tokenizer.lead_frame,
        "parts": [
            {"name": part.name, "channels": part.channels, "stride": str(part.stride)}
            for part in backbone.parts
        ],
    }
    return Description(tokenizer=facts, settings=decided, shards=shards)
