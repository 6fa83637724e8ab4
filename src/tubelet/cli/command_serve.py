"""Serve a page that encodes and decodes video in the browser.

Drop a video on it, or use the camera: it is encoded and decoded frame by frame on your machine, and nothing
leaves it. With a discrete tokenizer the page shows tokens, as a map. The first start with a tokenizer makes
its files, which takes a while; they are kept. With --output the page is written as a folder, which any web
host can serve.

for example:
  tubelet serve
  tubelet serve --tokenizer tubelet-m --port 8080
  tubelet serve --tokenizer tubelet-fsq
  tubelet serve --output site
"""

import argparse
from contextlib import suppress
from pathlib import Path

NAME = "serve"

_TOKENIZER = "tubelet-s"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--tokenizer",
        default=_TOKENIZER,
        metavar="NAME|DIR",
        help=f"a shipped one or a folder (default: {_TOKENIZER}, which is fast)",
    )
    parser.add_argument("--port", type=int, default=8000, help="to listen at; 0 for any (default: 8000)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="to listen at (default: 127.0.0.1, this machine alone)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write the page into this folder and serve nothing"
    )
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Serve until interrupted, or write the folder."""
    from tubelet.checkpoint import architecture, find, read_continuous, read_discrete
    from tubelet.files import check_folder
    from tubelet.serve.server import PageServer
    from tubelet.serve.site import MADE, site_files, static_names, write_site

    folder = find(arguments.tokenizer)
    checkpoint = read_discrete(folder) if architecture(folder) == "discrete" else read_continuous(folder)
    if arguments.output is not None:
        holds = (*static_names(), *MADE)
        check_folder(arguments.output, holds=holds, sources=[folder], force=arguments.force)
        write_site(checkpoint, arguments.output, force=arguments.force)
        print(f"{arguments.output / 'index.html'} is the page; serve the folder by any web server.")
        return
    # The port is taken first: making the files takes longer.
    with PageServer({}, host=arguments.host, port=arguments.port) as server, site_files(checkpoint) as files:
        server.files.update(files)
        print(f"{checkpoint.name} at {server.url}   (Ctrl-C ends it)", flush=True)
        # Ctrl-C is how a server ends.
        with suppress(KeyboardInterrupt):
            server.serve_forever()
