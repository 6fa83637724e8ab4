"""What the latents and the tokens of a data set look like, all clips together."""

from collections.abc import Iterator, Sequence
from typing import Any

from tubelet.errors import TubeletError
from tubelet.evaluate.clips import open_clip, windows
from tubelet.evaluate.protocols import Protocol
from tubelet.evaluate.systems.system import System
from tubelet.jobs.remote import LocalCopies
from tubelet.types import Frames
from tubelet.video.ranges import AnyVideo


def diagnose(
    system: System, clips: Sequence[AnyVideo], protocol: Protocol, copies: LocalCopies
) -> dict[str, Any]:
    """Encode all clips once more, and describe what comes out.

    Args:
        system: what encodes.
        clips: those that can be read; the others are passed over, their errors are known.
        protocol: which frames.
        copies: of clips that lie elsewhere.

    Returns:
        ``latent``, the fields of `LatentFigures`, for what has a latent; ``tokens``, those of `DigitFigures`
        and the bases, for what has tokens; nothing for a codec.
    """
    representation = system.representation
    if representation is None:
        return {}
    statistics = representation.statistics()
    for part in _parts(clips, protocol, copies):
        statistics.update(representation.encode(part))
    return statistics.to_json()


def _parts(clips: Sequence[AnyVideo], protocol: Protocol, copies: LocalCopies) -> Iterator[Frames]:
    for video in clips:
        try:
            with copies.opened(video) as here:
                clip = open_clip(here, protocol)
        except TubeletError:
            continue
        yield from windows(clip.frames, protocol)
