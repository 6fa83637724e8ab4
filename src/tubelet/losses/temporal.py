"""How far the motion of a video is from that of its reference."""

from jaxtyping import Float
from torch import Tensor

from tubelet.losses.pair import Loss, comparable
from tubelet.losses.reconstruction import charbonnier, l1, log_mse
from tubelet.types import Video


def frame_difference(reference: Video, video: Video, *, epsilon: float | None = None) -> Loss:
    """The mean absolute difference between the changes from frame to frame; 0 for a single frame.

    An error that stands still costs nothing here, and one that flickers costs up to twice what it does in
    `l1`; no optical flow is needed. The scale is that of `l1`: a weight of 1 counts an error in the change of
    a sample as much as one in the sample.

    Source: PV-VAE (arXiv:2605.02134), which adds the squared error of the differences, with weight 1, to that
    of the samples.

    Args:
        reference: what `video` should be.
        video: what is compared with it.
        epsilon: rounds the absolute value off at zero, as in `charbonnier`; none for the plain one.

    Raises:
        OptionError: epsilon is not above 0.
        ShapeError: the shapes differ or hold no numbers.
    """
    expected, found = map(_changes, comparable(reference, video))
    if not found.numel():
        return found.sum()
    if epsilon is None:
        return l1(expected, found)
    return charbonnier(expected, found, epsilon=epsilon)


def log_frame_difference(reference: Video, video: Video, *, floor: float = 1e-6) -> Loss:
    """The mean over clips of log(MSE of the changes from frame to frame + floor); 0 for a single frame.

    Its gradient is that of the mean PSNR of frame differences, as that of `log_mse` is that of the mean PSNR;
    the two take weights of the same unit.

    Source: the definition of PSNR, of the differences.

    Args:
        reference: what `video` should be.
        video: what is compared with it.
        floor: an MSE below which being better gains little.

    Raises:
        OptionError: floor is not above 0.
        ShapeError: the shapes differ or hold no numbers.
    """
    expected, found = map(_changes, comparable(reference, video))
    if not found.numel():
        return found.sum()
    return log_mse(expected, found, floor=floor)


def _changes(video: Video) -> Float[Tensor, "b 3 _ H W"]:
    """From frame to frame. Those of a batch of images are empty, and a sum of nothing lets it take a step."""
    return video[:, :, 1:] - video[:, :, :-1]
