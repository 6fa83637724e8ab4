"""What a ``.tube`` file says of itself before the first chunk (SPEC.md, section 4)."""

import re
from dataclasses import dataclass, fields

from tubelet.bitstream import limits
from tubelet.bitstream.facts import (
    DEPTH,
    bytes_to_facts,
    check_keys,
    dictionaries,
    dictionary_or_none,
    facts_to_bytes,
    flag,
    integer,
    integers,
    lists_of_integers,
    open_facts,
    pair,
    text,
    triple,
)
from tubelet.bitstream.part_header import LATENT, TOKENS, PartHeader, Stride, check_range
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
        check_range("audio.sample_rate", self.sample_rate, 1, _RATIO)
        check_range("audio.channels", self.channels, 1, 1 << 16)
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
            raise BitstreamError("extradata in the audio header is not hexadecimal. The file is damaged.")
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
class PriorHeader:
    """Which `SymbolModel` parts may be coded with."""

    name: str
    sha256: str
    """Digest of the model, 64 lower-case hexadecimal digits."""

    def __post_init__(self) -> None:
        _check_digest("sha256 of the prior", self.sha256)

    def to_facts(self) -> dict[str, object]:
        """As it stands in the header's JSON."""
        return {"name": self.name, "sha256": self.sha256}

    @classmethod
    def from_facts(cls, facts: dict[str, object]) -> "PriorHeader":
        """Undo `to_facts`.

        Raises:
            BitstreamError: a fact is missing, unknown, or outside its range.
        """
        check_keys(facts, ("name", "sha256"), "the prior in the header")
        return cls(name=text(facts, "name"), sha256=text(facts, "sha256"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Everything that a decoder must know beside the chunks."""

    version: int
    """Of the format. A file of version 1 holds a latent of one part, of version 2 the digits of tokens; one
    of version 3 says what it holds, and alone knows several parts, counts, centroids and a prior."""
    content: str
    """What the symbols are: ``latent`` or ``tokens``."""
    tokenizer: str
    """Name of the tokenizer that made the symbols and decodes them."""
    tokenizer_sha256: str
    """Digest of its weights, 64 lower-case hexadecimal digits."""
    stride: Stride
    """Frames, rows and columns of pixels of a step and a cell of the tokenizer's model."""
    lead_frame: bool
    """Whether the first frame is a step of its own, which has one latent step of every part."""
    parts: tuple[PartHeader, ...]
    """In the order in which chunks hold them."""
    height: int
    """Rows of a frame, in pixels."""
    width: int
    """Columns of a frame, in pixels."""
    time_base: tuple[int, int]
    """Seconds per tick of the frames' timestamps, as numerator and denominator."""
    sample_aspect: tuple[int, int]
    """Width to height of a pixel; 1, 1 where square or unknown."""
    colour: dict[str, int | str | bool]
    """Facts on the colours of the source, to tag a decoded video with."""
    source: dict[str, int | str | bool]
    """Facts on the source that a decoder may ignore."""
    audio: AudioHeader | None
    prior: PriorHeader | None = None
    """What parts may be coded with beside tables of their own."""

    def __post_init__(self) -> None:
        _check_digest("tokenizer_sha256", self.tokenizer_sha256)
        for name in ("height", "width"):
            check_range(name, getattr(self, name), 1, limits.SIDE)
        for side in self.stride:
            check_range("stride", side, 1, limits.SIDE)
        _check_ratio("time_base", self.time_base)
        _check_ratio("sample_aspect", self.sample_aspect)
        self._check_content()
        self._check_version()
        self._check_cover("rows", self.height, 1)
        self._check_cover("columns", self.width, 2)

    @property
    def only_part(self) -> PartHeader:
        """The part of a file that has one.

        Raises:
            BitstreamError: it has several.
        """
        part, *others = self.parts
        if others:
            names = ", ".join(part.name for part in self.parts)
            raise BitstreamError(f"the file has {len(self.parts)} parts ({names:.200}); say which is meant.")
        return part

    @property
    def channels(self) -> int:
        """Channels of the only part."""
        return self.only_part.channels

    @property
    def steps(self) -> tuple[int, ...]:
        """Quantiser steps of the only part."""
        return self.only_part.steps

    @property
    def bases(self) -> tuple[tuple[int, ...], ...]:
        """Bases of the tokens of the only part."""
        return self.only_part.bases

    @property
    def latent_height(self) -> int:
        """Rows of positions of the only part."""
        return self.only_part.rows

    @property
    def latent_width(self) -> int:
        """Columns of positions of the only part."""
        return self.only_part.columns

    def part_steps(self, part: PartHeader, first_step: int, steps: int) -> int:
        """How many latent steps of a part so many steps have, from step `first_step` of the clip on."""
        ratio = self.stride[0] // part.stride[0]
        lead = int(self.lead_frame and first_step == 0 and steps > 0)
        return lead + (steps - lead) * ratio

    def steps_of(self, part: PartHeader, first_step: int, part_steps: int) -> int:
        """How many steps have so many latent steps of a part; undoes `part_steps`.

        Raises:
            BitstreamError: no whole number of steps has.
        """
        ratio = self.stride[0] // part.stride[0]
        lead = int(self.lead_frame and first_step == 0 and part_steps > 0)
        steps, rest = divmod(part_steps - lead, ratio)
        if part_steps < 1 or rest:
            raise BitstreamError(
                f"a chunk from step {first_step} on has {part_steps} latent steps of part {part.name!r}; it "
                f"must have {lead} and a multiple of {ratio}, and one at least."
            )
        return lead + steps

    def to_bytes(self) -> bytes:
        """The canonical JSON text, UTF-8.

        Raises:
            BitstreamError: the text would exceed `limits.HEADER_BYTES`.
        """
        facts = {name: getattr(self, name) for name in _COMMON} | {
            "audio": self.audio and self.audio.to_facts()
        }
        own = _parts_to_facts(self) if self.version > 2 else _only_part_to_facts(self)
        data = facts_to_bytes(facts | own, depth=_depth(self.version))
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
        facts = bytes_to_facts(data, depth=_depth(version))
        check_keys(facts, (*_COMMON, *_own_keys(version)), "the header")
        audio = dictionary_or_none(facts, "audio")
        content, parts, prior = _read_parts(facts) if version > 2 else _read_only_part(facts, version)
        return cls(
            version=version,
            content=content,
            tokenizer=text(facts, "tokenizer"),
            tokenizer_sha256=text(facts, "tokenizer_sha256"),
            stride=triple(facts, "stride"),
            lead_frame=flag(facts, "lead_frame"),
            parts=parts,
            height=integer(facts, "height"),
            width=integer(facts, "width"),
            time_base=pair(facts, "time_base"),
            sample_aspect=pair(facts, "sample_aspect"),
            colour=open_facts(facts, "colour"),
            source=open_facts(facts, "source"),
            audio=None if audio is None else AudioHeader.from_facts(audio),
            prior=prior,
        )

    def _check_content(self) -> None:
        if self.content not in (LATENT, TOKENS) or {part.content for part in self.parts} != {self.content}:
            raise BitstreamError(
                f"content is {self.content!r:.80} and the parts are "
                f"{[part.content for part in self.parts]!s:.200}; all must be {LATENT!r}, with steps, or all "
                f"{TOKENS!r}, with bases."
            )
        names = [part.name for part in self.parts]
        if len(names) > limits.PARTS or len(set(names)) < len(names):
            raise BitstreamError(
                f"the parts are called {names!s:.200}; there must be at most {limits.PARTS}, each with a "
                "name of its own."
            )
        check_range("channels of all parts", sum(part.channels for part in self.parts), 1, limits.CHANNELS)

    def _check_version(self) -> None:
        check_range("version", self.version, 1, 3)
        if self.version == 3:
            return
        content = TOKENS if self.version == 2 else LATENT
        plain = PartHeader(
            name=content,
            channels=self.parts[0].channels,
            stride=self.stride,
            rows=self.parts[0].rows,
            columns=self.parts[0].columns,
            steps=self.parts[0].steps,
            bases=self.parts[0].bases,
        )
        if self.content != content or self.parts != (plain,) or self.prior is not None:
            raise BitstreamError(
                f"a file of version {self.version} holds one part called {content!r} on the stride of the "
                "model, without counts, centroids and a prior. Write version 3."
            )

    def _check_cover(self, name: str, pixels: int, axis: int) -> None:
        """Check that all parts cover the same rows or columns of pixels, and those of the frame."""
        covered = set()
        for part in self.parts:
            cells, rest = divmod((part.rows, part.columns)[axis - 1] * part.stride[axis], self.stride[axis])
            if rest or self.stride[axis] % part.stride[axis] or self.stride[0] % part.stride[0]:
                raise BitstreamError(
                    f"part {part.name!r} has {part.rows} rows and {part.columns} columns on a stride of "
                    f"{part.stride}, which do not fit into whole cells of {self.stride}."
                )
            covered.add(cells)
        if len(covered) > 1:
            raise BitstreamError(
                f"the parts cover {sorted(covered)!s:.200} cells in their {name}; all must cover as many."
            )
        if (cells := covered.pop()) * self.stride[axis] < pixels:
            raise BitstreamError(
                f"{cells} latent {name} of {self.stride[axis]} pixels cannot hold {pixels} {name}; store "
                "more."
            )


_COMMON = (
    *("tokenizer", "tokenizer_sha256", "stride", "lead_frame", "height", "width"),
    *("time_base", "sample_aspect", "colour", "source", "audio"),
)
"""What the header of every version holds."""


def _own_keys(version: int) -> tuple[str, ...]:
    """What the header of this version holds besides, and nothing else."""
    if version > 2:
        return ("content", "parts", "prior")
    return ("channels", "latent_height", "latent_width", "steps" if version == 1 else "bases")


def _depth(version: int) -> int:
    """How deep a header of this version is nested; in version 3 a token's bases are in a part."""
    return DEPTH + 1 if version > 2 else DEPTH


def _parts_to_facts(header: Header) -> dict[str, object]:
    return {
        "content": header.content,
        "parts": [part.to_facts() for part in header.parts],
        "prior": header.prior and header.prior.to_facts(),
    }


def _read_parts(facts: dict[str, object]) -> tuple[str, tuple[PartHeader, ...], PriorHeader | None]:
    """Undo `_parts_to_facts`."""
    content, prior = text(facts, "content"), dictionary_or_none(facts, "prior")
    parts = tuple(PartHeader.from_facts(part, content=content) for part in dictionaries(facts, "parts"))
    return content, parts, None if prior is None else PriorHeader.from_facts(prior)


def _only_part_to_facts(header: Header) -> dict[str, object]:
    part = header.only_part
    own: dict[str, object] = {"bases": part.bases} if part.bases else {"steps": part.steps}
    return own | {"channels": part.channels, "latent_height": part.rows, "latent_width": part.columns}


def _read_only_part(facts: dict[str, object], version: int) -> tuple[str, tuple[PartHeader], None]:
    """Undo `_only_part_to_facts`."""
    content = LATENT if version == 1 else TOKENS
    part = PartHeader(
        name=content,
        channels=integer(facts, "channels"),
        stride=triple(facts, "stride"),
        rows=integer(facts, "latent_height"),
        columns=integer(facts, "latent_width"),
        steps=integers(facts, "steps") if version == 1 else (),
        bases=lists_of_integers(facts, "bases") if version == 2 else (),
    )
    return content, (part,), None


def _check_digest(name: str, digest: str) -> None:
    if re.fullmatch("[0-9a-f]{64}", digest) is None:
        raise BitstreamError(f"{name} is {digest!r:.80}; it must be 64 lower-case hexadecimal digits.")


def _check_ratio(name: str, ratio: tuple[int, int]) -> None:
    for part in ratio:
        check_range(name, part, 1, _RATIO)
