"""Digits that fall to the other side: `python experiments/token_flips.py FOLDER [TOKENIZER] [-o FILE]`.

Protocol token_flips: the clips of short256x33. The reference is the stream over whole frames in float32.
Against it: another cut of the stream; tiles of 8 x 8 positions; the whole clip at once; networks in bfloat16.
Given are digits that differ, of all digits, and the largest difference in levels.
"""

import argparse
import json
import warnings
from pathlib import Path

import torch

from tubelet.checkpoint import load_discrete
from tubelet.data.clips import find_clips
from tubelet.errors import LossWarning
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import find_protocol
from tubelet.quantizers.digits import Digits
from tubelet.results import write_results
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Video
from tubelet.video.pixels import to_model

SHORT = find_protocol("short256x33")
WHOLE, SMALL = (1 << 12, 1 << 12), (8, 8)


def main() -> None:
    """Count and write experiments/results/token_flips.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tokenizer", nargs="?", default="tubelet-fsq")
    parser.add_argument("-o", type=Path, default=Path("experiments/results/token_flips.json"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", LossWarning)
    tokenizer = load_discrete(arguments.tokenizer)
    halved = load_discrete(arguments.tokenizer).networks_to(torch.bfloat16)
    figures: dict[str, dict[str, int]] = {}
    for path in find_clips(arguments.folder):
        video = to_model(open_clip(path, SHORT).frames)
        reference = streamed(tokenizer, video, [], WHOLE)
        others = {
            "cut": streamed(tokenizer, video, [1, 6, 7, 20], WHOLE),
            "tiles": streamed(tokenizer, video, [], SMALL),
            "at once": tokenizer.tokenize(video).digits,
            "bfloat16": streamed(halved, video, [], WHOLE),
        }
        for name, digits in others.items():
            apart = (digits.int() - reference.int()).abs()
            figure = figures.setdefault(name, {"digits": 0, "differ": 0, "levels": 0})
            figure["digits"] += apart.numel()
            figure["differ"] += int((apart > 0).sum())
            figure["levels"] = max(figure["levels"], int(apart.max()))
        print(path.name, json.dumps(figures), flush=True)
    write_results(
        arguments.o,
        protocol=" ".join((__doc__ or "").split()),
        figures={"tokenizer": arguments.tokenizer, "against the stream": figures},
    )


def streamed(tokenizer: DiscreteTokenizer, video: Video, cuts: list[int], tile: tuple[int, int]) -> Digits:
    """The digits of a clip that comes in runs, tile by tile."""
    stream = tokenizer.stream_encoder(tile=tile)
    parts = [stream.push(part) for part in torch.tensor_split(video, cuts, dim=2)]
    return torch.cat([*parts, stream.finish()], dim=2)


if __name__ == "__main__":
    main()
