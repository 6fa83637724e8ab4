"""Exported tokenizers as systems, run by onnxruntime or OpenVINO."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from tubelet.checkpoint import Checkpoint
from tubelet.errors import OptionError
from tubelet.evaluate.cases import AbsentError
from tubelet.evaluate.systems.latent import LatentSystem
from tubelet.evaluate.systems.system import Setting, System
from tubelet.evaluate.systems.tube import TokenSystem
from tubelet.interop import openvino
from tubelet.interop.onnx import opening as onnx
from tubelet.interop.steps.facts import StepFacts


class _Runtime(NamedTuple):
    """How the files of a format are read."""

    encoder: str
    facts: Callable[[Path], StepFacts]
    continuous: Callable[..., Checkpoint[Any]]
    discrete: Callable[..., Checkpoint[Any]]


RUNTIMES = {
    "onnx": _Runtime(onnx.ENCODER, onnx.read_facts, onnx.read_onnx, onnx.read_onnx_discrete),
    "openvino": _Runtime(
        openvino.ENCODER, openvino.read_facts, openvino.read_openvino, openvino.read_openvino_discrete
    ),
}
"""Formats that are run here, by what stands before the colon."""


def open_exported_system(text: str, setting: Setting) -> System:
    """An exported tokenizer as a system; a continuous one's latent is not quantised.

    Args:
        text: ``onnx:FOLDER[@CHANNELS]`` or ``openvino:FOLDER[@CHANNELS]``.
        setting: what the text does not say.

    Raises:
        OptionError: it names no folder, there are not so many channels, the runtime is not installed, or the
            device is not a CPU.
        CheckpointError: the folder holds no such tokenizer.
        AbsentError: it is to compute in another number format than its files have, or compiled.
    """
    match = re.fullmatch(r"(?P<runtime>\w+):(?P<folder>.+?)(?:@(?P<channels>\d{1,6}))?", text)
    if match is None:
        raise OptionError(f"{text!r} names no folder; give {text}FOLDER, which `tubelet export` writes.")
    if setting.device != "cpu":
        raise OptionError(f"{text!r} is run on a CPU, not on {setting.device}. Leave the device out.")
    if setting.number_format == "bfloat16" or setting.compiled:
        raise AbsentError("its files compute as they were written")
    runtime, folder, threads = RUNTIMES[match["runtime"]], Path(match["folder"]), torch.get_num_threads()
    channels = None if match["channels"] is None else int(match["channels"])
    if runtime.facts(folder / runtime.encoder).bases:
        if channels is not None:
            raise OptionError(f"{text!r} names a discrete tokenizer, which has no choice of channels.")
        checkpoint = runtime.discrete(folder, threads=threads)
        return TokenSystem(folder=None, checkpoint=checkpoint, name=text, at_once=bool(setting.at_once))
    checkpoint = runtime.continuous(folder, threads=threads)
    # Of several ordered parts, all channels are meant.
    several = sum(part.ordered for part in checkpoint.tokenizer.parts) > 1 and channels is None
    return LatentSystem(
        checkpoint=checkpoint,
        name=text,
        channels=None if several else checkpoint.tokenizer.check_channels(channels),
        at_once=bool(setting.at_once),
    )
