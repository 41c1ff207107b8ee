"""The two forms of the blur, which are used by kernel size and device, are one filter."""

from __future__ import annotations

import pytest
import torch

from lumiface.degradations.blur import blur, gaussian_kernels


@pytest.mark.parametrize(("radius", "size"), [(1, (8, 9)), (8, (32, 24)), (15, (24, 33))])
def test_the_fourier_transform_gives_the_same(radius: int, size: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    pictures = torch.rand(3, 3, *size, generator=random)
    # Not symmetric: a kernel that is turned around would be noticed.
    kernels = torch.rand(3, 2 * radius + 1, 2 * radius + 1, generator=random)
    kernels = kernels / kernels.sum(dim=(1, 2), keepdim=True)
    expected = blur(pictures, kernels, fft=False)
    assert torch.equal(blur(pictures, kernels), expected)  # on a CPU always the direct form
    torch.testing.assert_close(blur(pictures, kernels, fft=True), expected, atol=2e-6, rtol=1e-5)


def test_gradients_pass_through_both() -> None:
    kernels = gaussian_kernels(torch.tensor([2.0]), torch.tensor([0.7]), torch.tensor([0.4]), 6)
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    one, other = (
        torch.autograd.grad(blur(picture, kernels, fft=fft).square().sum(), picture)[0]
        for fft in (True, False)
    )
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
