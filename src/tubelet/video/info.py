"""What a video file says about itself; plain numbers, no library types."""

import base64
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Literal

Matrix = Literal["bt601", "bt709", "bt2020", "smpte240m", "fcc", "rgb"]
Range = Literal["limited", "full"]
Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None

USUAL_RATE = Fraction(24)
"""Frames per second of what names no rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """How the samples of a stream become R'G'B'.

    Attributes:
        matrix: the matrix used to read it; ``rgb`` if there is none to undo.
        range: ``limited`` is 16 to 235 for luma at 8 bits, ``full`` is 0 to 255.
        primaries: ITU-T H.273 colour primaries; 2 is unspecified.
        transfer: ITU-T H.273 transfer characteristics; 2 is unspecified.
        tagged: whether the file names its matrix. If not, ``bt601`` is assumed, as FFmpeg does.
    """

    matrix: Matrix
    range: Range
    primaries: int
    transfer: int
    tagged: bool


BT709 = Colour(matrix="bt709", range="limited", primaries=1, transfer=1, tagged=True)
"""The colours of HD video, and of everything written unless asked otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInfo:
    """An audio stream, described fully enough to be written again without its source.

    Attributes:
        codec: FFmpeg's name of the codec, such as ``aac``.
        sample_rate: samples per second and channel.
        layout: FFmpeg's name of the channel layout, such as ``stereo``.
        channels: how many.
        time_base: seconds per tick of the packets' timestamps.
        extradata: the codec's own set-up bytes.
        header: a Matroska file with the stream and its first packet, from which FFmpeg restores every codec
            parameter (`extradata`, priming, frame size); PyAV offers no way to set them one by one.
    """

    codec: str
    sample_rate: int
    layout: str
    channels: int
    time_base: Fraction
    extradata: bytes
    header: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """The video stream that is a file's picture, and its first audio stream if it has one.

    Attributes:
        path: the file.
        format: FFmpeg's name of the container, or ``npy``.
        codec: FFmpeg's name of the codec, such as ``h264``.
        width: columns as displayed, cropped as the container says and turned; reading gives this size.
        height: rows as displayed.
        coded_width: columns as stored.
        coded_height: rows as stored.
        frames: the container's claim, which may be wrong; None if it makes none.
        duration_seconds: the container's claim; None if it makes none.
        time_base: seconds per tick of the timestamps.
        average_rate: frames per second by the container's claim; None if it makes none.
        pixel_format: FFmpeg's name, such as ``yuv420p10le``.
        bits: per sample.
        colour: how samples become R'G'B'.
        rotation: degrees anticlockwise by which the stored frame is turned for display: 0, 90, 180 or 270.
        mirrored: whether the stored frame is flipped left to right before it is turned.
        sample_aspect: width of a displayed pixel over its height.
        interlaced: None if unknown.
        alpha: whether the stream has transparency.
        audio: the first audio stream that can be decoded; None if there is none.
        losses: sentences that name what reading as 8-bit RGB loses.
        damage: what of the file is seen to be missing without reading all of it; empty if nothing is.
    """

    path: Path
    format: str
    codec: str
    width: int
    height: int
    coded_width: int
    coded_height: int
    frames: int | None
    duration_seconds: float | None
    time_base: Fraction
    average_rate: Fraction | None
    pixel_format: str
    bits: int
    colour: Colour
    rotation: int = 0
    mirrored: bool = False
    sample_aspect: Fraction = Fraction(1)
    interlaced: bool | None = None
    alpha: bool = False
    audio: AudioInfo | None = None
    losses: tuple[str, ...] = ()
    damage: str = ""

    def to_json(self) -> dict[str, Json]:
        """Return plain JSON values: fractions as ``"n/d"``, bytes in base64, the path as text."""
        return {field.name: _json(getattr(self, field.name)) for field in fields(self)}


def _json(value: object) -> Json:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Fraction():
            return f"{value.numerator}/{value.denominator}"
        case Path():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case tuple():
            return [_json(each) for each in value]
        case Colour() | AudioInfo():
            return {field.name: _json(getattr(value, field.name)) for field in fields(value)}
        case _:
            raise AssertionError(f"{type(value)} has no JSON form")
