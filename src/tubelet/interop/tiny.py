"""The smallest model of every class that can be opened, with random weights: enough to try laws and rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from tubelet.interop.optional import diffusers_package

_FOUR = {"latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [0.5, 1.0, 2.0, 1.5]}
_BLOCKS = {"latent_channels": 4, "block_out_channels": (8, 8, 8, 8), "layers_per_block": 1}
_WAN = {"z_dim": 4, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1} | _FOUR
_LTX = {
    "latent_channels": 4,
    "block_out_channels": (8, 8, 8, 8),
    "decoder_block_out_channels": (8, 8, 8, 8),
    "layers_per_block": (1, 1, 1, 1, 1),
    "decoder_layers_per_block": (1, 1, 1, 1, 1),
}
_LTX2 = {
    "latent_channels": 4,
    "block_out_channels": (4, 8, 16, 32),
    "decoder_block_out_channels": (8, 16, 32),
    "layers_per_block": (1, 1, 1, 1, 1),
    "decoder_layers_per_block": (1, 1, 1, 1),
    # As released; what the class assumes by itself is twice as much.
    "spatial_compression_ratio": 32,
    "temporal_compression_ratio": 8,
}
_VIDTOK = {"ch": 8, "ch_mult": [1, 1, 1, 1], "z_channels": 4, "num_res_blocks": 1}
_MOCHI = {
    "latent_channels": 4,
    "encoder_block_out_channels": (32, 32, 32, 32),
    "decoder_block_out_channels": (32, 32, 32, 32),
    "layers_per_block": (1, 1, 1, 1, 1),
}
_MINIMAX = {
    "latent_channels": 4,
    "block_out_channels": (8, 8),
    "layers_per_block": 1,
    "spatial_downsample_factors": (2, 2),
    "temporal_downsample_factors": (2, 2),
    "norm_num_groups": 2,
    "decoder_num_layers": 1,
    "decoder_num_attention_heads": 1,
    "decoder_attention_head_dim": 16,
}
_COSMOS = {
    "latent_channels": 4,
    "encoder_block_out_channels": (8, 8, 8, 8),
    "decode_block_out_channels": (8, 8, 8, 8),
    "attention_resolutions": (4,),
    "resolution": 32,
    "num_layers": 1,
    "latents_mean": [0.01 * number for number in range(12)],
    "latents_std": [1 + 0.1 * number for number in range(12)],
}
_SR = {
    "latent_channels": 4,
    "encoder_block_out_channels": (32, 32, 32, 32),
    "decoder_block_out_channels": (32, 32, 32, 32),
    "layers_per_block": 1,
}
_IMAGE = {"block_out_channels": (32, 32), "down_block_types": ("DownEncoderBlock2D",) * 2}
_TINY = {
    "encoder_block_out_channels": (8, 8, 8, 8),
    "decoder_block_out_channels": (8, 8, 8, 8),
    "num_encoder_blocks": (1, 1, 1, 1),
    "num_decoder_blocks": (1, 1, 1, 1),
}
_ALLEGRO = {"block_out_channels": (2, 2, 2, 2), "norm_num_groups": 1, "sample_size": 128}
_DC = {
    "latent_channels": 4,
    "attention_head_dim": 4,
    "encoder_block_types": ("ResBlock", "EfficientViTBlock"),
    "decoder_block_types": ("ResBlock", "EfficientViTBlock"),
    "encoder_block_out_channels": (8, 8),
    "decoder_block_out_channels": (8, 8),
    "encoder_layers_per_block": (1, 1),
    "decoder_layers_per_block": (1, 1),
    "encoder_qkv_multiscales": ((), ()),
    "decoder_qkv_multiscales": ((), ()),
}


@dataclass(frozen=True, slots=True)
class Tiny:
    """A model that takes milliseconds.

    Attributes:
        name: its class in diffusers.
        numbers: what differs from the defaults of the class.
    """

    name: str
    numbers: Mapping[str, Any]


TINY: Mapping[str, Tiny] = MappingProxyType(
    {
        "Wan 2.1": Tiny("AutoencoderKLWan", _WAN | {"base_dim": 4}),
        "Wan 2.2": Tiny(
            "AutoencoderKLWan",
            _WAN
            | {"base_dim": 8, "is_residual": True, "patch_size": 2, "in_channels": 12, "out_channels": 12}
            | {"scale_factor_spatial": 16},
        ),
        "Cosmos": Tiny("AutoencoderKLCosmos", _COSMOS),
        "HunyuanVideo": Tiny("AutoencoderKLHunyuanVideo", _BLOCKS | {"norm_num_groups": 4}),
        "HunyuanVideo 1.5": Tiny(
            "AutoencoderKLHunyuanVideo15", _BLOCKS | {"block_out_channels": (16, 16, 16, 16, 16)}
        ),
        "CogVideoX": Tiny("AutoencoderKLCogVideoX", _BLOCKS | {"norm_num_groups": 2}),
        "LTX": Tiny("AutoencoderKLLTXVideo", _LTX),
        "LTX, noise removed": Tiny("AutoencoderKLLTXVideo", _LTX | {"timestep_conditioning": True}),
        "LTX-2": Tiny("AutoencoderKLLTX2Video", _LTX2),
        "Mochi": Tiny("AutoencoderKLMochi", _MOCHI | _FOUR),
        "Allegro": Tiny("AutoencoderKLAllegro", _BLOCKS | _ALLEGRO),
        "EasyAnimate (Magvit)": Tiny("AutoencoderKLMagvit", _BLOCKS | {"norm_num_groups": 2}),
        "KVAE": Tiny(
            "AutoencoderKLKVAEVideo", {"ch": 32, "ch_mult": (1, 1, 1), "num_res_blocks": 1, "z_channels": 4}
        ),
        "MiniMax H3": Tiny("AutoencoderKLMiniMaxH3", _MINIMAX | _FOUR),
        "VidTok KL": Tiny("AutoencoderVidTok", _VIDTOK),
        "VidTok KL, not causal": Tiny("AutoencoderVidTok", _VIDTOK | {"is_causal": False}),
        "VidTok FSQ": Tiny(
            "AutoencoderVidTok", _VIDTOK | {"regularizer": "fsq", "double_z": False, "codebook_size": 4096}
        ),
        "QwenImage": Tiny("AutoencoderKLQwenImage", _WAN | {"base_dim": 4}),
        "Kandinsky 6 SR": Tiny("Kandinsky6SRVAE", _SR),
        "Stable Video Diffusion": Tiny("AutoencoderKLTemporalDecoder", _IMAGE),
        "AutoencoderKL": Tiny("AutoencoderKL", _IMAGE | {"up_block_types": ("UpDecoderBlock2D",) * 2}),
        "AutoencoderTiny": Tiny("AutoencoderTiny", _TINY),
        "AutoencoderDC": Tiny("AutoencoderDC", _DC),
    }
)
"""Every class that can be opened, some in several kinds, by the names that people use."""


def tiny_model(label: str, *, seed: int = 0) -> Any:  # noqa: ANN401  a model of diffusers
    """Build a model of random weights; the seed decides.

    Weights that a class starts at a constant, such as zero, are moved by noise of a tenth: whatever training
    would switch on is on.

    Raises:
        OptionError: diffusers is missing.
    """
    tiny = TINY[label]
    build = getattr(diffusers_package(), tiny.name)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = build(**tiny.numbers)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.numel() and float(weights.amax()) == float(weights.amin()):
                weights.add_(torch.randn(weights.shape, generator=generator), alpha=0.1)
    return model.eval().requires_grad_(requires_grad=False)
