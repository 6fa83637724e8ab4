import pytest
import torch
from safetensors.torch import load_file

import tubelet
from tubelet.data.crops import open_crops
from tubelet.data.feed import Draw, draw_batch
from tubelet.errors import OptionError, OutputError
from tubelet.train.loop import RunOptions
from tubelet.train.tokenizer.batches import to_video
from tubelet.train.tokenizer.export import export_run
from tubelet.train.tokenizer.task import train


@pytest.fixture
def trained(config, data, tmp_path):
    return train(config, data=data, options=RunOptions(folder=tmp_path / "run"))


def windows(data):
    draw = Draw(batch=32, frames=9, side=24)
    return to_video(draw_batch(open_crops(data), draw, seed=5, step=0, indices=range(32)))


@pytest.mark.usefixtures("trained")
def test_an_exported_latent_has_zero_mean_and_unit_variance(data, tmp_path):
    folder = export_run(tmp_path / "run", tmp_path / "mine", data=data)
    latent = tubelet.load(folder).encode(windows(data))[:, :, 1:]
    assert latent.mean(dim=(0, 2, 3, 4)).abs().max() < 0.15
    assert (latent.std(dim=(0, 2, 3, 4)) - 1).abs().max() < 0.15


def test_an_exported_tokenizer_is_the_averaged_one_but_for_rounding(trained, data, tmp_path):
    folder = export_run(tmp_path / "run", tmp_path / "mine", data=data)
    average = trained.network.tokenizer
    with torch.no_grad():
        for name, parameter in trained.network.named_parameters():
            parameter.copy_(trained.ema[name])
        video = windows(data)[:4]
        expected = average(video)
        video_again = tubelet.load(folder)(video)
    assert (video_again - expected).abs().max() < 0.01
    assert not torch.equal(
        expected, average.model.transform.inverse(average.model.transform(video[:, :, :8]))
    )


@pytest.mark.usefixtures("trained")
def test_networks_are_stored_in_a_byte_or_two_and_the_transform_in_four(data, tmp_path):
    folder = export_run(tmp_path / "run", tmp_path / "mine", data=data)
    kinds = {name: tensor.dtype for name, tensor in load_file(folder / "weights.safetensors").items()}
    assert kinds["decoder.blocks.0.look.map.weight"] == torch.bfloat16
    assert kinds["transform.levels.0.basis"] == torch.float32


@pytest.mark.usefixtures("trained")
def test_a_card_says_what_it_was_made_from(data, tmp_path):
    folder = export_run(tmp_path / "run", tmp_path / "mine", data=data)
    card = (folder / "card.md").read_text()
    assert "# mine" in card
    assert "18 crops of 3 clips" in card
    assert "8 iterations" in card


@pytest.mark.usefixtures("trained")
def test_a_checkpoint_is_not_overwritten_unasked(data, tmp_path):
    export_run(tmp_path / "run", tmp_path / "mine", data=data)
    with pytest.raises(OutputError, match="exists"):
        export_run(tmp_path / "run", tmp_path / "mine", data=data)
    export_run(tmp_path / "run", tmp_path / "mine", data=data, force=True)


def test_a_folder_without_a_run_is_named(data, tmp_path):
    with pytest.raises(OptionError, match="holds no run"):
        export_run(tmp_path, tmp_path / "mine", data=data)
