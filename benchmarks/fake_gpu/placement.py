"""Where tensors would be if there were a GPU, recorded while a training task is built on the CPU.

A task is built with its true values: faces are decoded and detected, cameras fitted, weights loaded. Whatever
it moves to the GPU stays on the CPU and is marked; `device` later replaces what is marked, and nothing
else, so that a constant that was left on the CPU is found to be copied in every step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

CUDA = torch.device("cuda", 0)
_MOVES = ("to", "cpu", "cuda")
_CpuGenerator = torch.Generator


class _DeviceGenerator(torch.Generator):
    """A generator on the CPU that says it is on the GPU."""

    device = CUDA


class AnyGenerator(torch.Generator):
    """In place of `torch.Generator`, which needs a driver for one on the GPU."""

    def __new__(cls, device: Any = None) -> Any:
        device = "cpu" if device is None else device
        return _DeviceGenerator() if names_cuda(device) else _CpuGenerator(device)


def names_cuda(value: Any) -> bool:
    """Whether a value is a CUDA device or its name."""
    return isinstance(value, torch.device | str) and str(value).startswith("cuda")


def on_cuda(tensor: Tensor) -> bool:
    """Whether a tensor is fake and on the GPU, or real and marked."""
    if isinstance(tensor, FakeTensor):
        return tensor.fake_device.type == "cuda"
    return getattr(tensor.untyped_storage(), "on_cuda", False)


def mark(tensor: Tensor) -> Tensor:
    """The tensor, marked as one on the GPU; views of it and parameters that share its memory are, too."""
    storage: Any = tensor.untyped_storage()
    storage.on_cuda = True
    return tensor


class PlacedOnCpu(TorchFunctionMode):
    """Inside, "cuda" means the CPU; copies to it are marked, and so is what is computed from them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name, owner = getattr(func, "__name__", ""), getattr(func, "__self__", None)
        leaves = tree_leaves((args, kwargs))
        marked = any(isinstance(leaf, Tensor) and on_cuda(leaf) for leaf in leaves)
        if name == "__get__" and marked:
            attribute = getattr(owner, "__name__", "")
            return {"device": CUDA, "is_cuda": True}.get(attribute) or func(*args, **kwargs)
        if name in ("__get__", "_parse_to"):  # the latter is of Module.to, which then calls Tensor.to
            return func(*args, **kwargs)
        to_cuda = any(names_cuda(leaf) for leaf in leaves)
        on_cpu: Any = tree_map(lambda leaf: "cpu" if names_cuda(leaf) else leaf, (args, kwargs))
        result = func(*on_cpu[0], **on_cpu[1])
        if name == "pin_memory":
            return result
        to_cpu = name == "cpu" or (name == "to" and not to_cuda and _names_a_device(args, kwargs))
        if name in _MOVES and (to_cuda or (to_cpu and marked)):
            result = result.clone() if result is args[0] else result  # both may be in use
        if (marked or to_cuda) and not to_cpu:
            for leaf in tree_leaves(result):
                if isinstance(leaf, Tensor):
                    mark(leaf)
        return result


def _names_a_device(args: Any, kwargs: Any) -> bool:
    """Whether the arguments of `Tensor.to` name a device, rather than a type or a memory format."""
    return any(isinstance(value, torch.device | str) for value in (*args[1:], kwargs.get("device")))
