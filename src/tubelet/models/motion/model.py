"""Groups of frames whose later ones are moved onto the first along vectors, and the KLT of that.

```text
frames ─┬─ search ─ vectors, plain ──┬───────────────── motion, plain
        └─ straighten ───────────────┴─ KLT (encoder) ─ content
motion, plain, content ─ (decoder) KLT⁻¹ ─ bend ─ frames
```

Straightening subtracts from every later frame by how much displaced blocks of the first frame differ from
the first frame itself; bending adds the same for the first frame as it was decoded. So each undoes the other
(a lifting step, Secker & Taubman 2003), frames that follow their vectors become a group that stands still,
and where vectors are zero it changes nothing. Cells that cannot be followed are *plain*: they are left as
they are, and have a KLT of their own. Networks may correct content (`models/motion/networks.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from math import ceil, prod
from typing import final

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.errors import OptionError
from tubelet.models.motion.agree import NEIGHBOURS
from tubelet.models.motion.matcher import Field
from tubelet.models.motion.networks import MotionNetworks, Moves
from tubelet.models.motion.search import find_field, plain_cells
from tubelet.models.motion.transform import TwoBases
from tubelet.models.motion.warp import FINENESS, REACH, TAPS, Cells, Patches, Vectors, displacements, quarters
from tubelet.models.motion.worth import FURTHER, Worth
from tubelet.models.protocol import BitPrice, Decoded, Encoded, Footprint, Past, PixelsOf, Rows
from tubelet.models.whole_tile import HeldPast
from tubelet.nn.blocks import ResidualStack
from tubelet.nn.patches import patches_to_video, video_to_patches
from tubelet.nn.prefix import column, masked
from tubelet.types import Known, Latent, Latents, Part, Stride, Video

MOTION = "motion"
"""The part that says how far the cells of frames 2 and on of a group moved since the first: to the right and
down, in pixels, frame by frame."""

PLAIN = "plain"
"""The part that is 1 where a cell is plain, and 0 elsewhere."""

CONTENT = "content"
"""The part of ordered channels."""

WORK_CELLS = 1 << 13
"""Cells to work on at a time, where a clip is encoded at once: few enough for a core's cache."""

WORK = 20
"""Tensors as large as the frames of a group that are held at once."""


