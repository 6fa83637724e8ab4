"""The questions that `rival_laws.py` asks the autoencoders of diffusers, in their own interface."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tubelet.errors import TubeletError
from tubelet.interop.frame_rules import Lengths
from tubelet.interop.known import KNOWN
from tubelet.interop.rivals import DiffusersTokenizer
from tubelet.testing import ROUNDING, LawBrokenError, check_any_clip, check_refuses_nan

WARM_UP = 36
"""Latent steps that a decoder may warm up on before it must be right."""

LENGTHS = range(1, 10)
"""Frames that every class is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How a class keeps a law.

    Attributes:
        kept: whether it does; none where it cannot be asked.
        difference: by how much it does not, in standard deviations.
        says: what happened, in words.
    """

    kept: bool | None
    difference: float | None = None
    says: str = ""

    @property
    def verdict(self) -> str:
        """A word, and by how much."""
        if self.kept is None:
            return "-"
        if self.kept:
            return "kept"
        return "broken" if self.difference is None else f"broken, {self.difference:.2g}"

    @property
    def tells(self) -> bool:
        """Whether there is more to say than the verdict."""
        return bool(self.says) and self.says != NO_INTERFACE.says


@dataclass(frozen=True, slots=True)
class Asked:
    """A class, and the clip that it is asked with.

    Attributes:
        tokenizer: the class behind our interface; its raw methods are those of the class itself.
        fresh: gives another one, for questions that may leave a model in disorder.
    """

    tokenizer: DiffusersTokenizer
    fresh: Callable[[], Any]

    def lengths(self, steps: int) -> int:
        """Frames of the clip that is the shortest one and so many steps."""
        rule = self.tokenizer.rules.frames
        return rule.first + steps * rule.step

    def clip(self, frames: int, *, cells: int = 2) -> Tensor:
        """Noise of a permitted length and size."""
        rows, columns = self.tokenizer.rules.rows, self.tokenizer.rules.columns
        stride = self.tokenizer.stride
        return noise(frames, rows.filled(cells * stride.h), columns.filled((cells + 1) * stride.w))


NO_INTERFACE = Finding(kept=None, says="no such interface")
"""The class cannot even be asked."""


def any_length(asked: Asked) -> Finding:
    """Clips of 1 to 9 frames, as its own `forward` treats them, at a size that it takes."""
    kept, changed, refused = [], [], []
    for frames in LENGTHS:
        video = asked.clip(frames)
        back = frames_back(asked, video)
        if back is None:
            refused.append(frames)
        elif back == frames:
            kept.append(frames)
        else:
            changed.append((frames, back))
    parts = [f"keeps {spans(kept)}"] if kept else []
    if changed:
        parts.append("changes " + ", ".join(f"{frames} to {back}" for frames, back in changed))
    if refused:
        parts.append(f"refuses {spans(refused)}")
    whole = len(kept) == len(LENGTHS)
    return Finding(kept=whole, says="" if whole else "; ".join(parts))


def any_size(asked: Asked) -> Finding:
    """A size that is one pixel more than a permitted one, and half a position more."""
    rows, columns = asked.tokenizer.rules.rows, asked.tokenizer.rules.columns
    stride = asked.tokenizer.stride
    frames = asked.tokenizer.rules.frames.filled(1)
    says = []
    for extra in sorted({1, stride.h // 2, stride.h - 1} - {0}):
        height, width = rows.filled(2 * stride.h) + extra, columns.filled(2 * stride.w) + extra
        back = size_back(asked, noise(frames, height, width))
        if back is None:
            says.append(f"refuses {height}x{width}")
        elif back != (height, width):
            says.append(f"{height}x{width} comes back as {back[0]}x{back[1]}")
    return Finding(kept=not says, says="; ".join(says))


def frames_back(asked: Asked, video: Tensor) -> int | None:
    """The number of frames that come back; none if it raises."""
    shape = shape_back(asked, video)
    return None if shape is None else shape[0]


def size_back(asked: Asked, video: Tensor) -> tuple[int, int] | None:
    """The size that comes back; none if it raises."""
    shape = shape_back(asked, video)
    return None if shape is None else shape[1:]


def shape_back(asked: Asked, video: Tensor) -> tuple[int, int, int] | None:
    """Frames, rows and columns of what the class's own `forward` gives; none if it raises."""
    model, known = asked.fresh(), KNOWN[asked.tokenizer.name]
    if known.tiles == "always":
        model.enable_tiling()
    try:
        if known.axes == "frame":
            frames = video[0].transpose(0, 1)
            more = {"num_frames": len(frames)} if known.decodes_clips else {}
            back = sample(model(frames, **more))
            return len(back), *back.shape[2:]
        # A decoder that can also remove noise is told that there is none.
        conditioned = getattr(model.config, "timestep_conditioning", False)
        back = sample(model(video, temb=torch.zeros(1)) if conditioned else model(video))
    except Exception:  # noqa: BLE001  whatever it raises, it refuses
        return None
    frames, height, width = back.transpose(1, 2).shape[2:] if known.colours_last else back.shape[2:]
    return frames, height, width


