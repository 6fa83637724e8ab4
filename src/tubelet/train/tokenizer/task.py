"""Training a tokenizer on prepared crops: the task that `tubelet train` gives to the loop."""

from functools import partial
from pathlib import Path
from typing import Any, final

import torch
from einops import rearrange
from torch import Tensor, nn

from tubelet.data.batches_ahead import BatchesAhead
from tubelet.data.crops import Crops, open_crops
from tubelet.data.feed import Batch as Windows
from tubelet.data.feed import Draw, crop_feed
from tubelet.losses.adversarial import SpaceTimeDiscriminator
from tubelet.models.table import model_to_json
from tubelet.train.loop import RunOptions, run_task
from tubelet.train.perceptual import read_perceptual
from tubelet.train.precision import autocast
from tubelet.train.state import TrainState
from tubelet.train.task import Outcome, Place
from tubelet.train.tokenizer.batches import crop_facts, to_video
from tubelet.train.tokenizer.config import Stage, TrainConfig
from tubelet.train.tokenizer.draws import (
    draw_ahead,
    draw_budgets,
    draw_counts,
    draw_dither,
    draw_noise,
    draw_steps,
    generator_of,
)
from tubelet.train.tokenizer.losses import Batch, discriminator_loss, terms_of
from tubelet.train.tokenizer.network import Drawn, Network, Reconstruction, set_trainable
from tubelet.train.tokenizer.start import built, counts_bits, first_network
from tubelet.train.tokenizer.token_figures import TokenFigures
from tubelet.train.tokenizer.turns import draw_turn
from tubelet.types import Video
from tubelet.video.pixels import to_model

_STRIP_FRAMES = 9
_PICTURES = 4


def train(config: TrainConfig, *, data: Path, options: RunOptions) -> TrainState:
    """Train a tokenizer on a folder of prepared crops.

    Args:
        config: the run.
        data: a folder that `tubelet prepare` made.
        options: where and how it runs.

    Raises:
        OptionError: there is no end, the data are too small, or the batch does not split.
        CheckpointError: the perceptual network, or what the run starts from, cannot be read.
        TrainingError: gradients stayed bad, or a checkpoint cannot be taken up.
        OutputError: another process works in the folder, or the disk is full or refuses something.
    """
    return run_task(TokenizerTask(config, open_crops(data), data=data), options)


