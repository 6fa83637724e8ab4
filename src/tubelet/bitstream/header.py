"""What a ``.tube`` file says of itself before the first chunk (SPEC.md, section 4)."""

import re
from dataclasses import dataclass, fields
from itertools import chain

from tubelet.bitstream import limits
from tubelet.bitstream.facts import (
    bytes_to_facts,
    check_keys,
    facts_to_bytes,
    flag,
    integer,
    integers,
    lists_of_integers,
    open_facts,
    pair,
    text,
)
from tubelet.errors import BitstreamError

_RATIO = (1 << 31) - 1
"""Greatest part of a time base or an aspect ratio: what video libraries keep them in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioHeader:
    """What a container must be told of an audio stream whose packets are carried through untouched."""

    codec: str
    """Name as FFmpeg gives it: ``aac``, ``opus`` …"""
    sample_rate: int
    """Samples per second and channel."""
    layout: str
    """Name of the channel layout as FFmpeg gives it: ``stereo``, ``5.1`` …"""
    channels: int
    time_base: tuple[int, int]
    """Seconds per tick of the packets' times, as numerator and denominator."""
    extradata: bytes
    """What the codec wants before its first packet; may be empty."""
    parameters: dict[str, int | str]
    """Further facts (profile, frame size, initial padding …) under names that this format does not know."""

    def __post_init__(self) -> None:
        _check_range("audio.sample_rate", self.sample_rate, 1, _RATIO)
        _check_range("audio.channels", self.channels, 1, 1 << 16)
        _check_ratio("audio.time_base", self.time_base)

    def to_facts(self) -> dict[str, object]:
        """As it stands in the header's JSON; extradata in hexadecimal."""
        facts: dict[str, object] = {field.name: getattr(self, field.name) for field in fields(self)}
        return facts | {"extradata": self.extradata.hex(), "time_base": list(self.time_base)}

    @classmethod
    def from_facts(cls, facts: dict[str, object]) -> "AudioHeader":
        """Undo `to_facts`.

        Raises:
            BitstreamError: a fact is missing, unknown, or outside its range.
        """
        check_keys(facts, (field.name for field in fields(cls)), "the audio header")
        extradata = text(facts, "extradata")
        if re.fullmatch("([0-9a-f]{2})*", extradata) is None:
            raise BitstreamError("extradata in the audio header is no hexadecimal. The file is damaged.")
        parameters = open_facts(facts, "parameters")
        if any(isinstance(value, bool) for value in parameters.values()):
            raise BitstreamError("parameters in the audio header hold a boolean. The file is damaged.")
        return cls(
            codec=text(facts, "codec"),
            sample_rate=integer(facts, "sample_rate"),
            layout=text(facts, "layout"),
            channels=integer(facts, "channels"),
            time_base=pair(facts, "time_base"),
            extradata=bytes.fromhex(extradata),
            parameters=parameters,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Everything that a decoder must know beside the chunks.

    The symbols are a quantised latent, and `steps` says what they stand for; or they are the digits of
    tokens, and `bases` does. The other one is empty.
    """

    tokenizer: str
    """Name of the tokenizer that made the symbols and decodes them."""
    tokenizer_sha256: str
    """Digest of its weights, 64 lower-case hexadecimal digits."""
    stride: tuple[int, int, int]
    """Frames, rows and columns of pixels per latent position."""
    lead_frame: bool
    """Whether the first frame is a latent step of its own."""
    channels: int
    """Channels of every chunk, most important first; of tokens, the digits of a position."""
    steps: tuple[int, ...] = ()
    """Quantiser step of each channel in units of 2^-20: latent = symbol x step / 2^20."""
    bases: tuple[tuple[int, ...], ...] = ()
    """For each token of a position, how many values each of its digits has; the first counts least."""
    height: int
    """Rows of a frame, in pixels."""
    width: int
    """Columns of a frame, in pixels."""
    latent_height: int
    """Rows of the latent."""
    latent_width: int
    """Columns of the latent."""
    time_base: tuple[int, int]
    """Seconds per tick of the frames' timestamps, as numerator and denominator."""
    sample_aspect: tuple[int, int]
    """Width to height of a pixel; 1, 1 where square or unknown."""
    colour: dict[str, int | str | bool]
    """Facts on the colours of the source, to tag a decoded video with."""
    source: dict[str, int | str | bool]
    """Facts on the source that a decoder may ignore."""
    audio: AudioHeader | None

    def __post_init__(self) -> None:
        if re.fullmatch("[0-9a-f]{64}", self.tokenizer_sha256) is None:
            raise BitstreamError(
                f"tokenizer_sha256 is {self.tokenizer_sha256!r:.80}; "
                "it must be 64 lower-case hexadecimal digits."
            )
        for name in ("height", "width", "latent_height", "latent_width"):
            _check_range(name, getattr(self, name), 1, limits.SIDE)
        for side in self.stride:
            _check_range("stride", side, 1, limits.SIDE)
        _check_range("channels", self.channels, 1, limits.CHANNELS)
        if self.bases:
            _check_bases(self.bases, self.steps, self.channels)
        elif len(self.steps) != self.channels:
            raise BitstreamError(
                f"{len(self.steps)} steps for {self.channels} channels; each channel has one."
            )
        for step in self.steps:
            _check_range("a step", step, 1, (1 << 32) - 1)
        _check_cover("rows", self.height, self.latent_height, self.stride[1])
        _check_cover("columns", self.width, self.latent_width, self.stride[2])
        _check_ratio("time_base", self.time_base)
        _check_ratio("sample_aspect", self.sample_aspect)

    @property
    def version(self) -> int:
        """The format version of a file with this header: 2 for tokens, 1 for a latent."""
        return 2 if self.bases else 1

    @property
    def digit_bases(self) -> tuple[int, ...]:
        """How many values each channel has, where channels are digits; empty for a latent."""
        return tuple(chain.from_iterable(self.bases))

    def to_bytes(self) -> bytes:
        """The canonical JSON text, UTF-8.

        Raises:
            BitstreamError: the text would exceed `limits.HEADER_BYTES`.
        """
        facts: dict[str, object] = {name: getattr(self, name) for name in _keys(self.version)}
        data = facts_to_bytes(facts | {"audio": self.audio and self.audio.to_facts()})
        if len(data) > limits.HEADER_BYTES:
            raise BitstreamError(
                f"the header takes {len(data)} bytes; at most {limits.HEADER_BYTES} fit. "
                "Leave out facts of the source."
            )
        return data

    @classmethod
    def from_bytes(cls, data: bytes, *, version: int = 1) -> "Header":
        """Undo `to_bytes`, for a file of this format version.

        Raises:
            BitstreamError: the text is not canonical, or a fact is missing, unknown, or outside its range.
        """
        facts = bytes_to_facts(data)
        check_keys(facts, _keys(version), "the header")
        frames, rows, columns = _three(integers(facts, "stride"))
        audio = facts["audio"]
        if audio is not None and not isinstance(audio, dict):
            raise BitstreamError("audio in the header is neither null nor a dictionary. The file is damaged.")
        return cls(
            tokenizer=text(facts, "tokenizer"),
            tokenizer_sha256=text(facts, "tokenizer_sha256"),
            stride=(frames, rows, columns),
            lead_frame=flag(facts, "lead_frame"),
            channels=integer(facts, "channels"),
            steps=integers(facts, "steps") if version == 1 else (),
            bases=lists_of_integers(facts, "bases") if version > 1 else (),
            height=integer(facts, "height"),
            width=integer(facts, "width"),
            latent_height=integer(facts, "latent_height"),
            latent_width=integer(facts, "latent_width"),
            time_base=pair(facts, "time_base"),
            sample_aspect=pair(facts, "sample_aspect"),
            colour=open_facts(facts, "colour"),
            source=open_facts(facts, "source"),
            audio=None if audio is None else AudioHeader.from_facts(audio),
        )


def _keys(version: int) -> list[str]:
    """What a header of this format version holds, and nothing else."""
    absent = "bases" if version == 1 else "steps"
    return [field.name for field in fields(Header) if field.name != absent]


def _three(values: tuple[int, ...]) -> tuple[int, ...]:
    if len(values) != 3:
        raise BitstreamError(
            f"stride is {list(values)}; it must be frames, rows, columns. The file is damaged."
        )
    return values


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BitstreamError(f"{name} is {value}; it must be {least} to {most} in a .tube file.")


def _check_bases(bases: tuple[tuple[int, ...], ...], steps: tuple[int, ...], channels: int) -> None:
    if steps:
        raise BitstreamError(
            "the header has steps and bases; a file holds a latent or tokens. Leave one out."
        )
    if min(map(len, bases)) < 1 or sum(map(len, bases)) != channels:
        raise BitstreamError(
            f"tokens of {[len(token) for token in bases]} digits for {channels} channels; a token has at "
            "least one digit, and each digit is a channel."
        )
    for base in chain.from_iterable(bases):
        _check_range("a base", base, 2, limits.BASE)


def _check_ratio(name: str, ratio: tuple[int, int]) -> None:
    for part in ratio:
        _check_range(name, part, 1, _RATIO)


def _check_cover(name: str, pixels: int, cells: int, stride: int) -> None:
    if cells * stride < pixels:
        raise BitstreamError(
            f"{cells} latent {name} of {stride} pixels cannot hold {pixels} {name}; store more."
        )
