"""A whole clip through a model: all steps and all cells at once."""

from collections.abc import Mapping

from tubelet.checks import check_device
from tubelet.errors import OptionError
from tubelet.models.protocol import StepModel
from tubelet.tokenizers.checks import check_counts, check_parts, checked_latent
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.parts import PartGrids
from tubelet.tokenizers.streams.decoder import KnownLatents
from tubelet.tokenizers.streams.encoder import Steps
from tubelet.types import Counts, Known, Latents, Video


def encode_clip(model: StepModel, grouping: Grouping, video: Video) -> Steps:
    """Encode a clip of any length and size, differentiably."""
    encoded = model.encode_groups(grouping.group(video), None)
    grids, spreads = PartGrids(model, grouping), encoded.log_variances
    return Steps(grids.trimmed(encoded.latents), None if spreads is None else grids.trimmed(spreads))


def decode_clip(
    model: StepModel, grouping: Grouping, given: KnownLatents, *, frames: int, height: int, width: int
) -> Video:
    """Decode to a clip of this length and size, differentiably; the mirror of `encode_clip`."""
    grids = PartGrids(model, grouping)
    groups = model.decode_groups(grids.filled(given.latents), None, grids.filled_known(given.known)).groups
    return grouping.ungroup(groups, frames=frames, height=height, width=width)


def check_size(
    model: StepModel, grouping: Grouping, latents: Latents, *, frames: int, height: int, width: int
) -> None:
    """Raise unless these are the parts of a clip of this length and size, and lie where the model computes.

    Raises:
        ShapeError: they are of another clip.
        OptionError: one lies on another device.
    """
    grids = PartGrids(model, grouping)
    for name, latent in latents.items():
        check_device(latent, model.device, "latent", owner="tokenizer")
        grids[name].check(latent, grouping, frames=frames, height=height, width=width)


def take_parts(model: StepModel, latents: Latents, known: Counts | Known | None) -> KnownLatents:
    """Parts of a latent in the model's number format, and what is known of them.

    Raises:
        ShapeError: a part is missing, or is not ``b c t h w``; or counts do not fit.
        OptionError: a part is no floating-point tensor, or has more channels than the model; or counts are
            none.
        LatentError: a part holds NaN or infinity.
    """
    check_parts(latents, model.parts)
    taken = {
        part.name: checked_latent(latents[part.name], part.channels, model.dtype) for part in model.parts
    }
    if known is None:
        return KnownLatents(taken, {})
    if not isinstance(known, Mapping) or not set(known) <= set(taken):
        raise OptionError(
            f"known is a {type(known).__name__}; it must map names of parts ({', '.join(taken)}) to counts."
        )
    for name, counts in known.items():
        check_counts(counts, taken[name])
    return KnownLatents(taken, known)
