"""The autoencoders of diffusers that can be opened, and what must be known of each to treat it right."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from tubelet.interop.frame_rules import Lengths
from tubelet.types import Stride

Model = Any
"""A model of diffusers, which is imported late."""


class Sides(NamedTuple):
    """The numbers of rows and columns that an autoencoder takes."""

    rows: Lengths
    columns: Lengths


def led(model: Model, stride: Stride) -> Lengths:
    """1 + n · stride frames."""
    return Lengths.led(stride.t)


def led_in_pairs(model: Model, stride: Stride) -> Lengths:
    """1 + n · 2 · stride frames: an even number of latent steps decodes to other lengths (CogVideoX)."""
    return Lengths.led(stride.t, group=2)


def any_length(model: Model, stride: Stride) -> Lengths:
    """Any number of frames, each a latent step."""
    return Lengths.multiples(1)


def vidtok_frames(model: Model, stride: Stride) -> Lengths:
    """1 + n · stride where VidTok is causal; else whole batches, as many frames as it works on at once."""
    if model.is_causal:
        return Lengths.led(stride.t)
    batch = model.num_sample_frames_batch_size // stride.t
    return Lengths.multiples(stride.t, least=batch, group=batch)


def allegro_frames(model: Model, stride: Stride) -> Lengths:
    """What tiles of 24 frames that overlap by 8 cover exactly; Allegro leaves black what they do not."""
    return _tiled(model, 0, stride.t)


def minimax_frames(model: Model, stride: Stride) -> Lengths:
    """Two clips of 17 frames or more; the last latent steps are dropped on purpose, 12 frames with them."""
    clip, drop, steps = model.config.clip_length, model.config.token_drop, model.tokens_chunk_size
    least = 2 if drop else 1
    return Lengths(
        first=least * clip,
        step=clip,
        positions=least * steps - drop,
        positions_per_step=steps,
        lost=clip - model.frame_overlap if drop else 0,
    )


def multiples(model: Model, stride: Stride) -> Sides:
    """Whole latent positions."""
    return Sides(Lengths.multiples(stride.h), Lengths.multiples(stride.w))


def two_multiples(model: Model, stride: Stride) -> Sides:
    """Two whole latent positions or more: a single one cannot be padded by reflection."""
    return Sides(Lengths.multiples(stride.h, least=2), Lengths.multiples(stride.w, least=2))


def allegro_sides(model: Model, stride: Stride) -> Sides:
    """What tiles of 320 pixels that overlap by 120 rows and 80 columns cover exactly."""
    return Sides(_tiled(model, 1, stride.h), _tiled(model, 2, stride.w))


def ratio_stride(model: Model) -> Stride:
    """The compression ratios that most models keep as attributes or in their configuration."""
    time = _first(model, "temporal_compression_ratio", "scale_factor_temporal", "temporal_compress_times")
    space = _first(model, "spatial_compression_ratio", "scale_factor_spatial")
    if space is None:
        levels = _first(model, "block_out_channels", "ch_mult")
        space = 2 ** (len(levels) - 1)
    return Stride(int(time or 1), int(space), int(space))


def qwen_stride(model: Model) -> Stride:
    """Two per level; in time, per level that halves time."""
    space = int(model.spatial_compression_ratio)
    return Stride(2 ** sum(model.config.temperal_downsample), space, space)


def ltx_stride(model: Model) -> Stride:
    """The patch, and two per level that halves; the attributes of LTX count every level for both axes."""
    config = model.config
    scaling = config.spatio_temporal_scaling
    kinds = [kind for kind, scales in zip(config.downsample_type, scaling, strict=False) if scales]
    space = config.patch_size * 2 ** sum(kind != "temporal" for kind in kinds)
    return Stride(config.patch_size_t * 2 ** sum(kind != "spatial" for kind in kinds), space, space)


def vidtok_stride(model: Model) -> Stride:
    """Two per level that is listed."""
    space = 2 ** len(model.encoder.spatial_ds)
    return Stride(model.temporal_compression_ratio, space, space)


def image_stride(model: Model) -> Stride:
    """Two per level, frame by frame."""
    levels = _first(model, "encoder_block_out_channels", "block_out_channels")
    space = 2 ** (len(levels) - 1)
    return Stride(1, space, space)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What must be known of a class.

    Attributes:
        normalised: where its latent statistics are: ``mean`` and deviation per channel, one ``factor`` for
            all channels, or ``no``: nowhere.
        frames: the lengths of clip that it takes.
        sides: the sizes of frame that it takes.
        stride: how its configuration tells the stride.
        tiles: whether it can work in spatial tiles; ``always`` means that it refuses to work without.
        axes: the axes of its input: clips, or frames by themselves.
        decodes_clips: whether frames that were encoded by themselves are decoded together.
        repeats_first: whether the first frame must be repeated in front, to fill its group.
        colours_last: whether decoded frames come before colours.
    """

    normalised: Literal["mean", "factor", "no"]
    frames: Callable[[Model, Stride], Lengths] = led
    sides: Callable[[Model, Stride], Sides] = multiples
    stride: Callable[[Model], Stride] = ratio_stride
    tiles: Literal["if asked", "always", "never"] = "if asked"
    axes: Literal["clip", "frame"] = "clip"
    decodes_clips: bool = False
    repeats_first: bool = False
    colours_last: bool = False


