"""Compiling of networks and functions, also of functions that draw random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from lumiface.core.draws import Draws, Recorder, Request, draw_all
from lumiface.training.config import Compile

Compiled = TypeVar("Compiled", bound=Callable[..., Any])


def maybe_compile(target: Compiled, when: Compile, device: torch.device) -> Compiled:
    """A network or function, or the same compiled; a compiled network shares its weights.

    Each input size is compiled by itself: a batch has one of a few sizes, and kernels of symbolic sizes are
    slower and compiled once more when the second size occurs.

    Args:
        target: a function's last argument is a `RandomSource`; see `CompiledFunction`.
        when: "gpu": unless `device` is the CPU.
    """
    if when == "never" or (when == "gpu" and device.type == "cpu"):
        return target
    if isinstance(target, nn.Module):
        return cast("Compiled", torch.compile(target, dynamic=False))
    return cast("Compiled", CompiledFunction(target))


class CompiledFunction:
    """A function compiled as one graph: its random numbers are drawn before it is called.

    What it draws may depend on nothing but the shapes of its tensors and on its numbers and strings. When
    these are new, the function is run once for nothing, to learn what it draws: it has no side effects.

    Args:
        function: its last argument is the source of its random numbers.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        def on_draws(values: list[Tensor], device: torch.device, *inputs: Any) -> Any:
            return function(*inputs, Draws(values, device))

        # A copy: torch compiles a code object at most eight times, and all functions would share this one.
        name = getattr(function, "__name__", "function")
        on_draws.__code__ = on_draws.__code__.replace(co_name=name)
        self.function = function
        self.compiled: Any = torch.compile(on_draws, dynamic=False)
        self.requests: dict[Any, list[Request]] = {}

    def __call__(self, *args: Any) -> Any:
        *inputs, source = args
        if isinstance(source, Draws | Recorder):  # called by a function that is compiled
            return self.function(*args)
        key = tuple(_property(value) for value in inputs)
        if key not in self.requests:
            self.requests[key] = self._requests(inputs, source)
        return self.compiled(draw_all(self.requests[key], source), source.device, *inputs)

    @torch.no_grad()
    def _requests(self, inputs: list[Any], generator: torch.Generator) -> list[Request]:
        state, recorder = generator.get_state(), Recorder(generator)
        self.function(*inputs, recorder)
        generator.set_state(state)
        return recorder.requests


def _property(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype
    return value if isinstance(value, str | int | float) else None
