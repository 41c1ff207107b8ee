"""Random numbers of a function, drawn before it is called: `torch.compile` leaves its graph at a generator.

A function that takes a `RandomSource` draws with `rand`, `randn` and `randint`. It is run once on a
`Recorder`, which notes what it draws; from then on it can be given `Draws` instead of a generator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["rand", "randn", "randint"]


@dataclass(frozen=True, slots=True)
class Request:
    """One draw.

    Attributes:
        kind: "rand", uniform in [0, 1); "randn", standard normal; "randint", integers.
        shape: of the result.
        dtype: of the result; None: torch's default.
        low, high: of integers: the least, and the largest + 1.
    """

    kind: Kind
    shape: tuple[int, ...]
    dtype: torch.dtype | None = None
    low: int = 0
    high: int = 0

    def draw(self, generator: torch.Generator) -> Tensor:
        """On the generator's device."""
        shape, dtype, device = self.shape, self.dtype, generator.device
        if self.kind == "randint":
            return torch.randint(self.low, self.high, shape, generator=generator, device=device)
        function = torch.rand if self.kind == "rand" else torch.randn
        return function(shape, generator=generator, device=device, dtype=dtype)


class Recorder:
    """Draws from a generator, and notes what is drawn.

    Attributes:
        requests: in the order of the draws.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator, self.device = generator, generator.device
        self.requests: list[Request] = []

    def take(self, request: Request) -> Tensor:
        self.requests.append(request)
        return request.draw(self.generator)


class Draws:
    """Values drawn before, handed out in the order of the requests.

    Raises:
        IndexError: more is drawn than was recorded.
    """

    def __init__(self, values: Sequence[Tensor], device: torch.device) -> None:
        self.values, self.device, self.position = values, device, 0

    def take(self, request: Request) -> Tensor:
        value = self.values[self.position]
        self.position += 1
        return value


RandomSource = torch.Generator | Recorder | Draws


def rand(shape: Sequence[int], source: RandomSource, dtype: torch.dtype | None = None) -> Tensor:
    """Uniform in [0, 1), on the source's device."""
    return _take(Request("rand", tuple(shape), dtype), source)


def randn(shape: Sequence[int], source: RandomSource, dtype: torch.dtype | None = None) -> Tensor:
    """Standard normal, on the source's device."""
    return _take(Request("randn", tuple(shape), dtype), source)


def randint(low: int, high: int, shape: Sequence[int], source: RandomSource) -> Tensor:
    """Integers from `low` to `high` - 1, on the source's device."""
    return _take(Request("randint", tuple(shape), None, low, high), source)


def draw_all(
    requests: Sequence[Request], generator: torch.Generator, *, together: bool | None = None
) -> list[Tensor]:
    """All draws of a function.

    Args:
        together: those of one kind and type are one draw, which is split: one kernel instead of many, and
            other numbers; None: on a GPU only.
    """
    if generator.device.type == "cpu" if together is None else not together:
        return [request.draw(generator) for request in requests]
    groups: dict[Request, list[int]] = {}
    for index, request in enumerate(requests):
        groups.setdefault(replace(request, shape=()), []).append(index)
    values = dict[int, Tensor]()
    for kind, indices in groups.items():
        sizes = [math.prod(requests[index].shape) for index in indices]
        drawn = replace(kind, shape=(sum(sizes),)).draw(generator)
        for index, part in zip(indices, drawn.split(sizes), strict=True):
            values[index] = part.view(requests[index].shape)
    return [values[index] for index in range(len(requests))]


def _take(request: Request, source: RandomSource) -> Tensor:
    return source.take(request) if isinstance(source, Recorder | Draws) else request.draw(source)
