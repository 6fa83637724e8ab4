"""How clips of a data set are encoded."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal

from tubelet.checkpoint import Checkpoint, architecture, read_continuous, read_discrete
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkSettings:
    """How clips are encoded, the same for all of a data set.

    Attributes:
        tokenizer: a shipped one or a checkpoint's folder; none for the default one.
        format: of the shards.
        dtype: of stored latents; tokens and ``tube`` have numbers of their own.
        channels: how many channels to keep; all for none.
        step: coarseness of the quantiser in ``tube`` files of latents.
        short_side: frames are shrunk to it; none leaves them.
        fps: frames per second, as text such as ``12`` or ``30000/1001``; none leaves them.
        mirror: whether each clip is stored mirrored left to right, too.
        measure: what is measured of each clip: ``psnr`` of the frames that come back from what is stored.
        clip_seconds: of the ranges that longer videos are cut into (`tubelet.jobs.bulk.split`); none leaves
            them whole.
        overlap: seconds that a range shares with the one before it.
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
    short_side: int | None = None
    fps: str | None = None
    mirror: bool = False
    measure: Literal["psnr"] | None = None
    clip_seconds: float | None = None
    overlap: float = 0.0
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
        if self.rate is not None and not Fraction(1, LARGEST_RATE) <= self.rate <= LARGEST_RATE:
            raise OptionError(f"fps is {self.fps}; it is between 1/{LARGEST_RATE} and {LARGEST_RATE}.")

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
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "BulkSettings":
        """What `to_json` gave."""
        return cls(**content)


def read_checkpoint(settings: BulkSettings) -> AnyCheckpoint:
    """The tokenizer.

    Raises:
        CheckpointError: it is unknown or damaged.
        OptionError: there is no such device here.
    """
    if architecture(settings.tokenizer) == "discrete":
        return read_discrete(settings.tokenizer, device=settings.device)
    return read_continuous(settings.tokenizer, device=settings.device)


def describe(settings: BulkSettings, checkpoint: AnyCheckpoint, *, shards: int) -> Description:
    """What a data set says of itself.

    Raises:
        OptionError: the tokenizer has not as many channels, or channels are asked of tokens.
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
    facts: dict[str, Any] = {"name": checkpoint.name, "sha256": checkpoint.sha256}
    if isinstance(tokenizer, DiscreteTokenizer):
        if settings.channels is not None:
            raise OptionError(
                f"channels is {settings.channels}; {checkpoint.name} gives tokens, which need all their "
                "digits. Leave it out."
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
    facts |= {
        "stride": str(tokenizer.stride),
        "lead_frame": tokenizer.lead_frame,
        "parts": [
            {"name": part.name, "channels": part.channels, "stride": str(part.stride)}
            for part in backbone.parts
        ],
    }
    return Description(tokenizer=facts, settings=decided, shards=shards)
