"""Fit the linear tokenizers that the package ships: `python scripts/fit_shipped.py ../shared/data/train`.

Clips that the folder's manifest marks as part of a benchmark are left out. Takes about 20 minutes on two
cores; tokenizers that exist already are kept, so an interrupted run goes on where it was.
"""

import csv
import sys
import time
from pathlib import Path

import torch

from tubelet import checkpoint
from tubelet.data.clips import find_clips
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.tokenizer.card import klt_card
from tubelet.train.tokenizer.fit_klt import Sampling, fit_klt, klt_config
from tubelet.train.tokenizer.fit_motion import fit_motion, motion_config
from tubelet.types import Stride

STRIDES = ("4x8x8", "1x8x8", "8x8x8", "8x16x16", "8x32x32")
MOTION_SAMPLING = Sampling(runs=3, patches=1 << 14, short_sides=(256,))
STARTS = {"8x16x16": "klt-4x8x8", "8x32x32": "klt-8x16x16"}


def training_clips(folder: Path) -> list[Path]:
    """The clips of a folder that its manifest does not mark as part of a benchmark."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        benchmarks = [
            row["file"] for row in csv.DictReader(file) if row["benchmark"].strip() not in {"", "no"}
        ]
    return find_clips(folder, exclude=benchmarks)


def main(folder: Path) -> None:
    """Fit every stride in turn."""
    clips = training_clips(folder)
    for stride in STRIDES:
        name = f"klt-{stride}"
        target = checkpoint.SHIPPED / name
        if (target / "config.json").exists():
            continue
        began = time.monotonic()
        config = klt_config(Stride.parse(stride))
        start: ContinuousTokenizer | None = checkpoint.load(STARTS[stride]) if stride in STARTS else None
        tokenizer = fit_klt(config, clips, Sampling(), start=start, on_skip=print)
        card = klt_card(tokenizer, clips=len(clips), sampling=Sampling(), made_by="tubelet fit-klt")
        tokenizer.save(target, card=card)
        print(f"{name}: {time.monotonic() - began:.0f} s")
    fit_along_motion(clips)


def fit_along_motion(clips: list[Path]) -> None:
    """Fit the tokenizer of the usual stride along motion."""
    config = motion_config(Stride.parse("4x8x8"))
    target = checkpoint.SHIPPED / config.name
    if (target / "config.json").exists():
        return
    tokenizer = fit_motion(config, clips, MOTION_SAMPLING, on_skip=print)
    card = klt_card(tokenizer, clips=len(clips), sampling=MOTION_SAMPLING, made_by="tubelet fit-klt --motion")
    tokenizer.save(target, card=card)


if __name__ == "__main__":
    torch.set_num_threads(2)
    main(Path(sys.argv[1]))
