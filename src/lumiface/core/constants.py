"""Tensors that a function makes of its settings alone, once per device."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec

import torch
from torch import Tensor

P = ParamSpec("P")


def cached_constant(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Cache a function's tensors: to copy or compute them at each call would keep a GPU waiting.

    Its arguments must be hashable. In code compiled by `torch.compile`, the tensor is a constant.
    """

    @lru_cache(maxsize=256)  # crops of many sizes are resized with one matrix each
    def cached(*args: Any) -> Tensor:
        return make(function, *args)

    @wraps(function)
    def constant(*args: Any) -> Tensor:
        # There tensors have no values.
        return make(function, *args) if torch.compiler.is_exporting() else cached(*args)

    result: Any = constant
    # As `torch.compiler.assume_constant_result` marks it, which loads the compiler: a second and 170 MiB in
    # each process that restores photographs.
    result._dynamo_marked_constant = True
    result.cache_clear = cached.cache_clear
    return result


def make(function: Callable[..., Tensor], *args: Any) -> Tensor:
    """The tensor, as it is cached: also made in inference, it can be used in training."""
    with torch.inference_mode(False):
        return function(*args)


@cached_constant
def constant(values: tuple[Any, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor of numbers, or of rows of them, on a device."""
    return torch.tensor(values, dtype=dtype, device=device)


def constant_like(values: tuple[Any, ...], tensor: Tensor) -> Tensor:
    """As `tensor.new_tensor(values)`, but a GPU is not waited for."""
    return constant(values, tensor.dtype, tensor.device)
