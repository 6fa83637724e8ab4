"""A whole clip through a model: all steps and all cells at once."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from tubelet.checks import check_device
from tubelet.errors import OptionError
from tubelet.given import check_whole_numbers
from tubelet.models.protocol import StepModel
from tubelet.tokenizers.ahead import continued
from tubelet.tokenizers.checks import check_counts, check_parts, check_same_clips, checked_latent
from tubelet.tokenizers.generative import noise_of
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.parts import PartGrids
from tubelet.tokenizers.posterior import Posterior
from tubelet.tokenizers.streams.decoder import KnownLatents
from tubelet.tokenizers.streams.encoder import Steps
from tubelet.types import Counts, Known, Latent, Latents, Part, Video

_NO_DISTRIBUTION = (
    "this tokenizer gives a latent and no distribution. Use encode, or a tokenizer that gives one: "
    "tubelet-m-vae, or what a run of recipe m_vae or m16_vae became."
)


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
    rows, columns = grouping.cells(height, width)
    latents = {**grids.filled(given.latents), **noise_of(model, slice(0, rows), slice(0, columns))}
    groups = model.decode_groups(latents, None, grids.filled_known(given.known)).groups
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


def checked(
    model: StepModel, grouping: Grouping, given: KnownLatents, size: tuple[int, int, int], *, ahead: int
) -> tuple[KnownLatents, int]:
    """The latents of a clip of this length and size and of steps to come, and how many frames they are of.

    Raises:
        ShapeError: they are of another clip; or steps after a last one that is not full are wanted.
        OptionError: one lies on another device, or steps are wanted of a model that predicts none, or a
            length is not a whole number.
    """
    frames, height, width = size
    check_whole_numbers(frames=frames, height=height, width=width)
    check_size(model, grouping, given.latents, frames=frames, height=height, width=width)
    if not ahead:
        return given, frames
    longer = continued(model, grouping, *given, frames=frames, steps=ahead)
    return KnownLatents(longer.latents, longer.known), longer.frames


def take_latent(model: StepModel, latent: Latent, counts: Counts | Known | None) -> KnownLatents:
    """As `take_parts`, of a model of one part."""
    name = only_part(model.parts).name
    known = counts if counts is None or isinstance(counts, Mapping) else {name: counts}
    return take_parts(model, {name: latent}, known)


def take_parts(model: StepModel, latents: Latents, known: Counts | Known | None) -> KnownLatents:
    """Parts of a latent in the model's number format, and what is known of them.

    Raises:
        ShapeError: a part is missing, is not ``b c t h w`` or of other clips; or counts do not fit.
        OptionError: a part is not a floating-point tensor, or has more channels than the model; or counts are
            none.
        LatentError: a part holds NaN or infinity.
    """
    check_parts(latents, model.parts)
    taken = {
        part.name: checked_latent(latents[part.name], part.channels, model.dtype) for part in model.parts
    }
    check_same_clips(taken)
    if known is None:
        return KnownLatents(taken, {})
    if not isinstance(known, Mapping) or not set(known) <= set(taken):
        raise OptionError(
            f"known is a {type(known).__name__}; it must map names of parts ({', '.join(taken)}) to counts."
        )
    for name, counts in known.items():
        check_counts(counts, taken[name])
    return KnownLatents(taken, known)


def only_part(parts: Sequence[Part]) -> Part:
    """The only part of a latent.

    Raises:
        OptionError: it has several.
    """
    if len(parts) != 1:
        names = ", ".join(part.name for part in parts)
        raise OptionError(
            f"the latent of this tokenizer has {len(parts)} parts: {names}. Use encode_parts, decode_parts, "
            "parts_encoder and parts_decoder."
        )
    return parts[0]


def main_part(parts: Sequence[Part], name: str | None = None) -> Part:
    """The part whose channels are ordered, by which numbers of channels, budgets and networks are meant.

    Args:
        parts: of a latent.
        name: of the part that is meant; only one has ordered channels for none.

    Raises:
        OptionError: there is no such part, or there are several and none is named.
    """
    ordered = [part for part in parts if part.ordered]
    chosen = [part for part in ordered if name in (None, part.name)]
    if len(chosen) != 1:
        which = ", ".join(part.name for part in ordered) or "no part"
        asked = "no part is named" if name is None else f"part is {name!r}"
        raise OptionError(
            f"{asked}; ordered channels are in {which}, of {len(parts)} parts, and one of those is meant. "
            "Name it (--part), or take all channels of all parts (encode_parts, no --channels)."
        )
    return chosen[0]


def latents_of(steps: Steps) -> Latents:
    """Every part of the latent; a function with a name, so that streams can be pickled."""
    return steps.latents


def part_of(name: str, steps: Steps) -> Latent:
    """The part of this name."""
    return steps.latents[name]


def posterior_of(steps: Steps) -> Posterior:
    """The distribution of steps of a latent of one part, which a variational model gave."""
    if steps.log_variances is None:
        raise OptionError(_NO_DISTRIBUTION)
    (mean,), (log_variance,) = steps.latents.values(), steps.log_variances.values()
    return Posterior(mean=mean, log_variance=log_variance)


def check_variational(model: StepModel) -> None:
    """Raise unless a model gives a distribution, of one part.

    Raises:
        OptionError: it does not.
    """
    only_part(model.parts)
    if not model.variational:
        raise OptionError(_NO_DISTRIBUTION)


def needs_whole(module: nn.Module, *tensors: Tensor) -> bool:
    """Whether a clip must be computed at once: for gradients of what is made of these, or a compiler."""
    learns = any(x.requires_grad for x in tensors) or any(p.requires_grad for p in module.parameters())
    return torch.compiler.is_compiling() or (torch.is_grad_enabled() and learns)
