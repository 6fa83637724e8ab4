"""A network that tells videos from their reconstructions, and the losses of both sides.

A step of the discriminator lowers the total of `r3gan_discriminator`, a step of the tokenizer then lowers
`r3gan_generator`. The tokenizer's step also leaves gradients in the discriminator: clear them before its own
step. The losses are meant for the decoder alone, in the last tenth of a training.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.errors import OptionError
from tubelet.losses.pair import Loss, comparable
from tubelet.types import Video

Scores = Float[Tensor, "b t h w"]
"""High where a neighbourhood looks real; without a unit. One number per clip is b 1 1 1."""

Features = Float[Tensor, "b _ _ _ _"]
"""b channels t h w, inside the discriminator."""

Discriminator = Callable[[Video], Scores]

_SLOPE = 0.2


class R3GANLoss(NamedTuple):
    """What the discriminator lowers, and what it is made of.

    Attributes:
        total: pairing + gamma / 2 · (real_penalty + fake_penalty); the one with a gradient to follow.
        pairing: the mean of softplus(-(score of the reference - score of the video)); log 2 at chance.
        real_penalty: R1, before gamma.
        fake_penalty: R2, before gamma.
    """

    total: Loss
    pairing: Loss
    real_penalty: Loss
    fake_penalty: Loss


class SpaceTimeDiscriminator(nn.Module):
    """Scores every 2^levels x 2^levels square of every frame by its neighbourhood in space and time.

    It sees each frame and its difference from the frame before, zero for the first. Then, per level: two
    convolutions around a map of three neighbouring frames, added to what came in, and one that halves the
    sides and doubles the width, all 3 x 3. A score depends on 3·2^levels - 2 pixels to each side, on
    levels + 1 frames before and on levels after. Any size and number of frames will do: sides are rounded up.

    There is no norm and no dropout: nothing couples the clips of a batch, and gradients of gradients stay
    simple. As in R3GAN (Huang et al. 2024, arXiv:2501.05441), branches start at zero and activations are
    leaky. It computes in the precision of its weights, under autocast too.

    Raises:
        OptionError: the width or the number of levels is below 1.
    """

    def __init__(self, *, width: int = 32, levels: int = 3) -> None:
        super().__init__()
        if width < 1 or levels < 1:
            raise OptionError(f"width is {width} and levels is {levels}; both must be at least 1.")
        self.enter = _FrameConv(6, width)
        self.levels = nn.ModuleList(_Level(width << level) for level in range(levels))
        self.leave = _FrameConv(width << levels, 1, kernel=1)

    def forward(self, video: Video) -> Scores:
        """Score a video, of samples in [-1, 1]."""
        with torch.autocast(device_type=video.device.type, enabled=False):
            exact = video.to(self.leave.conv.weight.dtype)
            change = torch.diff(exact, dim=2, prepend=exact[:, :, :1])
            hidden = self.enter(torch.cat([exact, change], dim=1))
            for level in self.levels:
                hidden = level(hidden)
            return rearrange(self.leave(hidden), "b 1 t h w -> b t h w")


def r3gan_discriminator(
    discriminator: Discriminator, reference: Video, video: Video, *, gamma: float
) -> R3GANLoss:
    """The relativistic pairing loss and both zero-centred gradient penalties.

    Each score of the reference is compared with that of the video at the same place. A penalty is the squared
    length of the gradient of a clip's scores, summed, by its samples, over the number of scores; so it does
    not grow with the clip, and with one score per clip it is the published one. No gradient reaches the
    videos.

    Source: R3GAN (Huang et al. 2024, arXiv:2501.05441), section 2: RpGAN with R1 and R2. As in its code, a
    pair is one term, and the penalties are multiplied by gamma / 2.

    Args:
        discriminator: must allow gradients of gradients, and not couple the clips of a batch.
        reference: what is real.
        video: what is not.
        gamma: how flat the discriminator has to be. Published runs start at 0.05 to 0.5 for 32 x 32 pixels, 1
            to 2 for 64 x 64 and 150 for 256 x 256, and end at a tenth of it; those have one score per image.

    Raises:
        OptionError: gamma is below 0 or no number.
        ShapeError: the shapes differ or hold no numbers.
    """
    if not 0 <= gamma < math.inf:
        raise OptionError(f"gamma is {gamma}; it must be finite and at least 0.")
    reference, video = (each.detach().requires_grad_() for each in comparable(reference, video))
    real, fake = _scores(discriminator, reference), _scores(discriminator, video)
    pairing = F.softplus(fake - real).mean()
    real_penalty, fake_penalty = _penalty(real, reference), _penalty(fake, video)
    total = pairing + gamma / 2 * (real_penalty + fake_penalty)
    return R3GANLoss(total, pairing, real_penalty, fake_penalty)


def r3gan_generator(discriminator: Discriminator, reference: Video, video: Video) -> Loss:
    """The mean of softplus(-(score of the video - score of the reference)); log 2 where they look alike.

    No gradient reaches the reference. Its slope per score is at most 1, as that of the hinge loss, so its
    weight has the same order of size: LeanVAE (arXiv:2503.14325) has 0.2 beside L1 with weight 4. The weight
    is a constant: LiteVAE (arXiv:2405.14477) finds one at least as good as the adaptive weight of VQGAN. Its
    gradient grows with the slope of the discriminator, so compare the two.

    Source: R3GAN (Huang et al. 2024, arXiv:2501.05441), section 2.

    Raises:
        ShapeError: the shapes differ or hold no numbers.
    """
    reference, video = comparable(reference, video)
    with torch.no_grad():
        real = _scores(discriminator, reference)
    return F.softplus(real - _scores(discriminator, video)).mean()


class _FrameConv(nn.Module):
    """A convolution of every frame by itself; zeros beyond the frame.

    Done in two dimensions: one in three takes a slow path in float32 on a CPU.
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)

    def forward(self, x: Features) -> Features:
        """Fold time into the batch and back."""
        folded = self.conv(rearrange(x, "b c t h w -> (b t) c h w"))
        return rearrange(folded, "(b t) c h w -> b c t h w", b=x.shape[0])


