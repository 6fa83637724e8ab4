"""Starting a run from a tokenizer that was trained before."""

from collections.abc import Collection
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

from torch import nn

from tubelet import checkpoint
from tubelet.errors import OptionError
from tubelet.models.table import ModelConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer

M = TypeVar("M", bound=nn.Module)


def trained_tokenizer(name: str, wanted: ModelConfig, *, fewer: Collection[str] = ()) -> ContinuousTokenizer:
    """A tokenizer, if it is the one that a run's model says.

    Args:
        name: of the tokenizer, or its folder.
        wanted: what the run says; name and lead frame may differ.
        fewer: fields of which the tokenizer may have less than the run says.

    Raises:
        CheckpointError: there is none, or it cannot be read.
        OptionError: it is another.
    """
    tokenizer = checkpoint.load(name)
    found = replace(tokenizer.config, name=wanted.name, lead_frame=wanted.lead_frame)
    grown = found
    if type(found) is type(wanted):
        grown = replace(found, **{each: max(getattr(found, each), getattr(wanted, each)) for each in fewer})
    if grown != wanted:
        raise OptionError(
            f"{name} is not the tokenizer of the run: {differences(grown, wanted)}. Change the model's "
            "fields, or give another tokenizer."
        )
    return tokenizer


def differences(found: object, wanted: object) -> str:
    """In which numbers two configurations differ, in words.

    Args:
        found: that of what is trained already; a dataclass, or none.
        wanted: that of a run.
    """
    if type(found) is not type(wanted) or not is_dataclass(found):
        one, other = (None if each is None else type(each).__name__ for each in (found, wanted))
        return f"it is {one or 'nothing'} there and {other or 'nothing'} in the run"
    pairs = ((each.name, getattr(found, each.name), getattr(wanted, each.name)) for each in fields(found))
    return ", ".join(
        f"{name}: {differences(one, other)}"
        if is_dataclass(one) and is_dataclass(other)
        else f"{name} is {one!r:.60} there and {other!r:.60} in the run"
        for name, one, other in pairs
        if one != other
    )


def filled(model: M, trained: ContinuousTokenizer) -> M:
    """A model with the weights of a tokenizer of the same configuration."""
    model.load_state_dict(trained.weights())
    return model
