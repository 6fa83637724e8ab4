import json

import pytest
import torch

from tubelet.errors import CheckpointError, OptionError
from tubelet.interop.rivals import open_diffusers
from tubelet.interop.tiny import tiny_model


def test_a_pipeline_is_opened_by_its_folder_vae(tmp_path):
    tiny_model("AutoencoderTiny").save_pretrained(tmp_path / "vae")
    assert open_diffusers(tmp_path).name == "AutoencoderTiny"


def test_weights_come_back_as_they_were_stored(opened):
    stored, back = tiny_model("Wan 2.1").state_dict(), opened("Wan 2.1").model.state_dict()
    assert all(torch.equal(weights, back[name]) for name, weights in stored.items())


def test_pickled_weights_are_refused(tmp_path):
    tiny_model("AutoencoderTiny").save_pretrained(tmp_path, safe_serialization=False)
    with pytest.raises(CheckpointError, match="safetensors"):
        open_diffusers(tmp_path)


def test_a_folder_without_a_configuration_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        open_diffusers(tmp_path / "nowhere")


def test_an_unknown_class_is_refused_with_the_known_ones(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "UNet2DModel"}))
    with pytest.raises(OptionError, match="AutoencoderKLWan"):
        open_diffusers(tmp_path)
