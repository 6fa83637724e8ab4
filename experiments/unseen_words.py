"""Whether a generator with a text encoder follows words that no caption of its training has.

    python experiments/unseen_words.py GENERATOR --text FOLDER [--count 64]

The prompts of `tubelet evaluate-generation`, as they are, with other words for all colours (*crimson*), and
with other words for all shapes (*disc*); seeds and scenes are the same. Captions of rendered scenes have none
of these words, so what is right of them the text encoder gave.
"""

import argparse
import re
from collections.abc import Iterator, Mapping

import numpy as np
import torch

from tubelet.data.scenes import Scene
from tubelet.generate.checkpoint import TextToVideo, read_generator
from tubelet.generate.evaluation.clip_sets import ClipSet
from tubelet.generate.evaluation.evaluate import (
    ATTRIBUTES,
    Checked,
    EvaluationOptions,
    check_clip_of,
    decoded_clips,
    prompts_of,
)
from tubelet.generate.kinds import sample

AT_ONCE = 16
COLOURS = {
    "red": "crimson", "yellow": "lemon", "green": "emerald", "cyan": "turquoise", "blue": "sapphire",
    "purple": "violet", "pink": "rosy", "white": "snowy",
}  # fmt: skip
SHAPES = {"circle": "disc", "square": "box", "triangle": "pyramid", "cross": "plus sign"}


def main() -> None:
    """Measure, and print what is right with each set of words."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("generator")
    parser.add_argument("--text", required=True, help="folder of the text encoder")
    parser.add_argument("--count", type=int, default=64)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = read_generator(arguments.generator, text=arguments.text)
    scenes = prompts_of(model, EvaluationOptions(count=arguments.count), "seen")
    for name, words in (("as in captions", {}), ("other colours", COLOURS), ("other shapes", SHAPES)):
        found = list(checked(model, scenes, words))
        shares = {each: float(np.mean([clip.right[each] for clip in found])) for each in ATTRIBUTES}
        print(name, *(f"{each} {share:.3f}" for each, share in shares.items()), sep="  ")


def checked(model: TextToVideo, scenes: list[Scene], words: Mapping[str, str]) -> Iterator[Checked]:
    """Clips of the captions of scenes, said in other words, against what they should show."""
    config = model.network.config
    for start in range(0, len(scenes), AT_ONCE):
        some = scenes[start : start + AT_ONCE]
        latent = sample(
            model.network,
            model.prompts.read([said(scene.caption, words) for scene in some]),
            seeds=list(range(start, start + len(some))),
            shape=(config.steps, config.rows, config.columns),
            sampling=None,
        )
        clips = ClipSet({})
        clips.add(decoded_clips(model, latent), fps=config.fps)
        for things, scene in zip(clips.parsed, some, strict=True):
            yield check_clip_of(things, scene.things)


def said(caption: str, words: Mapping[str, str]) -> str:
    """A caption in other words."""
    for word, other in words.items():
        caption = re.sub(rf"\b{word}\b", other, caption)
    return caption


if __name__ == "__main__":
    main()
