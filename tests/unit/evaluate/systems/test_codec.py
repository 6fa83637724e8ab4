"""Codecs as rivals: bytes and quality grow together, and nothing is random."""

import re
import sys
from fractions import Fraction

import numpy as np
import pytest

from tubelet.errors import OptionError, VideoError
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting
from tubelet.metrics.psnr import ClipPSNR
from tubelet.video.elementary import frames_to_stream

CRFS = {"x264": (18, 28, 38), "x265": (18, 28, 38), "svtav1": (20, 40, 60)}
FASTEST = {"x264": "ultrafast", "x265": "fast", "svtav1": "12"}
USUAL = {"x264": "medium", "x265": "fast", "svtav1": "10"}
RATE = Fraction(25)


@pytest.fixture(scope="module")
def clip(smooth) -> np.ndarray:
    """Smooth moving colours under a still texture, of odd size."""
    texture = np.random.default_rng(1).integers(0, 40, (1, 65, 81, 1), dtype=np.uint8)
    return smooth(6, 65, 81) // 2 + texture


def psnr(clip: np.ndarray, back: np.ndarray) -> float:
    metric = ClipPSNR()
    metric.update(clip, back)
    return metric.compute()


@pytest.mark.parametrize("name", CRFS)
def test_more_bytes_are_better_quality_and_the_same_each_time(clip, name):
    found = []
    for crf in CRFS[name]:
        system = open_system(f"{name}:crf={crf},preset={FASTEST[name]}", Setting(at_once=True))
        back = system.reconstruct(clip, RATE)
        assert back.frames.shape == clip.shape
        assert back.bytes_on_disk is not None
        found.append((back.bytes_on_disk, psnr(clip, back.frames)))
        again = system.reconstruct(clip, RATE)
        np.testing.assert_array_equal(again.frames, back.frames)
        assert again.bytes_on_disk == back.bytes_on_disk
    assert found == sorted(found, reverse=True), found
    assert len(set(found)) == len(found)


def test_a_size_that_an_encoder_refuses_is_named_with_its_settings_once(smooth):
    system = open_system("x265:crf=28,preset=fast", Setting(at_once=True))
    said = r"libx265 cannot code 7x9 with crf=28 preset=fast x265-params=\S+: Invalid argument\. Choose other"
    with pytest.raises(VideoError, match=f"^{said}"):
        system.reconstruct(smooth(2, 9, 7), RATE)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is zeroed by glibc alone")
@pytest.mark.parametrize(
    ("name", "height", "width"), [("x264", 100, 130), ("x265", 64, 64), ("svtav1", 64, 70)]
)
def test_what_lay_in_memory_before_changes_no_byte(name, height, width, smooth):
    clip = smooth(6, height, width)
    system = open_system(f"{name}:crf=28,preset={USUAL[name]}", Setting(at_once=True))
    random = np.random.default_rng(0)
    sizes = set()
    for _ in range(8):
        # Freed again at once, so that the encoder works where this rubbish lay.
        rubbish = [random.integers(0, 256, 1000 * (1 + each), dtype=np.uint8) for each in range(20)]
        del rubbish
        sizes.add(system.reconstruct(clip, RATE).bytes_on_disk)
    assert len(sizes) == 1


def test_the_text_of_an_encoder_about_itself_is_no_cost(clip):
    for name in CRFS:
        coding = open_system(f"{name}:crf=28,preset={FASTEST[name]}", Setting(at_once=True)).coding
        stream = frames_to_stream(clip, coding, rate=RATE)
        whole = b"".join(bytes(packet) for packet in stream.packets)
        text = re.search(rb"x26[45][ -~]{50,}", whole)
        spared = len(whole) - stream.bytes
        assert (0 if text is None else len(text[0])) <= spared < len(whole) / 2
        assert spared < 1000


def test_full_chroma_keeps_more_of_colours(smooth):
    colours = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    half, full = (
        open_system(f"x264:crf=4,preset=ultrafast,chroma={chroma}", Setting(at_once=True)).reconstruct(
            colours, RATE
        )
        for chroma in ("420", "444")
    )
    assert psnr(colours, full.frames) > psnr(colours, half.frames) + 10


def test_what_stands_still_in_grey_comes_back_unbiased():
    grey = np.full((3, 64, 64, 3), 77, np.uint8)
    for name in CRFS:
        back = open_system(f"{name}:crf=10,preset={FASTEST[name]}", Setting(at_once=True)).reconstruct(
            grey, RATE
        )
        assert np.abs(back.frames.astype(int) - 77).max() <= 1, name


@pytest.mark.parametrize(
    "text", ["x264:", "x264:crf=60", "x264:crf=28,preset=huge", "x264:28", "svtav1:crf=30,chroma=444"]
)
def test_settings_without_meaning_are_refused(text):
    with pytest.raises(OptionError, match=r"x264|svtav1"):
        open_system(text, Setting(at_once=True))
