"""The weights of `VideoMAE`, from a file of the user; tubelet holds none and fetches none.

A fine-tuned VideoMAE of the transformers library is such a file as it is, such as ``model.safetensors`` of
MCG-NJU/videomae-base-finetuned-kinetics. One that was only pre-trained has no norm before a classifier, and
is refused.

The FVD of Ge et al. 2024 takes VideoMAE-v2 ViT-g, fine-tuned on Something-Something v2
(``vit_g_hybrid_pt_1200e_ssv2_ft.pth``, OpenGVLab/InternVideoMAE_models); figures with another network do not
stand beside theirs. Make its file once, with 9 GB of memory, and note the SHA-256 that is printed beside the
protocol that uses it: ``tubelet weights videomae vit_g_hybrid_pt_1200e_ssv2_ft.pth -o videomae.safetensors``.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from tubelet.errors import CheckpointError
from tubelet.perceptual.network_file import NetworkFile
from tubelet.perceptual.videomae import SIDE, VideoMAE

_MOST_BYTES = 1 << 33
"""Twice what ViT-g has in float32."""

_SOURCES = (
    "Take a fine-tuned VideoMAE of transformers, or make the file with `tubelet weights videomae`; nothing "
    "stands in for it."
)

_HEAD = 64
"""Numbers of a head, in all published sizes but two."""

_HEADS = {1280: 16, 1408: 16}
"""Heads by width in those two, ViT-H and ViT-g."""

_ENDS = {
    "projection.weight": "videomae.embeddings.patch_embeddings.projection.weight",
    "projection.bias": "videomae.embeddings.patch_embeddings.projection.bias",
    "norm.weight": "fc_norm.weight",
    "norm.bias": "fc_norm.bias",
}
"""What a file calls the tensors of the network, before and behind the blocks."""

_BLOCK = {
    "attention_norm.weight": "layernorm_before.weight",
    "attention_norm.bias": "layernorm_before.bias",
    "attention.query.weight": "attention.attention.query.weight",
    "attention.query.bias": "attention.attention.q_bias",
    "attention.key.weight": "attention.attention.key.weight",
    "attention.value.weight": "attention.attention.value.weight",
    "attention.value.bias": "attention.attention.v_bias",
    "attention.output.weight": "attention.output.dense.weight",
    "attention.output.bias": "attention.output.dense.bias",
    "network_norm.weight": "layernorm_after.weight",
    "network_norm.bias": "layernorm_after.bias",
    "widen.weight": "intermediate.dense.weight",
    "widen.bias": "intermediate.dense.bias",
    "narrow.weight": "output.dense.weight",
    "narrow.bias": "output.dense.bias",
}
"""What it calls those of a block, behind ``videomae.encoder.layer.N.``"""


_RENAMED = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
    "attn.proj": "attention.output.dense",
}
"""What the authors call the parts of a block that transformers calls otherwise."""

_RENAMED_BIASES = {"attn.q_bias": "attention.attention.q_bias", "attn.v_bias": "attention.attention.v_bias"}


def from_published(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a fine-tuned VideoMAE by the names of transformers, whichever of both the file has.

    Args:
        found: what a published file holds.

    Returns:
        What `read_videomae` reads; nothing else of the file.
    """
    ours: dict[str, Tensor] = {}
    for name, tensor in found.items():
        block = re.fullmatch(r"blocks\.(\d{1,3})\.(.+)", name)
        end = re.fullmatch(r"(patch_embed\.proj|head)\.(weight|bias)", name)
        if block is not None:
            layer = f"videomae.encoder.layer.{block[1]}"
            ours |= {f"{layer}.{part}": each for part, each in _block_parts(block[2], tensor).items()}
        elif end is not None:
            whole = "videomae.embeddings.patch_embeddings.projection" if end[1] != "head" else "classifier"
            ours[f"{whole}.{end[2]}"] = tensor
        elif name.startswith(("videomae.", "fc_norm.", "classifier.")):
            ours[name] = tensor
    return ours


def _block_parts(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """What a tensor of a block is called by transformers, which has query, key and value apart."""
    if name == "attn.qkv.weight":
        names = (f"attention.attention.{part}.weight" for part in ("query", "key", "value"))
        return dict(zip(names, tensor.chunk(3), strict=True))
    if name in _RENAMED_BIASES:
        return {_RENAMED_BIASES[name]: tensor}
    part, _, kind = name.rpartition(".")
    return {f"{_RENAMED.get(part, part)}.{kind}": tensor}


def read_videomae(path: Path, *, sha256: str) -> VideoMAE:
    """Read an encoder from a .safetensors file; its size is that in the file.

    It is frozen, in float32 and on the CPU. A file does not say how many heads there are: 16 for widths of
    1280 and 1408 (ViT-H, ViT-g), and else one for every 64 numbers.

    Args:
        path: holds what transformers names, from ``videomae.embeddings.patch_embeddings.projection.weight``
            to ``fc_norm.bias``; nothing else but a classifier, which is not needed.
        sha256: of the whole file, 64 hexadecimal digits.

    Raises:
        CheckpointError: the file is missing, too large, no .safetensors file, has another SHA-256, or its
            tensors are not those of a fine-tuned VideoMAE.
    """
    file = NetworkFile(path, sha256=sha256, network="VideoMAE", sources=_SOURCES, most_bytes=_MOST_BYTES)
    numbers = [re.match(r"videomae\.encoder\.layer\.(\d{1,3})\.", name) for name in file.weights]
    depth = 1 + max((int(number[1]) for number in numbers if number), default=0)
    names = dict(_ENDS)
    for block in range(depth):
        layer = f"videomae.encoder.layer.{block}"
        names |= {f"blocks.{block}.{ours}": f"{layer}.{theirs}" for ours, theirs in _BLOCK.items()}
    file.require(set(names.values()), unused={"classifier.weight", "classifier.bias"})
    width = file.outputs(names["projection.bias"])
    file.outputs(names["projection.weight"])
    patch = file.weights[names["projection.weight"]].shape[-1]
    if width % _HEAD or SIDE % patch:
        raise CheckpointError(
            f"{path} has patches of {patch} pixels and {width} numbers each; patches divide {SIDE} pixels, "
            f"and heads of {_HEAD} numbers the width. {_SOURCES}"
        )
    with torch.device("meta"):
        network = VideoMAE(
            width=width,
            hidden=file.outputs(names["blocks.0.widen.bias"]),
            depth=depth,
            heads=_HEADS.get(width, width // _HEAD),
            patch=patch,
        )
    for ours, tensor in network.state_dict().items():
        file.expect(names[ours], tuple(tensor.shape))
    weights = {ours: file.weights[theirs].float() for ours, theirs in names.items()}
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(requires_grad=False)
