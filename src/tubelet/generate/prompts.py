"""Prompts as networks take them: numbers of words, or what a text encoder says of each token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.generate.text import AND, RESERVED, PromptVocabulary, no_prompt


@final
@dataclass(frozen=True, slots=True)
class EncodedText:
    """Prompts after a text encoder.

    Attributes:
        states: of each token, zeros behind the last one; a clip without a prompt has nothing but zeros.
        seen: which slots hold a token; none of a clip without a prompt.
    """

    states: Float[Tensor, "b l e"]
    seen: Bool[Tensor, "b l"]

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, chosen: list[int]) -> "EncodedText":
        """Some of the prompts."""
        return EncodedText(self.states[chosen], self.seen[chosen])

    def to(self, device: torch.device) -> "EncodedText":
        """The same on a device."""
        return EncodedText(self.states.to(device), self.seen.to(device))


Prompts = Int64[Tensor, "b l"] | EncodedText
"""Prompts of clips: words as numbers of a vocabulary, or states of a text encoder."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StoredText:
    """What a text encoder says of captions, stored without the slots that hold nothing.

    Attributes:
        states: of the tokens of all different captions, one after the other, in half precision.
        starts: where those of each caption begin, and the end.
        chosen: for each clip, which caption.
        slots: tokens of a prompt.
    """

    states: np.ndarray
    starts: np.ndarray
    chosen: np.ndarray
    slots: int

    def __len__(self) -> int:
        return len(self.chosen)

    def prompts(self, clips: Sequence[int | None]) -> EncodedText:
        """The captions of clips; of a clip that is none, no prompt."""
        states = torch.zeros(len(clips), self.slots, self.states.shape[1])
        seen = torch.zeros(len(clips), self.slots, dtype=torch.bool)
        for place, clip in enumerate(clips):
            if clip is None:
                continue
            start, stop = self.starts[self.chosen[clip] :][:2]
            rows = self.states[start : min(stop, start + self.slots)]
            states[place, : len(rows)] = torch.from_numpy(rows.astype(np.float32))
            seen[place, : len(rows)] = True
        return EncodedText(states, seen)


PromptTable = Int64[Tensor, "n l"] | StoredText
"""The captions of all clips of a run."""


def prompts_of_clips(captions: PromptTable, clips: Sequence[int | None]) -> Prompts:
    """The captions of some clips.

    Args:
        captions: of all clips.
        clips: numbers of clips; none for a clip that is to be made without a prompt.
    """
    if isinstance(captions, StoredText):
        return captions.prompts(clips)
    free = no_prompt(captions.shape[1])
    return torch.stack([free if clip is None else captions[clip] for clip in clips])


@runtime_checkable
class PromptReader(Protocol):
    """What makes prompts of text."""

    def read(self, texts: Sequence[str]) -> Prompts:
        """Prompts as networks take them.

        Raises:
            OptionError: a text says nothing.
        """
        ...


@final
@dataclass(frozen=True, slots=True)
class WordReader:
    """Reads the words of a vocabulary.

    Attributes:
        vocabulary: the words that are known.
        slots: words of a prompt that are read.
    """

    vocabulary: PromptVocabulary
    slots: int

    def read(self, texts: Sequence[str]) -> Int64[Tensor, "b l"]:
        """Each text as numbers of words; errors and warnings as `PromptVocabulary.numbers`."""
        return torch.stack([self.vocabulary.numbers(text, slots=self.slots) for text in texts])


class EmbeddedPrompts(NamedTuple):
    """Prompts as features in front of a sequence.

    Attributes:
        features: of each slot.
        seen: which slots others may attend to; none for all of them.
    """

    features: Float[Tensor, "b l f"]
    seen: Bool[Tensor, "b l"] | None


