"""Sources by URL, from real servers on the loopback."""

import os
import warnings
from pathlib import Path

import pytest
from servers import HttpServer, S3Server

from tubelet.errors import DamageWarning, OptionError, VideoError
from tubelet.files.urls import is_url, without_secrets
from tubelet.jobs.files.plan import plan_files
from tubelet.jobs.files.run import make_files
from tubelet.jobs.identity import Digests, signature_of
from tubelet.jobs.remote import LocalCopies
from tubelet.jobs.sources import local_copies, read_sources
from tubelet.video.ranges import open_any, path_of

pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")


@pytest.fixture
def http(tmp_path):
    folder = tmp_path / "served"
    (folder / "clips" / "sub").mkdir(parents=True)
    for name, text in (("a.mp4", "one"), ("b c.mp4", "two"), ("sub/a.mp4", "three"), ("notes.md", "none")):
        (folder / "clips" / name).write_text(text)
        os.utime(folder / "clips" / name, (10**9, 10**9))
    server = HttpServer(folder)
    yield server
    server.close()


def test_a_url_is_shown_without_what_opens_doors():
    shown = {
        "https://me:secret@host/a.mp4": "https://host/a.mp4",
        "https://host/a.mp4?X-Amz-Signature=1&x=2": "https://host/a.mp4",
        "https://host/a.mp4?sig=abc": "https://host/a.mp4",
        "https://host/a?id=5": "https://host/a?id=5",
        "s3://bucket/key a.mp4": "s3://bucket/key a.mp4",
        "encode 'https://u:p@host/a' -o b": "encode 'https://host/a' -o b",
        "a/b.mp4": "a/b.mp4",
    }
    assert {url: without_secrets(url) for url in shown} == shown
    assert is_url("s3://b/a") and not is_url("a/b://c") and not is_url("c:/windows.mp4")


def test_a_file_a_folder_and_lists_by_url(http):
    (row,) = read_sources([f"{http.url}/clips/a.mp4"])
    assert (row.name, row.below) == (f"{http.url}/clips/a.mp4", "a.mp4")
    (http.folder / "clips" / "list.csv").write_text("path,start,caption\na.mp4,1.5,one\nsub/a.mp4,,\n")
    (http.folder / "clips" / "list.jsonl").write_text('{"path": "a.mp4", "start": 1.5}\n')
    rows = read_sources([f"{http.url}/clips/list.csv", f"{http.url}/clips/list.jsonl"])
    assert [(row.path, row.start) for row in rows] == [
        (f"{http.url}/clips/a.mp4", 1.5),
        (f"{http.url}/clips/sub/a.mp4", None),
        (f"{http.url}/clips/a.mp4", 1.5),
    ]
    assert rows[1].below == "sub/a.mp4"
    for missing in ("no.csv", "none/"):
        with pytest.raises(OptionError, match=f"{http.url}/{missing}"):
            read_sources([f"{http.url}/{missing}"])


def test_a_copy_has_the_bytes_is_made_once_and_removed(http):
    url = f"{http.url}/clips/a.mp4"
    with LocalCopies() as copies:
        path = copies.path(url)
        assert path.name == "a.mp4" and path.read_text() == "one" and copies.path(url) == path
        assert http.requests.count(("GET", "/clips/a.mp4")) == 1
        (http.folder / "clips" / "a.mp4").write_text("other")
        assert copies.path(url).read_text() == "other"
        other = copies.path(f"{http.url}/clips/sub/a.mp4")
        assert other.read_text() == "three" and copies.path("here.mp4") == Path("here.mp4")
    assert not path.exists() and not other.exists()


def test_what_is_not_there_or_not_allowed_is_named_without_the_password(http):
    with LocalCopies() as copies, pytest.raises(VideoError, match=f"{http.url}/no.mp4: no such file"):
        copies.path(f"{http.url}/no.mp4")
    (http.folder / "private").mkdir()
    (http.folder / "private" / "a.mp4").write_text("secret video")
    address = http.url.removeprefix("http://")
    with LocalCopies() as copies:
        assert copies.path(f"http://me:pass@{address}/private/a.mp4").read_text() == "secret video"
        with pytest.raises(VideoError, match="401") as refusal:
            copies.path(f"{http.url}/private/a.mp4?token=hush")
    assert "hush" not in str(refusal.value)


def test_a_server_need_know_no_ranges_because_files_are_copied_whole(http, video_file):
    path = video_file("served/clips/film.mkv", frames=5)
    (row,) = read_sources([f"{http.url}/clips/film.mkv"])
    row = row._replace(start=0.08)
    with local_copies([row]) as copies, copies.opened(row.video) as video:
        assert path_of(video).read_bytes() == path.read_bytes()
        with open_any(video) as opened:
            assert sum(len(run.frames) for run in opened.runs()) == 3
    assert ("Range", "/clips/film.mkv") not in http.requests


