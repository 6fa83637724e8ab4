"""Law 12 as a check: chance is a function of the seed and the place."""

import torch

from tubelet.testing.compare import check_close, check_equal
from tubelet.testing.subject import PartsSubject, size_of
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Video


def check_chance(
    tokenizer: ContinuousTokenizer, video: Video, *, steps: int, seed: int, tile: tuple[int, int]
) -> None:
    """Law 12: the same seed gives the same video, in one go, step by step, in tiles, sought, and in a batch.

    Args:
        tokenizer: a tokenizer of ours with a flow.
        video: what to encode.
        steps: of the flow.
        seed: of the noise.
        tile: rows and columns of cells of a tile.
    """
    refined, again = (tokenizer.refined(steps, seed=seed) for _ in range(2))
    subject, latents = PartsSubject(refined), refined.encode_parts(video)
    plain = PartsSubject(tokenizer.refined(0, seed=seed)).decode(latents, video)
    law = "12 (chance is a function of place)"
    check_equal(f"{law}, in no step", PartsSubject(tokenizer.refined(0)).decode(latents, video), plain)
    whole = subject.decode(latents, video)
    check_equal(f"{law}, again", PartsSubject(again).decode(latents, video), whole)
    streamed = subject.decode_in_runs(latents, video, [])
    check_close(f"{law}, in a stream", streamed, whole)
    count = subject.steps(latents)
    check_equal(f"{law}, step by step", subject.decode_in_runs(latents, video, list(range(count))), streamed)
    check_close(f"{law}, in tiles of {tile}", subject.decode_in_runs(latents, video, [], tile=tile), whole)
    first = max(0, count - 1 - subject.warm_up)
    late = subject.decoder(**size_of(video), first_step=first)
    sought = late.push(subject.cut(latents, first, count))
    last = refined.grouping.first_frame(count - 1)
    check_equal(
        f"{law}, sought", sought[:, :, sought.shape[2] - video.shape[2] + last :], streamed[:, :, last:]
    )
    # A clip that comes with another one; what stands beside it is not its place.
    both = {name: torch.cat([-latent, latent]) for name, latent in latents.items()}
    check_close(f"{law}, in a batch", subject.decode(both, video.repeat(2, 1, 1, 1, 1))[1:], whole)
