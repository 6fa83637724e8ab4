"""Exported tokenizers as systems, run by onnxruntime."""

import re

import torch

from tubelet.errors import OptionError
from tubelet.evaluate.cases import AbsentError
from tubelet.evaluate.systems.latent import LatentSystem
from tubelet.evaluate.systems.system import Setting
from tubelet.interop.onnx.opening import read_onnx


def open_onnx_system(text: str, setting: Setting) -> LatentSystem:
    """An exported tokenizer as a system; its latent is not quantised.

    Args:
        text: ``onnx:FOLDER[@CHANNELS]``.
        setting: what the text does not say.

    Raises:
        OptionError: it names no folder, there are not so many channels, onnxruntime is not installed, or the
            device is not a CPU.
        CheckpointError: the folder holds no such tokenizer.
        AbsentError: it is to compute in another number format than its files have, or compiled.
    """
    match = re.fullmatch(r"onnx:(?P<folder>.+?)(?:@(?P<channels>\d{1,6}))?", text)
    if match is None:
        raise OptionError(f"{text!r} names no folder; give onnx:FOLDER, which `tubelet export` writes.")
    if setting.device != "cpu":
        raise OptionError(f"{text!r} is run on a CPU, not on {setting.device}. Leave the device out.")
    if setting.number_format == "bfloat16" or setting.compiled:
        raise AbsentError("its files compute in float32, as they were written")
    checkpoint = read_onnx(match["folder"], threads=torch.get_num_threads())
    channels = None if match["channels"] is None else int(match["channels"])
    return LatentSystem(
        checkpoint=checkpoint,
        name=text,
        channels=checkpoint.tokenizer.check_channels(channels),
        at_once=bool(setting.at_once),
    )
