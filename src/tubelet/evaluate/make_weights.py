"""Files of weights for measures, made once from what others publish.

Nothing of a published file is executed (`tubelet.perceptual.torch_file`). What was made is read back by the
reader that measures use before it gets its name.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from safetensors.torch import save
from torch import Tensor, nn

from tubelet.errors import CheckpointError, OptionError
from tubelet.evaluate.weights import READERS
from tubelet.files import check_suffix, check_target, replacing
from tubelet.perceptual.torch_file import read_tensors
from tubelet.perceptual.videomae_weights import from_published

_VGG = "vgg16-397923af.pth of torchvision (download.pytorch.org/models)"

SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "lpips": (
            _VGG,
            "vgg.pth of LPIPS v0.1 (github.com/richzhang/PerceptualSimilarity, lpips/weights/v0.1)",
        ),
        "dists": (
            _VGG,
            "weights.pt of DISTS (github.com/dingkeyan93/DISTS), or dists_weights.pt of piq v0.4.1",
        ),
        "i3d": ("i3d_pretrained_400.pt of TATS (github.com/songweige/TATS, tats/fvd)",),
        "videomae": (
            "model.safetensors of a fine-tuned VideoMAE of transformers, or "
            "vit_g_hybrid_pt_1200e_ssv2_ft.pth of OpenGVLab/InternVideoMAE_models",
        ),
    }
)
"""Which published files the weights of each network are made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A file of weights.

    Attributes:
        path: of the file.
        sha256: of the whole file, which measures are told beside its name.
        tensors: how many there are.
        numbers: in all of them.
    """

    path: Path
    sha256: str
    tensors: int
    numbers: int


def make_weights(network: str, sources: Sequence[Path], target: Path, *, force: bool = False) -> Made:
    """Make the file of a network's weights; the same sources give the same bytes.

    Args:
        network: ``lpips``, ``dists``, ``i3d`` or ``videomae``.
        sources: the published files, in any order; `SOURCES` names them.
        target: a ``.safetensors`` file.
        force: whether an existing target is replaced.

    Raises:
        OptionError: there is no such network, the target is not a ``.safetensors`` file, or is a source.
        CheckpointError: a source is missing, damaged or a program, or together they are not the network.
        OutputError: the target exists (and `force` is false) or cannot be written.
    """
    if network not in SOURCES:
        raise OptionError(f"there is no network {network!r}; there are {', '.join(SOURCES)}.")
    check_suffix(target, (".safetensors",), "a file of weights")
    check_target(target, sources=sources, force=force)
    found: dict[str, Tensor] = {}
    for source in sources:
        _check_name(source)
        found |= read_tensors(source)
    tensors = _CHOICES[network](found)
    if not tensors:
        raise CheckpointError(
            f"{', '.join(map(str, sources))} hold nothing of {network}. It is made of "
            f"{' and '.join(SOURCES[network])}."
        )
    content = save({name: each.contiguous() for name, each in tensors.items()})
    sha256 = hashlib.sha256(content).hexdigest()
    with replacing(target, force=force, durable=True) as path:
        path.write_bytes(content)
        _read_back(network, READERS[network], path, sha256)
    return Made(
        path=target,
        sha256=sha256,
        tensors=len(tensors),
        numbers=sum(each.numel() for each in tensors.values()),
    )


def _read_back(network: str, reader: Callable[..., nn.Module], path: Path, sha256: str) -> None:
    """Raise unless measures can use a file."""
    try:
        reader(path, sha256=sha256)
    except CheckpointError as error:
        reason = str(error).replace(str(path), "what they hold").partition(" Make the file")[0]
        raise CheckpointError(
            f"the sources do not make {network}: {reason} It is made of {' and '.join(SOURCES[network])}."
        ) from error


def _check_name(source: Path) -> None:
    """Compare a file with the digits of its SHA-256 in its name, where torchvision put some."""
    named = re.search(r"-([0-9a-f]{8})\.pth$", source.name)
    if named is None or not source.is_file():
        return
    with source.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(named[1]):
        raise CheckpointError(
            f"{source} has SHA-256 {found[:8]}…, and its name says {named[1]}. It is damaged: fetch it again."
        )


def _vgg_and(*patterns: str) -> Callable[[Mapping[str, Tensor]], dict[str, Tensor]]:
    """Choose the trunk of VGG-16, and what belongs to a measure."""
    wanted = re.compile("|".join([r"features\.\d+\.(weight|bias)", *patterns]))
    return lambda found: {name: each.float() for name, each in found.items() if wanted.fullmatch(name)}


def _i3d(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Choose all but the counters of batches."""
    return {name: each for name, each in found.items() if not name.endswith("num_batches_tracked")}


_CHOICES: Mapping[str, Callable[[Mapping[str, Tensor]], dict[str, Tensor]]] = MappingProxyType(
    {
        "lpips": _vgg_and(r"lin\d\.model\.1\.weight"),
        "dists": _vgg_and("alpha", "beta"),
        "i3d": _i3d,
        "videomae": from_published,
    }
)
"""What of the published tensors goes into the file, and under which names."""
