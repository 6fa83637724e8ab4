"""Training structure and dynamics: the task that `tubelet train twin` gives to the loop."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from tubelet.data.batches_ahead import BatchesAhead
from tubelet.data.crops import Crops, open_crops
from tubelet.data.feed import Draw
from tubelet.losses.pair import Loss
from tubelet.losses.reconstruction import log_mse
from tubelet.losses.temporal import log_frame_difference
from tubelet.tokenizers.grouping import Grouping
from tubelet.train.loop import RunOptions, run_task
from tubelet.train.precision import autocast
from tubelet.train.progress_messages import progress_messages
from tubelet.train.start import filled, trained_tokenizer
from tubelet.train.state import TrainState
from tubelet.train.task import Outcome, Place, Term
from tubelet.train.tokenizer.batches import crop_facts
from tubelet.train.twin.config import TwinStage, TwinTrainConfig
from tubelet.train.twin.network import TwinNetwork, draw_known
from tubelet.train.twin.pairs import Pairs, draw_pairs, to_videos
from tubelet.types import Video

KIND = "twin"
"""What ``run.json`` says that a run trains."""

_LEADS = 8
"""Which stream of random numbers."""

_SAID_EVERY = 600
"""Windows that the linear model is fitted to."""


def train_twin(config: TwinTrainConfig, *, data: Path, options: RunOptions) -> TrainState:
    """Train a model of structure and dynamics on a folder of prepared crops and on rendered scenes.

    Args:
        config: the run.
        data: a folder that `tubelet prepare` made.
        options: where and how it runs.

    Raises:
        OptionError: there is no end, the data are too small, the batch does not split, or the run starts from
            a tokenizer that is another than the model says.
        CheckpointError: what it starts from cannot be read.
        TrainingError: gradients stayed bad, or a checkpoint cannot be taken up.
        OutputError: another process works in the folder, or the disk is full or refuses something.
    """
    task = TwinTask(config, open_crops(data), data=data, on_message=options.on_message)
    return run_task(task, options)


@final
class TwinTask:
    """A model that learns to give clips back, with its own dynamics, with none, and with those of another.

    Args:
        config: the run.
        crops: what it is trained on, beside rendered scenes.
        data: the folder of the crops.
        on_message: called with a line now and then while the linear model is fitted.

    Raises:
        OptionError: windows of a stage do not fit into the crops.
    """

    def __init__(
        self,
        config: TwinTrainConfig,
        crops: Crops,
        *,
        data: Path,
        on_message: Callable[[str], None] = lambda _: None,
    ) -> None:
        for stage in config.stages:
            Draw(batch=2 * stage.batch, frames=stage.frames, side=stage.side).check(crops)
        self.config = config
        self._crops = crops
        self._data = data
        self._on_message = on_message

    def facts(self) -> dict[str, Any]:
        """The crops, and the clips that they are from."""
        return crop_facts(self._crops, self._data) | {"trains": KIND}

    def start(self) -> TwinNetwork:
        """A model that was trained, or the linear one with networks around it that change nothing yet."""
        config = self.config
        if config.start is None:
            said = progress_messages(
                self._on_message, "windows for the start are looked at", every=_SAID_EVERY
            )
            model = config.model.start(self._crops, seed=config.seed, on_window=said)
        else:
            model = filled(config.model.build(), trained_tokenizer(config.start, config.model))
        return TwinNetwork(model, config.model)

    def build(self) -> TwinNetwork:
        """A network of no data yet."""
        return TwinNetwork(self.config.model.build(), self.config.model)

    def discriminator(self) -> None:
        """None is trained."""

    def hidden_matrices(self, network: TwinNetwork) -> list[nn.Parameter]:
        """Those of the model's networks."""
        return network.model.hidden_matrices()

    def shard_units(self, network: TwinNetwork) -> list[nn.Module]:
        """The blocks of the model's networks."""
        return network.model.shard_units()

    def stage_at(self, progress: float) -> TwinStage:
        """The stage in which a run is."""
        return self.config.stage_at(progress)

    def set_trainable(self, network: TwinNetwork, stage: TwinStage | None) -> None:
        """Freeze the linear model, and the encoder where the stage does not train it."""
        encoder = stage is None or stage.encoder
        network.model.set_trainable(encoder=encoder, transform=False)
        network.naming.requires_grad_(encoder)

    def batches(self, stage: TwinStage, *, first: int, indices: range) -> BatchesAhead[Pairs]:
        """Pairs of windows of the crops, and of rendered scenes."""
        return BatchesAhead(
            lambda step: draw_pairs(self._crops, self.config, stage, step=step, indices=indices), first=first
        )

    def outcome(
        self,
        network: TwinNetwork,
        model: nn.Module,
        batch: Pairs,
        place: Place,
        discriminator: nn.Module | None,
    ) -> Outcome:
        """How far clips are that come back, stand still, and are moved as others are."""
        del discriminator
        config, device = self.config, network.tokenizer.device
        encoder = self.stage_at(place.progress).encoder
        clips, truth, labels = to_videos(batch, device)
        random = np.random.default_rng((config.seed, place.iteration, _LEADS))
        lead_frame = bool(random.random() < config.lead)
        if not lead_frame:
            # A frame less, so that chunks are whole.
            clips, truth = clips[:, :, 1:], truth[:, :, 1:]
        grouping = Grouping(stride=network.tokenizer.stride, lead_frame=lead_frame)
        known = draw_known(
            config,
            network.model.parts,
            grouping.steps(clips.shape[2]),
            step=place.iteration,
            indices=place.indices,
        )
        known = {name: counts.to(device) for name, counts in known.items()}
        with autocast(device, bfloat16=config.bfloat16):
            shown = model(clips, truth if encoder else truth[:0], known, labels, lead_frame=lead_frame)
        terms = self._terms("", 1.0, clips, shown.back)
        terms |= self._terms("structure_", config.structure, shown.mean, shown.still)
        if len(truth):
            terms |= self._terms("swap_", config.swap, truth, shown.swapped)
        if encoder:
            terms["unnamed"] = Term(config.named, shown.unnamed)
            terms["told"] = Term(config.untold, shown.told)
        return Outcome(terms=terms)

    @torch.no_grad()
    def pictures(self, network: TwinNetwork) -> dict[str, Tensor]:
        """A pair of scenes, what comes back of it, its true swap, and what comes of that."""
        stage = self.config.stages[0]
        config = self.config
        pairs = draw_pairs(self._crops, config, stage, step=0, indices=range(stage.batch))
        if not len(pairs.swapped):
            return {}
        one = Pairs(pairs.clips[-2:], pairs.swapped[-2:], pairs.labels[-2:])
        clips, truth, labels = to_videos(one, network.tokenizer.device)
        known = draw_known(
            config,
            network.model.parts,
            network.tokenizer.grouping.steps(clips.shape[2]),
            step=0,
            indices=range(1),
        )
        whole = {
            part.name: torch.full_like(known[part.name], part.channels, device=clips.device)
            for part in network.model.parts
        }
        shown = network(clips, truth, whole, labels, lead_frame=network.tokenizer.lead_frame)
        rows = (clips, shown.back, truth, shown.swapped)
        strip = torch.cat([rearrange(row[:, :, ::4], "b c T H W -> c (b H) (T W)") for row in rows], dim=1)
        return {"swap": strip.clamp(-1, 1) / 2 + 0.5}

    def _terms(self, name: str, factor: float, reference: Video, video: Video) -> dict[str, Term]:
        """The losses of reconstruction between two clips, under names that begin with this."""
        config = self.config
        losses: dict[str, tuple[float, Loss]] = {
            "log_mse": (config.log_mse, log_mse(reference, video, floor=config.log_floor)),
            "log_difference": (
                config.log_difference,
                log_frame_difference(reference, video, floor=config.log_floor),
            ),
        }
        return {name + each: Term(factor * weight, loss) for each, (weight, loss) in losses.items()}
