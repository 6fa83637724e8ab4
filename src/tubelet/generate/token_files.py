"""Files of tokens with captions as training data: what `tubelet tokenize --caption` wrote."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, final

from tubelet.codec.tokens.read import read_tokens
from tubelet.errors import OptionError
from tubelet.generate.captioned import CaptionedClip
from tubelet.generate.known_tokenizer import KnownTokenizer
from tubelet.generate.one_shape import NamedClip, of_one_shape
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.video.info import USUAL_RATE

_SUFFIXES = (".npz", ".parquet")


@final
class TokenFiles:
    """The clips of all ``.npz`` and ``.parquet`` files in a folder that have a caption.

    They are given in the shape under which most of them is used (see `of_one_shape`).

    Args:
        folder: of the files.

    Raises:
        OptionError: there are none.
    """

    def __init__(self, folder: Path) -> None:
        self._files = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES)
        if not self._files:
            raise OptionError(
                f"{folder} holds no {' or '.join(_SUFFIXES)} of tokens, and no data set; `tubelet tokenize "
                "CLIP -o FILE.npz --caption TEXT` writes the first, `tubelet encode-dataset` the other."
            )
        self._folder = folder

    def facts(self) -> dict[str, Any]:
        """The names and sizes of the files."""
        return {"files": {path.name: path.stat().st_size for path in self._files}}

    @property
    def fps(self) -> float:
        """Frames per second of the first clip that says it; 24 if none does."""
        rates = (clip.facts.fps for path in self._files for clip in read_tokens(path))
        return float(next((rate for rate in rates if rate is not None), USUAL_RATE))

    def __len__(self) -> int:
        """Clips with a caption."""
        return sum(clip.facts.caption is not None for path in self._files for clip in read_tokens(path))

    def encoded(self, known: KnownTokenizer) -> Iterator[CaptionedClip]:
        """The digits of each clip.

        Raises:
            OptionError: the tokenizer gives no tokens, or the files are by another one.
        """
        if not isinstance(known.tokenizer, DiscreteTokenizer):
            raise OptionError(
                f"{known.name} gives latents, and {self._folder} holds tokens; name the tokenizer that they "
                "were made with, by --tokenizer."
            )
        return of_one_shape(partial(self._captioned, known))

    def _captioned(self, known: KnownTokenizer) -> Iterator[NamedClip]:
        for path in self._files:
            for grid, facts in read_tokens(path):
                if facts.caption is None:
                    continue
                if facts.tokenizer_sha256 != known.sha256:
                    raise OptionError(
                        f"{path} was made with {facts.tokenizer}, another tokenizer than {known.name}; name "
                        "that one by --tokenizer."
                    )
                yield NamedClip(
                    f"{facts.source} of {path.name}", CaptionedClip(grid.digits[0], facts.caption)
                )
