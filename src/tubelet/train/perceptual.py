"""The network of a perceptual loss, as the configuration of a run names it."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from tubelet.errors import OptionError
from tubelet.perceptual.lpips import LPIPS
from tubelet.perceptual.lpips_weights import read_lpips


@runtime_checkable
class HasPerceptual(Protocol):
    """Weights of losses, one of them of the perceptual loss."""

    @property
    def perceptual(self) -> float:
        """Zero if it does not count."""
        ...


@runtime_checkable
class PerceptualConfig(Protocol):
    """The configuration of a run that may have a perceptual loss."""

    @property
    def losses(self) -> HasPerceptual:
        """What counts how much."""
        ...

    @property
    def perceptual(self) -> str | None:
        """The file of the network's weights."""
        ...

    @property
    def perceptual_sha256(self) -> str | None:
        """What that file must be."""
        ...


def check_perceptual(config: PerceptualConfig) -> None:
    """Raise unless the network is named if its loss counts.

    Raises:
        OptionError: it is not.
    """
    if config.losses.perceptual and not (config.perceptual and config.perceptual_sha256):
        raise OptionError(
            "the weight of perceptual is set without the weights of its network; give their file as "
            "perceptual and its SHA-256 as perceptual_sha256, or set the weight to 0."
        )


def read_perceptual(config: PerceptualConfig) -> LPIPS | None:
    """The network of a run's perceptual loss; none if it does not count.

    Raises:
        OptionError: the network is not named.
        CheckpointError: its file cannot be read, or is another.
    """
    check_perceptual(config)
    if not config.losses.perceptual:
        return None
    assert config.perceptual is not None, "it was checked"
    assert config.perceptual_sha256 is not None, "it was checked"
    return read_lpips(Path(config.perceptual), sha256=config.perceptual_sha256)
