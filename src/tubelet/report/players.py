"""What a report plays of its clips: films and stills that fit into a budget of bytes.

Every frame of a film holds the source and all systems (`tubelet.report.stack`). A film without loss is worth
most, and takes ten times what one takes that looks alike. So at first every clip gets an even share of the
budget: a still without loss of its worst frame, for the truth of pixels, and a film of all frames in the
finest quality that the share pays for. Frames are not left out: flicker would be left out with them. What
remains buys films without loss, for the worst clips first, because they are looked at first.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from tubelet.errors import ResultsError, VideoError
from tubelet.json_text import text_to_ratio
from tubelet.report.read import Results, kept_file
from tubelet.report.stack import Stack, open_stack
from tubelet.video.encode import still_bytes
from tubelet.video.webm import frames_to_webm

QUALITIES = (14, 24, 34, 44)
"""Qualities of VP9 that films with loss are tried in, the finest first."""

SLOWEST, FASTEST = Fraction(1), Fraction(100)
"""Frames per second that films are played at, whatever the clip has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """A clip that can be looked at.

    Attributes:
        stack: the videos behind it, as they lie in every frame.
        systems: their texts; the source is before them.
        rate: frames per second.
        checks: CRC-32 of the samples of each frame; there are as many as frames.
        worst: the frame with the lowest PSNR, in the mean over the systems.
        film: WebM; none where the budget holds none.
        still: the frame `worst`, as WebP without loss; none beside a film without loss.
        notes: sentences on what is missing.
    """

    stack: Stack
    systems: tuple[str, ...]
    rate: Fraction
    checks: tuple[int, ...]
    worst: int
    film: bytes | None
    still: bytes | None
    notes: tuple[str, ...]

    @property
    def lossless(self) -> bool:
        """Whether the film gives back every pixel."""
        return self.still is None

    @property
    def cost(self) -> int:
        """Bytes that it takes on the page."""
        media = sum(encoded_size(len(part)) for part in (self.film, self.still) if part is not None)
        return media + _words(len(self.checks))


def encoded_size(count: int) -> int:
    """Characters that so many bytes take as base64."""
    return 4 * math.ceil(count / 3)


def make_players(
    results: Results, *, budget: int, on_clip: Callable[[int], None] = lambda _count: None
) -> dict[str, Player | str]:
    """The kept clips, as far as the budget goes.

    Args:
        results: of an evaluation.
        budget: bytes that they may take on the page.
        on_clip: called with 1, twice for each clip.

    Returns:
        By name of the clip, in the order of the results, the worst first: a player, or a sentence that says
        why there is none.
    """
    names = list(results.figures.get("videos", {}))
    players: dict[str, Player | str] = {}
    left = budget
    for number, name in enumerate(names):
        try:
            player = _with_loss(results, name, most=left // (len(names) - number))
        except (VideoError, ResultsError) as error:
            players[name] = str(error)
        else:
            players[name] = player
            left -= player.cost
        on_clip(1)
    for name in names:
        player = players[name]
        if isinstance(player, Player):
            without = _without_loss(player, most=left + player.cost)
            left += player.cost - without.cost
            players[name] = without
        on_clip(1)
    return players


def worst_frame(results: Results, name: str) -> int:
    """The frame of a clip with the lowest PSNR, in the mean over the systems; 0 if none has a PSNR."""
    clips = [system["clips"].get(name, {}) for system in results.figures["systems"].values()]
    curves = [clip["curves"]["frame_psnr_db"] for clip in clips if "frame_psnr_db" in clip.get("curves", {})]
    # The PSNR of a frame without any error is infinite, which is null.
    sums = [sum(math.inf if each is None else each for each in frame) for frame in zip(*curves, strict=False)]
    return sums.index(min(sums)) if sums else 0


def _with_loss(results: Results, name: str, *, most: int) -> Player:
    """A still of the worst frame, and the finest film that there is room for.

    Raises:
        VideoError: a video cannot be read.
        ResultsError: a video is missing, or there is no room for the still.
    """
    kept = results.figures["videos"][name]
    source = kept_file(results, kept["source"])
    found, notes = {}, []
    for system, place in kept["systems"].items():
        try:
            found[system] = kept_file(results, place)
        except ResultsError as error:
            notes.append(f"{system} is not shown: {error}")
    if not found:
        raise ResultsError(" ".join(notes) or "No system's video was kept.")
    stack = open_stack((source, *found.values()))
    seen = _look_through(stack, worst_frame(results, name))
    still = still_bytes(seen.worst_frame, ".webp")
    needed = encoded_size(len(still)) + _words(len(seen.checks))
    if needed > most:
        raise ResultsError(
            f"a still of its worst frame takes {needed} bytes, and {max(0, most)} are left for this clip. "
            "Give more with --budget."
        )
    try:
        rate = min(max(text_to_ratio(str(results.figures["clips"][name]["rate"])), SLOWEST), FASTEST)
    except ValueError as error:
        raise ResultsError(f"its frame rate is damaged: {error}. Evaluate again.") from error
    room = _bytes_in(most - needed)
    films = (frames_to_webm(stack.runs(), rate=rate, quality=each, most=room) for each in QUALITIES)
    return Player(
        stack=stack,
        systems=tuple(found),
        rate=rate,
        checks=seen.checks,
        worst=seen.worst,
        film=next((film for film in films if film is not None), None),
        still=still,
        notes=tuple(notes),
    )


def _without_loss(player: Player, *, most: int) -> Player:
    """The same without loss if there is room for it, else as it is."""
    room = _bytes_in(most - _words(len(player.checks)))
    film = frames_to_webm(player.stack.runs(), rate=player.rate, most=room)
    return player if film is None else replace(player, film=film, still=None)


class _Seen(NamedTuple):
    """What is known of a stack once all of it was read."""

    checks: tuple[int, ...]
    worst: int
    worst_frame: UInt8[np.ndarray, "H W 3"]


def _look_through(stack: Stack, worst: int) -> _Seen:
    """Checksums of all frames, and the worst one; the last, if the clip is shorter than results say."""
    checks: list[int] = []
    kept = np.zeros((1, 1, 3), np.uint8)
    for run in stack.runs():
        for pixels in run:
            if len(checks) <= worst:
                kept = pixels
            checks.append(zlib.crc32(pixels))
    return _Seen(tuple(checks), min(worst, len(checks) - 1), kept.copy())


def _bytes_in(count: int) -> int:
    """The most bytes that so many characters hold as base64."""
    return 3 * (count // 4)


def _words(frames: int) -> int:
    """Bytes that the page says of a clip beside film and still: a checksum for each frame, and a bit."""
    return 1000 + 11 * frames
