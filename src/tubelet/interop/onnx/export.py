"""A tokenizer of ours as two ONNX files, ``encoder.onnx`` and ``decoder.onnx``."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tubelet.checkpoint import EXPORTED, Checkpoint
from tubelet.files import replacing_folder
from tubelet.interop.onnx.eight_bits import write_eight_bits
from tubelet.interop.onnx.packages import export_package
from tubelet.interop.steps.card import card_text
from tubelet.interop.steps.exported import Exported, Step, exported_steps
from tubelet.interop.steps.facts import KEY, NumberFormat, StepFacts, facts_to_text

ENCODER, DECODER, CARD = FILES = (EXPORTED["onnx"], "decoder.onnx", "card.md")
"""Of such a folder."""

OPSET = 20
"""Version of the operators of ONNX that the files are made of."""

_LOGGERS = ("torch.onnx", None)
"""torch's exporter speaks through the first, onnxruntime's quantiser through the root of all."""


def export_onnx(
    checkpoint: Checkpoint[Any],
    folder: Path,
    *,
    channels: int | None = None,
    number_format: NumberFormat = "float32",
    force: bool = False,
) -> Path:
    """Write the encoder's and the decoder's step as ONNX, for steps of any rows and columns.

    Inputs and outputs, as far as the tokenizer has them: ``frames``, ``latent``, ``counts``, ``first`` and
    ``past`` in; ``latent``, ``log_variance``, ``frames`` and ``past_next`` out, all in float32. Parts, if
    there are several, have their names in place of ``latent``, and ``NAME_counts``. A discrete tokenizer
    gives and takes ``digits`` in place of ``latent`` and ``counts``.

    Args:
        checkpoint: the tokenizer, continuous or with FSQ, LFQ or BSQ.
        folder: where to.
        channels: leading channels to keep; all by default.
        number_format: what networks compute in. ``float16`` halves the files, ``int8`` makes them less than a
            third; docs/guides/export.md has what each costs.
        force: whether a folder of such files is replaced.

    Returns:
        The folder.

    Raises:
        OptionError: the tokenizer cannot be exported, or has not so many channels; or a package is
            not installed.
        OutputError: the folder exists or cannot be written.
    """
    for package in ("onnx", "onnxscript"):
        export_package(package)
    exported = exported_steps(checkpoint, channels=channels, number_format=number_format)
    with replacing_folder(folder, holds=FILES, force=force) as beside:
        write_onnx(exported, beside)
        (beside / CARD).write_text(_card(exported.facts), encoding="utf-8")
    return folder


def write_onnx(exported: Exported, folder: Path) -> None:
    """Write the two functions into a folder.

    Raises:
        OptionError: onnxruntime, which rounds to eight bits, is not installed.
    """
    for step, name in ((exported.encoder, ENCODER), (exported.decoder, DECODER)):
        _write(step, exported.facts, folder / name)


def _write(step: Step, facts: StepFacts, path: Path) -> None:
    """Trace a step and write it."""
    examples, sides = step.arguments()
    with _silence(), torch.no_grad():
        program = torch.onnx.export(
            step.module,
            examples,
            dynamo=True,
            input_names=list(step.inputs),
            output_names=list(step.outputs),
            dynamic_shapes=(sides,),
            opset_version=OPSET,
            verbose=False,
        )
        assert program is not None, "the exporter gives a program"
        program.model.metadata_props[KEY] = facts_to_text(facts)
        program.model.producer_name = "tubelet"
        program.save(path)
        if facts.number_format == "int8":
            write_eight_bits(path)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what other packages say of themselves from the user; their errors stay."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _card(facts: StepFacts) -> str:
    function = "read_onnx_discrete" if facts.bases else "read_onnx"
    return card_text(
        facts,
        written_as=f"ONNX, opset {OPSET}",
        files=(ENCODER, DECODER),
        read_by=f"tokenizer = tubelet.interop.onnx.opening.{function}(FOLDER).tokenizer",
    )
