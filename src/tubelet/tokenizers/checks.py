"""What the public methods of tokenizers ask of what they are given, and in which form they use it."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from tubelet.checks import (
    check_clip,
    check_device,
    check_finite,
    check_floating,
    check_values,
    check_whole,
    has_values,
    warn_of_unit_range,
)
from tubelet.errors import OptionError, ShapeError
from tubelet.given import as_whole
from tubelet.models.protocol import StepModel
from tubelet.spelling import counted
from tubelet.types import Latent, Latents, Part, Video


class RangeWatch:
    """Says once for each tokenizer and its streams that a clip seems to lie in [0, 1]."""

    def __init__(self) -> None:
        self._warned = False

    def look_at(self, video: Video) -> None:
        """Check the scale of a clip's values."""
        if check_values(video) and not self._warned:
            self._warned = True
            warn_of_unit_range(stacklevel=5)


def checked_video(model: StepModel, watch: RangeWatch, video: Video) -> Video:
    """A clip in the number format of the model, whose device must hold it.

    Raises:
        OptionError: it is not a floating-point tensor, lies elsewhere, or its values are of another scale.
        ShapeError: it is not ``b 3 T H W``.
        LatentError: a value is NaN or infinite.
    """
    check_clip(video)
    check_device(video, model.device, "video", owner="tokenizer")
    watch.look_at(video)
    return video.to(model.dtype)


def checked_run(model: StepModel, watch: RangeWatch, video: Video) -> Video:
    """A run of frames for a stream: as `checked_video`, but it may be empty and lie anywhere.

    Raises:
        OptionError: as `checked_video`, but for the place.
        ShapeError: it is not ``b 3 T H W``.
        LatentError: a value is NaN or infinite.
    """
    check_clip(video, least_frames=0)
    watch.look_at(video)
    return video.to(model.dtype)


def checked_latent(latent: Latent, channels: int, dtype: torch.dtype) -> Latent:
    """A latent in the number format of the tokenizer, which has so many channels, wherever it lies.

    Raises:
        OptionError: it is not a floating-point tensor, or has more channels than the tokenizer.
        ShapeError: it is not ``b c t h w``, or of no clip.
        LatentError: a value is NaN or infinite.
    """
    check_floating(latent, "latent", cure="Tokens are decoded by `detokenize` of a discrete tokenizer.")
    if latent.ndim != 5:
        raise ShapeError(
            f"latent is {tuple(latent.shape)}; it must be (clips, channels, steps, rows, columns). A single "
            "clip's becomes it by latent[None]."
        )
    if not len(latent):
        raise ShapeError(f"latent is {tuple(latent.shape)}, of no clip. Give one clip or more.")
    latent = latent.to(dtype)
    checked_channels(latent.shape[1], channels)
    check_finite_latent(latent)
    return latent


def check_as_many(clips: int, before: int | None) -> None:
    """Raise unless a stream is given as many clips as before, if there was anything before.

    Raises:
        ShapeError: it is not.
    """
    if before is not None and clips != before:
        raise ShapeError(
            f"a run is of {counted(clips, 'clip')} and those before were of {before}; a stream is of the "
            "same clips to its end. Start a new stream for others."
        )


def check_parts(latents: Latents, parts: Sequence[Part]) -> None:
    """Raise unless these are all parts of a latent, and no others.

    Raises:
        OptionError: they are not a mapping.
        ShapeError: a part is missing, or unknown.
    """
    if not isinstance(latents, Mapping):
        raise OptionError(
            f"the latents are a {type(latents).__name__}; they must map names of parts to tensors."
        )
    if set(latents) != {part.name for part in parts}:
        raise ShapeError(
            f"the latent has parts {sorted(latents)}; the model has {[part.name for part in parts]}. Give "
            "each."
        )


def check_same_clips(latents: Latents) -> None:
    """Raise unless all parts of a latent are of as many clips.

    Raises:
        ShapeError: one is of more than another.
    """
    clips = {name: len(latent) for name, latent in latents.items()}
    if len(set(clips.values())) > 1:
        raise ShapeError(f"the parts are of {clips} clips; all are of the same. Give each for every clip.")


def check_counts(counts: Int[Tensor, "..."], latent: Latent) -> None:
    """Raise unless these can be the numbers of channels that the positions of a latent have.

    Raises:
        OptionError: they are not a tensor of whole numbers, lie elsewhere, or are not from 0 to all channels.
        ShapeError: there is not one for each position.
    """
    check_whole(counts, "counts", cure="Give counts.long().")
    check_device(counts, latent.device, "counts", owner="latent")
    clips, channels, *cells = latent.shape
    wanted = (clips, 1, *cells)
    if counts.ndim != 5 or any(
        have not in {1, want} for have, want in zip(counts.shape, wanted, strict=True)
    ):
        raise ShapeError(
            f"counts are {tuple(counts.shape)}; a latent of {tuple(latent.shape)} takes {wanted}: one for "
            "each position, or sides of 1 where all along them it is the same."
        )
    if not has_values(counts):
        return
    low, high = int(counts.min()), int(counts.max())
    if low < 0 or high > channels:
        raise OptionError(
            f"counts are from {low} to {high}; the latent has 0 to {channels} channels to give. Give "
            f"counts.clamp(0, {channels}), or a latent of more channels."
        )


def checked_channels(channels: int, most: int) -> int:
    """A number of channels to keep.

    Raises:
        OptionError: it is not a whole number from 1 to the most that there are.
    """
    kept = as_whole(channels)
    if kept is None or not 1 <= kept <= most:
        raise OptionError(f"channels is {channels!r:.60}; this tokenizer has 1 to {most}.")
    return kept


def check_finite_latent(latent: Latent) -> None:
    """Raise unless every value of a latent is a number.

    Raises:
        LatentError: one is NaN or infinite.
    """
    check_finite(latent, "latent", cure="Look for a division by zero or an overflow where it was made.")
