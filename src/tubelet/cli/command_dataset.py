"""Say what a data set of encoded clips holds, verify it, or merge several.

  info    clips, shapes, tokenizer, settings, mean and deviation of each channel
  verify  read all of it: digests, counts, tokenizer; the exit code is 1 if something is wrong
  merge   put the clips of several into a new one, given with -o

for example:
  tubelet dataset info latents
  tubelet dataset verify latents
  tubelet dataset merge node0/latents node1/latents -o latents
"""

import argparse
import json
import warnings
from pathlib import Path

from tubelet.cli.console import show_table
from tubelet.cli.options import bytes_text
from tubelet.cli.progress import progress
from tubelet.errors import DamageWarning, OptionError
from tubelet.spelling import counted

NAME = "dataset"

_SHOWN_CHANNELS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("action", choices=["info", "verify", "merge"], help="what to do")
    parser.add_argument("datasets", type=Path, nargs="+", metavar="DATASET", help="folders of data sets")
    parser.add_argument("-o", "--output", type=Path, metavar="MERGED", help="for merge: the folder to write")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> None:
    """Do what was asked."""
    if arguments.action == "merge":
        _merge(arguments)
        return
    if arguments.output is not None:
        raise OptionError(f"{arguments.action} writes nothing; -o is for merge. Leave it out.")
    for folder in arguments.datasets:
        if arguments.action == "info":
            _info(folder, as_json=arguments.json)
        else:
            _verify(folder, as_json=arguments.json)


def _merge(arguments: argparse.Namespace) -> None:
    from tubelet.data.shards.merge import merge_datasets

    if arguments.output is None:
        raise OptionError("merge makes a new data set; name its folder with -o.")
    with progress("merging", unit="shards") as shown:

        def show(_done: int, total: int) -> None:
            shown.expect(total)
            shown(1)

        merge_datasets(arguments.datasets, arguments.output, on_shard=show)
    _info(arguments.output, as_json=arguments.json)


def _info(folder: Path, *, as_json: bool) -> None:
    from tubelet.data.shards.summary import summarise

    facts = summarise(folder)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    settings = ", ".join(_setting(name, value) for name, value in facts["settings"].items() if value)
    shapes = [f"{count} of {shape}" for shape, count in facts["shapes"].items()]
    if facts["more_shapes"]:
        shapes.append(f"and {facts['more_shapes']} more shapes")
    not_made = f", {facts['shards_not_made']} not made yet" if facts["shards_not_made"] else ""
    rows = [
        ("data set", facts["path"]),
        ("holds", facts["format"]),
        ("tokenizer", f"{facts['tokenizer']}, {facts['tokenizer_sha256']:.16}…"),
        ("settings", settings),
        ("clips", f"{facts['clips']}, {counted(facts['frames'], 'frame')}; {facts['failed']} failed"),
        ("shapes", "; ".join(shapes)),
        ("on disk", f"{bytes_text(facts['bytes'])} in {counted(facts['shards'], 'shard')}{not_made}"),
    ]
    rows += [
        ("lost", f"{counted(loss['clips'], 'clip')}; of the first, {loss['first']}: {loss['text']}")
        for loss in facts["losses"]
    ]
    for name, figures in facts["statistics"].items():
        for what, values in figures.items():
            shown = " ".join(f"{value:.3f}" for value in values[:_SHOWN_CHANNELS])
            rows.append((f"{name} {what}", f"{shown}{' …' if len(values) > _SHOWN_CHANNELS else ''}"))
    show_table(rows)


def _setting(name: str, value: object) -> str:
    """A setting in words; of one that is on, its name."""
    if isinstance(value, dict):
        return f"{name} {', '.join(f'{part} {each}' for part, each in value.items())}"
    return name if value is True else f"{name} {value}"


def _verify(folder: Path, *, as_json: bool) -> None:
    from dataclasses import asdict

    from tubelet.data.shards.description import read_description
    from tubelet.data.shards.verify import verify_dataset

    with progress("verifying", total=read_description(folder).shards, unit="shards") as shown:
        found = verify_dataset(folder, on_shard=shown)
    if as_json:
        print(json.dumps({"path": str(folder), **asdict(found)}, indent=2))
    else:
        shards = counted(found.shards, "shard")
        show_table(
            [
                ("data set", str(folder)),
                ("whole", ", ".join([shards, counted(found.clips, "clip"), bytes_text(found.bytes)])),
                ("failed", counted(found.failed, "clip")),
                ("faults", str(len(found.faults))),
            ]
        )
    for fault in found.faults:
        warnings.warn(fault, DamageWarning, stacklevel=1)
