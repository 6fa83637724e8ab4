"""Linear probes: how well a straight line through numbers tells what is to be known of a clip.

*Of all numbers*: ridge regression onto one-hot labels, its penalty chosen on a fifth of the clips it is
fitted on. It finds what lies at the same numbers in every clip.
*Of places*: one linear map for the numbers at every place of a part, whose answers compete: a clip has the
label for which the sum of the exponentials of its answers over all places is largest. So it finds what may
lie anywhere; it is fitted by its cross entropy, and the decay of its weights is chosen in the same way.
Three quarters of the clips are fitted on, the others judged.
"""

from collections.abc import Sequence

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

PENALTIES = tuple(10.0**power for power in range(-3, 4))
DECAYS = (1e-4, 1e-3, 1e-2)
ITERATIONS = 200
RATE = 0.05

Places = Sequence[Float[Tensor, "n p c"]]
"""Numbers at the places of each clip; several kinds of places have maps of their own."""


def accuracy_of_all(rows: Float[Tensor, "n k"], names: np.ndarray) -> float:
    """Share of the last quarter of the clips whose name the probe of all numbers finds."""
    fitted, targets = 3 * len(names) // 4, _one_hot(names).double()
    chosen_on = 4 * fitted // 5
    shares = [_right(rows[:fitted], targets[:fitted], chosen_on, penalty) for penalty in PENALTIES]
    return _right(rows, targets, fitted, PENALTIES[int(np.argmax(shares))])


def accuracy_of_places(places: Places, names: np.ndarray) -> float:
    """The same by the probe of places."""
    fitted, targets = 3 * len(names) // 4, _one_hot(names).argmax(dim=1)
    chosen_on = 4 * fitted // 5
    known = [each[:fitted] for each in places]
    shares = [_right_by_places(known, targets[:fitted], chosen_on, decay) for decay in DECAYS]
    return _right_by_places(places, targets, fitted, DECAYS[int(np.argmax(shares))])


def _one_hot(names: np.ndarray) -> Tensor:
    _, numbers = np.unique(names, return_inverse=True)
    return torch.nn.functional.one_hot(torch.from_numpy(numbers))


def _right_by_places(places: Places, targets: Tensor, fitted: int, decay: float) -> float:
    """Share of the clips after the first `fitted` that are named right."""
    normal = [_normal(each, fitted) for each in places]
    labels = int(targets.max()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        maps = nn.ModuleList(nn.Linear(each.shape[2], labels) for each in normal)
    optimizer = torch.optim.AdamW(maps.parameters(), lr=RATE, weight_decay=decay / RATE)

    def answers(rows: slice) -> Tensor:
        found = [each(values[rows]) for each, values in zip(maps, normal, strict=True)]
        return torch.cat(found, dim=1).logsumexp(dim=1)

    for iteration in range(ITERATIONS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - iteration / ITERATIONS)
        optimizer.zero_grad()
        nn.functional.cross_entropy(answers(slice(0, fitted)), targets[:fitted]).backward()
        optimizer.step()
    with torch.no_grad():
        guesses = answers(slice(fitted, None)).argmax(dim=1)
    return float((guesses == targets[fitted:]).double().mean())


def _normal(values: Float[Tensor, "n p c"], fitted: int) -> Float[Tensor, "n p c"]:
    """Of zero mean and unit deviation at the places of the clips that are fitted on."""
    deviation, mean = torch.std_mean(rearrange(values[:fitted], "n p c -> (n p) c"), dim=0)
    return (values - mean) / deviation.clamp(min=1e-6)


def _right(rows: Tensor, targets: Tensor, fitted: int, penalty: float) -> float:
    """Share of the rows after the first `fitted` that are named right."""
    deviation, mean = torch.std_mean(rows[:fitted], dim=0)
    rows = (rows - mean) / deviation.clamp(min=1e-6)
    known, bias = rows[:fitted], targets[:fitted].mean(dim=0)
    products = known @ known.T / rows.shape[1]
    solved = torch.linalg.solve(
        products + penalty * torch.eye(fitted, dtype=rows.dtype), targets[:fitted] - bias
    )
    guesses = rows[fitted:] @ known.T / rows.shape[1] @ solved + bias
    return float((guesses.argmax(dim=1) == targets[fitted:].argmax(dim=1)).double().mean())
