"""A loss counts nothing or something, and never the opposite."""

import math

import pytest

from tubelet.errors import OptionError
from tubelet.train.flow.config import FlowLosses
from tubelet.train.tokenizer.config import LossWeights


@pytest.mark.parametrize("losses", [LossWeights, FlowLosses])
@pytest.mark.parametrize("value", [-1.0, -1e-9, math.inf, math.nan])
def test_a_loss_below_nothing_is_refused(losses, value):
    with pytest.raises(OptionError, match=f"log_mse of the losses is {value}; it is a number from 0 on"):
        losses(log_mse=value)
    assert losses(log_mse=0.0).log_mse == 0.0