@final
class TokenizerTask:
    """A tokenizer, continuous or with a quantiser, that learns to give clips back.

    Args:
        config: the run.
        crops: what it is trained on.
        data: the folder of the crops.

    Raises:
        OptionError: windows of a stage do not fit into the crops.
        CheckpointError: the perceptual network cannot be read.
    """

    def __init__(self, config: TrainConfig, crops: Crops, *, data: Path) -> None:
        for stage in config.stages:
            _draw(config, stage).check(crops)
        self.config = config
        self._crops = crops
        self._data = data
        self._perceptual = read_perceptual(config)
        self._tokens: TokenFigures | None = None

    def facts(self) -> dict[str, Any]:
        """The crops, the clips that they are from, and of which kind the model is, if it is not the first."""
        kind = model_to_json(self.config.model).get("kind")
        return crop_facts(self._crops, self._data) | ({} if kind is None else {"kind": kind})

    def start(self) -> Network:
        """A trained tokenizer, or the linear one with new networks around it."""
        return first_network(self.config, self._crops)

    def build(self) -> Network:
        """A network of no data yet."""
        return built(self.config)

    def discriminator(self) -> nn.Module | None:
        """One that looks at tubes of space and time, if a stage is adversarial."""
        return SpaceTimeDiscriminator() if any(stage.adversarial for stage in self.config.stages) else None

    def hidden_matrices(self, network: Network) -> list[nn.Parameter]:
        """Those of the tokenizer's networks."""
        return network.tokenizer.model.hidden_matrices()

    def shard_units(self, network: Network) -> list[nn.Module]:
        """The blocks of the tokenizer's networks."""
        return network.tokenizer.model.shard_units()

    def stage_at(self, progress: float) -> Stage:
        """The stage in which a run is."""
        return self.config.stage_at(progress)

    def set_trainable(self, network: Network, stage: Stage | None) -> None:
        """Freeze the transform unless the run trains it, and the encoder where the stage does not."""
        set_trainable(network, encoder=stage is None or stage.encoder, transform=self.config.transform)

    def batches(self, stage: Stage, *, first: int, indices: range) -> BatchesAhead[Windows]:
        """Random windows of the crops."""
        return crop_feed(
            self._crops, _draw(self.config, stage), seed=self.config.seed, first_step=first, indices=indices
        )

    def outcome(
        self,
        network: Network,
        model: nn.Module,
        batch: Windows,
        place: Place,
        discriminator: nn.Module | None,
    ) -> Outcome:
        """There and back, and how far what came back is from what went in."""
        video = to_video(batch, network.tokenizer.device)
        back = self._reconstruct(network, model, video, place)
        compared = Batch(video=video, back=back, place=place)
        stage = self.stage_at(place.progress)
        judged = discriminator if stage.adversarial else None
        if self._perceptual is not None:
            self._perceptual.to(video.device)
        return Outcome(
            terms=terms_of(self.config, compared, perceptual=self._perceptual, discriminator=judged),
            update=partial(self._update_quantizer, network, compared),
            discriminator_loss=(
                None if judged is None else partial(discriminator_loss, self.config, compared, judged)
            ),
            figures=partial(self._token_figures, network, back),
        )

    def pictures(self, network: Network) -> dict[str, Tensor]:
        """Reconstructions of fixed crops: middle frames as images, one clip as a strip of frames."""
        crops = self._crops
        clips = [int(i * (len(crops) - 1) / (_PICTURES - 1)) for i in range(_PICTURES)]
        originals = torch.cat([to_model(crops[i][:_STRIP_FRAMES].copy()) for i in clips])
        both = torch.cat([originals, _whole(network, originals)], dim=3).clamp(-1, 1) / 2 + 0.5
        return {
            "reconstructions": both[:, :, both.shape[2] // 2],
            "strip": rearrange(both[0], "c T H W -> c H (T W)"),
        }

    def _reconstruct(self, network: Network, model: nn.Module, video: Video, place: Place) -> Reconstruction:
        """There and back, with the channels, the noise and the sample of the posterior of this iteration."""
        config, tokenizer = self.config, network.tokenizer
        cells = tokenizer.grouping.grid(*video.shape[2:])
        keys = {"seed": config.seed, "step": place.iteration, "indices": place.indices}
        channels, prefixes = tokenizer.channels, config.prefixes
        shape = (channels, *cells)
        drawn = Drawn(
            counts=draw_counts(prefixes, cells=cells, channels=channels, **keys),
            noise=draw_noise(shape, config.noise, even=False, **keys) if config.noise else None,
            spread=draw_noise(shape, 1.0, even=True, **keys) if config.losses.kl else None,
            budgets=draw_budgets(prefixes, channels=channels, **keys) if prefixes.budgets else None,
            steps=draw_steps(config.quantized, config.quantizer_steps, **keys) if config.quantized else None,
            dither=draw_dither(shape, **keys) if counts_bits(config) else None,
            ahead=self._draw_ahead(cells[0], place),
            turn=draw_turn(seed=config.seed, step=place.iteration) if config.losses.equivariance else None,
        )
        with autocast(video.device, bfloat16=config.bfloat16):
            return model(video, drawn.to(video.device))

    def _draw_ahead(self, steps: int, place: Place) -> int:
        """How many last steps are predicted; the lead frame and a step that shows a motion stay."""
        most = min(self.config.model.ahead, steps - 2)
        return draw_ahead(most, seed=self.config.seed, step=place.iteration) if most > 0 else 0

    def _update_quantizer(self, network: Network, compared: Batch) -> None:
        """Let the quantiser move what no gradient moves."""
        back = compared.back
        if network.quantizer is not None and back.quantized is not None:
            generator = generator_of(self.config.seed, compared.place.iteration, 0)
            network.quantizer.update(back.latent.detach(), back.quantized.digits, generator=generator)

    def _token_figures(self, network: Network, back: Reconstruction) -> dict[str, Any]:
        """How the tokens of the last iterations are spread; those of the process that writes the log."""
        if network.quantizer is None or back.quantized is None:
            return {}
        if self._tokens is None:
            self._tokens = TokenFigures(network.quantizer.bases)
        return self._tokens.step(back.quantized.digits)


def _draw(config: TrainConfig, stage: Stage) -> Draw:
    return Draw(batch=stage.batch, frames=stage.frames, side=stage.side, scenes=config.scenes)


@torch.no_grad()
def _whole(network: Network, video: Video) -> Video:
    """What the weights as they are make of clips, all channels kept."""
    tokenizer = network.tokenizer
    grid = tokenizer.grouping.grid(*video.shape[2:])
    counts = torch.full((len(video), 1, *grid), tokenizer.channels, device=tokenizer.device)
    return network(video.to(tokenizer.device), Drawn(counts=counts)).video.cpu()
