"""Starting a run from a prior that was trained before."""

from collections.abc import Mapping

from tubelet.errors import OptionError
from tubelet.priors.config import PriorConfig
from tubelet.priors.context import MAP
from tubelet.priors.files import Weights, given_folder, read_arrays
from tubelet.train.prior.integers import from_integers
from tubelet.train.prior.network import PriorNetwork

Pairs = Mapping[str, tuple[object, object]]
"""What a prior has and what a run has, by what it is."""


def read_start(name: str, *, hidden: int) -> tuple[PriorConfig, Weights]:
    """The numbers and arrays of a prior that a run goes on from.

    Args:
        name: of a shipped prior, or its folder.
        hidden: features of each hidden layer of the run's networks.

    Raises:
        CheckpointError: there is none, or it cannot be read.
        OptionError: it has no networks, or others.
    """
    config, arrays, _ = read_arrays(given_folder(name))
    if not isinstance(config, PriorConfig):
        raise OptionError(
            f"{name} is a prior of motion, which counts and has no networks; give one that has."
        )
    _check_alike(name, {"hidden features (--hidden)": (config.hidden, hidden)})
    return config, arrays


def go_on_from(name: str, network: PriorNetwork, *, hidden: int) -> PriorNetwork:
    """Fill the networks of a run with those of a prior.

    Args:
        name: of a shipped prior, or its folder.
        network: of the run; changed.
        hidden: features of each of its hidden layers.

    Raises:
        CheckpointError: there is none, or it cannot be read.
        OptionError: it is of another shape.
    """
    config, arrays = read_start(name, hidden=hidden)
    shape: Pairs = {
        "ends of groups of channels": (config.ends, tuple(stop for _, stop in network.channels)),
        "bases of digits": (config.bases, network.bases),
        "passes (--four_passes)": (config.passes, tuple(group.passes for group in network.networks)),
    }
    _check_alike(name, shape)
    named = {f"group_{number}": group for number, group in enumerate(network.networks)} | {MAP: network.map}
    for part, group in named.items():
        start = f"{part}."
        own = {each.removeprefix(start): arrays[each] for each in arrays if each.startswith(start)}
        from_integers(own, group)
    return network


def _check_alike(name: str, pairs: Pairs) -> None:
    """That numbers of a prior are those of a run; raises OptionError."""
    unlike = [f"{what}: {one} there and {own} in the run" for what, (one, own) in pairs.items() if one != own]
    if unlike:
        raise OptionError(
            f"{name} is a prior of another shape than the run's: {'; '.join(unlike)}. Change the fields of "
            "the recipe, or give another prior."
        )
