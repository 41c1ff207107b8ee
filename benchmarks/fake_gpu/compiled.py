"""Kernels of a compiled network or function: what torch's Inductor generates for a GPU, without one.

Forward and backward passes are traced and lowered as `torch.compile(dynamic=False)` does, for the properties
of an H100. Generated code is counted and not run; results come from the traced graph. What Inductor would
measure on the card or compute from values is off: padding of matrices, folding of constants.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, cast
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes  # pyright: ignore[reportPrivateUsage]
from torch.utils._pytree import tree_flatten, tree_unflatten

from fake_gpu.counter import StepCounter
from fake_gpu.device import FakeDevice
from fake_gpu.inductor import lowered
from lumiface.core import constants


class FakeCompiler:
    """In place of `torch.compile`. What it compiles runs once `device` and `counter` are set."""

    device: FakeDevice
    counter: StepCounter
    made: int = 0
    """Graphs compiled so far."""

    def __call__(self, target: Any, *, options: dict[str, Any] | None = None, **_: Any) -> Any:
        network = isinstance(target, nn.Module)
        return (CompiledNetwork if network else Passes)(target, self, options or {})


class CompiledNetwork(nn.Module):
    """A network in compiled form; it shares the weights."""

    def __init__(self, network: nn.Module, compiler: FakeCompiler, options: dict[str, Any]) -> None:
        super().__init__()
        self.network = network
        self.passes = Passes(network, compiler, options)

    def forward(self, *args: Any) -> Any:
        return self.passes(*args)


class Passes:
    """A network or function compiled for each shape of its inputs.

    A function may be given networks, and strings and numbers, which become part of the compiled code. Of
    objects of lumiface, networks are found in `function`, and that of a method is its own.
    """

    def __init__(self, target: Callable[..., Any], compiler: FakeCompiler, options: dict[str, Any]) -> None:
        self.target, self.compiler, self.options = target, compiler, options
        self.compiled: dict[Any, tuple[Any, list[Any]]] = {}

    def __call__(self, *args: Any) -> Any:
        if torch.compiler.is_compiling():  # inside of another one, whose code it becomes part of
            return self.target(*args)
        leaves, spec = tree_flatten(args)
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        networks = list(
            dict.fromkeys(network for each in (self.target, *leaves) for network in _networks(each))
        )
        key = (torch.is_grad_enabled(), torch.is_autocast_enabled("cuda"), str(spec))
        key += tuple(_property(leaf) for leaf in leaves)
        key += tuple(value.requires_grad for network in networks for value in network.parameters())
        if key not in self.compiled:
            with _disable_current_modes(), self.compiler.device.fake:
                self.compiled[key] = self._compile(leaves, spec, tensors, networks)
        run, output_spec = self.compiled[key]
        with self.compiler.counter.paused():
            return tree_unflatten(list(run(*tensors)), output_spec[0])

    def _compile(
        self, leaves: list[Any], spec: Any, tensors: list[Tensor], networks: list[nn.Module]
    ) -> tuple[Any, list[Any]]:
        from torch._functorch._aot_autograd.utils import make_boxed_func
        from torch._functorch.aot_autograd import aot_module_simplified
        from torch._functorch.partitioners import min_cut_rematerialization_partition
        from torch._inductor import compile_fx, config
        from torch._inductor.decomposition import select_decomp_table

        target, output_spec = self.target, list[Any]()

        class Flat(nn.Module):
            """With tensors as inputs and outputs; weights are inputs, too, once they are registered."""

            def __init__(self) -> None:
                super().__init__()
                self.networks = nn.ModuleList(networks)

            def forward(self, *flat: Any) -> tuple[Any, ...]:
                given = iter(flat)
                filled = [next(given) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
                outputs, found = tree_flatten(target(*tree_unflatten(filled, spec)))
                output_spec[:] = [found]
                return tuple(outputs)

        name = getattr(target, "__name__", type(target).__name__)

        def compiler(direction: str) -> Any:
            def compile_graph(graph: Any, inputs: list[Any]) -> Any:
                original = copy.deepcopy(graph)
                place = f"compiled {name}, {direction}"
                # The backward pass is compiled when it is first run, inside the mode that counts.
                self.compiler.made += 1
                with _disable_current_modes(), self.compiler.device.fake, config.patch(self.options):
                    kernels = lowered(
                        graph, inputs, self.compiler.device, place, backward=direction == "backward"
                    )

                def run(*values: Any) -> Any:
                    self.compiler.counter.kernels += kernels
                    dispatched = self.compiler.device.operations + len(kernels)
                    with self.compiler.counter.paused():
                        results = original(*values)
                    self.compiler.device.operations = dispatched  # compiled code calls kernels alone
                    return results

                return make_boxed_func(run)

            return compile_graph

        def partition(joint: Any, inputs: Any, **options: Any) -> Any:
            # The one would need values, the other would measure on the card.
            with config.patch(joint_graph_constant_folding=False, shape_padding=False):
                cast("Any", compile_fx)._recursive_joint_graph_passes(joint)
            return min_cut_rematerialization_partition(joint, inputs, compiler="inductor", **options)

        flat: Any = Flat()
        # As under `torch.compile`: what asks whether it is compiled takes the form for that, and constants
        # are made outside of the graph. They have no values here, which is not to be refused.
        with (
            patch.object(torch.compiler, "_is_compiling_flag", True),
            patch.object(constants, "make", self._make_constant),
            patch("torch._dynamo.utils.assert_no_fake_params_or_buffers", lambda *_: None),
        ):
            run: Any = aot_module_simplified(
                flat,
                tensors,
                fw_compiler=compiler("forward"),
                bw_compiler=compiler("backward"),
                inference_compiler=compiler("forward"),
                decompositions=select_decomp_table(),
                partition_fn=partition,
            )
        return run, output_spec

    def _make_constant(self, function: Callable[..., Tensor], *args: Any) -> Tensor:
        with _disable_current_modes(), self.compiler.device.fake:
            return function(*args)


def _networks(value: Any) -> Iterator[nn.Module]:
    """Those that a function's code reaches."""
    if isinstance(value, nn.Module):
        yield value
        return
    for owner in (getattr(value, "__self__", None), getattr(value, "function", None)):
        if owner is not None:
            yield from _networks(owner)


def _property(leaf: Any) -> Any:
    """What compiled code depends on."""
    if isinstance(leaf, Tensor):
        return tuple(leaf.shape), leaf.dtype, leaf.requires_grad
    return leaf if isinstance(leaf, str | int | float | bool) else id(leaf)
