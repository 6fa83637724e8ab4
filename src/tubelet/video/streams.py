"""Which of a file's video streams is its picture."""

from pathlib import Path

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from tubelet.errors import VideoError

_BESIDE_THE_PICTURE = (
    Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image | Disposition.metadata
)
"""Cover art, thumbnails and the like."""

_FEW = 4
"""A stream with less than one frame for so many of another's is a still beside it; so is one of one frame."""


def choose_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the video stream that is the file's picture.

    Cover art and thumbnails are none. Of the others, moving ones go before stills, those that the file plays
    by itself before those that it does not, colour before alpha planes and other grey ones, larger before
    smaller, and the first before the rest.

    Raises:
        VideoError: there is none, or none that can be decoded; the message says why.
    """
    streams = container.streams.video
    if not streams:
        kinds = sorted({stream.type for stream in container.streams}) or ["nothing"]
        raise VideoError(
            f"{path} has no video stream (it holds: {', '.join(kinds)}). Give a file with pictures."
        )
    pictures = [each for each in streams if not each.disposition & Disposition.attached_pic]
    if not pictures:
        raise VideoError(f"{path} has no video stream, only cover art. Give a file with moving pictures.")
    decodable = [each for each in pictures if each.codec_context is not None]
    if not decodable:
        raise VideoError(
            f"{path}: no decoder for its video stream (protected, or a codec that this FFmpeg lacks). "
            "Convert it to H.264, HEVC, VP9 or AV1 first."
        )
    whole = [each for each in decodable if not each.disposition & Disposition.dependent]
    most = max(map(_frames, decodable))
    if most == 1:
        _check_image(decodable, path)
    return max(whole or decodable, key=lambda each: _rank(each, most))


def _check_image(stills: list[VideoStream], path: Path) -> None:
    """Raise if the image that a file shows is put together from stills, of which none is the whole image.

    FFmpeg marks the still that is the image as the default one, unless it is a grid of tiles, or one tile
    that is coded with a margin.
    """
    tiles = [each for each in stills if each.disposition & Disposition.dependent]
    shown = [each for each in stills if each.disposition & Disposition.default and each not in tiles]
    if not tiles or shown:
        return
    colour = [each for each in tiles if not _is_grey(each)] or tiles
    is_of = f"of {len(colour)} tiles, each coded by itself, which are not put together here"
    if len(colour) == 1:
        is_of = "coded with a margin, which is not cut off here"
    raise VideoError(
        f"{path} is an image {is_of}. Make a plain image of it first: ffmpeg -i {path.name} image.png"
    )


def _rank(stream: VideoStream, most: int) -> tuple[int, ...]:
    context = stream.codec_context
    return (
        not stream.disposition & _BESIDE_THE_PICTURE,
        (_frames(stream) or most) * _FEW > most and (most == 1 or _frames(stream) != 1),
        bool(stream.disposition & Disposition.default),
        not _is_grey(stream),
        context.width * context.height,
        -stream.index,
    )


def _frames(stream: VideoStream) -> int:
    """Return how many frames the container claims; 0 if it claims nothing."""
    said = stream.metadata.get("NUMBER_OF_FRAMES", "")
    return stream.frames or (int(said) if said.isdecimal() else 0)


def _is_grey(stream: VideoStream) -> bool:
    return (stream.codec_context.pix_fmt or "").startswith(("gray", "mono", "ya"))


def is_alpha_plane(stream: VideoStream, beside: VideoStream) -> bool:
    """Whether a stream is the transparency of another one, as AVIF stores it."""
    context, other = stream.codec_context, beside.codec_context
    return (
        context is not None
        and stream.index != beside.index
        and _is_grey(stream)
        and not _is_grey(beside)
        and (context.width, context.height, stream.frames) == (other.width, other.height, beside.frames)
        and context.codec.canonical_name == other.codec.canonical_name
    )
