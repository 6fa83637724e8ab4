"""A ``.tube`` file to a video file."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Unpack

from tubelet.codec.matching import GivenTokenizer
from tubelet.codec.options import FileOptions, Options
from tubelet.codec.sinks import VideoSink, filled
from tubelet.codec.tube import Tube, open_tube
from tubelet.errors import OptionError
from tubelet.files import check_suffix, check_target
from tubelet.given import as_path, check_numbers
from tubelet.threads import ahead
from tubelet.video.audio import AudioPacket
from tubelet.video.write import SUFFIXES, Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeReport:
    """What was decoded.

    Attributes:
        first_frame: the first frame that was written.
        frames: how many were.
        complete: whether the ``.tube`` file had its end.
    """

    first_frame: int
    frames: int
    complete: bool


def decode_file(
    source: Path | str,
    target: Path | str,
    *,
    start: float | None = None,
    end: float | None = None,
    channels: int | None = None,
    refine: int = 0,
    seed: int | None = None,
    tokenizer: GivenTokenizer = None,
    **options: Unpack[FileOptions],
) -> DecodeReport:
    """Decode a ``.tube`` file, or a part of it, into a video file; the mirror of `encode_file`.

    Args:
        source: the ``.tube`` file.
        target: the file to write; its suffix chooses the format (see `tubelet.video.write.Writer`).
        start: seconds from the first frame; the first frame shown then or later is the first one decoded.
        end: seconds from the first frame; frames shown then or later are left out.
        channels: decode the first so many channels only.
        refine: in how many steps a tokenizer with a flow refines the frames; 0 leaves it as it is.
        seed: of the noise for that, 0 for none; a part of a clip is refined as it is in the whole.
        tokenizer: the folder or the checkpoint of the tokenizer that made the file, if it is not shipped; or
            one with a flow that refines that.
        **options: see `FileOptions`.

    Raises:
        BitstreamError: the source is not a ``.tube`` file, damaged, or newer than this program.
        CheckpointError: its tokenizer is not here, or another one has its name.
        OptionError: an option has no meaning for this file, or here.
        OutputError: the target exists or cannot be written.
    """
    settings, source, target = Options(**options), as_path(source, "source"), as_path(target, "target")
    check_suffix(target, SUFFIXES, "a video")
    check_target(target, sources=[source], force=settings.force)
    with open_tube(
        source,
        tokenizer=tokenizer,
        channels=channels,
        refine=refine,
        seed=seed,
        memory=settings.memory,
        device=settings.device,
    ) as tube:
        first, stop = _frames(tube, start, end)
        # A cut starts at zero; a whole clip keeps its own clock.
        origin = tube.time_of(first) if first else 0
        sound = tube.audio if settings.audio else None
        writer = Writer(
            target,
            width=tube.header.width,
            height=tube.header.height,
            time_base=tube.time_base,
            colour=tube.colour,
            sample_aspect=Fraction(*tube.header.sample_aspect),
            audio=sound,
            force=settings.force,
        )
        packets = None
        if sound is not None:
            until = None if stop == tube.frames else tube.time_of(stop) * tube.time_base
            begin = origin * tube.time_base if first else None
            packets = _cut(tube, sound.time_base, begin, until), sound.time_base
        sink = VideoSink(writer, packets, time_base=tube.time_base)
        settings.on_total(stop - first)
        with filled(sink) as put, closing(ahead(tube.read(first, stop))) as runs:
            for run in runs:
                shown_until = None if run.end is None else run.end - origin
                put(replace(run, timestamps=run.timestamps - origin, end=shown_until))
                settings.on_frames(len(run.frames))
                del run
        return DecodeReport(first_frame=first, frames=stop - first, complete=tube.complete)


def _frames(tube: Tube, start: float | None, end: float | None) -> tuple[int, int]:
    """The frames that a range of seconds means."""
    for name, seconds in (("start", start), ("end", end)):
        if seconds is None:
            continue
        check_numbers(**{name: seconds})
        if not 0 <= seconds < float("inf"):
            raise OptionError(f"{name} is {seconds}; it must be a number of seconds from 0 on.")
    first = 0 if start is None else tube.frame_at(start)
    stop = tube.frames if end is None else tube.frame_at(end)
    if first >= stop:
        times = [tube.time_of(frame) for frame in (0, tube.frames - 1)] if tube.frames else [0, 0]
        last = float((times[1] - times[0]) * tube.time_base)
        raise OptionError(
            f"no frame lies from {start or 0} to {last if end is None else end} seconds; the clip's "
            f"{tube.frames} frames are shown from 0 to {last:.3f}. Choose a longer part."
        )
    return first, stop


def _cut(
    tube: Tube, time_base: Fraction, begin: Fraction | None, until: Fraction | None
) -> Iterator[AudioPacket]:
    """The audio packets that sound in a part of the clip, on its clock; nothing is cut off for none.

    A codec's first packets may end before time zero and not sound at all: they prime its decoder, and belong
    to every part that starts where the clip does.
    """
    shift = 0 if begin is None else round(begin / time_base)
    for packet in tube.audio_packets():
        ends = (packet.pts + max(packet.duration, 1)) * time_base
        if (begin is None or ends > begin) and (until is None or packet.pts * time_base < until):
            yield replace(packet, pts=packet.pts - shift, dts=packet.dts - shift)
