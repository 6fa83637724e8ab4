"""From the text of a system to the system: ours, codecs, autoencoders of others."""

from tubelet.evaluate.codecs import CODECS, open_codec
from tubelet.evaluate.foreign import open_foreign
from tubelet.evaluate.ours import open_ours
from tubelet.evaluate.systems import System
from tubelet.evaluate.words import codec_words, diffusers_words, tokenizer_words


def open_system(text: str, *, at_once: bool, device: str = "cpu") -> System:
    """Make a system ready to work.

    Args:
        text: as `tubelet.evaluate.words` shows.
        at_once: whether tokenizers work on all latent steps together (`Protocol.at_once`).
        device: where networks compute: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        OptionError: the text has no meaning, an extra is not installed, or there is no such device here.
        CheckpointError: there is no such tokenizer, or it is damaged.
    """
    prefix, colon, _ = text.partition(":")
    if colon and prefix in CODECS:
        return open_codec(codec_words(text))
    if colon and prefix == "diffusers":
        return open_foreign(diffusers_words(text), device=device)
    words, channels = tokenizer_words(text)
    return open_ours(words, channels=channels, at_once=at_once, device=device)
