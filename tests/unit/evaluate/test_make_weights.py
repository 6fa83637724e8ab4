"""Files of weights are made of published ones, in both formats of torch; nothing in them is executed."""

import hashlib
import io
import pickle  # noqa: TID251  to make files that would do harm if they were unpickled
import zipfile
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tubelet.errors import CheckpointError, OptionError, OutputError
from tubelet.evaluate.make_weights import make_weights
from tubelet.evaluate.weights import READERS
from tubelet.perceptual.i3d import BLOCKS, I3D, I3DWidths
from tubelet.perceptual.torch_file import read_tensors
from tubelet.perceptual.vgg import STAGES

FORMATS = pytest.mark.parametrize("new", [True, False], ids=["zip", "older"])


def store(value: object, path: Path, *, new: bool) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=new)
    return path


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def vgg() -> dict[str, torch.Tensor]:
    """A VGG-16 of three channels as torchvision publishes it, with its classifier."""
    layers = [number for stage in STAGES for number in stage]
    made = OrderedDict((f"features.{layer}.weight", numbers(3, 3, 3, 3, seed=layer)) for layer in layers)
    made |= {f"features.{layer}.bias": numbers(3, seed=99 - layer) for layer in layers}
    return made | {"classifier.0.weight": numbers(4, 3), "classifier.0.bias": numbers(4)}


def i3d() -> dict[str, torch.Tensor]:
    widths = I3DWidths(stem=(2, 3, 4), blocks=dict.fromkeys(BLOCKS, (1, 2, 3, 1, 2, 2)), classes=5)
    made = {name: numbers(*each.shape) + 0.1 for name, each in I3D(widths).state_dict().items()}
    return made | {"Conv3d_1a_7x7.bn.num_batches_tracked": torch.tensor(7)}


def videomae(*, width: int = 64, hidden: int = 24) -> dict[str, torch.Tensor]:
    """A fine-tuned ViT of one block by the names of its authors."""
    block = {
        "norm1.weight": (width,),
        "norm1.bias": (width,),
        "attn.q_bias": (width,),
        "attn.v_bias": (width,),
        "attn.qkv.weight": (3 * width, width),
        "attn.proj.weight": (width, width),
        "attn.proj.bias": (width,),
        "norm2.weight": (width,),
        "norm2.bias": (width,),
        "mlp.fc1.weight": (hidden, width),
        "mlp.fc1.bias": (hidden,),
        "mlp.fc2.weight": (width, hidden),
        "mlp.fc2.bias": (width,),
    }
    shapes = {f"blocks.0.{name}": shape for name, shape in block.items()} | {
        "patch_embed.proj.weight": (width, 3, 2, 56, 56),
        "patch_embed.proj.bias": (width,),
        "fc_norm.weight": (width,),
        "fc_norm.bias": (width,),
        "head.weight": (5, width),
        "head.bias": (5,),
    }
    return {name: numbers(*shape, seed=seed) for seed, (name, shape) in enumerate(shapes.items())}


@pytest.fixture
def published(tmp_path):
    """Tiny files in place of the published ones, by network."""

    def make(network: str, *, new: bool = True) -> list[Path]:
        trunk = store(vgg(), tmp_path / "vgg16.pth", new=new)
        match network:
            case "lpips":
                heads = {f"lin{n}.model.1.weight": numbers(1, 3, 1, 1, seed=n) for n in range(5)}
                return [trunk, store(heads, tmp_path / "vgg.pth", new=new)]
            case "dists":
                both = {name: numbers(1, 18, 1, 1, seed=n) for n, name in enumerate(("alpha", "beta"))}
                return [trunk, store(both, tmp_path / "weights.pt", new=new)]
            case "i3d":
                return [store(i3d(), tmp_path / "i3d.pt", new=new)]
            case _:
                whole = {"module": videomae(), "epoch": 3, "args": SimpleNamespace(lr=1e-3)}
                return [store(whole, tmp_path / "vit.pth", new=new)]

    return make


# What is made


@FORMATS
@pytest.mark.parametrize("network", READERS)
def test_published_files_make_what_measures_read(published, tmp_path, network, new):
    made = make_weights(network, published(network, new=new), tmp_path / "made.safetensors")
    assert made.sha256 == hashlib.sha256((tmp_path / "made.safetensors").read_bytes()).hexdigest()
    READERS[network](made.path, sha256=made.sha256)


