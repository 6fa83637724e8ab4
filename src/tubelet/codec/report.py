"""What a ``.tube`` file holds, and where its bytes went."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TubeReport:
    """What a ``.tube`` file holds, and where its bytes went.

    Attributes:
        frames: frames of the clip.
        height: their rows.
        width: their columns.
        steps: latent steps.
        channels: channels that were kept, of all parts together.
        numbers: symbols that are stored, of all positions and parts.
        mean_channels: channels that a position has, in the mean, of the part whose channels a budget chose;
            none without a budget.
        bytes_total: size of the file; the other sizes are its parts.
        bytes_symbols: range-coded symbols.
        bytes_tables: how often each symbol occurs, per chunk and channel.
        bytes_headers: header, heads of chunks, index.
        bytes_audio: audio packets and their framing.
        entropy_bytes: zeroth-order entropy of the symbols per chunk and channel; what `bytes_symbols` can be
            at best.
    """

    frames: int
    height: int
    width: int
    steps: int
    channels: int
    numbers: int
    mean_channels: float | None
    bytes_total: int
    bytes_symbols: int
    bytes_tables: int
    bytes_headers: int
    bytes_audio: int
    entropy_bytes: float

    @property
    def bits_per_pixel(self) -> float:
        """Bits of everything but the audio, per pixel of every frame."""
        return 8 * (self.bytes_total - self.bytes_audio) / (self.frames * self.height * self.width)
