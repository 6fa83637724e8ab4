"""VideoMAE against figures of transformers, and against its formulas, head by head."""

import hashlib
from pathlib import Path

import pytest
import torch
from einops import rearrange

from tubelet.errors import CheckpointError, ShapeError
from tubelet.metrics.frechet import VideoFeatures
from tubelet.perceptual.videomae import VideoMAE, positions
from tubelet.perceptual.videomae_weights import read_videomae

LAYER = "videomae.encoder.layer"
PROJECTION = "videomae.embeddings.patch_embeddings.projection"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wave(*shape: int, phase: float) -> torch.Tensor:
    """Values between -3 and 3 that a formula decides."""
    count = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return ((count * 0.7 + phase).sin() * 2 + (count * 0.11).cos()).reshape(shape)


def make_weights(
    *, width: int = 128, hidden: int = 24, depth: int = 2, patch: int = 56
) -> dict[str, torch.Tensor]:
    """The tensors of a fine-tuned network of transformers, by the names that its files have."""
    shapes = {
        f"{PROJECTION}.weight": (width, 3, 2, patch, patch),
        f"{PROJECTION}.bias": (width,),
        "fc_norm.weight": (width,),
        "fc_norm.bias": (width,),
        "classifier.weight": (5, width),
        "classifier.bias": (5,),
    }
    for layer in (f"{LAYER}.{number}" for number in range(depth)):
        for name in ("query", "key", "value"):
            shapes[f"{layer}.attention.attention.{name}.weight"] = (width, width)
        for name in ("q_bias", "v_bias"):
            shapes[f"{layer}.attention.attention.{name}"] = (width,)
        for name, size in (
            ("attention.output.dense", (width, width)),
            ("intermediate.dense", (hidden, width)),
            ("output.dense", (width, hidden)),
            ("layernorm_before", (width,)),
            ("layernorm_after", (width,)),
        ):
            shapes[f"{layer}.{name}.weight"] = size
            shapes[f"{layer}.{name}.bias"] = size[:1]
    made = {}
    for phase, (name, shape) in enumerate(sorted(shapes.items())):
        values = wave(*shape, phase=phase)
        values = values / values[0].numel() ** 0.5 if len(shape) > 1 else values / 5
        made[name] = (1 + values if "norm" in name and name.endswith("weight") else values).float()
    return made


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return make_weights()


@pytest.fixture(scope="module")
def video() -> torch.Tensor:
    return wave(1, 3, 16, 224, 224, phase=0.5).clamp(-1, 1).float()


@pytest.fixture
def network(weights, written) -> VideoMAE:
    path = written(weights)
    return read_videomae(path, sha256=sha256(path))


def test_it_gives_what_transformers_gives(network, video):
    """By transformers 5.24.0 in float64, norms with 1e-6: `fc_norm` of the mean of `last_hidden_state`."""
    expected = [0.753123, 1.44662, -1.000736, -0.456717, 1.308378, 0.223503, -2.000562, -0.264627]
    assert network(video)[0, ::16].tolist() == pytest.approx(expected, abs=2e-5)


