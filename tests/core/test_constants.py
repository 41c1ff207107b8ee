"""Constants are made once, can be trained with, and are constants of compiled code."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lumiface.core.constants import cached_constant

made: list[int] = []


@cached_constant
def ramp(length: int) -> Tensor:
    made.append(length)
    return torch.arange(length, dtype=torch.float32)


def scaled(image: Tensor) -> Tensor:
    return image * ramp(3)


def test_a_constant_is_made_once_and_can_be_trained_with() -> None:
    made.clear()
    cleared: Any = ramp
    cleared.cache_clear()
    with torch.inference_mode():
        first = ramp(3)
    assert ramp(3) is first
    assert made == [3]
    image = torch.ones(3, requires_grad=True)
    scaled(image).sum().backward()
    assert image.grad is not None
    assert image.grad.tolist() == [0.0, 1.0, 2.0]


def test_compiled_code_holds_the_constant() -> None:
    graphs: list[Any] = []

    def backend(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    compiled: Any = torch.compile(scaled, backend=backend, fullgraph=True)
    assert compiled(torch.ones(3)).tolist() == [0.0, 1.0, 2.0]
    (graph,) = graphs
    assert not [node for node in graph.graph.nodes if "arange" in str(node.target)]