@pytest.mark.parametrize("network", READERS)
def test_the_same_sources_give_the_same_bytes_in_any_order_and_format(published, tmp_path, network):
    one = make_weights(network, published(network), tmp_path / "one.safetensors")
    other = make_weights(network, published(network, new=False)[::-1], tmp_path / "other.safetensors")
    assert one.sha256 == other.sha256


def test_names_and_numbers_are_those_of_the_sources(published, tmp_path):
    trunk, heads = published("lpips")
    made = load_file(make_weights("lpips", [trunk, heads], tmp_path / "made.safetensors").path)
    expected = {name: each for name, each in vgg().items() if name.startswith("features.")}
    assert made.keys() == expected.keys() | read_tensors(heads).keys()
    assert all(torch.equal(made[name], each) for name, each in expected.items())


def test_query_key_and_value_are_the_thirds_of_what_the_authors_keep_together(published, tmp_path):
    made = load_file(make_weights("videomae", published("videomae"), tmp_path / "made.safetensors").path)
    whole = videomae()["blocks.0.attn.qkv.weight"]
    layer = "videomae.encoder.layer.0.attention.attention"
    for place, name in enumerate(("query", "key", "value")):
        assert torch.equal(made[f"{layer}.{name}.weight"], whole[64 * place : 64 * (place + 1)])


def test_a_file_of_transformers_stays_as_it_is(published, tmp_path):
    made = make_weights("videomae", published("videomae"), tmp_path / "made.safetensors")
    again = make_weights("videomae", [made.path], tmp_path / "again.safetensors")
    assert again.sha256 == made.sha256


@pytest.mark.parametrize("network", ["lpips", "dists"])
def test_a_source_that_is_missing_is_named(published, tmp_path, network):
    for sources in (published(network)[:1], published(network)[1:]):
        with pytest.raises(CheckpointError, match=r"made of vgg16-397923af\.pth .* and .*\.p(th|t) of"):
            make_weights(network, sources, tmp_path / "made.safetensors")
    assert not (tmp_path / "made.safetensors").exists()


def test_a_file_of_something_else_is_named(tmp_path):
    other = store({"a": numbers(3)}, tmp_path / "other.pth", new=True)
    for network in READERS:
        with pytest.raises(CheckpointError, match="It is made of"):
            make_weights(network, [other], tmp_path / "made.safetensors")


def test_a_file_whose_name_says_another_digest_is_refused(published, tmp_path):
    trunk, heads = published("lpips")
    wrong = trunk.rename(tmp_path / "vgg16-00000000.pth")
    with pytest.raises(CheckpointError, match="name says 00000000"):
        make_weights("lpips", [wrong, heads], tmp_path / "made.safetensors")
    digest = hashlib.sha256(wrong.read_bytes()).hexdigest()[:8]
    right = wrong.rename(tmp_path / f"vgg16-{digest}.pth")
    assert make_weights("lpips", [right, heads], tmp_path / "made.safetensors").tensors == 31


def test_what_is_there_is_kept(published, tmp_path):
    sources = published("i3d")
    target = tmp_path / "made.safetensors"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists"):
        make_weights("i3d", sources, target)
    assert target.read_bytes() == b"precious"
    assert make_weights("i3d", sources, target, force=True).tensors


@pytest.mark.parametrize(("network", "name"), [("vgg", "a.safetensors"), ("i3d", "a.pth"), ("i3d", "-")])
def test_no_network_and_no_name_of_a_file_of_weights_are_bad_usage(published, tmp_path, network, name):
    with pytest.raises(OptionError):
        make_weights(network, published("i3d"), tmp_path / name)


# What is read


@FORMATS
def test_every_kind_of_number_and_every_view_come_back(tmp_path, new):
    base = numbers(4, 6)
    kinds = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8)
    whole = {
        "all": base,
        "part": base[1:3, ::2],
        "turned": base.T,
        "scalar": torch.tensor(3.5),
        "empty": torch.empty(0, 3),
        "parameter": nn.Parameter(numbers(2, 2)),
        "bool": base > 0.5,
        "uint8": (base * 255).to(torch.uint8),
        **{str(kind): (base * 100).to(kind) for kind in kinds},
    }
    found = read_tensors(store(whole, tmp_path / "a.pth", new=new))
    assert found.keys() == whole.keys()
    for name, tensor in whole.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor.detach()), name


