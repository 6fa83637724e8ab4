"""Training a diffusion transformer on captioned latents: the task of `tubelet train dit`."""

from pathlib import Path
from typing import Any, final

from torch import Tensor, nn

from tubelet.data.batches_ahead import BatchesAhead
from tubelet.generate.captioned import CaptionedLatents, encode_latents
from tubelet.generate.captions import RunCaptions, facts_to_json
from tubelet.generate.dit.flow import FlowBatch, channel_weights, draw_flow_batch, flow_loss, noisy
from tubelet.generate.dit.network import DiT
from tubelet.generate.dit.sampler import FlowSampling
from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.generate.train_config import GeneratorStage
from tubelet.generate.training import clips_as_strips, encode_run, take_over
from tubelet.train.loop import RunOptions, run_task
from tubelet.train.precision import autocast
from tubelet.train.state import TrainState
from tubelet.train.task import Outcome, Place, Term


def train_dit(config: DiTTrainConfig, *, data: Path | None, options: RunOptions) -> TrainState:
    """Train a diffusion transformer.

    Args:
        config: the run.
        data: a data set of `tubelet encode-dataset`, or a folder of files of tokens (``.npz``, ``.parquet``);
            clips with captions count. Rendered scenes for none.
        options: where and how it runs; the latents are kept in its folder.

    Raises:
        OptionError: there is no end, or no clip to train on, or the tokenizer gives none that fit.
        CheckpointError: the tokenizer or the text encoder cannot be read.
        TrainingError: gradients stayed bad, or a checkpoint cannot be taken up.
        OutputError: another process works in the folder, or the disk is full or refuses something.
    """
    latents, captions = encode_run(config, data, options, encode_latents, kind=DiT.kind)
    return run_task(DiTTask(config, latents, captions), options)


@final
class DiTTask:
    """A transformer that learns the way from noise to latents.

    Args:
        config: the run.
        latents: of all clips.
        captions: of the same clips, as the network takes them.
    """

    def __init__(self, config: DiTTrainConfig, latents: CaptionedLatents, captions: RunCaptions) -> None:
        self.config = config
        self._latents = latents
        self._captions = captions
        self._numbers = config.network(
            tokenizer_sha256=latents.tokenizer.sha256,
            shape=latents.values.shape[1:],
            fps=latents.fps,
            prompts=captions.facts,
        )
        self._mean, self._deviation = latents.statistics()
        self._weights = channel_weights(latents.pixel_deviations(self._deviation), config.weight_power)

    def facts(self) -> dict[str, Any]:
        """The clips, the vocabulary and the tokenizer."""
        return {
            "generator": DiT.kind,
            "clips": self._latents.facts,
            "count": len(self._latents.captions),
            "tokenizer_sha256": self._latents.tokenizer.sha256,
            "shape": list(self._latents.values.shape[1:]),
            "fps": self._numbers.fps,
            **facts_to_json(self._captions.facts),
        }

    def start(self) -> DiT:
        """A network that says nothing yet, or the one that the run starts from."""
        network = self.build()
        take_over(network, self.config.start)
        return network

    def build(self) -> DiT:
        """A network that says nothing yet, and knows mean and deviation of the data."""
        network = DiT(self._numbers, seed=self.config.seed)
        network.mean.copy_(self._mean)
        network.deviation.copy_(self._deviation)
        return network

    def discriminator(self) -> None:
        """None is trained."""

    def hidden_matrices(self, network: DiT) -> list[nn.Parameter]:
        """The matrices of the blocks."""
        return network.hidden_matrices()

    def shard_units(self, network: DiT) -> list[nn.Module]:
        """The blocks."""
        return list(network.blocks)

    def stage_at(self, progress: float) -> GeneratorStage:
        """The stage in which a run is."""
        return self.config.stage_at(progress)

    def set_trainable(self, network: DiT, stage: GeneratorStage | None) -> None:
        """Everything is trained."""

    def batches(self, stage: GeneratorStage, *, first: int, indices: range) -> BatchesAhead[FlowBatch]:
        """Random clips, with noise."""
        return BatchesAhead(
            lambda step: draw_flow_batch(
                self._latents, self._captions.table, self.config, step=step, indices=indices
            ),
            first=first,
        )

    def outcome(
        self,
        network: DiT,
        model: nn.Module,
        batch: FlowBatch,
        place: Place,
        discriminator: nn.Module | None,
    ) -> Outcome:
        """The error of the velocity, weighed by what each channel is worth in pixels."""
        del place, discriminator
        batch = batch.to(network.mean.device)
        latent = network.normalise(batch.latent)
        moving = noisy(latent, batch.noise, batch.times, batch.given)
        with autocast(latent.device, bfloat16=self.config.bfloat16):
            velocity = model(moving, batch.times, batch.words, batch.given, lead=batch.lead)
        weights = self._weights.to(latent.device)
        loss = flow_loss(velocity, latent, batch.noise, batch.given, weights).mean()
        return Outcome(terms={"flow": Term(1.0, loss)})

    def pictures(self, network: DiT) -> dict[str, Tensor]:
        """A few clips made of captions, as strips of frames."""
        return clips_as_strips(network, self._captions.table, self._latents.tokenizer, FlowSampling(steps=8))
