"""How far the samples of a video are from those of its reference, one by one.

Everything is a mean over all samples, so the size of a clip or a batch does not change the scale. Samples lie
in [-1, 1]: a step of an 8-bit file is 2/255. A weight of 1 for one of these is the usual unit in which the
weights of all other losses are given (VidTok, arXiv:2412.13061; WF-VAE, arXiv:2411.17459).
"""

import torch
from einops import reduce

from tubelet.errors import OptionError
from tubelet.losses.pair import Loss, comparable
from tubelet.types import Video


def l1(reference: Video, video: Video) -> Loss:
    """The mean absolute difference, 0 to 2; its gradient is as strong for small errors as for large ones.

    Raises:
        ShapeError: the shapes differ or hold no numbers.
    """
    reference, video = comparable(reference, video)
    return (video - reference).abs().mean()


def charbonnier(reference: Video, video: Video, *, epsilon: float = 1e-3) -> Loss:
    """The mean of √(d² + ε²) - ε over the differences d: absolute where |d| » ε, quadratic where |d| « ε.

    Source: LapSRN (Lai et al. 2017, arXiv:1704.03915), section 3.2. The constant ε is subtracted here, so
    that equal videos have loss 0; no gradient changes.

    Args:
        reference: what `video` should be.
        video: what is compared with it.
        epsilon: where the one becomes the other, in the units of a sample. It is also the largest amount by
            which the result is below that of `l1`, so the two take the same weight.

    Raises:
        OptionError: epsilon is not above 0.
        ShapeError: the shapes differ or hold no numbers.
    """
    if not epsilon > 0:
        raise OptionError(f"epsilon is {epsilon}; it must be above 0. Use l1 for no rounding at zero.")
    reference, video = comparable(reference, video)
    square = (video - reference).square()
    # The same number as the difference of two nearly equal ones, without their rounding.
    return (square / (torch.sqrt(square + epsilon**2) + epsilon)).mean()


def log_mse(reference: Video, video: Video, *, floor: float = 1e-6) -> Loss:
    """The mean over clips of log(MSE of the clip + floor), natural logarithm.

    The mean PSNR of clips in [-1, 1] is 10·log₁₀ 4 minus 10/ln 10 = 4.343 times this loss at floor 0, in dB.
    So its gradient is that of the mean PSNR: every clip pulls in proportion to 1 / (its MSE + floor), and the
    clips that are already good are not forgotten. A weight of 1 is worth 4.343 dB per unit; the gradient of
    one clip is that of its MSE, divided by its MSE. So beside other losses the weight must be about as small
    as the MSE is (3e-4 near 41 dB) to pull as hard as an MSE with weight 1.

    Source: the definition of PSNR.

    Args:
        reference: what `video` should be.
        video: what is compared with it.
        floor: an MSE below which being better gains little; the default is that of 66 dB, and rounding to 8
            bits alone has 5.1e-6.

    Raises:
        OptionError: floor is not above 0.
        ShapeError: the shapes differ or hold no numbers.
    """
    if not floor > 0:
        raise OptionError(f"floor is {floor}; it must be above 0, or equal clips had the logarithm of zero.")
    reference, video = comparable(reference, video)
    errors = reduce((video - reference).square(), "b c t h w -> b", "mean")
    return torch.log(errors + floor).mean()
