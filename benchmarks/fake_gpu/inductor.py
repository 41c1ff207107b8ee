"""Kernels that Inductor makes of a traced graph, as if there were an H100."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import torch
from torch.fx import Node
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import flop_registry

from fake_gpu.counter import Kernel
from fake_gpu.device import FakeDevice

H100 = SimpleNamespace(
    name="H100",
    major=9,
    minor=0,
    multi_processor_count=132,
    regs_per_multiprocessor=65536,
    max_threads_per_multi_processor=2048,
    max_threads_per_block=1024,
    warp_size=32,
    total_memory=80 * 2**30,
    shared_memory_per_block=48 * 2**10,
    shared_memory_per_block_optin=227 * 2**10,
    shared_memory_per_multiprocessor=228 * 2**10,
    L2_cache_size=50 * 2**20,
)
"""The properties of the card that code is generated for."""


def lowered(graph: Any, inputs: list[Any], device: FakeDevice, place: str, *, backward: bool) -> list[Kernel]:
    """The kernels that Inductor makes of a traced pass.

    Args:
        graph: of operations on fake tensors; changed.
        inputs: the fake tensors.
        device: on which they are.
        place: of the kernels.
        backward: whether it is a backward pass.
    """
    from torch._inductor import compile_fx, config
    from torch._inductor.debug import DebugContext
    from torch._inductor.fx_passes.post_grad import view_to_reshape
    from torch._inductor.graph import GraphLowering
    from torch._inductor.virtualized import V

    with ExitStack() as stack:
        stack.enter_context(V.set_fake_mode(device.fake))
        # Padding would measure on the card; short constants in the code would need values.
        stack.enter_context(config.patch(shape_padding=False, always_keep_tensor_constants=True))
        view_to_reshape(graph)
        cast("Any", compile_fx)._recursive_post_grad_passes(graph, is_inference=False)
        lowering: Any = GraphLowering(graph, example_inputs=inputs, is_backward=backward)
        stack.enter_context(_card())
        stack.enter_context(V.set_debug_handler(DebugContext()))
        stack.enter_context(V.set_graph_handler(lowering))
        lowering.run(*inputs)
        lowering.init_wrapper_code()
        lowering._update_scheduler()  # as `codegen` does, which would go on and call Triton's compiler
        return [kernel for node in lowering.scheduler.nodes if (kernel := _kernel(node, place)) is not None]


def _kernel(node: Any, place: str) -> Kernel | None:
    """What one node of Inductor's schedule starts, a generated kernel or a call of a library."""
    if type(node).__name__ == "NopKernelSchedulerNode":
        return None
    parts: list[Any] = [part.node for part in node.get_nodes() if part.node is not None]
    if any(type(part).__name__ == "MultiOutput" for part in parts):  # one result of a kernel with several
        return None
    dtypes: list[torch.dtype] = [dtype for part in parts if (dtype := part.maybe_get_dtype()) is not None]
    return Kernel(
        "library" if node.is_extern() else "generated",
        place,
        # The origins of a library's kernel may include what prepares its inputs, but one product only.
        max((_flops(origin) for part in parts for origin in part.origins), default=0.0)
        if node.is_extern()
        else 0.0,
        float(node.get_read_write_buffers_sizes()),
        dtypes[0] if dtypes else torch.float32,
    )


def _flops(node: Any) -> float:
    """Of one call in a traced graph."""
    count: Any = flop_registry.get(getattr(getattr(node, "target", None), "overloadpacket", None))
    if count is None:
        return 0.0
    args, kwargs = tree_map(
        lambda leaf: leaf.meta["val"] if isinstance(leaf, Node) else leaf, (node.args, node.kwargs)
    )
    return float(count(*args, **kwargs, out_val=node.meta["val"]))


@contextmanager
def _card() -> Generator[None]:
    """Inductor generates code as if there were an H100."""
    import torch._inductor.runtime.hints as hints
    import torch.utils._triton as triton
    from torch._dynamo.device_interface import CudaInterface

    def constant(value: Any) -> Any:
        return staticmethod(lambda *_, **__: value)

    hints.DeviceProperties.create.cache_clear()  # pyright: ignore[reportAttributeAccessIssue]
    with ExitStack() as stack:
        for owner, name, value in (
            (CudaInterface, "get_device_properties", H100),
            (CudaInterface.Worker, "get_device_properties", H100),
            (CudaInterface, "get_compute_capability", 90),
            (CudaInterface, "is_available", True),
            (CudaInterface.Worker, "current_device", 0),
            (torch.cuda, "get_device_properties", H100),
            (torch.cuda, "get_device_capability", (9, 0)),
            (torch.cuda, "current_device", 0),
            (torch.cuda, "is_available", True),
            (torch.cuda, "device_count", 1),
            (triton, "triton_hash_with_backend", "none"),
        ):
            stack.enter_context(patch.object(owner, name, constant(value)))
        stack.callback(hints.DeviceProperties.create.cache_clear)  # pyright: ignore[reportAttributeAccessIssue]
        yield
