"""Servers on the loopback that hold clips: one of HTTP, one of S3."""

import socket
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder, always whole: a range that is asked for is not heeded.

    Those below ``private`` need a password; of those below ``cut`` half comes, without a length.
    """

    def __init__(self, *arguments, requests, **more):
        self.requests = requests
        super().__init__(*arguments, **more)

    def send_head(self):
        self.requests.append((self.command, self.path))
        if "Range" in self.headers:
            self.requests.append(("Range", self.path))
        if self.path.startswith("/private/") and "Authorization" not in self.headers:
            self.send_error(401)
            return None
        return super().send_head()

    def do_GET(self):
        if not self.path.startswith("/cut/"):
            super().do_GET()
            return
        data = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])

    def log_message(self, *_):
        pass


class HttpServer:
    """A server that is running.

    Attributes:
        folder: what it holds.
        url: where it is.
        requests: method and path of each that came.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[tuple[str, str]] = []
        handler = partial(Handler, directory=str(folder), requests=self.requests)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class S3Server:
    """A moto server in a process of its own.

    Attributes:
        url: of its endpoint.
    """

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("the S3 server did not start")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
