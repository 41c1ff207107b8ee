"""Reflection at the border by slices, against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lumiface.losses.reflection_pad import ReflectionPad, reflect_by_slices


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(2, 2), (3, 5), (8, 8)])
def test_values_and_gradients_are_torchs(size: tuple[int, int], layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    image = torch.randn(2, 3, *size).to(memory_format=layout).requires_grad_()
    ours, expected = reflect_by_slices(image), nn.ReflectionPad2d(1)(image)
    assert torch.equal(ours, expected)
    assert ours.is_contiguous(memory_format=layout)
    weight = torch.randn_like(expected)
    one, other = (torch.autograd.grad((padded * weight).sum(), image)[0] for padded in (ours, expected))
    torch.testing.assert_close(one, other)


def test_it_can_be_used_where_the_other_was() -> None:
    image = torch.randn(1, 2, 4, 4)
    assert torch.equal(ReflectionPad()(image), nn.ReflectionPad2d(1)(image))
    assert not ReflectionPad().state_dict()
