"""Compiling of networks and functions, also of functions that draw random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from lumiface.core.draws import Draws, Recorder, Request, draw_all
from lumiface.training.config import Compile

Compiled = TypeVar("Compiled", bound=Callable[..., Any])


def maybe_compile(target: Compiled, when: Compile, device: torch.device, *, part: bool = False) -> Compiled:
    """A network or function, or the same compiled; a compiled network shares its weights.

    Each input size is compiled by itself: a batch has one of a few sizes, and kernels of symbolic sizes are
    slower and compiled once more when the second size occurs.

    Args:
        target: a function's last argument is a `RandomSource`; see `CompiledFunction`.
        when: "gpu": unless `device` is the CPU; "parts": likewise, and only what is a part.
        part: it has many small operations, so that little code saves many kernels.
    """
    wanted = when != "never" and (part or when != "parts")
    if not wanted or (when != "always" and device.type == "cpu"):
        return target
    if isinstance(target, nn.Module):
        return cast("Compiled", _compiled(target, device))
    return cast("Compiled", CompiledFunction(target, device))


def _compiled(target: Any, device: torch.device) -> Any:
    """Compiled for each input size; on a GPU, independent small operations share kernels.

    Half of the kernels of a network in bf16 are casts of single weights; these become one in eight.
    """
    options: dict[str, Any] = {"options": {"combo_kernels": True}} if device.type == "cuda" else {}
    return torch.compile(target, dynamic=False, **options)


class CompiledFunction:
    """A function compiled as one graph: its random numbers are drawn before it is called.

    What it draws may depend on nothing but the shapes of its tensors and on its numbers and strings. When
    these are new, the function is run once for nothing, to learn what it draws: it has no side effects.

    Args:
        function: its last argument is the source of its random numbers.
        device: on which it runs.
    """

    def __init__(self, function: Callable[..., Any], device: torch.device) -> None:
        def on_draws(values: list[Tensor], place: torch.device, *inputs: Any) -> Any:
            return function(*inputs, Draws(values, place))

        # A copy: torch compiles a code object at most eight times, and all functions would share this one.
        name = getattr(function, "__name__", "function")
        on_draws.__code__, on_draws.__name__ = on_draws.__code__.replace(co_name=name), name
        self.function = function
        self.compiled: Any = _compiled(on_draws, device)
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