class _Level(nn.Module):
    """Refine features in space and time, then halve their sides and double their width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = _FrameConv(width, width)
        self.mix = _FrameConv(3 * width, width, kernel=1)
        self.draw = _FrameConv(width, width)
        self.halve = _FrameConv(width, 2 * width, stride=2)
        nn.init.zeros_(self.draw.conv.weight)

    def forward(self, x: Features) -> Features:
        """Keep the number of frames; sides are rounded up."""
        mixed = self.mix(_with_neighbours(F.leaky_relu(self.look(x), _SLOPE)))
        refined = F.leaky_relu(x + self.draw(F.leaky_relu(mixed, _SLOPE)), _SLOPE)
        return F.leaky_relu(self.halve(refined), _SLOPE)


def _with_neighbours(x: Features) -> Features:
    """The channels of the frame before, the frame and the frame after; the ends stand still."""
    before = torch.cat([x[:, :, :1], x[:, :, :-1]], dim=2)
    after = torch.cat([x[:, :, 1:], x[:, :, -1:]], dim=2)
    return torch.cat([before, x, after], dim=1)


def _scores(discriminator: Discriminator, video: Video) -> Scores:
    """The scores of a video with autocast off, in float32 or better."""
    with torch.autocast(device_type=video.device.type, enabled=False):
        scores = discriminator(video)
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _penalty(scores: Scores, video: Float[Tensor, "b 3 _ _ _"]) -> Loss:
    """The squared length of the gradient of all scores by all samples, over the number of scores.

    Clips do not see each other, so the gradient of the sum holds that of every clip.
    """
    # Half precision would lose the gradients of gradients.
    with torch.autocast(device_type=video.device.type, enabled=False):
        (slope,) = torch.autograd.grad(scores.sum(), video, create_graph=True)
    return slope.square().sum() / scores.numel()
