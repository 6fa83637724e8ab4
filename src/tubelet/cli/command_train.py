"""Train a tokenizer, the prior of one, or a generator of its latents or tokens, by a recipe.

Every field of the recipe is an option too, by its path; `tubelet train RECIPE --help` lists them all. The
recipe comes first. Start several processes with torchrun, and they train one tokenizer together.

for example:
  tubelet train m --data data -o run --time-limit 6h
  tubelet train m --data data -o run --time-limit 6h --resume
  tubelet train m --data clips/ more.csv -o run --time-limit 6h      prepares the clips first
  tubelet train m --data data -o run --iterations 1000 --model.width 128 --stages.0.batch 8
  tubelet train prior --tokenizer tubelet-m --data data -o run --time-limit 80m
  tubelet train dit -o run --time-limit 1h
  tubelet train masked -o run --time-limit 1h
  tubelet train my.recipes:large --data data -o run --time-limit 6h
  torchrun --nproc-per-node 8 -m tubelet train m --data data -o run --time-limit 6h
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli import options, sources
from tubelet.cli.preparing import prepared, rows_outside

if TYPE_CHECKING:
    from tubelet.recipes.table import RunConfig
    from tubelet.train.loop import RunOptions
    from tubelet.train.state import TrainState

NAME = "train"

_SINKS = ("tensorboard", "wandb", "trackio")

CROPS = "crops"
"""The folder of crops of a run that was given clips, below that of the run."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes for every recipe."""
    parser.allow_abbrev = False
    parser.usage = (
        "tubelet train RECIPE [--data DATA...] -o RUN [--time-limit TIME] [--resume] [--shard] [--force]\n"
        "                     [--log-to WHERE ...] [--FIELD VALUE ...]"
    )
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe, or package.module:function")
    parser.add_argument(
        "--data",
        nargs="+",
        metavar="DATA",
        help="folder of crops (`tubelet prepare`), or clips (folders, videos, patterns, lists, URLs), which "
        "are prepared first, into RUN/crops; of a generator: folder of latents or tokens with captions "
        "(`tubelet encode-dataset`, `tubelet tokenize`), or none for rendered scenes",
    )
    sources.add_on_error(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--time-limit",
        type=options.duration,
        metavar="TIME",
        help="length of the run, such as 90m, 1h30m or 1:30:00; instead of --iterations",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint in RUN")
    parser.add_argument(
        "--shard", action="store_true", help="split the weights over the processes instead of copying them"
    )
    parser.add_argument("--force", action="store_true", help="start over in a folder that holds a run")
    parser.add_argument(
        "--log-to",
        nargs="*",
        choices=_SINKS,
        metavar="WHERE",
        help="what shows curves and pictures: tensorboard (default, if it is there), wandb, trackio; none "
        "for no name",
    )


def add_recipe(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Declare the fields of the recipe that the command line names, or list the recipes if it names none.

    Args:
        parser: the parser of this command.
        words: what stands behind the name of the command.
    """
    from tubelet.cli.fields import add_fields
    from tubelet.errors import OptionError
    from tubelet.recipes.table import first_line, make_config, recipes

    if words and not words[0].startswith("-"):
        try:
            config = make_config(words[0])
        except OptionError as error:
            parser.error(str(error))
        add_fields(parser, config)
        parser.set_defaults(config=config)
    elif not words or {"-h", "--help"} & set(words):
        lines = [f"  {name:<17}{first_line(recipe)}" for name, recipe in recipes().items()]
        parser.epilog = "\n".join(["recipes:", *lines])
    else:
        parser.error(f"the command begins with {words[0]}; give the recipe first: {', '.join(recipes())}.")


def run(arguments: argparse.Namespace) -> None:
    """Train."""
    import torch

    from tubelet.cli.console import as_word, show_table
    from tubelet.cli.fields import with_fields
    from tubelet.cli.progress import run_progress
    from tubelet.cores import cores
    from tubelet.files import no_empty_folders
    from tubelet.train.loop import RunOptions
    from tubelet.train.precision import computes_bfloat16

    if "OMP_NUM_THREADS" not in os.environ:
        neighbours = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        torch.set_num_threads(max(1, cores() // neighbours))
    config = with_fields(arguments.config, arguments)
    with run_progress() as show, no_empty_folders(arguments.output):
        options = RunOptions(
            folder=arguments.output,
            time_limit=arguments.time_limit,
            resume=arguments.resume,
            shard=arguments.shard,
            force=arguments.force,
            log_to=None if arguments.log_to is None else tuple(arguments.log_to),
            on_iteration=lambda fraction, iteration, figures: show(fraction, iteration, figures.losses),
            on_message=print,
        )
        state = _train(config, arguments, options)
    if state.progress < 1:
        raise KeyboardInterrupt(
            f"stopped after {state.iteration} iterations, {state.progress:.0%} of the run; a checkpoint is "
            "written. Go on with the same command and --resume."
        )
    if os.environ.get("RANK", "0") == "0":
        half = config.bfloat16 and computes_bfloat16(state.device.type)
        show_table(
            [
                ("run", str(arguments.output)),
                ("iterations", f"{state.iteration} in {state.seconds / 3600:.2f} hours"),
                ("computed in", "bfloat16" if half else "float32"),
                ("use it", f"tubelet export-checkpoint {as_word(arguments.output)} -o tubelet-mine"),
            ]
        )


def _train(config: "RunConfig", arguments: argparse.Namespace, options: "RunOptions") -> "TrainState":
    """Run what a recipe gave, each kind by its own task."""
    from tubelet.generate.dit.task import train_dit
    from tubelet.generate.dit.train_config import DiTTrainConfig
    from tubelet.generate.tokens.task import train_tokens
    from tubelet.generate.tokens.train_config import TokenTrainConfig
    from tubelet.train.flow.config import FlowTrainConfig
    from tubelet.train.flow.task import train_flow
    from tubelet.train.prior.config import PriorTrainConfig
    from tubelet.train.prior.task import train_prior
    from tubelet.train.tokenizer.task import train
    from tubelet.train.twin.config import TwinTrainConfig
    from tubelet.train.twin.task import train_twin

    match config:
        case DiTTrainConfig():
            return train_dit(config, data=_captioned(arguments), options=options)
        case TokenTrainConfig():
            return train_tokens(config, data=_captioned(arguments), options=options)
        case PriorTrainConfig():
            return train_prior(config, data=_crops(arguments), options=options)
        case TwinTrainConfig():
            return train_twin(config, data=_crops(arguments), options=options)
        case FlowTrainConfig():
            return train_flow(config, data=_crops(arguments), options=options)
        case _:
            return train(config, data=_crops(arguments), options=options)


def _captioned(arguments: argparse.Namespace) -> Path | None:
    """The folder of latents or tokens of a generator; none for rendered scenes.

    Raises:
        OptionError: it is no folder.
    """
    from tubelet.errors import OptionError
    from tubelet.files.urls import is_url

    data: list[str] | None = arguments.data
    if data is None:
        return None
    if len(data) == 1 and not is_url(data[0]) and not Path(data[0]).is_file():
        return Path(data[0])
    raise OptionError(
        f"--data is {', '.join(data):.200}; a generator is trained on one folder of latents or tokens with "
        "captions. Make it with `tubelet encode-dataset CLIPS -o LATENTS`, of one size, with the generator's "
        "tokenizer."
    )


def _crops(arguments: argparse.Namespace) -> Path:
    """The folder of crops, which only a generator does without; of clips it is made first.

    Raises:
        OptionError: nothing is given, or several processes would make it.
        TubeletError: as `tubelet.cli.preparing.prepared`.
    """
    from tubelet.data.cutting import PrepareConfig
    from tubelet.errors import OptionError
    from tubelet.files.marks import RUN_FILE
    from tubelet.files.names import real_path
    from tubelet.jobs.sources import read_sources

    data: list[str] | None = arguments.data
    if data is None:
        raise OptionError(
            "--data is missing; it is a folder of crops, which `tubelet prepare CLIPS -o DATA` makes, or the "
            "clips themselves."
        )
    if len(data) == 1 and _is_of_crops(data[0]):
        if real_path(Path(data[0])) == real_path(arguments.output):
            raise OptionError(
                f"{data[0]} holds the crops and is to hold the run; a run has a folder of its own. "
                "Name another."
            )
        return Path(data[0])
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise OptionError(
            f"--data is clips ({data[0]:.100}), and several processes train. Prepare them once, with "
            "`tubelet prepare CLIPS -o DATA`, and give that folder."
        )
    if (arguments.output / RUN_FILE).exists() and not (arguments.resume or arguments.force):
        raise OptionError(f"{arguments.output} holds a run; --resume goes on with it, --force starts over.")
    folder = arguments.output / CROPS
    rows = rows_outside(read_sources(data, lines=sys.stdin, missing_fail=True), folder)
    prepared(
        rows,
        folder,
        PrepareConfig(),
        compressed=False,
        on_error=arguments.on_error,
        force=arguments.force,
    )
    return folder


def _is_of_crops(data: str) -> bool:
    """Whether a name is that of a folder of crops, or of one that is not there."""
    from tubelet.data.crops import INDEX
    from tubelet.data.prepare import UNFINISHED
    from tubelet.jobs.sources import is_file

    folder = Path(data)
    if folder.is_dir():
        return any((folder / name).exists() for name in (INDEX, UNFINISHED))
    return is_file(data) and not folder.suffix and not folder.exists()