KNOWN: Mapping[str, Known] = MappingProxyType(
    {
        "AutoencoderKLWan": Known(normalised="mean"),
        "AutoencoderKLCosmos": Known(normalised="mean", tiles="never"),
        "AutoencoderKLHunyuanVideo": Known(normalised="factor"),
        "AutoencoderKLHunyuanVideo15": Known(normalised="factor"),
        "AutoencoderKLCogVideoX": Known(normalised="factor", frames=led_in_pairs),
        "AutoencoderKLLTXVideo": Known(normalised="mean", stride=ltx_stride),
        "AutoencoderKLLTX2Video": Known(normalised="mean", stride=ltx_stride, sides=two_multiples),
        "AutoencoderKLMochi": Known(normalised="mean"),
        "AutoencoderKLAllegro": Known(
            normalised="factor", frames=allegro_frames, sides=allegro_sides, tiles="always", colours_last=True
        ),
        "AutoencoderKLMagvit": Known(normalised="factor"),
        "AutoencoderKLKVAEVideo": Known(normalised="no", tiles="never"),
        "AutoencoderKLMiniMaxH3": Known(normalised="mean", frames=minimax_frames, sides=two_multiples),
        "AutoencoderVidTok": Known(
            normalised="no", frames=vidtok_frames, stride=vidtok_stride, repeats_first=True
        ),
        "AutoencoderKLQwenImage": Known(normalised="mean", stride=qwen_stride),
        "Kandinsky6SRVAE": Known(normalised="factor", tiles="never"),
        "AutoencoderKLTemporalDecoder": Known(
            normalised="factor",
            frames=any_length,
            stride=image_stride,
            tiles="never",
            axes="frame",
            decodes_clips=True,
        ),
        "AutoencoderKL": Known(normalised="factor", frames=any_length, stride=image_stride, axes="frame"),
        "AutoencoderTiny": Known(normalised="factor", frames=any_length, stride=image_stride, axes="frame"),
        "AutoencoderDC": Known(normalised="factor", frames=any_length, stride=image_stride, axes="frame"),
    }
)
"""Every class that can be opened."""


def latent_channels(model: Model) -> int:
    """Channels of a model's latent."""
    return int(_first(model, "latent_channels", "z_dim", "z_channels"))


def _first(model: Model, *names: str) -> Any:  # noqa: ANN401  whatever a configuration holds
    """The first of these that the model or its configuration has."""
    for name in names:
        value = vars(model).get(name, getattr(model.config, name, None))
        if value is not None:
            return value
    return None


def _tiled(model: Model, axis: int, stride: int) -> Lengths:
    """What Allegro's tiles cover exactly along an axis."""
    first, step = model.kernel[axis], model.stride[axis]
    return Lengths(first=first, step=step, positions=first // stride, positions_per_step=step // stride)
