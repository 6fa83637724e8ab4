"""Data sets of latents or tokens as training data: what `tubelet encode-dataset` wrote, with captions."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, final

from tubelet.data.latent_dataset import LatentDataset
from tubelet.data.shards.description import DESCRIPTION, needed_index
from tubelet.errors import OptionError
from tubelet.generate.captioned import CaptionedClip
from tubelet.generate.known_tokenizer import KnownTokenizer
from tubelet.generate.one_shape import NamedClip, of_one_shape
from tubelet.video.info import USUAL_RATE


def is_data_set(folder: Path) -> bool:
    """Whether a folder holds a data set, rather than files of tokens."""
    return (folder / DESCRIPTION).is_file()


@final
class DataSetClips:
    """The clips of a data set that have a caption.

    They are given in the shape under which most of them is used (see `of_one_shape`).

    Args:
        folder: of the data set.

    Raises:
        DatasetError: it holds no data set of latents or tokens, or a shard is missing.
        OptionError: the data set is one of ``.tube`` files, or was encoded with a budget.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clips = LatentDataset(folder, shuffle=False, rank=0, world=1)
        if "budget" in self._clips.description.settings:
            raise OptionError(
                f"{folder} was encoded with a budget, and a generator makes all channels of each position. "
                "Encode it with --channels instead."
            )

    def facts(self) -> dict[str, Any]:
        """The digests of its shards."""
        description = self._clips.description
        numbers = range(description.shards)
        return {"shards": [needed_index(self._folder, description, number).sha256 for number in numbers]}

    @property
    def fps(self) -> float:
        """Frames per second of the first clip that says it; 24 if none does."""
        rates = (facts.get("fps") for batch in self._clips for facts in batch.facts)
        return float(Fraction(next(filter(None, rates), USUAL_RATE)))

    def __len__(self) -> int:
        """All clips, those without a caption too."""
        return self._clips.clips

    def encoded(self, known: KnownTokenizer) -> Iterator[CaptionedClip]:
        """The clips with a caption, as they are stored.

        Raises:
            OptionError: the data set was made with another tokenizer.
        """
        made_with = self._clips.description.tokenizer
        if made_with["sha256"] != known.sha256:
            raise OptionError(
                f"{self._folder} was made with {made_with['name']}, another tokenizer than {known.name}; "
                "name that one by --tokenizer."
            )
        return of_one_shape(self._captioned)

    def _captioned(self) -> Iterator[NamedClip]:
        for batch in self._clips:
            (caption,), (key,) = batch.captions, batch.keys
            if caption:
                encoded = batch.arrays["tokens" if "tokens" in batch.arrays else "latent"][0]
                yield NamedClip(f"clip {key:.12} of {self._folder}", CaptionedClip(encoded, caption))
