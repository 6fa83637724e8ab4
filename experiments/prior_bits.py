"""Bits of a tokenizer's symbols by its prior, beside the tables of today.

    python experiments/prior_bits.py CLIPS --prior FOLDER [--steps 1 2 4] [--budgets 8] [-o FIGURES.json]

The clips are prepared as short256x33 prepares them. Tables count with what they take in the file; of the
prior count the range coder's bytes and what is escaped. A row says what the symbols of a clip take; heads and
checksums of segments, of which the prior has fewer, are left out. Of a latent of several parts it is about
the one that the prior's network is for.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray

from tubelet.bitstream.modelled import ModelTables, encode_modelled
from tubelet.bitstream.segment import encode_symbols
from tubelet.checkpoint import architecture, read_continuous, read_discrete
from tubelet.codec.symbols import BASE_STEP
from tubelet.data.clips import find_clips
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import PROTOCOLS
from tubelet.priors.context import PartPrior
from tubelet.priors.files import read_prior
from tubelet.quantizers.scalar import ScalarQuantizer
from tubelet.results import circumstances
from tubelet.tokenizers.allocation import CLASSES, allocate
from tubelet.tokenizers.clip import only_part
from tubelet.video.pixels import to_model


class Part(NamedTuple):
    """Symbols of a clip.

    Attributes:
        symbols: ``c t h w``.
        counts: ``t h w``; none without a map.
        permitted: counts that a map chooses from.
    """

    symbols: NDArray[np.int32]
    counts: NDArray[np.int32] | None = None
    permitted: tuple[int, ...] = ()


def main() -> None:
    """Measure, and print a row for each clip."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--prior", type=Path, required=True)
    parser.add_argument("--steps", type=float, nargs="+", default=[1.0, 2.0, 4.0])
    parser.add_argument("--budgets", type=float, nargs="*", default=[8.0])
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    prior = read_prior(arguments.prior)
    tables = ModelTables(prior.tables)
    rows: list[dict[str, Any]] = []
    for clip in find_clips(arguments.clips):
        frames = open_clip(clip, PROTOCOLS["short256x33"]).frames
        for name, part, model in cases(prior, frames, arguments):
            row = {"clip": clip.name, "case": name, "pixels": int(np.prod(frames.shape[:3]))}
            row |= figures(part, model, tables, prior.config.bases)
            rows.append(row)
            print(line(row), flush=True)
    summary(rows)
    if arguments.output:
        content = {"circumstances": circumstances(), "prior": prior.sha256, "rows": rows}
        arguments.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def cases(prior: Any, frames: NDArray[np.uint8], arguments: argparse.Namespace):  # noqa: ANN201, ANN401
    """The symbols of a clip by every quantiser step and budget."""
    config = prior.config
    video = to_model(frames)
    if architecture(config.tokenizer) == "discrete":
        tokenizer = read_discrete(config.tokenizer).tokenizer
        digits = tokenizer.quantizer.quantize(tokenizer.backbone.encode(video))
        yield "tokens", Part(digits[0].to(torch.int32).numpy()), prior.for_part(bases=config.bases)
        return
    tokenizer = read_continuous(config.tokenizer).tokenizer
    part = config.part or only_part(tokenizer.parts).name
    latent = tokenizer.encode_parts(video)[part]
    units, pixel = tokenizer.model.coding_units()[part], tokenizer.model.pixel_units()[part]
    for step in arguments.steps:
        quantizer = ScalarQuantizer.scaled(BASE_STEP / units, step)
        symbols = quantizer.quantize(latent)
        model = prior.for_part(steps=quantizer.steps)
        yield f"step {step:g}", Part(symbols), model
        for budget in arguments.budgets:
            energies = (latent * rearrange(pixel, "c -> c 1 1 1")).square()
            counts = allocate(energies, torch.tensor([budget]))[0, 0].numpy().astype(np.int32)
            present = counts > np.arange(len(symbols)).reshape(-1, 1, 1, 1)
            yield f"step {step:g} budget {budget:g}", Part(symbols * present, counts, CLASSES), model


def figures(part: Part, model: PartPrior, tables: ModelTables, bases: tuple[int, ...]) -> dict[str, Any]:
    """Bytes of the symbols of a clip, and seconds that the prior takes."""
    began = time.perf_counter()
    total, ideal, groups = 0, 0.0, []
    shape = part.symbols.shape[1:]
    found: dict[str, Any] = {}
    if part.counts is not None:
        indices = np.searchsorted(part.permitted, part.counts).astype(np.int32)
        ask: Callable[..., NDArray[np.int32]] = lambda exchange: model.code_counts(  # noqa: E731
            shape, len(part.permitted), exchange
        )
        segment = encode_modelled(ask, indices, tables, total=indices.size)
        found["map"] = len(segment.to_bytes())
        found["map_tables"] = len(encode_symbols(indices.ravel(), len(part.permitted)).to_bytes())
    for group, (start, stop) in enumerate(model.groups):
        own = part.symbols[start:stop]
        count = own.size
        if part.counts is not None:
            count = int((part.counts > np.arange(start, stop).reshape(-1, 1, 1, 1)).sum())
        lower = part.symbols[:start]
        segment = encode_modelled(
            lambda exchange, group=group, lower=lower: model.code_group(group, lower, part.counts, exchange),
            own,
            tables,
            total=count,
        )
        groups.append(len(segment.to_bytes()))
        total += groups[-1]
        ideal += segment.entropy_bits / 8
    found |= {"prior": total, "ideal": ideal, "groups": groups, "seconds": time.perf_counter() - began}
    return found | {"tables": table_bytes(part, bases)}


def table_bytes(part: Part, bases: tuple[int, ...]) -> int:
    """What today's way takes: a segment for each channel, its table counted."""
    total = 0
    for channel, symbols in enumerate(part.symbols):
        values = symbols.ravel() if part.counts is None else symbols[part.counts > channel]
        if values.size:
            total += len(encode_symbols(values, bases[channel] if bases else None).to_bytes())
    return total


def line(row: dict[str, Any]) -> str:
    """A row as text."""
    change = 100 * (row["prior"] / row["tables"] - 1)
    bits = [8 * row[name] / row["pixels"] for name in ("tables", "prior")]
    text = f"{row['clip'][:34]:<34} {row['case']:<18} {bits[0]:.4f} -> {bits[1]:.4f} bpp {change:+6.1f} %"
    text += f"  coder {100 * (row['prior'] / max(1.0, row['ideal']) - 1):+.2f} %  {row['seconds']:.2f} s"
    return text + (f"  map {row['map_tables']} -> {row['map']} bytes" if "map" in row else "")


def summary(rows: list[dict[str, Any]]) -> None:
    """What all clips take, by the prior and where the shorter is chosen."""
    for case in dict.fromkeys(row["case"] for row in rows):
        own = [row for row in rows if row["case"] == case]
        tables, prior = (sum(row[name] for row in own) for name in ("tables", "prior"))
        shorter = sum(min(row["tables"], row["prior"]) for row in own)
        pixels = sum(row["pixels"] for row in own)
        mean = float(np.exp(np.mean([np.log(row["prior"] / row["tables"]) for row in own])))
        print(
            f"{case}: {8 * tables / pixels:.4f} bpp by tables, {8 * prior / pixels:.4f} by the prior "
            f"({100 * (prior / tables - 1):+.1f} %), {8 * shorter / pixels:.4f} by the shorter "
            f"({100 * (shorter / tables - 1):+.1f} %); geometric mean of clips {100 * (mean - 1):+.1f} %"
        )


if __name__ == "__main__":
    main()
