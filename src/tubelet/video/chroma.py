"""Where chroma lies: a sample of 4:2:0 stands for two by two pixels; its place among them is a convention.

In the middle of the four (MPEG-1, H.263, Theora, JPEG), at the left between the two rows (MPEG-2, MPEG-4,
H.264, HEVC, and VP9 and AV1 as they are used) or on the first pixel (DV). H.264, HEVC, AV1, Matroska and Y4M
can name another. FFmpeg's scaler puts chroma where the frame says; of a frame that says nothing it takes the
middle, whatever the codec. So here whoever says nothing is given a place, and what is written says its own.
"""

from pathlib import Path
from typing import Literal, get_args

import numpy as np
from av.container import InputContainer
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from tubelet.video.filters import Filters
from tubelet.video.matroska import chroma_siting

Place = Literal["left", "center", "topleft", "top", "bottomleft", "bottom"]
"""FFmpeg's names of the places."""

PLACES: tuple[Place, ...] = get_args(Place)

ACCURATE = int(
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
"""Flags with which FFmpeg's scaler has no bias, and interpolates chroma from its place."""

# Their standards have chroma in the middle, and FFmpeg's decoders do not all say so. WebP's reference decoder
# interpolates from there; VP8 as video is used like other video.
_CENTRED_CODECS = {"flv1", "h261", "h263", "mjpeg", "mpeg1video", "theora", "vp3", "webp"}
_SITINGS: dict[tuple[int, int], Place] = {
    (1, 1): "topleft", (1, 2): "left", (2, 1): "top", (2, 2): "center",
}  # fmt: skip
_Y4M_PLACES: dict[str, Place] = {
    "420": "center", "420jpeg": "center", "420mpeg2": "left", "420paldv": "topleft",
}  # fmt: skip
_PLANAR = {(2, 1): "yuv422p", (1, 2): "yuv440p", (2, 2): "yuv420p", (4, 1): "yuv411p", (4, 4): "yuv410p"}
_FULL = 2


def decoder_options(path: Path, container: InputContainer, stream: VideoStream) -> dict[str, str]:
    """Return the decoder's options that place the chroma of a stream where nothing else does.

    What a decoder finds in the stream itself comes before this. Otherwise the container's word counts, then
    what the codec's standard says, and where there is none, full range means the middle (as of JPEG) and
    limited range the left (as of all video since MPEG-2); players decide likewise.
    """
    place = _stated(path, container, stream) or _usual(stream)
    return {} if place is None else {"chroma_sample_location": place}


def _stated(path: Path, container: InputContainer, stream: VideoStream) -> Place | None:
    formats = container.format.name.split(",")
    if "matroska" in formats:
        siting = chroma_siting(path, container.streams.video.index(stream))
        return None if siting is None else _SITINGS.get(siting)
    return _y4m_place(path) if "yuv4mpegpipe" in formats else None


def _y4m_place(path: Path) -> Place | None:
    """Read the field C of a Y4M header, whose first line holds fields of a letter and a value each."""
    with path.open("rb") as file:
        fields = file.readline(1024).decode("latin-1").split()
    return _Y4M_PLACES.get(next((field[1:] for field in fields[1:] if field[0] == "C"), "420"))


def _usual(stream: VideoStream) -> Place | None:
    context = stream.codec_context
    if context.codec.canonical_name in _CENTRED_CODECS:
        return "center"
    full = context.color_range == _FULL or (context.pix_fmt or "").startswith("yuvj")
    return "center" if full else "left"


def place_of(frame: VideoFrame) -> Place:
    """Where the chroma of a frame lies; of several places that cannot be told apart, the first.

    PyAV does not tell, so FFmpeg's scaler is asked: it converts a pattern with the frame's own properties,
    and the same pattern with every place in turn.
    """
    small = VideoReformatter().reformat(
        frame, width=16, height=16, format=_PLANAR.get(pixels_per_sample(frame.format), "yuv444p"), threads=1
    )
    pattern = Filters(("geq", "lum=128:cb=mod(X*53+Y*89\\,256):cr=mod(X*71+Y*37\\,256)")).apply(small)
    wanted = _converted(pattern)
    for place in PLACES:
        if _converted(Filters(("setparams", f"chroma_location={place}")).apply(pattern)) == wanted:
            return place
    return "center"


def _converted(frame: VideoFrame) -> bytes:
    planar = VideoReformatter().reformat(
        frame, format="gbrp", src_colorspace=5, interpolation=ACCURATE, threads=1
    )
    return b"".join(_bytes(plane)[:, : plane.width].tobytes() for plane in planar.planes)


def pixels_per_sample(format_: VideoFormat) -> tuple[int, int]:
    """Return the columns and rows of pixels that a chroma sample stands for; 1, 1 without subsampling."""
    side = 1 << 8
    return side // format_.chroma_width(side), side // format_.chroma_height(side)


class WholeSamples:
    """Fills frames up until every chroma sample has all of its pixels.

    FFmpeg's scaler takes the ratio of the planes' sizes for that of their samples: of 65 columns and 33 of
    chroma it stretches chroma by 65/33 instead of 2, and colours drift by up to a pixel along the row.
    """

    def __init__(self) -> None:
        self._place: Place | None = None
        self._say: dict[bool, Filters] = {}

    def apply(self, frame: VideoFrame) -> VideoFrame:
        """Return a frame as large or larger; what is added at the right and below means nothing."""
        columns, rows = pixels_per_sample(frame.format)
        # The rows of an interlaced frame belong to two fields, which are converted one by one.
        rows *= 2 if frame.interlaced_frame and rows > 1 else 1
        width, height = -(-frame.width // columns) * columns, -(-frame.height // rows) * rows
        if (width, height) == (frame.width, frame.height):
            return frame
        larger = VideoFrame(width, height, frame.format.name)
        for source, target in zip(frame.planes, larger.planes, strict=True):
            old, new = _bytes(source), _bytes(target)
            length = min(old.shape[1], new.shape[1])
            new[: len(old), :length] = old[:, :length]
            for row in range(len(old), len(new)):
                new[row] = new[max(0, row - 2)]
        larger.color_range = frame.color_range
        return self._said_of(frame).apply(larger)

    def _said_of(self, frame: VideoFrame) -> Filters:
        """What lets a new frame say where chroma lies, and whether it has fields, as this frame does."""
        # A stream puts chroma in one place; frames with fields may stand among others.
        self._place = self._place or place_of(frame)
        fields = frame.interlaced_frame
        if fields not in self._say:
            mode = "tff" if fields else "prog"
            self._say[fields] = Filters(("setparams", f"chroma_location={self._place}:field_mode={mode}"))
        return self._say[fields]


def _bytes(plane: VideoPlane) -> np.ndarray:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