def slow_norm(tokens: torch.Tensor, gain: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    centred = tokens - tokens.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt() * gain + shift


def slow_features(video: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """A single clip, by sums over named axes and a loop over heads of 64 numbers."""

    def linear(tokens: torch.Tensor, name: str) -> torch.Tensor:
        return torch.einsum("ni,oi->no", tokens, weights[f"{name}.weight"]) + weights.get(f"{name}.bias", 0)

    kernel = weights[f"{PROJECTION}.weight"]
    patches = rearrange((video[0] + 1) / 2, "c (t u) (h y) (w x) -> (t h w) c u y x", u=2, y=56, x=56)
    tokens = torch.einsum("ncuyx,dcuyx->nd", patches, kernel) + weights[f"{PROJECTION}.bias"]
    for n in range(len(tokens)):
        for d in range(tokens.shape[1]):
            angle = torch.tensor(n / 10000 ** (d // 2 * 2 / tokens.shape[1]), dtype=torch.float64)
            tokens[n, d] += angle.cos() if d % 2 else angle.sin()
    for layer in (f"{LAYER}.{number}" for number in range(2)):
        norm = (weights[f"{layer}.layernorm_before.{part}"] for part in ("weight", "bias"))
        seen = slow_norm(tokens, *norm)
        attention = f"{layer}.attention.attention"
        query = linear(seen, f"{attention}.query") + weights[f"{attention}.q_bias"]
        key = linear(seen, f"{attention}.key")
        value = linear(seen, f"{attention}.value") + weights[f"{attention}.v_bias"]
        heads = []
        for head in (slice(0, 64), slice(64, 128)):
            scores = torch.einsum("nd,md->nm", query[:, head], key[:, head]) / 8
            shares = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
            heads.append(torch.einsum("nm,md->nd", shares, value[:, head]))
        tokens = tokens + linear(torch.cat(heads, dim=1), f"{layer}.attention.output.dense")
        norm = (weights[f"{layer}.layernorm_after.{part}"] for part in ("weight", "bias"))
        between = linear(slow_norm(tokens, *norm), f"{layer}.intermediate.dense")
        between = between * (1 + torch.erf(between / 2**0.5)) / 2
        tokens = tokens + linear(between, f"{layer}.output.dense")
    return slow_norm(tokens.mean(dim=0), weights["fc_norm.weight"], weights["fc_norm.bias"])


def test_it_is_the_published_network_written_out(network, weights, video):
    assert isinstance(network, VideoFeatures)
    expected = slow_features(video.double(), {name: each.double() for name, each in weights.items()})
    assert network.double()(video.double())[0].tolist() == pytest.approx(expected.tolist(), abs=1e-9)


def test_no_two_patches_have_the_same_position():
    found = positions(2048, 64)
    assert torch.cdist(found, found).fill_diagonal_(1).min() > 0.1
    assert found[:1].tolist() == [[0.0, 1.0] * 32]


def test_clips_of_any_size_are_taken_and_every_clip_counts_by_itself(network):
    both = wave(2, 3, 16, 30, 50, phase=0).clamp(-1, 1).float()
    found = network(both)
    assert found.shape == (2, 128)
    # Batches of other sizes are summed in another order.
    assert network(both[1:])[0].tolist() == pytest.approx(found[1].tolist(), abs=1e-4)


def test_other_lengths_are_refused(network):
    for shape in ((1, 3, 15, 40, 40), (1, 3, 17, 40, 40), (0, 3, 16, 40, 40)):
        with pytest.raises(ShapeError, match="16 frames, no more and no fewer"):
            network(torch.zeros(shape))


def test_the_size_is_that_of_the_file_and_the_weights_are_frozen(weights, written):
    path = written({name: tensor.half() for name, tensor in make_weights(depth=1, patch=32).items()})
    network = read_videomae(path, sha256=sha256(path).upper())
    assert (len(network.blocks), network.heads, network.projection.kernel_size) == (1, 2, (2, 32, 32))
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert network.norm.weight.dtype == torch.float32


@pytest.mark.parametrize(("width", "heads"), [(384, 6), (1280, 16), (1408, 16)])
def test_heads_are_those_of_the_published_width(written, width, heads):
    tensors = make_weights(width=64, hidden=1, depth=1, patch=2)
    shapes = {name: [width if side == 64 else side for side in each.shape] for name, each in tensors.items()}
    path = written({name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()})
    assert read_videomae(path, sha256=sha256(path)).heads == heads


def test_another_file_is_refused(weights, written, tmp_path):
    path = written(weights)
    with pytest.raises(CheckpointError, match=f"has SHA-256 {sha256(path)}, and {'0' * 64} is expected"):
        read_videomae(path, sha256="0" * 64)
    with pytest.raises(CheckpointError, match=r"is not a file; VideoMAE needs .*nothing stands in for it"):
        read_videomae(tmp_path / "absent.safetensors", sha256="0" * 64)
    other = path.rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="can execute code"):
        read_videomae(other, sha256=sha256(other))


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("fc_norm.weight", None, r"lacks \['fc_norm.weight'\]"),
        (f"{LAYER}.0.layernorm_after.bias", None, r"lacks .*layernorm_after.bias"),
        (
            f"{LAYER}.2.layernorm_after.bias",
            torch.zeros(128),
            r"lacks .*layer.2.attention.attention.key.weight",
        ),
        ("mask_token", torch.zeros(1), r"has \['mask_token'\] beyond what VideoMAE knows"),
        (f"{LAYER}.1.attention.attention.v_bias", torch.zeros(64), r"v_bias in .* must be \(128,\)"),
        (f"{LAYER}.1.intermediate.dense.weight", torch.zeros(25, 128), r"must be \(24, 128\)"),
        (f"{PROJECTION}.weight", torch.zeros(128, 3, 2, 56), r"must be \(128, 3, 2, 56, 56\)"),
        (f"{PROJECTION}.weight", torch.zeros(128, 3, 2, 50, 50), "patches of 50 pixels and 128 numbers"),
        (f"{PROJECTION}.bias", torch.zeros(100), "patches of 56 pixels and 100 numbers"),
        (f"{PROJECTION}.weight", torch.zeros(()), "must not be empty"),
        ("fc_norm.bias", torch.full((128,), torch.nan), "not a finite number"),
    ],
)
def test_what_are_no_weights_of_a_fine_tuned_videomae_is_refused(weights, written, name, tensor, message):
    changed = {key: each for key, each in (weights | {name: tensor}).items() if each is not None}
    path = written(changed)
    with pytest.raises(CheckpointError, match=message):
        read_videomae(path, sha256=sha256(path))
