"""Our tokenizers as systems: the latent as it is, through a .tube file, and tokens through a .tube file."""

from tubelet.checkpoint import architecture, find, read_continuous, read_discrete
from tubelet.errors import OptionError
from tubelet.evaluate.systems.latent import LatentSystem
from tubelet.evaluate.systems.system import Setting, System
from tubelet.evaluate.systems.system_specs import tokenizer_spec
from tubelet.evaluate.systems.tokenizer import set_networks
from tubelet.evaluate.systems.tube import TokenSystem, TubeSystem

_WAYS = ("stream", "whole")


def open_tokenizer(text: str, setting: Setting) -> System:
    """Make a tokenizer of ours ready to work.

    Args:
        text: ``NAME[@CHANNELS][:step=STEP]``, or ``:way=stream|whole`` where the setting leaves that open.
        setting: what the text does not say.

    Raises:
        OptionError: an option has no meaning for this tokenizer, or there is no such device here.
        CheckpointError: there is no such tokenizer, or it is damaged.
        AbsentError: it has no networks that a number format or a compiler would change.
    """
    spec, channels = tokenizer_spec(text)
    spec.only("way" if setting.at_once is None else "step")
    way = spec.options.get("way", _WAYS[0])
    if way not in _WAYS:
        raise OptionError(f"{text!r} has way={way}; it is {' or '.join(_WAYS)}.")
    at_once = way == "whole" if setting.at_once is None else setting.at_once
    folder = find(spec.name)
    if architecture(folder) == "discrete":
        if channels is not None or "step" in spec.options:
            raise OptionError(
                f"{text!r} names a discrete tokenizer, which has no choice of channels or step. "
                "Leave them out."
            )
        discrete = read_discrete(folder, device=setting.device)
        set_networks(discrete.tokenizer, setting)
        return TokenSystem(folder=folder, checkpoint=discrete, name=spec.name, at_once=at_once)
    checkpoint = read_continuous(folder, device=setting.device)
    set_networks(checkpoint.tokenizer, setting)
    kept = checkpoint.tokenizer.check_channels(channels)
    if "step" in spec.options:
        step = spec.number("step", low=1e-3, high=1e3)
        return TubeSystem(folder=folder, checkpoint=checkpoint, name=spec.name, channels=kept, step=step)
    return LatentSystem(checkpoint=checkpoint, name=spec.name, channels=kept, at_once=at_once)
