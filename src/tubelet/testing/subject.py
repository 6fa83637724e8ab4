"""A tokenizer as the laws see it: parts of a latent, whole and in streams."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.parts import PartGrids, joined
from tubelet.tokenizers.streams.state import StreamState
from tubelet.types import Known, Latent, Latents, Stride, Video

ROUNDING = {torch.float64: 1e-12, torch.float32: 2e-5, torch.bfloat16: 2e-2}
"""Largest difference between two ways of computing the same thing."""

ONLY = "latent"
"""The name of the only part of a tokenizer that gives a single latent."""


@runtime_checkable
class Encoding(Protocol):
    """A stream of latent steps made from pushed frames."""

    def push(self, video: Video) -> Latent:
        """Take frames, give the steps that they complete."""
        ...

    def finish(self) -> Latent:
        """Give the last step."""
        ...

    def state(self) -> StreamState:
        """All that the stream knows."""
        ...


@runtime_checkable
class Decoding(Protocol):
    """A stream of frames made from pushed latent steps."""

    def push(self, latent: Latent) -> Video:
        """Take latent steps, give their frames."""
        ...

    def state(self) -> StreamState:
        """All that the stream knows."""
        ...


@runtime_checkable
class Tokenizer(Protocol):
    """What `check_tokenizer` needs of a tokenizer."""

    stride: Stride

    @property
    def channels(self) -> int:
        """Channels of a full latent."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """The number format of latents and videos."""
        ...

    @property
    def warm_up(self) -> int:
        """Latent steps that decoding must start before the first step that is wanted."""
        ...

    def encode(self, video: Video, *, channels: int | None = None) -> Latent:
        """Encode a whole clip."""
        ...

    def decode(self, latent: Latent, *, frames: int, height: int, width: int) -> Video:
        """Decode a whole clip."""
        ...

    def stream_encoder(self, **options: Any) -> Encoding:  # noqa: ANN401  channels, memory, tile, state
        """Start a stream of frames."""
        ...

    def stream_decoder(self, **options: Any) -> Decoding:  # noqa: ANN401  size, first_step, tile, state …
        """Start a stream of latent steps."""
        ...


AnyTokenizer = Tokenizer | ContinuousTokenizer
"""Any tokenizer that the laws are tried on."""


class Subject:
    """A tokenizer whose latents are parts, whatever its own doors take; see `subject_of`.

    Attributes:
        stride: frames, rows and columns of pixels of a step of one cell.
        dtype: the number format of latents and videos.
        warm_up: steps that decoding must start before the first step that is wanted.
        channels: of each part.
    """

    def __init__(self, tokenizer: AnyTokenizer, channels: Mapping[str, int]) -> None:
        self._tokenizer: Any = tokenizer
        self.stride = tokenizer.stride
        self.dtype = tokenizer.dtype
        self.warm_up = tokenizer.warm_up
        self.channels = channels

    def encode(self, video: Video, channels: Mapping[str, int] | None = None) -> Latents:
        """Encode a whole clip."""
        kept = None if channels is None else channels[ONLY]
        return {ONLY: self._tokenizer.encode(video, channels=kept)}

    def decode(self, latents: Latents, video: Video) -> Video:
        """Decode to a clip of the size of `video`."""
        return self._tokenizer.decode(latents[ONLY], **size_of(video))

    def encode_in_runs(self, video: Video, cuts: Sequence[int], **options: Any) -> Latents:  # noqa: ANN401
        """Encode through a stream, pushed in the pieces between `cuts`."""
        stream = self.encoder(**options)
        edges = [0, *sorted(cuts), video.shape[2]]
        runs = [stream.push(video[:, :, a:b]) for a, b in pairwise(edges)]
        return joined([*(self.of_stream(run) for run in runs), self.of_stream(stream.finish())])

    def decode_in_runs(self, latents: Latents, video: Video, cuts: Sequence[int], **options: Any) -> Video:  # noqa: ANN401
        """Decode a latent of `video` through a stream, pushed in the pieces between `cuts`, in steps."""
        stream = self.decoder(**size_of(video), **options)
        edges = [0, *sorted(cuts), self.steps(latents)]
        runs = [stream.push(self.to_stream(self.cut(latents, a, b))) for a, b in pairwise(edges)]
        return torch.cat(runs, dim=2)

    def encoder(self, **options: Any) -> Any:  # noqa: ANN401  its own stream
        """Its own stream of frames."""
        return self._tokenizer.stream_encoder(**options)

    def decoder(self, **options: Any) -> Any:  # noqa: ANN401  its own stream
        """Its own stream of steps."""
        return self._tokenizer.stream_decoder(**options)

    def of_stream(self, given: Any) -> Latents:  # noqa: ANN401  what its stream gives
        """What a stream gave, as parts."""
        return {ONLY: given}

    def to_stream(self, latents: Latents) -> Any:  # noqa: ANN401  what its stream takes
        """Parts as a stream takes them."""
        return latents[ONLY]

    def steps(self, latents: Latents) -> int:
        """How many steps a latent has from the start of a clip."""
        return latents[ONLY].shape[2]

    def cut(self, latents: Mapping[str, Tensor], first: int, stop: int) -> dict[str, Tensor]:
        """Some of the steps of the latent of a clip."""
        return {ONLY: latents[ONLY][:, :, first:stop]}


class PartsSubject(Subject):
    """A tokenizer of ours by the doors for parts."""

    def __init__(self, tokenizer: ContinuousTokenizer) -> None:
        super().__init__(tokenizer, {part.name: part.channels for part in tokenizer.parts})
        self._grids = PartGrids(tokenizer.model, tokenizer.grouping)

    def encode(self, video: Video, channels: Mapping[str, int] | None = None) -> Latents:
        """Encode a whole clip."""
        return self._tokenizer.encode_parts(video, channels=channels)

    def decode(self, latents: Latents, video: Video, known: Known | None = None) -> Video:
        """Decode to a clip of the size of `video`."""
        frames, height, width = video.shape[2:]
        return self._tokenizer.decode_parts(latents, frames=frames, height=height, width=width, known=known)

    def encoder(self, **options: Any) -> Any:  # noqa: ANN401  its own stream
        """Its own stream of frames."""
        return self._tokenizer.parts_encoder(**options)

    def decoder(self, **options: Any) -> Any:  # noqa: ANN401  its own stream
        """Its own stream of steps."""
        return self._tokenizer.parts_decoder(**options)

    def of_stream(self, given: Any) -> Latents:  # noqa: ANN401  what its stream gives
        """What a stream gave, as parts."""
        return given

    def to_stream(self, latents: Latents) -> Any:  # noqa: ANN401  what its stream takes
        """Parts as a stream takes them."""
        return latents

    def steps(self, latents: Latents) -> int:
        """How many steps a latent has from the start of a clip."""
        return self._grids.steps_in(latents, 0)

    def cut(self, latents: Mapping[str, Tensor], first: int, stop: int) -> dict[str, Tensor]:
        """Some of the steps of the latent of a clip."""
        return {
            name: latent[:, :, self._grids[name].first(first) : self._grids[name].first(stop)]
            for name, latent in latents.items()
        }


def subject_of(tokenizer: AnyTokenizer) -> Subject:
    """A tokenizer as the laws see it: by the doors for parts if its latent has several."""
    if isinstance(tokenizer, ContinuousTokenizer) and len(tokenizer.parts) > 1:
        return PartsSubject(tokenizer)
    return Subject(tokenizer, {ONLY: tokenizer.channels})


def encode_in_runs(tokenizer: Tokenizer, video: Video, cuts: Sequence[int], **options: Any) -> Latent:  # noqa: ANN401
    """Encode a clip through a stream, pushed in the pieces between `cuts`."""
    stream = tokenizer.stream_encoder(**options)
    edges = [0, *sorted(cuts), video.shape[2]]
    parts = [stream.push(video[:, :, a:b]) for a, b in pairwise(edges)]
    return torch.cat([*(part for part in parts if part.shape[2]), stream.finish()], dim=2)


def decode_in_runs(
    tokenizer: Tokenizer,
    latent: Latent,
    video: Video,
    cuts: Sequence[int],
    **options: Any,  # noqa: ANN401
) -> Video:
    """Decode a latent of `video` through a stream, pushed in the pieces between `cuts`."""
    stream = tokenizer.stream_decoder(**size_of(video), **options)
    edges = [0, *sorted(cuts), latent.shape[2]]
    return torch.cat([stream.push(latent[:, :, a:b]) for a, b in pairwise(edges)], dim=2)


def size_of(video: Video) -> dict[str, int]:
    """Length and size of a clip, as decoders take them."""
    return dict(zip(("frames", "height", "width"), video.shape[2:], strict=True))
