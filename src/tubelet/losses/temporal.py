"""How far the motion of a video is from that of its reference."""

from tubelet.losses.pair import Loss, comparable
from tubelet.losses.reconstruction import charbonnier, l1
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
        video: what is judged.
        epsilon: rounds the absolute value off at zero, as in `charbonnier`; none for the plain one.

    Raises:
        OptionError: epsilon is not above 0.
        ShapeError: the shapes differ or hold no numbers.
    """
    reference, video = comparable(reference, video)
    expected, found = (each[:, :, 1:] - each[:, :, :-1] for each in (reference, video))
    if not found.numel():
        return found.sum()  # Zero, and still a part of the graph: a batch of images can take a step.
    if epsilon is None:
        return l1(expected, found)
    return charbonnier(expected, found, epsilon=epsilon)
