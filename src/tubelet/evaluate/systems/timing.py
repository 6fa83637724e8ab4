"""How systems are timed: a clip goes in and comes back, and the seconds are told."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from tubelet.evaluate.cases import Case
from tubelet.evaluate.picture import Picture
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Video
from tubelet.video.pixels import to_model


class Times(NamedTuple):
    """Seconds of encoding and decoding once.

    Attributes:
        encode: from frames to a latent, tokens or packets.
        decode: back.
        first_frame: from the first frame given to the first one got back.
    """

    encode: float
    decode: float
    first_frame: float

    @property
    def both(self) -> float:
        """Of encoding and decoding."""
        return self.encode + self.decode


class Cost(NamedTuple):
    """Operations of encoding and decoding.

    Attributes:
        mflop_per_pixel: in millions, two per multiplication and addition.
        counted: how.
    """

    mflop_per_pixel: float
    counted: str


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What a benchmark asks of a system.

    Attributes:
        device: where it computes.
        in_streams: whether clips go through it frame by frame, so that their length costs no memory.
        about: what identifies it, and when its first frame comes, as docs/reference/bench-format.md has them.
        prepare: takes a clip in; gives the function that encodes and decodes it.
        cost: counts operations; gives none where they depend on the picture.
    """

    device: torch.device
    in_streams: bool
    about: dict[str, Any]
    prepare: Callable[[Case], Callable[[], Times]]
    cost: Callable[[], Cost | None]


class Stopwatch:
    """Adds up seconds; a GPU finishes what it was told before and after."""

    def __init__(self, device: torch.device) -> None:
        self.seconds = 0.0
        self._device = device

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time of what is done inside."""
        self._wait()
        began = time.perf_counter()
        yield
        self._wait()
        self.seconds += time.perf_counter() - began

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def whole_clips(
    encode: Callable[[Video], Any],
    decode: Callable[[Any, Case], Video],
    *,
    device: torch.device,
    dtype: torch.dtype,
    about: dict[str, Any],
    cost: Callable[[], Cost],
) -> Timing:
    """The timing of whatever takes a whole clip as a tensor and gives it back.

    Args:
        encode: a clip to whatever it is turned into.
        decode: that, and the size of the clip, to the clip.
        device: where it computes.
        dtype: number format of the clip.
        about: what identifies it.
        cost: counts operations.
    """

    def prepare(case: Case) -> Callable[[], Times]:
        video = _picture_on(device, dtype, case)

        def once() -> Times:
            encoding, decoding = Stopwatch(device), Stopwatch(device)
            with encoding.running():
                latent = encode(video)
            with decoding.running():
                back = decode(latent, case)
            if back.shape != video.shape:
                raise RuntimeError(f"{tuple(video.shape)} came back as {tuple(back.shape)}")
            return Times(encoding.seconds, decoding.seconds, encoding.seconds + decoding.seconds)

        return once

    about = about | {"first_frame_after_frames": None}
    return Timing(device=device, in_streams=False, about=about, prepare=prepare, cost=cost)


def streams(
    tokenizer: ContinuousTokenizer | DiscreteTokenizer,
    encoder: Callable[[], Any],
    decoder: Callable[..., Any],
    join: Callable[[list[Any]], Any],
    *,
    about: dict[str, Any],
    cost: Callable[[], Cost],
) -> Timing:
    """The timing of a tokenizer whose clips come group by group, are encoded and decoded, and are forgotten.

    Args:
        tokenizer: what is timed; its first frame comes as soon as its first group is full.
        encoder: opens a stream of frames.
        decoder: opens a stream of what that gives, for a clip of ``frames``, ``height`` and ``width``.
        join: makes one of two runs of it.
        about: what identifies it.
        cost: counts operations.
    """
    about = about | {"first_frame_after_frames": tokenizer.grouping.frames_in(0)}

    def prepare(case: Case) -> Callable[[], Times]:
        picture = Picture(height=case.size.height, width=case.size.width)
        size = {"frames": case.frames, "height": case.size.height, "width": case.size.width}
        return partial(_through_streams, tokenizer, encoder, partial(decoder, **size), join, case, picture)

    return Timing(device=tokenizer.device, in_streams=True, about=about, prepare=prepare, cost=cost)


def _through_streams(
    tokenizer: ContinuousTokenizer | DiscreteTokenizer,
    open_encoder: Callable[[], Any],
    open_decoder: Callable[[], Any],
    join: Callable[[list[Any]], Any],
    case: Case,
    picture: Picture,
) -> Times:
    """A clip through fresh streams; a group of frames is made just before it is needed, outside the time."""
    device, grouping = tokenizer.device, tokenizer.grouping
    encoding, decoding = Stopwatch(device), Stopwatch(device)
    encoder, decoder = open_encoder(), open_decoder()
    first_frame, back, steps = 0.0, 0, grouping.steps(case.frames)
    for step in range(steps):
        stop = min(grouping.first_frame(step + 1), case.frames)
        video = to_model(picture.frames(grouping.first_frame(step), stop)).to(device)
        with encoding.running():
            latent = encoder.push(video)
            if step == steps - 1:
                latent = join([latent, encoder.finish()])
        with decoding.running():
            back += decoder.push(latent).shape[2]
        if step == 0:
            first_frame = encoding.seconds + decoding.seconds
    if back != case.frames:
        raise RuntimeError(f"{case.frames} frames came back as {back}")
    return Times(encoding.seconds, decoding.seconds, first_frame)


def million_numbers(model: nn.Module) -> float:
    """How many numbers a model's checkpoint holds, in millions."""
    return round(sum(tensor.numel() for tensor in model.state_dict().values()) / 1e6, 3)


def _picture_on(device: torch.device, dtype: torch.dtype, case: Case) -> Video:
    """The clip as a tensor where it is needed."""
    size = case.size
    picture = Picture(height=size.height, width=size.width)
    video = torch.empty((1, 3, case.frames, size.height, size.width), dtype=dtype, device=device)
    # One by one: making the clip must not take more memory than the clip.
    for t in range(case.frames):
        video[:, :, t : t + 1] = to_model(picture.frames(t, t + 1))
    return video
