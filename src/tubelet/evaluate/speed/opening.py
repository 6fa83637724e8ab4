"""From a text to what can be timed: our tokenizers in streams or whole, autoencoders of diffusers, codecs.

```text
tubelet-m@16                    ours, in streams, with 16 channels of the latent
tubelet-m:way=whole             ours, all latent steps of a clip at once
diffusers:my/vae,tiling=true    an autoencoder of diffusers, a folder or an id of the hub
diffusers:AutoencoderKLWan      the same by its class: as its author configures it, with random weights
x264:crf=28                     a codec, in one thread
```
"""

from tubelet.devices import find_device
from tubelet.evaluate.speed.grid import CODECS, Variant
from tubelet.evaluate.speed.subjects import Subject
from tubelet.evaluate.words import diffusers_words


def open_subject(variant: Variant, *, device: str) -> Subject:
    """Make what a text names ready to work.

    Raises:
        OptionError: the text has no meaning here, an extra is not installed, or there is no such device.
        CheckpointError: there is no such tokenizer, or it is damaged.
        AbsentError: there is such a system, but not in this number format or mode.
    """
    prefix, colon, _ = variant.system.partition(":")
    # A process has what its system is made of and no more, for its memory is measured.
    if colon and prefix in CODECS:
        from tubelet.evaluate.speed.codec import open_codec  # noqa: PLC0415

        return open_codec(variant)
    place = find_device(device)
    if colon and prefix == "diffusers":
        from tubelet.evaluate.speed.foreign import open_foreign  # noqa: PLC0415

        return open_foreign(variant, diffusers_words(variant.system), device=place)
    from tubelet.evaluate.speed.ours import open_ours  # noqa: PLC0415

    return open_ours(variant, device=place)
