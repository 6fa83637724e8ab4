"""Edit how things move in a video, by arithmetic on the motion of its latent.

    python examples/edit_motion.py CLIP.mp4 -o FOLDER            freeze, reverse and exaggerate its motion
    python examples/edit_motion.py CLIP.mp4 --like OTHER.mp4 -o FOLDER    and move it as another clip moves
    python examples/edit_motion.py CLIP.mp4 --sheet SHEET.png -o FOLDER   and show a group of each

Inside each group of four frames, motion says how far every 8 x 8 pixels moved since the first of them. What
the content says of them stays as it is. So an edit lasts for a group, and the next one begins with its own
first frame: motion that is frozen jumps from group to group, as in a slide show.
"""

import argparse
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from einops import rearrange

import tubelet
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Frames, Latents
from tubelet.video.write import Writer

FACTORS = {"frozen": 0.0, "reversed": -1.0, "exaggerated": 2.0}


def main() -> None:
    """Write a video for each edit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--like", type=Path, help="a clip that moves as the first one shall move")
    parser.add_argument("--frames", type=int, default=33, help="how many frames to take (default: 33)")
    parser.add_argument("--tokenizer", default="klt-4x8x8-motion")
    parser.add_argument(
        "--sheet", type=Path, help="a picture: a group of the clip, and below it of each edit"
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    tokenizer = tubelet.load(arguments.tokenizer)
    frames = first_frames(arguments.clip, arguments.frames)
    latents = tokenizer.encode_parts(tubelet.to_model(frames))
    edits = {name: latents | {"motion": factor * latents["motion"]} for name, factor in FACTORS.items()}
    if arguments.like is not None:
        other = tokenizer.encode_parts(tubelet.to_model(first_frames(arguments.like, arguments.frames)))
        edits["moved-alike"] = latents | {"motion": fitted(other["motion"], latents["motion"])}
    arguments.output.mkdir(parents=True, exist_ok=True)
    clips = {name: decoded(tokenizer, edited, frames) for name, edited in edits.items()}
    for name, clip in clips.items():
        write(arguments.output / f"{name}.mp4", clip)
    if arguments.sheet is not None:
        groups = [clip[1 : 1 + tokenizer.stride.t] for clip in (frames, *clips.values())]
        write(arguments.sheet, rearrange(np.stack(groups), "n t H W c -> 1 (n H) (t W) c"))


def write(target: Path, frames: Frames) -> None:
    """A video, or a picture of one frame."""
    height, width = frames.shape[1:3]
    with Writer(target, height=height, width=width, time_base=Fraction(1, 24), force=True) as writer:
        writer.write(frames, np.arange(len(frames)))
    print(target)


def first_frames(clip: Path, count: int) -> Frames:
    """The first frames of a video."""
    return np.concatenate([run.frames for run in tubelet.read(clip, stop=count)])


def decoded(tokenizer: ContinuousTokenizer, latents: Latents, frames: Frames) -> Frames:
    """The frames of an edited latent, as many and as large as those that were encoded."""
    length, height, width = frames.shape[:3]
    return tubelet.from_model(tokenizer.decode_parts(latents, frames=length, height=height, width=width))


def fitted(motion: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Motion of one clip over the positions of another; where it has none, things stand still."""
    found = torch.zeros_like(like)
    steps, rows, columns = (min(a, b) for a, b in zip(motion.shape[2:], like.shape[2:], strict=True))
    found[:, :, :steps, :rows, :columns] = motion[:, :, :steps, :rows, :columns]
    return found


if __name__ == "__main__":
    main()
