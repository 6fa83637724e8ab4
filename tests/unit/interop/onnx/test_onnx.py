"""An exported tokenizer gives what the tokenizer gives, in streams and tiles too."""

import json
import shutil

import pytest
import torch
from exported import NEAR, checkpoint_of, clip, discrete_checkpoint, same_tokens

from tubelet.checkpoint import Checkpoint, read_continuous
from tubelet.cli.contents import facts_of
from tubelet.cli.main import main
from tubelet.codec.decode import decode_file
from tubelet.codec.encode import encode_file
from tubelet.errors import CheckpointError, OptionError, OutputError
from tubelet.evaluate.cases import AbsentError
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting
from tubelet.interop.onnx.export import DECODER, ENCODER, FILES, export_onnx
from tubelet.interop.onnx.opening import read_onnx, read_onnx_discrete
from tubelet.interop.steps.facts import facts_to_text, text_to_facts
from tubelet.interop.steps.loss import measured_loss
from tubelet.quantizers.bsq import BSQ
from tubelet.quantizers.residual_vq import ResidualVQ
from tubelet.quantizers.vq import VQ
from tubelet.tokenizers.discrete import DiscreteTokenizer

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.fixture(scope="module")
def folder(network_made, tmp_path_factory):
    return export_onnx(checkpoint_of(network_made), tmp_path_factory.mktemp("onnx") / "network")


@pytest.fixture(scope="module")
def exported(folder):
    return read_onnx(folder, threads=1).tokenizer


@pytest.fixture(scope="module")
def video():
    return clip(clips=2)


@torch.no_grad()
def test_clips_of_any_length_and_size(network_tokenizer, exported, video):
    latent = network_tokenizer.encode(video)
    torch.testing.assert_close(exported.encode(video), latent, **NEAR)
    size = {"frames": 10, "height": 44, "width": 60}
    for channels in (12, 5, 1):
        expected = network_tokenizer.decode(latent[:, :channels], **size)
        torch.testing.assert_close(exported.decode(latent[:, :channels], **size), expected, **NEAR)


@torch.no_grad()
def test_streams_and_tiles_give_what_the_whole_clip_gives(exported, video):
    clip, whole = video[:1], exported.encode(video[:1])
    for tile in (None, (3, 4)):
        encoder = exported.stream_encoder(tile=tile)
        pieces = [encoder.push(run) for run in clip.split([1, 2, 3, 4], dim=2)]
        torch.testing.assert_close(torch.cat([*pieces, encoder.finish()], dim=2), whole, **NEAR)
        decoder = exported.stream_decoder(frames=10, height=44, width=60, tile=tile)
        back = torch.cat([decoder.push(steps) for steps in whole.split(1, dim=2)], dim=2)
        torch.testing.assert_close(back, exported.decode(whole, frames=10, height=44, width=60), **NEAR)


@torch.no_grad()
def test_a_distribution_and_fewer_channels(make_tokenizer, tmp_path, video):
    made = make_tokenizer(width=8, encoder_blocks=1, decoder_blocks=1, variational=True)
    exported = read_onnx(export_onnx(checkpoint_of(made), tmp_path / "few", channels=5)).tokenizer
    expected, found = made.tokenizer.posterior(video), exported.posterior(video)
    torch.testing.assert_close(found.mean, expected.mean[:, :5], **NEAR)
    torch.testing.assert_close(found.log_variance, expected.log_variance[:, :5], **NEAR)


def test_a_linear_tokenizer_remembers_nothing(small_made, tmp_path, video):
    folder = export_onnx(checkpoint_of(small_made), tmp_path / "linear")
    inputs = [each.name for each in onnx.load(folder / ENCODER).graph.input]
    assert inputs == ["frames"]
    latent = read_onnx(folder).tokenizer.encode(video)
    torch.testing.assert_close(latent, small_made.tokenizer.encode(video), **NEAR)


