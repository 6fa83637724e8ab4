"""What networks along motion give: beside the linear model that they begin at, and beside `tubelet-m`.

    python experiments/motion_networks.py CLIPS --tokenizer FOLDER -o FIGURES.json [--first N]

PSNR is of whole clips of short256x33, rounded to 8 bits, at each number of channels of content; tOF at
16 channels, by OpenCV's flow; operations are those of networks and transform, without the search. Seconds of
CPU of encoding and decoding 17 frames, all channels, are medians of three, interleaved, one thread. Files are
those of `tubelet encode --quality` with the priors that ship; percents below zero are bits saved at equal
PSNR (`tubelet.metrics.bd_rate`). A clip takes 45 seconds. Those that the output holds already are not
measured again, so an interrupted run goes on.
"""

import argparse
import time
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from rate_distortion import Setting, stored_clips, through_file

from tubelet.checkpoint import Checkpoint, read_continuous
from tubelet.codec.budget import Quality
from tubelet.codec.symbols import kept_channels
from tubelet.data.clips import find_clips
from tubelet.errors import OptionError
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import find_protocol
from tubelet.metrics.bd_rate import RatePoint, bd_rate
from tubelet.metrics.psnr import ClipPSNR
from tubelet.metrics.tof import ClipTOF
from tubelet.results import write_results
from tubelet.types import Frames
from tubelet.video.pixels import from_model, to_model

CHANNELS = (4, 8, 16, 32, 64)

MIDDLE = 16

QUALITIES = (12.0, 20.0, 30.0)

LINEAR, NETWORK, STRAIGHT = "klt-4x8x8-motion", "tubelet-m", "klt-4x8x8"

TIMED = 17
"""Frames of what is timed."""


def main() -> None:
    """Measure every clip that is not measured yet, and write what there is after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, help="folder of clips")
    parser.add_argument("--tokenizer", required=True, help="with networks along motion")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--first", type=int, help="so many clips alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    protocol = find_protocol("short256x33")
    own = read_continuous(arguments.tokenizer)
    systems = {"own": own} | {name: read_continuous(name) for name in (LINEAR, NETWORK, STRAIGHT)}
    described = f"{protocol.name} v{protocol.version}, {own.name} {own.sha256[:12]}"
    clips = stored_clips(arguments.output, described)
    for path in find_clips(arguments.clips)[: arguments.first]:
        if path.name not in clips:
            clips[path.name] = _measured(systems, open_clip(path, protocol).frames)
        figures = {"summary": _summary(systems, clips), "clips": clips}
        write_results(arguments.output, protocol=described, figures=figures, force=True)
        print(path.name, flush=True)
    for name, value in _summary(systems, clips).items():
        print(f"{name:48} {value}")


def _measured(systems: dict[str, Checkpoint], frames: Frames) -> dict[str, Any]:
    """The figures of one clip, by system."""
    seconds = _seconds(systems, frames[:TIMED])
    found: dict[str, Any] = {}
    for name, checkpoint in systems.items():
        backs = _decoded(checkpoint, frames)
        tof = ClipTOF()
        tof.update(frames, backs[MIDDLE])
        found[name] = {
            "psnr_db": [_psnr(frames, backs[count]) for count in CHANNELS],
            "tof_pixels": tof.compute(),
            "cpu_seconds": seconds[name],
            "files": [_file(frames, checkpoint, level) for level in QUALITIES],
        }
    return found


def _decoded(checkpoint: Checkpoint, frames: Frames) -> dict[int, Frames]:
    """A clip with each number of channels."""
    tokenizer, (length, height, width) = checkpoint.tokenizer, frames.shape[:3]
    latents = tokenizer.encode_parts(to_model(frames))
    backs = {}
    for count in CHANNELS:
        kept = kept_channels(tokenizer, count)
        some = {name: part[:, : kept[name]] for name, part in latents.items()}
        backs[count] = from_model(tokenizer.decode_parts(some, frames=length, height=height, width=width))
    return backs


def _seconds(systems: dict[str, Checkpoint], frames: Frames) -> dict[str, dict[str, float]]:
    """Of encoding and decoding, all channels."""
    video, (length, height, width) = to_model(frames), frames.shape[:3]
    times: dict[str, dict[str, list[float]]] = {name: {"encode": [], "decode": []} for name in systems}
    for _ in range(3):
        for name, checkpoint in systems.items():
            began = time.process_time()
            latents = checkpoint.tokenizer.encode_parts(video)
            between = time.process_time()
            checkpoint.tokenizer.decode_parts(latents, frames=length, height=height, width=width)
            times[name]["encode"].append(between - began)
            times[name]["decode"].append(time.process_time() - between)
    return {name: {each: median(some) for each, some in of.items()} for name, of in times.items()}


def _file(frames: Frames, checkpoint: Checkpoint, level: float) -> dict[str, float]:
    through = through_file(frames, checkpoint, Setting(budget=Quality(level=level)))
    return {"psnr_db": _psnr(frames, through.frames), **through.bits}


def _psnr(frames: Frames, back: Frames) -> float:
    psnr = ClipPSNR()
    psnr.update(frames, back)
    return psnr.compute()


def _summary(systems: dict[str, Checkpoint], clips: dict[str, Any]) -> dict[str, Any]:
    """Means over clips of the tokenizer beside the others."""
    summary: dict[str, Any] = {}
    every = list(clips.values())
    for other in (LINEAR, NETWORK):
        gains = [
            [own - its for own, its in zip(clip["own"]["psnr_db"], clip[other]["psnr_db"], strict=True)]
            for clip in every
        ]
        columns = list(zip(*gains, strict=True))
        summary[f"dB over {other} at {CHANNELS}"] = [round(fmean(some), 3) for some in columns]
        summary[f"least dB over {other}"] = [round(min(some), 3) for some in columns]
        summary[f"percent of bits over files of {other}"] = _more_bits(every, other)
    for name, checkpoint in systems.items():
        summary[f"tOF of {name} at {MIDDLE} channels"] = round(fmean(c[name]["tof_pixels"] for c in every), 4)
        summary[f"MFLOP a pixel of {name}"] = round(checkpoint.tokenizer.flops_per_pixel() / 1e6, 4)
    for other in (NETWORK, STRAIGHT, LINEAR):
        speeds = [_total(clip[other]) / _total(clip["own"]) for clip in every]
        summary[f"speed over {other}, encoding and decoding"] = round(fmean(speeds), 3)
    return summary


def _total(system: dict[str, Any]) -> float:
    return sum(system["cpu_seconds"].values())


def _more_bits(clips: list[dict[str, Any]], other: str) -> float | str:
    """The mean over the clips whose curves overlap."""
    found = []
    for clip in clips:
        anchor, test = (
            [RatePoint(each["bits_per_pixel"], each["psnr_db"]) for each in clip[name]["files"]]
            for name in (other, "own")
        )
        try:
            found.append(bd_rate(anchor, test))
        except OptionError as error:
            print(f"a clip beside {other} is not compared: {error}", flush=True)
    return round(fmean(found), 2) if found else "not compared"


if __name__ == "__main__":
    main()