def test_an_answer_that_is_cut_off_is_no_file(http, monkeypatch):
    monkeypatch.setattr("tubelet.jobs.remote._PAUSE", 0.0)
    (http.folder / "cut").mkdir()
    (http.folder / "cut" / "a.mp4").write_text("eleven bytes"[:-1])
    with LocalCopies() as copies, pytest.raises(VideoError, match="5 of 11 bytes came"):
        copies.path(f"{http.url}/cut/a.mp4")


def test_a_server_that_is_gone_is_an_error_that_names_the_url(http, monkeypatch):
    monkeypatch.setattr("tubelet.jobs.remote._PAUSE", 0.0)
    http.close()
    with LocalCopies() as copies, pytest.raises(VideoError, match=f"{http.url}/clips/a.mp4 cannot be read"):
        Digests(copies).of(f"{http.url}/clips/a.mp4")


def test_a_signature_changes_with_the_file_and_is_none_without_it(http):
    url, path = f"{http.url}/clips/a.mp4", http.folder / "clips" / "a.mp4"
    before = signature_of(url)
    assert (
        before is not None and (before.bytes, before.changed) == (3, 10**18) and signature_of(url) == before
    )
    path.write_text("four")
    assert signature_of(url) != before
    path.unlink()
    assert signature_of(url) is None


def test_messages_name_the_url_and_not_the_copy(http):
    (row,) = read_sources([f"{http.url}/clips/a.mp4"])
    with local_copies([row]) as copies:
        with pytest.raises(VideoError) as refusal, copies.opened(row.video) as video:
            raise VideoError(f"{path_of(video)} is junk")
        assert str(refusal.value) == f"{http.url}/clips/a.mp4 is junk"
        with pytest.warns(DamageWarning) as heard, copies.opened(row.video) as video:
            warnings.warn(f"{path_of(video)} is cut", DamageWarning, stacklevel=1)
        assert str(heard[0].message) == f"{http.url}/clips/a.mp4 is cut"


def test_files_are_made_of_urls_once(http, tmp_path):
    made = []

    def make(video, target):
        made.append(path_of(video).name)
        target.write_text(path_of(video).read_text().upper())
        return {}

    (tmp_path / "list.txt").write_text(f"{http.url}/clips/a.mp4?token=hush\n{http.url}/clips/no.mp4\n")
    rows = read_sources([str(tmp_path / "list.txt")])
    folder = tmp_path / "out"
    for expected in (["a.mp4"], []):
        made.clear()
        report = make_files(plan_files(rows, folder, ".tube"), folder, make, made_from={})
        assert made == expected and list(report.failed) == [f"{http.url}/clips/no.mp4"]
    assert (folder / "a.tube").read_text() == "ONE"
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"hush" not in stored and f"{http.url}/clips/a.mp4".encode() in stored


@pytest.fixture(scope="module")
def s3():
    pytest.importorskip("moto", reason="the package moto is not installed")
    pytest.importorskip("s3fs", reason="the extra `remote` is not installed")
    server = S3Server()
    yield server
    server.close()


def test_a_bucket_is_listed_and_read(s3, tmp_path, monkeypatch):
    import fsspec  # noqa: PLC0415  an extra

    for name, value in (
        ("AWS_ENDPOINT_URL", s3.url),
        ("AWS_ACCESS_KEY_ID", "me"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdir("bucket")
    for name, text in (("a.mp4", "one"), ("sub/b.mp4", "two"), ("notes.md", "no")):
        system.pipe_file(f"bucket/clips/{name}", text.encode())
    system.pipe_file("bucket/clips/list.csv", b"path,end\nsub/b.mp4,3\n")
    rows = read_sources(["s3://bucket/clips"])
    assert [(row.name, row.below) for row in rows] == [
        ("s3://bucket/clips/a.mp4", "a.mp4"),
        ("s3://bucket/clips/sub/b.mp4", "sub/b.mp4"),
    ]
    assert [row.path for row in read_sources(["s3://bucket/clips/*.mp4"])] == ["s3://bucket/clips/a.mp4"]
    (row,) = read_sources(["s3://bucket/clips/list.csv"])
    assert (row.path, row.end) == ("s3://bucket/clips/sub/b.mp4", 3.0)
    with LocalCopies() as copies:
        digests = Digests(copies)
        source = digests.of(row.path)
        assert copies.path(row.path).read_text() == "two" and source.signature.number
        unchanged = {"known": source.signature, "written": 10**18}
        assert digests.is_unchanged(row.path, source.sha256, **unchanged)
        system.pipe_file("bucket/clips/sub/b.mp4", b"TWO")
        assert not digests.is_unchanged(row.path, source.sha256, **unchanged)
        with pytest.raises(VideoError, match=r"s3://bucket/clips/no\.mp4: no such file"):
            copies.path("s3://bucket/clips/no.mp4")
