"""The numbers that make a quantiser, and nothing else: one frozen dataclass for each."""

from dataclasses import asdict, dataclass, field
from typing import Literal

from tubelet.errors import OptionError
from tubelet.json_fields import bounded
from tubelet.quantizers.bsq import BSQ
from tubelet.quantizers.fsq import FSQ
from tubelet.quantizers.ibq import IBQ
from tubelet.quantizers.lfq import LFQ
from tubelet.quantizers.residual_fsq import ResidualFSQ
from tubelet.quantizers.residual_vq import ResidualVQ
from tubelet.quantizers.simvq import SimVQ
from tubelet.quantizers.vq import VQ, Start

_LEVELS = bounded(1, (1 << 16) - 1)
_PARTS = bounded(0, 1 << 8)
"""Layers, or tokens of a position, each of which takes time to make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FSQConfig:
    """Finite scalar quantisation (`FSQ`).

    Attributes:
        kind: which quantiser this is.
        levels: how many values each channel has.
        tokens: how many tokens share the channels of a position.
        entropy_weight: weight of the loss that makes pairs of digits even.
    """

    kind: Literal["fsq"] = "fsq"
    levels: tuple[int, ...] = field(default=(8, 8, 8, 5, 5, 5), metadata=_LEVELS)
    tokens: int = field(default=1, metadata=_PARTS)
    entropy_weight: float = 0.0

    def build(self, channels: int) -> FSQ:
        """Make the quantiser.

        Raises:
            OptionError: the numbers contradict one another.
        """
        _check_levels(self.levels, channels)
        return FSQ(self.levels, tokens=self.tokens, entropy_weight=self.entropy_weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualFSQConfig:
    """Residual finite scalar quantisation (`ResidualFSQ`).

    Attributes:
        kind: which quantiser this is.
        levels: how many values each channel has in each layer.
        layers: how many there are, each with a token of its own.
    """

    kind: Literal["residual_fsq"] = "residual_fsq"
    levels: tuple[int, ...] = field(default=(8, 8, 8, 5, 5, 5), metadata=_LEVELS)
    layers: int = field(default=2, metadata=_PARTS)

    def build(self, channels: int) -> ResidualFSQ:
        """Make the quantiser.

        Raises:
            OptionError: the numbers contradict one another.
        """
        _check_levels(self.levels, channels)
        return ResidualFSQ(self.levels, self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class LFQConfig:
    """Lookup-free quantisation (`LFQ`): a bit per channel.

    Attributes:
        kind: which quantiser this is.
        entropy_weight: weight of both entropies.
        diversity: weight of the entropy of the codebook within that.
        commitment: weight of the loss that draws the latent to its values.
        temperature: of the soft choice that the entropies are of.
    """

    kind: Literal["lfq"] = "lfq"
    entropy_weight: float = 0.1
    diversity: float = 1.0
    commitment: float = 0.25
    temperature: float = 0.01

    def build(self, channels: int) -> LFQ:
        """Make the quantiser.

        Raises:
            OptionError: a number is out of its range.
        """
        return LFQ(
            channels,
            entropy_weight=self.entropy_weight,
            diversity=self.diversity,
            commitment=self.commitment,
            temperature=self.temperature,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BSQConfig:
    """Binary spherical quantisation (`BSQ`): a bit per channel, on a sphere.

    Attributes:
        kind: which quantiser this is.
        entropy_weight: weight of both entropies.
        diversity: weight of the entropy of the codebook within that.
        temperature: of the soft choice that the entropies are of.
    """

    kind: Literal["bsq"] = "bsq"
    entropy_weight: float = 0.1
    diversity: float = 1.0
    temperature: float = 0.01

    def build(self, channels: int) -> BSQ:
        """Make the quantiser.

        Raises:
            OptionError: a number is out of its range.
        """
        return BSQ(
            channels,
            entropy_weight=self.entropy_weight,
            diversity=self.diversity,
            temperature=self.temperature,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VQConfig:
    """Vector quantisation (`VQ`).

    Attributes:
        kind: which quantiser this is.
        codes: entries of the codebook.
        decay: how much of the averages of an entry an update leaves.
        restart_below: share of the mean count below which an entry is restarted; 0 for never.
        commitment: weight of the loss that draws latents to their entries.
        cosine: whether only the direction of a latent counts.
        rotation: whether gradients are rotated instead of passed straight through.
        learned: whether entries move by gradients instead of averages.
        start: whether entries start at k-means of latents, or all near zero, as in many published codes.
    """

    kind: Literal["vq"] = "vq"
    codes: int = 1 << 14
    decay: float = 0.99
    restart_below: float = 0.0
    commitment: float = 0.25
    cosine: bool = False
    rotation: bool = False
    learned: bool = False
    start: Start = "k-means"

    def build(self, channels: int) -> VQ:
        """Make the quantiser.

        Raises:
            OptionError: a number is out of its range.
        """
        return VQ(
            channels,
            self.codes,
            decay=self.decay,
            restart_below=self.restart_below,
            commitment=self.commitment,
            cosine=self.cosine,
            rotation=self.rotation,
            learned=self.learned,
            start=self.start,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualVQConfig:
    """Residual vector quantisation (`ResidualVQ`); fields as those of `VQConfig`, for each layer.

    Attributes:
        kind: which quantiser this is.
        codes: entries of each codebook.
        layers: how many codebooks there are, each with a token of its own.
        decay: how much of the averages of an entry an update leaves.
        restart_below: share of the mean count below which an entry is restarted; 0 for never.
        commitment: weight of the loss that draws latents to their entries.
        rotation: whether gradients are rotated instead of passed straight through.
    """

    kind: Literal["residual_vq"] = "residual_vq"
    codes: int = 1 << 10
    layers: int = field(default=2, metadata=_PARTS)
    decay: float = 0.99
    restart_below: float = 0.0
    commitment: float = 0.25
    rotation: bool = False

    def build(self, channels: int) -> ResidualVQ:
        """Make the quantiser.

        Raises:
            OptionError: a number is out of its range.
        """
        return ResidualVQ(
            channels,
            self.codes,
            self.layers,
            decay=self.decay,
            restart_below=self.restart_below,
            commitment=self.commitment,
            rotation=self.rotation,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SimVQConfig:
    """Vector quantisation by one learned map of a frozen codebook (`SimVQ`).

    Attributes:
        kind: which quantiser this is.
        codes: entries of the codebook.
        commitment: weight of the loss that draws latents to their entries.
        rotation: whether gradients are rotated instead of passed straight through.
    """

    kind: Literal["simvq"] = "simvq"
    codes: int = 1 << 14
    commitment: float = 0.25
    rotation: bool = False

    def build(self, channels: int) -> SimVQ:
        """Make the quantiser.

        Raises:
            OptionError: a number is out of its range.
        """
        return SimVQ(channels, self.codes, commitment=self.commitment, rotation=self.rotation)


@dataclass(frozen=True, slots=True, kw_only=True)
class IBQConfig:
    """Vector quantisation whose gradient reaches all entries (`IBQ`).

    Attributes:
        kind: which quantiser this is.
        codes: entries of the codebook.
        commitment: weight of the loss that draws entries to latents.
        entropy: weight of the loss that makes choices sure and their mean even.
        temperature: of the choices in that loss.
    """

    kind: Literal["ibq"] = "ibq"
    codes: int = 1 << 14
    commitment: float = 0.25
    entropy: float = 0.0
    temperature: float = 0.01

    def build(self, channels: int) -> IBQ:
        """Make the quantiser.

        Raises:
            OptionError: a number is out of its range.
        """
        return IBQ(
            channels,
            self.codes,
            commitment=self.commitment,
            entropy=self.entropy,
            temperature=self.temperature,
        )


QuantizerConfig = (
    FSQConfig
    | ResidualFSQConfig
    | LFQConfig
    | BSQConfig
    | VQConfig
    | ResidualVQConfig
    | SimVQConfig
    | IBQConfig
)
"""The numbers of any quantiser; ``build(channels)`` makes it, of no data until it is fitted or loaded."""

QUANTIZERS: dict[str, type[QuantizerConfig]] = {
    "fsq": FSQConfig,
    "residual_fsq": ResidualFSQConfig,
    "lfq": LFQConfig,
    "bsq": BSQConfig,
    "vq": VQConfig,
    "residual_vq": ResidualVQConfig,
    "simvq": SimVQConfig,
    "ibq": IBQConfig,
}
"""Every quantiser that a checkpoint may hold, by the kind that it names."""

_OF_TRAINING = frozenset(
    {
        "commitment",
        "decay",
        "diversity",
        "entropy",
        "entropy_weight",
        "restart_below",
        "rotation",
        "start",
        "temperature",
    }
)


def same_tokens(one: QuantizerConfig | None, other: QuantizerConfig | None) -> bool:
    """Whether two quantisers of the same weights give the same tokens: they differ in training at most."""
    if one is None or other is None:
        return one is other
    numbers = ({k: v for k, v in asdict(each).items() if k not in _OF_TRAINING} for each in (one, other))
    return next(numbers) == next(numbers)


def least_numbers(config: QuantizerConfig, channels: int) -> int:
    """How many numbers a quantiser of so many channels learns at least; no memory is asked for."""
    match config:
        case FSQConfig() | ResidualFSQConfig():
            return sum(config.levels)
        case VQConfig() | SimVQConfig() | IBQConfig():
            return channels * config.codes
        case ResidualVQConfig():
            return channels * config.codes * config.layers
        case LFQConfig() | BSQConfig():
            return 1


def _check_levels(levels: tuple[int, ...], channels: int) -> None:
    if len(levels) != channels:
        raise OptionError(f"levels are {levels} and the latent has {channels} channels; give each its own.")
