"""Groups of frames whose later ones are moved onto the first along vectors, and the KLT of that.

```text
frames ─┬─ search ─ vectors ──┬───────── motion
        └─ straighten ────────┴─ KLT ─── content
motion, content ─ KLT⁻¹ ─ bend ─ frames
```

Straightening subtracts from every later frame by how much displaced blocks of the first frame differ from
the first frame itself; bending adds the same for the first frame as it was decoded. So each undoes the other
(a lifting step, Secker & Taubman 2003), frames that follow their vectors become a group that stands still,
and where vectors are zero it is the plain KLT.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, prod
from typing import final

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.errors import OptionError
from tubelet.models.motion.search import NEIGHBOURS, find_vectors
from tubelet.models.motion.warp import FINENESS, REACH, TAPS, Cells, Vectors, displacements, quarters
from tubelet.models.protocol import Decoded, Encoded, Footprint, Past, PixelsOf, Rows
from tubelet.models.whole_tile import HeldPast
from tubelet.nn.klt import KLTCascade
from tubelet.types import Counts, Known, Latent, Latents, Part, Stride, Video

MOTION = "motion"
"""The part that says how far the cells of frames 2 and on of a group moved since the first: to the right and
down, in pixels, frame by frame."""

CONTENT = "content"
"""The part of ordered channels."""

WORK_CELLS = 1 << 12
"""Cells to work on at a time, where a clip is encoded at once: few enough for a core's cache."""

WORK = 20
"""Tensors as large as the frames of a group that are held at once."""


