"""Check whether the clips that generators make show what their prompts say.

The prompts are those of rendered scenes, so what must be seen is known: colour, shape, direction, speed
(within a quarter) and number of things, read from the pixels by fixed rules; and the share of clips in which
colour and direction are right of every thing. Combinations of colour, shape and direction that were held out
of training stand in a column of their own. The floor is every clip against all other prompts, the ceiling the
scenes themselves through the tokenizer. Beside these stand what each kind of generator is trained for: the
flow loss, or the bits that the true clips take, per token and per pixel: exactly, of an autoregressive
generator, and at most, of a masked one. Of the clips as a set: by how many levels their ground flickers; the
Fréchet distance of what was read of them to what is read of the scenes; with --run how far they are from the
nearest clip of training (beside that of the scenes, which no training saw); and with --weights the Fréchet
video distance (FVD) to the scenes, by networks that tubelet does not hold: `tubelet weights` makes files of
them. It falls with the number of clips: compare figures of equal --count alone.

for example:
  tubelet evaluate-generation tubelet-dit -o dit.json
  tubelet report dit.json -o gallery.html
  tubelet evaluate-generation tubelet-dit -o two.json --things 2
  tubelet evaluate-generation tubelet-dit -o dit.json --count 2048 --weights i3d=i3d.safetensors:SHA256
  tubelet evaluate-generation dit-a masked-b ar-c -o all.json --count 200 --guidance 4
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tubelet.cli import options
from tubelet.cli.console import show_table
from tubelet.cli.progress import progress
from tubelet.errors import OptionError

NAME = "evaluate-generation"

_DISTANCES = {
    "flicker": "flicker of the ground (levels)",
    "parsed_frechet": "Fréchet distance, parsed",
    "nearest_training": "nearest training clip (levels)",
    "fvd_i3d": "FVD, I3D",
    "fvd_videomae": "FVD, VideoMAE",
}
"""What sets of clips have: names in the results, and in the table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="shipped generators (tubelet-dit) or folders of some"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="RESULTS.json", help="file of figures to write"
    )
    parser.add_argument(
        "--count", type=int, default=64, metavar="N", help="prompts of each kind (default: 64)"
    )
    parser.add_argument(
        "--things", type=int, default=1, metavar="N", help="in each clip, 1 to 3 (default: 1)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the first clip (default: 0)")
    parser.add_argument(
        "--strips",
        type=int,
        default=12,
        metavar="N",
        help="clips of each kind to keep as strips of frames, for `tubelet report` (default: 12)",
    )
    options.add_sampling(parser)
    parser.add_argument(
        "--run",
        dest="trained_in",
        type=Path,
        metavar="RUN",
        help="folder of the training of one generator: also measure how far its clips are from those of "
        "training",
    )
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[],
        metavar="NETWORK=FILE:SHA256",
        help="weights of i3d or videomae: also measure the FVD",
    )
    parser.add_argument(
        "--tokenizer", metavar="DIR", help="where the tokenizer of the generators lies, if it moved"
    )
    parser.add_argument(
        "--text",
        metavar="DIR",
        help="where the text encoder of the generators lies, if they have one that moved",
    )
    options.add_device(parser)
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, print a table, and write the figures."""
    from tubelet.evaluate.weights import video_features
    from tubelet.generate.checkpoint import read_generator
    from tubelet.generate.evaluation.evaluate import KINDS, PROTOCOL, EvaluationOptions, evaluate_generator
    from tubelet.results import write_results

    options.check_outputs([], arguments.output, inputs=[], force=arguments.force)
    if arguments.trained_in is not None and len(arguments.models) > 1:
        raise OptionError(
            f"--run is {arguments.trained_in}, and there are {len(arguments.models)} generators; a run is of "
            "one. Evaluate that one alone."
        )
    how = EvaluationOptions(
        count=arguments.count,
        seed=arguments.seed,
        things=arguments.things,
        strips=arguments.strips,
        run=arguments.trained_in,
    )
    places = {"tokenizer": arguments.tokenizer, "text": arguments.text, "device": arguments.device}
    models = [read_generator(name, **places) for name in arguments.models]
    weights = tuple(options.weights_of(text) for text in arguments.weights)
    features = {f"fvd_{name}": each for name, each in video_features(weights, arguments.device).items()}
    samplings = options.samplings(arguments, models)
    found: dict[str, Any] = {}
    with progress("evaluating", total=len(models) * len(KINDS) * how.count, unit="clips") as advance:
        for model, sampling in zip(models, samplings, strict=True):
            figures = evaluate_generator(
                model, replace(how, sampling=sampling), features=features, on_clips=advance
            )
            facts = {
                "sha256": model.sha256,
                "kind": model.network.kind,
                "tokenizer": model.tokenizer.name,
                "sampling": asdict(sampling),
            }
            found[model.name] = facts | figures
    about = {"seed": how.seed, "things": how.things}
    if weights:
        about |= {"weights": {each.network: each.sha256 for each in weights}}
    with options.tables_beside(arguments.output):
        for name, figures in found.items():
            _show(name, figures, KINDS)
    write_results(
        arguments.output, protocol=PROTOCOL, figures={**about, "models": found}, force=arguments.force
    )


def _show(name: str, figures: dict[str, Any], kinds: tuple[str, ...]) -> None:
    """A table of one generator: what is right, beside floor and ceiling."""
    from tubelet.generate.evaluation.losses import LOSSES

    rows = []
    for attribute in figures[kinds[0]]["right"]:
        row = [attribute]
        for kind in kinds:
            shares = [figures[kind][part][attribute] for part in ("right", "floor", "ceiling")]
            row += [f"{100 * share:.1f} %" for share in shares]
        rows.append(tuple(row))
    for part, title in _DISTANCES.items():
        values = [figures[kind]["distances"] for kind in kinds]
        if all(each["made"].get(part) is not None for each in values):
            texts = [
                text
                for each in values
                for text in (f"{each['made'][part]:.3f}", "", f"{each['ceiling'][part]:.3f}")
            ]
            rows.append((title, *texts))
    for loss in (each for each in LOSSES if each in figures[kinds[0]]):
        values = [text for kind in kinds for text in (f"{figures[kind][loss]:.4f}", "", "")]
        rows.append((loss.replace("_", " "), *values))
    header = ("right", *(text for kind in kinds for text in (kind, "floor", "ceiling")))
    print(f"{name}, {figures[kinds[0]]['prompts']} prompts of each kind\n")
    show_table(rows, header=header)
