"""What a network sees of a step does not depend on how its channels come."""

import numpy as np
import pytest

from tubelet.priors.planes import StepView


@pytest.mark.parametrize("cut", [0, 1, 5, 7])
def test_a_step_that_is_seen_in_two_runs_of_channels_is_seen_as_one(cut):
    draw = np.random.default_rng(0)
    step, before = draw.integers(-2000, 2000, (2, 7, 90, 61), dtype=np.int32)
    whole, parts = (StepView.unseen(7, 90, 61) for _ in range(2))
    whole.see(0, step, before)
    for first, stop in ((0, cut), (cut, 7)):
        parts.see(first, step[first:stop], before[first:stop])
    for name in ("linear", "signed", "change", "average"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
        leading = getattr(whole.leading(cut), name)
        np.testing.assert_array_equal(leading, getattr(whole, name)[..., :cut])
