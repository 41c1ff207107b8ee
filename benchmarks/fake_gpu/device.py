"""A CUDA device without a GPU: its tensors have shapes, types and a place, but no values.

Operations on the device are answered by torch's fake tensors. Operations on the CPU are carried out, so the
host's random choices are true. What the host reads from the device is made up: false, 0.5 or 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fake_gpu.placement import CUDA, names_cuda, on_cuda

aten: Any = torch.ops.aten
_has_kernel: Any = vars(torch)["_C"]._dispatch_has_kernel_for_dispatch_key
MANY = 256
"""`nonzero` finds everything in tensors with more values than this, and nothing in smaller ones.

The former are taken for images or triangles, the latter for checks of a batch that find no fault.
"""

Observer = Callable[[Any, Any, Any, Any, str], None]
"""Receives each operation on the device: function, arguments, keyword arguments, result, kind.

The kinds: "kernel"; "read", "size", "download", "upload": the host waits (see `counter.HostWait`); "pinned":
a copy to the device for which it does not wait.
"""


class FakeDevice(TorchDispatchMode):
    """Inside, device "cuda" exists. Enter `fake` first.

    Attributes:
        fake: the mode that answers.
        operations: that went through torch's dispatcher: kernels, views, allocations, and those on the CPU.
    """

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self.observer = observer
        self.fake = FakeTensorMode(allow_non_fake_inputs=True)
        self.operations = 0
        self.moved: dict[int, tuple[Any, Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.prim.device.default:
            return args[0].fake_device
        self.operations += 1
        leaves = tree_leaves((args, kwargs))
        if not any(isinstance(leaf, FakeTensor) for leaf in leaves) and not names_cuda(kwargs.get("device")):
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        if func.namespace in ("profiler", "prim"):
            return func(*args, **kwargs)
        if _is_composite(func):  # as in inference mode
            self.operations -= 1
            with self:
                if (result := func.decompose(*args, **kwargs)) is not NotImplemented:
                    return result
        result, kind = self._answer(func, args, kwargs)
        self.observer(func, args, kwargs, result, kind)
        return result

    def _answer(self, func: Any, args: Any, kwargs: Any) -> tuple[Any, str]:
        """The result and its kind. This mode is off in here: what is called, the fake mode answers."""
        name: str = func.overloadpacket.__name__
        first: Any = args[0] if args else None
        if name == "_to_copy":
            return _copy(first, kwargs)
        if name == "copy_":
            return _overwrite(first, args[1], args[2:], kwargs)
        if name == "_local_scalar_dense":
            return (False if first.dtype is torch.bool else 0.5 if first.is_floating_point() else 1), "read"
        if name == "equal":
            return True, "read"
        if name == "nonzero":
            return _empty(first.numel() if first.numel() > MANY else 0, first.dim()), "size"
        if name == "masked_select":
            return _empty(first.numel(), dtype=first.dtype), "size"
        if name == "_unique2":
            return (_empty(1, dtype=first.dtype), _empty(*first.shape), _empty(1)), "size"
        if func is aten.repeat_interleave.Tensor:
            size = kwargs.get("output_size")
            return _empty(size or first.numel()), "size" if size is None else "kernel"
        if name in ("index", "index_put", "index_put_", "_unsafe_index"):
            return _index(func, args, kwargs)
        return func(*args, **kwargs), "kernel"

    def move(self, value: Any) -> Any:
        """The value with all marked tensors replaced by those of the device; objects are changed in place."""
        if id(value) in self.moved:
            return self.moved[id(value)][1]
        if isinstance(value, Tensor):
            if isinstance(value, FakeTensor) or not on_cuda(value):
                return value
            placed = _placed(value)
            if isinstance(value, nn.Parameter):
                placed = nn.Parameter(placed, requires_grad=value.requires_grad)
            self.moved[id(value)] = (value, placed)  # the former, so that its id is not given again
            return placed
        if isinstance(value, tuple):
            items: list[Any] = [self.move(item) for item in value]
            if all(one is other for one, other in zip(items, value, strict=True)):
                return value
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        self.moved[id(value)] = (value, value)
        if isinstance(value, list):
            value[:] = [self.move(item) for item in value]
        elif isinstance(value, dict):
            value.update({key: self.move(item) for key, item in value.items()})
        elif type(value).__module__.startswith(("lumiface", "fake_gpu", "torch.nn")) and not isinstance(
            value, type
        ):
            for name in _attributes(value):
                old: Any = getattr(value, name)
                if (new := self.move(old)) is not old:
                    object.__setattr__(value, name, new)
            if isinstance(value, nn.Module):
                self.move(vars(value)["_parameters"])
                self.move(vars(value)["_buffers"])
                self.move(vars(value)["_modules"])
        return value


def _attributes(value: Any) -> list[str]:
    slots = [getattr(kind, "__slots__", ()) for kind in type(value).__mro__]
    names = [name for group in slots for name in ([group] if isinstance(group, str) else group)]
    names = [*getattr(value, "__dict__", {}), *names]
    return [name for name in names if name not in ("__dict__", "__weakref__") and hasattr(value, name)]


def _is_composite(func: Any) -> bool:
    """Whether CUDA has no kernel for an operation, and runs others in its place."""
    has_kernel: Any = _has_kernel(func.name(), "CUDA")
    return not has_kernel and func is not aten._to_copy.default and func._can_decompose()


def _empty(*shape: int, dtype: torch.dtype = torch.int64) -> Tensor:
    return torch.empty(shape, dtype=dtype, device=CUDA)


def _placed(source: Tensor) -> Tensor:
    """A tensor of the device like a real one."""
    return torch.empty_strided(source.shape, source.stride(), dtype=source.dtype, device=CUDA)


def _is_pinned(source: Tensor) -> bool:
    return getattr(source.untyped_storage(), "pinned", False)


def _copy(source: Tensor, kwargs: Any) -> tuple[Tensor, str]:
    """`_to_copy`: to another type, from the device, or to it."""
    device, dtype = kwargs.get("device"), kwargs.get("dtype") or source.dtype
    if not isinstance(source, FakeTensor):
        with unset_fake_temporarily():
            kind = kwargs.get("memory_format") or torch.preserve_format
            like = torch.empty_like(source, dtype=dtype, memory_format=kind)
        return _placed(like), "pinned" if kwargs.get("non_blocking") and _is_pinned(source) else "upload"
    if device is None or names_cuda(device):
        return aten._to_copy.default(source, **kwargs), "kernel"
    with unset_fake_temporarily():
        return torch.zeros(source.shape, dtype=dtype), "download"


def _overwrite(target: Tensor, source: Tensor, args: Any, kwargs: Any) -> tuple[Tensor, str]:
    """`copy_`, also between the device and the CPU."""
    if not isinstance(target, FakeTensor):
        return target, "download"
    if isinstance(source, FakeTensor):
        return aten.copy_.default(target, source, *args, **kwargs), "kernel"
    non_blocking = args[0] if args else kwargs.get("non_blocking", False)
    aten.copy_.default(target, _placed(source))
    return target, "pinned" if non_blocking and _is_pinned(source) else "upload"


def _index(func: Any, args: Any, kwargs: Any) -> tuple[Any, str]:
    """Indexing: a mask needs the number of its true values on the host, indices on the CPU are copied."""
    kind = "kernel"
    indices: list[Tensor | None] = []
    for index in args[1]:
        if index is not None and index.dtype in (torch.bool, torch.uint8):
            kind = "size"
            indices += [_empty(index.numel())] * index.dim()
        elif index is not None and not isinstance(index, FakeTensor):
            kind = "upload"
            indices.append(_placed(index))
        else:
            indices.append(index)
    if kind == "size" and len(args) > 2 and args[2].numel() == 1:
        kind = "kernel"  # torch fills by the mask
    return func(args[0], indices, *args[2:], **kwargs), kind
