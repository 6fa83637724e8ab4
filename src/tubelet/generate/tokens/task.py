"""Training a transformer of tokens on captioned digits: the task of `tubelet train masked` and `ar`."""

from pathlib import Path
from typing import Any, NamedTuple, final

import torch
from einops import rearrange
from torch import Tensor, nn

from tubelet.data.batches_ahead import BatchesAhead
from tubelet.generate.autoregressive.network import AutoregressiveTransformer
from tubelet.generate.autoregressive.sampler import AutoregressiveSampling
from tubelet.generate.captioned import CaptionedDigits, encode_digits
from tubelet.generate.captions import RunCaptions, facts_to_json
from tubelet.generate.kinds import Sampling
from tubelet.generate.masked.network import MaskedTransformer
from tubelet.generate.masked.sampler import MaskedSampling
from tubelet.generate.tokens.draws import (
    Hide,
    TokenBatch,
    all_wanted,
    digit_losses,
    draw_token_batch,
    some_hidden,
)
from tubelet.generate.tokens.train_config import Order, TokenTrainConfig
from tubelet.generate.train_config import GeneratorStage
from tubelet.generate.training import clips_as_strips, encode_run, take_over
from tubelet.train.loop import RunOptions, run_task
from tubelet.train.precision import autocast
from tubelet.train.state import TrainState
from tubelet.train.task import Outcome, Place, Term

TokenNetwork = MaskedTransformer | AutoregressiveTransformer


class _Part(NamedTuple):
    """What differs between the orders in which digits are made."""

    network: type[Any]
    hide: Hide
    shown: Sampling


_ORDERS: dict[Order, _Part] = {
    "masked": _Part(MaskedTransformer, some_hidden, MaskedSampling(steps=8)),
    "autoregressive": _Part(AutoregressiveTransformer, all_wanted, AutoregressiveSampling()),
}


def train_tokens(config: TokenTrainConfig, *, data: Path | None, options: RunOptions) -> TrainState:
    """Train a transformer of tokens.

    Args:
        config: the run.
        data: a data set of `tubelet encode-dataset`, or a folder of files of tokens (``.npz``, ``.parquet``);
            clips with captions count. Rendered scenes for none.
        options: where and how it runs; the digits are kept in its folder.

    Raises:
        OptionError: there is no end, or no clip to train on, or the tokenizer gives no tokens that fit.
        CheckpointError: the tokenizer or the text encoder cannot be read.
        TrainingError: gradients stayed bad, or a checkpoint cannot be taken up.
        OutputError: another process works in the folder, or the disk is full or refuses something.
    """
    digits, captions = encode_run(
        config, data, options, encode_digits, kind=_ORDERS[config.order].network.kind
    )
    return run_task(TokenTask(config, digits, captions), options)


@final
class TokenTask:
    """A transformer that learns which digits come with which.

    Args:
        config: the run.
        data: digits of all clips.
        captions: of the same clips, as the network takes them.
    """

    def __init__(self, config: TokenTrainConfig, data: CaptionedDigits, captions: RunCaptions) -> None:
        self.config = config
        self._data = data
        self._order = _ORDERS[config.order]
        self._captions = captions
        steps, rows, columns = data.values.shape[2:]
        self._numbers = config.network(
            tokenizer_sha256=data.tokenizer.sha256,
            bases=data.bases,
            shape=(steps, rows, columns),
            fps=data.fps,
            prompts=captions.facts,
        )

    def facts(self) -> dict[str, Any]:
        """The clips, the vocabulary and the tokenizer."""
        return {
            "generator": self.config.order,
            "clips": self._data.facts,
            "count": len(self._data.captions),
            "tokenizer_sha256": self._data.tokenizer.sha256,
            "bases": list(self._data.bases),
            "shape": list(self._data.values.shape[2:]),
            "fps": self._numbers.fps,
            **facts_to_json(self._captions.facts),
        }

    def start(self) -> TokenNetwork:
        """A network to which all values are equally likely, or the one that the run starts from."""
        network = self.build()
        take_over(network, self.config.start)
        return network

    def build(self) -> TokenNetwork:
        """A network to which all values are equally likely."""
        return self._order.network(self._numbers, seed=self.config.seed)

    def discriminator(self) -> None:
        """None is trained."""

    def hidden_matrices(self, network: TokenNetwork) -> list[nn.Parameter]:
        """The matrices of the blocks."""
        return network.hidden_matrices()

    def shard_units(self, network: TokenNetwork) -> list[nn.Module]:
        """The blocks."""
        return network.shard_units()

    def stage_at(self, progress: float) -> GeneratorStage:
        """The stage in which a run is."""
        return self.config.stage_at(progress)

    def set_trainable(self, network: TokenNetwork, stage: GeneratorStage | None) -> None:
        """Everything is trained."""

    def batches(self, stage: GeneratorStage, *, first: int, indices: range) -> BatchesAhead[TokenBatch]:
        """Random clips, and which of their digits the network must say."""
        return BatchesAhead(
            lambda step: draw_token_batch(
                self._data, self._captions.table, self.config, self._order.hide, step=step, indices=indices
            ),
            first=first,
        )

    def outcome(
        self,
        network: TokenNetwork,
        model: nn.Module,
        batch: TokenBatch,
        place: Place,
        discriminator: nn.Module | None,
    ) -> Outcome:
        """Minus the logarithm of the probabilities of the digits that are wanted: mean, in nats."""
        del place, discriminator
        batch = batch.to(next(network.parameters()).device)
        with autocast(batch.digits.device, bfloat16=self.config.bfloat16):
            logits = model(self._seen(batch), batch.words, lead=batch.lead)
        losses = digit_losses(logits, batch.digits) * batch.wanted
        return Outcome(terms={"digits": Term(1.0, losses.sum() / batch.wanted.sum())})

    def pictures(self, network: TokenNetwork) -> dict[str, Tensor]:
        """A few clips made of captions, as strips of frames."""
        return clips_as_strips(network, self._captions.table, self._data.tokenizer, self._order.shown)

    def _seen(self, batch: TokenBatch) -> Tensor:
        """What the network sees: all digits, or those that are not hidden."""
        if self.config.order == "autoregressive":
            return batch.digits
        bases = torch.tensor(self._data.bases, device=batch.digits.device)
        return torch.where(batch.wanted, rearrange(bases, "d -> d 1 1 1"), batch.digits)
