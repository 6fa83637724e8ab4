"""What the index of an MP4 or MOV lists, held against what its tracks claim and what was read."""

from av.audio.stream import AudioStream
from av.video.stream import VideoStream


def missing_packets(stream: VideoStream | AudioStream, read: int) -> str:
    """Say, once a track was read from its beginning, whether there should be more of it; empty if not.

    Args:
        stream: of an open file.
        read: how many packets were read.
    """
    if "mov" not in stream.container.format.name.split(","):
        return ""
    listed = len(stream.index_entries)
    if read < listed:
        return f"its index lists {listed} packets, it holds {read}"
    if _ends_early(stream):
        return f"its index breaks off after {listed} of {stream.frames} packets"
    return ""


def _ends_early(stream: VideoStream | AudioStream) -> bool:
    """Whether FFmpeg took fewer packets into the index than the track claims, and its time says so too.

    FFmpeg ends the index where a size or a duration makes no sense. An edit list may leave packets out of it
    as well; then the track is as much shorter.
    """
    entries = stream.index_entries
    listed, claimed = len(entries), stream.frames
    if not listed < claimed or not stream.duration:
        return False
    begin = stream.start_time or 0
    reached = entries[listed - 1].timestamp - begin if listed else 0
    missing = (stream.duration - reached) / stream.duration
    # Half of the time of the packets that are missing, and of two: the last one listed lasts too.
    return missing > ((claimed - listed) / 2 + 2) / claimed
