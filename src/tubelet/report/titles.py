"""What a page, a file of tables or a plot is called."""

from tubelet.errors import OptionError
from tubelet.files import printable
from tubelet.report.read import Results

_LONGEST = 60
"""Letters of a name in a plot; of a longer one the beginning and the end."""


def title_line(title: str) -> str:
    """A title in one line that can be printed.

    Raises:
        OptionError: it holds nothing but spaces.
    """
    words = printable(" ".join(title.split()))
    if not words:
        raise OptionError("the title is empty; give a few words, or no title.")
    return words


def data_name(results: Results) -> str:
    """The name of the folder of clips, as it can be printed."""
    return printable(results.figures["data"])


def shown_name(name: str) -> str:
    """The name of a system as plots have it: one line, of at most 60 letters."""
    shown = printable(name)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 21]}…{shown[-20:]}"
