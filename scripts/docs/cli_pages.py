"""Pages of the command line: a command each, from its parser."""

import argparse
import re
from collections.abc import Iterator

from tubelet.cli.parser import make_parser

_COMMON = {"help", "quiet", "verbose", "log_file"}
"""What every command takes; reference/command-line.md has it once."""


def pages() -> dict[str, str]:
    """The text of each command's page, by its place."""
    return {f"cli/{name}.md": page(name, parser) for name, parser in commands().items()}


def commands() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command, in the order of `tubelet --help`."""
    for action in make_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise LookupError("the command line has no commands")


def page(name: str, parser: argparse.ArgumentParser) -> str:
    """What a command does, its usage and a table of what it takes."""
    first, _, rest = (parser.description or "").strip().partition("\n")
    blocks = [f"# tubelet {name}", first, *_description(rest), f"```text\n{_usage(parser)}\n```"]
    own = [action for action in parser._actions if action.dest not in _COMMON]
    if rows := [_row(action) for action in own if action.help is not argparse.SUPPRESS]:
        blocks.append("\n".join(["| argument | what it is |", "|---|---|", *rows]))
    blocks.append(
        "It also takes `--help`, `--quiet`, `--verbose` and `--log-file FILE`, as "
        "[every command](../reference/command-line.md)."
    )
    return "\n\n".join(blocks) + "\n"


def _description(text: str) -> Iterator[str]:
    """What stands below the first line: paragraphs as they are, tables of examples as code."""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if block.strip():
            yield (
                f"```text\n{block}\n```"
                if re.search(r"^ {2}", block, flags=re.MULTILINE)
                else _escaped(block)
            )


def _usage(parser: argparse.ArgumentParser) -> str:
    """The usage in lines of one width, whatever the terminal is."""
    formatter = argparse.HelpFormatter(parser.prog, width=78, max_help_position=24)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, prefix="")
    return re.sub(r"\x1b\[[0-9;]*m", "", formatter.format_help()).strip()


def _row(action: argparse.Action) -> str:
    """An argument and what it is, as a row of the table."""
    name = ", ".join(f"`{option}`" for option in action.option_strings)
    if not name or action.nargs != 0:
        value = action.metavar or (action.dest.upper() if name else action.dest)
        shown = " ".join(value) if isinstance(value, tuple) else value
        many = " …" if action.nargs in {"*", "+"} else ""
        choices = f": {', '.join(map(str, action.choices))}" if action.choices else ""
        name = f"{name} `{shown}{many}{choices}`".strip()
    text = (action.help or "") % (vars(action) | {"prog": "tubelet"})
    return f"| {name} | {_escaped(' '.join(text.split()))} |"


def _escaped(text: str) -> str:
    """Text in which nothing is Markdown but code between backticks."""
    parts = text.split("`")
    plain = [re.sub(r"([*_<>|\[\]])", r"\\\1", part) for part in parts[::2]]
    code = [f"`{part}`" for part in parts[1::2]]
    return "".join(piece for pair in zip(plain, [*code, ""], strict=False) for piece in pair)
