"""Starting a run from a tokenizer that was trained before."""

from dataclasses import replace
from typing import TypeVar

from torch import nn

from tubelet import checkpoint
from tubelet.errors import OptionError
from tubelet.models.table import ModelConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer

M = TypeVar("M", bound=nn.Module)


def trained_tokenizer(name: str, wanted: ModelConfig) -> ContinuousTokenizer:
    """A tokenizer, if it is the one that a run's model says.

    Args:
        name: of the tokenizer, or its folder.
        wanted: what the run says; name and lead frame may differ.

    Raises:
        CheckpointError: there is none, or it cannot be read.
        OptionError: it is another.
    """
    tokenizer = checkpoint.load(name)
    found = replace(tokenizer.config, name=wanted.name, lead_frame=wanted.lead_frame)
    if found != wanted:
        raise OptionError(
            f"{name} is a tokenizer of {tokenizer.config}, and the run's model says {wanted}. Change the "
            "model's fields, or give another tokenizer."
        )
    return tokenizer


def filled(model: M, trained: ContinuousTokenizer) -> M:
    """A model with the weights of a tokenizer of the same configuration."""
    model.load_state_dict(trained.weights())
    return model
