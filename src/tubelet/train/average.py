"""The averaged weights of a run, and what it means that it is not finished."""

import warnings
from pathlib import Path

from torch import nn

from tubelet.errors import TubeletWarning
from tubelet.train.state import checkpoints, read_ema, read_numbers


def read_average(run: Path, network: nn.Module) -> float:
    """Read the averaged weights of a run's newest checkpoint; say so if the run is not finished.

    Returns:
        Which part of the run is done, up to 1.

    Raises:
        TrainingError: the checkpoint is damaged.
    """
    newest = checkpoints(run)[-1]
    read_ema(newest, network)
    progress = float(read_numbers(newest)["progress"])
    if progress < 1:
        warnings.warn(f"{run} is not finished: {unfinished_text(progress)}", TubeletWarning, stacklevel=3)
    return progress


def unfinished_text(progress: float) -> str:
    """What it means that only a part of a run is done."""
    return (
        f"it stopped at {progress:.0%} of its length, before its learning rate came down to zero (not "
        "annealed), and its weights are worse than they will be. Go on with `tubelet train` and --resume."
    )
