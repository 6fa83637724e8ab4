"""The weights of `LPIPS`, from a file of the user; tubelet holds none and fetches none.

Make the file once, with `tubelet weights lpips vgg16-397923af.pth vgg.pth -o lpips.safetensors`, and note
the SHA-256 that is printed, beside the recipe that uses it.

- ``vgg16-397923af.pth`` is the trunk, from the model zoo of torchvision
  (https://download.pytorch.org/models/vgg16-397923af.pth).
- ``lpips/weights/v0.1/vgg.pth`` are the heads, from https://github.com/richzhang/PerceptualSimilarity or
  inside the Python package ``lpips``.

The file holds the trunk under torchvision's names, ``features.N.weight`` and ``features.N.bias``, and the
heads under theirs, ``lin0.model.1.weight`` to ``lin4.model.1.weight``.
"""

from pathlib import Path

import torch
from torch import nn

from tubelet.errors import CheckpointError
from tubelet.perceptual.lpips import LPIPS
from tubelet.perceptual.vgg import STAGES, VGG16
from tubelet.perceptual.vgg_weights import VGGFile

_SOURCES = (
    "Make the file from torchvision's vgg16-397923af.pth and vgg.pth of the Python package lpips, with "
    "`tubelet weights lpips`; nothing stands in for it."
)


def read_lpips(path: Path, *, sha256: str) -> LPIPS:
    """Read the network of LPIPS from a .safetensors file; the numbers of channels are those in the file.

    It is frozen, in float32 and on the CPU. `tubelet weights` makes the file.

    Args:
        path: holds ``features.N.weight`` and ``features.N.bias`` of the 13 convolutions of VGG-16, and the
            five ``linK.model.1.weight``, each 1 x channels x 1 x 1; nothing else.
        sha256: of the whole file, 64 hexadecimal digits.

    Raises:
        CheckpointError: the file is missing, too large, no .safetensors file, has another SHA-256, or its
            tensors are not those of LPIPS on VGG-16.
    """
    heads = [f"lin{stage}.model.1.weight" for stage in range(len(STAGES))]
    file = VGGFile(path, sha256=sha256, extra=set(heads), network="LPIPS on VGG-16", sources=_SOURCES)
    done = 0
    for stage, name in zip(STAGES, heads, strict=True):
        done += len(stage)
        file.expect(name, (1, file.channels[done - 1], 1, 1))
        if bool((file.weights[name] < 0).any()):
            raise CheckpointError(f"{name} in {path} is negative; a distance has no such weight. {_SOURCES}")
    with torch.device("meta"):
        trunk = VGG16(file.channels)
    trunk.load_state_dict(file.trunk(), assign=True)
    return LPIPS(trunk, [nn.Parameter(file.weights[name].float().flatten()) for name in heads])
