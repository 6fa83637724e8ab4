"""From a prompt to a video file, in memory that does not grow with its length."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tubelet.checks.clips import check_clip
from tubelet.errors import OptionError
from tubelet.files import check_suffix, check_target
from tubelet.generate.checkpoint import TextToVideo
from tubelet.generate.kinds import KINDS, Sampling
from tubelet.generate.known_tokenizer import continuous_of
from tubelet.generate.windows import Clip, make_steps
from tubelet.types import Frames
from tubelet.video.pixels import to_model
from tubelet.video.read import read
from tubelet.video.write import SUFFIXES, Writer

LARGEST_SIDE = 1 << 12
MOST_FRAMES = 1 << 20
LARGEST_SEED = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What video is to be made.

    Attributes:
        prompt: what is seen, in plain English.
        seed: another seed gives another video; the same gives the same.
        frames: how many; as many as the clips of training have for none.
        size: rows and columns of pixels; those of training for none.
        image: the picture that the video begins with, a file; none to make that too. It gives the size.
        sampling: how exactly, and how close to the prompt; as generators of the kind usually do for none.

    Raises:
        OptionError: a number has no meaning.
    """

    prompt: str
    seed: int = 0
    frames: int | None = None
    size: tuple[int, int] | None = None
    image: Path | None = None
    sampling: Sampling | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= LARGEST_SEED:
            raise OptionError(f"the seed is {self.seed}; it lies between 0 and {LARGEST_SEED}.")
        if self.frames is not None and not 1 <= self.frames <= MOST_FRAMES:
            raise OptionError(f"{self.frames} frames are asked for; a video has 1 to {MOST_FRAMES}.")
        if self.size is not None and not all(1 <= side <= LARGEST_SIDE for side in self.size):
            raise OptionError(
                f"the size is {self.size[0]}x{self.size[1]}; each side has 1 to {LARGEST_SIDE} pixels."
            )
        if self.size is not None and self.image is not None:
            raise OptionError("a size and a picture are given; the video has the size of its picture.")


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationReport:
    """What was made.

    Attributes:
        frames: how many.
        height: rows of pixels.
        width: columns.
        fps: frames per second.
    """

    frames: int
    height: int
    width: int
    fps: float


def generate_file(
    request: Request,
    target: Path | str,
    *,
    model: TextToVideo,
    force: bool = False,
    on_frames: Callable[[int], None] = lambda _: None,
) -> GenerationReport:
    """Make a video of a prompt and write it; its metadata say of what, by which model and seed.

    Frames are written as they are decoded, long before the last ones are made.

    Args:
        request: what is to be seen.
        target: the file to write; its suffix chooses the format.
        model: what makes it.
        force: replace a file that is there.
        on_frames: called with the number of frames that were written, run by run.

    Raises:
        OptionError: the prompt says nothing that the generator knows, or a number has no meaning here.
        VideoError: the picture cannot be read, or the frames cannot be coded.
        OutputError: the target exists or cannot be written.
    """
    target = Path(target)
    check_suffix(target, SUFFIXES, "a video")
    check_target(target, sources=[] if request.image is None else [request.image], force=force)
    plan = _Plan.of(request, model)
    rate = Fraction(model.network.config.fps).limit_denominator(1001)
    writer = Writer(
        target,
        width=plan.width,
        height=plan.height,
        time_base=1 / rate,
        tags=_tags(request, model),
        force=force,
        repeatable=True,
    )
    done = 0
    with writer, closing(plan.frames_of(request, model)) as runs:
        for frames in runs:
            writer.write(frames, np.arange(done, done + len(frames)), end=done + len(frames))
            done += len(frames)
            on_frames(len(frames))
    return GenerationReport(frames=done, height=plan.height, width=plan.width, fps=float(rate))


def generate_frames(request: Request, *, model: TextToVideo) -> Generator[Frames]:
    """Make a video of a prompt, in runs of frames; errors as `generate_file`."""
    return _Plan.of(request, model).frames_of(request, model)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A video's length and size, and what is given of it."""

    frames: int
    height: int
    width: int
    clip: Clip

    @classmethod
    def of(cls, request: Request, model: TextToVideo) -> "_Plan":
        config, tokenizer = model.network.config, continuous_of(model.tokenizer)
        words = model.prompts.read([request.prompt])
        stride, grouping = tokenizer.stride, tokenizer.grouping
        first = None if request.image is None else _first_frame(request.image)
        height, width = request.size or (config.rows * stride.h, config.columns * stride.w)
        if first is not None:
            height, width = first.shape[1:3]
        frames = request.frames or grouping.first_frame(config.steps)
        clip = Clip(
            words=words, seed=request.seed, steps=grouping.steps(frames),
            cells=grouping.cells(height, width),
            first=None if first is None else _encoded(model, first),
        )  # fmt: skip
        return cls(frames=frames, height=height, width=width, clip=clip)

    def frames_of(self, request: Request, model: TextToVideo) -> Generator[Frames]:
        """The frames, a latent step at a time."""
        tokenizer = continuous_of(model.tokenizer)
        decoder = tokenizer.stream_decoder(height=self.height, width=self.width, frames=self.frames)
        to_latent = KINDS[model.network.kind].to_latent
        for made in make_steps(model.network, self.clip, request.sampling):
            decoded = to_latent(model.tokenizer, made).to(tokenizer.device, tokenizer.dtype)
            for step in range(decoded.shape[2]):
                yield decoder.push_frames(decoded[:, :, step : step + 1])
        decoder.finish()


def _first_frame(image: Path) -> Frames:
    """The first frame of a picture or video."""
    (run,) = read(image, run=1, stop=1)
    return np.array(run.frames)


@torch.no_grad()
def _encoded(model: TextToVideo, first: Frames) -> Tensor:
    """The first latent step of a clip that begins with a frame, as the network knows it.

    Raises:
        OptionError: the tokenizer knows no step of one frame.
    """
    tokenizer = continuous_of(model.tokenizer)
    if not tokenizer.lead_frame:
        raise OptionError(
            "the tokenizer has no step for a first frame alone, so no picture can be given. Leave it out."
        )
    video = to_model(first).to(tokenizer.device, tokenizer.dtype)
    check_clip(video)
    return KINDS[model.network.kind].from_latent(model.tokenizer, tokenizer.encode(video))


def _tags(request: Request, model: TextToVideo) -> dict[str, str]:
    """What the file says of itself."""
    how = request.sampling or KINDS[model.network.kind].sampling()
    made = f"made by {model.name} {model.sha256[:16]}, seed {request.seed}, {how}"
    return {"title": request.prompt, "comment": made}
