"""Prompts as numbers: a vocabulary that is built in, so that nothing is downloaded."""

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor

from tubelet.errors import OptionError, TubeletWarning

NO_WORD = 0
"""The number of a slot behind the last word of a prompt."""

NO_PROMPT = 1
"""The number in all slots of a clip that is made without a prompt."""

RESERVED = 2
"""Numbers that stand for no word."""

AND = "and"
"""The word between two clauses of a prompt, ``a red circle goes left, and a blue one goes up``."""

LONGEST_PROMPT = 1 << 12
"""Characters of a prompt."""

_SAY_NOTHING = (
    "a an one the is are it its be and to of in at with while as from toward towards across into there "
    "move moves moving go goes going travel travels traveling travelling glide glides gliding "
    "drift drifts drifting slide slides sliding head heads heading fly flies flying run runs running "
    "medium sized normal pace speed steadily diagonally background backdrop ground clip video scene"
)
"""Words that say nothing by themselves; they are left out of a prompt."""

_NEXT_CLAUSE = re.compile(r",\s*and\b|\band\s+(?=(?:an?|another|one|the)\b)|;")
"""What begins another clause; other places of the word, ``down and to the right``, say nothing."""

_FILLERS = frozenset(_SAY_NOTHING.split())

_SYNONYMS = {
    "red": "crimson scarlet",
    "yellow": "golden",
    "cyan": "turquoise aqua teal",
    "purple": "violet",
    "pink": "rose",
    "gray": "grey",
    "circle": "disc disk ball dot circles discs disks balls dots",
    "square": "box squares boxes",
    "triangle": "triangles",
    "cross": "plus crosses",
    "ring": "hoop donut rings hoops",
    "star": "stars",
    "fast": "quickly rapidly swiftly quick rapid swift",
    "slow": "slowly gently leisurely",
    "over": "on above front before",
    "left": "leftward leftwards",
    "right": "rightward rightwards",
    "up": "upward upwards upper top",
    "down": "downward downwards lower bottom",
    "large": "big huge",
    "small": "little tiny",
    "still": "stays stands stay stand not",
    "bounce": "bounces bouncing",
}
"""Words, and others that mean the same."""

_MEANING = {other: word for word, others in _SYNONYMS.items() for other in others.split()}


@final
class PromptVocabulary:
    """The words that a generator has learned, and their numbers.

    Args:
        words: in the order of their numbers.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._numbers = {word: RESERVED + number for number, word in enumerate(self.words)}

    @classmethod
    def of_captions(cls, captions: Iterable[str], *, most: int = 4096) -> "PromptVocabulary":
        """The words of captions, those of most captions first if there are more than `most`."""
        counted = Counter(word for caption in captions for word in dict.fromkeys(meaningful_words(caption)))
        return cls(sorted(word for word, _ in counted.most_common(most)))

    def numbers(self, prompt: str, *, slots: int) -> Int64[Tensor, " l"]:
        """The words of a prompt as numbers; what is unknown, or does not fit, is said and left out.

        Args:
            prompt: in plain English; synonyms of the built-in words are understood, case does not matter.
            slots: how many words there is room for.

        Raises:
            OptionError: the prompt is empty, too long, or holds no word that is known.

        Warns:
            TubeletWarning: names the words that are left out.
        """
        check_length(prompt)
        said = meaningful_words(prompt)
        if AND in said and AND not in self._numbers:
            said = [word for word in said if word != AND]
            warnings.warn(
                "the generator was trained on prompts of one clause, and may mix up what is said of each "
                "thing; tubelet-dit tells two things apart.",
                TubeletWarning,
                stacklevel=2,
            )
        known = [word for word in said if word in self._numbers]
        if not set(known) - {AND}:
            raise OptionError(
                f"the prompt {prompt!r:.80} holds no word that the generator knows; it knows "
                f"{', '.join(word for word in self.words[:60] if word != AND)}. Say it in these words."
            )
        if unknown := list(dict.fromkeys(word for word in said if word not in self._numbers)):
            warnings.warn(
                f"the generator has not learned {', '.join(unknown)!s:.200}; it makes "
                f"{' '.join(known)!r:.80}.",
                TubeletWarning,
                stacklevel=2,
            )
        if len(known) > slots:
            warnings.warn(
                f"the generator reads {slots} words, and leaves out {' '.join(known[slots:])!r:.80}.",
                TubeletWarning,
                stacklevel=2,
            )
        numbers = [self._numbers[word] for word in known[:slots]]
        return torch.tensor(numbers + [NO_WORD] * (slots - len(numbers)))


def check_length(prompt: str) -> None:
    """See whether a prompt is short enough to be read.

    Raises:
        OptionError: it is not.
    """
    if len(prompt) > LONGEST_PROMPT:
        raise OptionError(f"the prompt has {len(prompt)} characters; at most {LONGEST_PROMPT} are read.")


def meaningful_words(prompt: str) -> list[str]:
    """The words of a text in lower case, without those that say nothing, each synonym as its usual word.

    Between two clauses that say something stands `AND`.
    """
    words: list[str] = []
    for clause in _NEXT_CLAUSE.split(prompt.lower()):
        said: list[str] = [word for word in re.findall(r"[^\W_]+", clause) if word not in _FILLERS]
        words += [AND] * bool(words and said) + [_MEANING.get(word, word) for word in said]
    return words


def no_prompt(slots: int) -> Int64[Tensor, " l"]:
    """The numbers of a clip that is made without a prompt."""
    return torch.full((slots,), NO_PROMPT)