@final
class MotionModel(nn.Module):
    """A linear model of two parts on one stride: motion and content.

    Attributes:
        transform: of straightened groups; one level.
        vector_deviation: of each channel of motion, in pixels, over what the model was fitted to.
        channels: of content; the first k of them are a latent of k channels.
    """

    def __init__(self, patch: Stride, *, channels: int) -> None:
        super().__init__()
        self.transform = KLTCascade((patch,), (channels,))
        numbers = 2 * (patch.t - 1)
        self.register_buffer("vector_deviation", torch.ones(numbers))
        self.vector_deviation: Tensor
        self.channels = channels
        self.stride = patch
        self.variational = False
        self.warm_up = 0
        self.parts = (Part(MOTION, numbers, patch, exact=True), Part(CONTENT, channels, patch))

    @property
    def dtype(self) -> torch.dtype:
        """The number format of videos and latents."""
        return self.transform.deviation.dtype

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.transform.deviation.device

    @property
    def cell(self) -> Cells:
        """Pixels of a cell."""
        return Cells(self.stride.h, self.stride.w)

    @property
    def decoder_halo(self) -> int:
        """Cells to each side that a cell of the video depends on: as far as vectors reach."""
        return ceil((REACH + TAPS + max(self.cell)) / min(self.cell))

    @property
    def encoder_halo(self) -> int:
        """Cells to each side that a cell of the latent depends on: its own vectors and those around it."""
        return 1 + NEIGHBOURS + ceil((REACH + TAPS) / min(self.cell))

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        """Encode consecutive whole steps of whole cells (see `StepModel`)."""
        return Encoded(self._in_runs(groups, None), None, None)

    def encode_along(self, groups: Video, motion: Latent) -> Latents:
        """Encode whole steps of whole cells along motion that is known; it is rounded to quarters of a pixel.

        Args:
            groups: frames in multiples of the stride.
            motion: the part as `encode_groups` gives it.
        """
        return self._in_runs(groups, motion)

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        """Decode consecutive whole steps; the mirror of `encode_groups`."""
        motion, content = (_masked(latents[name], known.get(name)) for name in (MOTION, CONTENT))
        straight = self.transform.inverse(content)
        return Decoded(self.bent(straight, self.motion_to_vectors(motion)), None)

    def straightened(self, groups: Video, vectors: Vectors) -> Video:
        """Groups moved onto their first frames."""
        return self._moved(groups, vectors, sign=-1)

    def bent(self, groups: Video, vectors: Vectors) -> Video:
        """Undo `straightened`."""
        return self._moved(groups, vectors, sign=1)

    def motion_to_vectors(self, motion: Float[Tensor, "b m t h w"]) -> Vectors:
        """Where cells come from, of how far they moved; channels that are missing are zero."""
        whole = F.pad(motion, (0, 0, 0, 0, 0, 0, 0, self.parts[0].channels - motion.shape[1]))
        return quarters(-rearrange(whole, "b (k two) t h w -> (b t) k two h w", two=2).flip(2))

    def vectors_to_motion(self, vectors: Vectors, clips: int) -> Float[Tensor, "b m t h w"]:
        """Undo `motion_to_vectors`."""
        motion = -vectors.flip(2).to(self.dtype) / FINENESS
        # Not minus zero, whose bytes are others.
        return rearrange(motion, "(b t) k two h w -> b (k two) t h w", b=clips) + 0.0

    def start_past(self, stored: Past | None) -> HeldPast:
        """What a stream remembers of one tile: nothing."""
        return HeldPast(stored)

    @torch.no_grad()
    def encode_step(
        self, pixels_of: PixelsOf, past: HeldPast, *, cells: tuple[int, int], strip: int
    ) -> Encoded:
        """Encode one step of one tile."""
        return self.encode_groups(pixels_of(slice(0, cells[0])), None)

    @torch.no_grad()
    def decode_step(self, latents: Latents, past: HeldPast, known: Known, *, strip: int) -> Iterator[Rows]:
        """Decode one step of one tile."""
        groups = self.decode_groups(latents, None, known).groups
        yield Rows(slice(0, groups.shape[3] // self.stride.h), groups)

    def encoder_footprint(self) -> Footprint:
        """What a stream takes for the encoder."""
        return Footprint(remembered=0, whole=WORK * self._group_bytes(), strip=0, most=1)

    def decoder_footprint(self) -> Footprint:
        """What a stream takes for the decoder."""
        return self.encoder_footprint()

    def flops_per_pixel(self) -> float:
        """Operations of the transform both ways, per pixel; those of the search are none of weights."""
        return 4 * self.transform.klts[0].basis.numel() / prod(self.stride)

    def pixel_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """By how much one of each channel changes pixels; how much a vector does depends on the picture."""
        return {MOTION: torch.ones_like(self.vector_deviation), CONTENT: self.transform.deviation}

    def coding_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """Those of content, and for motion what makes a step a quarter of a pixel."""
        return self.pixel_units()

    def networks(self) -> Sequence[nn.Module]:
        """None: it is linear."""
        return []

    def hidden_matrices(self) -> list[nn.Parameter]:
        """None."""
        return []

    def shard_units(self) -> list[nn.Module]:
        """None."""
        return []

    def set_trainable(self, *, encoder: bool, transform: bool) -> None:
        """Let weights be trained; with the encoder frozen, the transform is frozen too."""
        self.transform.requires_grad_(transform and encoder)

    def standardise(self, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Nothing: content is standardised by the fit, and motion is in pixels."""

    def narrowed(self, channels: int) -> "MotionModel":
        """The first channels of content as a model of their own, which decodes them as this one does.

        Raises:
            OptionError: it has fewer channels.
        """
        if channels > self.channels:
            raise OptionError(
                f"the model to take over has {self.channels} channels and the new one {channels}; channels "
                "can only be left out. Give as many or fewer."
            )
        narrow = MotionModel(self.stride, channels=channels)
        level, known = narrow.transform.klts[0], self.transform.klts[0]
        level.load_state_dict({"basis": known.basis[:channels], "mean": known.mean})
        narrow.transform.deviation.copy_(self.transform.deviation[:channels])
        narrow.vector_deviation.copy_(self.vector_deviation)
        return narrow

    def fault(self) -> str | None:
        """What is wrong with numbers that were just read; none if nothing is."""
        least = float(min(self.transform.deviation.min(), self.vector_deviation.min()))
        return None if least > 0 else f"a standard deviation is {least}; each is above zero"

    def _in_runs(self, groups: Video, motion: Latent | None) -> dict[str, Latent]:
        """Encode a few groups at a time."""
        t, h, w = self.stride
        cells = len(groups) * (groups.shape[3] // h) * (groups.shape[4] // w)
        at_once = max(1, WORK_CELLS // cells)
        runs = groups.split(at_once * t, dim=2)
        given = [None] * len(runs) if motion is None else motion.split(at_once, dim=2)
        encoded = [self._encoded(run, some) for run, some in zip(runs, given, strict=True)]
        return {name: torch.cat([run[name] for run in encoded], dim=2) for name in (MOTION, CONTENT)}

    def _encoded(self, groups: Video, motion: Latent | None) -> dict[str, Latent]:
        if motion is None:
            vectors = find_vectors(groups.detach(), self.stride.t, self.cell)
        else:
            vectors = self.motion_to_vectors(motion)
        content = self.transform(self.straightened(groups, vectors))
        return {MOTION: self.vectors_to_motion(vectors, len(groups)), CONTENT: content}

    def _moved(self, groups: Video, vectors: Vectors, *, sign: int) -> Video:
        """Add or subtract what is displaced; nothing is copied where nothing moves."""
        if not vectors.any():
            return groups
        frames = rearrange(groups, "b c (t T) H W -> (b t) T c H W", T=self.stride.t)
        added = displacements(frames[:, 0], vectors, self.cell)
        later = frames[:, 1:] + added if sign > 0 else frames[:, 1:] - added
        moved = torch.cat([frames[:, :1], later], dim=1)
        return rearrange(moved, "(b t) T c H W -> b c (t T) H W", b=len(groups))

    def _group_bytes(self) -> int:
        """Bytes of the frames of a cell."""
        return 3 * prod(self.stride) * self.dtype.itemsize


def _masked(latent: Latent, counts: Counts | None) -> Latent:
    """A latent whose missing channels are zero."""
    if counts is None:
        return latent
    channels = rearrange(torch.arange(latent.shape[1], device=latent.device), "c -> c 1 1 1")
    return torch.where(channels < counts, latent, 0)
