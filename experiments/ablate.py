"""What a change of a recipe is worth: `python experiments/ablate.py DATA RECIPE [--FIELD ...]`.

Trains the recipe, with any of its fields changed as `tubelet train` takes them, for a stated number of
seconds on seven eighths of the prepared clips, and measures on the others what it gains over the linear
tokenizer that it starts as: mean over windows of 17 x 128 x 128, two per clip, networks in the recipe's
precision. Every row of docs/lab-log.md that names this command was made by it. Compare rows of one machine
that did nothing else.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tubelet import checkpoint
from tubelet.cli.fields import add_fields, with_fields
from tubelet.data.crops import INDEX, Crops, open_crops, shard_name
from tubelet.recipes.table import make_config
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.loop import RunOptions
from tubelet.train.precision import autocast
from tubelet.train.tokenizer.batches import to_video
from tubelet.train.tokenizer.network import Network
from tubelet.train.tokenizer.task import train
from tubelet.types import Video

HELD_OUT = 8
"""One clip of so many is measured on."""

COUNTS = (4, 8, 16, 32, 48, 64)
WINDOWS, FRAMES, SIDE = 2, 17, 128


def main() -> None:
    """Train, measure, and print a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("recipe")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--keep", type=Path, help="folder for the run (default: thrown away)")
    known, _ = parser.parse_known_args()
    add_fields(parser, make_config(known.recipe))
    arguments = parser.parse_args()
    config = replace(with_fields(make_config(arguments.recipe), arguments), save_seconds=1e9)
    with tempfile.TemporaryDirectory() as scratch:
        fitted, measured = (Path(scratch) / name for name in ("fit", "measure"))
        split(arguments.data, fitted, measured)
        run = arguments.keep or Path(scratch) / "run"
        state = train(
            config, data=fitted, options=RunOptions(folder=run, time_limit=arguments.seconds, force=True)
        )
        state.use_ema()
        video = windows(open_crops(measured))
    linear = checkpoint.load(config.linear)
    floor = psnr(linear, video, bfloat16=False)
    trained = psnr(state.network.tokenizer, video, bfloat16=config.bfloat16)
    gains = {count: round(trained[count] - floor[count], 2) for count in trained}
    row = {
        "iterations": state.iteration,
        "weights": weights(state.network),
        "gain_db": gains,
        "linear_db": floor,
    }
    print(json.dumps(row))


def split(data: Path, fitted: Path, measured: Path) -> None:
    """Two folders of crops, of links to the shards of one: those to fit and those to measure on."""
    index = json.loads((data / INDEX).read_text(encoding="utf-8"))
    numbered = [(number, clip) for number, clip in enumerate(index["clips"]) if clip["cuts"]]
    for folder, held_out in ((fitted, False), (measured, True)):
        folder.mkdir()
        chosen = [pair for place, pair in enumerate(numbered) if (place % HELD_OUT == 3) == held_out]
        for new, (number, _) in enumerate(chosen):
            (folder / shard_name(new)).symlink_to((data / shard_name(number)).resolve())
        content = index | {"clips": [clip for _, clip in chosen]}
        (folder / INDEX).write_text(json.dumps(content), encoding="utf-8")


def windows(crops: Crops) -> Video:
    """The first frames and pixels of the first crops of every clip."""
    chosen = [
        crops[index][:FRAMES, :SIDE, :SIDE]
        for clip in range(len(crops.clips))
        for index in crops.of_clip(clip)[:WINDOWS]
    ]
    return to_video(np.stack(chosen))


@torch.no_grad()
def psnr(tokenizer: ContinuousTokenizer, video: Video, *, bfloat16: bool) -> dict[int, float]:
    """Mean PSNR over the windows at every number of channels, in dB."""
    counts = [count for count in COUNTS if count <= tokenizer.channels]
    values: dict[int, list[float]] = {count: [] for count in counts}
    size = {"frames": FRAMES, "height": SIDE, "width": SIDE}
    for clip in video.split(4):
        with autocast(clip.device, bfloat16=bfloat16):
            latent = tokenizer.encode(clip)
            for count in counts:
                error = (tokenizer.decode(latent[:, :count], **size).clamp(-1, 1) - clip).square()
                values[count] += (10 * torch.log10(4 / error.mean(dim=(1, 2, 3, 4)))).tolist()
    return {count: round(float(np.mean(each)), 3) for count, each in values.items()}


def weights(network: Network) -> int:
    """How many weights the networks have, without the transform."""
    return sum(p.numel() for name, p in network.named_parameters() if ".transform." not in name)


if __name__ == "__main__":
    main()
