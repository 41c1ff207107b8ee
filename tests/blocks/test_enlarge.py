"""Enlargement without an atomic backward pass equals F.interpolate, forward and backward."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import rand
from lumiface.blocks import enlarge


def both(
    function: Callable[[Tensor], Tensor], channels_last: bool, dtype: torch.dtype, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The output for a noise picture, and the gradient of a weighted sum of it."""
    x = rand(2, 5, *size, dtype=dtype)
    x = x.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    x.requires_grad_()
    output = function(x)
    (output * rand(*output.shape, seed=1, dtype=dtype)).sum().backward()
    assert x.grad is not None
    return output.detach(), x.grad


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [(7, 9), (1, 16), (32, 32)])
def test_repeated_pixels_are_nearest_neighbours(channels_last: bool, size: tuple[int, int]) -> None:
    options = (channels_last, torch.float32, size)
    output, gradient = both(enlarge.repeat_pixels, *options)
    expected, expected_gradient = both(lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest"), *options)
    assert torch.equal(output, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("size", [(7, 9), (1, 16), (32, 32)])
def test_bilinear_enlargement_of_a_training_step(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (True, torch.float64, size)
    expected, expected_gradient = both(enlarge.enlarge_bilinear, *options)
    monkeypatch.setattr(enlarge, "_trained_on_cuda", lambda x: True)
    output, gradient = both(enlarge.enlarge_bilinear, *options)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize(("name", "factor"), [("enlarge_nearest", 2), ("enlarge_bilinear", 4)])
def test_on_the_cpu_nothing_changes(name: str, factor: int) -> None:
    mode = {"mode": "nearest"} if factor == 2 else {"mode": "bilinear", "align_corners": False}
    x = rand(2, 3, 11, 8).requires_grad_()
    assert torch.equal(getattr(enlarge, name)(x), F.interpolate(x, scale_factor=float(factor), **mode))
