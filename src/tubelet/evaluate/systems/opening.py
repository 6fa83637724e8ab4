"""From the text of a system to the system."""

from tubelet.evaluate.systems.codec_table import CODECS
from tubelet.evaluate.systems.system import Setting, System
from tubelet.evaluate.systems.system_specs import EXPORTED, codec_spec, diffusers_spec


def open_system(text: str, setting: Setting) -> System:
    """Make a system ready to work.

    Args:
        text: as `tubelet.evaluate.systems.system_specs` shows.
        setting: what the text does not say.

    Raises:
        OptionError: the text has no meaning, an extra is not installed, or there is no such device here.
        CheckpointError: there is no such tokenizer, or it is damaged.
        AbsentError: there is such a system, but not in this number format, or not compiled.
    """
    prefix, colon, _ = text.partition(":")
    # A process has what its system is made of and no more, for its memory may be measured.
    if colon and prefix in CODECS:
        from tubelet.evaluate.systems.codec import open_codec  # noqa: PLC0415

        return open_codec(codec_spec(text))
    if colon and prefix == "diffusers":
        from tubelet.evaluate.systems.diffusers import open_diffusers_system  # noqa: PLC0415

        return open_diffusers_system(diffusers_spec(text), setting)
    if colon and prefix in EXPORTED:
        from tubelet.evaluate.systems.exported import open_exported_system  # noqa: PLC0415

        return open_exported_system(text, setting)
    from tubelet.evaluate.systems.open_tokenizer import open_tokenizer  # noqa: PLC0415

    return open_tokenizer(text, setting)
