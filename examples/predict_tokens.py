"""Train a tiny causal transformer to predict the tokens of video, and compare it with knowing no context.

    python examples/predict_tokens.py                  a clip made from photographs that scikit-image carries
    python examples/predict_tokens.py FOLDER           the videos of a folder, tokenized on the spot
    python examples/predict_tokens.py TABLE.parquet    tokens that `tubelet tokenize` wrote

It reads windows of 4 x 8 x 8 positions in raster order from all columns of the clips but the last fifth, and
is measured on that fifth, which it never saw. What it must get below is the entropy of exactly those tokens:
without context nothing predicts them for less, not even who knows how often each occurs. The exit code says
whether it did: 0 or 1.

Few tokens leave most of 64,000 values unseen: a softmax over that codebook would learn little but which ones
occur. An FSQ token is several digits, one per channel of the latent, and each of these occurs thousands of
times. So it is predicted digit by digit, each by a small head that knows the digits before it; by the chain
rule the sum of their losses is the token's. Where a token is one digit (VQ) or the codebook is small, this is
the usual softmax. A model that also reads text takes ids: `tubelet.tokenizers.vocabulary.Vocabulary`.
"""

import argparse
import math
import time
from collections.abc import Iterator
from math import prod
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

import tubelet
from tubelet.checkpoint import load_discrete
from tubelet.codec.tokens.table import TokenTable
from tubelet.data.clips import find_clips
from tubelet.data.photographs import moving_photographs
from tubelet.metrics.usage import DigitUsage
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.token_grid import TokenGrid
from tubelet.types import Frames

SMALL = 1024  # a codebook of at most so many values is predicted as one number, whatever digits it has
WINDOW = (4, 8, 8)


class Predictor(nn.Module):
    """What comes next, from everything before: digits in, the loss of each position in nats out."""

    def __init__(self, bases: list[int], window: tuple[int, ...], *, width: int, layers: int) -> None:
        super().__init__()
        self.digits = nn.ModuleList(nn.Embedding(base, width) for base in bases)
        self.begin = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.zeros(prod(window), width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        heads = [[nn.RMSNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, b)] for b in bases]
        self.heads = nn.ModuleList(nn.Sequential(*head) for head in heads)

    def forward(self, digits: Tensor) -> Tensor:
        """Digits of windows, ``b n d`` in raster order, to their losses ``b n``."""
        known = [embed(digits[..., index]) for index, embed in enumerate(self.digits)]
        before = torch.stack(known).sum(dim=0)[:, :-1]
        x = torch.cat([self.begin.expand(len(digits), 1, -1), before], dim=1) + self.places
        for block in self.blocks:
            x = block(x)
        losses = torch.zeros(digits.shape[:2])
        for index, head in enumerate(self.heads):
            logits = rearrange(head(x), "b n v -> b v n")
            losses = losses + F.cross_entropy(logits, digits[..., index], reduction="none")
            x = x + known[index]  # the next head knows this digit
        return losses


