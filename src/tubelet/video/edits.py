"""What the edit list of an MP4 or MOV leaves of a track: files that were cut without coding them again.

Such files begin at a key frame before the cut, and their edit list says from when on they are shown. FFmpeg
and players show no frame of before, so none is read.
"""

from pathlib import Path

from av.video.stream import VideoStream

from tubelet.video.opening import open_container
from tubelet.video.packet_index import missing_packets


def shown_frames(stream: VideoStream) -> int | None:
    """How many frames a container claims to show; None if it claims nothing.

    The count in an MP4 is that of the stored frames. FFmpeg's index holds what the edit list needs, twice
    what it shows twice, and marks what it hides; where the index is damaged, the count is all there is.
    """
    entries = stream.index_entries
    if not stream.frames or "mov" not in stream.container.format.name.split(","):
        return stream.frames or None
    if not len(entries) or missing_packets(stream, len(entries)):
        return stream.frames
    return len(entries) - sum(entry.is_discard for entry in entries) or None


def hides_all(path: Path) -> bool:
    """Whether a file without a frame to show has some that its edit list hides."""
    with open_container(path, edits=False) as container:
        if "mov" not in container.format.name.split(","):
            return False
        return any(packet.size for packet in container.demux(video=0))
