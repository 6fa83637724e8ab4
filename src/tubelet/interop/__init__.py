"""Other people's tokenizers behind our interface, and ours behind theirs (diffusers).

diffusers is an extra, 61 MB on disk and slow to import: it is imported when it is first needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tubelet.interop.as_diffusers import AutoencoderTubelet
    from tubelet.interop.rivals import DiffusersTokenizer, open_diffusers

_HOMES = {
    "AutoencoderTubelet": "tubelet.interop.as_diffusers",
    "DiffusersTokenizer": "tubelet.interop.rivals",
    "open_diffusers": "tubelet.interop.rivals",
}

__all__ = ["AutoencoderTubelet", "DiffusersTokenizer", "open_diffusers"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"tubelet.interop has no {name!r}; it has {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return __all__
