"""Clips with the motion of a camera, made from the photographs that scikit-image carries."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from tubelet.errors import OptionError

DEMO_FRAMES = 97
"""Length of the demo: one lead frame and 24 groups of four."""

_SCENES = (("rocket", "chelsea"), ("coffee", "astronaut"), ("chelsea", "rocket"))
"""For each scene the photograph at the back and the one that passes in front."""

Picture = Float[Tensor, "1 c H W"]
View = Float[Tensor, "1 c h w"]
Disc = Float[Tensor, "1 4 H W"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Camera:
    """Where a layer is looked at: centre in [-1, 1] of the picture, magnification, angle in radians."""

    x: float
    y: float
    zoom: float
    angle: float


def moving_photographs(frames: int, *, height: int, width: int) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Give `frames` frames, one at a time: scenes in which the camera pans, zooms and turns past two layers.

    The nearer layer moves faster (parallax). The same arguments give the same clip on the same machine.

    Raises:
        OptionError: scikit-image is not installed.
    """
    photographs = {name: _photograph(name) for scene in _SCENES for name in scene}
    per_scene = -(-frames // len(_SCENES))
    for index in range(frames):
        back, front = _SCENES[index // per_scene]
        phase = (index % per_scene) / per_scene
        turn = 1 if (index // per_scene) % 2 == 0 else -1
        camera = _Camera(
            x=turn * 0.35 * (phase - 0.5),
            y=0.12 * sin(2 * pi * phase),
            zoom=1.5 + 0.3 * phase,
            angle=0.08 * turn * phase,
        )
        near = _Camera(
            x=turn * 2.2 * (phase - 0.5),
            y=0.3 + 0.1 * cos(2 * pi * phase),
            zoom=0.75 - 0.1 * phase,
            angle=-0.2 * turn * phase,
        )
        picture = _render(photographs[back], camera, height, width)
        passing = _render(_disc(photographs[front]), near, height, width)
        colour, cover = passing[:, :3], passing[:, 3:]
        mixed = picture * (1 - cover) + colour * cover
        levels = (mixed * 255).round().clamp(0, 255).to(torch.uint8)
        yield rearrange(levels, "1 c H W -> H W c").contiguous().numpy()


def check_photographs() -> None:
    """Raise unless the photographs are there.

    Raises:
        OptionError: scikit-image is not installed.
    """
    _photograph(_SCENES[0][0])


def _photograph(name: str) -> Picture:
    """One of scikit-image's colour photographs, 0 to 1."""
    try:
        from skimage import data  # noqa: PLC0415  an extra, needed only here
    except ImportError as error:
        raise OptionError(
            "the demo's photographs come with scikit-image, which is not installed; "
            "run `pip install 'tubelet[demo]'`, or give a clip of your own to `tubelet reconstruct`."
        ) from error
    pixels = np.asarray(getattr(data, name)())[..., :3]
    return rearrange(torch.from_numpy(pixels.copy()).float() / 255, "H W c -> 1 c H W")


def _disc(picture: Picture) -> Disc:
    """The middle of a picture as a disc with a soft edge; the fourth channel says how much it covers."""
    height, width = picture.shape[2:]
    y = torch.linspace(-1, 1, height)[:, None]
    x = torch.linspace(-1, 1, width)[None]
    cover = ((0.8 - (x.square() + y.square()).sqrt()) * 20).clamp(0, 1)
    return torch.cat([picture, cover[None, None]], dim=1)


def _render(picture: Picture, camera: _Camera, height: int, width: int) -> View:
    """What a camera sees of a picture; black and uncovered beyond its border."""
    aspect = (width / height) / (picture.shape[3] / picture.shape[2])
    c, s, scale = cos(camera.angle), sin(camera.angle), 1 / camera.zoom
    matrix = torch.tensor(
        [
            [scale * c * max(aspect, 1), -scale * s, camera.x],
            [scale * s, scale * c / min(aspect, 1), camera.y],
        ]
    )
    grid = F.affine_grid(matrix[None], [1, picture.shape[1], height, width], align_corners=False)
    return F.grid_sample(picture, grid, align_corners=False, padding_mode="zeros")
