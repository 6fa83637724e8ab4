"""Training a prior on the symbols of crops: the task that `tubelet train prior` gives to the loop."""

from functools import partial
from pathlib import Path
from typing import Any, final

import torch
from einops import rearrange
from torch import Tensor, nn

from tubelet.data.batches_ahead import BatchesAhead
from tubelet.data.crops import Crops, open_crops
from tubelet.train.loop import RunOptions, run_task
from tubelet.train.precision import autocast
from tubelet.train.prior.config import PriorStage, PriorTrainConfig
from tubelet.train.prior.draws import draw_window, to_symbols
from tubelet.train.prior.latents import Latents, encode_crops
from tubelet.train.prior.network import Cost, PriorNetwork, Symbols, groups_of
from tubelet.train.prior.start import go_on_from, read_start
from tubelet.train.progress_messages import progress_messages
from tubelet.train.state import TrainState
from tubelet.train.task import Outcome, Place, Term

_LEAST_BITS = 0.1
_SAMPLES = 256


def train_prior(config: PriorTrainConfig, *, data: Path, options: RunOptions) -> TrainState:
    """Train a prior on a folder of prepared crops.

    Args:
        config: the run.
        data: a folder that `tubelet prepare` made.
        options: where and how it runs; the latents of the crops are kept in its folder.

    Raises:
        OptionError: there is no end, or a prior cannot be for this tokenizer.
        CheckpointError: the tokenizer cannot be read.
        TrainingError: gradients stayed bad, or a checkpoint cannot be taken up.
        OutputError: another process works in the folder, or the disk is full or refuses something.
    """
    if config.start is not None and not options.resume:
        read_start(config.start, hidden=config.hidden)  # before minutes of encoding
    crops = open_crops(data)
    options.folder.mkdir(parents=True, exist_ok=True)
    said = progress_messages(options.on_message, "crops are encoded", every=200)
    latents = encode_crops(config, crops, options.folder, on_crop=said)
    return run_task(PriorTask(config, latents, crops=crops, data=data), options)


@final
class PriorTask:
    """A prior that learns to say what symbols come next.

    Args:
        config: the run.
        latents: of the crops.
        crops: where they are from.
        data: the folder of the crops.
    """

    def __init__(self, config: PriorTrainConfig, latents: Latents, *, crops: Crops, data: Path) -> None:
        self.config = config
        self._latents = latents
        self._crops = crops
        self._data = data

    def facts(self) -> dict[str, Any]:
        """The crops, the clips that they are from, and the tokenizer."""
        known = self._latents.tokenizer
        return {
            "data": self._crops.settings,
            "folder": str(self._data.resolve()),
            "clips": [clip.name for clip in self._crops.clips],
            "crops": len(self._latents.values),
            "tokenizer_sha256": known.sha256,
        }

    def start(self) -> PriorNetwork:
        """Networks that expect of every channel what it has in the mean, or what the run starts from."""
        network = self._network(_scales(self._latents))
        if self.config.start is None:
            return network
        return go_on_from(self.config.start, network, hidden=self.config.hidden)

    def build(self) -> PriorNetwork:
        """Networks that expect nothing yet."""
        return self._network(torch.zeros(self._latents.values.shape[1]))

    def discriminator(self) -> None:
        """None is trained."""

    def hidden_matrices(self, network: PriorNetwork) -> list[nn.Parameter]:
        """The matrices between hidden layers."""
        return [group.second for group in (*network.networks, network.map)]

    def shard_units(self, network: PriorNetwork) -> list[nn.Module]:
        """The networks of the groups."""
        return list(network.groups)

    def stage_at(self, progress: float) -> PriorStage:
        """The stage in which a run is."""
        return self.config.stage_at(progress)

    def set_trainable(self, network: PriorNetwork, stage: PriorStage | None) -> None:
        """Everything is trained."""

    def batches(self, stage: PriorStage, *, first: int, indices: range) -> BatchesAhead[Symbols]:
        """Random windows of the latents as symbols."""

        def batch_at(step: int) -> Symbols:
            windows = [
                draw_window(self._latents, self.config, stage, step=step, index=index) for index in indices
            ]
            return to_symbols(windows, self._latents)

        return BatchesAhead(batch_at, first=first)

    def outcome(
        self,
        network: PriorNetwork,
        model: nn.Module,
        batch: Symbols,
        place: Place,
        discriminator: nn.Module | None,
    ) -> Outcome:
        """Bits of the symbols, per position."""
        del network, discriminator
        exact = self.stage_at(place.progress).exact
        with autocast(batch.values.device, bfloat16=self.config.bfloat16 and not exact):
            cost: Cost = model(batch)
        positions = batch.counts[0].numel()
        bits = cost.groups.sum(dim=1) / positions
        return Outcome(
            terms={
                # Its root: coarse steps cost a thirtieth of the bits of fine ones, and matter as much.
                "root_bits": Term(1.0, (bits + _LEAST_BITS).sqrt().mean()),
                "map": Term(0.2, cost.maps.mean() / positions),
            },
            figures=partial(_figures, cost, positions),
        )

    def pictures(self, network: PriorNetwork) -> dict[str, Tensor]:
        """There is nothing to see."""
        del network
        return {}

    def _network(self, scales: Tensor) -> PriorNetwork:
        bases = self._latents.bases
        return PriorNetwork(
            groups_of(self._latents.values.shape[1], bases=bases),
            bases=bases,
            scales=scales,
            hidden=self.config.hidden,
            four_passes=self.config.four_passes,
            seed=self.config.seed,
        )


def _figures(cost: Cost, positions: int) -> dict[str, Any]:
    """Bits per position: of all symbols, and of each group."""
    groups = (cost.groups.detach().mean(dim=0) / positions).tolist()
    return {"bits": {"all": sum(groups)} | {str(number): bits for number, bits in enumerate(groups)}}


def _scales(latents: Latents) -> Tensor:
    """Base-2 logarithm of the logistic scale of each channel's mean magnitude, at the usual step."""
    chosen = range(0, len(latents.values), max(1, len(latents.values) // _SAMPLES))
    sample = torch.stack([torch.from_numpy(latents.values[index].astype("float32")) for index in chosen])
    if latents.bases:
        return torch.ones(sample.shape[1])
    mean = rearrange(sample, "n c t h w -> c (n t h w)").abs().mean(dim=1)
    return (0.7 * mean).clamp(min=0.1).log2()
