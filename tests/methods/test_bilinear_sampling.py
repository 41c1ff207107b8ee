"""Bilinear sampling against torch's, and its derivatives against finite differences."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.methods.fusion_bfr.bilinear_sampling import sample_reflected


def grid(count: int, size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Of random affine maps that reach far beyond the border."""
    affine = torch.randn(count, 2, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return F.affine_grid(affine, [count, 3, size, size], align_corners=False)


def torchs(images: Tensor, where: Tensor) -> Tensor:
    return F.grid_sample(images, where, mode="bilinear", padding_mode="reflection", align_corners=False)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_torchs(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    images = torch.randn(4, 3, 16, 16).to(memory_format=layout).requires_grad_()
    where, direction = grid(4, 16), torch.randn(4, 3, 16, 16)
    ours, expected = sample_reflected(images, where), torchs(images, where)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)
    one, other = (torch.autograd.grad((y * direction).sum(), images)[0] for y in (ours, expected))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_it_is_differentiable_twice() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    where = grid(2, 5, torch.float64)
    assert torch.autograd.gradcheck(sample_reflected, (images, where))
    assert torch.autograd.gradgradcheck(lambda x: sample_reflected(x, where).square(), (images,))


def test_a_penalty_on_the_gradient_at_the_images_has_a_gradient() -> None:
    """As in R1: of a nonlinear function of the samples, by its parameter; against the same by hand."""
    torch.manual_seed(0)
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    where = grid(2, 8, torch.float64)
    (gradient,) = torch.autograd.grad(
        (scale * sample_reflected(images, where)).square().sum(), images, create_graph=True
    )
    (change,) = torch.autograd.grad(gradient.square().sum(), scale)
    # The gradient is 2·s²·Sᵀ·S·x, so its square is proportional to s⁴.
    expected = 4.0 * gradient.square().sum() / scale
    torch.testing.assert_close(change, expected)
    nodes, names = [gradient.grad_fn], set[str]()
    while nodes:
        if (node := nodes.pop()) is not None:
            names.add(node.name())
            nodes += [parent for parent, _ in node.next_functions]
    assert "_SampleBackward" in names
    assert not any("GridSampler" in name for name in names)  # it has no derivative on a GPU


def test_a_grid_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="a grid of"):
        sample_reflected(torch.zeros(2, 3, 8, 8), grid(2, 4))
