"""The captions of a run as its network takes them: by a vocabulary of their words, or by a text encoder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch

from tubelet.generate.config import PromptFacts
from tubelet.generate.prompts import PromptTable
from tubelet.generate.text import PromptVocabulary
from tubelet.generate.text_cache import encode_captions
from tubelet.generate.text_encoder import read_text_encoder
from tubelet.generate.train_config import GeneratorTrainConfig
from tubelet.json_text import of_kind


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunCaptions:
    """The captions of all clips of a run.

    Attributes:
        table: of each clip.
        facts: how the network reads them.
    """

    table: PromptTable
    facts: PromptFacts


def words_of(config: GeneratorTrainConfig, captions: Sequence[str]) -> RunCaptions:
    """Captions by a vocabulary of their own words."""
    vocabulary = PromptVocabulary.of_captions(captions)
    table = torch.stack([vocabulary.numbers(caption, slots=config.slots) for caption in captions])
    return RunCaptions(table=table, facts=PromptFacts(words=vocabulary.words, slots=config.slots))


def captions_of(
    config: GeneratorTrainConfig,
    captions: Sequence[str],
    folder: Path,
    *,
    on_caption: Callable[[int, int], None],
    waits: bool,
) -> RunCaptions:
    """Captions as the configuration says: by its text encoder, whose states are kept in the folder, or words.

    Args:
        config: of the run.
        captions: of all clips.
        folder: of the run.
        on_caption: called with how many captions are encoded, and of how many.
        waits: whether another process encodes, for which this one waits.

    Raises:
        CheckpointError: the text encoder cannot be read.
        OptionError: transformers is not installed, or a caption is empty.
    """
    if config.text is None:
        return words_of(config, captions)
    encoder = read_text_encoder(config.text)
    stored = encode_captions(
        encoder, captions, folder, tokens=config.text_tokens, on_caption=on_caption, waits=waits
    )
    facts = PromptFacts(
        words=PromptVocabulary.of_captions(captions).words,
        slots=stored.slots,
        text_encoder=encoder.name,
        text_sha256=encoder.sha256,
        text_width=encoder.width,
    )
    return RunCaptions(table=stored, facts=facts)


def facts_to_json(facts: PromptFacts) -> dict[str, Any]:
    """What ``run.json`` says of how prompts are read."""
    if not facts.text_encoder:
        return {"words": list(facts.words)}
    text = {
        "encoder": facts.text_encoder, "sha256": facts.text_sha256, "width": facts.text_width,
        "slots": facts.slots,
    }  # fmt: skip
    return {"words": list(facts.words), "text": text}


def facts_from_json(stored: dict[str, Any], *, slots: int) -> PromptFacts:
    """The mirror of `facts_to_json`.

    Args:
        stored: what ``run.json`` says.
        slots: of a vocabulary, by the configuration of the run.

    Raises:
        KeyError: something is missing.
        TypeError: something is of another kind.
    """
    words = tuple(of_kind(word, str, "words") for word in stored["words"])
    if "text" not in stored:
        return PromptFacts(words=words, slots=slots)
    text = stored["text"]
    return PromptFacts(
        words=words,
        slots=of_kind(text["slots"], int, "slots"),
        text_encoder=of_kind(text["encoder"], str, "encoder"),
        text_sha256=of_kind(text["sha256"], str, "sha256"),
        text_width=of_kind(text["width"], int, "width"),
    )
