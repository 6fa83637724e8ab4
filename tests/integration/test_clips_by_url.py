"""Commands on clips that lie on a server: the bytes and figures of local files."""

import io
import json
import os
import sys

import pytest
from servers import HttpServer

pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")


@pytest.fixture
def http(video_file, tmp_path):
    for name in ("a.mkv", "b.mkv"):
        os.utime(video_file(f"clips/{name}", frames=9, height=40, width=48), (10**9, 10**9))
    server = HttpServer(tmp_path / "clips")
    yield server
    server.close()


@pytest.fixture(autouse=True)
def folder(tmp_path):
    (tmp_path / "clips").mkdir()


def test_crops_are_those_of_local_files(cli, http, tmp_path):
    sizes = ("--crop", 32, "--frames", 5, "--per-clip", 4)
    names = ("a.mkv", "gone.mkv", "b.mkv")
    (tmp_path / "list.txt").write_text("".join(f"{http.url}/{name}\n" for name in names))
    ended = cli("prepare", tmp_path / "list.txt", "-o", tmp_path / "remote", *sizes, "--json", "-")
    assert ended.code == 1
    assert "gone.mkv" in ended.err
    figures = json.loads(ended.out)["figures"]
    assert (figures["crops"], figures["clips"], figures["failed"]) == (8, 2, ["gone.mkv"])
    (tmp_path / "local.txt").write_text("".join(f"clips/{name}\n" for name in names))
    assert cli("prepare", tmp_path / "local.txt", "-o", tmp_path / "local", *sizes).code == 1
    for name in ("crops-00000.npy", "crops-00002.npy"):
        assert (tmp_path / "remote" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


def test_figures_are_those_of_local_files(cli, http, tmp_path, small_folder, monkeypatch):
    def evaluated(name, source):
        given = ("--with", f"{small_folder}@4", "--workers", 1, "-o", tmp_path / name)
        ended = cli("evaluate", source, *given)
        assert ended.code == 0, ended.err
        figures = json.loads((tmp_path / name / "results.json").read_text())["figures"]
        (system,) = figures["systems"].values()
        (clip,) = system["clips"].values()
        return clip["figures"]

    remote = evaluated("remote", f"{http.url}/a.mkv")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{tmp_path}/clips/a.mkv\n"))
    assert remote == evaluated("local", "-")
    assert remote == evaluated("pattern", tmp_path / "clips" / "a*")
    assert remote["psnr_db"] > 0
