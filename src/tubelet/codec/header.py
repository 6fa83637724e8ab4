"""What a ``.tube`` file says of its video and audio: our descriptions to its header and back."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from tubelet.bitstream.audio import AudioPacket as StoredPacket
from tubelet.bitstream.header import AudioHeader, Header, PriorHeader
from tubelet.bitstream.part_header import LATENT, TOKENS, PartHeader
from tubelet.checkpoint import Checkpoint
from tubelet.codec.symbols import LatentQuantizer
from tubelet.errors import BitstreamError, OptionError
from tubelet.files.names import text_name
from tubelet.given import as_whole
from tubelet.quantizers.digits import Bases
from tubelet.tokenizers.clip import only_part
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.parts import PartGrid
from tubelet.types import Part
from tubelet.video.audio import AudioPacket
from tubelet.video.info import AudioInfo, Colour, VideoInfo


def make_header(
    info: VideoInfo,
    checkpoint: Checkpoint[ContinuousTokenizer],
    quantizer: LatentQuantizer,
    *,
    audio: AudioInfo | None,
    counts: tuple[int, ...] = (),
    prior: PriorHeader | None = None,
) -> Header:
    """Describe a file that is about to be written: of version 1 if a latent of one part is all it holds.

    Args:
        info: the video.
        checkpoint: the tokenizer.
        quantizer: of its latent.
        audio: what is carried along.
        counts: how many channels a position of ordered parts may have; all of them for none.
        prior: what symbols may be coded with beside tables of their own.
    """
    tokenizer = checkpoint.tokenizer
    cells = tokenizer.grouping.cells(info.height, info.width)
    parts = tuple(
        replace(
            _part(
                grid := tokenizer.grids[name],
                cells,
                channels=len(part.steps),
                steps=part.steps,
                counts=counts if grid.part.ordered else (),
            ),
            centroids=part.centroids,
        )
        for name, part in quantizer.of_part.items()
    )
    if len(parts) == 1 and not (counts or prior or parts[0].centroids):
        return _header(info, checkpoint, version=1, parts=(replace(parts[0], name=LATENT),), audio=audio)
    return _header(info, checkpoint, version=3, parts=parts, audio=audio, prior=prior)


def make_token_header(
    info: VideoInfo,
    checkpoint: Checkpoint[DiscreteTokenizer],
    *,
    audio: AudioInfo | None,
    prior: PriorHeader | None = None,
) -> Header:
    """Describe a file of tokens that is about to be written; arguments as `make_header`.

    Raises:
        BitstreamError: a digit has more values than a file holds.
    """
    backbone, bases = checkpoint.tokenizer.backbone, checkpoint.tokenizer.bases
    grid = backbone.grids[only_part(backbone.parts).name]
    cells = backbone.grouping.cells(info.height, info.width)
    part = _part(grid, cells, channels=sum(map(len, bases)), bases=bases)
    if prior is not None:
        return _header(info, checkpoint, version=3, parts=(part,), audio=audio, prior=prior)
    return _header(info, checkpoint, version=2, parts=(replace(part, name=TOKENS),), audio=audio)


def _part(
    grid: PartGrid,
    cells: tuple[int, int],
    *,
    channels: int,
    steps: tuple[int, ...] = (),
    bases: Bases = (),
    counts: tuple[int, ...] = (),
) -> PartHeader:
    _, rows, columns = grid.shape(0, 1, cells)
    return PartHeader(
        name=grid.part.name,
        channels=channels,
        stride=grid.part.stride,
        rows=rows,
        columns=columns,
        steps=steps,
        bases=bases,
        counts=counts,
    )


def _header(
    info: VideoInfo,
    checkpoint: Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer],
    *,
    version: int,
    parts: tuple[PartHeader, ...],
    audio: AudioInfo | None,
    prior: PriorHeader | None = None,
) -> Header:
    tokenizer = checkpoint.tokenizer
    return Header(
        version=version,
        content=parts[0].content,
        parts=parts,
        tokenizer=checkpoint.name,
        tokenizer_sha256=checkpoint.sha256,
        stride=tokenizer.stride,
        lead_frame=tokenizer.lead_frame,
        height=info.height,
        width=info.width,
        time_base=info.time_base.as_integer_ratio(),
        sample_aspect=info.sample_aspect.as_integer_ratio(),
        colour=colour_to_facts(info.colour),
        source={
            "name": text_name(info.path.name),
            "format": info.format,
            "codec": info.codec,
            "pixel_format": info.pixel_format,
            "bits": info.bits,
            "rotation_applied": info.rotation,
            "mirror_applied": info.mirrored,
        },
        audio=None if audio is None else audio_to_header(audio),
        prior=prior,
    )


def colour_to_facts(colour: Colour) -> dict[str, int | str | bool]:
    """Colours as a header holds them."""
    return {
        "matrix": colour.matrix,
        "range": colour.range,
        "primaries": colour.primaries,
        "transfer": colour.transfer,
        "tagged": colour.tagged,
    }


def facts_to_colour(facts: dict[str, int | str | bool]) -> Colour:
    """Undo `colour_to_facts`.

    Raises:
        BitstreamError: a fact is missing or means nothing.
    """
    matrix, range_ = facts.get("matrix"), facts.get("range")
    primaries, transfer = facts.get("primaries"), facts.get("transfer")
    if (
        matrix not in ("bt601", "bt709", "bt2020", "smpte240m", "fcc", "rgb")
        or range_ not in ("limited", "full")
        or not isinstance(primaries, int)
        or not isinstance(transfer, int)
    ):
        raise BitstreamError(f"the header's colours are {facts}, which mean nothing. The file is damaged.")
    return Colour(
        matrix=matrix,
        range=range_,
        primaries=primaries,
        transfer=transfer,
        tagged=facts.get("tagged") is True,
    )


def audio_to_header(audio: AudioInfo) -> AudioHeader:
    """An audio stream as a header holds it."""
    return AudioHeader(
        codec=audio.codec,
        sample_rate=audio.sample_rate,
        layout=audio.layout,
        channels=audio.channels,
        time_base=audio.time_base.as_integer_ratio(),
        extradata=audio.extradata,
        parameters={"matroska": audio.header.hex()},
    )


def header_to_audio(header: AudioHeader) -> AudioInfo:
    """Undo `audio_to_header`.

    Raises:
        BitstreamError: the description of the stream is damaged.
    """
    described = header.parameters.get("matroska")
    try:
        parameters = bytes.fromhex(described if isinstance(described, str) else "-")
    except ValueError as error:
        raise BitstreamError(
            "the header's description of the audio stream is not hexadecimal text; decode with --no-audio."
        ) from error
    return AudioInfo(
        codec=header.codec,
        sample_rate=header.sample_rate,
        layout=header.layout,
        channels=header.channels,
        time_base=Fraction(*header.time_base),
        extradata=header.extradata,
        header=parameters,
    )


def packet_to_stored(packet: AudioPacket) -> StoredPacket:
    """An audio packet as a ``.tube`` file holds it."""
    return StoredPacket(
        data=packet.data,
        pts=packet.pts,
        dts=packet.dts,
        duration=packet.duration,
        keyframe=packet.keyframe,
        side_data=packet.skip_samples,
    )


def stored_to_packet(packet: StoredPacket) -> AudioPacket:
    """Undo `packet_to_stored`."""
    return AudioPacket(
        data=packet.data,
        pts=packet.pts,
        dts=packet.dts,
        duration=packet.duration,
        keyframe=packet.keyframe,
        skip_samples=packet.side_data,
    )


def check_channels(channels: int | None, header: Header) -> None:
    """Raise unless the first so many channels of a file can be taken by themselves; all of them for none.

    Raises:
        OptionError: there are not so many, or the file holds tokens or several parts.
    """
    if channels is None:
        return
    if header.content == TOKENS:
        raise OptionError(
            f"channels is {channels}; the file holds tokens, which need all their digits. Leave it out."
        )
    if len(header.parts) > 1:
        names = ", ".join(part.name for part in header.parts)
        raise OptionError(f"channels is {channels}; the file holds several parts ({names}). Leave it out.")
    _checked_count(channels, header.channels)


def wanted_channels(channels: int | None, header: Header, parts: Sequence[Part]) -> dict[str, int]:
    """Of which part of a file only the first so many channels are wanted; of none for no number.

    Args:
        channels: of the only part whose channels are ordered.
        header: of the file.
        parts: those of the tokenizer that made it, in the same order.

    Raises:
        OptionError: there are not so many, or the file holds tokens or several such parts.
    """
    ordered = [stored for part, stored in zip(parts, header.parts, strict=True) if part.ordered]
    if channels is None or len(ordered) != 1 or header.content == TOKENS:
        check_channels(channels, header)
        return {}
    (part,) = ordered
    return {part.name: _checked_count(channels, part.channels)}


def _checked_count(channels: int, most: int) -> int:
    count = as_whole(channels)
    if count is None or not 1 <= count <= most:
        raise OptionError(f"channels is {channels!r:.60}; this file holds 1 to {most}.")
    return count
