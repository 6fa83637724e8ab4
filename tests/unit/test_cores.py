import os

import pytest

from tubelet import cores as module
from tubelet.cores import CODEC_THREADS, cores
from tubelet.video.source import opened


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000", 4),
        ("200000 100000", 2),
        ("50000 100000", 1),
        ("900000 100000", 4),
        ("nonsense", 4),
        (None, 4),
    ],
)
def test_the_quota_of_a_container_counts(quota, expected, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    path = tmp_path / "cpu.max"
    if quota is not None:
        path.write_text(quota + "\n")
    monkeypatch.setattr(module, "_QUOTA", path)
    assert cores() == expected


def test_decoders_have_few_threads_for_each_of_them_holds_frames(video_file):
    assert 1 <= CODEC_THREADS <= 4
    with opened(video_file()) as source:
        assert source.decoder.thread_count == CODEC_THREADS
