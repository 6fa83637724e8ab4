"""Structure and dynamics: what is seen once for each chunk of frames, and how it moves at each step of it.

```text
chunk ─┬─ mean of its frames ─ KLT ─ + ─ structure ─ KLT⁻¹ ─ still frame ─┐
       └─ network of each frame ─ mean ┘                                   │
step ── less the still frame ─ patches ─┬─ rows and columns of windows ─ + ─ dynamics
                                        └─ network ─ means of windows ─── ┘
```

The structure is a mean over the frames of a chunk of what each says by itself, so their order is not in it.
The dynamics of a step see that step and the structure (the scope of TivTok, arXiv:2606.17590). The networks'
last layers start at zero: an untrained model is the linear one that `start` fits.
"""

from collections.abc import Mapping, Sequence
from math import ceil, pi, prod, sqrt
from typing import NamedTuple, final

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.models.protocol import Decoded, Encoded, Footprint, Past
from tubelet.models.twin.codes import Codes
from tubelet.models.twin.factors import (
    PASSES,
    SIDE,
    WindowFactors,
    mean_of_columns,
    mean_of_rows,
    over_columns,
    over_rows,
    products_of,
)
from tubelet.models.whole_tile import WholeTileModel
from tubelet.nn.blocks import ResidualStack
from tubelet.nn.klt import KLT
from tubelet.nn.prefix import PrefixFeatures, column
from tubelet.types import Known, Latent, Latents, Part, Stride, Video

STRUCTURE, ROWS, COLUMNS = "structure", "rows", "columns"

PATCH = Stride(4, 8, 8)
"""Frames and pixels of a position of the networks."""

STEPS = 4
"""Steps of dynamics in a chunk."""

WINDOW = Stride(PATCH.t * STEPS, PATCH.h * SIDE, PATCH.w * SIDE)
"""A chunk of one window: the step of one cell of the model."""

STILL = Stride(1, 16, 16)
"""Pixels of a position of the structure, in the still frame that it gives."""

PLACES = 4
"""Numbers that tell a network where in its window a position lies."""

_PHASES = prod(STILL) // prod(PATCH[1:])
"""Positions of the networks in one of the structure."""


class Networks(NamedTuple):
    """What corrects the linear model; without any it is linear."""

    structure: ResidualStack
    dynamics: ResidualStack
    decoder: ResidualStack