class Block(nn.Module):
    """Attention to what came before, then a small network at each place, both on normed inputs."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = [nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width)]
        self.ask = nn.Sequential(nn.RMSNorm(width), nn.Linear(width, 3 * width))
        self.mix, self.think = nn.Linear(width, width), nn.Sequential(nn.RMSNorm(width), *wide)

    def forward(self, x: Tensor) -> Tensor:
        """Add what is found to what was there."""
        q, k, v = rearrange(self.ask(x), "b n (three heads c) -> three b heads n c", three=3, heads=4)
        found = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.mix(rearrange(found, "b heads n c -> b n (heads c)"))
        return x + self.think(x)


def read_grids(source: Path | None, tokenizer: str, frames: int) -> list[TokenGrid]:
    """Tokens from a table, or of the videos of a folder, or of the built-in clip."""
    if source is not None and source.suffix == ".parquet":
        with TokenTable(source) as table:
            return [clip.grid for clip in table]
    made = load_discrete(tokenizer)
    if source is None:
        return [tokenize(made, (each[None] for each in moving_photographs(frames, height=360, width=640)))]
    clips = (tubelet.read(clip, stop=frames) for clip in find_clips(source))
    return [tokenize(made, (run.frames for run in clip)) for clip in clips]


def tokenize(tokenizer: DiscreteTokenizer, runs: Iterator[Frames]) -> TokenGrid:
    """The tokens of a clip that comes in runs of frames."""
    stream, digits, frames, size = tokenizer.stream_encoder(), [], 0, (0, 0)
    for run in runs:
        digits.append(stream.push_frames(run))
        frames, size = frames + len(run), run.shape[1:3]
    digits = torch.cat([part for part in [*digits, stream.finish()] if part.shape[2]], dim=2)
    kind = {"bases": tokenizer.bases, "stride": tokenizer.stride, "lead_frame": tokenizer.lead_frame}
    return TokenGrid(digits=digits, frames=frames, height=size[0], width=size[1], **kind)


def windows(digits: Tensor, sides: tuple[int, ...], apart: tuple[int, ...]) -> Tensor:
    """All windows of a clip, so many positions apart: ``d t h w`` to ``d windows... t h w``; no copy."""
    for axis, (side, step) in enumerate(zip(sides, apart, strict=True), start=1):
        digits = digits.unfold(axis, side, step)
    return digits


def draw(seen: list[Tensor], count: int, generator: torch.Generator) -> Tensor:
    """Random windows, each of all clips as likely as any."""
    sizes = torch.tensor([float(prod(clip.shape[1:4])) for clip in seen])
    drawn = []
    for index in torch.multinomial(sizes, count, replacement=True, generator=generator).tolist():
        t, h, w = (int(torch.randint(free, (), generator=generator)) for free in seen[index].shape[1:4])
        drawn.append(rearrange(seen[index][:, t, h, w], "d t h w -> (t h w) d"))
    return torch.stack(drawn)


def train(model: Predictor, seen: list[Tensor], held: Tensor, options: argparse.Namespace) -> float:
    """Train and print; give the last loss on the windows held out, in nats per position."""
    generator = torch.Generator().manual_seed(options.seed)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.05)
    begun, loss, every = time.perf_counter(), math.nan, max(1, options.steps // 6)
    for step in range(options.steps + 1):
        if step % every == 0 or step == options.steps:
            with torch.no_grad():
                loss = float(torch.cat([model(part) for part in held.split(16)]).mean())
            seconds = time.perf_counter() - begun
            print(f"step {step:4}   held out {loss:7.3f} nats   {seconds:6.1f} s", flush=True)
        rise, fall = (step + 1) / 20, math.cos(step / (options.steps + 1) * math.pi / 2)
        optimizer.param_groups[0]["lr"] = options.rate * min(rise, fall)
        model.zero_grad()
        model(draw(seen, options.batch, generator)).mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return loss


def main(arguments: list[str] | None = None) -> int:
    """Read tokens, train, compare; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, nargs="?", help="a .parquet table, or a folder of videos")
    parser.add_argument("--tokenizer", default="tubelet-fsq", help="a discrete one (default: %(default)s)")
    usual = {"frames": 97, "steps": 300, "batch": 16, "rate": 3e-3, "width": 96, "layers": 3, "seed": 0}
    for name, value in usual.items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    grids = read_grids(options.source, options.tokenizer, options.frames)
    wide = [grid for grid in grids if grid.cells[1] >= WINDOW[1] and grid.cells[2] >= 2 * WINDOW[2]]
    if len({grid.bases for grid in wide}) != 1:
        parser.error("give clips of one codebook, and at least one of 8 rows and 16 columns of positions.")
    small = max(wide[0].codebook_sizes) <= SMALL
    bases = list(wide[0].codebook_sizes) if small else [base for token in wide[0].bases for base in token]
    clips = [(grid.tokens if small else grid.digits)[0].long() for grid in wide]
    sides = (min(WINDOW[0], *(clip.shape[1] for clip in clips)), *WINDOW[1:])
    edges = [clip.shape[3] - max(sides[2], clip.shape[3] // 5) for clip in clips]
    seen = [windows(clip[..., :edge], sides, (1, 1, 1)) for clip, edge in zip(clips, edges, strict=True)]
    held = [windows(clip[..., edge:], sides, sides) for clip, edge in zip(clips, edges, strict=True)]
    held = torch.cat([rearrange(each, "d a b c t h w -> (a b c) (t h w) d") for each in held])
    usage = DigitUsage((tuple(bases),))
    usage.update(rearrange(held, "b n d -> b d n 1 1"))
    figures = usage.compute().joint
    entropy, nominal = figures.entropy * math.log(2), sum(map(math.log, bases))
    print(f"held out: {figures.count} positions, {figures.used} values of {figures.size}")
    print(f"their unigram entropy: {entropy:.3f} nats ({figures.entropy:.3f} bits) of {nominal:.3f} nats")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(options.seed)
        model = Predictor(bases, sides, width=options.width, layers=options.layers)
    loss = train(model, seen, held, options)
    print(f"with context: {loss:.3f} nats, {'' if loss < entropy else 'NOT '}below the unigram entropy")
    return 0 if loss < entropy else 1


if __name__ == "__main__":
    raise SystemExit(main())