@FORMATS
@pytest.mark.parametrize("holder", ["state_dict", "model", "module"])
def test_weights_are_found_inside_a_file_of_training(tmp_path, holder, new):
    whole = {"epoch": 7, holder: {"w": numbers(3)}, "optimizer": {"state": {0: {"step": numbers(1)}}}}
    assert torch.equal(read_tensors(store(whole, tmp_path / "a.pth", new=new))["w"], numbers(3))


@FORMATS
def test_what_was_stored_on_a_gpu_is_read_without_one(tmp_path, monkeypatch, new):
    monkeypatch.setattr(torch.serialization, "location_tag", lambda _: "cuda:3")
    path = store({"w": numbers(3)}, tmp_path / "a.pth", new=new)
    assert b"cuda:3" in path.read_bytes()
    assert torch.equal(read_tensors(path)["w"], numbers(3))


def test_safetensors_are_read_too(tmp_path):
    save_file({"w": numbers(3)}, tmp_path / "a.safetensors")
    assert torch.equal(read_tensors(tmp_path / "a.safetensors")["w"], numbers(3))


# What is refused, and never executed


class Harm:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "harm"))


def harmful(folder: Path, *, new: bool) -> Path:
    value = {"w": numbers(3), "harm": Harm(folder / "harm")}
    return store(value, folder / "harmful.pth", new=new)


@FORMATS
def test_nothing_in_a_file_is_executed(tmp_path, new):
    assert read_tensors(harmful(tmp_path, new=new)).keys() == {"w"}
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_bare_pickle_is_refused_and_not_executed(tmp_path, protocol):
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Harm(tmp_path / "harm"), protocol=protocol))
    with pytest.raises(CheckpointError, match=r"bare\.pth holds no weights that can be read"):
        read_tensors(tmp_path / "bare.pth")
    assert not (tmp_path / "harm").exists()


def test_a_program_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("script/data.pkl", b"\x80\x02}.")
        archive.writestr("script/code/__torch__.py", b"raise SystemExit")
    with pytest.raises(CheckpointError, match="program"):
        read_tensors(tmp_path / "script.pt")


def test_a_tensor_larger_than_its_numbers_is_refused(tmp_path):
    huge = store({"w": torch.zeros(1).expand(10**9)}, tmp_path / "a.pth", new=True)
    with pytest.raises(CheckpointError, match="larger than its numbers"):
        read_tensors(huge)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02.", b"\x00" * 99, b"text\n" * 99])
def test_what_is_no_file_of_weights_is_named(tmp_path, content):
    (tmp_path / "odd.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"odd\.pth"):
        read_tensors(tmp_path / "odd.pth")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.pth: no such file"):
        read_tensors(tmp_path / "none.pth")


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """The same with some bytes changed, or a part missing."""
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        changed[int(random.integers(len(changed)))] = int(random.integers(256))
    return bytes(changed[: int(random.integers(len(changed)))] if random.random() < 0.2 else changed)


def try_damages(tmp_path: Path, *, new: bool, count: int) -> None:
    stored = io.BytesIO()
    whole = {"model": {"w": numbers(5, 3), "b": nn.Parameter(numbers(5))}, "args": SimpleNamespace(lr=0.1)}
    torch.save(whole, stored, _use_new_zipfile_serialization=new)
    random = np.random.default_rng(0)
    for _ in range(count):
        (tmp_path / "a.pth").write_bytes(damaged(stored.getvalue(), random))
        try:
            read_tensors(tmp_path / "a.pth")
        except CheckpointError:
            continue


@FORMATS
def test_no_damage_is_a_crash(tmp_path, new):
    try_damages(tmp_path, new=new, count=200)


@pytest.mark.slow
@FORMATS
def test_no_damage_of_many_is_a_crash(tmp_path, new):
    try_damages(tmp_path, new=new, count=100_000)
