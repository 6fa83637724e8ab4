"""What a bit of a file is worth, said to encoders that can choose what they say, before they begin."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from tubelet.checkpoint import Checkpoint
from tubelet.codec.budget import Bitrate, BitsPerPixel, Budget, Quality, price_of_step
from tubelet.codec.encode_within import opening_step
from tubelet.codec.open_clip import OpenClip
from tubelet.codec.symbols import BASE_STEP
from tubelet.models.protocol import BitPrice, PricedModel
from tubelet.tokenizers.continuous import ContinuousTokenizer


def priced_checkpoint(
    checkpoint: Checkpoint[ContinuousTokenizer],
    budget: Budget | None,
    opened: Callable[[], AbstractContextManager[OpenClip]],
    *,
    channels: int | None,
) -> Checkpoint[ContinuousTokenizer]:
    """The tokenizer as it encodes for a budget of bits or of quality.

    Such a budget says how coarse a file is, and so what a bit of it is worth. Where bits are asked for, the
    first chunk says it, which is then encoded twice. Where channels are counted, or nothing is asked for,
    files hold the latent that `encode_parts` gives.

    Args:
        checkpoint: of any tokenizer; itself where that cannot choose.
        budget: what is asked for.
        opened: opens the clip with this checkpoint.
        channels: leading channels that a position may have; all by default.
    """
    tokenizer = checkpoint.tokenizer
    if not isinstance(tokenizer.model, PricedModel):
        return checkpoint
    match budget:
        case Quality(step=step):
            pass
        case BitsPerPixel() | Bitrate():
            with opened() as clip:
                step = opening_step(clip, budget, channels=channels)
        case _:
            return checkpoint
    price = BitPrice(BASE_STEP * step, price_of_step(step), tokenizer.check_channels(channels))
    return replace(checkpoint, tokenizer=tokenizer.priced(price))
