"""One latent step of one tile of a stream, encoded or decoded some rows at a time.

The numbers are those of `ContinuousTokenizer.encode_groups` and `decode_steps`; only what the networks need
is ever as large as the tile.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch

from tubelet.nn.blocks import Features, Past, Rates
from tubelet.nn.prefix import Counts, Told
from tubelet.nn.stepping import RunningPast, cut, step
from tubelet.types import Latent, Video

if TYPE_CHECKING:
    from tubelet.tokenizers.continuous import ContinuousTokenizer


class Encoded(NamedTuple):
    """Latent steps, and what the encoder must remember for the steps after them.

    Attributes:
        latent: the steps; the mean, where the tokenizer knows a distribution.
        log_variance: of the distribution around them; none where the tokenizer knows none.
        past: what the encoder remembers.
    """

    latent: Latent
    log_variance: Latent | None
    past: tuple[Past, ...] | None


class Decoded(NamedTuple):
    """Groups of frames, and what the decoder must remember for the groups after them."""

    groups: Video
    past: tuple[Past, ...] | None


class Rows(NamedTuple):
    """Frames of some rows of a tile.

    Attributes:
        rows: latent rows, counted from the top of the tile.
        groups: their frames, in whole groups and whole patches.
    """

    rows: slice
    groups: Video


@torch.no_grad()
def encode_step(
    tokenizer: "ContinuousTokenizer",
    groups_of: Callable[[slice], Video],
    *,
    cells: tuple[int, int],
    past: RunningPast,
    strip: int,
) -> Latent:
    """Encode one group of frames.

    Args:
        tokenizer: whose encoder.
        groups_of: gives the frames of some latent rows of the tile, in whole groups and whole patches.
        cells: latent rows and columns of the tile.
        past: what the encoder remembers; it is changed.
        strip: positions to work on at a time.
    """
    encoder = tokenizer.encoder
    if encoder is None:
        return tokenizer.encode_groups(groups_of(slice(0, cells[0])), None).latent
    strips = cut(*cells, strip)
    linear: list[Latent] = []
    stream: Features | None = None
    for rows in strips:
        coefficients = tokenizer.transform(groups_of(rows))
        # A copy, so that the coefficients that are no part of the latent can go.
        linear.append(coefficients[:, : tokenizer.channels].clone())
        part = encoder.project_in(coefficients)
        if stream is None:
            stream = part.new_empty((len(part), 1, *cells, encoder.width))
        stream[:, :, rows] = part
        del coefficients, part
    assert stream is not None, "a tile has a row"
    step(encoder, stream, past, None, strips)
    latents = [
        tokenizer.latent_of(each, encoder.project_out(stream[:, :, rows]))
        for each, rows in zip(linear, strips, strict=True)
    ]
    return torch.cat(latents, dim=3)


@torch.no_grad()
def decode_step(
    tokenizer: "ContinuousTokenizer",
    latent: Latent,
    *,
    past: RunningPast,
    strip: int,
    counts: Counts | None = None,
) -> Iterator[Rows]:
    """Decode one latent step; the mirror of `encode_step`.

    Args:
        tokenizer: whose decoder.
        latent: the first k channels of the step.
        past: what the decoder remembers; it is changed.
        strip: positions to work on at a time.
        counts: how many of the k channels each position has; all by default.
    """
    rows, columns = latent.shape[3:]
    decoder = tokenizer.decoder
    if decoder is None:
        yield Rows(slice(0, rows), tokenizer.decode_steps(latent, None, counts=counts).groups)
        return
    strips = cut(rows, columns, strip)
    stream: Features | None = None
    rates: list[Rates] = []
    for each in strips:
        told = _told(tokenizer, latent, counts, each)
        part = decoder.project_in(told.inputs)
        if stream is None:
            stream = part.new_empty((len(part), 1, rows, columns, decoder.width))
        stream[:, :, each] = part
        rates.append(told.rates)
        del told, part
    assert stream is not None, "a tile has a row"
    same = counts is None or counts.shape[3] == 1
    step(decoder, stream, past, rates[0] if same else torch.cat(rates, dim=2), strips)
    for each in strips:
        correction = decoder.project_out(stream[:, :, each])
        told = _told(tokenizer, latent, counts, each)
        yield Rows(each, tokenizer.groups_of(told.skip, told.counts, correction))


def _told(tokenizer: "ContinuousTokenizer", latent: Latent, counts: Counts | None, rows: slice) -> Told:
    """What the decoder is told of some rows of a latent."""
    if counts is not None and counts.shape[3] != 1:
        counts = counts[:, :, :, rows]
    return tokenizer.written_out(latent[:, :, :, rows], counts)
