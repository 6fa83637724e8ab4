"""Programs of torch.export compute what the tokenizer computes, for frames of any size."""

import subprocess
import sys
import zipfile

import pytest
import torch
from einops import rearrange
from exported import NEAR, checkpoint_of, clip, near, parts_checkpoint
from two_parts import TwoParts

from tubelet.checkpoint import read_continuous
from tubelet.cli.contents import facts_of
from tubelet.cli.main import main
from tubelet.errors import CheckpointError, OptionError
from tubelet.interop.steps.facts import counts_name, text_to_facts
from tubelet.interop.torch_export import DECODER, ENCODER, FACTS, FILES, export_programs

CELLS = (3, 5)


@pytest.mark.filterwarnings("ignore")
@torch.no_grad()
def test_a_step_of_another_size_than_that_traced(network_made, tmp_path):
    folder = export_programs(checkpoint_of(network_made), tmp_path / "programs")
    (encoder, decoder, facts), model = loaded(folder), network_made.tokenizer.model
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
    facts = facts_of(target)
    assert (facts["written_as"], facts["name"], facts["stride"]) == ("torch-export", "network", "4x8x8")
    assert (facts["channels"], facts["files"]) == (
        12,
        {name: (target / name).stat().st_size for name in FILES},
    )
    assert facts_of(target / DECODER) == facts
    with pytest.raises(OptionError, match="not in int8"):
        export_programs(checkpoint_of(small_made), tmp_path / "eight", number_format="int8")


@pytest.mark.parametrize("damage", ["short", "without", "packed"])
def test_info_names_a_program_that_says_nothing(tmp_path, damage):
    path = tmp_path / ENCODER
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        name = "archive_format" if damage == "without" else FACTS
        archive.writestr(f"encoder/extra/{name}", b"0" * (1 << 25))
    if damage == "short":
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=str(path)):
        facts_of(tmp_path)


def loaded(folder):
    """Both programs and what they say of their tokenizer, as a program elsewhere reads them."""
    texts = {FACTS: ""}
    encoder = torch.export.load(folder / ENCODER, extra_files=texts).module()
    return encoder, torch.export.load(folder / DECODER).module(), text_to_facts(texts[FACTS], folder)


@torch.no_grad()
def assert_first_step_of_parts(made, folder):
    """A step of three by two cells, encoded and decoded by both."""
    encoder, decoder, facts = loaded(folder)
    t, h, w = facts.stride
    rows, columns = 3, 2
    video = clip(frames=t, height=rows * h, width=columns * w)
    model = made.tokenizer.model
    expected = model.encode_groups(video, None).latents

    def state(memory):
        past = torch.zeros(1, memory.channels, memory.side * rows, memory.side * columns)
        return [torch.tensor([True]), past] if memory.channels else []

    frames = rearrange(video, "1 c t h w -> 1 (t c) h w")
    found = encoder(frames, *state(facts.encoder_memory))
    parts = facts.latent_parts()
    latents = dict(zip([part.name for part in parts], found[: len(parts)], strict=True))
    near(latents, {name: rearrange(each, "1 c t h w -> 1 (t c) h w") for name, each in expected.items()})
    given = []
    for part in parts:
        assert counts_name(facts, part.name) == f"{part.name}_counts"
        steps, down, right = (whole // side for whole, side in zip(facts.stride, part.stride, strict=True))
        given += [latents[part.name], torch.full((1, steps, down * rows, right * columns), part.channels)]
    known = {part.name: torch.full((1, 1, 1, 1, 1), part.channels) for part in parts}
    back = model.decode_groups(expected, None, known).groups
    decoded = decoder(*given, *state(facts.decoder_memory))[0]
    torch.testing.assert_close(decoded, rearrange(back, "1 c t h w -> 1 (t c) h w"), **NEAR)


@pytest.mark.filterwarnings("ignore")
def test_a_latent_of_two_parts(tmp_path):
    made = parts_checkpoint(TwoParts())
    folder = export_programs(made, tmp_path / "two")
    assert_first_step_of_parts(made, folder)
    # Nothing of what it was traced with is stored.
    assert (folder / ENCODER).stat().st_size < 1e5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["tubelet-twin", "klt-4x8x8-motion"])
def test_the_command_writes_shipped_tokenizers_of_several_parts(name, tmp_path):
    # In a process of its own: the checks of shapes that tests switch on get in the way of the exporter.
    folder = tmp_path / "out"
    command = [sys.executable, "-m", "tubelet", "export", name, "-o", str(folder), "--format", "torch-export"]
    subprocess.run(command, check=True, capture_output=True)
    assert_first_step_of_parts(read_continuous(name), folder)
