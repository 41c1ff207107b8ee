"""Kernels of a compiled network: what torch's Inductor generates for a GPU, without one.

Forward and backward passes are traced and lowered as `torch.compile(dynamic=False)` does, for the properties
of an H100. Generated code is counted and not run; results come from the traced graph. Inductor's folding of
constants is off, because it needs values.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import torch
from torch import nn
from torch.fx import Node
from torch.utils._python_dispatch import _disable_current_modes  # pyright: ignore[reportPrivateUsage]
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten
from torch.utils.flop_counter import flop_registry

from lumiface.training.step_cost.counter import Kernel, StepCounter
from lumiface.training.step_cost.fake_device import FakeDevice

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

_PLACE = "compiled"


class FakeCompiler:
    """In place of `torch.compile`. Its networks run once `device` and `counter` are set.

    Functions that are not modules stay as they are: lumiface's draw random numbers from generators, at which
    `torch.compile` would leave its graph.
    """

    device: FakeDevice
    counter: StepCounter

    def __call__(self, target: Any, **_: Any) -> Any:
        return CompiledNetwork(target, self) if isinstance(target, nn.Module) else target


class CompiledNetwork(nn.Module):
    """A network in a compiled form of its own for each shape of its inputs; it shares the weights."""

    def __init__(self, network: nn.Module, compiler: FakeCompiler) -> None:
        super().__init__()
        self.network, self.compiler = network, compiler
        self.passes: dict[Any, tuple[Any, list[Any]]] = {}

    def forward(self, *args: Any) -> Any:
        tensors, spec = tree_flatten(args)
        key = (torch.is_grad_enabled(), torch.is_autocast_enabled("cuda"), str(spec))
        key += tuple((tuple(each.shape), each.dtype, each.requires_grad) for each in tensors)
        if key not in self.passes:
            with _disable_current_modes(), self.compiler.device.fake:
                self.passes[key] = self._compile(tensors, spec)
        run, output_spec = self.passes[key]
        with self.compiler.counter.paused():
            return tree_unflatten(list(run(*tensors)), output_spec[0])

    def _compile(self, tensors: list[Any], spec: Any) -> tuple[Any, list[Any]]:
        from torch._functorch._aot_autograd.utils import make_boxed_func
        from torch._functorch.aot_autograd import aot_module_simplified
        from torch._functorch.partitioners import min_cut_rematerialization_partition
        from torch._inductor import compile_fx, config
        from torch._inductor.decomposition import select_decomp_table

        network, output_spec = self.network, list[Any]()

        class Flat(nn.Module):
            """With lists of tensors as inputs and outputs."""

            def __init__(self) -> None:
                super().__init__()
                self.network = network

            def forward(self, *flat: Any) -> tuple[Any, ...]:
                outputs, found = tree_flatten(self.network(*tree_unflatten(list(flat), spec)))
                output_spec[:] = [found]
                return tuple(outputs)

        def compiler(*, backward: bool) -> Any:
            def compile_graph(graph: Any, inputs: list[Any]) -> Any:
                original = copy.deepcopy(graph)
                # The backward pass is compiled when it is first run, inside the mode that counts.
                with _disable_current_modes(), self.compiler.device.fake:
                    kernels = _lowered(graph, inputs, self.compiler.device, backward)

                def run(*values: Any) -> Any:
                    self.compiler.counter.kernels += kernels
                    with self.compiler.counter.paused():
                        return original(*values)

                return make_boxed_func(run)

            return compile_graph

        def partition(joint: Any, inputs: Any, **options: Any) -> Any:
            with config.patch(joint_graph_constant_folding=False):  # this would need values
                cast("Any", compile_fx)._recursive_joint_graph_passes(joint)
            return min_cut_rematerialization_partition(joint, inputs, compiler="inductor", **options)

        flat: Any = Flat()
        # As under `torch.compile`: constants become part of the graph instead of being cached.
        with patch.object(torch.compiler, "_is_compiling_flag", True):
            run: Any = aot_module_simplified(
                flat,
                tensors,
                fw_compiler=compiler(backward=False),
                bw_compiler=compiler(backward=True),
                inference_compiler=compiler(backward=False),
                decompositions=select_decomp_table(),
                partition_fn=partition,
            )
        return run, output_spec


def _lowered(graph: Any, inputs: list[Any], device: FakeDevice, backward: bool) -> list[Kernel]:
    """The kernels that Inductor makes of a traced pass; `graph` is changed."""
    from torch._inductor import compile_fx
    from torch._inductor.debug import DebugContext
    from torch._inductor.fx_passes.post_grad import view_to_reshape
    from torch._inductor.graph import GraphLowering
    from torch._inductor.virtualized import V

    with ExitStack() as stack:
        stack.enter_context(V.set_fake_mode(device.fake))
        view_to_reshape(graph)
        cast("Any", compile_fx)._recursive_post_grad_passes(graph, is_inference=False)
        lowering: Any = GraphLowering(graph, example_inputs=inputs, is_backward=backward)
        stack.enter_context(_card())
        stack.enter_context(V.set_debug_handler(DebugContext()))
        stack.enter_context(V.set_graph_handler(lowering))
        lowering.run(*inputs)
        lowering.codegen()
        return [kernel for node in lowering.scheduler.nodes if (kernel := _kernel(node)) is not None]


def _kernel(node: Any) -> Kernel | None:
    """What one node of Inductor's schedule starts, a generated kernel or a call of a library."""
    if type(node).__name__ == "NopKernelSchedulerNode":
        return None
    parts: list[Any] = [part.node for part in node.get_nodes() if part.node is not None]
    if any(type(part).__name__ == "MultiOutput" for part in parts):  # one result of a kernel with several
        return None
    dtypes: list[torch.dtype] = [dtype for part in parts if (dtype := part.maybe_get_dtype()) is not None]
    return Kernel(
        "library" if node.is_extern() else "generated",
        _PLACE,
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
