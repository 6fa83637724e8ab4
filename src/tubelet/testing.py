"""The laws as checks: `check_tokenizer` runs them on any tokenizer, ours or yours.

Each law is a function of its own, so that a test can draw the clips, the cuts and the tiles. *Float rounding*
is 1e-12 in float64 and 2e-5 in float32, on values in [-1, 1]; larger values count in units of the largest.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from tubelet.errors import LatentError
from tubelet.tokenizers.streams.state import StreamState
from tubelet.types import Latent, Stride, Video

ROUNDING = {torch.float64: 1e-12, torch.float32: 2e-5, torch.bfloat16: 2e-2}
"""Largest difference between two ways of computing the same thing."""


class LawBrokenError(AssertionError):
    """A tokenizer breaks a law; the message says which, and by how much."""


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
    channels: int

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


def check_tokenizer(tokenizer: Tokenizer, *, generator: torch.Generator, clips: int = 3) -> None:
    """Check every law that one process can check, on random clips, cuts and tiles.

    Args:
        tokenizer: the tokenizer, in evaluation mode.
        generator: source of the random choices.
        clips: how many clips to try.

    Raises:
        LawBrokenError: the tokenizer breaks a law.
    """

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    with torch.no_grad():
        for _ in range(clips):
            frames, height, width = draw(1, 5 * tokenizer.stride.t + 2), draw(1, 70), draw(1, 70)
            video = (
                2 * torch.rand(1, 3, frames, height, width, generator=generator, dtype=tokenizer.dtype) - 1
            )
            tile = (draw(1, 4), draw(1, 4))
            check_any_clip(tokenizer, video)
            check_cut_anywhere(tokenizer, video, cuts=[draw(0, frames) for _ in range(3)])
            check_tile_anywhere(tokenizer, video, tile=tile)
            check_causality(tokenizer, video, changed=draw(0, frames - 1))
            check_seek_anywhere(tokenizer, video)
            check_prefixes(tokenizer, video, channels=draw(1, tokenizer.channels))
            check_resuming(tokenizer, video, cut=draw(1, frames))
            check_state_is_bounded(tokenizer, video)
            check_refuses_nan(tokenizer, video)


def check_cut_anywhere(tokenizer: Tokenizer, video: Video, *, cuts: Sequence[int]) -> None:
    """Law 1: pieces of any lengths give what one go gives: streams bit for bit, the whole within rounding."""
    latent = encode_in_runs(tokenizer, video, [])
    _equal("1 (cut anywhere), encoding", encode_in_runs(tokenizer, video, cuts), latent)
    _close("1 (cut anywhere), encoding whole", tokenizer.encode(video), latent)
    decoded = decode_in_runs(tokenizer, latent, video, [])
    step_cuts = [cut * latent.shape[2] // max(video.shape[2], 1) for cut in cuts]
    _equal("1 (cut anywhere), decoding", decode_in_runs(tokenizer, latent, video, step_cuts), decoded)
    _close("1 (cut anywhere), decoding whole", tokenizer.decode(latent, **_size(video)), decoded)


def check_tile_anywhere(tokenizer: Tokenizer, video: Video, *, tile: tuple[int, int]) -> None:
    """Law 2: tiles of any size give what the whole frame gives, within float rounding."""
    latent = tokenizer.encode(video)
    tiled = encode_in_runs(tokenizer, video, [], tile=tile)
    _close(f"2 (tile anywhere), encoding in tiles of {tile}", tiled, latent)
    decoded = tokenizer.decode(latent, **_size(video))
    tiled = decode_in_runs(tokenizer, latent, video, [], tile=tile)
    _close(f"2 (tile anywhere), decoding in tiles of {tile}", tiled, decoded)


def check_causality(tokenizer: Tokenizer, video: Video, *, changed: int) -> None:
    """Law 3: frames from `changed` on leave every latent step that ends before it as it was."""
    other = video.clone()
    other[:, :, changed:] = -other[:, :, changed:]
    past = encode_in_runs(tokenizer, video[:, :, :changed], []) if changed else None
    whole, altered = (encode_in_runs(tokenizer, clip, []) for clip in (video, other))
    stream = tokenizer.stream_encoder()
    known = stream.push(video[:, :, :changed]).shape[2] if changed else 0
    _equal("3 (causality)", altered[:, :, :known], whole[:, :, :known])
    if past is not None:
        _equal("3 (causality), of a clip that ends there", past[:, :, :known], whole[:, :, :known])


def check_any_clip(tokenizer: Tokenizer, video: Video) -> None:
    """Law 4: any length and size comes back with exactly its length and size."""
    latent = tokenizer.encode(video)
    decoded = tokenizer.decode(latent, **_size(video))
    if decoded.shape != video.shape or not decoded.isfinite().all():
        raise LawBrokenError(
            f"law 4 (any clip): {tuple(video.shape)} came back as {tuple(decoded.shape)}, "
            f"{int((~decoded.isfinite()).sum())} values of it not finite"
        )


def check_state_is_bounded(tokenizer: Tokenizer, video: Video) -> None:
    """Law 5, as far as it shows in a stream: what it remembers does not grow with the clip."""
    sizes: list[int] = []
    stream = tokenizer.stream_encoder()
    for _ in range(3):
        for _ in range(tokenizer.stride.t):
            stream.push(video[:, :, :1])
        tensors = stream.state().to_tensors().values()
        sizes.append(sum(tensor.numel() * tensor.element_size() for tensor in tensors))
    if sizes[2] > sizes[1]:
        raise LawBrokenError(f"law 5 (bounded memory): the state grew from {sizes[1]} to {sizes[2]} bytes")


def check_seek_anywhere(tokenizer: Tokenizer, video: Video) -> None:
    """Law 6: decoding from any latent step, after warming up, gives the frames of a full decode."""
    latent = encode_in_runs(tokenizer, video, [])
    full = decode_in_runs(tokenizer, latent, video, [])
    given = 0
    decoder = tokenizer.stream_decoder(**_size(video))
    for step in range(latent.shape[2]):
        frames = decoder.push(latent[:, :, step : step + 1]).shape[2]
        first = max(0, step - tokenizer.warm_up)
        late = tokenizer.stream_decoder(**_size(video), first_step=first)
        sought = late.push(latent[:, :, first : step + 1])
        sought = sought[:, :, sought.shape[2] - frames :]
        _equal(f"6 (seek anywhere), from step {step}", sought, full[:, :, given : given + frames])
        given += frames


def check_prefixes(tokenizer: Tokenizer, video: Video, *, channels: int) -> None:
    """Law 7: the first channels of a latent are the latent of so many channels, and decode."""
    latent = tokenizer.encode(video)
    prefix = tokenizer.encode(video, channels=channels)
    _equal(f"7 (prefixes), {channels} channels", prefix, latent[:, :channels])
    decoded = tokenizer.decode(prefix, **_size(video))
    if decoded.shape != video.shape or not decoded.isfinite().all():
        raise LawBrokenError(f"law 7 (prefixes): {channels} channels do not decode to {tuple(video.shape)}")


def check_resuming(tokenizer: Tokenizer, video: Video, *, cut: int) -> None:
    """Laws 1 and 8: a stream taken up from its stored state goes on as if it had not stopped."""
    whole = encode_in_runs(tokenizer, video, [])
    stream = tokenizer.stream_encoder()
    before = stream.push(video[:, :, :cut])
    stored = StreamState.from_tensors(stream.state().to_tensors())
    resumed = tokenizer.stream_encoder(state=stored)
    after = resumed.push(video[:, :, cut:])
    _equal("1 (cut anywhere), resumed encoding", torch.cat([before, after, resumed.finish()], dim=2), whole)
    steps = max(1, whole.shape[2] // 2)
    full = decode_in_runs(tokenizer, whole, video, [])
    decoder = tokenizer.stream_decoder(**_size(video))
    begun = decoder.push(whole[:, :, :steps])
    stored = StreamState.from_tensors(decoder.state().to_tensors())
    ended = tokenizer.stream_decoder(**_size(video), state=stored).push(whole[:, :, steps:])
    _equal("1 (cut anywhere), resumed decoding", torch.cat([begun, ended], dim=2), full)


def check_refuses_nan(tokenizer: Tokenizer, video: Video) -> None:
    """Law 8: damage is noticed and named; a latent with NaN does not become frames."""
    latent = tokenizer.encode(video).clone()
    latent[0, 0, 0, 0, 0] = torch.nan
    try:
        tokenizer.decode(latent, **_size(video))
    except LatentError:
        return
    raise LawBrokenError("law 8 (numbers only): a latent with NaN was decoded; it must raise LatentError")


def check_ready_to_use(tokenizer: Tokenizer, clips: Sequence[Video], *, within: float) -> None:
    """Law 10: over typical clips each channel has zero mean and unit variance, within a factor and a share.

    Args:
        tokenizer: the tokenizer.
        clips: typical clips, such as those that it was fitted to.
        within: how far a mean may be from 0 and a standard deviation from 1.
    """
    latents = [tokenizer.encode(clip).transpose(0, 1).flatten(1) for clip in clips]
    values = torch.cat(latents, dim=1)
    mean, deviation = values.mean(dim=1), values.std(dim=1)
    worst = max(float(mean.abs().max()), float((deviation - 1).abs().max()))
    if not worst <= within:
        raise LawBrokenError(
            f"law 10 (ready to use): means lie in [{mean.min():.3f}, {mean.max():.3f}] and deviations in "
            f"[{deviation.min():.3f}, {deviation.max():.3f}]; allowed is {within} from 0 and 1"
        )


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
    stream = tokenizer.stream_decoder(**_size(video), **options)
    edges = [0, *sorted(cuts), latent.shape[2]]
    return torch.cat([stream.push(latent[:, :, a:b]) for a, b in pairwise(edges)], dim=2)


def _size(video: Video) -> dict[str, int]:
    return dict(zip(("frames", "height", "width"), video.shape[2:], strict=True))


def _equal(law: str, found: Tensor, expected: Tensor) -> None:
    if found.shape != expected.shape or not torch.equal(found, expected):
        raise LawBrokenError(f"law {law}: not the same bits; {_difference(found, expected)}")


def _close(law: str, found: Tensor, expected: Tensor) -> None:
    allowed = ROUNDING[expected.dtype]
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    same = found.shape == expected.shape
    if not same or (found.numel() and float((found - expected).abs().max()) > allowed * scale):
        raise LawBrokenError(
            f"law {law}: beyond rounding ({allowed} of {scale:.3g}); {_difference(found, expected)}"
        )


def _difference(found: Tensor, expected: Tensor) -> str:
    if found.shape != expected.shape:
        return f"shape {tuple(found.shape)} instead of {tuple(expected.shape)}"
    return f"largest difference {float((found - expected).abs().max()):.3g}"
