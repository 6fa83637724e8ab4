"""From a training run to a tokenizer that anybody can load."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet import checkpoint
from tubelet.data.crops import Crops, open_crops
from tubelet.data.feed import Draw, draw_batch
from tubelet.errors import OptionError, TrainingError
from tubelet.files import check_target
from tubelet.nn.blocks import ResidualStack
from tubelet.tokenizers.config import ContinuousConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.journal import read_log
from tubelet.train.moments import LEAST_VARIANCE, Moments
from tubelet.train.network import Network
from tubelet.train.run import RUN_FILE, to_video
from tubelet.train.state import checkpoints, read_average
from tubelet.types import Latent

_WINDOWS = 512
"""Windows of the data from which mean and deviation of each channel are measured."""


def export_run(run: Path, folder: Path, *, data: Path | None = None, force: bool = False) -> Path:
    """Write the averaged weights of a run's newest checkpoint as a tokenizer.

    The latent's mean and standard deviation are measured on the training data and become part of the
    tokenizer; weights of networks are rounded to bfloat16, the transform stays as it is.

    Args:
        run: folder of the run.
        folder: the checkpoint to write.
        data: where the prepared crops of the run are now; where they were when it began by default.
        force: replace a checkpoint that is there.

    Raises:
        OptionError: the folder holds no run with a checkpoint.
        TrainingError: the checkpoint is damaged.
        OutputError: a checkpoint is there and `force` is false.
    """
    if folder.exists():
        check_target(folder / "config.json", force=force)
    facts = _read_facts(run)
    config = checkpoint.config_from_json(facts["config"]["model"] | {"name": folder.name}, run)
    tokenizer = config.build()
    read_average(checkpoints(run)[-1], Network(tokenizer))
    tokenizer.eval().requires_grad_(requires_grad=False)
    for stack in (tokenizer.encoder, tokenizer.decoder):
        if stack is not None:
            _round(stack)
    if tokenizer.encoder is not None:
        tokenizer.standardise(*_statistics(tokenizer, open_crops(data or Path(facts["folder"]))))
    return checkpoint.save(tokenizer, config, folder, card=_card(config, tokenizer, run, facts), force=force)


def _read_facts(run: Path) -> dict[str, Any]:
    path = run / RUN_FILE
    if not path.is_file() or not checkpoints(run):
        raise OptionError(
            f"{run} holds no run with a checkpoint; give the folder that `tubelet train -o` was given, after "
            "its first checkpoint."
        )
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        _ = facts["config"]["model"], facts["clips"], facts["folder"], facts["circumstances"]
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is damaged: {error!r}. Start the run anew.") from error
    return facts


def _round(stack: ResidualStack) -> None:
    """Let every weight be one that bfloat16 holds: half the bytes, and the same tokenizer in both formats."""
    for weights in stack.parameters():
        weights.copy_(weights.to(torch.bfloat16))


def _statistics(
    tokenizer: ContinuousTokenizer, crops: Crops
) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Mean and standard deviation of each channel over random windows of the data, every clip the same."""
    moments = Moments(tokenizer.channels)
    for latent in _latents(tokenizer, crops):
        moments.update(rearrange(latent, "b c t h w -> (b t h w) c"))
    return moments.mean.float(), moments.covariance.diagonal().clamp_min(LEAST_VARIANCE).sqrt().float()


def _latents(tokenizer: ContinuousTokenizer, crops: Crops) -> Iterator[Latent]:
    """Latents of random windows, without the lead step, which stands still."""
    frames = min(17, crops.frames)
    draw = Draw(batch=8, frames=frames, side=crops.side)
    lead = int(tokenizer.lead_frame)
    for step in range(_WINDOWS // draw.batch):
        batch = draw_batch(crops, draw, seed=0, step=step, indices=range(draw.batch))
        with torch.no_grad():
            yield tokenizer.encode(to_video(batch))[:, :, lead:]


def _card(config: ContinuousConfig, tokenizer: ContinuousTokenizer, run: Path, facts: dict[str, Any]) -> str:
    """What the tokenizer is, what it was made from, and how it went."""
    log = read_log(run)
    last = log[-1] if log else {"step": 0, "seconds": 0.0}
    weights = sum(parameter.numel() for parameter in tokenizer.parameters())
    where = facts["circumstances"]
    return f"""# {config.name}

A continuous tokenizer of stride {tokenizer.stride}: {config.channels} ordered channels of zero mean and unit
variance, {weights / 1e6:.2f} million weights, {tokenizer.flops_per_pixel() / 1e6:.3f} MFLOP per pixel to
encode and decode.

- **Made by** `{where["command"]}`, {last["step"]} steps in {last["seconds"] / 3600:.2f} hours on
  {where["machine"]["cpu"]} ({where["machine"]["cores"]} cores), torch {where["versions"]["torch"]}.
- **From** {facts["crops"]} crops of {len(facts["clips"])} clips, each clip counting the same.
- **Quality**: measure it with `benchmarks/short256x33.py FOLDER {config.name}`.

## Curve

{_curve(log)}

## Recipe

```json
{json.dumps(facts["config"], indent=1)}
```
"""


def _curve(log: list[dict[str, Any]]) -> str:
    """The mean loss of each tenth of a run."""
    rows = ["| hours | step | loss | gradient |", "|---|---|---|---|"]
    tenth = max(1, len(log) // 10)
    for start in range(0, len(log) - tenth + 1, tenth):
        part = log[start : start + tenth]
        loss = sum(line["total"] for line in part) / len(part)
        gradient = sum(line["gradient"] for line in part) / len(part)
        rows.append(
            f"| {part[-1]['seconds'] / 3600:.2f} | {part[-1]['step']} | {loss:.5f} | {gradient:.4f} |"
        )
    return "\n".join(rows)
