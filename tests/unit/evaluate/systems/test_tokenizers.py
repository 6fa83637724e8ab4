"""Our tokenizers behind the door of an evaluation."""

from fractions import Fraction

import numpy as np
import pytest
from random_tokenizers import make_flow

from tubelet.checkpoint import load
from tubelet.codec.encode import encode_file
from tubelet.errors import CheckpointError, OptionError
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting
from tubelet.models.twin.config import TwinConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.video.pixels import from_model

RATE = Fraction(25)


@pytest.fixture(scope="module")
def clip(smooth) -> np.ndarray:
    return smooth(7, 20, 28)


def test_streams_and_all_at_once_give_the_same_frames(network_folder, clip):
    whole, streamed = (
        open_system(f"{network_folder}@5", Setting(at_once=at_once)).reconstruct(clip, RATE)
        for at_once in (True, False)
    )
    assert np.abs(whole.frames.astype(int) - streamed.frames).max() <= 1
    assert whole.numbers == streamed.numbers == 5 * 3 * 3 * 4
    assert whole.bytes_on_disk is whole.nominal_bits is None


def test_a_step_goes_through_a_file_whose_bytes_are_counted(small_folder, clip, tmp_path):
    back = open_system(f"{small_folder}@6:step=2", Setting(at_once=True)).reconstruct(clip, RATE)
    np.save(tmp_path / "clip.npy", clip)
    report = encode_file(
        tmp_path / "clip.npy", tmp_path / "clip.tube", tokenizer=small_folder, channels=6, step=2.0
    )
    assert back.bytes_on_disk == report.bytes_total
    assert back.entropy_bits == 8 * report.entropy_bytes
    assert back.frames.shape == clip.shape
    finer = open_system(f"{small_folder}@6:step=0.5", Setting(at_once=True)).reconstruct(clip, RATE)
    assert finer.bytes_on_disk > back.bytes_on_disk


def test_tokens_have_nominal_and_real_bits(token_folder, clip):
    system = open_system(str(token_folder), Setting(at_once=True))
    back = system.reconstruct(clip, RATE)
    positions = 3 * 3 * 4
    assert back.numbers == positions
    assert back.nominal_bits == pytest.approx(positions * np.log2(600))
    assert back.bytes_on_disk * 8 > back.entropy_bits > 0
    assert system.facts()["codebook_sizes"] == [600]


def test_facts_tell_systems_apart(small_folder, network_folder):
    texts = [f"{small_folder}@6", f"{small_folder}@7", f"{small_folder}@6:step=1", f"{network_folder}@6"]
    facts = [open_system(text, Setting(at_once=True)).facts() for text in texts]
    assert all(one != other for i, one in enumerate(facts) for other in facts[:i])


@pytest.mark.parametrize("tail", ["@13", "@0", ":step=0", ":step=x", ":colour=red"])
def test_options_without_meaning_are_refused(small_folder, tail):
    with pytest.raises(OptionError):
        open_system(f"{small_folder}{tail}", Setting(at_once=True))


def test_tokens_have_no_channels_to_choose(token_folder):
    with pytest.raises(OptionError, match="discrete"):
        open_system(f"{token_folder}@2", Setting(at_once=True))


def test_what_does_not_exist_is_named():
    with pytest.raises(CheckpointError, match="no-such"):
        open_system("no-such-tokenizer@4", Setting(at_once=True))


def test_a_latent_of_several_ordered_parts_keeps_all_of_them(tmp_path, clip):
    config = TwinConfig(
        name="twin", structure=4, dynamics=2, features=8,
        structure_blocks=0, dynamics_blocks=0, decoder_blocks=0,
    )  # fmt: skip
    folder = ContinuousTokenizer.of(config).save(tmp_path / "twin")
    system = open_system(str(folder), Setting(at_once=False))
    back = system.reconstruct(clip, RATE)
    assert back.frames.shape == clip.shape
    assert back.numbers == sum(part.numel() for part in system.latents(clip).values())
    assert system.representation is None
    with pytest.raises(OptionError, match="parts"):
        open_system(f"{folder}@4", Setting())


def test_a_flow_is_a_setting_of_a_system(tmp_path, clip):
    folder, setting = make_flow().save(tmp_path / "flow"), Setting(at_once=True)
    plain, refined, other = (
        open_system(f"{folder}@4{tail}", setting) for tail in ("", ":refine=2,seed=3", ":refine=2,seed=4")
    )
    backs = [each.reconstruct(clip, RATE).frames for each in (plain, refined, other)]
    latent = refined.latents(clip)["latent"]
    size = {"frames": 7, "height": 20, "width": 28}
    assert np.array_equal(backs[1], from_model(load(folder).refined(2, seed=3).decode(latent, **size)))
    assert not np.array_equal(backs[0], backs[1])
    assert not np.array_equal(backs[1], backs[2])
    assert (refined.facts()["refine"], refined.facts()["seed"], "refine" in plain.facts()) == (2, 3, False)
    # A file knows nothing of it: the same bytes are refined or not.
    files = [
        open_system(f"{folder}@4:step=2{tail}", setting).reconstruct(clip, RATE) for tail in ("", ",refine=2")
    ]
    assert files[0].bytes_on_disk == files[1].bytes_on_disk
    assert not np.array_equal(files[0].frames, files[1].frames)


@pytest.mark.parametrize("tail", ["refine=-1", "refine=x", "refine=65", "refine=2,seed=1.5"])
def test_steps_and_seeds_of_a_flow_are_whole_numbers(tmp_path, tail):
    folder = make_flow().save(tmp_path / "flow")
    with pytest.raises(OptionError, match=r"refine|seed"):
        open_system(f"{folder}@4:{tail}", Setting(at_once=True))
