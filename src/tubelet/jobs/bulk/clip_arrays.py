"""What arrays are stored of one clip: its latent, its distribution, or the digits of its tokens."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tubelet.codec.budget import MeanChannels
from tubelet.codec.memory import left_for_streams
from tubelet.codec.symbols import digits_to_symbols, kept_channels
from tubelet.data.shards.numbers import to_stored
from tubelet.data.shards.packed import COUNTS, StoredCounts, pack
from tubelet.data.shards.record import array_to_bytes
from tubelet.data.shards.statistics import moments_of
from tubelet.jobs.bulk.clip_frames import ClipFrames
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.tokenizers.allocation import counts_within
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.packing import packed_kind
from tubelet.tokenizers.posterior import Posterior
from tubelet.tokenizers.streams.encoder import StreamEncoder
from tubelet.types import Latents

Given = Latents | Posterior
"""What an encoder gives of complete steps: each part, or the distribution of the only one."""


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
    encoder = encoder_of(tokenizer, settings, left_for_streams(settings.memory, backbone, *size, reads=True))

    def encoded() -> Iterator[Given]:
        # A `map` holds nothing of what it gave while it waits, and a loop's variable would.
        yield from map(encoder.push_frames, (run.frames for run in clip.runs))
        yield encoder.finish()

    return arrays_of(encoded(), tokenizer, settings)


def encoder_of(
    tokenizer: ContinuousTokenizer | DiscreteTokenizer, settings: BulkSettings, memory: int
) -> StreamEncoder[Latents] | StreamEncoder[Posterior]:
    """What encodes one clip, or several of one shape at once.

    Args:
        tokenizer: encodes.
        settings: how.
        memory: bytes that its networks may take.
    """
    if isinstance(tokenizer, DiscreteTokenizer):
        return tokenizer.backbone.parts_encoder(memory=memory)
    if tokenizer.variational:
        return tokenizer.stream_posterior(memory=memory)
    return tokenizer.parts_encoder(channels=kept_channels(tokenizer, settings.channels), memory=memory)


def arrays_of(
    pieces: Iterable[Given], tokenizer: ContinuousTokenizer | DiscreteTokenizer, settings: BulkSettings
) -> ClipArrays:
    """What is stored of one clip.

    Args:
        pieces: what `encoder_of` gave, some steps after the others.
        tokenizer: that encoded.
        settings: how.

    Raises:
        LatentError: the latent holds what cannot be stored.
    """
    if isinstance(tokenizer, DiscreteTokenizer):
        return _tokens((piece for piece in pieces if not isinstance(piece, Posterior)), tokenizer)
    latents = _joined(pieces, tokenizer, settings)
    if settings.budget is None:
        return _stored(latents, settings)
    assert isinstance(settings.budget, MeanChannels), "settings allow no other budget of arrays"
    (part,) = tokenizer.parts
    latent = latents[part.name]
    counts = counts_within(tokenizer, latent, settings.budget.channels)[0].cpu().numpy()
    return _stored(latents, settings, counts.astype(packed_kind(latent.shape[1] + 1)))


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


def _joined(
    pieces: Iterable[Given], tokenizer: ContinuousTokenizer, settings: BulkSettings
) -> dict[str, Tensor]:
    """The parts of a latent; of a variational one mean and log-variance, so that training still samples."""
    given = list(pieces)
    spreads = [piece for piece in given if isinstance(piece, Posterior)]
    if spreads:
        whole, (part,) = Posterior.joined(spreads), tokenizer.parts
        kept = tokenizer.check_channels(settings.channels)
        return {part.name: whole.mean[:, :kept], "log_variance": whole.log_variance[:, :kept]}
    begun = [piece for piece in given if not isinstance(piece, Posterior)]
    return {
        part.name: torch.cat([piece[part.name] for piece in begun if piece[part.name].shape[2]], dim=2)
        for part in tokenizer.parts
    }


def _tokens(pieces: Iterable[Latents], tokenizer: DiscreteTokenizer) -> ClipArrays:
    """Digits of tokens, ``d t h w``, in the smallest type that holds them."""
    (part,) = tokenizer.backbone.parts
    quantize = tokenizer.quantizer.quantize
    digits = np.concatenate([digits_to_symbols(quantize(piece[part.name])) for piece in pieces], axis=1)
    kind = packed_kind(max(base for token in tokenizer.bases for base in token))
    about = {"tokens.npy": {"shape": list(digits.shape)}}
    return ClipArrays({"tokens.npy": array_to_bytes(digits.astype(kind))}, about, {})
