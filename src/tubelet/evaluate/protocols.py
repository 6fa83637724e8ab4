"""Protocols: which frames of a clip are compared, at which size, by which measures.

A protocol never changes. What would change its figures gets a new version, so that two figures with the same
name and version may stand beside each other, and no others.

Version 2 of all of them takes chroma from where it lies, and codecs get it where they have it. Version 1 took
the middle of the pixels where a file does not say, and gave codecs the middle: the decoders of H.264 and HEVC
put it half a pixel to the left of there, which cost x264 and x265 up to 3 dB on sharp colours. SVT-AV1 said
nothing, was read from the middle too, and lost nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from tubelet.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How clips become figures.

    Attributes:
        name: what it is called.
        version: grows with every change that may change a figure.
        frames: how many frames are read, from the first one on; all for none.
        window: frames that are reconstructed by themselves; the last window is filled by repeating the last
            frame, and a clip's figure is the mean over its windows. None for the whole clip in one go.
        short_side: the short side that larger frames are shrunk to (area filter, rounded to 8 bits); frames
            are never enlarged. None keeps the size.
        crop: rows and columns that are cut out of the centre after shrinking; none for the whole frame.
        at_once: whether a tokenizer works on all latent steps together, instead of in streams of bounded
            memory. Both agree within float rounding, which may move a sample by one level.
        measures: names from `tubelet.evaluate.measures.CLIP_MEASURES`.
        source: whose protocol it is, and what is assumed where they do not say, or do otherwise.
    """

    name: str
    version: int
    frames: int | None = None
    window: int | None = None
    short_side: int | None = None
    crop: int | None = None
    at_once: bool = False
    measures: tuple[str, ...]
    source: str

    @property
    def line(self) -> str:
        """All of it in one line, to stand beside every figure."""
        frames = "all frames" if self.frames is None else f"the first {self.frames} frames"
        if self.window is not None:
            frames += f" in windows of {self.window}, the last one filled by repetition"
        size = "at their size"
        if self.short_side is not None:
            size = f"shrunk to a short side of {self.short_side} (area filter, never up, 8 bits)"
        if self.crop is not None:
            size += f", then the central {self.crop}x{self.crop}"
        way = "all at once" if self.at_once else "in streams"
        return (
            f"{self.name} v{self.version}: {frames}, accurate colour conversion from where chroma lies, "
            f"{size}; reconstructed {way} and rounded to 8 bits. {self.source}"
        )

    def to_json(self) -> dict[str, Any]:
        """Its fields, with the line."""
        return asdict(self) | {"measures": list(self.measures), "line": self.line}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Protocol":
        """What `to_json` gave."""
        fields: dict[str, Any] = {name: value for name, value in content.items() if name != "line"}
        fields["measures"] = tuple(fields["measures"])
        return cls(**fields)


_ALL = (
    "psnr_db",
    "frame_psnr_db",
    "ssim",
    "ms_ssim",
    "flicker_levels",
    "warping_error",
    "ends_gap_db",
    "difference_psnr_db",
    "tof_px",
)

_SHORT = Protocol(
    name="short256x33",
    version=2,
    frames=33,
    short_side=256,
    at_once=True,
    measures=_ALL,
    source="The everyday protocol of tubelet.",
)

_NATIVE = Protocol(
    name="native-all",
    version=2,
    measures=_ALL,
    source="Whole clips as they are.",
)

_VIDTOK = Protocol(
    name="vidtok-mcljcv",
    version=2,
    window=17,
    short_side=256,
    crop=256,
    at_once=True,
    measures=_ALL,
    source=(
        "After VidTok (arXiv:2412.13061), meant for the 30 clips of MCL-JCV: windows of 17 frames, 256x256. "
        "Theirs shrinks by an antialiased bilinear filter without rounding, decodes by decord, rounds no "
        "output to 8 bits, and means over windows; here clips weigh the same. Assumed: a rate of 24 to 30 "
        "frames per second, at which they take every frame."
    ),
)

_TOKENBENCH = Protocol(
    name="tokenbench",
    version=2,
    frames=300,
    short_side=1080,
    measures=_ALL,
    source=(
        "After NVlabs/TokenBench, meant for its list of clips: at most 10 seconds, but 300 frames; a short "
        "side of at most 1080. Theirs compares clips that were coded as MP4 once more and takes SSIM with a "
        "uniform window of 7; here frames are compared as they come out. Assumed: at most 30 frames per "
        "second, so 300 frames."
    ),
)

_DAVIS = Protocol(
    name="davis",
    version=2,
    measures=_ALL,
    source=(
        "Meant for the clips of DAVIS, all frames, at the size of the files. Assumed: nothing; published "
        "figures are of several sizes and lengths, so say which files were measured."
    ),
)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {each.name: each for each in (_SHORT, _NATIVE, _VIDTOK, _TOKENBENCH, _DAVIS)}
)
"""Every protocol, by name."""


def find_protocol(name: str) -> Protocol:
    """The newest version of a protocol.

    Raises:
        OptionError: there is none of this name.
    """
    if name not in PROTOCOLS:
        raise OptionError(f"there is no protocol {name!r}; there are {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]
