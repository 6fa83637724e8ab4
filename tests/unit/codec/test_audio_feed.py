from fractions import Fraction

import pytest

from tubelet.codec.audio_feed import AudioFeed
from tubelet.video.audio import AudioPacket

TENTH = Fraction(1, 10)


def packets(*times: int) -> list[AudioPacket]:
    return [AudioPacket(data=bytes([i]), pts=t, dts=t, duration=1) for i, t in enumerate(times)]


@pytest.fixture
def feed():
    return AudioFeed(packets(-1, 0, 2, 5), time_base=TENTH)


def times(given) -> list[int]:
    return [packet.dts for packet in given]


def test_packets_come_up_to_the_time_and_no_further(feed):
    assert times(feed.until(Fraction(0))) == [-1, 0]
    assert times(feed.until(Fraction(1, 10))) == []
    assert times(feed.until(Fraction(4, 10))) == [2]


def test_every_packet_comes_once_and_in_order(feed):
    assert times(feed.until(Fraction(2, 10))) + times(feed.until(None)) == [-1, 0, 2, 5]
    assert times(feed.until(None)) == []


def test_no_more_than_one_packet_is_read_ahead():
    read = []
    feed = AudioFeed((read.append(p.dts) or p for p in packets(0, 1, 2, 3)), time_base=TENTH)
    list(feed.until(Fraction(0)))
    assert read == [0, 1]


def test_a_clip_without_sound_has_nothing_to_give():
    assert times(AudioFeed([], time_base=TENTH).until(None)) == []
