"""Video codecs as systems: x264, x265 and SVT-AV1 inside PyAV's FFmpeg.

A codec gets the frames that a tokenizer gets, as BT.709 of limited range, 4:2:0 unless ``chroma=444`` asks
for more, with chroma at the left, where its decoder has it and its stream says so. Bytes are those of the
elementary stream, headers included, but not the text about itself that an encoder writes into it, which no
decoder needs. Key frames come as each encoder likes. Every encoder works in one thread, so that it gives the
same bytes each time.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

from tubelet.errors import OptionError
from tubelet.evaluate.measures import Grid
from tubelet.evaluate.systems import Reconstruction
from tubelet.evaluate.words import Words
from tubelet.types import Frames
from tubelet.video.elementary import (
    Chroma,
    Coding,
    check_encoder,
    frames_to_stream,
    library_versions,
    stream_to_frames,
)


class Codec(NamedTuple):
    """What is special to a codec.

    Attributes:
        encoder: FFmpeg's name of the encoder.
        decoder: FFmpeg's name of the decoder.
        most: the coarsest quality that ``crf`` may ask for.
        preset: the usual one.
        presets: all of them.
        chromas: what its encoder takes.
        options: further settings: one thread, and silence.
    """

    encoder: str
    decoder: str
    most: int
    preset: str
    presets: tuple[str, ...]
    chromas: tuple[Chroma, ...]
    options: Mapping[str, str]


_SPEEDS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)

CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        "x264": Codec("libx264", "h264", 51, "medium", _SPEEDS, ("420", "444"), {"threads": "1"}),
        "x265": Codec(
            "libx265",
            "hevc",
            51,
            "medium",
            _SPEEDS,
            ("420", "444"),
            {"x265-params": "pools=none:frame-threads=1:log-level=none:info=0"},
        ),
        "svtav1": Codec(
            "libsvtav1",
            "libdav1d",
            63,
            "8",
            tuple(str(number) for number in range(14)),
            ("420",),
            {"svtav1-params": "lp=1"},
        ),
    }
)
"""Every codec, by the name that a system's text begins with."""


@dataclass(frozen=True, kw_only=True)
class CodecSystem:
    """A codec at a quality."""

    coding: Coding

    @property
    def grid(self) -> Grid | None:
        """None: blocks are of many sizes."""
        return None

    def facts(self) -> dict[str, Any]:
        """Who it is."""
        place = self.coding.encoding.place
        return {"kind": "codec", **asdict(self.coding), "chroma_place": place, "ffmpeg": library_versions()}

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Code and decode a clip."""
        began = time.perf_counter()
        stream = frames_to_stream(frames, self.coding, rate=rate)
        between = time.perf_counter()
        back = stream_to_frames(stream, self.coding)
        ended = time.perf_counter()
        return Reconstruction(
            frames=back,
            bytes_on_disk=stream.bytes,
            seconds_encode=between - began,
            seconds_decode=ended - between,
        )


def open_codec(words: Words) -> CodecSystem:
    """A codec as a system.

    Args:
        words: its name, and the options ``crf`` (must be there), ``preset`` and ``chroma``.

    Raises:
        OptionError: an option has no meaning, or FFmpeg was built without the encoder.
    """
    codec = CODECS[words.name]
    options = words.only("crf", "preset", "chroma")
    crf = words.number("crf", low=0.0, high=float(codec.most))
    preset = _one_of(words, "preset", codec.presets, usual=codec.preset)
    chroma = _one_of(words, "chroma", codec.chromas, usual="420")
    check_encoder(codec.encoder)
    settings = {"crf": options["crf"] if crf != int(crf) else str(int(crf)), "preset": preset}
    return CodecSystem(
        coding=Coding(
            encoder=codec.encoder,
            decoder=codec.decoder,
            options=settings | dict(codec.options),
            chroma="444" if chroma == "444" else "420",
        )
    )


def _one_of(words: Words, name: str, known: tuple[str, ...], *, usual: str) -> str:
    value = words.options.get(name, usual)
    if value not in known:
        raise OptionError(f"{words.text!r} has {name}={value}; it is one of {', '.join(known)}.")
    return value
