"""The weights of `DISTS`, from a file of the user; tubelet holds none and fetches none.

Make the file once, with `tubelet weights dists vgg16-397923af.pth weights.pt -o dists.safetensors`, and note
the SHA-256 that is printed, beside the protocol that uses it.

- ``vgg16-397923af.pth`` is the trunk, from the model zoo of torchvision
  (https://download.pytorch.org/models/vgg16-397923af.pth).
- ``alpha`` and ``beta`` are in ``weights.pt`` of https://github.com/dingkeyan93/DISTS, or in
  ``dists_weights.pt`` of release v0.4.1 of https://github.com/photosynthesis-team/piq.
"""

from pathlib import Path

from tubelet.errors import CheckpointError
from tubelet.perceptual.dists import DISTS
from tubelet.perceptual.vgg import STAGES
from tubelet.perceptual.vgg_weights import VGGFile

_SOURCES = (
    "Make the file from torchvision's vgg16-397923af.pth and the weights of DISTS, with `tubelet weights "
    "dists`; nothing stands in for it."
)


def read_dists(path: Path, *, sha256: str) -> DISTS:
    """Read the network of DISTS from a .safetensors file; the numbers of channels are those in the file.

    It is frozen, in float32 and on the CPU. `tubelet weights` makes the file.

    Args:
        path: holds ``features.N.weight`` and ``features.N.bias`` of the 13 convolutions of VGG-16, and
            ``alpha`` and ``beta``, each 1 x channels x 1 x 1; nothing else.
        sha256: of the whole file, 64 hexadecimal digits.

    Raises:
        CheckpointError: the file is missing, too large, no .safetensors file, has another SHA-256, or its
            tensors are not those of DISTS.
    """
    file = VGGFile(path, sha256=sha256, extra={"alpha", "beta"}, network="DISTS", sources=_SOURCES)
    ends = [sum(map(len, STAGES[: stage + 1])) - 1 for stage in range(len(STAGES))]
    features = 3 + sum(file.channels[end] for end in ends)
    for name in ("alpha", "beta"):
        file.expect(name, (1, features, 1, 1))
    alpha, beta = (file.weights[name].float().flatten() for name in ("alpha", "beta"))
    if bool((alpha < 0).any() or (beta < 0).any()) or not float(alpha.sum() + beta.sum()) > 0:
        raise CheckpointError(
            f"alpha or beta in {path} are negative or all zero; a distance has no such weights. {_SOURCES}"
        )
    network = DISTS(file.channels, alpha, beta).eval()
    network.load_state_dict(network.state_dict() | file.trunk())
    return network
