"""What all tokenizers of ours have in common as systems."""

from functools import partial
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from tubelet.checkpoint import Checkpoint
from tubelet.codec.memory import RUN_BYTES
from tubelet.codec.symbols import kept_channels
from tubelet.evaluate.cases import AbsentError, Case
from tubelet.evaluate.systems.system import Grid, Moved, Setting
from tubelet.evaluate.systems.timing import Cost, Timing, million_numbers, streams, whole_clips
from tubelet.models.protocol import GenerativeModel, HasMotion
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer, StreamTokenizer
from tubelet.tokenizers.parts import joined
from tubelet.tokenizers.streams.encoder import StreamEncoder
from tubelet.tokenizers.token_grid import TokenGrid
from tubelet.types import Frames, Latents, Video


def set_networks(tokenizer: ContinuousTokenizer | DiscreteTokenizer, setting: Setting) -> None:
    """Give networks the number format of a setting, and compile them if it says so.

    Raises:
        AbsentError: there are no networks that a number format or a compiler would change.
    """
    backbone = tokenizer.backbone if isinstance(tokenizer, DiscreteTokenizer) else tokenizer
    networks = backbone.model.networks()
    if not networks and (setting.number_format == "bfloat16" or setting.compiled):
        raise AbsentError("it is linear: it has no networks that compute in another way")
    if setting.number_format == "bfloat16":
        tokenizer.networks_to(torch.bfloat16)
    for network in networks if setting.compiled else ():
        network.compile()


def grid_of(tokenizer: ContinuousTokenizer | DiscreteTokenizer) -> Grid:
    """Where the patches of a tokenizer lie."""
    return Grid(stride=tokenizer.stride, lead_frame=tokenizer.lead_frame)


def facts_of(checkpoint: Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer]) -> dict[str, Any]:
    """What identifies a tokenizer."""
    tokenizer = checkpoint.tokenizer
    return _refined_facts(tokenizer) | {
        "name": checkpoint.name,
        "sha256": checkpoint.sha256,
        "stride": list(tokenizer.stride),
        "lead_frame": tokenizer.lead_frame,
        "megaflops_per_pixel": tokenizer.flops_per_pixel() / 1e6,
    }


def _refined_facts(tokenizer: ContinuousTokenizer | DiscreteTokenizer) -> dict[str, Any]:
    """In how many steps a flow refines frames, and with which noise; nothing where none does."""
    model = tokenizer.backbone.model if isinstance(tokenizer, DiscreteTokenizer) else tokenizer.model
    if not isinstance(model, GenerativeModel) or not model.refine:
        return {}
    return {"refine": model.refine, "seed": model.seed}


def continuous_timing(
    tokenizer: ContinuousTokenizer, *, name: str, channels: int | None, at_once: bool
) -> Timing:
    """How a continuous tokenizer is timed.

    Args:
        tokenizer: the tokenizer.
        name: as the text of the system has it.
        channels: how many are kept; none for all.
        at_once: whether all latent steps of a clip are worked on together.
    """
    about = _about(tokenizer, name=name, channels=channels, at_once=at_once)
    cost = partial(_cost, tokenizer)
    kept = kept_channels(tokenizer, channels)
    if not at_once:
        encoder = partial(tokenizer.parts_encoder, channels=kept)
        return streams(tokenizer, encoder, tokenizer.parts_decoder, joined, about=about, cost=cost)

    def decode(latents: Latents, case: Case) -> Video:
        size = case.size
        return tokenizer.decode_parts(latents, frames=case.frames, height=size.height, width=size.width)

    encode = partial(tokenizer.encode_parts, channels=kept)
    device, dtype = tokenizer.device, tokenizer.dtype
    return whole_clips(encode, decode, device=device, dtype=dtype, about=about, cost=cost)


def discrete_timing(tokenizer: DiscreteTokenizer, *, name: str, at_once: bool) -> Timing:
    """How a discrete tokenizer is timed; arguments as `continuous_timing`."""
    about = _about(tokenizer, name=name, channels=None, at_once=at_once)
    cost = partial(_cost, tokenizer)
    if not at_once:
        encoder, decoder = tokenizer.stream_encoder, tokenizer.stream_decoder
        return streams(tokenizer, encoder, decoder, partial(torch.cat, dim=2), about=about, cost=cost)

    def decode(grid: TokenGrid, _case: Case) -> Video:
        return tokenizer.detokenize(grid)

    device, dtype = tokenizer.device, tokenizer.dtype
    return whole_clips(tokenizer.tokenize, decode, device=device, dtype=dtype, about=about, cost=cost)


def _about(
    tokenizer: ContinuousTokenizer | DiscreteTokenizer, *, name: str, channels: int | None, at_once: bool
) -> dict[str, Any]:
    """What identifies a tokenizer in a benchmark."""
    return {
        "kind": "tubelet",
        "name": name,
        "channels": channels,
        "way": "whole" if at_once else "stream",
        "million_numbers": million_numbers(tokenizer),
    }


def _cost(tokenizer: ContinuousTokenizer | DiscreteTokenizer) -> Cost:
    return Cost(tokenizer.flops_per_pixel() / 1e6, "flops_per_pixel of the tokenizer")


def streamed(stream: StreamEncoder | StreamTokenizer, frames: Frames) -> Tensor:
    """What a stream makes of all frames of a clip."""
    run = run_length(frames)
    parts = [stream.push_frames(frames[begin : begin + run]) for begin in range(0, len(frames), run)]
    return torch.cat([*parts, stream.finish()], dim=2)


@torch.no_grad()
def motion_of(tokenizer: ContinuousTokenizer, frames: Frames) -> Moved | None:
    """How far the positions of a clip move within each latent step, if its tokenizer says so."""
    model = tokenizer.model
    if not isinstance(model, HasMotion):
        return None
    stream, run = tokenizer.parts_encoder(channels=kept_channels(tokenizer, 1)), run_length(frames)
    runs = [stream.push_frames(frames[begin : begin + run]) for begin in range(0, len(frames), run)]
    found = joined([*runs, stream.finish()])[model.motion]
    return rearrange(found[:, -2:], "1 two t h w -> t two h w").half().cpu().numpy()


def run_length(frames: Frames) -> int:
    """How many frames of a clip a stream takes at a time."""
    return max(1, RUN_BYTES // (3 * frames.shape[1] * frames.shape[2]))
