"""What files and folders hold, in a few lines each; for `tubelet info`."""

from tubelet.cli.contents.find import facts_of

__all__ = ["facts_of"]
