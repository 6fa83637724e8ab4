"""Our tokenizers as systems: the latent as it is, through a .tube file, and tokens through a .tube file."""

from collections.abc import Callable
from dataclasses import replace

from tubelet.checkpoint import architecture, find, read_continuous, read_discrete
from tubelet.codec.budget import (
    QUALITIES,
    Allocators,
    BitsPerPixel,
    Budget,
    MeanChannels,
    Quality,
    TargetPSNR,
)
from tubelet.codec.contrast import CONTRAST, LARGEST_CONTRAST
from tubelet.errors import OptionError
from tubelet.evaluate.systems.latent import LatentSystem
from tubelet.evaluate.systems.system import Setting, System
from tubelet.evaluate.systems.system_specs import SystemSpec, tokenizer_spec
from tubelet.evaluate.systems.tokenizer import set_networks
from tubelet.evaluate.systems.tube import TokenSystem, TubeSystem

_WAYS = ("stream", "whole")

BUDGETS: dict[str, tuple[Callable[[float], Budget], float, float]] = {
    "budget": (lambda value: MeanChannels(channels=value), 1e-3, 4096.0),
    "bpp": (lambda value: BitsPerPixel(bits=value), 1e-6, 100.0),
    "psnr": (lambda value: TargetPSNR(db=value), 1.0, 100.0),
    "quality": (lambda value: Quality(level=value), *QUALITIES),
}
"""Options that say what a file may take: what they make, and their bounds."""


_OF_BUDGETS = ("passes", "contrast")

_OF_FILES = ("step", "prior", *_OF_BUDGETS, *BUDGETS)
"""Options that are about a file: with one of them, a clip goes through it."""


def open_tokenizer(text: str, setting: Setting) -> System:
    """Make a tokenizer of ours ready to work.

    Args:
        text: ``NAME[@CHANNELS][:step=STEP]``, or with ``budget=``, ``bpp=``, ``psnr=`` or ``quality=`` and
            ``passes=2`` or ``contrast=0.5`` what a file may take; ``prior=false`` leaves the learned prior
            out. Or ``:way=stream|whole`` where the setting leaves that open. ``refine=4`` and ``seed=0`` are
            for tokenizers with a flow.
        setting: what the text does not say.

    Raises:
        OptionError: an option has no meaning for this tokenizer, or there is no such device here.
        CheckpointError: there is no such tokenizer, or it is damaged.
        AbsentError: it has no networks that a number format or a compiler would change.
    """
    spec, channels = tokenizer_spec(text)
    spec.only("refine", "seed", *(("way",) if setting.at_once is None else _OF_FILES))
    way = spec.options.get("way", _WAYS[0])
    if way not in _WAYS:
        raise OptionError(f"{text!r} has way={way}; it is {' or '.join(_WAYS)}.")
    at_once = way == "whole" if setting.at_once is None else setting.at_once
    folder = find(spec.name)
    if architecture(folder) == "discrete":
        if channels is not None or spec.options.keys() - {"way"}:
            raise OptionError(
                f"{text!r} names a discrete tokenizer, which has no choice of channels, step, budget or "
                "flow. Leave them out."
            )
        discrete = read_discrete(folder, device=setting.device)
        set_networks(discrete.tokenizer, setting)
        return TokenSystem(folder=folder, checkpoint=discrete, name=spec.name, at_once=at_once)
    checkpoint = read_continuous(folder, device=setting.device)
    set_networks(checkpoint.tokenizer, setting)
    refine, seed = (spec.whole_number(name, high=1 << 32) for name in ("refine", "seed"))
    if refine:
        checkpoint = replace(checkpoint, tokenizer=checkpoint.tokenizer.refined(refine, seed=seed))
    ordered = [part for part in checkpoint.tokenizer.parts if part.ordered]
    if len(ordered) > 1 and channels is None and not spec.options.keys() & set(_OF_FILES):
        return LatentSystem(checkpoint=checkpoint, name=spec.name, channels=None, at_once=at_once)
    kept = checkpoint.tokenizer.check_channels(channels)
    if spec.options.keys() & set(_OF_FILES):
        budget = _budget_of(spec)
        if budget is not None:
            Allocators(checkpoint.tokenizer, channels=kept).check(budget)
        return TubeSystem(
            folder=folder,
            checkpoint=checkpoint,
            name=spec.name,
            channels=kept,
            step=spec.number("step", low=1e-3, high=1e3) if "step" in spec.options else 1.0,
            budget=budget,
            two_pass=_passes(spec) == 2,
            contrast=_contrast(spec),
            prior=spec.flag("prior", default=True),
            refine=refine,
            seed=seed,
        )
    return LatentSystem(checkpoint=checkpoint, name=spec.name, channels=kept, at_once=at_once)


def _budget_of(spec: SystemSpec) -> Budget | None:
    """What a file may take; none if the text says nothing of it.

    Raises:
        OptionError: the text says two things, or a number out of range.
    """
    found = [name for name in BUDGETS if name in spec.options]
    if len(found) > 1:
        raise OptionError(
            f"{spec.text!r} has {' and '.join(found)}; a file keeps one of them. Leave one out."
        )
    for name in found:
        make, low, high = BUDGETS[name]
        return make(spec.number(name, low=low, high=high))
    if alone := [name for name in _OF_BUDGETS if name in spec.options]:
        raise OptionError(
            f"{spec.text!r} has {alone[0]} and nothing that the file may take; add one of "
            f"{', '.join(BUDGETS)}, or leave it out."
        )
    return None


def _passes(spec: SystemSpec) -> int:
    """How often a clip is looked at.

    Raises:
        OptionError: neither once nor twice.
    """
    passes = spec.options.get("passes", "1")
    if passes not in {"1", "2"}:
        raise OptionError(f"{spec.text!r} has passes={passes}; it is 1 or 2.")
    return int(passes)


def _contrast(spec: SystemSpec) -> float:
    """How much less errors count where there is contrast.

    Raises:
        OptionError: it is out of range.
    """
    if "contrast" not in spec.options:
        return CONTRAST
    return spec.number("contrast", low=0.0, high=LARGEST_CONTRAST)
