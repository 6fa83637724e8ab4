"""A tokenizer along motion on the command line: fitted, used, and its motion drawn."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from tubelet.bitstream import TubeReader
from tubelet.cli.main import main
from tubelet.priors.files import model_for
from tubelet.report.motion_field import read_field


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Noise of 4 x 4 pixels that slides to the left by 2 pixels a frame."""
    folder = tmp_path_factory.mktemp("clips")
    for seed in range(3):
        coarse = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        still = coarse.repeat(4, axis=0).repeat(4, axis=1)
        np.save(folder / f"{seed}.npy", np.stack([still[:144, 2 * t : 208 + 2 * t] for t in range(9)]))
    return folder


@pytest.fixture(scope="module")
def fitted(clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit") / "klt-mine"
    words = ["fit-klt", clips, "--stride", "4x8x8", "--motion", "--channels", 24, "--runs", 1, "-o", folder]
    assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture(scope="module")
def tube(clips, fitted):
    target = fitted.parent / "a.tube"
    words = ["encode", clips / "0.npy", "-o", target, "--tokenizer", fitted]
    assert main([str(word) for word in words]) == 0
    return target


def test_it_decodes_and_says_what_it_holds(cli, fitted, tube):
    back = tube.parent / "back.npy"
    assert cli("decode", tube, "-o", back, "--tokenizer", fitted, "--channels", "16").code == 0
    assert np.load(back).shape == (9, 144, 208, 3)
    facts = json.loads(cli("info", tube, "--json").out)
    assert [part["name"] for part in facts["parts"]] == ["motion", "plain", "content"]
    assert json.loads(cli("info", fitted, "--json").out)["channels"] == 24


def test_the_file_knows_where_things_go(tube):
    with TubeReader(tube, model_for) as reader:
        field = read_field(reader, tube)
    assert list(field.steps) == [0, 1, 2] and not field.steps[0].any()
    # Frames 1 to 4 of a step: three times two pixels to the left.
    assert np.median(field.steps[1][0]) == -6 and np.median(field.steps[1][1]) == 0


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="an extra: tubelet[plots]")
def test_its_motion_is_drawn(cli, tube):
    picture = tube.parent / "field.png"
    ended = cli("info", tube, "--motion", picture)
    assert ended.code == 0 and picture.stat().st_size > 1000
    assert ended.out.splitlines()[-1].split() == ["motion", str(picture)]


def test_what_a_fit_along_motion_cannot_do_is_said(cli, clips, tmp_path):
    ended = cli("fit-klt", clips, "--motion", "--start", "klt-4x8x8", "-o", tmp_path / "a")
    assert ended.code == 2 and "--motion fits all" in ended.err
    ended = cli("fit-klt", clips, "--motion", "--stride", "1x8x8", "-o", tmp_path / "a")
    assert ended.code == 2 and "2 to 32 frames" in ended.err
