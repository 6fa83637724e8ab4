"""Video codecs as systems: x264, x265 and SVT-AV1 inside PyAV's FFmpeg.

A codec gets the frames that a tokenizer gets, as BT.709 of limited range, 4:2:0 unless ``chroma=444`` asks
for more, with chroma at the left, where its decoder has it and its stream says so. Bytes are those of the
elementary stream, headers included, but not the text about itself that an encoder writes into it, which no
decoder needs. Key frames come as each encoder likes. Every encoder works in one thread, so that it gives the
same bytes each time.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import torch

from tubelet.errors import OptionError
from tubelet.evaluate.cases import Case
from tubelet.evaluate.picture import Picture
from tubelet.evaluate.systems.codec_table import CODECS
from tubelet.evaluate.systems.representation import Representation
from tubelet.evaluate.systems.system import Grid, Reconstruction
from tubelet.evaluate.systems.system_specs import SystemSpec
from tubelet.evaluate.systems.timing import Times, Timing
from tubelet.types import Frames
from tubelet.video.elementary import (
    Coding,
    check_encoder,
    frames_to_stream,
    library_versions,
    stream_to_frames,
)
from tubelet.video.info import USUAL_RATE


@dataclass(frozen=True, kw_only=True)
class CodecSystem:
    """A codec at a quality."""

    coding: Coding

    @property
    def grid(self) -> Grid | None:
        """None: blocks are of many sizes."""
        return None

    @property
    def representation(self) -> Representation | None:
        """None: what a codec makes of a clip is a stream of bits."""
        return None

    @property
    def timing(self) -> Timing:
        """From 8-bit frames to an elementary stream and back, in one thread."""
        about = self.facts() | {"first_frame_after_frames": None, "threads": 1}
        cpu = torch.device("cpu")
        return Timing(device=cpu, in_streams=False, about=about, prepare=self._prepare, cost=lambda: None)

    def facts(self) -> dict[str, Any]:
        """What identifies it."""
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

    def _prepare(self, case: Case) -> Callable[[], Times]:
        """Keep the frames of a clip; give the function that codes and decodes them."""
        frames = Picture(height=case.size.height, width=case.size.width).frames(0, case.frames)

        def once() -> Times:
            back = self.reconstruct(frames, USUAL_RATE)
            both = back.seconds_encode + back.seconds_decode
            return Times(back.seconds_encode, back.seconds_decode, both)

        return once


def open_codec(spec: SystemSpec) -> CodecSystem:
    """A codec as a system.

    Args:
        spec: its name, and the options ``crf`` (must be there), ``preset`` and ``chroma``.

    Raises:
        OptionError: an option has no meaning, or FFmpeg was built without the encoder.
    """
    codec = CODECS[spec.name]
    options = spec.only("crf", "preset", "chroma")
    crf = spec.number("crf", low=0.0, high=float(codec.most))
    preset = _one_of(spec, "preset", codec.presets, usual=codec.preset)
    chroma = _one_of(spec, "chroma", codec.chromas, usual="420")
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


def _one_of(spec: SystemSpec, name: str, known: tuple[str, ...], *, usual: str) -> str:
    value = spec.options.get(name, usual)
    if value not in known:
        raise OptionError(f"{spec.text!r} has {name}={value}; it is one of {', '.join(known)}.")
    return value
