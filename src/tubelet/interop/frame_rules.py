"""Which lengths of clip and which sizes of frame a foreign autoencoder takes, axis by axis."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """The lengths along one axis that an autoencoder takes: `first`, and `first` + n · `step` for any n.

    A clip of another length is filled up to the next of them by repeating its last frame, row or column, and
    what comes back is cut. Nothing is ever dropped.

    Attributes:
        first: the smallest length.
        step: the distance to the next.
        positions: latent positions of the smallest length.
        positions_per_step: latent positions that each step adds.
        lost: how much shorter the decoded axis is than the encoded one.
    """

    first: int
    step: int
    positions: int
    positions_per_step: int
    lost: int = 0

    @classmethod
    def led(cls, stride: int, *, group: int = 1) -> "Lengths":
        """1 + n · `stride` · `group`: the first frame is a position of its own."""
        return cls(first=1, step=stride * group, positions=1, positions_per_step=group)

    @classmethod
    def multiples(cls, stride: int, *, least: int = 1, group: int = 1) -> "Lengths":
        """Multiples of `stride` · `group`, `least` positions at least."""
        return cls(first=stride * least, step=stride * group, positions=least, positions_per_step=group)

    def filled(self, length: int) -> int:
        """The smallest permitted length that loses nothing of `length`."""
        return self.first + self._steps(length) * self.step

    def latent(self, length: int) -> int:
        """Latent positions of a clip of `length`."""
        return self.positions + self._steps(length) * self.positions_per_step

    def decoded(self, length: int) -> int:
        """What a clip of `length` is decoded to before it is cut."""
        return self.filled(length) - self.lost

    def _steps(self, length: int) -> int:
        return max(0, -(-(length + self.lost - self.first) // self.step))
