"""Training a flow on prepared crops: the task that `tubelet train flow` gives to the loop."""

from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from tubelet.data.batches_ahead import BatchesAhead
from tubelet.data.crops import Crops, open_crops
from tubelet.data.feed import Batch as Windows
from tubelet.data.feed import Draw, crop_feed
from tubelet.train.flow.config import FlowStage, FlowTrainConfig
from tubelet.train.flow.losses import sample_terms, velocity_loss
from tubelet.train.flow.network import FlowNetwork, Frozen
from tubelet.train.flow.start import deepened
from tubelet.train.loop import RunOptions, run_task
from tubelet.train.perceptual import read_perceptual
from tubelet.train.precision import autocast
from tubelet.train.start import trained_tokenizer
from tubelet.train.state import TrainState
from tubelet.train.task import Outcome, Place, Term
from tubelet.train.tokenizer.batches import crop_facts, to_video
from tubelet.train.tokenizer.draws import draw_counts, draw_noise
from tubelet.types import Video
from tubelet.video.pixels import to_model

KIND = "flow"
"""What ``run.json`` says that a run trains."""

_TIMES, _STEPS = 9, 10
"""Which streams of random numbers: those of the clips, their channels and the noise are others."""

_LATEST = 0.97
"""Times are drawn up to here: what little noise is left at the end, the last step ignores."""

_PICTURE_STEPS = 4


def train_flow(config: FlowTrainConfig, *, data: Path, options: RunOptions) -> TrainState:
    """Train a flow on a folder of prepared crops.

    Args:
        config: the run.
        data: a folder that `tubelet prepare` made.
        options: where and how it runs.

    Raises:
        OptionError: there is no end, the data are too small, the batch does not split, or the tokenizer that
            is refined is another than the model says.
        CheckpointError: the perceptual network, or a tokenizer, cannot be read.
        TrainingError: gradients stayed bad, or a checkpoint cannot be taken up.
        OutputError: another process works in the folder, or the disk is full or refuses something.
    """
    return run_task(FlowTask(config, open_crops(data), data=data), options)