class TextProjection(nn.Module):
    """States of a text encoder as features of a transformer: normed, then a matrix.

    Args:
        text_width: features of a state.
        width: of the transformer.
    """

    def __init__(self, text_width: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(text_width, width)
        self.nothing = nn.Parameter(0.5 * torch.randn(width))

    def forward(self, text: EncodedText) -> EmbeddedPrompts:
        """Features of each slot; of a clip without a prompt, those that stand for none, in all slots."""
        states = text.states.to(self.enter.weight.dtype)
        features = self.enter(F.layer_norm(states, states.shape[-1:]))
        free = ~text.seen.any(dim=1, keepdim=True)
        features = torch.where(free[..., None], self.nothing.to(features.dtype), features)
        return EmbeddedPrompts(features, text.seen | free)


_CLAUSES = 4
"""Of a prompt that are told apart; those behind them are taken for the last one."""


class WordEmbedding(nn.Embedding):
    """Words as features: what each of them means, and the clause in which it stands.

    By its clause a word is bound to the others of it: which thing is red, and which goes left. Clauses are
    told apart where the vocabulary knows the word `AND` between them; the first one adds nothing at first.

    Args:
        words: of the vocabulary.
        width: of the transformer.
    """

    def __init__(self, words: Sequence[str], width: int) -> None:
        super().__init__(RESERVED + len(words), width)
        nn.init.normal_(self.weight, std=0.5)
        self._between = RESERVED + words.index(AND) if AND in words else None
        if self._between is not None:
            clauses = 0.5 * torch.randn(_CLAUSES, width)
            clauses[0] = 0
            self.clauses = nn.Parameter(clauses)

    def forward(self, input: Int64[Tensor, "b l"]) -> Float[Tensor, "b l f"]:  # noqa: A002  as its base has it
        """Features of each slot.

        Args:
            input: numbers of words.
        """
        features = super().forward(input)
        if self._between is None:
            return features
        clause = (input == self._between).cumsum(dim=1).clamp_max(_CLAUSES - 1)
        return features + F.embedding(clause, self.clauses)


def prompt_module(words: Sequence[str], *, text_width: int, width: int) -> nn.Module:
    """What makes features of prompts.

    Args:
        words: of the vocabulary.
        text_width: features of a state of the text encoder; 0 for none, and a vocabulary.
        width: features of a slot.
    """
    if text_width:
        return TextProjection(text_width, width)
    return WordEmbedding(words, width)


def is_of_prompts(name: str) -> bool:
    """Whether a weight of a generator, by its name, is of how prompts are read."""
    *around, last = name.split(".")
    return "words" in around or last == "slots"


def known_prompts(
    trained: Mapping[str, Tensor], fresh: Mapping[str, Tensor], *, words: Sequence[str], now: Sequence[str]
) -> dict[str, Tensor]:
    """The weights of prompts in a network of another vocabulary or of more or fewer slots.

    Args:
        trained: weights of a network.
        fresh: those of the other one, from which words and slots come that the first has not.
        words: of the first network's vocabulary.
        now: of the other one's.
    """
    known = {}
    for name, weight in fresh.items():
        if not is_of_prompts(name):
            continue
        if name.endswith("words.weight"):
            both = [word for word in now if word in words]
            rows = [[RESERVED + known_words.index(word) for word in both] for known_words in (now, words)]
            to, of = ([*range(RESERVED), *each] for each in rows)
            known[name] = weight.index_copy(0, torch.tensor(to), trained[name][of])
        elif name.endswith("slots"):
            both_have = range(min(len(weight), len(trained[name])))
            known[name] = weight.index_copy(0, torch.tensor(both_have), trained[name][list(both_have)])
        else:
            known[name] = trained.get(name, weight)
    return known


def embed_prompts(module: nn.Module, slots: Float[Tensor, "l f"], prompts: Prompts) -> EmbeddedPrompts:
    """Prompts as features in front of a sequence.

    Args:
        module: of `prompt_module`.
        slots: what each slot adds, to tell the first word from the second.
        prompts: of the kind that the module was made for.
    """
    if isinstance(prompts, EncodedText):
        embedded: EmbeddedPrompts = module(prompts)
        return EmbeddedPrompts(embedded.features + slots, embedded.seen)
    return EmbeddedPrompts(module(prompts) + slots, None)


def seen_keys(seen: Bool[Tensor, "b l"] | None, keys: int) -> Bool[Tensor, "b 1 1 m"] | None:
    """Which positions of a sequence others may attend to: all behind its prompt; none for all of them.

    Args:
        seen: which slots of the prompt; none for all of them.
        keys: positions of the sequence, those of the prompt among them.
    """
    if seen is None:
        return None
    behind = seen.new_ones(len(seen), keys - seen.shape[1])
    return torch.cat([seen, behind], dim=1)[:, None, None]
