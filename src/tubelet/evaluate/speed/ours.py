"""Our tokenizers as subjects: in streams of bounded memory, or all latent steps of a clip at once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from tubelet.checkpoint import architecture, find, load, load_discrete
from tubelet.errors import OptionError
from tubelet.evaluate.speed.grid import AbsentError, Case, Variant
from tubelet.evaluate.speed.picture import Picture
from tubelet.evaluate.speed.subjects import Cost, Stopwatch, Subject, Times, WholeClips, million_numbers
from tubelet.evaluate.words import tokenizer_words
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer, StreamTokenizer
from tubelet.tokenizers.stream_encoder import StreamEncoder
from tubelet.tokenizers.token_grid import TokenGrid
from tubelet.types import Latent, Video
from tubelet.video.pixels import to_model

_WAYS = ("stream", "whole")


@dataclass(frozen=True, kw_only=True)
class Streams:
    """A tokenizer whose clips come group by group, are encoded and decoded at once, and are forgotten.

    Attributes:
        tokenizer: what is measured.
        encoder: opens a stream of frames.
        about: facts.
    """

    tokenizer: ContinuousTokenizer | DiscreteTokenizer
    encoder: Callable[[], StreamEncoder | StreamTokenizer]
    about: dict[str, Any]
    in_streams: bool = True

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.tokenizer.device

    def facts(self) -> dict[str, Any]:
        """Who it is; its first frame comes as soon as its first group is full."""
        return self.about | {"first_frame_after_frames": self.tokenizer.grouping.frames_in(0)}

    def work(self, case: Case) -> Callable[[], Times]:
        """Make every group of frames just before it is needed, outside the time."""
        grouping = self.tokenizer.grouping
        picture = Picture(height=case.size.height, width=case.size.width)

        def group(step: int) -> Video:
            stop = min(grouping.first_frame(step + 1), case.frames)
            return to_model(picture.frames(grouping.first_frame(step), stop)).to(self.device)

        return partial(self._once, case, group, grouping.steps(case.frames))

    def _once(self, case: Case, group: Callable[[int], Video], steps: int) -> Times:
        """There and back in fresh streams."""
        encoding, decoding = Stopwatch(self.device), Stopwatch(self.device)
        encoder = self.encoder()
        height, width = case.size.height, case.size.width
        decoder = self.tokenizer.stream_decoder(frames=case.frames, height=height, width=width)
        first_frame, back = 0.0, 0
        for step in range(steps):
            video = group(step)
            with encoding.running():
                latent = encoder.push(video)
                if step == steps - 1:
                    latent = torch.cat([latent, encoder.finish()], dim=2)
            with decoding.running():
                back += decoder.push(latent).shape[2]
            if step == 0:
                first_frame = encoding.seconds + decoding.seconds
        if back != case.frames:
            raise RuntimeError(f"{case.frames} frames came back as {back}")
        return Times(encoding.seconds, decoding.seconds, first_frame)

    def cost(self) -> Cost | None:
        """Count operations."""
        return _cost(self.tokenizer)


def open_ours(variant: Variant, *, device: torch.device) -> Subject:
    """A tokenizer of ours: ``NAME[@CHANNELS][:way=stream|whole]``.

    Raises:
        OptionError: the text has no meaning here.
        CheckpointError: there is no such tokenizer, or it is damaged.
        AbsentError: it has no networks that a number format or a compiler would change.
    """
    text = variant.system
    words, channels = tokenizer_words(text)
    way = words.only("way").get("way", _WAYS[0])
    if way not in _WAYS:
        raise OptionError(f"{text!r} has way={way}; it is {' or '.join(_WAYS)}.")
    folder = find(words.name)
    if architecture(folder) == "discrete":
        if channels is not None:
            raise OptionError(f"{text!r} names a discrete tokenizer, which has no choice of channels.")
        tokenizer = load_discrete(folder)
    else:
        tokenizer = load(folder)
        channels = tokenizer.check_channels(channels)
    _set(tokenizer, variant)
    tokenizer.to(device)
    about = {
        "kind": "tubelet",
        "name": words.name,
        "channels": channels,
        "way": way,
        "million_numbers": million_numbers(tokenizer),
    }
    return _streams(tokenizer, channels, about) if way == "stream" else _whole(tokenizer, channels, about)


def _set(tokenizer: ContinuousTokenizer | DiscreteTokenizer, variant: Variant) -> None:
    """Give the networks their number format, and compile them."""
    backbone = tokenizer.backbone if isinstance(tokenizer, DiscreteTokenizer) else tokenizer
    networks = [stack for stack in (backbone.encoder, backbone.decoder) if stack is not None]
    if not networks and (variant.number_format != "float32" or variant.mode == "compiled"):
        raise AbsentError("it is linear: it has no networks that compute in another way")
    if variant.number_format == "bfloat16":
        tokenizer.networks_to(torch.bfloat16)
    for network in networks if variant.mode == "compiled" else ():
        network.compile()


def _streams(
    tokenizer: ContinuousTokenizer | DiscreteTokenizer, channels: int | None, about: dict[str, Any]
) -> Subject:
    if isinstance(tokenizer, DiscreteTokenizer):
        return Streams(tokenizer=tokenizer, encoder=tokenizer.stream_encoder, about=about)
    encoder = partial(tokenizer.stream_encoder, channels=channels)
    return Streams(tokenizer=tokenizer, encoder=encoder, about=about)


def _whole(
    tokenizer: ContinuousTokenizer | DiscreteTokenizer, channels: int | None, about: dict[str, Any]
) -> Subject:
    if isinstance(tokenizer, DiscreteTokenizer):
        encode, decode = tokenizer.tokenize, partial(_from_tokens, tokenizer)
    else:
        encode, decode = partial(tokenizer.encode, channels=channels), partial(_from_latent, tokenizer)
    return WholeClips(
        device=tokenizer.device,
        dtype=tokenizer.dtype,
        encode=encode,
        decode=decode,
        about=about,
        cost=partial(_cost, tokenizer),
    )


def _from_latent(tokenizer: ContinuousTokenizer, latent: Latent, case: Case) -> Video:
    return tokenizer.decode(latent, frames=case.frames, height=case.size.height, width=case.size.width)


def _from_tokens(tokenizer: DiscreteTokenizer, grid: TokenGrid, _case: Case) -> Video:
    return tokenizer.detokenize(grid)


def _cost(tokenizer: ContinuousTokenizer | DiscreteTokenizer) -> Cost:
    return Cost(tokenizer.flops_per_pixel() / 1e6, "flops_per_pixel of the tokenizer")
