"""Between stored frames and model input; the two functions are exact inverses on stored frames."""

import numpy as np
import torch
from einops import rearrange

from tubelet.checks import check_clip, check_frames
from tubelet.errors import ShapeError
from tubelet.types import Frames, Video


def to_model(frames: Frames) -> Video:
    """Turn frames (uint8 T H W 3) into a clip (float32 1 3 T H W in [-1, 1]).

    The result is a view in the memory order of the frames (channels last); no transposing copy is made.

    Raises:
        ShapeError: the frames are not an array ``UInt8 T H W 3``.
    """
    check_frames(frames, "frames", cure="Model input needs no conversion.")
    levels = np.multiply(frames, np.float32(1 / 127.5))
    levels -= 1
    return rearrange(torch.from_numpy(levels), "T H W c -> 1 c T H W")


def from_model(video: Video) -> Frames:
    """Turn a clip (float 1 3 T H W) into frames (uint8 T H W 3, contiguous).

    Values outside [-1, 1] are clamped, halves are rounded to even, NaN becomes 0.

    Raises:
        OptionError: the clip is not a floating-point tensor.
        ShapeError: it is not of one clip, ``1 3 T H W``.
    """
    check_clip(video, least_frames=0)
    if len(video) != 1:
        raise ShapeError(
            f"video holds {len(video)} clips; frames are of one. Give video[:1], or one after the other."
        )
    clip = rearrange(video.detach().to("cpu", torch.float32), "1 c T H W -> T H W c").numpy()
    frames = np.empty(clip.shape, np.uint8)
    # One frame at a time, in one scratch frame: fresh memory for whole clips costs more than the arithmetic.
    levels = np.empty(clip.shape[1:], np.float32)
    for frame, target in zip(clip, frames, strict=True):
        np.add(frame, 1, out=levels)
        np.multiply(levels, 127.5, out=levels)
        # fmax, unlike maximum, prefers the number to the NaN.
        np.fmin(np.fmax(levels, 0, out=levels), 255, out=levels)
        np.copyto(target, np.rint(levels, out=levels), casting="unsafe")
    return frames
