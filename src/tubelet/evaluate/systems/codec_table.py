"""Every codec that others are compared with, and what is special to each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple


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
    chromas: tuple[Literal["420", "444"], ...]
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
