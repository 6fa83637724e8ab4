"""Training a diffusion transformer on captioned latents: the task of `tubelet train dit`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import torch
from einops import rearrange
from torch import Tensor, nn

from tubelet.data.batches_ahead import BatchesAhead
from tubelet.generate.captioned import CaptionedClips, CaptionedLatents, continuous_of, encode_captioned
from tubelet.generate.dit.flow import FlowBatch, channel_weights, draw_flow_batch, flow_loss, noisy
from tubelet.generate.dit.network import DiT
from tubelet.generate.dit.sampler import FlowSampling, sample
from tubelet.generate.dit.train_config import DiTTrainConfig, FlowStage
from tubelet.generate.scenes import SceneClips
from tubelet.generate.text import PromptVocabulary
from tubelet.generate.token_files import TokenFiles
from tubelet.train.loop import RunOptions, run_task
from tubelet.train.precision import autocast
from tubelet.train.processes import is_first_process
from tubelet.train.state import TrainState
from tubelet.train.task import Outcome, Place, Term

_SHOWN = 4
"""Captions of which clips are shown in TensorBoard."""


def train_dit(config: DiTTrainConfig, *, data: Path | None, options: RunOptions) -> TrainState:
    """Train a diffusion transformer.

    Args:
        config: the run.
        data: a folder of files of tokens with captions (``.npz``, ``.parquet``); rendered scenes for none.
        options: where and how it runs; the latents are kept in its folder.

    Raises:
        OptionError: there is no end, or no clip to train on, or the tokenizer gives none that fit.
        CheckpointError: the tokenizer cannot be read.
        TrainingError: gradients stayed bad, or a checkpoint cannot be taken up.
        OutputError: another process works in the folder, or the disk is full or refuses something.
    """
    options.folder.mkdir(parents=True, exist_ok=True)
    latents = encode_captioned(
        config.tokenizer,
        clips_of(config, data),
        options.folder,
        on_clip=_progress_messages(options.on_message),
        waits=not is_first_process(),
    )
    return run_task(DiTTask(config, latents), options)


def clips_of(config: DiTTrainConfig, data: Path | None) -> CaptionedClips:
    """What a run is trained on."""
    return SceneClips(config.scenes) if data is None else TokenFiles(data)


@final
class DiTTask:
    """A transformer that learns the way from noise to latents.

    Args:
        config: the run.
        latents: with their captions.
    """

    def __init__(self, config: DiTTrainConfig, latents: CaptionedLatents) -> None:
        self.config = config
        self._latents = latents
        vocabulary = PromptVocabulary.of_captions(latents.captions)
        self._words = torch.stack(
            [vocabulary.numbers(caption, slots=config.slots) for caption in latents.captions]
        )
        self._numbers = config.network(
            tokenizer_sha256=latents.tokenizer.sha256,
            shape=latents.values.shape[1:],
            fps=latents.fps,
            words=vocabulary.words,
        )
        self._mean, self._deviation = latents.statistics()
        self._weights = channel_weights(latents.pixel_deviations(self._deviation), config.weight_power)

    def facts(self) -> dict[str, Any]:
        """The clips, the vocabulary and the tokenizer."""
        return {
            "generator": "dit",
            "clips": self._latents.facts,
            "count": len(self._latents.captions),
            "tokenizer_sha256": self._latents.tokenizer.sha256,
            "shape": list(self._latents.values.shape[1:]),
            "fps": self._numbers.fps,
            "words": list(self._numbers.words),
        }

    def start(self) -> DiT:
        """A network that says nothing yet, and knows mean and deviation of the data."""
        return self.build()

    def build(self) -> DiT:
        """The same."""
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

    def stage_at(self, progress: float) -> FlowStage:
        """The stage in which a run is."""
        return self.config.stage_at(progress)

    def set_trainable(self, network: DiT, stage: FlowStage | None) -> None:
        """Everything is trained."""

    def batches(self, stage: FlowStage, *, first: int, indices: range) -> BatchesAhead[FlowBatch]:
        """Random clips, with noise."""
        return BatchesAhead(
            lambda step: draw_flow_batch(self._latents, self._words, self.config, step=step, indices=indices),
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
        chosen = range(0, len(self._words), max(1, len(self._words) // _SHOWN))[:_SHOWN]
        words = self._words[list(chosen)].to(network.mean.device)
        shape = tuple(self._latents.values.shape[2:])
        network.eval()
        latent = sample(
            network, words, seeds=list(range(len(words))), shape=shape, sampling=FlowSampling(steps=8)
        )
        network.train()
        tokenizer = continuous_of(self._latents.tokenizer)
        grouping = tokenizer.grouping
        steps, rows, columns = shape
        video = tokenizer.decode(
            latent.to(tokenizer.device, tokenizer.dtype),
            frames=grouping.first_frame(steps),
            height=rows * grouping.stride.h,
            width=columns * grouping.stride.w,
        )
        frames = video[:, :, :: max(1, grouping.stride.t)]
        return {"made": rearrange(frames, "b c t h w -> c (b h) (t w)").clamp(-1, 1) / 2 + 0.5}


def _progress_messages(on_message: Callable[[str], None]) -> Callable[[int, int], None]:
    """Says now and then how far the encoding is."""

    def say(done: int, of: int) -> None:
        if done == of or not done % 1000:
            on_message(f"{done} of {of} clips are encoded.")

    return say
