"""FFmpeg's filters, for what PyAV gives no other way to do: most of all, to say where chroma lies."""

from fractions import Fraction
from typing import cast

from av.filter import Graph
from av.video.frame import VideoFrame


class Filters:
    """A chain of filters that gives one frame for each; a filter that only says something copies nothing.

    The chain is built for the first frame, and again where the size or the pixel format changes.
    """

    def __init__(self, *chain: tuple[str, str]) -> None:
        """Take the filters in order, each as FFmpeg's name and its arguments."""
        self._chain = chain
        self._graph = Graph()
        self._built_for: tuple[int, int, str] | None = None

    def apply(self, frame: VideoFrame) -> VideoFrame:
        """Return what comes out for a frame, which is left as it was."""
        kind = (frame.width, frame.height, frame.format.name)
        if kind != self._built_for:
            self._graph = self._built(frame)
            self._built_for = kind
        self._graph.push(frame)
        return cast(VideoFrame, self._graph.pull())

    def _built(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        last = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            # A frame that was never timed has none, and none of these filters looks at it.
            time_base=frame.time_base or Fraction(1, 1000),
        )
        for name, arguments in self._chain:
            following = graph.add(name, arguments)
            last.link_to(following)
            last = following
        last.link_to(graph.add("buffersink"))
        graph.configure()
        return graph
