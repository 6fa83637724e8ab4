"""A server of the page's files and of nothing else."""

import errno
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tubelet.errors import OptionError

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp4": "video/mp4",
    ".txt": "text/plain; charset=utf-8",
}

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        # Mediabunny joins colour and transparency in workers that it writes itself.
        "worker-src 'self' blob:",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What the page may do: run its own scripts, and ask its own server."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    # Isolated from other pages: a browser then lets threads share memory.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""Of every answer."""


class PageServer(ThreadingHTTPServer):
    """Serves files by name, and the page itself at ``/``; nothing is looked up on the disk.

    Args:
        files: what is served, by name; ``index.html`` is the page.
        host: address to listen at.
        port: to listen at; a free one for 0.

    Raises:
        OptionError: the port is taken or not allowed, or the machine has no such address.
    """

    daemon_threads = True

    def __init__(self, files: Mapping[str, Path], *, host: str = "127.0.0.1", port: int = 8000) -> None:
        self.files = dict(files)
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise OptionError(_refused(host, port, error)) from error

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = str(self.server_address[0]), self.server_address[1]
        return f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0') else host}:{port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  as its base has them
        """Say nothing of browsers that go away before all is sent, as they do when a page is left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """Send a file."""
        content = self._head()
        if content is not None:
            self.wfile.write(content)

    def do_HEAD(self) -> None:
        """Say what would be sent."""
        self._head()

    def end_headers(self) -> None:
        """Send the headers of every answer too."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self) -> str:
        """What the server calls itself."""
        return "tubelet"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  named by its base
        """Say nothing of requests."""

    def _head(self) -> bytes | None:
        """Send the head of an answer, and give the content of the file; none if there is none."""
        assert isinstance(self.server, PageServer), "it is the server's handler"
        name = self.path.partition("?")[0].partition("#")[0].removeprefix("/") or "index.html"
        path = self.server.files.get(name)
        if path is None:
            self.send_error(
                HTTPStatus.NOT_FOUND, explain=f"The page has no file of this name. It is at {self.server.url}"
            )
            return None
        try:
            content = path.read_bytes()
        except OSError as error:
            gone = f"{name} cannot be read ({error.strerror}). Start tubelet serve again."
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, explain=gone)
            return None
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", _TYPES.get(path.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content


def _refused(host: str, port: int, error: Exception) -> str:
    """Why a port cannot be listened at, and what helps."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return f"port {port} is in use, perhaps by another page. Choose another with --port; 0 is any."
    if number == errno.EACCES:
        return f"port {port} is not allowed to this user. Choose one above 1023, as --port 8000."
    if isinstance(error, OverflowError):
        return f"port is {port}; it must lie between 0 and 65535. 8000 is the usual one."
    return f"{host}:{port} cannot be listened at ({error}). Choose an address of this machine, as 127.0.0.1."
