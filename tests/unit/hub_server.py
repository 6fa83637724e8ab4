"""A hub in this process: as much of the Hugging Face hub's protocol as pushing and fetching a model takes."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub(ThreadingHTTPServer):
    """Repositories as files by name, one state each; its port is chosen by the system."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.fetched: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def commit(self, repository: str) -> str:
        files = self.repositories[repository]
        return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


@contextmanager
def serving() -> Iterator[Hub]:
    """Serve until the block ends."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    yield hub
    hub.shutdown()
    hub.server_close()
    thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  as the library has it
        """Say nothing."""

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        match parts:
            case ["api", "models", owner, name, "revision", _] | ["api", "models", owner, name]:
                self._facts(f"{owner}/{name}")
            case ["api", "models", owner, name, "tree", _]:
                self._tree(f"{owner}/{name}")
            case [owner, name, "resolve", _, file]:
                self._file(f"{owner}/{name}", file)
            case _:
                self._answer(404, {})

    do_HEAD = do_GET  # noqa: N815  as the library has it

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match self.path.partition("?")[0].strip("/").split("/"):
            case ["api", "repos", "create"]:
                asked = json.loads(sent)
                name = f"{asked['organization']}/{asked['name']}"
                self.server.repositories.setdefault(name, {})
                self._answer(200, {"url": f"{self.server.address}/{name}"})
            case ["api", "validate-yaml"]:
                self._answer(200, {"errors": [], "warnings": []})
            case ["api", "models", _, _, "preupload", _]:
                files = [
                    {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for each in json.loads(sent)["files"]
                ]
                self._answer(200, {"files": files})
            case ["api", "models", owner, name, "commit", _]:
                self._commit(f"{owner}/{name}", sent)
            case _:
                self._answer(404, {})

    def _commit(self, repository: str, sent: bytes) -> None:
        for line in map(json.loads, sent.splitlines()):
            if line["key"] == "file":
                content = base64.b64decode(line["value"]["content"])
                self.server.repositories[repository][line["value"]["path"]] = content
        commit = self.server.commit(repository)
        url = f"{self.server.address}/{repository}/commit/{commit}"
        self._answer(200, {"commitUrl": url, "commitOid": commit, "success": True})

    def _facts(self, repository: str) -> None:
        if repository not in self.server.repositories:
            self._answer(404, {}, {"X-Error-Code": "RepoNotFound"})
            return
        siblings = [{"rfilename": name} for name in self.server.repositories[repository]]
        facts = {"id": repository, "sha": self.server.commit(repository), "siblings": siblings}
        self._answer(200, facts | {"private": False, "tags": [], "downloads": 0, "likes": 0})

    def _tree(self, repository: str) -> None:
        files = self.server.repositories[repository].items()
        tree = [{"type": "file", "path": name, "size": len(each), "oid": "0" * 40} for name, each in files]
        self._send(200, json.dumps(tree).encode(), "application/json", {})

    def _file(self, repository: str, name: str) -> None:
        content = self.server.repositories.get(repository, {}).get(name)
        if content is None:
            self._answer(404, {}, {"X-Error-Code": "EntryNotFound"})
            return
        if self.command == "GET":
            self.server.fetched.append(name)
        etag = hashlib.sha256(content).hexdigest()
        head = {"ETag": f'"{etag}"', "X-Repo-Commit": self.server.commit(repository)}
        self._send(200, content, "application/octet-stream", head)

    def _answer(self, code: int, content: dict[str, object], head: dict[str, str] | None = None) -> None:
        self._send(code, json.dumps(content).encode(), "application/json", head or {})

    def _send(self, code: int, content: bytes, kind: str, head: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **head}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
