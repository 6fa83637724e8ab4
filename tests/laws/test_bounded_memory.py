"""Law 5: memory is flat in a clip's length; in its size it is frames in flight and the state of networks."""

import os
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from math import prod

import numpy as np
import pytest
from clips import LAW, make_clip, seeds
from hypothesis import given
from hypothesis import strategies as st

import tubelet
from tubelet.testing import check_state_is_bounded
from tubelet.video.write import Writer

_MEASURE = """
import os, sys
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
import resource, torch
torch.set_num_threads(1)
from tubelet import {function}
{function}(*sys.argv[1:], {options}force=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
IN_FLIGHT = 100
"""Bytes per pixel of a frame that a larger size may cost: a few runs of frames, and the video codecs."""

STATE = {"klt-4x8x8": (0, 0), "tubelet-m": (48, 144)}
"""Bytes per pixel of a frame that the encoder and the decoder of a tokenizer remember from step to step."""


def peak_mib(function, *paths, **options):
    """Peak resident set, in MiB, of a process that calls a file function."""
    given = "".join(f"{name}={value!r}, " for name, value in options.items())
    code = _MEASURE.format(function=function, options=given)
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1]) / 1024


def command_peak_mib(*arguments):
    """Peak resident set, in MiB, of a command with everything in it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tubelet", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss / 1024


def write_noise(path, *, frames, height, width):
    """A clip whose content a codec cannot make small by chance."""
    picture = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    with Writer(path, width=width, height=height, time_base=Fraction(1, 24)) as writer:
        for index in range(frames):
            writer.write(np.roll(picture, index, axis=1)[None], np.array([index]))
    return path


@LAW
@given(side=st.integers(1, 40), seed=seeds)
def test_what_a_stream_remembers_does_not_grow(any_tokenizer, side, seed):
    check_state_is_bounded(any_tokenizer, make_clip(any_tokenizer, (2, side, side), seed))


@pytest.mark.slow
@pytest.mark.parametrize("function", ["encode_file", "decode_file", "reconstruct_file"])
def test_peak_memory_is_flat_in_the_length_of_the_clip(tmp_path, function):
    peaks = []
    for times in (1, 2, 8):
        # Small frames, so that the shortest clip already fills the queues; 4096 of them would take 170 MiB.
        clip = write_noise(tmp_path / f"{times}.mp4", frames=512 * times, height=90, width=160)
        peaks.append(_peak_of(function, clip, tmp_path))
    assert max(peaks) < peaks[0] + 40, peaks


@pytest.mark.parametrize("name", STATE)
def test_the_state_of_a_stream_takes_what_is_stated(name):
    tokenizer = tubelet.load(name)
    height, width = 64, 96
    encoder = tokenizer.stream_encoder()
    decoder = tokenizer.stream_decoder(height=height, width=width)
    frame = np.zeros((1, height, width, 3), dtype=np.uint8)
    decoder.push(encoder.push_frames(frame))
    costs = tokenizer.model.encoder_footprint(), tokenizer.model.decoder_footprint()
    for stream, footprint, stated in zip((encoder, decoder), costs, STATE[name], strict=True):
        held = [tensor for past in stream.state().past for tensor in past or ()]
        taken = sum(tensor.numel() * tensor.element_size() for tensor in held)
        assert taken == stated * height * width
        assert footprint.remembered == stated * prod(tokenizer.stride[1:])


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", STATE)
@pytest.mark.parametrize("function", ["encode_file", "decode_file", "reconstruct_file"])
def test_peak_memory_grows_with_the_frames_in_flight_and_the_state_only(tmp_path, function, tokenizer):
    peaks = {}
    for height, width in ((360, 640), (720, 640), (1440, 1280)):
        clip = write_noise(tmp_path / f"{height}.mp4", frames=24, height=height, width=width)
        peaks[height * width] = _peak_of(function, clip, tmp_path, tokenizer=tokenizer)
    there, back = STATE[tokenizer]
    state = {"encode_file": there, "decode_file": back, "reconstruct_file": there + back}[function]
    sizes = sorted(peaks)
    for small, large in pairwise(sizes):
        # A run of frames has 8 MiB or one step whatever the size; several are under way, and by default the
        # C library keeps free blocks of up to 32 MiB for each thread.
        allowed = 128 + (IN_FLIGHT + state) * (large - small) / 2**20
        assert peaks[large] < peaks[small] + allowed, peaks


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the heap of other systems keeps what is free")
def test_full_hd_is_reconstructed_within_a_gibibyte(tmp_path):
    # So many that x264 holds as many as it ever does.
    clip = write_noise(tmp_path / "hd.mp4", frames=33, height=1080, width=1920)
    tube, back = tmp_path / "hd.tube", tmp_path / "back.mp4"
    peaks = {
        "encode": command_peak_mib("encode", clip, "-o", tube),
        "decode": command_peak_mib("decode", tube, "-o", back),
        "reconstruct": command_peak_mib("reconstruct", clip, "-o", tmp_path / "there.mp4"),
    }
    assert max(peaks.values()) <= 1024, peaks


def _peak_of(function, clip, folder, **options):
    tube = folder / f"{clip.stem}.tube"
    if function == "encode_file":
        return peak_mib(function, clip, tube, **options)
    if function == "decode_file":
        peak_mib("encode_file", clip, tube, **options)
        return peak_mib(function, tube, folder / "back.mp4")
    return peak_mib(function, clip, folder / "back.mp4", **options)
