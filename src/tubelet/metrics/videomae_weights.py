"""The weights of `VideoMAE`, from a file of the user; tubelet holds none and fetches none.

A fine-tuned VideoMAE of the transformers library is such a file as it is, such as ``model.safetensors`` of
MCG-NJU/videomae-base-finetuned-kinetics. One that was only pre-trained has no norm before a classifier, and
is refused.

The FVD of Ge et al. 2024 takes VideoMAE-v2 ViT-g, fine-tuned on Something-Something v2
(``vit_g_hybrid_pt_1200e_ssv2_ft.pth``, OpenGVLab/InternVideoMAE_models); figures with another network do not
stand beside theirs. Make its file once, wherever torch and safetensors are, with 9 GB of memory:

1. Read it with the loader of torch, ``weights_only=True``; the tensors are under ``module`` or ``model``.
2. Rename them: ``patch_embed.proj`` to ``videomae.embeddings.patch_embeddings.projection``, ``head`` to
   ``classifier``, and ``blocks.N.`` to ``videomae.encoder.layer.N.``. Behind that, ``norm1`` is
   ``layernorm_before``, ``norm2`` ``layernorm_after``, ``mlp.fc1`` ``intermediate.dense``, ``mlp.fc2``
   ``output.dense``, ``attn.proj`` ``attention.output.dense``, ``attn.q_bias`` and ``attn.v_bias``
   ``attention.attention.q_bias`` and ``v_bias``; ``attn.qkv.weight`` is cut into three equal parts of rows,
   ``attention.attention.query.weight``, ``key`` and ``value``. ``fc_norm`` keeps its name.
3. Write them with ``safetensors.torch.save_file``, each made contiguous and copied.
4. Note the SHA-256 of the result (``sha256sum``), beside the protocol that uses it.
"""

import re
from pathlib import Path

import torch

from tubelet.errors import CheckpointError
from tubelet.nn.network_file import NetworkFile
from tubelet.nn.videomae import SIDE, VideoMAE

_MOST_BYTES = 1 << 33
"""Twice what ViT-g has in float32."""

_SOURCES = (
    "Take a fine-tuned VideoMAE of transformers, or make the file as tubelet.metrics.videomae_weights "
    "explains; nothing stands in for it."
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