@pytest.fixture(scope="module")
def digits_folder(network_made, tmp_path_factory):
    return export_onnx(discrete_checkpoint(network_made), tmp_path_factory.mktemp("onnx") / "digits")


@torch.no_grad()
def test_a_discrete_tokenizer_gives_and_takes_its_digits(network_made, digits_folder, video):
    made, exported = discrete_checkpoint(network_made).tokenizer, read_onnx_discrete(digits_folder).tokenizer
    grid = made.tokenize(video)
    assert same_tokens(exported.tokenize(video), grid)
    torch.testing.assert_close(exported.detokenize(grid), made.detokenize(grid), **NEAR)
    for tile in (None, (3, 4)):
        encoder = exported.stream_encoder(tile=tile)
        digits = torch.cat([*(encoder.push(run) for run in video.split([3, 7], dim=2)), encoder.finish()], 2)
        assert (digits != grid.digits).float().mean() < 1e-3
        decoder = exported.stream_decoder(frames=10, height=44, width=60, tile=tile)
        back = torch.cat([decoder.push(steps) for steps in grid.digits.split(1, dim=2)], dim=2)
        torch.testing.assert_close(back, made.detokenize(grid), **NEAR)


@torch.no_grad()
def test_signs_are_digits_too(network_made, video, tmp_path):
    quantizer, generator = BSQ(12), torch.Generator().manual_seed(0)
    quantizer.fit(torch.randn(50, 12, generator=generator), generator=generator)
    made = DiscreteTokenizer(network_made.tokenizer, quantizer)
    folder = export_onnx(Checkpoint(name="signs", tokenizer=made, sha256="2" * 64), tmp_path / "signs")
    exported, grid = read_onnx_discrete(folder).tokenizer, made.tokenize(video)
    assert same_tokens(exported.tokenize(video), grid)
    torch.testing.assert_close(exported.detokenize(grid), made.detokenize(grid), **NEAR)


@pytest.mark.parametrize(
    "quantizer", [ResidualVQ(12, 16, 3), VQ(12, 40, cosine=True)], ids=["layers", "directions"]
)
@torch.no_grad()
def test_entries_of_codebooks_are_digits_too(network_made, video, quantizer, tmp_path):
    generator = torch.Generator().manual_seed(0)
    quantizer.fit(torch.randn(200, 12, generator=generator), generator=generator)
    made = DiscreteTokenizer(network_made.tokenizer, quantizer)
    folder = export_onnx(Checkpoint(name="entries", tokenizer=made, sha256="3" * 64), tmp_path / "entries")
    exported, grid = read_onnx_discrete(folder).tokenizer, made.tokenize(video)
    assert exported.bases == quantizer.bases
    assert same_tokens(exported.tokenize(video), grid)
    torch.testing.assert_close(exported.detokenize(grid), made.detokenize(grid), **NEAR)


def test_each_kind_is_read_by_its_own_function(folder, digits_folder):
    with pytest.raises(CheckpointError, match="is a discrete tokenizer"):
        read_onnx(digits_folder)
    with pytest.raises(CheckpointError, match="is a continuous tokenizer"):
        read_onnx_discrete(folder)
    assert open_system(f"onnx:{digits_folder}", Setting()).checkpoint.name == "digits"
    with pytest.raises(OptionError, match="no choice of channels"):
        open_system(f"onnx:{digits_folder}@3", Setting())


def weight_bytes(folder):
    return sum(len(each.raw_data) for each in onnx.load(folder / DECODER).graph.initializer)


@pytest.mark.parametrize("number_format", ["float16", "int8"])
def test_smaller_number_formats_make_smaller_files_and_lose_little(
    network_made, folder, number_format, tmp_path
):
    original = checkpoint_of(network_made)
    small = export_onnx(original, tmp_path / "small", number_format=number_format)
    assert weight_bytes(small) < 0.8 * weight_bytes(folder)
    exported = read_onnx(small)
    assert exported.tokenizer.model.facts.number_format == number_format
    assert -0.1 < measured_loss(original, exported).db < 0.3


