"""What arrays are stored of one clip: its latent, its distribution, or the digits of its tokens."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from tubelet.codec.budget import MeanChannels
from tubelet.codec.memory import left_for_streams
from tubelet.codec.pipeline import frames_to_latents, frames_to_symbols
from tubelet.codec.symbols import TokenQuantizer, kept_channels, only
from tubelet.data.shards.numbers import to_stored
from tubelet.data.shards.packed import COUNTS, StoredCounts, pack
from tubelet.data.shards.record import array_to_bytes
from tubelet.data.shards.statistics import moments_of
from tubelet.jobs.bulk.clip_frames import ClipFrames
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.tokenizers.allocation import allocate
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.packing import packed_kind
from tubelet.tokenizers.posterior import Posterior
from tubelet.types import Latent


class ClipArrays(NamedTuple):
    """What an encoder made of a clip.

    Attributes:
        arrays: bytes of files, by suffix.
        about: further facts of each.
        statistics: ``statistics``, moments of the latents; nothing of tokens.
    """

    arrays: dict[str, bytes]
    about: dict[str, dict[str, Any]]
    statistics: dict[str, Any]


def backbone_of(tokenizer: ContinuousTokenizer | DiscreteTokenizer) -> ContinuousTokenizer:
    """What encodes."""
    return tokenizer.backbone if isinstance(tokenizer, DiscreteTokenizer) else tokenizer


def clip_arrays(
    clip: ClipFrames, tokenizer: ContinuousTokenizer | DiscreteTokenizer, settings: BulkSettings
) -> ClipArrays:
    """Encode a clip; memory holds its latent, or the digits of its tokens.

    Args:
        clip: is read once.
        tokenizer: encodes it.
        settings: how.

    Raises:
        LatentError: the latent holds what cannot be stored.
    """
    size, backbone = (clip.info.height, clip.info.width), backbone_of(tokenizer)
    memory = left_for_streams(settings.memory, backbone, *size, reads=True)
    if isinstance(tokenizer, DiscreteTokenizer):
        return _tokens(clip, tokenizer, memory)
    if tokenizer.variational:
        latents = _distribution(clip, tokenizer, settings, memory)
    else:
        kept = kept_channels(tokenizer, settings.channels)
        encoder = tokenizer.parts_encoder(channels=kept, memory=memory)
        pieces = [piece.latents for piece in frames_to_latents(clip.runs, encoder)]
        latents = {
            name: torch.cat([piece[name] for piece in pieces if piece[name].shape[2]], dim=2) for name in kept
        }
    if settings.budget is None:
        return _stored(latents, settings)
    assert isinstance(settings.budget, MeanChannels), "settings allow no other budget of arrays"
    (part,) = tokenizer.parts
    counts = _counts(latents[part.name], tokenizer, settings.budget)
    return _stored(latents, settings, counts)


def _counts(latent: Latent, tokenizer: ContinuousTokenizer, budget: MeanChannels) -> StoredCounts:
    """How many channels each position gets, over the whole clip where they take most error away."""
    (units,) = tokenizer.model.pixel_units().values()
    own = units[: latent.shape[1]].detach().to(latent)
    energies = (latent * rearrange(own, "c -> c 1 1 1")).square()
    counts = allocate(energies.float(), torch.tensor([budget.channels], device=latent.device))
    return counts[0].cpu().numpy().astype(packed_kind(latent.shape[1] + 1))


def _stored(
    latents: Mapping[str, Tensor], settings: BulkSettings, counts: StoredCounts | None = None
) -> ClipArrays:
    """Latents, ``1 c t h w`` each, as arrays of one clip; of channels beyond the counts nothing is stored."""
    arrays, about, moments = {}, {}, {}
    for name, latent in latents.items():
        values = latent[0].to("cpu", torch.float32)
        if counts is not None:
            beyond = torch.arange(len(values))[:, None, None, None] >= torch.from_numpy(
                counts.astype(np.int64)
            )
            values = values.masked_fill(beyond, 0.0)
        stored = to_stored(values, settings.dtype)
        facts = stored.about | {"shape": list(stored.array.shape)}
        array = stored.array
        if counts is not None:
            facts, array = facts | {"packed": True}, pack(array, counts)
        arrays[f"{name}.npy"], about[f"{name}.npy"] = array_to_bytes(array), facts
        moments[f"{name}.npy"] = moments_of(values)
    if counts is not None:
        arrays[COUNTS], about[COUNTS] = array_to_bytes(counts), {"shape": list(counts.shape)}
    return ClipArrays(arrays, about, {"statistics": moments})


def _distribution(
    clip: ClipFrames, tokenizer: ContinuousTokenizer, settings: BulkSettings, memory: int
) -> dict[str, Tensor]:
    """The mean and the log-variance of a variational encoder, so that training still samples."""
    encoder = tokenizer.stream_posterior(memory=memory)
    pieces = [encoder.push_frames(run.frames) for run in clip.runs]
    whole = Posterior.joined([*pieces, encoder.finish()])
    kept = tokenizer.check_channels(settings.channels)
    (part,) = tokenizer.parts
    return {part.name: whole.mean[:, :kept], "log_variance": whole.log_variance[:, :kept]}


def _tokens(clip: ClipFrames, tokenizer: DiscreteTokenizer, memory: int) -> ClipArrays:
    """Digits of tokens, ``d t h w``, in the smallest type that holds them."""
    encoder = tokenizer.backbone.parts_encoder(memory=memory)
    pieces = frames_to_symbols(clip.runs, encoder, TokenQuantizer(tokenizer=tokenizer))
    digits = np.concatenate([only(piece.symbols) for piece in pieces], axis=1)
    kind = packed_kind(max(base for token in tokenizer.bases for base in token))
    about = {"tokens.npy": {"shape": list(digits.shape)}}
    return ClipArrays({"tokens.npy": array_to_bytes(digits.astype(kind))}, about, {})