def sample(output: Any) -> Tensor:  # noqa: ANN401  every class has an output of its own
    """The pixels of what `forward` gave."""
    if isinstance(output, Tensor):
        return output
    return output[0] if isinstance(output, tuple) else output.sample


def pieces(rule: Lengths) -> tuple[int, int, int] | None:
    """A clip, its first piece, and where its second piece starts so that its length is permitted too.

    Where the first frame is special, the second piece begins one frame early, and its first latent step is
    left out: what users do who have no other interface. None where no two permitted lengths make a third.
    """
    whole, first = rule.first + 4 * rule.step, rule.first + 2 * rule.step
    start = first - 1 if rule.first == 1 and rule.step > 1 else first
    if rule.lost or rule.filled(whole - start) != whole - start:
        return None
    return whole, first, start


CANNOT_BE_CUT = Finding(kept=None, says="no two lengths that it takes make a third")
"""There are no pieces to ask with."""


def cut_encoding(asked: Asked) -> Finding:
    """Two pieces of permitted lengths against the whole."""
    tokenizer = asked.tokenizer
    cut = pieces(tokenizer.rules.frames)
    if cut is None:
        return CANNOT_BE_CUT
    whole, first, start = cut
    video = asked.clip(whole)
    parts = [
        tokenizer.encode_raw(video[:, :, :first]),
        tokenizer.encode_raw(video[:, :, start:])[:, :, first - start :],
    ]
    return compared(torch.cat(parts, dim=2), tokenizer.encode_raw(video))


def cut_decoding(asked: Asked) -> Finding:
    """The latent of a clip in two pieces against the whole."""
    tokenizer = asked.tokenizer
    cut = pieces(tokenizer.rules.frames)
    if cut is None:
        return CANNOT_BE_CUT
    whole, first, start = cut
    latent = tokenizer.encode_raw(asked.clip(whole))
    edge = tokenizer.rules.frames.latent(first)
    parts = [
        tokenizer.decode_raw(latent[:, :, :edge]),
        tokenizer.decode_raw(latent[:, :, edge - (first - start) :])[:, :, first - start :],
    ]
    return compared(torch.cat(parts, dim=2), tokenizer.decode_raw(latent))


def causality(asked: Asked) -> Finding:
    """The frames of the last latent step change; the steps before it must not."""
    tokenizer = asked.tokenizer
    rule, stride = tokenizer.rules.frames, tokenizer.stride
    if rule.lost:  # the last steps are dropped, so the last step of the second piece
        frames, changed, known = asked.lengths(1), 2 * rule.step - stride.t, 2 * rule.positions_per_step - 1
    else:
        frames = asked.lengths(2)
        changed, known = frames - stride.t, rule.latent(frames) - 1
    video = asked.clip(frames)
    other = video.clone()
    other[:, :, changed:] = -other[:, :, changed:]
    whole, altered = tokenizer.encode_raw(video), tokenizer.encode_raw(other)
    return compared(altered[:, :, :known], whole[:, :, :known], scale=whole)


