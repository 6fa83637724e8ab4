"""How near files come to what was asked: bits per second, bits per pixel, dB.

    python experiments/rate_control.py CLIPS -o FIGURES.json [--tokenizer tubelet-m] [--clips 4]

Ten seconds of the first clips that are so long: 240 frames at short side 128, shown at 24 a second. A bitrate
is to come out within 5 %, a PSNR within 0.3 dB, and bits per pixel are never to be exceeded. What is asked is
what the clip may well be coded at: half and twice the bits of its file of quality 27, and its PSNR less one.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tubelet.checkpoint import Checkpoint, read_continuous
from tubelet.codec.budget import Bitrate, BitsPerPixel, Budget, Quality, TargetPSNR
from tubelet.codec.encode import encode_file
from tubelet.codec.tube import open_tube
from tubelet.data.clips import find_clips
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import find_protocol
from tubelet.metrics.psnr import ClipPSNR
from tubelet.results import write_results
from tubelet.types import Frames

FRAMES, RATE, SIDE = 240, 24, 128
FACTORS = (0.5, 2.0)


def main() -> None:
    """Measure clips and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of clips")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--tokenizer", default="tubelet-m")
    parser.add_argument("--clips", type=int, default=4, help="that are measured")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = read_continuous(arguments.tokenizer)
    protocol = replace(find_protocol("native-all"), frames=FRAMES, short_side=SIDE)
    figures: dict[str, list[dict[str, Any]]] = {}
    described = f"{arguments.tokenizer}, {FRAMES} frames at short side {SIDE}, {RATE} frames a second"
    for path in find_clips(arguments.data):
        frames = open_clip(path, protocol).frames
        if len(frames) < FRAMES:
            continue
        figures[path.name] = asked_of(frames, checkpoint)
        for each in figures[path.name]:
            print(
                f"{path.name[:30]:32}{each['what']:16}{each['asked']:12.5g}{each['found']:12.5g}", flush=True
            )
        write_results(arguments.output, protocol=described, figures={"clips": figures}, force=True)
        if len(figures) == arguments.clips:
            break
    summary([each for clip in figures.values() for each in clip])


def asked_of(frames: Frames, checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """What was asked of a clip, and what came of it."""
    pixels, seconds = frames[..., 0].size, len(frames) / RATE
    bits, psnr = coded(frames, checkpoint, Quality(level=27))
    found: list[dict[str, Any]] = []
    for factor in FACTORS:
        rate = factor * bits / seconds
        got, _ = coded(frames, checkpoint, Bitrate(bits_per_second=rate))
        found.append({"what": "bits per second", "asked": rate, "found": got / seconds})
        got, _ = coded(frames, checkpoint, BitsPerPixel(bits=factor * bits / pixels))
        found.append({"what": "bits per pixel", "asked": factor * bits / pixels, "found": got / pixels})
    _, got = coded(frames, checkpoint, TargetPSNR(db=psnr - 1))
    found.append({"what": "dB", "asked": psnr - 1, "found": got})
    return found


def coded(frames: Frames, checkpoint: Checkpoint, budget: Budget) -> tuple[float, float]:
    """Bits of a file, and PSNR of what it gives back."""
    with tempfile.TemporaryDirectory(prefix="tubelet-") as folder:
        source, tube = Path(folder) / "a.npy", Path(folder) / "a.tube"
        np.save(source, frames, allow_pickle=False)
        report = encode_file(source, tube, tokenizer=checkpoint, budget=budget)
        psnr = ClipPSNR()
        with open_tube(tube, tokenizer=checkpoint) as opened:
            at = 0
            for run in opened.read():
                psnr.update(frames[at : at + len(run.frames)], run.frames)
                at += len(run.frames)
    return 8.0 * report.bytes_total, psnr.compute()


def summary(every: list[dict[str, Any]]) -> None:
    """How far what was found is from what was asked, at most."""
    off = {
        what: [each["found"] / each["asked"] - 1 for each in every if each["what"] == what]
        for what in ("bits per second", "bits per pixel")
    }
    for what, found in off.items():
        print(f"{what}: {100 * min(found):+.1f} to {100 * max(found):+.1f} % of what was asked")
    decibels = [each["found"] - each["asked"] for each in every if each["what"] == "dB"]
    print(f"dB: {min(decibels):+.2f} to {max(decibels):+.2f}")


if __name__ == "__main__":
    main()
