"""A clip into a ``.tube`` file that keeps a budget, in one pass or in two."""

from fractions import Fraction
from itertools import chain
from typing import NamedTuple

import numpy as np

from tubelet.bitstream.chunk import Chunk
from tubelet.bitstream.container import header_to_bytes
from tubelet.codec.allocate import Allocated, WeighedLatent
from tubelet.codec.budget import Bitrate, Budget, ClipFacts, MeanChannels
from tubelet.codec.budget_sink import BudgetSink, FileCodings, FileSizes, bits_beside
from tubelet.codec.decided_part import DecidedPart, PartsOfStep, bits_beside_decided, joined
from tubelet.codec.open_clip import OpenClip
from tubelet.codec.pipeline import Encoded
from tubelet.codec.plan_budget import Planner, Shares, SizesAt
from tubelet.codec.report import TubeReport
from tubelet.codec.sinks import filled
from tubelet.codec.spending import ChunkFacts, Sizes
from tubelet.codec.symbols import LatentQuantizer
from tubelet.video.info import USUAL_RATE


def encode_within(
    clip: OpenClip, budget: Budget, *, channels: int | None, step: float, shares: Shares | None = None
) -> TubeReport:
    """Store what a budget allows, where it matters most.

    Args:
        clip: what is encoded.
        budget: what is asked for; not a `TargetPSNR`.
        channels: leading channels that a position may have; all by default.
        step: the quantiser's coarseness where the budget counts channels.
        shares: what `first_pass` found; none for one pass.
    """
    begun = _Begun.of(clip, budget, channels=channels, step=step)
    planner, tokenizer = begun.planner, clip.checkpoint.tokenizer
    if shares is None:
        decided = planner.one_pass(planner.opening(begun.opening, begun.facts, begun.sizes_at))
    else:
        decided = planner.two_pass(shares)
    quantizer = LatentQuantizer.of(tokenizer, clip.kept, step=decided.step)
    sink = BudgetSink(
        clip.sink(quantizer, planner.classes),
        decided.spending,
        tokenizer,
        time_base=clip.info.time_base,
        steps=planner.chunk_steps,
        halve_end=isinstance(budget, Bitrate),
    )
    with filled(sink) as put:
        for piece in chain(begun.pieces, clip.latents):
            put(piece)
    return sink.report()


def first_pass(clip: OpenClip, budget: Budget, *, channels: int | None, step: float) -> Shares:
    """Find what each chunk takes at one price for all, and write nothing; the rest as `encode_within`."""
    begun = _Begun.of(clip, budget, channels=channels, step=step)
    planner, waiting = begun.planner, begun.steps
    opening = planner.opening(begun.opening, begun.facts, begun.sizes_at)
    allocator = planner.at_one_price(opening, begun.opening, begun.facts, begun.sizes_at)
    costs: list[float] = []
    positions, frames = 0, sum(len(piece.timestamps) for piece in begun.pieces)
    for piece in chain(clip.latents, [None]):
        if piece is not None:
            waiting += begun.apart.steps(piece)
            frames += len(piece.timestamps)
        while len(waiting) >= planner.chunk_steps or (piece is None and waiting):
            taken, waiting = waiting[: planner.chunk_steps], waiting[planner.chunk_steps :]
            content = joined(taken)
            anyway = 0.0 if isinstance(budget, MeanChannels) else bits_beside_decided(taken)
            costs.append(anyway + float(allocator.allocate(*content).costs.sum()))
            positions += content.latent[0, 0].numel()
    facts = ChunkFacts(positions, frames, float(frames / _rate(clip)))
    return Shares(costs, planner.allowed(facts), opening)


def opening_step(clip: OpenClip, budget: Budget, *, channels: int | None) -> float:
    """How coarse the first chunk of a clip says that its file is to be; the rest as `encode_within`."""
    begun = _Begun.of(clip, budget, channels=channels, step=1.0)
    return begun.planner.one_pass(begun.planner.opening(begun.opening, begun.facts, begun.sizes_at)).step


class _Begun(NamedTuple):
    """The first chunk of a clip, and what plans the others.

    Attributes:
        planner: plans.
        apart: takes latents apart.
        pieces: what was taken of the clip so far.
        steps: all steps of these.
        first: all steps of the first chunk.
        facts: of the first chunk.
        sizes_at: what a file of the first chunk takes.
    """

    planner: Planner
    apart: DecidedPart
    pieces: list[Encoded]
    steps: list[PartsOfStep]
    first: list[PartsOfStep]
    facts: ChunkFacts
    sizes_at: SizesAt

    @classmethod
    def of(cls, clip: OpenClip, budget: Budget, *, channels: int | None, step: float) -> "_Begun":
        """Take the first chunk of a clip."""
        info, tokenizer = clip.info, clip.checkpoint.tokenizer
        facts = ClipFacts(height=info.height, width=info.width, rate=_rate(clip))
        planner = Planner(tokenizer, facts, budget, channels=channels, step=step)
        pieces: list[Encoded] = []
        apart, steps = DecidedPart(tokenizer), list[PartsOfStep]()
        for piece in clip.latents:
            pieces.append(piece)
            steps += apart.steps(piece)
            if len(steps) >= planner.chunk_steps:
                break
        first = steps[: planner.chunk_steps]
        times = np.concatenate([piece.timestamps for piece in pieces])
        times = times[: tokenizer.grouping.first_frame(len(first))]

        def chunk(done: Allocated) -> Chunk:
            parts = apart.parts(done, first)
            return Chunk(number=0, first_step=0, first_frame=0, timestamps=times, parts=parts)

        def sizes_at(step: float) -> Sizes:
            header = clip.header(LatentQuantizer.of(tokenizer, clip.kept, step=step), planner.classes)
            # Of a bitrate the first chunk alone pays for the header, and the step is that of all.
            once = isinstance(budget, Bitrate)
            beside = 0.0 if once else bits_beside(len(header_to_bytes(header)))
            return FileSizes(FileCodings.of(header), chunk, beside=beside)

        seconds = float(len(times) / facts.rate)
        positions = joined(first).latent[0, 0].numel()
        return cls(planner, apart, pieces, steps, first, ChunkFacts(positions, len(times), seconds), sizes_at)

    @property
    def opening(self) -> WeighedLatent:
        """What a budget decides of the first chunk."""
        return joined(self.first)


def _rate(clip: OpenClip) -> Fraction:
    """Frames per second."""
    return clip.info.average_rate or USUAL_RATE
