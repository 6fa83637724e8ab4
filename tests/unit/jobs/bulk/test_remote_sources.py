"""A data set of videos that lie on a server."""

import os

import pytest
from bulk_records import records_of
from servers import HttpServer

pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")


@pytest.fixture
def http(clips):
    for path in clips.iterdir():
        os.utime(path, (10**9, 10**9))  # what changed a moment ago is not believed
    server = HttpServer(clips)
    yield server
    server.close()


def test_clips_by_url_give_the_latents_of_the_files_once(encode, here, http, clips, tmp_path):
    (tmp_path / "list.txt").write_text("".join(f"{http.url}/{n}.mkv?token=hush\n" for n in (0, 1, 2, 7)))
    report = encode(tmp_path / "list.txt")
    assert (report.encoded, report.failed) == (3, 1)
    local = tmp_path / "local.txt"
    local.write_text("".join(f"{clips}/{n}.mkv\n" for n in range(3)))
    encode(local, to="local")
    remote = {record.facts["source"]: record for record in records_of(tmp_path / "out").values()}
    assert set(remote) == {f"{http.url}/{n}.mkv" for n in range(3)}
    for record in records_of(tmp_path / "local").values():
        name = f"{http.url}/{record.facts['source'].rpartition('/')[2]}"
        assert remote[name].arrays == record.arrays
        assert remote[name].facts["source_sha256"] == record.facts["source_sha256"]
    stored = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert b"hush" not in stored
    assert f'"path": "{http.url}/7.mkv", "reason": "{http.url}/7.mkv: no such file' in (
        tmp_path / "out" / "errors.jsonl"
    ).read_text(encoding="utf-8")
    # What is done is not copied again, what vanished has not changed, and what changed is encoded again.
    http.requests.clear()
    (clips / "0.mkv").unlink()
    (clips / "1.mkv").write_bytes((clips / "5.mkv").read_bytes())
    report = encode(tmp_path / "list.txt")
    assert (report.encoded, report.kept, report.failed) == (1, 2, 1)
    assert here.encoded == [f"{http.url}/1.mkv", f"{http.url}/7.mkv"]
    assert "/2.mkv" not in {path.split("?")[0] for method, path in http.requests if method == "GET"}


def test_a_folder_of_a_server_is_listed(encode, http):
    assert encode(f"{http.url}/").encoded == 6


def test_ranges_of_a_video_by_url_copy_it_once(encode, http, tmp_path):
    rows = "".join(f"{http.url}/5.mkv,{number / 100},{(number + 20) / 100}\n" for number in range(0, 40, 20))
    (tmp_path / "list.csv").write_text(f"path,start,end\n{rows}{http.url}/4.mkv,,\n")
    http.requests.clear()
    assert encode(tmp_path / "list.csv", shard_bytes=10**9).encoded == 3
    copied = [path for method, path in http.requests if method == "GET" and path == "/5.mkv"]
    # Once to see how large latents are, for each range that is looked at, and once to encode.
    assert 2 <= len(copied) <= 3
