"""Starting a run from a prior that was trained before."""

from collections.abc import Sequence

from tubelet.errors import OptionError
from tubelet.priors.config import PriorConfig
from tubelet.priors.context import MAP
from tubelet.priors.files import PriorNumbers, given_folder, read_arrays
from tubelet.train.prior.integers import from_integers
from tubelet.train.prior.network import PriorNetwork


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
    config, arrays, _ = read_arrays(given_folder(name))
    _check(name, config, network, hidden)
    named = {f"group_{number}": group for number, group in enumerate(network.networks)} | {MAP: network.map}
    for part, group in named.items():
        start = f"{part}."
        from_integers(
            {each.removeprefix(start): arrays[each] for each in arrays if each.startswith(start)}, group
        )
    return network


def _check(name: str, config: PriorNumbers, network: PriorNetwork, hidden: int) -> None:
    """That a prior has the shape of a run's; raises OptionError."""
    if not isinstance(config, PriorConfig):
        raise OptionError(
            f"{name} is a prior of motion, which counts and has no networks; give one that has."
        )
    pairs: dict[str, tuple[Sequence[object] | int, Sequence[object] | int]] = {
        "ends of groups of channels": (config.ends, tuple(stop for _, stop in network.channels)),
        "bases of digits": (config.bases, network.bases),
        "passes (--four_passes)": (config.passes, tuple(group.passes for group in network.networks)),
        "hidden features (--hidden)": (config.hidden, hidden),
    }
    unlike = [f"{what}: {one} there and {own} in the run" for what, (one, own) in pairs.items() if one != own]
    if unlike:
        raise OptionError(
            f"{name} is a prior of another shape than the run's: {'; '.join(unlike)}. Change the fields of "
            "the recipe, or give another prior."
        )
