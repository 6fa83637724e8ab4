"""What an iteration runs: clips there and back, by their structure alone, and with exchanged dynamics."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.models.twin.config import TwinConfig
from tubelet.models.twin.model import STRUCTURE, WINDOW, TwinModel
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.grouping import Grouping
from tubelet.train.twin.config import TwinTrainConfig
from tubelet.train.twin.naming import Labels, Naming
from tubelet.types import Counts, Known, Latents, Part, Video

_DROPS = 7
"""Which stream of random numbers: those of the clips are others."""


Swaps = Float[Tensor, "rendered 3 T H W"]
"""Rendered swaps as model input."""


class Shown(NamedTuple):
    """What comes back of a batch, and what it should be.

    Attributes:
        back: of each clip, from what the decoder got of its latent.
        still: of the first clip of each pair, from its structure alone.
        mean: what that should be: the mean frame of each chunk, in place of its frames.
        swapped: of each clip of the last pairs, its structure with the dynamics of its partner.
        unnamed: how badly the things of the last pairs and their swaps are named from their structure.
        told: how badly those of the last pairs from their dynamics; see `Naming`.
    """

    back: Video
    still: Video
    mean: Video
    swapped: Video
    unnamed: Float[Tensor, ""]
    told: Float[Tensor, ""]


class TwinNetwork(nn.Module):
    """Encode pairs of clips and decode them in three ways: one call, because DDP and FSDP watch calls.

    Attributes:
        tokenizer: what is trained.
        model: its model.
        naming: tells what is seen in rendered clips from their latents; no part of the model.
    """

    def __init__(self, model: TwinModel, config: TwinConfig) -> None:
        super().__init__()
        self.tokenizer = ContinuousTokenizer(model, lead_frame=config.lead_frame, config=config)
        self.naming = Naming(model.parts)

    @property
    def model(self) -> TwinModel:
        """The tokenizer's model."""
        model = self.tokenizer.model
        assert isinstance(model, TwinModel)
        return model

    def forward(self, clips: Video, truth: Swaps, known: Known, labels: Labels, *, lead_frame: bool) -> Shown:
        """Reconstruct clips.

        Args:
            clips: the two of each pair side by side.
            known: what the decoder gets of the latent of each, to give the clip back.
            truth: rendered swaps of the last clips, which are rendered: each with the motion of its partner.
                Without any the last clips alone are named.
            labels: of the last clips, and so of their swaps.
            lead_frame: whether the first frame is a chunk of its own.
        """
        rendered, (frames, height, width) = len(labels), clips.shape[2:]
        grouping = Grouping(stride=WINDOW, lead_frame=lead_frame)
        groups = grouping.group(clips)
        latents = self.model.encode_groups(groups, None).latents
        firsts = torch.arange(0, len(clips), 2)
        last = torch.arange(len(clips) - rendered, len(clips))
        scenes = _some(latents, last)
        alone = {
            name: torch.zeros_like(counts[firsts]) for name, counts in known.items() if name != STRUCTURE
        }
        # All at once: what is dropped is not looked at.
        together = [
            (latents, known),
            (_some(latents, firsts), alone),
            (swapped(scenes, _some(latents, last ^ 1), self.model.dynamics), {}),
        ]
        decoded = self.model.decode_groups(*_joined(together, self.model.parts)).groups
        back, still, moved = (
            grouping.ungroup(each, frames=frames, height=height, width=width)
            for each in decoded.split([len(clips), len(firsts), rendered])
        )
        mean = reduce(groups[firsts], "b c (t f) H W -> b c t H W", "mean", f=WINDOW.t)
        mean = grouping.ungroup(
            mean.repeat_interleave(WINDOW.t, dim=2), frames=frames, height=height, width=width
        )
        named = scenes[STRUCTURE]
        if len(truth):
            named = torch.cat([named, self.model.structure_of(grouping.group(truth))])
        return Shown(
            back,
            still,
            mean,
            moved,
            unnamed=self.naming.of_structure(named, torch.cat([labels, labels[: len(truth)]])),
            told=self.naming.of_dynamics(scenes, labels),
        )


def swapped(latents: Latents, others: Latents, dynamics: Sequence[str]) -> Latents:
    """Latents with the dynamics of others."""
    return {name: others[name] if name in dynamics else latent for name, latent in latents.items()}


def draw_known(
    config: TwinTrainConfig, parts: Sequence[Part], steps: int, *, step: int, indices: range
) -> Known:
    """What the decoder gets of both clips of some pairs: for each part how many channels each step has.

    Args:
        config: of the run.
        parts: of the model; the first has one step for each chunk.
        steps: chunks of a clip.
        step: iteration of the run.
        indices: which pairs of the batch.
    """
    maps: dict[str, list[np.ndarray]] = {part.name: [] for part in parts}
    for clip in (2 * index + each for index in indices for each in range(2)):
        random = np.random.default_rng((config.seed, step, clip, _DROPS))
        shortened = random.random() < config.prefixes
        dropped = random.random(steps * WINDOW.t // parts[-1].stride.t) < config.dropped
        for part in parts:
            most = part.channels
            count = int(random.integers(1, most + 1)) if shortened else most
            length = steps * WINDOW.t // part.stride.t
            counts = np.full(length, count)
            maps[part.name].append(counts if part.name == STRUCTURE else np.where(dropped, 0, counts))
    return {
        name: rearrange(torch.from_numpy(np.stack(each)), "b t -> b 1 t 1 1") for name, each in maps.items()
    }


def _some(latents: Latents, clips: Tensor) -> Latents:
    return {name: latent[clips] for name, latent in latents.items()}


def _joined(runs: Sequence[tuple[Latents, Known]], parts: Sequence[Part]) -> tuple[Latents, None, Known]:
    """Several batches of latents, and what is known of them, as one; what is not said is known whole."""
    latents = {part.name: torch.cat([run[part.name] for run, _ in runs]) for part in parts}

    def counts(part: Part) -> Counts:
        every: list[Tensor] = []
        for run, known in runs:
            latent = run[part.name]
            whole = latent.new_full((len(latent), 1, latent.shape[2], 1, 1), part.channels, dtype=torch.long)
            every.append(known.get(part.name, whole))
        return torch.cat(every)

    return latents, None, {part.name: counts(part) for part in parts}
