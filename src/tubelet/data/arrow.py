"""pyarrow, if it is installed."""

from typing import Any, NamedTuple

from tubelet.extras import extra_package


class Arrow(NamedTuple):
    """The two packages of pyarrow that are used."""

    lib: Any
    parquet: Any


def arrow_packages(*, for_what: str, instead: str) -> Arrow:
    """Import pyarrow.

    Args:
        for_what: what needs it, for the message: a plural such as ``tables of tokens (.parquet)``.
        instead: what does without it, such as ``write .npz``.

    Raises:
        OptionError: it is not installed.
    """
    need = f"{for_what} need it"
    return Arrow(
        *(
            extra_package(name, extra="tokens", need=need, instead=instead)
            for name in ("pyarrow", "pyarrow.parquet")
        )
    )