def test_operators_have_four_axes_at_most(folder, digits_folder):
    for name in (folder / ENCODER, folder / DECODER, digits_folder / ENCODER, digits_folder / DECODER):
        graph = onnx.load(name).graph
        values = [*graph.input, *graph.output, *graph.value_info]
        assert max(len(each.type.tensor_type.shape.dim) for each in values) == 4


def test_files_are_read_with_either(folder, network_folder, network_tokenizer, video_file, tmp_path):
    source, tube = video_file(), tmp_path / "a.tube"
    exported = read_onnx(folder)
    named = Checkpoint(
        name=exported.name, tokenizer=exported.tokenizer, sha256=read_continuous(network_folder).sha256
    )
    encode_file(source, tube, tokenizer=named)
    decode_file(tube, tmp_path / "a.mkv", tokenizer=network_folder)
    decode_file(tube, tmp_path / "b.mkv", tokenizer=named)


def test_as_a_system(folder):
    system = open_system(f"onnx:{folder}@4", Setting())
    assert system.channels == 4
    with pytest.raises(AbsentError, match="as they were written"):
        open_system(f"onnx:{folder}", Setting(number_format="bfloat16"))
    with pytest.raises(OptionError, match="CPU"):
        open_system(f"onnx:{folder}", Setting(device="cuda"))


def test_what_files_say_comes_back(exported, tmp_path):
    facts = exported.model.facts
    assert text_to_facts(facts_to_text(facts), tmp_path) == facts
    for text, words in (
        (None, "says nothing"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"format": 9}', "Upgrade"),
    ):
        with pytest.raises(CheckpointError, match=words):
            text_to_facts(text, tmp_path)


def test_damage_is_named(folder, small_made, tmp_path):
    with pytest.raises(CheckpointError, match="there is no"):
        read_onnx(tmp_path)
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / DECODER).write_bytes((folder / DECODER).read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="not an ONNX file"):
        read_onnx(broken)
    export_onnx(checkpoint_of(small_made), tmp_path / "other")
    shutil.copy(tmp_path / "other" / DECODER, broken / DECODER)
    with pytest.raises(CheckpointError, match="does not belong"):
        read_onnx(broken)


@pytest.mark.parametrize("name", ["folder", "digits_folder"])
def test_info_says_what_the_files_say(name, request, capsys):
    folder = request.getfixturevalue(name)
    assert main(["info", str(folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["format"], facts["written_as"], facts["opset"]) == ("exported tokenizer 1", "onnx", 20)
    assert (facts["stride"], facts["channels"], facts["dtype"]) == ("4x8x8", 12, "float32")
    assert facts["gives"] == ("latents" if name == "folder" else "tokens")
    assert facts.get("codebook_sizes", []) == ([] if name == "folder" else [28800, 12960])
    assert facts["files"] == {path: (folder / path).stat().st_size for path in FILES}
    assert facts["bytes"] == sum(facts["files"].values())
    assert [facts_of(folder / path) for path in FILES] == [facts] * len(FILES)


def test_info_names_damage_and_what_is_missing(folder, digits_folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / DECODER).write_bytes((folder / DECODER).read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"decoder\.onnx is not an ONNX file"):
        facts_of(broken)
    (broken / DECODER).unlink()
    with pytest.raises(CheckpointError, match="there is no"):
        facts_of(broken)
    shutil.copy(digits_folder / DECODER, broken / DECODER)
    with pytest.raises(CheckpointError, match="does not belong to it"):
        facts_of(broken)


def test_the_command(network_folder, folder, tmp_path, capsys):
    target = tmp_path / "out"
    assert main(["export", str(network_folder), "-o", str(target), "--channels", "3"]) == 0
    assert "encoder.onnx" in capsys.readouterr().out
    assert sorted(path.name for path in target.iterdir()) == sorted(FILES)
    assert main(["export", str(network_folder), "-o", str(target)]) != 0
    with pytest.raises(OutputError, match="exists"):
        export_onnx(read_continuous(network_folder), target)
