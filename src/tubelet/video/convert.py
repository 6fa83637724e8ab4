"""Between decoded frames and 8-bit RGB, without bias.

FFmpeg's default conversion of 4:2:0 is one level too dark and takes the nearest chroma sample. With the flags
`ACCURATE` the bias is zero and chroma is interpolated, from where it lies. Going through planar RGB gives the
same bits as packed RGB at three times the speed, because only the planar output has vector code.
"""

from typing import NamedTuple

import numpy as np
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

from tubelet.cores import CODEC_THREADS
from tubelet.errors import VideoError
from tubelet.video.chroma import ACCURATE, Place, WholeSamples, pixels_per_sample
from tubelet.video.filters import Filters
from tubelet.video.info import Colour, Matrix
from tubelet.video.orientation import Layout, Orientation

# ITU-T H.273 matrix coefficients as frames carry them; 2 is unspecified, which FFmpeg reads as BT.601.
_MATRICES: dict[int, Matrix] = {
    0: "rgb", 1: "bt709", 2: "bt601", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m",
    9: "bt2020", 10: "bt2020",
}  # fmt: skip
SWSCALE_MATRICES: dict[Matrix, int] = {
    "bt709": 1,
    "fcc": 4,
    "bt601": 5,
    "smpte240m": 7,
    "bt2020": 9,
    "rgb": 5,
}
"""The numbers by which FFmpeg's scaler knows the matrices; the same are valid H.273 codes."""

_UNSPECIFIED = 2
_FULL = 2


def colour_of(frame: VideoFrame) -> Colour:
    """Read a decoded frame's colour description.

    Raises:
        VideoError: the matrix is one that cannot be undone (YCgCo, ICtCp, reserved).
    """
    is_rgb = frame.format.is_rgb
    matrix = "rgb" if is_rgb else _MATRICES.get(frame.colorspace)
    if matrix is None:
        raise VideoError(
            f"colour matrix {frame.colorspace} (ITU-T H.273) cannot be read; BT.601, BT.709, BT.2020, "
            "SMPTE 240M and FCC can. Convert first: ffmpeg -i in -vf colorspace=bt709 out.mkv"
        )
    # The yuvj formats are full range by definition, whatever the tag says.
    full = is_rgb or frame.format.name.startswith("yuvj") or frame.color_range == _FULL
    return Colour(
        matrix=matrix,
        range="full" if full else "limited",
        primaries=frame.color_primaries,
        transfer=frame.color_trc,
        tagged=is_rgb or frame.colorspace != _UNSPECIFIED,
    )


def has_alpha(format_: VideoFormat) -> bool:
    """Whether a pixel format carries transparency; a palette may."""
    return format_.has_palette or any(component.is_alpha for component in format_.components)


class ToRgb:
    """Converts the frames of one stream; keeps the scaler's tables between frames."""

    def __init__(self, layout: Layout | Orientation) -> None:
        self._layout = layout
        self._reformatter = VideoReformatter()
        self._whole_samples = WholeSamples()
        self.saw_transparency = False

    def write(self, frame: VideoFrame, target: np.ndarray) -> None:
        """Convert one frame into `target` (uint8 H W 3, as displayed); what is transparent shows black.

        Raises:
            VideoError: FFmpeg cannot convert this pixel format, or the colour matrix is unknown.
        """
        alpha = has_alpha(frame.format)
        planar = self._planar(frame, "gbrap" if alpha else "gbrp")
        planes = [
            self._layout.apply(_plane(planar, index)[: frame.height, : frame.width])
            for index in range(4 if alpha else 3)
        ]
        planes = _spread(planes, frame.format)
        opacity = planes[3] if alpha else None
        if opacity is not None and int(opacity.min()) == 255:
            opacity = None
        for channel, index in enumerate((2, 0, 1)):
            if opacity is None:
                target[:, :, channel] = planes[index]
            else:
                self.saw_transparency = True
                target[:, :, channel] = _on_black(planes[index], opacity)

    def _planar(self, frame: VideoFrame, format_: str) -> VideoFrame:
        """Convert to planes of RGB, which may be larger at the right and below."""
        colour = colour_of(frame)
        try:
            return self._reformatter.reformat(
                self._whole_samples.apply(frame),
                format=format_,
                src_colorspace=None if colour.matrix == "rgb" else SWSCALE_MATRICES[colour.matrix],
                interpolation=ACCURATE,
                threads=CODEC_THREADS,
            )
        except (FFmpegError, ValueError) as error:
            raise VideoError(
                f"pixel format {frame.format.name} cannot be converted to RGB: {error}"
            ) from error


