"""Autoencoders of diffusers behind our interface: any length, any size, latents of unit variance."""

from pathlib import Path
from typing import Any, NamedTuple, final

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.errors import CheckpointError, LatentError, OptionError, ShapeError
from tubelet.interop.frame_rules import Lengths
from tubelet.interop.known import KNOWN, Known, latent_channels
from tubelet.interop.normalisation import read_normalisation
from tubelet.interop.optional import diffusers_package
from tubelet.tokenizers.grouping import Filled, fill
from tubelet.types import Latent, Stride, Video

FRAMES_AT_ONCE = 8
"""Frames that an autoencoder of images works on together."""

_DECODER = ("decoder", "post_quant_conv")


class Rules(NamedTuple):
    """The lengths that an autoencoder takes: frames, rows and columns."""

    frames: Lengths
    rows: Lengths
    columns: Lengths


@final
class DiffusersTokenizer:
    """An autoencoder of diffusers that takes any clip and gives latents of about unit variance.

    Clips are filled up to what the autoencoder takes by repeating the last frame, row and column, and what
    comes back is cut; posteriors give their mode; latents are normalised as the pipelines of diffusers do.

    Attributes:
        name: its class.
        model: the autoencoder itself.
        stride: frames, rows and columns of pixels per latent position.
        channels: channels of the latent.
        tiling: whether it works in spatial tiles, which changes what it computes.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401  any model of diffusers
        *,
        tiling: bool = False,
        encode_dtype: torch.dtype = torch.float32,
        decode_dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        """Wrap a model and change it: evaluation mode, no gradients, number formats, tiling.

        Raises:
            OptionError: its class is unknown, or cannot work in tiles.
        """
        self.name = type(model).__name__
        self._known = _known(self.name)
        self.model = model.eval().requires_grad_(requires_grad=False)
        self.encode_dtype = encode_dtype
        self.decode_dtype = decode_dtype
        self._statistics = read_normalisation(model, channels=latent_channels(model))
        self.channels = latent_channels(model)
        self.stride = self._known.stride(model)
        self.rules = Rules(self._known.frames(model, self.stride), *self._known.sides(model, self.stride))
        _set_formats(model, encode_dtype, decode_dtype)
        self.tiling = _set_tiling(model, self._known, tiling=tiling)

    @property
    def device(self) -> torch.device:
        """Where the autoencoder computes."""
        return self.model.device

    def encode(self, video: Video) -> Latent:
        """Encode a clip of any length and size.

        Args:
            video: RGB in [-1, 1].

        Returns:
            A latent of the filled clip, with zero mean and unit variance as far as its author measured them;
            float32 or wider.

        Raises:
            ShapeError: `video` is not a clip of at least one frame and one pixel.
        """
        if video.ndim != 5 or video.shape[1] != 3 or 0 in video.shape:
            raise ShapeError(
                f"video is {tuple(video.shape)}; it must be (clips, 3, frames, height, width) with at least "
                "one of each. tubelet.to_model makes it from decoded frames."
            )
        with torch.no_grad():
            return self._statistics.normalise(_widened(self.encode_raw(self.fill(video))))

    def decode(self, latent: Latent, *, frames: int, height: int, width: int) -> Video:
        """Decode a latent to the clip that it was encoded from.

        Args:
            latent: what `encode` gave, or a generative model.
            frames: length of the clip.
            height: its rows of pixels.
            width: its columns of pixels.

        Returns:
            RGB around [-1, 1]; some autoencoders clamp it, others do not. float32 or wider.

        Raises:
            ShapeError: the latent does not belong to a clip of this length and size, or the autoencoder gave
                another size than its rule says.
            LatentError: the latent holds NaN or infinity.
        """
        size = (frames, height, width)
        expected = (self.channels, *(rule.latent(n) for rule, n in zip(self.rules, size, strict=True)))
        if min(size) < 1 or tuple(latent.shape[1:]) != expected:
            raise ShapeError(
                f"the latent is {tuple(latent.shape[1:])}, but {self.name} gives {expected} for a clip of "
                f"{frames}x{height}x{width}; give the size of the encoded clip."
            )
        if not latent.isfinite().all():
            raise LatentError("the latent holds NaN or infinity; every value must be a number.")
        with torch.no_grad():
            video = _widened(self.decode_raw(self._statistics.restore(_widened(latent))))
        whole = tuple(rule.decoded(n) for rule, n in zip(self.rules, size, strict=True))
        if tuple(video.shape[2:]) != whole:
            raise ShapeError(
                f"{self.name} decoded to {tuple(video.shape[2:])} frames, rows and columns; its rule says "
                f"{whole}. Its configuration is one that this program does not know."
            )
        return video[:, :, :frames, :height, :width]

    def fill(self, video: Video) -> Filled:
        """Repeat the last frame, row and column until the autoencoder takes the clip."""
        lengths = zip(self.rules, video.shape[2:], strict=True)
        return fill(video, Stride(*(rule.filled(length) - length for rule, length in lengths)))

    def encode_raw(self, video: Filled) -> Latent:
        """What the autoencoder itself makes of a clip that it takes: the mode, not normalised."""
        video = video.to(self.device, self.encode_dtype)
        if self._known.repeats_first and self.model.is_causal:
            video = torch.cat([video[:, :, :1].expand(-1, -1, self.stride.t - 1, -1, -1), video], dim=2)
        if self._known.axes == "clip":  # not every autoencoder takes two at once
            return torch.cat([_latents(self.model.encode(one)) for one in video.split(1)])
        frames = rearrange(video, "b c T H W -> (b T) c H W")
        parts = [_latents(self.model.encode(part)) for part in frames.split(FRAMES_AT_ONCE)]
        return rearrange(torch.cat(parts), "(b t) c h w -> b c t h w", b=len(video))

    def decode_raw(self, raw: Latent) -> Filled:
        """What the autoencoder itself makes of a latent that is not normalised."""
        raw = raw.to(self.device, self.decode_dtype)
        if self._known.axes == "clip":
            video = torch.cat([self._decode_clip(one) for one in raw.split(1)])
            return rearrange(video, "b T c H W -> b c T H W") if self._known.colours_last else video
        frames = rearrange(raw, "b c t h w -> (b t) c h w")
        if self._known.decodes_clips:
            decoded = _pixels(self.model.decode(frames, num_frames=raw.shape[2]))
        else:
            decoded = torch.cat([_pixels(self.model.decode(part)) for part in frames.split(FRAMES_AT_ONCE)])
        return rearrange(decoded, "(b T) c H W -> b c T H W", b=len(raw))

    def _decode_clip(self, raw: Latent) -> Float[Tensor, "1 ..."]:
        if getattr(self.model.config, "timestep_conditioning", False):
            # A decoder that can also remove noise is told that there is none.
            return _pixels(self.model.decode(raw, raw.new_zeros(len(raw))))
        return _pixels(self.model.decode(raw))


def open_diffusers(
    folder_or_id: str | Path,
    *,
    tiling: bool = False,
    encode_dtype: torch.dtype = torch.float32,
    decode_dtype: torch.dtype = torch.bfloat16,
    device: str | torch.device = "cpu",
) -> DiffusersTokenizer:
    """Open an autoencoder of diffusers; only safetensors are read.

    Args:
        folder_or_id: a folder, or a repository on the Hugging Face hub; of an autoencoder, or of a pipeline
            whose autoencoder lies in its folder ``vae``.
        tiling: whether to work in spatial tiles of the size that its author chose.
        encode_dtype: the number format of the encoder. Half precision shifts latents, and the shift grows
            when they are used again.
        decode_dtype: the number format of the decoder.
        device: where to compute.

    Raises:
        OptionError: diffusers is missing, the class is unknown, or it cannot work in tiles.
        CheckpointError: there is no autoencoder, or it cannot be read.
    """
    diffusers = diffusers_package()
    found = _find(diffusers, str(folder_or_id))
    _known(found.name)
    # Pinning to float32 while loading needs another package; what is read as float32 needs no pins.
    base = getattr(diffusers, found.name)
    reader = type(found.name, (base,), {"_keep_in_fp32_modules": None})
    try:
        model = reader.from_pretrained(
            str(folder_or_id), subfolder=found.subfolder, use_safetensors=True, low_cpu_mem_usage=False
        )
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(
            f"the {found.name} in {str(folder_or_id)!r} cannot be read: {error}. It must have a config.json "
            "and its weights as safetensors."
        ) from error
    model.__class__ = base
    return DiffusersTokenizer(
        model.to(device), tiling=tiling, encode_dtype=encode_dtype, decode_dtype=decode_dtype
    )


class _Found(NamedTuple):
    name: str
    subfolder: str | None


def _find(diffusers: Any, place: str) -> _Found:  # noqa: ANN401  the package
    """The class of the autoencoder at a place, and where in it it lies."""
    for subfolder in (None, "vae"):
        try:
            config = diffusers.AutoencoderKL.load_config(place, subfolder=subfolder)
        except (OSError, ValueError):
            continue
        return _Found(str(config.get("_class_name")), subfolder)
    raise CheckpointError(
        f"{place!r} is neither a folder nor a repository with a config.json of an autoencoder, at its top or "
        "in its folder vae. Check the spelling, and the network for a repository."
    )


def _known(name: str) -> Known:
    if name not in KNOWN:
        raise OptionError(
            f"{name!r} is not an autoencoder that this program knows; it knows {', '.join(KNOWN)}."
        )
    return KNOWN[name]


def _set_formats(model: Any, encode_dtype: torch.dtype, decode_dtype: torch.dtype) -> None:  # noqa: ANN401
    """Give encoder and decoder their number formats, and float32 to what its author keeps in it."""
    torch.nn.Module.to(model, encode_dtype)
    for name, child in model.named_children():
        if name in _DECODER:
            child.to(decode_dtype)
    pinned = set(getattr(model, "_keep_in_fp32_modules", None) or ())
    for name, weights in model.named_parameters():
        if pinned & set(name.split(".")):
            weights.data = _widened(weights.data)


def _set_tiling(model: Any, known: Known, *, tiling: bool) -> bool:  # noqa: ANN401
    """Switch spatial tiles; say whether they are on."""
    if known.tiles == "never":
        if tiling:
            raise OptionError(
                f"tiling is on, but {type(model).__name__} of diffusers has no spatial tiles. "
                "Leave it out, or take smaller frames."
            )
        return False
    tiling = tiling or known.tiles == "always"
    model.enable_tiling() if tiling else model.disable_tiling()
    return tiling


def _latents(output: Any) -> Tensor:  # noqa: ANN401  every class has an output of its own
    """The mode of what an encoder gave."""
    if hasattr(output, "latent_dist"):
        return output.latent_dist.mode()
    for name in ("latents", "latent"):
        if hasattr(output, name):
            return getattr(output, name)
    return output[0]


def _pixels(output: Any) -> Tensor:  # noqa: ANN401
    """The pixels that a decoder gave."""
    return output if isinstance(output, Tensor) else output.sample


def _widened(values: Tensor) -> Tensor:
    """The same numbers in float32, or in what they are if it is wider."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
