"""Files whose frames a flow refines: whole, in parts, and those of the tokenizer that it refines."""

import numpy as np
import pytest
import torch
from commands import refused
from random_tokenizers import make_flow

import tubelet
from tubelet.errors import CheckpointError, OptionError
from tubelet.tokenizers.continuous import ContinuousTokenizer


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tokenizer with a flow, and the one that it refines, which a clip was encoded with."""
    place, flow = tmp_path_factory.mktemp("tokenizers"), make_flow()
    base = ContinuousTokenizer(flow.model.base, config=flow.config.base)
    return flow.save(place / "flow"), base.save(place / "plain")


@pytest.fixture(scope="module")
def tube(folders, tmp_path_factory):
    place = tmp_path_factory.mktemp("files")
    random = np.random.default_rng(0)
    np.save(place / "in.npy", random.integers(0, 256, (21, 20, 28, 3), dtype=np.uint8))
    tubelet.encode_file(place / "in.npy", place / "in.tube", tokenizer=folders[1], channels=4)
    return place / "in.tube"


def test_what_a_file_holds_is_refined_as_its_latent_is(folders, tube):
    flow, plain = folders
    with tubelet.open_tube(tube, tokenizer=plain) as file:
        latent, unrefined = file.latent(), file[:]
    decoder = tubelet.load(flow).refined(3, seed=5).stream_decoder(frames=21, height=20, width=28)
    with tubelet.open_tube(tube, tokenizer=flow, refine=3, seed=5) as file:
        refined = file[:]
        assert np.array_equal(refined, decoder.push_frames(latent))
        assert np.array_equal(file[9:14], refined[9:14])
        assert np.array_equal(file[20], refined[20])
    with tubelet.open_tube(tube, tokenizer=flow, refine=3, seed=6) as file:
        assert not np.array_equal(file[:], refined)
    with tubelet.open_tube(tube, tokenizer=flow) as file:
        assert np.array_equal(file[:], unrefined)


def test_a_part_is_decoded_as_in_the_whole_by_the_command_too(cli, folders, tube, tmp_path):
    flow = folders[0]
    whole, part = tmp_path / "whole.npy", tmp_path / "part.npy"
    options = ["--tokenizer", flow, "--refine", "2", "--seed", "7"]
    assert cli("decode", tube, "-o", whole, *options).code == 0
    assert cli("decode", tube, "-o", part, *options, "--start", "0.4").code == 0
    last = np.load(part)
    assert 0 < len(last) < 21
    assert np.array_equal(np.load(whole)[-len(last) :], last)


def test_a_reconstruction_is_what_its_file_decodes_to(folders, tube, tmp_path):
    flow, target = folders[0], tmp_path / "back.npy"
    tubelet.reconstruct_file(tube.with_name("in.npy"), target, tokenizer=flow, channels=4, refine=2, seed=3)
    with tubelet.open_tube(tmp_path / "back.tube", tokenizer=flow, refine=2, seed=3) as file:
        assert np.array_equal(file[:], np.load(target))


def test_a_tokenizer_that_refines_nothing_says_so(cli, folders, tube, tmp_path):
    with pytest.raises(OptionError, match=r"refine is 4, and this tokenizer has no flow"):
        tubelet.open_tube(tube, tokenizer=folders[1], refine=4)
    ended = cli("decode", tube, "-o", tmp_path / "x.npy", "--tokenizer", folders[1], "--refine", "4")
    assert refused(ended, 2, "no flow", "refine in 0 steps")
    with pytest.raises(OptionError, match="refine is -1"):
        tubelet.open_tube(tube, tokenizer=folders[0], refine=-1)


@pytest.mark.parametrize("seed", [0, 3])
def test_a_seed_of_nothing_is_refused(cli, folders, tube, tmp_path, seed):
    source, target, flow = tube.with_name("in.npy"), tmp_path / "x.npy", folders[0]
    rule = (f"seed is {seed} and refine is 0", "leave the seed out")
    common = ("--tokenizer", flow, "--seed", str(seed))
    assert refused(cli("decode", tube, "-o", target, *common), 2, *rule)
    assert refused(cli("reconstruct", source, "-o", target, *common), 2, *rule)
    assert refused(cli("demo", "-o", tmp_path / "demo", *common), 2, *rule)
    for call in (
        lambda: tubelet.open_tube(tube, tokenizer=flow, seed=seed),
        lambda: tubelet.decode_file(tube, target, tokenizer=flow, seed=seed),
        lambda: tubelet.reconstruct_file(source, target, tokenizer=flow, seed=seed),
    ):
        with pytest.raises(OptionError, match=rule[0]):
            call()
    assert not list(tmp_path.iterdir())


def test_a_flow_of_another_tokenizer_does_not_decode_the_file(folders, tube, tmp_path):
    flow = tubelet.load(folders[0])
    with torch.no_grad():
        flow.model.base.decoder.leave.bias.add_(1)
    other = flow.save(tmp_path / "other")
    with pytest.raises(CheckpointError, match="was made with the tokenizer 'plain'"):
        tubelet.open_tube(tube, tokenizer=other)
