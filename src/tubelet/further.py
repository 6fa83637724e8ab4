"""Further weights: those of the distribution tubelet-weights, a package of data beside this one."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "tubelet_weights"
"""The package of that distribution. Nothing of it is imported."""

TOKENIZERS = (
    "tubelet-flow",
    "tubelet-fsq-deep",
    "tubelet-global",
    "tubelet-image",
    "tubelet-m-vae",
    "tubelet-motion",
    "tubelet-predict",
)
"""The tokenizers that it holds, in its folder ``weights``."""

GENERATORS = ("tubelet-ar",)
"""The generators that it holds, in its folder ``generators``."""

PRIORS = ("tubelet-motion-prior",)
"""The priors that it holds, in its folder ``priors``: each of a tokenizer that it holds."""


def further_folders(kind: str) -> Iterator[Path]:
    """Where further weights of a kind lie; nowhere if the distribution is not installed.

    Args:
        kind: ``weights`` of tokenizers, ``generators``, or ``priors``.
    """
    found = find_spec(PACKAGE)
    for place in [] if found is None else found.submodule_search_locations or []:
        folder = Path(place) / kind
        if folder.is_dir():
            yield folder


def how_to_install(name: str) -> str:
    """What to say of further weights that are asked for and not there."""
    return (
        f"{name} is in the distribution tubelet-weights, which is not installed. Install it with "
        "`pip install tubelet-weights`."
    )
