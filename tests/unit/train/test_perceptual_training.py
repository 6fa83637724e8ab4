import torch

from tubelet.perceptual.lpips import LPIPS
from tubelet.perceptual.vgg import VGG16
from tubelet.train.perceptual import InBfloat16
from tubelet.train.precision import computes_bfloat16

CHANNELS = (8, 8, 16, 16, 16, 16, 16, 24, 24, 24, 24, 24, 24)


def trunk() -> VGG16:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return VGG16(CHANNELS)


def test_features_in_bfloat16_are_those_of_float32_but_for_rounding_and_so_is_the_gradient(draw):
    heads = [torch.ones(width) for width in (8, 16, 16, 24, 24)]
    clips = [draw(2, 3, 1, 32, 32, seed=seed, dtype=torch.float32).clamp(-1, 1) for seed in range(2)]
    found = []
    for layers in (trunk(), InBfloat16(trunk())):
        video = clips[1].clone().requires_grad_()
        distance = LPIPS(layers, heads)(clips[0], video)
        distance.backward()
        assert distance.dtype == torch.float32
        found.append((distance.detach(), video.grad))
    (exact, gradient), (near, other) = found
    assert torch.allclose(near, exact, rtol=0.01)
    assert float((other - gradient).norm() / gradient.norm()) < 0.2
    assert torch.equal(near, exact) != computes_bfloat16("cpu")


def test_features_come_as_float32(draw):
    maps = InBfloat16(trunk())(draw(1, 3, 32, 32, dtype=torch.float32))
    assert {each.dtype for each in maps} == {torch.float32}
