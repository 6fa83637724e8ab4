"""The server gives the page's files and nothing else."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tubelet.errors import OptionError
from tubelet.serve.server import PageServer


@pytest.fixture
def server(tmp_path) -> Iterator[PageServer]:
    (tmp_path / "index.html").write_text("<p>page</p>")
    (tmp_path / "secret.txt").write_text("secret")
    with PageServer({"index.html": tmp_path / "index.html"}, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: PageServer, path: str, method: str = "GET"):
    connection = HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_the_page_is_at_the_root(server):
    for path in ("/", "/index.html", "/?a=b", "/index.html?x#y"):
        answer, content = ask(server, path)
        assert (answer.status, content) == (200, b"<p>page</p>")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_head_is_an_answer_without_its_content(server):
    answer, content = ask(server, "/", "HEAD")
    assert (answer.status, answer.headers["Content-Length"], content) == (200, "11", b"")


@pytest.mark.parametrize("path", ["//[", "/%00", "/../index.html"])
def test_what_names_nothing_is_answered(server, path, capsys):
    assert ask(server, path)[0].status == 404
    assert capsys.readouterr().err == ""


def test_a_file_that_is_gone_is_answered_with_the_cure(server, tmp_path, capsys):
    (tmp_path / "index.html").unlink()
    answer, content = ask(server, "/")
    assert answer.status == 500
    assert b"No such file or directory" in content and b"Start tubelet serve again" in content
    assert capsys.readouterr().err == ""


def test_a_browser_that_goes_away_is_no_matter(server, tmp_path, capsys):
    (tmp_path / "index.html").write_bytes(bytes(1 << 26))
    with socket.create_connection(("127.0.0.1", server.server_address[1])) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        connection.recv(1)
    deadline = time.monotonic() + 10
    while threading.active_count() > 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("path", ["/", "/nothing"])
def test_every_answer_isolates_the_page(server, path):
    headers = ask(server, path)[0].headers
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert "http" not in policy
    assert "*" not in policy


@pytest.mark.parametrize(
    "path",
    [
        "/secret.txt",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "//secret.txt",
        "/etc/passwd",
        "/index.html/",
        "/%00",
    ],
)
def test_what_is_not_of_the_page_is_not_there(server, path):
    answer, content = ask(server, path)
    assert answer.status == 404
    assert b"secret" not in content.replace(path.encode(), b"")


def test_nothing_is_written_through_it(server):
    assert ask(server, "/", "POST")[0].status == 501


def test_it_listens_at_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_named_with_what_helps(server):
    port = server.server_address[1]
    with pytest.raises(OptionError, match=f"port {port} is in use.*--port; 0 is any"):
        PageServer({}, port=port)


@pytest.mark.parametrize("port", [-1, 65536, 1 << 40])
def test_a_port_that_cannot_be_is_named(port):
    with pytest.raises(OptionError, match=f"port is {port}; it must lie between 0 and 65535"):
        PageServer({}, port=port)


def test_an_address_of_another_machine_is_named():
    with pytest.raises(OptionError, match=r"192\.0\.2\.1:0 cannot be listened at .* 127\.0\.0\.1"):
        PageServer({}, host="192.0.2.1", port=0)


def test_an_address_that_is_none_is_named(tmp_path: Path):
    with pytest.raises(OptionError, match="cannot be listened at"):
        PageServer({}, host="not an address", port=0)
