"""What a page, a file of tables or a plot is called."""

from tubelet.errors import OptionError
from tubelet.files import printable
from tubelet.report.read import Results


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
