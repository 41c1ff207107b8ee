"""Features of output and target are the same in one call and in two."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from helpers import rand
from lumiface.losses.features_of_both import features_of_both


def test_one_call_and_two_agree_in_values_and_gradients() -> None:
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 3, stride=2)
    sizes: list[int] = []

    def features(images: Tensor) -> list[Tensor]:
        sizes.append(len(images))
        maps = first(images).relu()
        return [maps, second(maps)]

    gradients: list[Tensor] = []
    results: list[tuple[list[Tensor], list[Tensor]]] = []
    for together in (False, True):
        output, target = rand(2, 3, 8, 8).requires_grad_(), rand(2, 3, 8, 8, seed=1).requires_grad_()
        ours, theirs = features_of_both(features, output, target, together=together)
        sum(((one - other).square().sum() for one, other in zip(ours, theirs, strict=True))).backward()
        assert target.grad is None
        assert output.grad is not None
        gradients.append(output.grad)
        results.append((ours, theirs))
    assert sizes == [2, 2, 4]
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(results[0], results[1])
