"""What the latents and the tokens of a data set look like, all clips together."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tubelet.errors import TubeletError
from tubelet.evaluate.clips import open_clip, windows
from tubelet.evaluate.foreign import ForeignSystem
from tubelet.evaluate.ours import LatentSystem, TokenSystem
from tubelet.evaluate.protocols import Protocol
from tubelet.evaluate.systems import System
from tubelet.metrics.latents import LatentStatistics
from tubelet.metrics.usage import DigitUsage
from tubelet.types import Frames


def diagnose(system: System, clips: Sequence[Path], protocol: Protocol) -> dict[str, Any]:
    """Encode all clips once more, and describe what comes out.

    Args:
        system: what encodes.
        clips: those that can be read; the others are passed over, their errors are known.
        protocol: which frames.

    Returns:
        ``latent``, the fields of `LatentFigures`, for what has a latent; ``tokens``, those of `DigitFigures`
        and the bases, for what has tokens; nothing for a codec.
    """
    if isinstance(system, TokenSystem):
        usage = DigitUsage(system.checkpoint.tokenizer.bases)
        for part in _parts(clips, protocol):
            usage.update(system.digits(part))
        bases = [list(token) for token in usage.bases]
        return {"tokens": asdict(usage.compute()) | {"bases": bases}}
    if isinstance(system, LatentSystem | ForeignSystem):
        statistics = LatentStatistics()
        for part in _parts(clips, protocol):
            statistics.update(system.latent(part))
        figures = asdict(statistics.compute())
        return {
            "latent": figures | {"distance": {str(lag): each for lag, each in figures["distance"].items()}}
        }
    return {}


def _parts(clips: Sequence[Path], protocol: Protocol) -> Iterator[Frames]:
    for path in clips:
        try:
            clip = open_clip(path, protocol)
        except TubeletError:
            continue
        yield from windows(clip.frames, protocol)