def seek(asked: Asked) -> Finding:
    """Decode the last frames of two clips from the middle, after ever more steps of warming up."""
    rule = asked.tokenizer.rules.frames
    longest = WARM_UP // rule.positions_per_step
    worst, needed = Finding(kept=True, difference=0.0), 0
    for steps in (longest + 1, longest + 2):  # two, so that windows of a fixed length cannot fit both
        found, warm_up = sought(asked, steps=steps, longest=longest)
        needed = max(needed, warm_up)
        if (found.difference or 0) > (worst.difference or 0):
            worst = found
    group = rule.positions_per_step
    says = f"{'after' if worst.kept else 'even after'} {needed * group} steps of warm-up"
    if group > 1:
        says += f", in groups of {group}"
    return Finding(kept=worst.kept, difference=worst.difference, says=says)


def sought(asked: Asked, *, steps: int, longest: int) -> tuple[Finding, int]:
    """How well the last frames of a clip can be had, and how much warming up, and all above it, is enough."""
    tokenizer = asked.tokenizer
    rule, stride = tokenizer.rules.frames, tokenizer.stride
    cells = [tokenizer.rules.rows.latent(2 * stride.h), tokenizer.rules.columns.latent(3 * stride.w)]
    length = rule.positions + steps * rule.positions_per_step
    generator = torch.Generator().manual_seed(1)
    latent = torch.randn(1, tokenizer.channels, length, *cells, generator=generator)
    expected = tokenizer.decode_raw(latent)[:, :, -rule.step :]
    enough, best = longest, Finding(kept=False)
    for warm_up in (longest, *(2**power for power in range(5, -1, -1) if 2**power < longest)):
        start = (steps - warm_up) * rule.positions_per_step
        found = compared(tokenizer.decode_raw(latent[:, :, start:])[:, :, -rule.step :], expected)
        if warm_up == longest or found.kept:
            best, enough = found, warm_up
        if not found.kept:
            break
    return best, enough


def refuses_nan(asked: Asked) -> Finding:
    """A latent with one NaN must not become frames."""
    latent = asked.tokenizer.encode_raw(asked.clip(asked.lengths(2))).clone()
    latent[0, 0, 0, 0, 0] = torch.nan
    tokenizer = DiffusersTokenizer(asked.fresh(), decode_dtype=torch.float32)
    try:
        video = tokenizer.decode_raw(latent)
    except Exception:  # noqa: BLE001  whatever it raises, it refuses
        return Finding(kept=True)
    share = float((~video.isfinite()).float().mean())
    return Finding(kept=False, says=f"{share:.0%} of the pixels become NaN, unnoticed")


def after_refusal(asked: Asked) -> Finding:
    """What a class computes must not depend on what it refused before."""
    tokenizer = DiffusersTokenizer(asked.fresh(), decode_dtype=torch.float32)
    video = asked.clip(asked.lengths(1))
    expected = tokenizer.encode_raw(video)
    refused = []
    for frames in LENGTHS:
        try:
            tokenizer.decode_raw(tokenizer.encode_raw(asked.clip(frames)))
        except Exception:  # noqa: BLE001  whatever it raises, it refuses
            refused.append(frames)
    if not refused:
        return Finding(kept=None)
    try:
        return compared(tokenizer.encode_raw(video), expected)
    except Exception:  # noqa: BLE001
        return Finding(kept=False, says=f"refuses every clip after {spans(refused[:1])} frames")


def behind_ours(asked: Asked) -> Finding:
    """The same class behind `open_diffusers`, with clips that its rules forbid."""
    tokenizer = DiffusersTokenizer(asked.fresh(), decode_dtype=torch.float32)
    slow = tokenizer.rules.frames.first * tokenizer.rules.rows.first > 1000
    try:
        for frames in (2, 7) if slow else LENGTHS:
            check_any_clip(tokenizer, noise(frames, 33, 41))
            check_refuses_nan(tokenizer, noise(frames, 33, 41))
    except (LawBrokenError, TubeletError) as error:
        return Finding(kept=False, says=str(error))
    return Finding(kept=True)


