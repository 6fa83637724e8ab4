"""What is computed on another device is computed there, and gives what the CPU gives."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from second_device import second_device

from tubelet.checkpoint import load_discrete
from tubelet.codec.budget import MeanChannels
from tubelet.codec.decode import decode_file
from tubelet.codec.encode import encode_file
from tubelet.codec.reconstruct import reconstruct_file
from tubelet.codec.tokens.detokenize import detokenize_file
from tubelet.codec.tokens.tokenize import tokenize_file
from tubelet.codec.tube import open_tube
from tubelet.errors import OptionError
from tubelet.jobs.bulk.encode_batch import encode_clips
from tubelet.jobs.bulk.plan import plan_clips
from tubelet.jobs.bulk.settings import BulkSettings, read_checkpoint
from tubelet.jobs.identity import Digests
from tubelet.jobs.remote import LocalCopies
from tubelet.jobs.sources import read_sources
from tubelet.tokenizers.streams.state import StreamState

SIZE = {"frames": 9, "height": 21, "width": 35}


@pytest.fixture
def gpu():
    with second_device() as device:
        yield device


@pytest.fixture(scope="module")
def video():
    return torch.rand(2, 3, *SIZE.values(), generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_the_device_of_these_tests_refuses_what_a_gpu_refuses(gpu):
    there = torch.ones(3, device=gpu)
    assert there.device == gpu == (there + 1).device
    assert torch.equal((there[:2] + 1).cpu(), torch.full((2,), 2.0))
    with pytest.raises(RuntimeError, match="two devices"):
        there + torch.ones(3)
    with pytest.raises(RuntimeError):
        there.numpy()


@pytest.fixture(scope="module")
def variational(make_tokenizer):
    return make_tokenizer(width=16, encoder_blocks=1, decoder_blocks=1, variational=True).tokenizer


@pytest.mark.parametrize("kind", ["small_tokenizer", "network_tokenizer", "variational"])
def test_whole_clips(request, gpu, video, kind):
    tokenizer = request.getfixturevalue(kind)
    there = deepcopy(tokenizer).to(gpu)
    latent = there.encode(video.to(gpu), channels=5)
    back = there.decode(latent, **SIZE)
    assert there.device == latent.device == back.device == gpu
    assert torch.equal(latent.cpu(), tokenizer.encode(video, channels=5))
    assert torch.equal(back.cpu(), tokenizer.decode(latent.cpu(), **SIZE))


def test_networks_in_half_precision(gpu, video, network_tokenizer):
    here = deepcopy(network_tokenizer).networks_to(torch.bfloat16)
    there = deepcopy(network_tokenizer).to(gpu).networks_to(torch.bfloat16)
    latent = there.encode(video.to(gpu))
    assert torch.equal(latent.cpu(), here.encode(video))
    assert torch.equal(there.decode(latent, **SIZE).cpu(), here.decode(latent.cpu(), **SIZE))


@pytest.mark.parametrize("kind", ["small_tokenizer", "network_tokenizer"])
def test_a_count_for_every_position(request, gpu, video, kind):
    tokenizer = request.getfixturevalue(kind)
    latent = tokenizer.encode(video)
    counts = torch.randint(0, 13, (2, 1, *latent.shape[2:]), generator=torch.Generator().manual_seed(2))
    back = deepcopy(tokenizer).to(gpu).decode(latent.to(gpu), **SIZE, counts=counts.to(gpu))
    assert torch.equal(back.cpu(), tokenizer.decode(latent, **SIZE, counts=counts))


@pytest.mark.parametrize("kind", ["small_tokenizer", "network_tokenizer"])
def test_streams_take_what_lies_on_the_cpu(request, gpu, video, kind):
    tokenizer = request.getfixturevalue(kind)
    there = deepcopy(tokenizer).to(gpu)
    one, other = (each.stream_encoder(tile=(2, 3)) for each in (tokenizer, there))
    latents = [torch.cat([each.push(video), each.finish()], dim=2) for each in (one, other)]
    assert latents[1].device == gpu
    assert torch.equal(latents[0], latents[1].cpu())
    size = {"height": SIZE["height"], "width": SIZE["width"]}
    one, other = (each.stream_decoder(**size) for each in (tokenizer, there))
    assert torch.equal(one.push(latents[0][:, :, :2]), other.push(latents[0][:, :, :2]).cpu())
    # What a stream knows can be stored, and taken up on another device.
    state = StreamState.from_tensors({name: each.cpu() for name, each in other.state().to_tensors().items()})
    taken_up = there.stream_decoder(**size, state=state)
    rest = [each.push(latents[0][:, :, 2:]) for each in (one, taken_up)]
    assert torch.equal(rest[0], rest[1].cpu())


def test_tokens(gpu, video, token_folder):
    tokenizer = load_discrete(token_folder)
    there = load_discrete(token_folder).to(gpu)
    grid = there.tokenize(video.to(gpu))
    assert grid.digits.device == gpu
    assert torch.equal(grid.tokens.cpu(), tokenizer.tokenize(video).tokens)
    assert torch.equal(grid.flatten("morton").cpu(), tokenizer.tokenize(video).flatten("morton"))
    assert torch.equal(there.detokenize(grid).cpu(), tokenizer.detokenize(tokenizer.tokenize(video)))


@pytest.mark.parametrize("kind", ["small_folder", "network_folder", "token_folder"])
def test_tube_files(request, gpu, video_file, tmp_path, kind):
    folder = request.getfixturevalue(kind)
    encode = tokenize_file if kind == "token_folder" else encode_file
    tubes, arrays = (
        [tmp_path / f"{name}{suffix}" for name in ("cpu", "there")] for suffix in (".tube", ".npy")
    )
    clip = video_file(frames=11)
    for device, tube, array in zip(("cpu", str(gpu)), tubes, arrays, strict=True):
        encode(clip, tube, tokenizer=folder, device=device)
        decode_file(tube, array, tokenizer=folder, device=device)
    assert tubes[0].read_bytes() == tubes[1].read_bytes()
    assert arrays[0].read_bytes() == arrays[1].read_bytes()
    with open_tube(tubes[0], tokenizer=folder, device=str(gpu)) as tube:
        np.testing.assert_array_equal(tube[5], np.load(arrays[0])[5])


def test_arrays_of_tokens(gpu, video_file, token_folder, tmp_path):
    clip = video_file(frames=11)
    for device in ("cpu", str(gpu)):
        folder = tmp_path / device.partition(":")[0]
        folder.mkdir()
        tokenize_file(clip, folder / "clip.npz", tokenizer=token_folder, device=device)
        detokenize_file(folder / "clip.npz", folder / "clip.npy", tokenizer=token_folder, device=device)
    one, other = (np.load(tmp_path / name / "clip.npy") for name in ("cpu", "disguise"))
    np.testing.assert_array_equal(one, other)


def test_a_reconstruction(gpu, video_file, network_folder, tmp_path):
    clip = video_file(frames=11)
    one, other = (
        reconstruct_file(clip, tmp_path / f"{number}.npy", tokenizer=network_folder, device=device)
        for number, device in enumerate(("cpu", str(gpu)))
    )
    assert (one.psnr_db, one.tube) == (other.psnr_db, other.tube)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("network_folder", {"measure": "psnr", "dtype": "bfloat16"}),
        ("network_folder", {"budget": MeanChannels(channels=3.0), "dtype": "int8"}),
        ("token_folder", {"batch": 1}),
        ("token_folder", {}),
    ],
)
def test_clips_of_a_data_set(request, gpu, video_file, kind, more):
    paths = [str(video_file(f"{name}.mkv", frames=9, height=21, width=35)) for name in "abc"]
    settings = BulkSettings(**({"tokenizer": str(request.getfixturevalue(kind)), "batch": 4} | more))
    clips = plan_clips(read_sources(paths), mirror=True)

    def records(device):
        checkpoint = read_checkpoint(replace(settings, device=device))
        with LocalCopies() as copies:
            return {
                begin + place: found.record
                for begin in range(0, len(clips), settings.batch)
                for place, found in encode_clips(
                    clips[begin : begin + settings.batch], checkpoint, settings, Digests(copies), copies
                )
            }

    assert records(str(gpu)) == records("cpu")


@pytest.mark.parametrize("name", ["cuda:9", "gpu", "meta", ""])
def test_a_device_that_is_not_there_is_named_and_nothing_is_written(video_file, small_folder, tmp_path, name):
    with pytest.raises(OptionError, match=f"the device is '?{name}"):
        encode_file(video_file(), tmp_path / "clip.tube", tokenizer=small_folder, device=name)
    assert not (tmp_path / "clip.tube").exists()
