"""The laws as checks, each a function of its own, so that a test can draw the clips, the cuts and the tiles.

*Float rounding* is 1e-12 in float64 and 2e-5 in float32, on values in [-1, 1]; larger values count in units
of the largest.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch

from tubelet.errors import LatentError
from tubelet.models.protocol import GenerativeModel
from tubelet.testing.chance import check_chance
from tubelet.testing.compare import LawBrokenError, check_close, check_equal
from tubelet.testing.subject import AnyTokenizer, PartsSubject, size_of, subject_of
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.parts import joined
from tubelet.tokenizers.posterior import Posterior
from tubelet.tokenizers.streams.state import StreamState
from tubelet.types import Known, Video


def check_tokenizer(tokenizer: AnyTokenizer, *, generator: torch.Generator, clips: int = 3) -> None:
    """Check every law of `LAWS`, on random clips, cuts and tiles.

    Args:
        tokenizer: the tokenizer, in evaluation mode.
        generator: source of the random choices.
        clips: how many clips to try.

    Raises:
        LawBrokenError: the tokenizer breaks a law.
    """
    draw, stride = Draw(generator), tokenizer.stride
    with torch.no_grad():
        for _ in range(clips):
            frames, height, width = draw(1, 5 * stride.t + 2), draw(1, 70), draw(1, 70)
            noise = torch.rand(1, 3, frames, height, width, generator=generator, dtype=tokenizer.dtype)
            for law in LAWS:
                law.check(tokenizer, 2 * noise - 1, draw)


def check_cut_anywhere(tokenizer: AnyTokenizer, video: Video, *, cuts: Sequence[int]) -> None:
    """Law 1: pieces of any lengths give what one go gives: streams bit for bit, the whole within rounding."""
    subject = subject_of(tokenizer)
    latents = subject.encode_in_runs(video, [])
    check_equal("1 (cut anywhere), encoding", subject.encode_in_runs(video, cuts), latents)
    check_close("1 (cut anywhere), encoding whole", subject.encode(video), latents)
    decoded = subject.decode_in_runs(latents, video, [])
    step_cuts = [cut * subject.steps(latents) // max(video.shape[2], 1) for cut in cuts]
    check_equal("1 (cut anywhere), decoding", subject.decode_in_runs(latents, video, step_cuts), decoded)
    check_close("1 (cut anywhere), decoding whole", subject.decode(latents, video), decoded)


def check_tile_anywhere(tokenizer: AnyTokenizer, video: Video, *, tile: tuple[int, int]) -> None:
    """Law 2: tiles of any size give what the whole frame gives, within float rounding."""
    subject = subject_of(tokenizer)
    latents = subject.encode(video)
    tiled = subject.encode_in_runs(video, [], tile=tile)
    check_close(f"2 (tile anywhere), encoding in tiles of {tile}", tiled, latents)
    decoded = subject.decode(latents, video)
    tiled = subject.decode_in_runs(latents, video, [], tile=tile)
    check_close(f"2 (tile anywhere), decoding in tiles of {tile}", tiled, decoded)


def check_causality(tokenizer: AnyTokenizer, video: Video, *, changed: int) -> None:
    """Law 3: frames from `changed` on leave every latent step that ends before it as it was."""
    subject = subject_of(tokenizer)
    other = video.clone()
    other[:, :, changed:] = -other[:, :, changed:]
    past = subject.encode_in_runs(video[:, :, :changed], []) if changed else None
    whole, altered = (subject.encode_in_runs(clip, []) for clip in (video, other))
    begun = subject.of_stream(subject.encoder().push(video[:, :, :changed])) if changed else {}
    for name, run in begun.items():
        steps = run.shape[2]
        check_equal("3 (causality)", altered[name][:, :, :steps], whole[name][:, :, :steps])
        if past is not None:
            law = "3 (causality), of a clip that ends there"
            check_equal(law, past[name][:, :, :steps], whole[name][:, :, :steps])


def check_any_clip(tokenizer: AnyTokenizer, video: Video) -> None:
    """Law 4: any length and size comes back with exactly its length and size."""
    subject = subject_of(tokenizer)
    decoded = subject.decode(subject.encode(video), video)
    if decoded.shape != video.shape or not decoded.isfinite().all():
        raise LawBrokenError(
            f"law 4 (any clip): {tuple(video.shape)} came back as {tuple(decoded.shape)}, "
            f"{int((~decoded.isfinite()).sum())} values of it not finite"
        )


def check_state_is_bounded(tokenizer: AnyTokenizer, video: Video) -> None:
    """Law 5, as far as it shows in a stream: what it remembers does not grow with the clip."""
    subject = subject_of(tokenizer)
    sizes: list[int] = []
    stream = subject.encoder()
    for _ in range(3):
        for _ in range(subject.stride.t):
            stream.push(video[:, :, :1])
        tensors = stream.state().to_tensors().values()
        sizes.append(sum(tensor.numel() * tensor.element_size() for tensor in tensors))
    if sizes[2] > sizes[1]:
        raise LawBrokenError(f"law 5 (bounded memory): the state grew from {sizes[1]} to {sizes[2]} bytes")


def check_seek_anywhere(tokenizer: AnyTokenizer, video: Video) -> None:
    """Law 6: decoding from any latent step, after warming up, gives the frames of a full decode."""
    subject = subject_of(tokenizer)
    latents = subject.encode_in_runs(video, [])
    full = subject.decode_in_runs(latents, video, [])
    given = 0
    decoder = subject.decoder(**size_of(video))
    for step in range(subject.steps(latents)):
        frames = decoder.push(subject.to_stream(subject.cut(latents, step, step + 1))).shape[2]
        first = max(0, step - subject.warm_up)
        late = subject.decoder(**size_of(video), first_step=first)
        sought = late.push(subject.to_stream(subject.cut(latents, first, step + 1)))
        sought = sought[:, :, sought.shape[2] - frames :]
        check_equal(f"6 (seek anywhere), from step {step}", sought, full[:, :, given : given + frames])
        given += frames


def check_prefixes(tokenizer: AnyTokenizer, video: Video, *, channels: int) -> None:
    """Law 7: the first channels of a part are that part with so many channels, and decode.

    Args:
        tokenizer: the tokenizer.
        video: what to encode.
        channels: of every part that has more.
    """
    subject = subject_of(tokenizer)
    kept = {name: min(channels, most) for name, most in subject.channels.items()}
    latents, prefixes = subject.encode(video), subject.encode(video, kept)
    expected = {name: latent[:, : kept[name]] for name, latent in latents.items()}
    check_equal(f"7 (prefixes), {channels} channels", prefixes, expected)
    decoded = subject.decode(prefixes, video)
    if decoded.shape != video.shape or not decoded.isfinite().all():
        raise LawBrokenError(f"law 7 (prefixes): {channels} channels do not decode to {tuple(video.shape)}")


def check_resuming(tokenizer: AnyTokenizer, video: Video, *, cut: int) -> None:
    """Laws 1 and 8: a stream taken up from its stored state goes on as if it had not stopped."""
    subject = subject_of(tokenizer)
    whole = subject.encode_in_runs(video, [])
    stream = subject.encoder()
    before = stream.push(video[:, :, :cut])
    stored = StreamState.from_tensors(stream.state().to_tensors())
    resumed = subject.encoder(state=stored)
    runs = [before, resumed.push(video[:, :, cut:]), resumed.finish()]
    check_equal("1 (cut anywhere), resumed encoding", joined([subject.of_stream(run) for run in runs]), whole)
    steps = subject.steps(whole)
    half = max(1, steps // 2)
    full = subject.decode_in_runs(whole, video, [])
    decoder = subject.decoder(**size_of(video))
    begun = decoder.push(subject.to_stream(subject.cut(whole, 0, half)))
    stored = StreamState.from_tensors(decoder.state().to_tensors())
    rest = subject.to_stream(subject.cut(whole, half, steps))
    ended = subject.decoder(**size_of(video), state=stored).push(rest)
    check_equal("1 (cut anywhere), resumed decoding", torch.cat([begun, ended], dim=2), full)


def check_refuses_nan(tokenizer: AnyTokenizer, video: Video) -> None:
    """Law 8: damage is noticed and named; a latent with NaN does not become frames."""
    subject = subject_of(tokenizer)
    latents = {name: latent.clone() for name, latent in subject.encode(video).items()}
    for name in latents:
        damaged = latents[name].clone()
        damaged[0, 0, 0, 0, 0] = torch.nan
        try:
            subject.decode(latents | {name: damaged}, video)
        except LatentError:
            continue
        raise LawBrokenError(
            f"law 8 (numbers only): part {name!r} with NaN was decoded; it must raise LatentError"
        )


def check_counts(
    tokenizer: ContinuousTokenizer, video: Video, *, known: Known, tile: tuple[int, int]
) -> None:
    """Laws 1, 2 and 6 where positions have channels of their own: streams, tiles and seeks give the whole.

    Args:
        tokenizer: a tokenizer of ours.
        video: what to encode.
        known: how many channels each position of each part has.
        tile: rows and columns of cells of a tile.
    """
    latents, size = tokenizer.encode_parts(video), size_of(video)
    subject = PartsSubject(tokenizer)
    whole = subject.decode(latents, video, known)
    streamed = subject.decoder(**size).push(latents, counts=known)
    check_close("1 (cut anywhere), decoding with counts", streamed, whole)
    tiled = subject.decoder(**size, tile=tile).push(latents, counts=known)
    check_close(f"2 (tile anywhere), decoding with counts in tiles of {tile}", tiled, whole)
    decoder = subject.decoder(**size)
    runs = [
        decoder.push(subject.cut(latents, step, step + 1), counts=subject.cut(known, step, step + 1))
        for step in range(subject.steps(latents))
    ]
    check_equal("1 (cut anywhere), decoding with counts step by step", torch.cat(runs, dim=2), streamed)


def check_ahead(
    tokenizer: ContinuousTokenizer, video: Video, *, steps: int, cut: int, tile: tuple[int, int]
) -> None:
    """Laws 1, 2 and 8 for steps that are predicted: streams, tiles and stored states give those of the whole.

    Args:
        tokenizer: a tokenizer of ours that predicts.
        video: what to encode; its first full steps are.
        steps: how many to predict.
        cut: after how many of them the stream is stored and taken up again, 0 to `steps`.
        tile: rows and columns of cells of a tile.
    """
    grouping = tokenizer.grouping
    full = grouping.first_frame(max(1, grouping.steps(video.shape[2]) - 1))
    video = video[:, :, : min(full, video.shape[2])]
    video = torch.cat([video, video[:, :, -1:].expand(-1, -1, full - video.shape[2], -1, -1)], dim=2)
    latents, size, subject = tokenizer.encode_parts(video), size_of(video), PartsSubject(tokenizer)
    height, width = video.shape[3:]
    whole = tokenizer.decode_parts(latents, frames=full, height=height, width=width, ahead=steps)

    def streamed(cuts: Sequence[int], tile: tuple[int, int] | None = None) -> Video:
        stream = subject.decoder(**size, tile=tile)
        runs = [stream.push(latents)]
        for first, last in pairwise([0, *cuts, steps]):
            stored = StreamState.from_tensors(stream.state().to_tensors())
            stream = subject.decoder(**size, state=stored)
            if last > first:
                runs.append(stream.push_ahead(last - first))
        return torch.cat(runs, dim=2)

    once = streamed([])
    check_close("1 (cut anywhere), predicting", once, whole)
    check_equal("1 (cut anywhere), predicting in runs", streamed([cut]), once)
    check_close(f"2 (tile anywhere), predicting in tiles of {tile}", streamed([], tile), whole)
    known = subject.decoder(**size).push(latents)
    check_equal("3 (causality), of frames before those that are predicted", once[:, :, :full], known)


def check_posterior(tokenizer: ContinuousTokenizer, video: Video, *, cut: int, tile: tuple[int, int]) -> None:
    """Laws 1 and 2 for the distribution of a latent: streams and tiles give that of the whole clip.

    Args:
        tokenizer: a tokenizer of ours that gives one.
        video: what to encode.
        cut: a frame at which the stream is cut.
        tile: rows and columns of cells of a tile.
    """
    whole = tokenizer.posterior(video)

    def streamed(cuts: Sequence[int], tile: tuple[int, int] | None = None) -> Posterior:
        stream = tokenizer.stream_posterior(tile=tile)
        edges = [0, *cuts, video.shape[2]]
        runs = [stream.push(video[:, :, a:b]) for a, b in pairwise(edges)]
        return Posterior.joined([*runs, stream.finish()])

    once = streamed([])
    for name in ("mean", "log_variance"):
        expected = getattr(once, name)
        check_equal(f"1 (cut anywhere), {name} of the posterior", getattr(streamed([cut]), name), expected)
        check_close(f"1 (cut anywhere), {name} of the posterior, whole", getattr(whole, name), expected)
        check_close(
            f"2 (tile anywhere), {name} of the posterior", getattr(streamed([], tile), name), expected
        )


def check_ready_to_use(tokenizer: AnyTokenizer, clips: Sequence[Video], *, within: float) -> None:
    """Law 10: over typical clips each channel has zero mean and unit variance, within a factor and a share.

    Args:
        tokenizer: the tokenizer.
        clips: typical clips, such as those that it was fitted to.
        within: how far a mean may be from 0 and a standard deviation from 1.
    """
    subject = subject_of(tokenizer)
    encoded = [subject.encode(clip) for clip in clips]
    for name in subject.channels:
        values = torch.cat([latents[name].transpose(0, 1).flatten(1) for latents in encoded], dim=1)
        mean, deviation = values.mean(dim=1), values.std(dim=1)
        worst = max(float(mean.abs().max()), float((deviation - 1).abs().max()))
        if not worst <= within:
            raise LawBrokenError(
                f"law 10 (ready to use): means of part {name!r} lie in [{mean.min():.3f}, {mean.max():.3f}] "
                f"and deviations in [{deviation.min():.3f}, {deviation.max():.3f}]; allowed is {within} from "
                "0 and 1"
            )


class Draw:
    """Random whole numbers."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def __call__(self, low: int, high: int) -> int:
        """One from `low` to `high`, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def tile(self) -> tuple[int, int]:
        """Rows and columns of a tile."""
        return self(1, 4), self(1, 4)


class Law(NamedTuple):
    """A law, as it is tried on a clip.

    Attributes:
        number: of the design's list.
        name: in two or three words.
        check: raises `LawBrokenError`; does nothing where a tokenizer has nothing that the law is about.
    """

    number: int
    name: str
    check: Callable[[AnyTokenizer, Video, Draw], None]


def _cuts(tokenizer: AnyTokenizer, video: Video, draw: Draw) -> None:
    frames = video.shape[2]
    check_cut_anywhere(tokenizer, video, cuts=[draw(0, frames) for _ in range(3)])
    check_resuming(tokenizer, video, cut=draw(1, frames))


def _counts(tokenizer: AnyTokenizer, video: Video, draw: Draw) -> None:
    if isinstance(tokenizer, ContinuousTokenizer):
        known = {
            name: torch.randint(
                0, latent.shape[1] + 1, (1, 1, *latent.shape[2:]), generator=draw.generator
            ).to(latent.device)
            for name, latent in tokenizer.encode_parts(video).items()
        }
        check_counts(tokenizer, video, known=known, tile=draw.tile())


def _ahead(tokenizer: AnyTokenizer, video: Video, draw: Draw) -> None:
    if isinstance(tokenizer, ContinuousTokenizer) and tokenizer.ahead:
        steps = draw(1, tokenizer.ahead + 2)
        check_ahead(tokenizer, video, steps=steps, cut=draw(0, steps), tile=draw.tile())


def _posterior(tokenizer: AnyTokenizer, video: Video, draw: Draw) -> None:
    if isinstance(tokenizer, ContinuousTokenizer) and tokenizer.variational:
        check_posterior(tokenizer, video, cut=draw(0, video.shape[2]), tile=draw.tile())


def _chance(tokenizer: AnyTokenizer, video: Video, draw: Draw) -> None:
    if isinstance(tokenizer, ContinuousTokenizer) and isinstance(tokenizer.model, GenerativeModel):
        check_chance(tokenizer, video, steps=draw(1, 3), seed=draw(0, 99), tile=draw.tile())


def _prefixes(tokenizer: AnyTokenizer, video: Video, draw: Draw) -> None:
    most = max(subject_of(tokenizer).channels.values())
    check_prefixes(tokenizer, video, channels=draw(1, most))


LAWS: tuple[Law, ...] = (
    Law(1, "cut anywhere", _cuts),
    Law(1, "cut anywhere, with counts", _counts),
    Law(1, "cut anywhere, distributions", _posterior),
    Law(1, "cut anywhere, predictions", _ahead),
    Law(2, "tile anywhere", lambda t, video, draw: check_tile_anywhere(t, video, tile=draw.tile())),
    Law(
        3, "causality", lambda t, video, draw: check_causality(t, video, changed=draw(0, video.shape[2] - 1))
    ),
    Law(4, "any clip", lambda t, video, _: check_any_clip(t, video)),
    Law(5, "bounded memory", lambda t, video, _: check_state_is_bounded(t, video)),
    Law(6, "seek anywhere", lambda t, video, _: check_seek_anywhere(t, video)),
    Law(7, "prefixes", _prefixes),
    Law(8, "numbers only", lambda t, video, _: check_refuses_nan(t, video)),
    Law(12, "chance is a function of place", _chance),
)
"""Every law that a process can check on any clip. Law 9 is about files, law 10 about typical clips
(`check_ready_to_use`), and law 11 about budgets."""
