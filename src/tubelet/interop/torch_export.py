"""A tokenizer as two programs of `torch.export`, for C++, other compilers and other machines."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from tubelet.checkpoint import EXPORTED, Checkpoint
from tubelet.errors import CheckpointError, OptionError
from tubelet.files import replacing_folder
from tubelet.interop.steps.card import card_text
from tubelet.interop.steps.exported import exported_steps
from tubelet.interop.steps.facts import KEY, NumberFormat, StepFacts, facts_to_text, text_to_facts

ENCODER, DECODER, CARD = FILES = (EXPORTED["torch"], "decoder.pt2", "card.md")
"""Of such a folder."""

FACTS = f"{KEY}.json"
"""What each file holds beside the program; `torch.export.load` gives it as an extra file."""

_MOST_BYTES = 1 << 24
"""Of what a file says of its tokenizer."""


def export_programs(
    checkpoint: Checkpoint[Any],
    folder: Path,
    *,
    channels: int | None = None,
    number_format: NumberFormat = "float32",
    force: bool = False,
) -> Path:
    """Write the encoder's and the decoder's step as programs of `torch.export`; arguments as `export_onnx`.

    tubelet does not read them again: ``torch.export.load`` of a file runs what the file says, so load only
    those that you made.

    Raises:
        OptionError: the tokenizer cannot be exported, or has not so many channels; or the numbers are to
            be of eight bits.
        OutputError: the folder exists or cannot be written.
    """
    if number_format == "int8":
        raise OptionError(
            "programs of torch.export are written in float32 or float16, not in int8. Use --format onnx."
        )
    exported = exported_steps(checkpoint, channels=channels, number_format=number_format)
    text = facts_to_text(exported.facts)
    with replacing_folder(folder, holds=FILES, force=force) as beside:
        for step, name in ((exported.encoder, ENCODER), (exported.decoder, DECODER)):
            program = step.program()
            # They were to trace it, and of a cell of 64 x 64 pixels take 33 MB.
            program.example_inputs = None
            torch.export.save(program, beside / name, extra_files={FACTS: text})
        card = card_text(
            exported.facts,
            written_as="programs of torch.export",
            files=(ENCODER, DECODER),
            read_by=f'encoder = torch.export.load("{ENCODER}").module()',
        )
        (beside / CARD).write_text(card, encoding="utf-8")
    return folder


def read_facts(path: Path) -> StepFacts:
    """What a program says of its tokenizer; of the file no more than that is read, and nothing is run.

    Raises:
        CheckpointError: the file is missing or damaged, or says nothing of a tokenizer.
    """
    if not path.is_file():
        raise CheckpointError(
            f"there is no {path}; `tubelet export NAME -o {path.parent} --format torch-export` makes it."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            name = next((each for each in archive.namelist() if each.endswith(f"/{FACTS}")), None)
            text = None if name is None else _beginning(archive, name).decode()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        raise CheckpointError(
            f"{path} is no program of torch.export: {error!s:.200}. Export it again."
        ) from error
    return text_to_facts(text, path)


def _beginning(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        return file.read(_MOST_BYTES)
