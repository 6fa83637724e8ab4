"""What decoded frames carry beside their pixels."""

import re
from fractions import Fraction
from typing import cast

from av.filter import Graph
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame

_MOST_UNKNOWN_KINDS = 16


def side_data(frame: VideoFrame, kind: Type) -> bytes:
    """Return one kind of a frame's side data; empty if it has none of that kind."""
    for _ in range(_MOST_UNKNOWN_KINDS):
        try:
            data = cast(SideDataContainer, frame.side_data).get(kind)
        except ValueError as error:
            # PyAV gives none of the side data if there is a kind that it does not know, such as EXIF (31).
            unknown = re.match(r"\d+", str(error))
            if unknown is None:
                return b""
            frame = _without(frame, int(unknown[0]))
        else:
            return b"" if data is None else bytes(data)
    return b""


def _without(frame: VideoFrame, kind: int) -> VideoFrame:
    """Return the same pixels without one kind of side data."""
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
        ),
        graph.add("sidedata", f"mode=delete:type={kind}"),
        graph.add("buffersink"),
    ).configure()
    graph.push(frame)
    return cast(VideoFrame, graph.pull())