@final
class FlowTask:
    """A flow that learns what the frames of a frozen tokenizer lack.

    Args:
        config: the run.
        crops: what it is trained on.
        data: the folder of the crops.

    Raises:
        OptionError: windows of a stage do not fit into the crops, or the perceptual network is not named.
        CheckpointError: it cannot be read.
    """

    def __init__(self, config: FlowTrainConfig, crops: Crops, *, data: Path) -> None:
        for stage in config.stages:
            _draw(config, stage).check(crops)
        self.config = config
        self._crops = crops
        self._data = data
        self._perceptual = read_perceptual(config)

    def facts(self) -> dict[str, Any]:
        """The crops, and the clips that they are from."""
        return crop_facts(self._crops, self._data) | {"trains": KIND}

    def start(self) -> FlowNetwork:
        """A flow that was trained, or one that gives noise of the right size around the frozen tokenizer."""
        config = self.config
        if config.start is not None:
            trained = trained_tokenizer(config.start, config.model, fewer=("blocks",))
            model = deepened(config.model.build(), trained.weights())
        else:
            base = trained_tokenizer(config.base, config.model.base)
            model = config.model.start(self._crops, seed=config.seed, linear=base.model)
        model.refiner.deviation *= config.noise
        return FlowNetwork(model, config.model)

    def build(self) -> FlowNetwork:
        """A network of no data yet."""
        return FlowNetwork(self.config.model.build(), self.config.model)

    def discriminator(self) -> None:
        """None is trained."""

    def hidden_matrices(self, network: FlowNetwork) -> list[nn.Parameter]:
        """Those of the flow."""
        return network.model.hidden_matrices()

    def shard_units(self, network: FlowNetwork) -> list[nn.Module]:
        """The blocks."""
        return network.model.shard_units()

    def stage_at(self, progress: float) -> FlowStage:
        """The stage in which a run is."""
        return self.config.stage_at(progress)

    def set_trainable(self, network: FlowNetwork, stage: FlowStage | None) -> None:
        """Freeze all but the flow."""
        del stage
        network.model.set_trainable(encoder=False, transform=False)

    def batches(self, stage: FlowStage, *, first: int, indices: range) -> BatchesAhead[Windows]:
        """Random windows of the crops."""
        return crop_feed(
            self._crops, _draw(self.config, stage), seed=self.config.seed, first_step=first, indices=indices
        )

    def outcome(
        self,
        network: FlowNetwork,
        model: nn.Module,
        batch: Windows,
        place: Place,
        discriminator: nn.Module | None,
    ) -> Outcome:
        """How far velocities are from the true ones, and what the sampler makes from the clips."""
        del discriminator
        config, clips = self.config, to_video(batch, network.tokenizer.device)
        frozen = self._frozen(network, clips, place)
        terms: dict[str, Term] = {}
        if config.losses.velocity:
            terms["velocity"] = Term(
                config.losses.velocity, self._velocity_loss(network, model, frozen, place)
            )
        if config.losses.of_samples:
            back = self._sampled(network, model, frozen, clips, place)
            if self._perceptual is not None:
                self._perceptual.to(clips.device)
            terms |= sample_terms(config, clips, back, place, perceptual=self._perceptual)
        return Outcome(terms=terms)

    @torch.no_grad()
    def pictures(self, network: FlowNetwork) -> dict[str, Tensor]:
        """Middle frames of fixed crops: as they are, decoded from the fewest channels, and refined."""
        crops, channels = self._crops, min(self.config.prefixes.counts)
        frames = min(9, crops.frames)
        clips = torch.cat([to_model(crops[i][:frames].copy()) for i in (0, len(crops) // 2, len(crops) - 1)])
        clips = clips.to(network.tokenizer.device)
        size = dict(zip(("frames", "height", "width"), clips.shape[2:], strict=True))
        latent = network.tokenizer.encode(clips, channels=channels)
        rows = [clips, *(network.tokenizer.refined(n).decode(latent, **size) for n in (0, _PICTURE_STEPS))]
        strip = torch.cat([rearrange(row[:, :, frames // 2], "b c H W -> c H (b W)") for row in rows], dim=1)
        return {"refined": strip.clamp(-1, 1) / 2 + 0.5}

    def _frozen(self, network: FlowNetwork, clips: Video, place: Place) -> Frozen:
        """What the frozen tokenizer makes of the channels that this iteration leaves it."""
        grid = network.tokenizer.grouping.grid(*clips.shape[2:])
        counts = draw_counts(
            self.config.prefixes,
            seed=self.config.seed,
            step=place.iteration,
            indices=place.indices,
            cells=grid,
            channels=network.tokenizer.channels,
        )
        return network.frozen(clips, counts.to(clips.device))

    def _noise(self, frozen: Frozen, place: Place, *, steps: int) -> Tensor:
        """Noise for each clip, for this many latent steps."""
        _, channels, _, height, width = frozen.residual.shape
        shape = (channels, steps, height, width)
        drawn = draw_noise(
            shape, 1.0, even=True, seed=self.config.seed, step=place.iteration, indices=place.indices
        )
        return drawn.to(frozen.residual.device)

    def _velocity_loss(self, network: FlowNetwork, model: nn.Module, frozen: Frozen, place: Place) -> Tensor:
        """Squared error of the velocity between noise and residual, at a time of its own for each clip."""
        noise = self._noise(frozen, place, steps=frozen.residual.shape[2])
        drawn = [
            np.random.default_rng((self.config.seed, place.iteration, index, _TIMES)).uniform(0, _LATEST)
            for index in place.indices
        ]
        time = torch.tensor(drawn, dtype=noise.dtype, device=noise.device).reshape(-1, 1, 1, 1, 1)
        state = (1 - time) * noise + time * frozen.residual
        with autocast(noise.device, bfloat16=self.config.bfloat16):
            end = model(state, frozen, time=time, steps=1)
        return velocity_loss(network, frozen, (end - state) / (1 - time), frozen.residual - noise)

    def _sampled(
        self, network: FlowNetwork, model: nn.Module, frozen: Frozen, clips: Video, place: Place
    ) -> Video:
        """What the sampler makes, in a number of steps that is drawn for the batch."""
        noise = self._noise(frozen, place, steps=1).expand_as(frozen.residual)
        random = np.random.default_rng((self.config.seed, place.iteration, 0, _STEPS))
        steps = int(random.choice(self.config.steps))
        time = torch.zeros((len(noise), 1, 1, 1, 1), dtype=noise.dtype, device=noise.device)
        with autocast(noise.device, bfloat16=self.config.bfloat16):
            residual = model(noise, frozen, time=time, steps=steps)
        return network.to_video(frozen, residual, clips)


def _draw(config: FlowTrainConfig, stage: FlowStage) -> Draw:
    return Draw(batch=stage.batch, frames=stage.frames, side=stage.side, scenes=config.scenes)