@final
class TwinModel(WholeTileModel):
    """Three parts: the structure of a chunk, and the rows and columns of windows at each step.

    A step of the model is a chunk of four steps of dynamics, and a cell a window of 64 x 64 pixels.

    Attributes:
        dynamics: the parts that say how things move; `tubelet.swap` takes them of another clip.
        still: the mean frame of a chunk to structure, and back.
        patches: features of what a step differs by from the still frame.
        factors: these features as rows and columns of windows.
        codes: units of each part.
        scale: deviation of each feature.
        left: deviation of what the linear model leaves of each feature.
    """

    def __init__(
        self,
        *,
        structure: int,
        dynamics: int,
        features: int,
        networks: Networks | None,
    ) -> None:
        parts = (
            Part(STRUCTURE, structure, Stride(WINDOW.t, STILL.h, STILL.w)),
            Part(ROWS, dynamics, Stride(PATCH.t, PATCH.h, WINDOW.w)),
            Part(COLUMNS, dynamics, Stride(PATCH.t, WINDOW.h, PATCH.w)),
        )
        super().__init__(parts, stride=WINDOW)
        self.dynamics = (ROWS, COLUMNS)
        self.still = KLT(STILL, inputs=3, outputs=structure)
        self.patches = KLT(PATCH, inputs=3, outputs=features)
        self.factors = WindowFactors(features=features, channels=dynamics)
        self.codes = nn.ModuleDict({part.name: Codes(part.channels) for part in parts})
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("left", torch.ones(features))
        self.scale: Tensor
        self.left: Tensor
        self.structure_network, self.dynamics_network, self.decoder = networks or (None, None, None)
        if networks is not None:
            seen = networks.structure.radius + networks.dynamics.radius
            self.encoder_halo = ceil(seen / SIDE)
            self.decoder_halo = ceil(networks.decoder.radius / SIDE)
            self.warm_up = ceil(networks.decoder.memory / STEPS)

    @staticmethod
    def network_sizes(*, structure: int, dynamics: int, features: int) -> dict[str, tuple[int, int]]:
        """Channels that go into each network and come out, by the names in `Networks`."""
        told = structure + 1 + 2 * (dynamics + 1) + dynamics**2
        return {
            "structure": (3 * prod(PATCH[1:]) + PLACES, _PHASES * structure),
            "dynamics": (2 * features + PLACES, 2 * dynamics),
            "decoder": (2 * features + told + PLACES, features),
        }

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        """Encode consecutive whole chunks of whole windows; none depends on the others."""
        structure = self._structure(groups)
        still = self._features_of_still(self.still.inverse(self.codes_of(STRUCTURE).linear(structure)))
        field = self.patches(groups) - still
        scaled = {STRUCTURE: structure}
        for name, linear in zip(self.dynamics, self.factors.codes(field), strict=True):
            scaled[name] = self.codes_of(name).scaled(linear)
        if self.dynamics_network is not None:
            inputs = torch.cat([field, still], dim=1) / column(self.scale.repeat(2))
            correction, _ = self.dynamics_network(_placed(inputs), None)
            rows, columns = correction.chunk(2, dim=1)
            scaled[ROWS] = scaled[ROWS] + self.codes_of(ROWS).correction_scale() * mean_of_rows(rows)
            corrected = self.codes_of(COLUMNS).correction_scale() * mean_of_columns(columns)
            scaled[COLUMNS] = scaled[COLUMNS] + corrected
        latents = {part.name: self.codes_of(part.name).standardised(scaled[part.name]) for part in self.parts}
        return Encoded(latents, None, None)

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        """Decode consecutive whole chunks; missing numbers are zero, the best guess of the linear model."""
        shown = {name: self.codes_of(name).shown(latent, known.get(name)) for name, latent in latents.items()}
        linear = {name: self.codes_of(name).linear(features.skip) for name, features in shown.items()}
        still = self.still.inverse(linear[STRUCTURE])
        field = self.factors.field_of_rows(linear[ROWS]) + self.factors.field_of_columns(linear[COLUMNS])
        if self.decoder is not None:
            images = torch.cat([self._features_of_still(still), field], dim=1)
            correction, past = self.decoder(self._decoder_inputs(shown, images), past)
            field = field + column(self.left) * correction
        return Decoded(still.repeat_interleave(WINDOW.t, dim=2) + self.patches.inverse(field), past)

    def encoder_footprint(self) -> Footprint:
        """What a stream takes for the encoder; its first network sees every frame."""
        width = 0 if self.structure_network is None else self.structure_network.width
        return self._taking(positions=WINDOW.t * SIDE**2, width=width, videos=6, remembered=0)

    def decoder_footprint(self) -> Footprint:
        """What a stream takes for the decoder."""
        stack = self.decoder
        width = 0 if stack is None else stack.width
        remembered = 0 if stack is None else stack.memory * SIDE**2 * width * stack.dtype.itemsize
        return self._taking(positions=STEPS * SIDE**2, width=width, videos=8, remembered=remembered)

    def flops_per_pixel(self) -> float:
        """Operations to encode and decode a pixel: two per multiplication of a weight, all channels kept."""
        patch = prod(PATCH)
        each = 2 * self.still.basis.numel() / prod(STILL) / WINDOW.t + 3 * self.patches.basis.numel() / patch
        # Fitted in passes, and summed up: a profile for each row and column of a window.
        strips = (4 * PASSES + 2) * self.factors.rows.numel() * SIDE / (patch * SIDE**2)
        weights = each + strips
        for stack, pixels in zip(self.networks(), (prod(PATCH[1:]), patch, patch), strict=False):
            weights += stack.multiplications / pixels
        return 2 * weights

    def pixel_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """By how much one of each channel changes pixels."""
        return {name: unit * self.codes_of(name).deviation for name, unit in self.coding_units().items()}

    def coding_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """Those of the linear model; its structure changes every frame of a chunk alike."""
        frames = {STRUCTURE: sqrt(WINDOW.t)}
        return {part.name: frames.get(part.name, 1.0) * self.codes_of(part.name).unit for part in self.parts}

    def networks(self) -> Sequence[ResidualStack]:
        """Those that correct the linear model."""
        every = (self.structure_network, self.dynamics_network, self.decoder)
        return [stack for stack in every if stack is not None]

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices of the blocks."""
        return [matrix for stack in self.networks() for matrix in stack.hidden_matrices()]

    def shard_units(self) -> list[nn.Module]:
        """The blocks."""
        return [block for stack in self.networks() for block in stack.blocks]

    def set_trainable(self, *, encoder: bool, transform: bool) -> None:
        """Let weights be trained; with the encoder frozen, the linear model is frozen too."""
        self.requires_grad_()
        for linear in (self.still, self.patches, self.factors):
            linear.requires_grad_(transform and encoder)
        for stack in (self.structure_network, self.dynamics_network):
            if stack is not None:
                stack.requires_grad_(encoder)

    def standardise(self, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Say what mean and deviation the channels of each part have; from then on they have 0 and 1."""
        for name, (mean, deviation) in statistics.items():
            self.codes_of(name).standardise(mean, deviation)

    def fault(self) -> str | None:
        """What is wrong with numbers that were just read; none if nothing is."""
        least = min(
            float(each.min())
            for name in (part.name for part in self.parts)
            for each in (self.codes_of(name).unit, self.codes_of(name).deviation)
        )
        least = min(least, float(self.scale.min()))
        return None if least > 0 else f"a standard deviation is {least}; each is above zero"

    def structure_of(self, groups: Video) -> Latent:
        """The structure alone of consecutive whole chunks of whole windows, as `encode_groups` gives it."""
        return self.codes_of(STRUCTURE).standardised(self._structure(groups))

    def _structure(self, groups: Video) -> Latent:
        """The structure in the unit of networks: a mean over frames of what each says by itself."""
        codes = self.codes_of(STRUCTURE)
        scaled = codes.scaled(self.still(reduce(groups, "b c (t f) H W -> b c t H W", "mean", f=WINDOW.t)))
        if self.structure_network is None:
            return scaled
        frames = rearrange(groups, "b c T (h p) (w q) -> b (p q c) T h w", p=PATCH.h, q=PATCH.w)
        said, _ = self.structure_network(_placed(frames), None)
        said = reduce(said, "b d (t f) h w -> b d t h w", "mean", f=WINDOW.t)
        # Each position of the networks speaks of its own quarter of a position of the structure.
        side = STILL.h // PATCH.h
        quarters = rearrange(
            said, "b (p q c) t (h i) (w j) -> p q i j b c t h w", p=side, q=side, i=side, j=side
        )
        own = sum(quarters[p, q, p, q] for p in range(side) for q in range(side))
        return scaled + codes.correction_scale() * own

    def _features_of_still(self, still: Float[Tensor, "b 3 _ H W"]) -> Latent:
        """The features of steps that show a still frame."""
        return _over_steps(self.patches(still.repeat_interleave(PATCH.t, dim=2)))

    def _decoder_inputs(
        self, shown: Mapping[str, PrefixFeatures], images: Latent
    ) -> Float[Tensor, "b d t h w"]:
        """All that is known at the positions of the decoder's network."""
        side = STILL.h // PATCH.h
        structure = shown[STRUCTURE].inputs.repeat_interleave(side, dim=3).repeat_interleave(side, dim=4)
        told = [
            images / column(self.scale.repeat(2)),
            _over_steps(structure),
            over_rows(shown[ROWS].inputs),
            over_columns(shown[COLUMNS].inputs),
            products_of(shown[ROWS].skip, shown[COLUMNS].skip),
        ]
        return _placed(torch.cat(told, dim=1))

    def codes_of(self, name: str) -> Codes:
        """The units of a part."""
        codes = self.codes[name]
        assert isinstance(codes, Codes)
        return codes

    def _taking(self, *, positions: int, width: int, videos: int, remembered: int) -> Footprint:
        item = self.dtype.itemsize
        # A block holds about eight tensors of its width at once.
        whole = videos * 3 * prod(WINDOW) * item + 8 * positions * width * item
        return Footprint(remembered=remembered, whole=whole, strip=0, most=1)


def _over_steps(chunks: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c _ h w"]:
    """What holds for chunks at each of their steps."""
    return chunks.repeat_interleave(STEPS, dim=2)


def _placed(x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h w"]:
    """Features, and where in its window each position lies; windows begin where cells do."""
    turn = 2 * pi / SIDE * (torch.arange(SIDE, device=x.device, dtype=x.dtype) + 0.5)
    wave = torch.stack([turn.cos(), turn.sin()])
    b, _, t, h, w = x.shape
    rows = rearrange(wave.repeat(1, h // SIDE), "c h -> 1 c 1 h 1").expand(b, 2, t, h, w)
    columns = rearrange(wave.repeat(1, w // SIDE), "c w -> 1 c 1 1 w").expand(b, 2, t, h, w)
    return torch.cat([x, rows, columns], dim=1)