@final
class MotionModel(nn.Module):
    """A model of three parts on one stride: motion, which cells are plain, and content.

    Attributes:
        transform: of straightened groups, and of those as they are.
        corrections: the networks that correct content; none in a linear model.
        vector_deviation: of each channel of motion, in pixels, over what the model was fitted to.
        motion: the part that says how far cells move.
        worth: drops vectors that are not worth their bits; none unless it was made by `priced`.
        channels: of content; the first k of them are a latent of k channels.
    """

    def __init__(
        self,
        patch: Stride,
        *,
        channels: int,
        coefficients: int | None = None,
        corrections: MotionNetworks | None = None,
    ) -> None:
        super().__init__()
        self.transform = TwoBases(patch, channels=coefficients or channels)
        self.corrections = corrections
        numbers = 2 * (patch.t - 1)
        self.register_buffer("vector_deviation", torch.ones(numbers))
        self.vector_deviation: Tensor
        self.channels = channels
        self.stride = patch
        self.motion = MOTION
        self.variational = False
        self.worth: Worth | None = None
        self.warm_up = 0 if corrections is None else corrections.decoder.memory
        self.parts = (
            Part(MOTION, numbers, patch, exact=True),
            Part(PLAIN, 1, patch, exact=True),
            Part(CONTENT, channels, patch),
        )

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
        """Cells to each side that a cell of the video depends on: what vectors reach and networks see."""
        return self._reach if self.corrections is None else 2 * self._reach + self.corrections.decoder.radius

    @property
    def encoder_halo(self) -> int:
        """Cells to each side that a cell of the latent depends on: its own vectors and those around it."""
        own = NEIGHBOURS + self._reach + (0 if self.worth is None else FURTHER)
        return own if self.corrections is None else own + self._reach + self.corrections.encoder.radius

    def priced(self, price: BitPrice) -> "MotionModel":
        """The same weights, with a search that drops what is not worth its bits in a file.

        Vectors that `encode_along` is given stay as they are. Move the model to its device before.
        """
        priced = copy(self)
        priced.worth = Worth(self.transform, price)
        return priced

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        """Encode consecutive whole steps of whole cells (see `StepModel`)."""
        return self._in_runs(groups, None, past)

    def encode_along(self, groups: Video, motion: Latent) -> Latents:
        """Encode whole steps of whole cells along motion that is known; it is rounded to quarters of a pixel.

        Args:
            groups: frames in multiples of the stride.
            motion: the part as `encode_groups` gives it.
        """
        return self._in_runs(groups, motion, None).latents

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        """Decode consecutive whole steps; the mirror of `encode_groups`."""
        motion, flags = (masked(latents[name], known.get(name)) for name in (MOTION, PLAIN))
        whole = F.pad(flags, (0, 0, 0, 0, 0, 0, 0, 1 - flags.shape[1]))
        field = Field(self.motion_to_vectors(motion), rearrange(whole > 0.5, "b 1 t h w -> (b t) h w"))
        content, counts = latents[CONTENT], known.get(CONTENT)
        if self.corrections is None:
            coefficients = masked(content, counts)
        else:
            moves, deviation = self._moves(field, len(content)), self.transform.deviation
            coefficients, past = self.corrections.decode(content, counts, moves, past, deviation)
        straight = self.transform.inverse(rearrange(coefficients, "b k t h w -> (b t) h w k"), field.plain)
        patches = straight.unflatten(3, (self.stride.t, -1))
        return Decoded(self._groups(self.bent(patches, field), len(content)), past)

    def straightened(self, groups: Video, field: Field) -> Patches:
        """Groups moved onto their first frames, but for plain cells; cell by cell."""
        patches = video_to_patches(groups, self.stride).flatten(0, 1)
        return self._moved(patches.unflatten(3, (self.stride.t, -1)), field, sign=-1)

    def bent(self, straight: Patches, field: Field) -> Patches:
        """Undo `straightened` but for the order of pixels; `straight` is changed."""
        return self._moved(straight, field, sign=1)

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
        """What a stream remembers of one tile: what its networks do, if it has any."""
        return HeldPast(stored)

    @torch.no_grad()
    def encode_step(
        self, pixels_of: PixelsOf, past: HeldPast, *, cells: tuple[int, int], strip: int
    ) -> Encoded:
        """Encode one step of one tile."""
        encoded = self.encode_groups(pixels_of(slice(0, cells[0])), past.tensors)
        past.tensors = encoded.past
        return encoded._replace(past=None)

    @torch.no_grad()
    def decode_step(self, latents: Latents, past: HeldPast, known: Known, *, strip: int) -> Iterator[Rows]:
        """Decode one step of one tile."""
        decoded = self.decode_groups(latents, past.tensors, known)
        past.tensors = decoded.past
        yield Rows(slice(0, decoded.groups.shape[3] // self.stride.h), decoded.groups)

    def encoder_footprint(self) -> Footprint:
        """What a stream takes for the encoder."""
        return self._footprint(None if self.corrections is None else self.corrections.encoder)

    def decoder_footprint(self) -> Footprint:
        """What a stream takes for the decoder."""
        return self._footprint(None if self.corrections is None else self.corrections.decoder)

    def flops_per_pixel(self) -> float:
        """Operations of transform and networks, per pixel; those of the search are none of weights."""
        networks = sum(stack.multiplications for stack in self.networks())
        return 2 * (2 * self.transform.along.basis.numel() + networks) / prod(self.stride)

    def pixel_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """By how much one of each channel changes pixels; how much a vector does depends on the picture."""
        one = self.vector_deviation.new_ones(1)
        content = self._linear_units()
        if self.corrections is not None:
            content = content * self.corrections.latent_deviation
        return {MOTION: torch.ones_like(self.vector_deviation), PLAIN: one, CONTENT: content}

    def coding_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """Those of linear content, and for the others what makes a step a quarter of a pixel, and one."""
        units = dict(self.pixel_units())
        return units | {PLAIN: units[PLAIN] / FINENESS, CONTENT: self._linear_units()}

    def networks(self) -> Sequence[ResidualStack]:
        """The encoder and the decoder; none if it is linear."""
        return [] if self.corrections is None else [self.corrections.encoder, self.corrections.decoder]

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices of the blocks."""
        return [matrix for stack in self.networks() for matrix in stack.hidden_matrices()]

    def shard_units(self) -> list[nn.Module]:
        """The blocks."""
        return [block for stack in self.networks() for block in stack.blocks]

    def set_trainable(self, *, encoder: bool, transform: bool) -> None:
        """Let weights be trained; with the encoder frozen, the transform is frozen too."""
        self.requires_grad_()
        self.transform.requires_grad_(transform and encoder)
        if self.corrections is not None:
            self.corrections.encoder.requires_grad_(encoder)

    def standardise(self, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Say what mean and deviation corrected content has; linear content has 0 and 1."""
        if self.corrections is not None:
            self.corrections.standardise(*statistics[CONTENT])

    def narrowed(self, channels: int) -> "MotionModel":
        """The first channels of content as a model of their own, which decodes them as this one does.

        Raises:
            OptionError: it has fewer channels, or networks.
        """
        if self.corrections is not None:
            raise OptionError(
                f"the model has networks that know all {self.channels} channels, and {channels} are to be "
                "left. Train one of so many channels; its files keep fewer at any rate (--channels)."
            )
        if channels > self.channels:
            raise OptionError(
                f"the model to take over has {self.channels} channels and the new one {channels}; channels "
                "can only be left out. Give as many or fewer."
            )
        narrow = MotionModel(self.stride, channels=channels)
        narrow.transform = self.transform.narrowed(channels)
        narrow.vector_deviation.copy_(self.vector_deviation)
        return narrow

    def fault(self) -> str | None:
        """What is wrong with numbers that were just read; none if nothing is."""
        least = float(min(self.transform.deviation.min(), self.vector_deviation.min()))
        return None if least > 0 else f"a standard deviation is {least}; each is above zero"

    def _in_runs(self, groups: Video, motion: Latent | None, past: Past | None) -> Encoded:
        """Encode a few groups at a time."""
        t, h, w = self.stride
        cells = len(groups) * (groups.shape[3] // h) * (groups.shape[4] // w)
        at_once = max(1, WORK_CELLS // cells)
        runs = groups.split(at_once * t, dim=2)
        given = [None] * len(runs) if motion is None else motion.split(at_once, dim=2)
        encoded: list[Latents] = []
        for run, some in zip(runs, given, strict=True):
            latents, past = self._encoded(run, some, past)
            encoded.append(latents)
        whole = {name: torch.cat([run[name] for run in encoded], dim=2) for name in encoded[0]}
        return Encoded(whole, None, past)

    def _encoded(
        self, groups: Video, motion: Latent | None, past: Past | None
    ) -> tuple[Latents, Past | None]:
        field, clips = self._field(groups.detach(), motion), len(groups)
        straight = self.transform(self.straightened(groups, field).flatten(3), field.plain)
        content = rearrange(straight, "(b t) h w k -> b k t h w", b=clips)
        if self.corrections is not None:
            moves, deviation = self._moves(field, clips), self.transform.deviation
            content, past = self.corrections.encode(content, moves, past, deviation)
        plain = rearrange(field.plain, "(b t) h w -> b 1 t h w", b=clips)
        motion = self.vectors_to_motion(field.vectors, clips)
        return {MOTION: motion, PLAIN: plain.to(self.dtype), CONTENT: content}, past

    def _field(self, groups: Video, motion: Latent | None) -> Field:
        """The motion of groups, where it is not given; sums of whole numbers stay exact in any precision."""
        with torch.autocast(groups.device.type, enabled=False):
            if motion is None:
                return find_field(groups, self.stride.t, self.cell, self.worth)
            vectors = self.motion_to_vectors(motion)
            return Field(vectors, plain_cells(groups, vectors, self.cell))

    def _moves(self, field: Field, clips: int) -> Moves:
        """What the networks are told of motion."""
        vectors = field.vectors.masked_fill(field.plain[:, None, None], 0)
        motion = self.vectors_to_motion(vectors, clips) / column(self.vector_deviation)
        plain = rearrange(field.plain, "(b t) h w -> b 1 t h w", b=clips).to(self.dtype)
        return Moves(torch.cat([motion, plain], dim=1), vectors, self.cell)

    def _moved(self, patches: Patches, field: Field, *, sign: int) -> Patches:
        """Add or subtract what is displaced, in place."""
        vectors = field.vectors.masked_fill(field.plain[:, None, None], 0)
        flat = patches.flatten(0, 3)
        for some in displacements(patches, vectors, self.cell):
            # Each row at most once, so that the order of sums is always the same.
            flat.index_add_(0, some.rows, some.differences, alpha=sign)
        return patches

    def _groups(self, patches: Patches, clips: int) -> Video:
        """Frames, of their cells."""
        cells = rearrange(patches, "(b t) h w T d -> b t h w (T d)", b=clips)
        return patches_to_video(cells, self.stride, channels=3)

    @property
    def _reach(self) -> int:
        """Cells that vectors reach."""
        return ceil((REACH + TAPS) / min(self.cell))

    def _linear_units(self) -> Float[Tensor, " c"]:
        """By how much one of each channel of linear content changes pixels."""
        return self.transform.deviation[: self.channels]

    def _footprint(self, stack: ResidualStack | None) -> Footprint:
        """What a stream takes; with a network, also for a dozen tensors of its width."""
        item = self.dtype.itemsize
        whole = WORK * 3 * prod(self.stride) * item
        if stack is None:
            return Footprint(remembered=0, whole=whole, strip=0, most=1)
        remembered = stack.memory * stack.width * stack.dtype.itemsize
        return Footprint(remembered=remembered, whole=whole + 12 * stack.width * item, strip=0, most=1)
