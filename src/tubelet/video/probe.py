"""What a video file is, found by opening it and decoding at most its first frame."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

from tubelet.errors import VideoError
from tubelet.given import as_video
from tubelet.video.array import describe_array, open_array
from tubelet.video.audio import describe_audio
from tubelet.video.convert import colour_of, has_alpha
from tubelet.video.edits import hides_all, shown_frames
from tubelet.video.info import Colour, VideoInfo
from tubelet.video.opening import NO_ANIMATED_WEBP, is_encrypted
from tubelet.video.orientation import Orientation, is_slanted
from tubelet.video.riff import is_animated_webp
from tubelet.video.sidedata import side_data
from tubelet.video.source import Source, has_alpha_layer, opened
from tubelet.video.streams import is_alpha_plane
from tubelet.video.tiff import check_kind, pictures_in_tiff

_HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
_OTHER_TRANSFERS = {8: "linear light", 9: "logarithmic", 10: "logarithmic", 17: "that of digital cinema"}
"""Levels by which a picture looks quite other than it is meant where they are taken for those of sRGB."""
_WIDE_PRIMARIES = {
    4: "those of NTSC in 1953",
    8: "those of film",
    9: "BT.2020",
    10: "CIE XYZ",
    11: "DCI-P3",
    12: "Display P3",
}
_CONSTANT_LUMINANCE = 10
_INTERLACED_ORDERS = {2, 3, 4, 5}


def probe(source: Path | str) -> VideoInfo:
    """Describe a video, an image or an array file.

    Raises:
        VideoError: there is no such file, or nothing in it can be decoded; the message says why.
    """
    path = as_video(source, "source")
    if path.suffix.lower() == ".npy":
        return describe_array(path, open_array(path))
    with opened(path) as video:
        return describe(path, video, first_frame(path, video.frames(), video))


def first_frame(path: Path, frames: Iterator[VideoFrame], video: Source) -> VideoFrame:
    """Take the first frame that decodes.

    Raises:
        VideoError: there is none, or it would be of other values than the file's.
    """
    frame = next(frames, None)
    if video.decoder.codec.canonical_name == "tiff":
        check_kind(path, decoded=frame is not None)
    if frame is not None:
        return frame
    if is_encrypted(path):
        raise VideoError(f"{path} is encrypted (DRM); it can only be read with its key. Decrypt it first.")
    if is_animated_webp(path):
        raise VideoError(NO_ANIMATED_WEBP.format(path=path))
    if said := str(video.damage):
        raise VideoError(f"{path} gives no frame: {said}. The file is damaged; fetch or export it again.")
    if hides_all(path):
        raise VideoError(
            f"{path} has frames, but its edit list shows none of them: they are before its start or after "
            f"its end. Take the list out: ffmpeg -ignore_editlist 1 -i {path.name} -c copy all{path.suffix}"
        )
    raise VideoError(
        f"{path} has a header but no frames; it may be one segment of a stream. Join it with the others."
    )


def orientation_of(frame: VideoFrame) -> Orientation:
    """Return how a decoded frame must be laid to be upright."""
    matrix = side_data(frame, Type.DISPLAYMATRIX)
    return Orientation.from_matrix(matrix) if matrix else Orientation()


def describe(path: Path, video: Source, frame: VideoFrame) -> VideoInfo:
    """Describe an open video from its headers and its first frame.

    Raises:
        VideoError: its colours cannot be read.
    """
    stream, container = video.stream, video.container
    turned = orientation_of(frame)
    width, height = video.crop.size_of(frame.width, frame.height)
    stored = stream.sample_aspect_ratio or Fraction(1)
    size, aspect = ((height, width), 1 / stored) if turned.transpose else ((width, height), stored)
    try:
        colour = colour_of(frame)
    except VideoError as error:
        raise VideoError(f"{path}: {error}") from error
    time_base = stream.time_base or Fraction(1, 1000)
    audio = describe_audio(path, container)
    return VideoInfo(
        path=path,
        format=container.format.name,
        codec=video.decoder.codec.canonical_name,
        width=size[0],
        height=size[1],
        coded_width=frame.width,
        coded_height=frame.height,
        frames=shown_frames(stream),
        duration_seconds=_duration(video, time_base),
        time_base=time_base,
        average_rate=stream.average_rate or None,
        pixel_format=frame.format.name,
        bits=max(component.bits for component in frame.format.components),
        colour=colour,
        rotation=turned.rotation,
        mirrored=turned.mirrored,
        sample_aspect=aspect,
        interlaced=frame.interlaced_frame or stream.codec_context.field_order in _INTERLACED_ORDERS,
        alpha=has_alpha(frame.format) or has_alpha_layer(stream),
        audio=audio,
        losses=(
            *_losses(frame, colour),
            *_other_shape(aspect, size),
            *_other_streams(video, has_sound=audio is not None),
        ),
        damage=video.cut_short(),
    )


def _duration(video: Source, time_base: Fraction) -> float | None:
    if video.stream.duration:
        return float(video.stream.duration * time_base)
    if video.container.duration:
        return video.container.duration / 1_000_000
    return None


def _losses(frame: VideoFrame, colour: Colour) -> Iterator[str]:
    bits = max(component.bits for component in frame.format.components)
    if bits > 8:
        yield f"it has {bits} bits per sample, of which 8 are kept"
    if colour.transfer in _HDR_TRANSFERS:
        yield f"it is HDR ({_HDR_TRANSFERS[colour.transfer]}); levels are kept as coded, not tone-mapped"
    if colour.transfer in _OTHER_TRANSFERS:
        yield f"its transfer is {_OTHER_TRANSFERS[colour.transfer]}; levels are kept as coded, as if of sRGB"
    if frame.colorspace == _CONSTANT_LUMINANCE and colour.matrix == "bt2020":
        yield "its matrix is BT.2020 with constant luminance, undone as if without; colours are off a little"
    if colour.primaries in _WIDE_PRIMARIES:
        name = _WIDE_PRIMARIES[colour.primaries]
        yield f"its primaries are {name}; colours are kept as coded and look paler as sRGB"
    if side_data(frame, Type.DOVI_METADATA):
        yield "Dolby Vision's dynamic metadata is dropped"
    matrix = side_data(frame, Type.DISPLAYMATRIX)
    if matrix and is_slanted(matrix):
        yield "it is meant to be turned by what is no right angle; frames are turned by the nearest one"
    if frame.interlaced_frame:
        yield "it is interlaced; both fields stay woven into one frame, not deinterlaced"


def _other_shape(aspect: Fraction, size: tuple[int, int]) -> Iterator[str]:
    """Say that pixels are no squares, as they are displayed."""
    if aspect != 1:
        yield f"its pixels are not square ({aspect}); frames stay {size[0]}x{size[1]}, and are not stretched"


def _other_streams(video: Source, *, has_sound: bool) -> Iterator[str]:
    """Name the streams beside the picture that are more of it, and sound that is left out."""
    chosen = video.stream
    others = [
        each
        for each in video.container.streams.video
        if each.codec_context is not None and each.index != chosen.index and each.frames != 1
    ]
    planes = [each for each in video.container.streams.video if is_alpha_plane(each, chosen)]
    if planes:
        yield "its transparency, a stream of its own, is dropped"
    if others := [each for each in others if each not in planes]:
        context = chosen.codec_context
        yield (
            f"it has {len(others) + 1} video streams, of which number {chosen.index} "
            f"({context.width}x{context.height}) is read"
        )
    if chosen.codec_context.codec.canonical_name == "tiff" and (pages := pictures_in_tiff(video.path)) > 1:
        yield f"it holds {pages} pictures, of which the first is read"
    if video.container.streams.audio and not has_sound:
        yield "its sound cannot be stored and is dropped: it has no packets, or no decoder here"
