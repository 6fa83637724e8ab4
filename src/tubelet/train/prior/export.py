"""From a training run to a prior that files are coded with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from tubelet.codec.symbols import BASE_STEP
from tubelet.data.crops import open_crops
from tubelet.errors import OptionError
from tubelet.files import check_folder
from tubelet.files.marks import RUN_FILE
from tubelet.files.names import text_name
from tubelet.priors.config import NamedPrior, PriorConfig
from tubelet.priors.context import MAP
from tubelet.priors.files import FILES, prior_of_parts, save_prior
from tubelet.quantizers.scalar import ScalarQuantizer
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.average import read_average
from tubelet.train.card import crops_text, run_card
from tubelet.train.config import Optimizer
from tubelet.train.prior.config import PriorStage, PriorTrainConfig
from tubelet.train.prior.draws import draw_window, to_symbols
from tubelet.train.prior.fit_tables import ResidualCounts, closed_distribution, count_residuals
from tubelet.train.prior.integers import Arrays, to_integers
from tubelet.train.prior.latents import Latents, encode_crops
from tubelet.train.prior.network import PriorNetwork
from tubelet.train.prior.task import PriorTask
from tubelet.train.run_folder import read_run
from tubelet.train.state import checkpoints

_WINDOWS = 120
"""Windows of the data that tables are fitted to."""


def export_prior(run: Path, folder: Path, *, data: Path | None = None, force: bool = False) -> Path:
    """Write the averaged weights of a run's newest checkpoint as a prior, with tables fitted to the data.

    Args:
        run: folder of the run.
        folder: the prior to write.
        data: where the prepared crops of the run are now; where they were when it began by default.
        force: replace a prior that is there.

    Raises:
        OptionError: the folder holds no run of a prior with a checkpoint.
        TrainingError: the checkpoint is damaged.
        OutputError: a prior is there and `force` is false.
    """
    check_folder(folder, holds=FILES, sources=[run, *([] if data is None else [data])], force=force)
    facts = read_facts(run)
    config = config_from_facts(facts["config"])
    crops = open_crops(data or Path(facts["folder"]))
    latents = encode_crops(config, crops, run, on_crop=lambda _done, _of: None)
    task = PriorTask(config, latents, crops=crops, data=data or Path(facts["folder"]))
    network = task.build()
    progress = read_average(run, network)
    network.eval().requires_grad_(requires_grad=False)
    arrays = network_to_arrays(network)
    if not latents.bases:
        arrays |= _fitted_tables(network, latents, config)
    name = text_name(folder.resolve().name)
    numbers = prior_config(name, config, latents, network, arrays)
    card = _card(numbers, run, facts, progress=progress)
    return save_prior(numbers, arrays, folder, card=card, force=force)


def network_to_arrays(network: PriorNetwork) -> Arrays:
    """The networks of all groups and of the map as whole numbers, and the distribution of digits."""
    parts = {f"group_{number}": group for number, group in enumerate(network.networks)} | {MAP: network.map}
    arrays: Arrays = {"closed": closed_distribution()}
    for part, group in parts.items():
        arrays |= {f"{part}.{name}": array for name, array in to_integers(group).items()}
    return arrays


def prior_config(
    name: str, config: PriorTrainConfig, latents: Latents, network: PriorNetwork, arrays: Arrays
) -> PriorConfig:
    """The numbers of a trained prior."""
    return PriorConfig(
        name=name,
        tokenizer=latents.tokenizer.name,
        tokenizer_sha256=latents.tokenizer.sha256,
        ends=tuple(stop for _, stop in network.channels),
        passes=tuple(group.passes for group in network.networks),
        hidden=config.hidden,
        steps=_usual_steps(latents),
        bases=latents.bases,
        entries=len(arrays["open_frequencies"]) if "open_frequencies" in arrays else 0,
        part="" if len(latents.parts) == 1 else latents.part.name,
        beside=_beside(latents),
    )


def read_facts(run: Path) -> dict[str, Any]:
    """What ``run.json`` says of a run of a prior that has a checkpoint.

    Raises:
        OptionError: there is none.
        TrainingError: it is damaged.
    """
    path = run / RUN_FILE
    if not path.is_file() or not checkpoints(run):
        raise OptionError(
            f"{run} holds no run with a checkpoint; give the folder that `tubelet train -o` was given, after "
            "its first checkpoint."
        )
    return read_run(path)


def is_prior(run: Path) -> bool:
    """Whether a folder holds a run of a prior.

    Raises:
        TrainingError: what it says of itself is damaged.
    """
    path = run / RUN_FILE
    return path.is_file() and "tokenizer_sha256" in read_run(path)


def config_from_facts(numbers: dict[str, Any]) -> PriorTrainConfig:
    """The configuration that a run was begun with.

    Raises:
        OptionError: it is of no run of a prior.
    """
    try:
        stages = tuple(PriorStage(**stage) for stage in numbers["stages"])
        optimizer = Optimizer(**numbers["optimizer"] | {"betas": tuple(numbers["optimizer"]["betas"])})
        further = {"stages": stages, "optimizer": optimizer, "steps": tuple(numbers["steps"])}
        return PriorTrainConfig(**numbers | further)
    except (KeyError, TypeError) as error:
        raise OptionError(f"the run is of no prior of this program ({error!r:.200}).") from error


def _usual_steps(latents: Latents) -> tuple[int, ...]:
    tokenizer = latents.tokenizer.tokenizer
    if not isinstance(tokenizer, ContinuousTokenizer):
        return ()
    units = tokenizer.model.coding_units()[latents.part.name]
    return ScalarQuantizer.scaled(BASE_STEP / units, 1.0).steps


def _beside(latents: Latents) -> tuple[NamedPrior, ...]:
    """The shipped prior of the other parts, if there is one."""
    others = {part.name: part.channels for part in latents.parts if part.name != latents.part.name}
    prior = prior_of_parts(others)
    return () if prior is None else (NamedPrior(name=prior.config.name, sha256=prior.sha256),)


@torch.no_grad()
def _fitted_tables(network: PriorNetwork, latents: Latents, config: PriorTrainConfig) -> Arrays:
    counts = ResidualCounts()
    count_residuals(counts, _expected(network, latents, config))
    return counts.tables()


def _expected(
    network: PriorNetwork, latents: Latents, config: PriorTrainConfig
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Symbols that are there, and what is expected of them."""
    stage = config.stages[-1]
    for index in range(_WINDOWS // stage.batch):
        windows = [draw_window(latents, config, stage, step=index, index=each) for each in range(stage.batch)]
        symbols = to_symbols(windows, latents)
        values = rearrange(symbols.values, "b c t h w -> (b t) c h w")
        counts = rearrange(symbols.counts, "b 1 t h w -> (b t) 1 h w")
        for channels, predicted in zip(network.channels, network.expect(symbols), strict=True):
            present = counts > rearrange(torch.arange(*channels), "c -> c 1 1")
            yield values[:, slice(*channels)][present], predicted.mean[present], predicted.scale[present]


def _card(config: PriorConfig, run: Path, facts: dict[str, Any], *, progress: float) -> str:
    """What the prior is, what it was made from, and how it went."""
    of = f"the {config.part} of {config.tokenizer}" if config.part else config.tokenizer
    about = f"A prior of the symbols of {of}: whole numbers alone, computed exactly\n(decision 0035)."
    notes = ["**Figures**: none yet; `prior_bits.py` of the repository measures them."]
    if config.beside:
        names = ", ".join(other.name for other in config.beside)
        notes.insert(0, f"**Beside it**, for other parts: {names} (decision 0074).")
    return run_card(
        config.name,
        run,
        facts,
        progress=progress,
        about=about,
        clips=crops_text(facts),
        notes=notes,
        curve={"bits per position": lambda line: line["bits"]["all"]},
    )
