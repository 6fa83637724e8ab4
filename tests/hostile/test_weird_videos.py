"""Every strange file of the shared collection gives frames, or an error that says why not."""

import warnings
from pathlib import Path

import pytest

from tubelet.errors import DamageWarning, LossWarning, VideoError
from tubelet.video.read import read

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "weird"
FILES = sorted(path for path in FOLDER.glob("*") if path.suffix != ".csv")

if not FILES:
    pytest.skip(f"the collection of strange videos is not at {FOLDER}", allow_module_level=True)

REFUSED = {
    "androidx_media__invalid-bitstream.webm": "gives no frame: 51 of 51 packets do not decode",
    "androidx_media__sample_audio_only_15s.mp4": "no video stream",
    "androidx_media__sample_fragmented_clearkey.mp4": "encrypted",
    "androidx_media__video_dovi_3840x2160_30fps_dav1_10.mp4": "no decoder",
    "androidx_media__video_init.mp4": "no frames",
    "cisco_openh264__CiscoVT2people_320x192_12fps.yuv": "raw planes have no header",
    "cisco_openh264__Error_I_P.264": "frame 2 is 640x480, those before are 352x288",
    "openmpf_openmpf__video_01_invalid.mp4": "cannot be read as video",
}

# Frames, height, width, and a word of each warning.
READ = {
    "Zulko_moviepy__transparent.webm": (150, 200, 200, ["transparency"]),
    "androidx_media__8k24fps_300ms.mp4": (2, 4320, 7680, []),
    "androidx_media__bbb_176x144_128kbps_15fps_h263.3gp": (15, 144, 176, []),
    "androidx_media__bear-vp9-odd-dimensions.webm": (30, 121, 161, []),
    "androidx_media__dolbyVision-hdr.MOV": (4, 1280, 720, ["10 bits", "HLG", "BT.2020", "Dolby"]),
    "androidx_media__hlg10-color-test.mp4": (9, 1080, 1920, ["10 bits", "HLG", "BT.2020"]),
    "androidx_media__sample-with-large-length.avi": (58, 144, 256, []),
    "androidx_media__sample.mkv": (30, 720, 1080, []),
    "androidx_media__sample_android_slow_motion.mp4": (7, 720, 1280, []),
    "androidx_media__sample_av1.mp4": (30, 720, 1080, []),
    "androidx_media__sample_portrait.mp4": (30, 1080, 720, []),
    "androidx_media__sample_rotate_and_reflect.mp4": (30, 1080, 720, []),
    "androidx_media__sample_vvc.mp4": (120, 180, 320, ["10 bits"]),
    "androidx_media__sample_with_fake_auxiliary_tracks.mp4": (5, 12, 10, ["timestamps"]),
    "androidx_media__video.mp4": (30, 360, 640, []),
    "cisco_openh264__jm_1080p_allslice.264": (1, 1080, 1920, ["timestamps"]),
    "dmlc_decord__corrupted.mp4": (49, 720, 1280, ["1 of 50 packets do not decode"]),
    "intel-iot-devkit_sample-videos__people-detection.gif": (23, 270, 480, []),
    "openpreserve_format-corpus__photo-jpeg.mov": (25, 240, 320, []),
    "openpreserve_format-corpus__png.mov": (25, 240, 320, []),
    "openpreserve_format-corpus__xdcam-hd-1080i50.mov": (25, 1062, 1416, ["interlaced", "not square"]),
}
LIMITS = {"androidx_media__8k24fps_300ms.mp4": 2}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_strange_file_gives_frames_or_says_why_not(path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if path.name in REFUSED:
            with pytest.raises(VideoError, match=REFUSED[path.name]):
                list(read(path))
            return
        count, size = 0, (0, 0)
        for run in read(path, run=4, stop=LIMITS.get(path.name)):
            count, size = count + len(run.frames), run.frames.shape[1:3]
    assert (count, *size) == READ[path.name][:3]
    assert {each.category for each in caught} <= {LossWarning, DamageWarning}
    messages = [str(each.message) for each in caught]
    assert len(messages) == len(READ[path.name][3])
    assert all(word in message for word, message in zip(READ[path.name][3], messages, strict=True))
