"""What can be timed, whatever it is: a clip goes in and comes back, and the seconds are told."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import nn

from tubelet.evaluate.speed.grid import Case
from tubelet.evaluate.speed.picture import Picture
from tubelet.types import Video
from tubelet.video.pixels import to_model


class Times(NamedTuple):
    """Seconds of going there and back once.

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
        """There and back."""
        return self.encode + self.decode


class Cost(NamedTuple):
    """Operations of encoding and decoding.

    Attributes:
        mflop_per_pixel: in millions, two per multiplication and addition.
        counted: how.
    """

    mflop_per_pixel: float
    counted: str


@runtime_checkable
class Subject(Protocol):
    """Something that can be timed."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    @property
    def in_streams(self) -> bool:
        """Whether clips go through it frame by frame, so that their length costs no memory."""
        ...

    def facts(self) -> dict[str, Any]:
        """Who it is, and when its first frame comes."""
        ...

    def work(self, case: Case) -> Callable[[], Times]:
        """Take a clip in; give the function that encodes and decodes it."""
        ...

    def cost(self) -> Cost | None:
        """Count operations; none where nobody counts."""
        ...


@dataclass(frozen=True, kw_only=True)
class WholeClips:
    """Anything that takes a whole clip as a tensor and gives it back.

    Attributes:
        device: where it computes.
        dtype: number format of the clip.
        encode: a clip to whatever it is turned into.
        decode: that, and the size of the clip, to the clip.
        about: facts.
        cost: counts operations.
    """

    device: torch.device
    dtype: torch.dtype
    encode: Callable[[Video], Any]
    decode: Callable[[Any, Case], Video]
    about: dict[str, Any]
    cost: Callable[[], Cost]
    in_streams: bool = False

    def facts(self) -> dict[str, Any]:
        """Who it is."""
        return self.about | {"first_frame_after_frames": None}

    def work(self, case: Case) -> Callable[[], Times]:
        """Keep the clip as a tensor where it is needed."""
        size = case.size
        picture = Picture(height=size.height, width=size.width)
        shape = (1, 3, case.frames, size.height, size.width)
        video = torch.empty(shape, dtype=self.dtype, device=self.device)
        # One by one: making the clip must not take more memory than the clip.
        for t in range(case.frames):
            video[:, :, t : t + 1] = to_model(picture.frames(t, t + 1))

        def once() -> Times:
            encoding, decoding = Stopwatch(self.device), Stopwatch(self.device)
            with encoding.running():
                latent = self.encode(video)
            with decoding.running():
                back = self.decode(latent, case)
            if back.shape != video.shape:
                raise RuntimeError(f"{tuple(video.shape)} came back as {tuple(back.shape)}")
            return Times(encoding.seconds, decoding.seconds, encoding.seconds + decoding.seconds)

        return once


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


def million_numbers(model: nn.Module) -> float:
    """How many numbers a model's checkpoint holds, in millions."""
    return round(sum(tensor.numel() for tensor in model.state_dict().values()) / 1e6, 3)