def _plane(frame: VideoFrame, index: int) -> np.ndarray:
    plane = frame.planes[index]
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def _spread(planes: list[np.ndarray], format_: VideoFormat) -> list[np.ndarray]:
    """Planes of green, blue and red whose levels go up to 255.

    Of formats with 4 to 6 bits for a colour, FFmpeg gives these as the upper bits and leaves the lower ones
    0: white is 252 or less.
    """
    bits = [component.bits for component in format_.components]
    if not (format_.is_rgb and set(bits) <= {4, 5, 6}):
        return planes
    red, green, blue = map(_levels_of, bits)
    return [levels[plane] for levels, plane in zip((green, blue, red), planes, strict=True)]


def _levels_of(bits: int) -> UInt8[np.ndarray, "256"]:
    """The level that so many upper bits stand for, halves up."""
    top = (1 << bits) - 1
    return (((np.arange(256) >> (8 - bits)) * 510 + top) // (2 * top)).astype(np.uint8)


def _on_black(plane: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Return round(plane * opacity / 255), halves up."""
    return ((plane.astype(np.uint32) * opacity * 2 + 255) // 510).astype(np.uint8)


class Encoding(NamedTuple):
    """A pixel format, and the matrix and range in which RGB is written to it."""

    pixel_format: str
    matrix: Matrix
    full: bool

    @property
    def place(self) -> Place | None:
        """Where chroma is put: at the left, as H.264, HEVC, VP9 and AV1 have it; None without subsampling."""
        return None if self._pixels_per_sample == (1, 1) else "left"

    @property
    def _pixels_per_sample(self) -> tuple[int, int]:
        return pixels_per_sample(VideoFormat(self.pixel_format))

    def filled(self, pixels: np.ndarray) -> np.ndarray:
        """Repeat the last column and row of a picture (H W 3) until each chroma sample has all its pixels."""
        columns, rows = self._pixels_per_sample
        margin = ((0, -pixels.shape[0] % rows), (0, -pixels.shape[1] % columns), (0, 0))
        return np.ascontiguousarray(
            pixels if margin == ((0, 0),) * 3 else np.pad(pixels, margin, mode="edge")
        )

    def tag(self, context: VideoCodecContext) -> None:
        """Let the stream of an encoder say its matrix, its range and where chroma lies; after its options."""
        context.colorspace = 0 if self.matrix == "rgb" else SWSCALE_MATRICES[self.matrix]
        context.color_range = 2 if self.full else 1
        if self.place is not None:
            context.options = {**context.options, "chroma_sample_location": self.place}


class FromRgb:
    """Converts RGB into the frames of one stream; keeps the scaler's tables between frames."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._reformatter = VideoReformatter()
        # What the picture says of chroma holds for what it becomes.
        self._say = (
            None if encoding.place is None else Filters(("setparams", f"chroma_location={encoding.place}"))
        )
        self._crop: Filters | None = None

    def frame(self, pixels: np.ndarray) -> VideoFrame:
        """Convert one picture (uint8 H W 3, contiguous)."""
        height, width, _ = pixels.shape
        filled = self._encoding.filled(pixels)
        rgb = VideoFrame.from_numpy_buffer(filled, format="rgb24")
        converted = self._converted(rgb if self._say is None else self._say.apply(rgb))
        if filled.shape == pixels.shape:
            return converted
        if self._crop is None:
            self._crop = Filters(("crop", f"{width}:{height}:0:0:exact=1"))
        return self._crop.apply(converted)

    def _converted(self, rgb: VideoFrame) -> VideoFrame:
        encoding = self._encoding
        if encoding.matrix == "rgb":
            return self._reformatter.reformat(rgb, format=encoding.pixel_format, threads=CODEC_THREADS)
        return self._reformatter.reformat(
            rgb,
            format=encoding.pixel_format,
            dst_colorspace=SWSCALE_MATRICES[encoding.matrix],
            dst_color_range=2 if encoding.full else 1,
            interpolation=ACCURATE,
            threads=CODEC_THREADS,
        )
