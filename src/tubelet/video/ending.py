"""How long the last frame of a video is shown, which no later timestamp says."""

import re
from fractions import Fraction

from av.container import InputContainer
from av.video.frame import VideoFrame

from tubelet.video.source import Source

_CLOCK_TIME = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def last_duration(video: Source, frame: VideoFrame, *, frames: int) -> int | None:
    """Return how long the last frame of a whole file is shown, in ticks; None if nothing says.

    What the stream claims for its end goes before what the frame claims for itself: an edit list cuts the
    first and not the second, and Matroska mostly stores only the first. A still is shown as long as the sound
    lasts.

    Args:
        video: the file, read to its end.
        frame: its last frame.
        frames: how many it has.
    """
    own = frame.duration or 0
    claims = [own]
    if frame.pts is not None and not video.cut_short():
        claims[:0] = _stream_claims(video, frame.pts, own)
        if frames == 1:
            claims.insert(0, max(_file_end(video) - frame.pts, *claims))
    return next((claim for claim in claims if claim > 0), None)


def _stream_claims(video: Source, tick: int, own: int) -> list[int]:
    """Return how long the last frame, shown from `tick` on, is shown by the word of its container, in ticks.

    Args:
        video: the file.
        tick: when its last frame appears.
        own: what that claims for itself; 0 for nothing.
    """
    stream = video.stream
    formats = video.container.format.name.split(",")
    if "mov" in formats and stream.duration:
        claim = (stream.start_time or 0) + stream.duration - tick
        # The length of a track that an edit list cuts counts from 0, a delay before its first frame with it.
        return [stream.duration - tick, claim] if 0 < stream.duration - tick <= own < claim else [claim]
    if "matroska" in formats and (time := _CLOCK_TIME.match(stream.metadata.get("DURATION", ""))):
        hours, minutes, seconds = map(Fraction, time.groups())
        end = round((hours * 3600 + minutes * 60 + seconds) / (stream.time_base or Fraction(1, 1000)))
        return [end - tick]
    return []


def _counts_from_zero(container: InputContainer) -> bool:
    """Whether what a container says of its length counts from 0, however late its first stream begins.

    Programs that write Matroska say when the last block ends, but for those of libmatroska: mkvmerge says how
    long it is from the first block to there.
    """
    by = next((name for key, name in container.metadata.items() if key.lower() == "encoder"), "")
    return "matroska" in container.format.name.split(",") and "libmatroska" not in by


def _file_end(video: Source) -> int:
    """Return when the longest stream of a file with sound ends, in ticks of the video; 0 if not known."""
    container = video.container
    if not container.streams.audio or not container.duration:
        return 0
    begin = 0 if _counts_from_zero(container) else container.start_time or 0
    end = Fraction(begin + container.duration, 1_000_000)
    return round(end / (video.stream.time_base or Fraction(1, 1000)))
