"""Our tokenizers as an autoencoder of diffusers, so that a pipeline takes one unchanged.

This is the only module that inherits from diffusers; importing it imports diffusers.
"""

from collections.abc import Callable
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.checkpoint import read_continuous
from tubelet.errors import OptionError
from tubelet.interop.optional import diffusers_package
from tubelet.json_fields import fields_from_json
from tubelet.models.klt.config import KLTConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.posterior import Posterior
from tubelet.types import Latent, Video

diffusers_package()

from diffusers.configuration_utils import ConfigMixin, FrozenDict, register_to_config  # noqa: E402
from diffusers.models.autoencoders.vae import (  # noqa: E402
    AutoencoderMixin,
    DecoderOutput,
    DiagonalGaussianDistribution,
)
from diffusers.models.modeling_outputs import AutoencoderKLOutput  # noqa: E402
from diffusers.models.modeling_utils import ModelMixin  # noqa: E402
from diffusers.utils.accelerate_utils import apply_forward_hook  # noqa: E402

Pixels = Float[Tensor, "b 3 *T H W"]
"""A clip, or an image without the axis of frames."""

Values = Float[Tensor, "b c *t h w"]
"""A latent, or that of an image without the axis of steps."""


class AutoencoderTubelet(ModelMixin, AutoencoderMixin, ConfigMixin):
    """A tokenizer that diffusers loads, saves, pushes to the hub and runs in its pipelines.

    Latents have zero mean and unit variance already, so what pipelines look up to normalise them changes
    nothing: scaling factor 1, means 0, deviations 1. A latent of n steps decodes to 1 + (n - 1) · stride
    frames, the rule that video pipelines count with. Images, ``b 3 H W``, are clips of one frame.

    Half precision reaches the networks only: the transform and the statistics stay in float32, and so do
    videos and latents.

    Attributes:
        tokenizer: the tokenizer itself.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(  # noqa: PLR0913  diffusers stores the arguments of the constructor as the configuration
        self,
        *,
        name: str = "tubelet",
        patches: list[list[int]] | None = None,
        coefficients: list[int] | None = None,
        channels: int = 64,
        lead_frame: bool = True,
        width: int = 192,
        encoder_blocks: int = 0,
        decoder_blocks: int = 0,
        memory: int = 2,
        variational: bool = False,
        ahead: int = 0,
        gate: bool = False,
        latent_channels: int | None = None,
    ) -> None:
        """Build an untrained tokenizer; the arguments are those of `KLTConfig`.

        Args:
            name: what files call it.
            patches: the patch of each level of the KLT.
            coefficients: coefficients that each level keeps.
            channels: channels that the tokenizer has.
            lead_frame: whether the first frame is a group of its own; pipelines expect it.
            width: channels inside the networks.
            encoder_blocks: residual blocks of the encoder.
            decoder_blocks: residual blocks of the decoder.
            memory: latent steps that each block looks back.
            variational: whether the encoder gives a distribution.
            ahead: steps after the end of a latent that the decoder has learned to predict.
            gate: whether what is predicted is blended with the last frame.
            latent_channels: how many of the channels the pipeline sees; all by default. The first k channels
                of a latent are a latent of k channels.

        Raises:
            OptionError: the numbers contradict one another, or patches are not square.
        """
        super().__init__()
        numbers = {
            "name": name,
            "patches": patches or [[4, 8, 8]],
            "coefficients": coefficients or [64],
            "channels": channels,
            "lead_frame": lead_frame,
            "width": width,
            "encoder_blocks": encoder_blocks,
            "decoder_blocks": decoder_blocks,
            "memory": memory,
            "variational": variational,
            "ahead": ahead,
            "gate": gate,
        }
        config = fields_from_json(KLTConfig, numbers, "this autoencoder")
        self.tokenizer = ContinuousTokenizer.of(config)
        stride = self.tokenizer.stride
        if stride.h != stride.w:
            raise OptionError(f"the stride is {stride}; diffusers knows only square ones, such as 4x8x8.")
        self.kept = self.tokenizer.check_channels(latent_channels)
        self.register_buffer("latents_mean", torch.zeros(self.kept), persistent=False)
        self.register_buffer("latents_std", torch.ones(self.kept), persistent=False)
        self.use_tiling = False
        self.use_slicing = False

    @classmethod
    def from_tokenizer(
        cls, tokenizer: ContinuousTokenizer, *, channels: int | None = None
    ) -> "AutoencoderTubelet":
        """Wrap a tokenizer; its weights are shared, not copied.

        Args:
            tokenizer: the tokenizer.
            channels: how many of its channels a pipeline sees; all by default.

        Raises:
            OptionError: the tokenizer was put together by hand, or its latent has several parts.
        """
        config = tokenizer.config
        if not isinstance(config, KLTConfig):
            raise OptionError(
                f"the latent of {config.name} has several parts; a pipeline takes one of one part, such as "
                "tubelet-m."
            )
        numbers = asdict(config) | {
            "patches": [list(patch) for patch in config.patches],
            "coefficients": list(config.coefficients),
            "latent_channels": channels,
        }
        made = cls(**numbers)
        made.tokenizer = tokenizer
        return made.train(tokenizer.training)

    @classmethod
    def from_checkpoint(
        cls, name: str | Path | None = None, *, channels: int | None = None
    ) -> "AutoencoderTubelet":
        """Wrap a shipped tokenizer or a checkpoint of ours; `from_pretrained` reads folders of diffusers.

        Args:
            name: a shipped tokenizer or a folder; the default tokenizer for none.
            channels: how many of its channels a pipeline sees; all by default.

        Raises:
            CheckpointError: it is unknown, damaged, or newer than this program.
        """
        return cls.from_tokenizer(read_continuous(name).tokenizer, channels=channels)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | PathLike[str] | None,
        *,
        torch_dtype: torch.dtype = torch.float32,
        **options: Any,  # noqa: ANN401  those of diffusers
    ) -> "AutoencoderTubelet":
        """Load a folder or a repository of the hub; only safetensors are read.

        Args:
            pretrained_model_name_or_path: what `save_pretrained` or `push_to_hub` made.
            torch_dtype: the number format of the networks.
            options: those of diffusers, such as ``subfolder`` and ``revision``.
        """
        options = {"low_cpu_mem_usage": False} | options | {"use_safetensors": True}
        model = super().from_pretrained(pretrained_model_name_or_path, **options)
        # Read exactly, then narrow what may be narrowed.
        torch.nn.Module.to(model, torch_dtype)
        return model

    @property
    def config(self) -> FrozenDict:
        """The configuration, and what pipelines look up in one beside it; the latter is not stored."""
        stride = self.tokenizer.stride
        levels = stride.h.bit_length()
        return FrozenDict(
            dict(super().config)
            | {
                "latent_channels": self.kept,
                "z_dim": self.kept,
                "in_channels": 3,
                "out_channels": 3,
                "scaling_factor": 1.0,
                "shift_factor": 0.0,
                "latents_mean": [0.0] * self.kept,
                "latents_std": [1.0] * self.kept,
                "temporal_compression_ratio": stride.t,
                "scale_factor_temporal": stride.t,
                "spatial_compression_ratio": stride.h,
                "scale_factor_spatial": stride.h,
                # Pipelines of images count these: the stride is two to the number of them, less one.
                "block_out_channels": [self.kept] * levels,
                "force_upcast": False,
                "timestep_conditioning": False,
                "invert_scale_latents": False,
            }
        )

    @property
    def temporal_compression_ratio(self) -> int:
        """Frames per latent step."""
        return self.tokenizer.stride.t

    @property
    def spatial_compression_ratio(self) -> int:
        """Rows, and columns, of pixels per latent position."""
        return self.tokenizer.stride.h

    @property
    def dtype(self) -> torch.dtype:
        """The number format of videos and latents, whatever the networks compute in."""
        return self.tokenizer.dtype

    @apply_forward_hook
    def encode(self, x: Pixels, return_dict: bool = True) -> AutoencoderKLOutput | tuple[Any]:  # noqa: FBT001, FBT002
        """Encode clips or images of any length and size, RGB in [-1, 1].

        Returns:
            An output whose ``latent_dist`` is the distribution of the latent; where the tokenizer knows none,
            one without spread, whose samples equal its mode.
        """
        video = x if x.ndim == 5 else x[:, :, None]
        encoded = self._encode(video.to(self.dtype))
        if encoded.log_variance is None:
            parameters = torch.cat([encoded.mean, torch.zeros_like(encoded.mean)], dim=1)
        else:
            parameters = torch.cat([encoded.mean, encoded.log_variance], dim=1)
        distribution = DiagonalGaussianDistribution(
            parameters if x.ndim == 5 else parameters[:, :, 0], deterministic=encoded.log_variance is None
        )
        return AutoencoderKLOutput(latent_dist=distribution) if return_dict else (distribution,)

    @apply_forward_hook
    def decode(
        self,
        z: Values,
        temb: Tensor | None = None,
        return_dict: bool = True,  # noqa: FBT001, FBT002
        generator: torch.Generator | None = None,
    ) -> DecoderOutput | tuple[Pixels]:
        """Decode latents of n steps to 1 + (n - 1) · stride frames, or to images; RGB around [-1, 1]."""
        latent = (z if z.ndim == 5 else z[:, :, None]).to(self.dtype)
        steps, rows, columns = latent.shape[2:]
        frames = self.tokenizer.grouping.first_frame(steps)
        height, width = rows * self.spatial_compression_ratio, columns * self.spatial_compression_ratio
        if self.use_tiling:
            decoder = self.tokenizer.stream_decoder(frames=frames, height=height, width=width)
            video = decoder.push(latent)
        else:
            video = self.tokenizer.decode(latent, frames=frames, height=height, width=width)
        sample = video if z.ndim == 5 else video[:, :, 0]
        return DecoderOutput(sample=sample) if return_dict else (sample,)

    def forward(
        self,
        sample: Pixels,
        sample_posterior: bool = False,  # noqa: FBT001, FBT002
        return_dict: bool = True,  # noqa: FBT001, FBT002
        generator: torch.Generator | None = None,
    ) -> DecoderOutput | tuple[Pixels]:
        """Encode and decode."""
        encoded = self.encode(sample)
        assert isinstance(encoded, AutoencoderKLOutput)
        posterior = encoded.latent_dist
        latent = posterior.sample(generator=generator) if sample_posterior else posterior.mode()
        return self.decode(latent, return_dict=return_dict)

    def enable_tiling(self, *arguments: Any, **sizes: Any) -> None:  # noqa: ANN401
        """Work through streams, in bounded memory.

        Sizes and overlaps of tiles are not looked at: a stream chooses its tiles by the memory that it has,
        and they give what the whole gives, within float rounding, so there is nothing to blend.
        """
        self.use_tiling = True

    def enable_slicing(self) -> None:
        """Change nothing: the clips of a batch never meet, and `enable_tiling` bounds memory already."""

    def _encode(self, video: Video) -> "_Encoded":
        if self.tokenizer.variational:
            posterior = self._posterior(video)
            return _Encoded(posterior.mean[:, : self.kept], posterior.log_variance[:, : self.kept])
        if not self.use_tiling:
            return _Encoded(self.tokenizer.encode(video, channels=self.kept), None)
        stream = self.tokenizer.stream_encoder(channels=self.kept)
        return _Encoded(torch.cat([stream.push(video), stream.finish()], dim=2), None)

    def _posterior(self, video: Video) -> Posterior:
        if not self.use_tiling:
            return self.tokenizer.posterior(video)
        stream = self.tokenizer.stream_posterior()
        return Posterior.joined([stream.push(video), stream.finish()])

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002
        """Move and convert weights, but never narrow what must be exact."""
        networks = {
            id(weights) for network in self.tokenizer.model.networks() for weights in network.parameters()
        }

        def convert(weights: Tensor) -> Tensor:
            converted = fn(weights)
            if id(weights) in networks or converted.dtype.itemsize >= 4:
                return converted
            return weights.to(converted.device)

        return super()._apply(convert, recurse)


class _Encoded(NamedTuple):
    mean: Latent
    log_variance: Latent | None
