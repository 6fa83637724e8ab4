"""Whether a video has as much fine detail as its reference, wherever the details themselves lie."""

import torch
from einops import rearrange
from torch.nn import functional as F

from tubelet.errors import OptionError
from tubelet.losses.pair import Loss, comparable
from tubelet.losses.wavelet import haar
from tubelet.types import Video


def log_detail(reference: Video, video: Video, *, window: int = 4, floor: float = 3e-5) -> Loss:
    """The mean absolute difference of the logarithms of the power of fine detail, by window and direction.

    Fine detail is what the first level of a Haar transform of every frame calls high: about the upper octave
    of its spectrum, of rows, of columns and of both. A blurred video has too little of it and a noisy one too
    much; where exactly edges and grains lie makes no difference, so that what cannot be known need not be
    guessed. Beside it stands a loss that compares samples.

    Args:
        reference: what `video` should be.
        video: what is compared with it.
        window: rows and columns of coefficients over which power is averaged, half as many as of pixels.
        floor: power that is as good as none; the default is about a level of 255, squared, per sample.

    Raises:
        OptionError: `window` is below 1 or `floor` not above 0.
        ShapeError: the shapes differ or hold no numbers.
    """
    if window < 1 or not floor > 0:
        raise OptionError(f"window is {window} and floor {floor}; the one is at least 1, the other above 0.")
    reference, video = comparable(reference, video)
    one, other = (_log_powers(each, window=window, floor=floor) for each in (reference, video))
    differences = [(a - b).abs().sum() for a, b in zip(one, other, strict=True)]
    total = sum(differences, torch.zeros((), dtype=video.dtype, device=video.device))
    return total / max(1, sum(each.numel() for each in one))


def _log_powers(video: Video, *, window: int, floor: float) -> list[torch.Tensor]:
    """For each direction, the logarithm of the power of every window."""
    (bands,) = haar(video, levels=1).high
    found: list[torch.Tensor] = []
    for band in bands:
        if not band.numel():
            continue
        power = rearrange(band.square().mean(dim=1, keepdim=True), "b 1 T H W -> (b T) 1 H W")
        sides = (min(window, power.shape[2]), min(window, power.shape[3]))
        found.append((F.avg_pool2d(power, sides, ceil_mode=True, count_include_pad=False) + floor).log())
    return found
