"""The end of a damaged video is the same whatever the number of threads that decode it."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet

from tubelet.video import last_packets
from tubelet.video.last_packets import LastPackets
from tubelet.video.source import opened

CODECS = {
    "png": ("rgb24", ".mov", {}),
    "ffv1": ("yuv420p", ".mkv", {"g": "1"}),
    "mpeg4": ("yuv420p", ".mp4", {"b": "4000000", "g": "5"}),
}


def broken(path: Path, numbers: tuple[int, ...]) -> Path:
    """The same film, in which bytes that no decoder takes stand in place of some packets."""
    target = path.with_stem("broken")
    with av.open(str(path)) as source, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for number, whole in enumerate(each for each in source.demux(video=0) if each.size):
            packet = Packet(b"\x55" * 200) if number in numbers else whole
            packet.pts, packet.dts, packet.time_base = whole.pts, whole.dts, whole.time_base
            packet.duration, packet.stream = whole.duration, stream
            output.mux(packet)
    return target


def read(path: Path, threads: int) -> tuple[list[np.ndarray], str]:
    """Every frame, and what is said of damage."""
    with opened(path, threads) as source:
        assert source.decoder.thread_count == threads
        frames = [frame.to_ndarray() for frame in source.frames()]
        return frames, str(source.damage)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("numbers", [(9,), (11,), (8, 11), (3, 9), (10, 11)])
def test_threads_lose_no_frame_behind_a_broken_packet(
    film: Callable[..., Path], clip: Callable[..., np.ndarray], codec: str, numbers: tuple[int, ...]
):
    pixel_format, suffix, options = CODECS[codec]
    path = film(f"film{suffix}", clip(12, 48, 64), codec=codec, pixel_format=pixel_format, options=options)
    frames, said = read(broken(path, numbers), 1)
    assert len(frames) >= 12 - len(numbers) - 1
    assert said.startswith(f"{len(numbers)} of 12 packets do not decode")
    for threads in (2, 3, 4, 7):
        others, same = read(path.with_stem("broken"), threads)
        assert np.array_equal(others, frames)
        assert same == said


def packet(size: int, *, key: bool) -> Packet:
    made = Packet(size)
    made.is_keyframe = key
    return made


def test_packets_are_kept_from_a_key_frame_on_and_as_many_as_may_be_held():
    last = LastPackets(3)
    assert list(last) == []
    sent = [packet(10, key=number % 4 == 1) for number in range(12)]
    for number, each in enumerate(sent):
        last.add(each)
        last.add(Packet())
        kept = list(last)
        assert all(
            one is other for one, other in zip(kept, sent[number + 1 - len(kept) : number + 1], strict=True)
        )
        assert not kept or kept[0].is_keyframe
        assert len(kept) >= min(3, number)
        assert len(kept) <= 4 + 3
    last.clear()
    assert list(last) == []


def test_of_key_frames_alone_few_are_kept():
    last = LastPackets(4)
    for _ in range(100):
        last.add(packet(10, key=True))
        assert len(list(last)) <= 8
    assert len(list(last)) >= 4


def test_packets_without_end_are_not_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(last_packets, "_MOST_BYTES", 1000)
    last = LastPackets(2)
    last.add(packet(10, key=True))
    for _ in range(200):
        last.add(packet(10, key=False))
        assert sum(each.size for each in last) <= 1000
    assert list(last) == []
    last.add(packet(10, key=True))
    assert len(list(last)) == 1
