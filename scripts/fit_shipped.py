"""Fit the linear tokenizers that ship, and the prior of motion: `python scripts/fit_shipped.py CLIPS`.

Clips that the folder's manifest marks as part of a benchmark are left out. Takes about 20 minutes on two
cores; tokenizers that exist already are kept, so an interrupted run goes on where it was.
"""

import csv
import sys
import time
from pathlib import Path

import torch

from tubelet import checkpoint
from tubelet.codec.symbols import LatentQuantizer, kept_channels
from tubelet.data.clips import find_clips
from tubelet.errors import VideoError
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import PROTOCOLS
from tubelet.priors.files import PRIORS, save_prior
from tubelet.priors.files import SHIPPED as SHIPPED_PRIORS
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.streams.decoder import KnownLatents
from tubelet.train.prior.fit_motion import MotionCounts, fit_motion_prior
from tubelet.train.tokenizer.card import klt_card
from tubelet.train.tokenizer.fit_klt import Sampling, fit_klt, klt_config
from tubelet.train.tokenizer.fit_motion import fit_motion, motion_config
from tubelet.types import Stride
from tubelet.video.pixels import to_model

STRIDES = ("4x8x8", "1x8x8", "8x8x8", "8x16x16", "8x32x32")
MOTION_SAMPLING = Sampling(runs=3, patches=1 << 14, short_sides=(256,))
PRIOR_CARD = """---
license: apache-2.0
library_name: tubelet
tags: [video, compression]
---

# {name}

A prior of the vectors and flags of klt-4x8x8-motion: tables that are chosen by what is around, whole numbers
alone (decision 0057). It has no network, and files of it need no more time than others.

- **Made by** counting, in one pass; nothing is trained.
- **From** {clips} clips, every third of the training set, 33 frames of each, at a short side of 256 pixels;
  clips of benchmarks are left out.
- **For** the motion and plain parts of klt-4x8x8-motion; content takes tables of its own.
"""
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
    fit_prior_of_motion(clips)


def fit_along_motion(clips: list[Path]) -> None:
    """Fit the tokenizer of the usual stride along motion."""
    config = motion_config(Stride.parse("4x8x8"))
    target = checkpoint.SHIPPED / config.name
    if (target / "config.json").exists():
        return
    tokenizer = fit_motion(config, clips, MOTION_SAMPLING, on_skip=print)
    card = klt_card(tokenizer, clips=len(clips), sampling=MOTION_SAMPLING, made_by="tubelet fit-klt --motion")
    tokenizer.save(target, card=card)


def fit_prior_of_motion(clips: list[Path]) -> None:
    """Count the vectors and flags of the tokenizer along motion, in clips as `short256x33` has them."""
    known = checkpoint.read_continuous("klt-4x8x8-motion")
    name = PRIORS[known.sha256]
    if (SHIPPED_PRIORS / name / "config.json").exists():
        return
    quantizer = LatentQuantizer.of(known.tokenizer, kept_channels(known.tokenizer, None), step=1.0)
    counts, counted = MotionCounts(), 0
    for clip in clips[::3]:
        try:
            frames = open_clip(clip, PROTOCOLS["short256x33"]).frames
        except VideoError as error:
            print(error)
            continue
        latents = known.tokenizer.encode_parts(to_model(frames))
        symbols = quantizer.quantize(KnownLatents(latents, {}))
        counts.add(symbols["motion"].symbols, symbols["plain"].symbols)
        counted += 1
    config, arrays = fit_motion_prior(
        counts,
        name=name,
        tokenizer=known.name,
        tokenizer_sha256=known.sha256,
        channels=known.tokenizer.parts[0].channels,
    )
    save_prior(config, arrays, SHIPPED_PRIORS / name, card=PRIOR_CARD.format(name=name, clips=counted))


if __name__ == "__main__":
    torch.set_num_threads(2)
    main(Path(sys.argv[1]))
