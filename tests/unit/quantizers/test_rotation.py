import torch
import vector_quantize_pytorch.vector_quantize_pytorch as library

from tubelet.quantizers.rotation import norms, rotated_onto, unit


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_gradient_is_that_of_the_rotation_matrix():
    """R = I - 2 r rᵀ + 2 e xᵀ of unit vectors, written out; backward it is transposed and scaled."""
    source, target, weight = noise(6, 4).requires_grad_(), noise(6, 4, seed=1), noise(6, 4, seed=2)
    value = rotated_onto(target, source)
    assert torch.equal(value, target)
    (value * weight).sum().backward()
    for x, e, w, gradient in zip(source.detach(), target, weight, source.grad, strict=True):
        x_, e_ = x / x.norm(), e / e.norm()
        r = (x_ + e_) / (x_ + e_).norm()
        matrix = torch.eye(4) - 2 * torch.outer(r, r) + 2 * torch.outer(e_, x_)
        assert torch.allclose(matrix @ matrix.t(), torch.eye(4), atol=1e-5)
        assert torch.allclose(matrix @ x * e.norm() / x.norm(), e, atol=1e-5)
        assert torch.allclose(matrix.t() @ w * e.norm() / x.norm(), gradient, atol=1e-5)


def test_it_is_the_published_one():
    source, target, weight = noise(9, 5), noise(9, 5, seed=1), noise(9, 5, seed=2)
    ours, theirs = source.clone().requires_grad_(), source.clone().requires_grad_()
    (rotated_onto(target, ours) * weight).sum().backward()
    (library.rotate_to(theirs, target) * weight).sum().backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-5)


def test_a_gradient_is_finite_where_no_rotation_is_defined():
    source = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]], requires_grad=True)
    target = torch.tensor([[1.0, 0.0], [0.0, 0.0], [-1.0, 0.0]])
    assert torch.equal(rotated_onto(target, source), target)
    rotated_onto(target, source).sum().backward()
    assert source.grad.isfinite().all()


def test_length_does_not_depend_on_what_stands_beside():
    vectors = noise(50, 7)
    assert torch.allclose(norms(vectors)[:, 0], vectors.norm(dim=1))
    apart = torch.cat([unit(each[None]) for each in vectors])
    assert torch.equal(unit(vectors), apart)
    assert torch.equal(unit(vectors.t().contiguous().t()), apart)
    assert torch.equal(unit(torch.zeros(1, 3)), torch.zeros(1, 3))
