"""Whether the laws hold on a GPU: `python scripts/gpu/laws.py [TOKENIZER ...] [--device cuda] [-o FILE]`.

Runs what `tubelet.testing.check_tokenizer` runs, on random clips, cuts and tiles, in float32, in float32 with
the TF32 that PyTorch turns on for convolutions, and with networks in bfloat16. A broken law is printed and
does not stop the others. Below it stand the largest differences between ways to compute the same thing, and
from float64 on the CPU, in units of the latent and of the video's [-1, 1].
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from tubelet.checkpoint import load, shipped
from tubelet.results import write_results
from tubelet.testing import (
    LAWS,
    Decoding,
    Draw,
    Encoding,
    LawBrokenError,
    decode_in_runs,
    encode_in_runs,
)
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.streams.state import StreamState
from tubelet.types import Latent, Stride, Video

MODES = ("float32", "float32 with TF32", "bfloat16 networks")


class EncodingOnDevice:
    """A stream of latent steps that is made on a device, for a user on the CPU."""

    def __init__(self, inner: Encoding, device: torch.device) -> None:
        self._inner = inner
        self._device = device

    def push(self, video: Video) -> Latent:
        """Take frames, give the steps that they complete."""
        return self._inner.push(video.to(self._device)).cpu()

    def finish(self) -> Latent:
        """Give the last step."""
        return self._inner.finish().cpu()

    def state(self) -> StreamState:
        """All that the stream knows."""
        return self._inner.state()


class DecodingOnDevice:
    """A stream of frames that is made on a device, for a user on the CPU."""

    def __init__(self, inner: Decoding, device: torch.device) -> None:
        self._inner = inner
        self._device = device

    def push(self, latent: Latent) -> Video:
        """Take latent steps, give their frames."""
        return self._inner.push(latent.to(self._device)).cpu()

    def state(self) -> StreamState:
        """All that the stream knows."""
        return self._inner.state()


class OnDevice:
    """A tokenizer on a device whose user is on the CPU."""

    def __init__(self, tokenizer: ContinuousTokenizer) -> None:
        self._tokenizer = tokenizer
        self.stride: Stride = tokenizer.stride
        self.channels: int = tokenizer.channels

    @property
    def dtype(self) -> torch.dtype:
        """The number format of latents and videos."""
        return self._tokenizer.dtype

    @property
    def warm_up(self) -> int:
        """Latent steps that decoding must start before the first step that is wanted."""
        return self._tokenizer.warm_up

    def encode(self, video: Video, *, channels: int | None = None) -> Latent:
        """Encode a whole clip."""
        return self._tokenizer.encode(video.to(self._tokenizer.device), channels=channels).cpu()

    def decode(self, latent: Latent, *, frames: int, height: int, width: int) -> Video:
        """Decode a whole clip."""
        moved = latent.to(self._tokenizer.device)
        return self._tokenizer.decode(moved, frames=frames, height=height, width=width).cpu()

    def stream_encoder(self, **options: Any) -> EncodingOnDevice:  # noqa: ANN401  as in the protocol
        """Start a stream of frames."""
        return EncodingOnDevice(self._tokenizer.stream_encoder(**options), self._tokenizer.device)

    def stream_decoder(self, **options: Any) -> DecodingOnDevice:  # noqa: ANN401  as in the protocol
        """Start a stream of latent steps."""
        return DecodingOnDevice(self._tokenizer.stream_decoder(**options), self._tokenizer.device)


def main() -> None:
    """Check every tokenizer in every mode."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizers", nargs="*", default=shipped(), metavar="TOKENIZER")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("-o", type=Path, metavar="FILE", help="also write the figures as JSON")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"device": arguments.device}
    if arguments.device == "cuda":
        figures["device"] = torch.cuda.get_device_name()
    for name in arguments.tokenizers:
        figures[name] = {mode: check(name, mode, arguments.device, arguments.clips) for mode in MODES}
    if arguments.o is not None:
        write_results(arguments.o, protocol=" ".join((__doc__ or "").split()), figures=figures)


@torch.no_grad()
def check(name: str, mode: str, device: str, clips: int) -> dict[str, Any]:
    """Try every law on random clips, and measure the largest differences."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = mode == "float32 with TF32"
    inner = load(name).to(device)
    tokenizer = OnDevice(inner.networks_to(torch.bfloat16) if mode == "bfloat16 networks" else inner)
    exact = load(name).double()
    broken: dict[str, str] = {}
    largest: dict[str, float] = {}
    draw = Draw(torch.Generator().manual_seed(0))
    for _ in range(clips):
        video = random_clip(tokenizer, draw)
        for law in LAWS:
            try:
                law.check(tokenizer, video, draw)
            except LawBrokenError as error:
                broken.setdefault(law.name, str(error))
        for what, value in differences(tokenizer, exact, video, draw).items():
            largest[what] = max(largest.get(what, 0.0), value)
    print(f"{name}, {mode}, {device}: {'all laws hold' if not broken else f'{len(broken)} laws do not hold'}")
    for message in broken.values():
        print(f"  {message}")
    for what, value in largest.items():
        print(f"  {what}: {value:.2g}")
    return {"broken": broken, "largest_difference": largest}


def random_clip(tokenizer: OnDevice, draw: Draw) -> Video:
    """A clip of noise, as `check_tokenizer` draws it."""
    shape = (1, 3, draw(1, 5 * tokenizer.stride.t + 2), draw(1, 70), draw(1, 70))
    return 2 * torch.rand(shape, generator=draw.generator, dtype=tokenizer.dtype) - 1


def differences(
    tokenizer: OnDevice, exact: ContinuousTokenizer, video: Video, draw: Draw
) -> dict[str, float]:
    """The largest differences between ways to compute the same thing."""
    frames, height, width = video.shape[2:]
    tile = draw.tile()
    latent = tokenizer.encode(video)
    decoded = tokenizer.decode(latent, frames=frames, height=height, width=width)
    right = exact.encode(video.double())
    right_video = exact.decode(right, frames=frames, height=height, width=width)
    pairs = {
        "encoding, whole and stream": (encode_in_runs(tokenizer, video, []), latent),
        "encoding, whole and tiles": (encode_in_runs(tokenizer, video, [], tile=tile), latent),
        "encoding, from float64": (latent.double(), right),
        "decoding, whole and stream": (decode_in_runs(tokenizer, latent, video, []), decoded),
        "decoding, whole and tiles": (decode_in_runs(tokenizer, latent, video, [], tile=tile), decoded),
        "there and back, from float64": (decoded.double(), right_video),
    }
    return {what: float((one - other).abs().max()) for what, (one, other) in pairs.items()}


if __name__ == "__main__":
    main()
