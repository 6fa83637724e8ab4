"""Fitting the gate of a tokenizer that predicts: a few numbers, in closed form, in minutes on a CPU."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float64
from torch import Tensor

from tubelet.data.crops import Crops
from tubelet.data.feed import Draw, draw_batch
from tubelet.errors import OptionError
from tubelet.models.klt.config import KLTConfig
from tubelet.models.klt.gate import KNOTS, StillGate, gate_hats, motion_within, spread, standing_still
from tubelet.models.klt.model import KLTModel
from tubelet.nn.prefix import column
from tubelet.tokenizers.ahead import predictive_model, with_steps_ahead
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.grouping import Grouping
from tubelet.train.tokenizer.batches import to_video
from tubelet.train.tokenizer.fit_klt import klt_model
from tubelet.types import Video

_BATCH = 8

_FRAMES, _SIDE = 33, 128
"""Of a window at most; smaller crops give smaller windows."""

_FLOOR = 4e-6
"""Squared error that counts as none, video in [-1, 1]: 60 dB."""

_ROUNDS = 8

_RIDGE = 1e-3
"""How much shares are held at one, in parts of the mean weight of a knot."""


class Errors(NamedTuple):
    """Squared errors of predicted steps as functions of a table c: ``still - 2 c·mixed + c·square·c``.

    Attributes:
        still: of the last frame that goes on, of each step.
        mixed: of it and the prediction.
        square: of the prediction.
    """

    still: Float64[Tensor, " n"]
    mixed: Float64[Tensor, "n k"]
    square: Float64[Tensor, "n k k"]

    def of(self, table: Float64[Tensor, " k"]) -> Float64[Tensor, " n"]:
        """With this table; mean over pixels, video in [-1, 1]."""
        return self.still - 2 * self.mixed @ table + torch.einsum("nkl,k,l->n", self.square, table, table)

    def decibels(self, table: Float64[Tensor, " k"]) -> float:
        """The mean PSNR with this table, in dB."""
        return float(-10 * torch.log10((self.of(table) + _FLOOR) / 4).mean())


class FittedGate(NamedTuple):
    """A tokenizer with a gate, and what it is worth on the windows that it was fitted to.

    Attributes:
        tokenizer: with the gate.
        still: mean PSNR in dB of predicted steps if the last frame goes on.
        predicted: of the prediction alone.
        gated: of both, blended.
    """

    tokenizer: ContinuousTokenizer
    still: float
    predicted: float
    gated: float


def fit_gate(
    tokenizer: ContinuousTokenizer,
    crops: Crops,
    *,
    windows: int = 512,
    seed: int = 0,
    on_windows: Callable[[int], None] = lambda _: None,
) -> FittedGate:
    """Fit what is shown of predictions, by how still a place was, so that the mean PSNR is largest.

    Half of the windows are rendered scenes, as in training. What is known decodes as before.

    Args:
        tokenizer: one that predicts; a gate that it has is fitted again.
        crops: where windows are cut from.
        windows: how many, from 8.
        seed: of the windows.
        on_windows: called with the number of windows after each batch.

    Raises:
        OptionError: the tokenizer has not learnt to predict, or the crops or the number of windows are small.
    """
    open_gate = _with_open_gate(tokenizer)
    model, grouping = klt_model(open_gate), open_gate.grouping
    steps = _full_steps(grouping, min(_FRAMES, crops.frames))
    if steps < 3 or windows < _BATCH:
        raise OptionError(
            f"there are {windows} windows of {steps} latent steps; a fit takes at least {_BATCH} windows of "
            "3 steps. Give more windows, or longer crops."
        )
    frames = grouping.first_frame(steps)
    draw = Draw(batch=_BATCH, frames=frames, side=min(_SIDE, crops.side), scenes=0.5)
    found: list[Errors] = []
    for step in range(windows // _BATCH):
        batch = draw_batch(crops, draw, seed=seed, step=step, indices=range(_BATCH))
        found.append(errors_of(model, grouping, to_video(batch).to(model.dtype), ahead=steps // 2))
        on_windows(_BATCH)
    errors = Errors(*(torch.cat(each) for each in zip(*found, strict=True)))
    table = best_table(errors)
    assert model.gate is not None
    model.gate.table.copy_(table)
    ones = torch.ones_like(table)
    return FittedGate(
        open_gate, errors.decibels(0 * ones), errors.decibels(ones), gated=errors.decibels(table)
    )


@torch.no_grad()
def errors_of(model: KLTModel, grouping: Grouping, video: Video, *, ahead: int) -> Errors:
    """The errors of the last steps of clips, if they are predicted from those before.

    Args:
        model: with a gate that is open.
        grouping: of its steps.
        video: clips whose last step is full.
        ahead: how many steps are predicted.
    """
    groups = grouping.group(video)
    seen = groups.shape[2] // model.stride.t - ahead
    latents = model.encode_groups(groups[:, :, : seen * model.stride.t], None).latents
    longer, known = with_steps_ahead(predictive_model(model), latents, {}, added=ahead)
    coefficients = model.decode_coefficients(longer, None, known)[0].coefficients
    last = coefficients[:, :, seen - 1 : seen]
    standing = standing_still(model.transform, last)
    hats = gate_hats(spread(motion_within(model.transform, last, standing)))
    units = column(model.transform.deviation)
    wanted = units * (model.transform(groups[:, :, seen * model.stride.t :]) - standing)
    change = units * (coefficients[:, :, seen:] - standing)
    hats = hats.double().expand(-1, ahead, -1, -1, -1)
    cells = hats.shape[2] * hats.shape[3] * 3 * model.stride.t * model.stride.h * model.stride.w
    square = torch.einsum("bthw,bthwk,bthwl->btkl", (change * change).sum(dim=1).double(), hats, hats)
    mixed = torch.einsum("bthw,bthwk->btk", (change * wanted).sum(dim=1).double(), hats)
    still = wanted.square().sum(dim=(1, 3, 4)).double()
    return Errors(
        rearrange(still / cells, "b t -> (b t)"),
        rearrange(mixed / cells, "b t k -> (b t) k"),
        rearrange(square / cells, "b t k l -> (b t) k l"),
    )


def best_table(errors: Errors) -> Float64[Tensor, " k"]:
    """The table of the largest mean PSNR: least squares, weighed by errors of the round before."""
    table = torch.ones(len(KNOTS), dtype=torch.float64)
    for _ in range(_ROUNDS):
        weights = 1 / (errors.of(table) + _FLOOR)
        square = torch.einsum("n,nkl->kl", weights, errors.square)
        held = _RIDGE * square.diagonal().mean() + torch.finfo(torch.float64).tiny
        table = torch.linalg.solve(
            square + held * torch.eye(len(table), dtype=torch.float64), weights @ errors.mixed + held
        )
    return table


def _with_open_gate(tokenizer: ContinuousTokenizer) -> ContinuousTokenizer:
    """The same tokenizer with a gate that lets all of a prediction through."""
    predictive_model(tokenizer.model)
    config = tokenizer.config
    if not isinstance(config, KLTConfig):
        raise OptionError(
            f"{config.name} has no gate: it is of another kind. Give one of `train predictive`."
        )
    gated = ContinuousTokenizer.of(replace(config, gate=True))
    weights = tokenizer.weights() | {"gate.table": StillGate().table.detach()}
    gated.load_weights({name: weight.clone() for name, weight in weights.items()})
    return gated.to(tokenizer.device).eval().requires_grad_(requires_grad=False)


def _full_steps(grouping: Grouping, frames: int) -> int:
    """Latent steps of so many frames that are full."""
    steps = grouping.steps(frames)
    return steps if grouping.first_frame(steps) <= frames else steps - 1