def tiled_encoding(asked: Asked) -> Finding:
    """Encoding in tiles against the whole frame."""
    return tiled(asked, decoding=False)


def tiled_decoding(asked: Asked) -> Finding:
    """Decoding in tiles against the whole frame."""
    return tiled(asked, decoding=True)


def tiled(asked: Asked, *, decoding: bool) -> Finding:
    """Tiles of four latent positions that overlap, by its own `enable_tiling`, against the whole frame."""
    tokenizer, known = asked.tokenizer, KNOWN[asked.tokenizer.name]
    if known.tiles == "never":
        return NO_INTERFACE
    if known.tiles == "always":
        return Finding(kept=None, says="refuses to work without tiles")
    video = asked.clip(asked.lengths(1), cells=8)
    latent = tokenizer.encode_raw(video)
    expected = tokenizer.decode_raw(latent) if decoding else latent
    with small_tiles(tokenizer):
        try:
            found = tokenizer.decode_raw(latent) if decoding else tokenizer.encode_raw(video)
        except Exception as error:  # noqa: BLE001  whatever it raises, it refuses
            return Finding(kept=False, says=f"raises {type(error).__name__}")
    return compared(found, expected)


@contextmanager
def small_tiles(tokenizer: DiffusersTokenizer) -> Iterator[None]:
    """Let a model work in tiles of four latent positions that overlap by one or two."""
    model, name, side = tokenizer.model, tokenizer.name, 4 * tokenizer.stride.h
    tile, kept = {"tile_sample_min_height": side, "tile_sample_min_width": side}, side * 3 // 4
    step = {"tile_sample_stride_height": kept, "tile_sample_stride_width": kept}
    overlap = {"tile_sample_min_overlap_height": side // 4, "tile_sample_min_overlap_width": side // 4}
    sizes: Mapping[str, Mapping[str, Any]] = {
        "AutoencoderKLHunyuanVideo15": tile | {"tile_latent_min_height": 4, "tile_latent_min_width": 4},
        "AutoencoderKLCogVideoX": tile
        | {"tile_overlap_factor_height": 0.25, "tile_overlap_factor_width": 0.25},
        "AutoencoderVidTok": tile | {"tile_overlap_factor_height": 0.25, "tile_overlap_factor_width": 0.25},
        "AutoencoderKLMiniMaxH3": tile | overlap,
        "AutoencoderKL": {},
        "AutoencoderTiny": {},
    }
    if name in ("AutoencoderKL", "AutoencoderTiny"):
        model.tile_sample_min_size, model.tile_latent_min_size = side, 4
    model.enable_tiling(**sizes.get(name, tile | step))
    try:
        yield
    finally:
        model.disable_tiling()
        if name == "AutoencoderKLMagvit":  # leaves on what it switched on
            model.use_framewise_encoding = model.use_framewise_decoding = False


def compared(found: Tensor, expected: Tensor, *, scale: Tensor | None = None) -> Finding:
    """The largest difference in standard deviations of `expected`, or of `scale`."""
    whole = expected if scale is None else scale
    if found.shape != expected.shape:
        return Finding(kept=False, says=f"{tuple(found.shape)} instead of {tuple(expected.shape)}")
    largest = float((found - expected).abs().max())
    allowed = ROUNDING[torch.float32] * max(1.0, float(whole.abs().max()))
    return Finding(kept=largest <= allowed, difference=largest / float(whole.std()))


def noise(frames: int, height: int, width: int) -> Tensor:
    """A clip that no network can know."""
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.rand(1, 3, frames, height, width, generator=generator) - 1


def spans(numbers: list[int]) -> str:
    """Numbers as people write them: 1, 3 to 5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
