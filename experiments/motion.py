"""What a linear tokenizer gains along motion, and what its vectors take.

    python experiments/motion.py CLIPS [--motion klt-4x8x8-motion] [--plain klt-4x8x8] [-o FIGURES.json]

The clips are prepared as short256x33 prepares them; PSNR is of the whole clip, rounded to 8 bits, at each
number of channels of content. Bits of motion are those of a file, per position of all latent steps, the lead
step among them: of vectors and of which positions are plain, with tables and with the prior that ships. CPU
seconds of encoding are medians of three, interleaved.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tubelet
from tubelet.bitstream.coding import ModelCoding, PartCoding, TableCoding
from tubelet.bitstream.part_header import PartHeader
from tubelet.checkpoint import Checkpoint, read_continuous
from tubelet.codec.symbols import LatentQuantizer, kept_channels
from tubelet.data.clips import find_clips
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import PROTOCOLS
from tubelet.priors.files import prior_for, prior_of_parts
from tubelet.quantizers.scalar import Symbols
from tubelet.results import circumstances
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.streams.decoder import KnownLatents
from tubelet.types import Frames, Latents
from tubelet.video.pixels import from_model, to_model

CHANNELS = (4, 8, 16, 32, 64)

TIMES = 3


def main() -> None:
    """Measure, and print a row for each clip."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--motion", default="klt-4x8x8-motion")
    parser.add_argument("--plain", default="klt-4x8x8")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    moving, plain = read_continuous(arguments.motion), tubelet.load(arguments.plain)
    rows: dict[str, Any] = {}
    print(f"{'clip':40} gain in dB at {CHANNELS} channels, bits of motion a position")
    for path in find_clips(arguments.clips):
        frames = open_clip(path, PROTOCOLS["short256x33"]).frames
        rows[path.name] = row = _measured(moving, plain, frames)
        gains = " ".join(f"{gain:+6.2f}" for gain in row["gain_db"])
        print(f"{path.name[:40]:40} {gains} {row['bits_of_motion_per_position']:6.2f}", flush=True)
        if arguments.output is not None:
            content = {"figures": _figures(rows, arguments), "circumstances": circumstances()}
            arguments.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(_figures(rows, arguments)["mean"], indent=1))


def _measured(
    motion: Checkpoint[ContinuousTokenizer], plain: ContinuousTokenizer, frames: Frames
) -> dict[str, Any]:
    """The figures of one clip."""
    moving = motion.tokenizer
    video = to_model(frames)
    tokenizers = {"plain": plain, "motion": moving}
    seconds: dict[str, list[float]] = {name: [] for name in tokenizers}
    encoded: dict[str, Latents] = {}
    for _ in range(TIMES):
        for name, tokenizer in tokenizers.items():
            began = time.process_time()
            encoded[name] = tokenizer.encode_parts(video)
            seconds[name].append(time.process_time() - began)
    found = {
        name: [_psnr(tokenizer, encoded[name], frames, kept) for kept in CHANNELS]
        for name, tokenizer in tokenizers.items()
    }
    quantizer = LatentQuantizer.of(moving, kept_channels(moving, None), step=1.0)
    symbols = quantizer.quantize(KnownLatents(encoded["motion"], {}))
    exact = {part.name: symbols[part.name].symbols for part in moving.parts if part.exact}
    tables = sum(_bits(TableCoding(header), each) for header, each in _headers(exact))
    modelled = sum(_bits(_coding(header, motion), each) for header, each in _headers(exact))
    median = {name: float(np.median(times)) for name, times in seconds.items()}
    return {
        "psnr_db": found,
        "gain_db": [round(b - a, 3) for a, b in zip(found["plain"], found["motion"], strict=True)],
        "bits_of_motion_per_position": round(modelled, 3),
        "bits_of_motion_with_tables": round(tables, 3),
        "moving_share": round(float((exact["motion"] != 0).any(axis=0).mean()), 4),
        "plain_share": round(float(exact["plain"].mean()), 4) if "plain" in exact else 0.0,
        "cpu_seconds_encode": median,
        "times_as_slow": round(median["motion"] / median["plain"], 3),
    }


def _headers(exact: dict[str, Symbols]) -> Iterator[tuple[PartHeader, Symbols]]:
    """The parts that files keep exactly, as a header has them."""
    for name, each in exact.items():
        facts = {"stride": (4, 8, 8), "rows": each.shape[2], "columns": each.shape[3]}
        yield PartHeader(name=name, channels=len(each), steps=(1,) * len(each), **facts), each


def _coding(header: PartHeader, motion: Checkpoint[ContinuousTokenizer]) -> PartCoding:
    """With the prior that ships; with tables if there is none."""
    prior = prior_for(motion.sha256) or prior_of_parts(
        {part.name: part.channels for part in motion.tokenizer.parts}
    )
    model = None if prior is None else prior.model_of(header)
    return TableCoding(header) if model is None else ModelCoding(header, model)


def _bits(coding: PartCoding, symbols: Symbols) -> float:
    """Bits a position."""
    sizes = [len(coding.encode(number, symbols, None)) for number in range(len(coding.spans))]
    return 8 * sum(sizes) / symbols[0].size


def _psnr(tokenizer: ContinuousTokenizer, latents: Latents, frames: Frames, kept: int) -> float:
    length, height, width = frames.shape[:3]
    channels = kept_channels(tokenizer, kept)
    some = {name: latents[name][:, :count] for name, count in channels.items()}
    back = from_model(tokenizer.decode_parts(some, frames=length, height=height, width=width))
    error = np.mean((back.astype(np.float32) - frames) ** 2, dtype=np.float64)
    return round(float(10 * np.log10(255**2 / max(error, 1e-10))), 4)


def _figures(rows: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    gains = np.array([row["gain_db"] for row in rows.values()])
    return {
        "channels": list(CHANNELS),
        "tokenizers": [arguments.plain, arguments.motion],
        "mean": {
            "gain_db": gains.mean(axis=0).round(3).tolist(),
            "least_gain_db": gains.min(axis=0).round(3).tolist(),
            **{
                name: round(float(np.mean([row[name] for row in rows.values()])), 3)
                for name in ("bits_of_motion_per_position", "bits_of_motion_with_tables")
            },
            "times_as_slow": round(float(np.mean([row["times_as_slow"] for row in rows.values()])), 3),
        },
        "clips": rows,
    }


if __name__ == "__main__":
    main()
