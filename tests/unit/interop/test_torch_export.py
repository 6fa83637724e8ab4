"""Programs of torch.export compute what the tokenizer computes, for frames of any size."""

import pytest
import torch
from einops import rearrange
from exported import NEAR, checkpoint_of

from tubelet.cli.main import main
from tubelet.errors import OptionError
from tubelet.interop.steps.facts import text_to_facts
from tubelet.interop.torch_export import DECODER, ENCODER, FACTS, FILES, export_programs

CELLS = (3, 5)


@pytest.mark.filterwarnings("ignore")
@torch.no_grad()
def test_a_step_of_another_size_than_that_traced(network_made, tmp_path):
    folder = export_programs(checkpoint_of(network_made), tmp_path / "programs")
    texts = {FACTS: ""}
    encoder = torch.export.load(folder / ENCODER, extra_files=texts).module()
    decoder = torch.export.load(folder / DECODER).module()
    facts, model = text_to_facts(texts[FACTS], folder), network_made.tokenizer.model
    t, h, w = facts.stride
    generator = torch.Generator().manual_seed(1)
    video = torch.rand((1, 3, t, h * CELLS[0], w * CELLS[1]), generator=generator) * 2 - 1
    first, past = torch.tensor([True]), torch.zeros((1, facts.encoder_past, *CELLS))
    latent, _ = encoder(rearrange(video, "1 c t h w -> 1 (t c) h w"), first, past)
    expected = model.encode_groups(video, None).latents["latent"]
    torch.testing.assert_close(latent, expected[:, :, 0], **NEAR)
    counts = torch.full((1, 1, *CELLS), facts.channels)
    frames, _ = decoder(latent, counts, first, torch.zeros((1, facts.decoder_past, *CELLS)))
    back = model.decode_groups({"latent": expected}, None, {}).groups
    torch.testing.assert_close(frames, rearrange(back, "1 c t h w -> 1 (t c) h w"), **NEAR)


@pytest.mark.filterwarnings("ignore")
def test_the_command(small_made, network_folder, tmp_path, capsys):
    target = tmp_path / "out"
    assert main(["export", str(network_folder), "-o", str(target), "--format", "torch-export"]) == 0
    assert sorted(path.name for path in target.iterdir()) == sorted(FILES)
    assert "bench" not in capsys.readouterr().out
    with pytest.raises(OptionError, match="not in int8"):
        export_programs(checkpoint_of(small_made), tmp_path / "eight", number_format="int8")
