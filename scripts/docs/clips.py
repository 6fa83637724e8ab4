"""Make docs/figures/generated.png and generated-128.png: frames of clips that `tubelet-dit` makes of prompts.

    python scripts/docs/clips.py

It needs the extra `plots`, for the words. The clips are those of `tubelet generate PROMPT --seed 0`, whatever
they are: none is chosen. What the rules of `evaluate-generation` read of each is printed.
"""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tubelet.generate.checkpoint import TextToVideo, read_generator
from tubelet.generate.evaluation.parse import parse_clip
from tubelet.generate.files import Request, generate_frames
from tubelet.types import Frames

FIGURES = Path("docs") / "figures"

PROMPTS = (
    "a red circle moves quickly to the left",
    "a large blue square moves up",
    "a green cross goes down",
    "a yellow triangle moves slowly to the right",
)
LARGE_PROMPTS = PROMPTS[:2]
LARGE_SIZE, LARGE_FRAMES = (128, 128), 33

SHOWN, LARGE_SHOWN = 5, 3
GAP, TEXT, LINE = 12, 20, 2
"""Pixels between clips, those of a line of words, and those between frames."""


def main() -> None:
    """Make the clips and both pictures."""
    model = read_generator()
    small = [made(model, Request(prompt=prompt)) for prompt in PROMPTS]
    draw(PROMPTS, small, FIGURES / "generated.png", shown=SHOWN)
    requests = [Request(prompt=each, size=LARGE_SIZE, frames=LARGE_FRAMES) for each in LARGE_PROMPTS]
    draw(
        LARGE_PROMPTS,
        [made(model, request) for request in requests],
        FIGURES / "generated-128.png",
        shown=LARGE_SHOWN,
    )


def made(model: TextToVideo, request: Request) -> Frames:
    """A clip, of which it is printed what is seen."""
    frames = np.concatenate(list(generate_frames(request, model=model)))
    things = parse_clip(frames, fps=model.network.config.fps)
    seen = [f"{thing.speed_name} {thing.colour} {thing.shape} {thing.direction}" for thing in things]
    print(f"{request.prompt}: {', '.join(seen) or 'nothing'}")
    return frames


def draw(prompts: tuple[str, ...], clips: list[Frames], target: Path, *, shown: int) -> None:
    """Write clips in two columns, some frames of each side by side under its prompt."""
    strips = []
    for clip in clips:
        chosen = np.linspace(0, len(clip) - 1, shown).round().astype(int)
        framed = np.pad(clip[chosen], ((0, 0), (0, 0), (0, LINE), (0, 0)), constant_values=255)
        strips.append(np.concatenate(list(framed), axis=1))
    height, width = strips[0].shape[:2]
    rows = -(-len(clips) // 2)
    size = (2 * width + GAP, rows * (height + TEXT))
    figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    for number, (prompt, strip) in enumerate(zip(prompts, strips, strict=True)):
        left, top = (number % 2) * (width + GAP), (number // 2) * (height + TEXT)
        figure.figimage(strip, left, size[1] - top - TEXT - height)
        figure.text(left / size[0], 1 - (top + TEXT - 5) / size[1], prompt, fontsize=8)
    with matplotlib.rc_context({"savefig.dpi": 100}):
        figure.savefig(target, metadata={"Software": None})
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
