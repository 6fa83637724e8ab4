"""Laws of the protocol, for every quantiser: to add one, add its line to CASES."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from second_device import second_device

from tubelet.errors import LatentError, ShapeError, TokenError
from tubelet.quantizers.bsq import BSQ
from tubelet.quantizers.digits import digits_kind, digits_to_tokens, tokens_to_digits
from tubelet.quantizers.fsq import FSQ
from tubelet.quantizers.ibq import IBQ
from tubelet.quantizers.lfq import LFQ
from tubelet.quantizers.protocol import Quantizer
from tubelet.quantizers.residual_fsq import ResidualFSQ
from tubelet.quantizers.residual_vq import ResidualVQ
from tubelet.quantizers.simvq import SimVQ
from tubelet.quantizers.vq import VQ


@dataclass(frozen=True)
class Case:
    """A quantiser.

    Attributes:
        name: shown in the name of a test.
        build: makes it, before any fit.
        keeps_digits: whether each choice of digits is that of what it stands for; sums of entries are not.
    """

    name: str
    build: Callable[[], Quantizer]
    keeps_digits: bool = True


CASES = [
    Case("FSQ", lambda: FSQ((8, 5, 5, 4))),
    Case("FSQ in two tokens", lambda: FSQ((8, 5, 5, 4), tokens=2)),
    Case("ResidualFSQ", lambda: ResidualFSQ((8, 5, 2), 3)),
    Case("LFQ", lambda: LFQ(6)),
    Case("LFQ in groups", lambda: LFQ(6, group=4, temperature=1.0)),
    Case("BSQ", lambda: BSQ(6)),
    Case("BSQ in groups", lambda: BSQ(20)),
    Case("VQ", lambda: VQ(4, 50, restart_below=0.1)),
    Case("VQ, learned", lambda: VQ(4, 50, learned=True)),
    Case("VQ of directions, rotated", lambda: VQ(4, 300, cosine=True, rotation=True)),
    Case("VQ of directions, learned", lambda: VQ(4, 50, cosine=True, learned=True)),
    Case("ResidualVQ", lambda: ResidualVQ(4, 50, 3), keeps_digits=False),
    Case("ResidualVQ, rotated", lambda: ResidualVQ(4, 50, 2, rotation=True), keeps_digits=False),
    Case("SimVQ", lambda: SimVQ(4, 50)),
    Case("IBQ", lambda: IBQ(4, 50, entropy=0.1)),
    Case("IBQ by products", lambda: IBQ(4, 50, by_product=True), keeps_digits=False),
]

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def fit_of(case):
    quantizer = case.build()
    quantizer.fit(noise(400, quantizer.channels), generator=generator())
    return quantizer


_FITTED = {}


def fitted(case):
    """A copy for each test of what is fitted once."""
    if case.name not in _FITTED:
        _FITTED[case.name] = fit_of(case)
    return copy.deepcopy(_FITTED[case.name])


def latent_of(quantizer, *, seed=1):
    return noise(2, quantizer.channels, 3, 5, 7, seed=seed)


def state_of(quantizer):
    return {name: value.clone() for name, value in quantizer.state_dict().items()}


def is_state(quantizer, state):
    return quantizer.state_dict().keys() == state.keys() and all(
        torch.equal(value, state[name]) for name, value in quantizer.state_dict().items()
    )


@every
def test_it_is_a_quantizer(case):
    quantizer = case.build()
    assert isinstance(quantizer, Quantizer)
    assert isinstance(quantizer, torch.nn.Module)


@every
@pytest.mark.parametrize("training", [True, False])
def test_training_sees_what_is_stored(case, training):
    """Digits are those of `quantize`, and the latent is exactly what these stand for."""
    quantizer = fitted(case)
    quantizer.train(training)
    latent = latent_of(quantizer)
    found = quantizer(latent)
    assert torch.equal(found.digits, quantizer.quantize(latent))
    assert torch.equal(found.latent, quantizer.dequantize(found.digits))
    assert found.latent.shape == latent.shape


@every
def test_digits_are_of_the_smallest_kind_and_tokens_exact(case):
    quantizer = fitted(case)
    digits = quantizer.quantize(latent_of(quantizer))
    assert digits.dtype == digits_kind(quantizer.bases)
    assert torch.equal(tokens_to_digits(digits_to_tokens(digits, quantizer.bases), quantizer.bases), digits)


@every
def test_half_precision_outside_changes_no_digit(case):
    quantizer = fitted(case)
    latent = latent_of(quantizer)
    expected = quantizer(latent)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, digits = quantizer(latent), quantizer.quantize(latent)
        value = quantizer.dequantize(digits)
    assert torch.equal(found.digits, expected.digits)
    assert torch.equal(digits, expected.digits)
    assert torch.equal(found.latent, expected.latent)
    assert torch.equal(value, expected.latent)
    assert torch.equal(found.loss, expected.loss)
    assert found.latent.dtype == value.dtype == found.loss.dtype == torch.float32


@every
def test_a_latent_in_half_precision_is_quantised_in_float32(case):
    quantizer = fitted(case)
    latent = latent_of(quantizer).bfloat16()
    found = quantizer(latent)
    assert torch.equal(found.digits, quantizer.quantize(latent.float()))
    assert found.latent.dtype == torch.float32


@every
def test_what_digits_stand_for_has_these_digits(case):
    quantizer = fitted(case)
    bases = [base for token in quantizer.bases for base in token]
    draw = generator(2)
    digits = torch.stack([torch.randint(base, (2, 2, 3, 4), generator=draw) for base in bases], dim=1)
    value = quantizer.dequantize(digits.to(digits_kind(quantizer.bases)))
    assert value.shape == (2, quantizer.channels, 2, 3, 4)
    assert value.dtype == torch.float32
    if case.keeps_digits:
        assert torch.equal(quantizer.quantize(value), digits)


@every
def test_a_cut_changes_no_digit(case):
    """Along each axis and at each place, to the bit: a position knows nothing of the others."""
    quantizer = fitted(case)
    latent = latent_of(quantizer)
    digits = quantizer.quantize(latent)
    for axis in (0, 2, 3, 4):
        for at in range(1, latent.shape[axis]):
            parts = latent.split([at, latent.shape[axis] - at], dim=axis)
            assert torch.equal(torch.cat([quantizer.quantize(part) for part in parts], dim=axis), digits)


@every
def test_order_changes_no_digit(case):
    quantizer = fitted(case)
    latent = latent_of(quantizer)
    order = torch.randperm(3 * 5 * 7, generator=generator())

    def reordered(tensor):
        return tensor.flatten(2)[:, :, order].reshape(tensor.shape)

    assert torch.equal(quantizer.quantize(reordered(latent)), reordered(quantizer.quantize(latent)))
    channels_last = latent.to(memory_format=torch.channels_last_3d)
    assert torch.equal(quantizer.quantize(channels_last), quantizer.quantize(latent))


@every
@pytest.mark.parametrize("training", [True, False])
def test_quantising_changes_nothing(case, training):
    """Neither the quantiser, also where its gradients are computed, nor the latent."""
    quantizer = fitted(case)
    quantizer.train(training)
    state, latent = state_of(quantizer), latent_of(quantizer).requires_grad_()
    before = latent.detach().clone()
    found = quantizer(latent)
    (found.latent.sum() + found.loss).backward()
    quantizer.dequantize(quantizer.quantize(latent))
    assert is_state(quantizer, state)
    assert torch.equal(latent, before)
    again = quantizer(latent)
    assert torch.equal(again.latent, found.latent)
    assert torch.equal(again.loss, found.loss)


@every
def test_the_loss_is_one_finite_number_whether_training_or_not(case):
    quantizer = fitted(case)
    latent = latent_of(quantizer)
    losses = [quantizer.train(training)(latent).loss for training in (True, False)]
    assert losses[0].shape == ()
    assert losses[0].isfinite()
    assert torch.equal(*losses)


@every
def test_a_gradient_reaches_the_latent(case):
    quantizer = fitted(case)
    latent = latent_of(quantizer).requires_grad_()
    (quantizer(latent).latent * noise(*latent.shape, seed=3)).sum().backward()
    assert latent.grad.isfinite().all()
    assert (latent.grad != 0).float().mean() > 0.9


@every
def test_a_clip_of_no_steps_is_quantised_to_none(case):
    quantizer = fitted(case)
    latent = torch.zeros(2, quantizer.channels, 0, 3, 4, requires_grad=True)
    found = quantizer(latent)
    digits = sum(map(len, quantizer.bases))
    assert found.digits.shape == quantizer.quantize(latent).shape == (2, digits, 0, 3, 4)
    assert found.latent.shape == quantizer.dequantize(found.digits).shape == latent.shape
    assert not found.loss
    (found.latent.sum() + found.loss).backward()
    quantizer.update(latent, found.digits, generator=generator())


@every
def test_a_fit_makes_less_error_than_nothing_and_is_repeatable(case):
    """A latent of unit variance: zero for every value has an error of 1."""
    quantizer = fitted(case)
    latent = latent_of(quantizer, seed=4)
    error = (quantizer.dequantize(quantizer.quantize(latent)) - latent).square().mean()
    assert error < 0.8
    assert is_state(fit_of(case), quantizer.state_dict())


@every
def test_all_of_its_state_is_saved(case):
    quantizer = fitted(case)
    other = case.build()
    other.load_state_dict(state_of(quantizer))
    latent = latent_of(quantizer)
    assert torch.equal(other.quantize(latent), quantizer.quantize(latent))
    assert torch.equal(other(latent).latent, quantizer(latent).latent)


@every
def test_on_another_device_it_does_what_it_does_on_the_cpu(case):
    quantizer, latent = fitted(case).train(), latent_of(fitted(case))
    expected = quantizer(latent)
    quantizer.update(latent, expected.digits, generator=generator())
    with second_device() as device:
        there, moved = fitted(case).train().to(device), latent.to(device)
        found = there(moved)
        assert found.digits.device == found.latent.device == found.loss.device == device
        again = there.quantize(moved)
        value = there.dequantize(again)
        there.update(moved, found.digits, generator=generator())
        state = {name: each.cpu() for name, each in there.state_dict().items()}
    assert is_state(quantizer, state)
    assert torch.equal(found.digits.cpu(), expected.digits)
    assert torch.equal(found.latent.cpu(), expected.latent)
    assert torch.equal(found.loss.cpu(), expected.loss)
    assert torch.equal(again.cpu(), expected.digits)
    assert torch.equal(value.cpu(), expected.latent)


@every
def test_bad_input_is_refused_by_name(case):
    quantizer = fitted(case)
    latent = latent_of(quantizer)
    for call in (quantizer, quantizer.quantize):
        with pytest.raises(ShapeError, match=f"c = {quantizer.channels}"):
            call(latent[:, 1:])
        for bad in (torch.nan, torch.inf):
            broken = latent.clone()
            broken[1, 0, 2, 3, 4] = bad
            with pytest.raises(LatentError, match="NaN or infinity"):
                call(broken)
    digits = quantizer.quantize(latent)
    with pytest.raises(ShapeError, match="d ="):
        quantizer.dequantize(torch.cat([digits, digits[:, :1]], dim=1))
    digits = digits.long()
    digits[0, -1, 0, 0, 0] = quantizer.bases[-1][-1]
    with pytest.raises(TokenError, match=f"its base is {quantizer.bases[-1][-1]}"):
        quantizer.dequantize(digits)
