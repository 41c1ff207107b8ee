"""Backward passes in Python, for tensors of a device that is not there.

Torch's own engine asks the CUDA driver for its streams and fails without one. But nodes of the graph can be
called from Python. Gradients are accumulated, cast and summed where the engine does so, in another order of
independent nodes.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

Edge = tuple[Any, int]


class NodeObserver(Protocol):
    """Notes which operations belong to a node, and which of its results are used."""

    def begin_node(self) -> None: ...

    def end_node(self, used: list[Tensor] | None) -> None:
        """`used`: None if all are; otherwise operations for the others are ones that torch would not do."""
        ...


class PythonEngine:
    """`backward` and `grad` replace those of `torch.autograd`."""

    def __init__(self, observer: NodeObserver) -> None:
        self.observer = observer

    def backward(
        self,
        tensors: Any,
        grad_tensors: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        grad_variables: Any = None,
        inputs: Any = None,
    ) -> None:
        """As `torch.autograd.backward`, without `inputs`."""
        if inputs is not None:
            raise NotImplementedError("backward with inputs")
        self._run(_as_list(tensors), grad_tensors, create_graph, {})

    def grad(
        self,
        outputs: Any,
        inputs: Any,
        grad_outputs: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        **_: Any,
    ) -> tuple[Tensor | None, ...]:
        """As `torch.autograd.grad`."""
        edges = [(edge.node, edge.output_nr) for edge in map(get_gradient_edge, _as_list(inputs))]
        captured: dict[Edge, Tensor | None] = dict.fromkeys(edges)
        self._run(_as_list(outputs), grad_outputs, create_graph, captured)
        return tuple(captured[edge] for edge in edges)

    def _run(
        self, roots: list[Tensor], grads: Any, create_graph: bool, captured: dict[Edge, Tensor | None]
    ) -> None:
        edges = [get_gradient_edge(root) for root in roots]
        needed, waiting = _order([edge.node for edge in edges], {node for node, _ in captured})
        buffers: dict[Any, dict[int, Tensor]] = defaultdict(dict)
        with torch.set_grad_enabled(create_graph):
            given = [None] * len(roots) if grads is None else _as_list(grads)
            for root, grad, edge in zip(roots, given, edges, strict=True):
                start = torch.ones_like(root) if grad is None else grad
                _add(buffers[edge.node], edge.output_nr, start)
            ready: list[Any] = [
                start for start in dict.fromkeys(edge.node for edge in edges) if not waiting[start]
            ]
            while ready:
                node: Any = ready.pop()
                received = buffers.pop(node, {})
                captured |= {edge: received.get(edge[1]) for edge in captured if edge[0] is node}
                following = [
                    edge[0] if edge[0] in needed else None for edge in node.next_functions
                ]  # None: not wanted
                if hasattr(node, "variable"):
                    if not captured:
                        _accumulate(node.variable, received.get(0), create_graph)
                    continue
                if not any(following):
                    continue
                outputs = self._call(node, received, following, bool(captured))
                follower: Any
                for output, follower, (_, index) in zip(outputs, following, node.next_functions, strict=True):
                    if follower is None:
                        continue
                    if output is not None:
                        output = _fit(output, follower._input_metadata[index])
                        _add(buffers[follower], index, output)
                    waiting[follower] -= 1
                    if not waiting[follower]:
                        ready.append(follower)

    def _call(
        self, node: Any, received: dict[int, Tensor], following: list[Any], partial: bool
    ) -> tuple[Tensor | None, ...]:
        self.observer.begin_node()
        count = len(node._input_metadata)
        call: Any = node if callable(node) else node.apply  # the latter for functions written in Python
        outputs: Any = call(*(received.get(index) for index in range(count)))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        used = [
            output
            for output, follower in zip(outputs, following, strict=True)
            if follower is not None and output is not None
        ]
        self.observer.end_node(used if partial else None)
        return outputs


def _as_list(values: Any) -> list[Any]:
    return [values] if isinstance(values, Tensor) else list(values)


def _order(roots: list[Any], targets: set[Any]) -> tuple[set[Any], dict[Any, int]]:
    """Nodes between roots and targets (without targets: all), and from how many edges each gets gradients."""
    parents: dict[Any, list[Any]] = defaultdict(list)
    reached, stack = set(roots), list(dict.fromkeys(roots))
    while stack:
        node = stack.pop()
        for follower, _ in node.next_functions:
            if follower is not None:
                parents[follower].append(node)
                if follower not in reached:
                    reached.add(follower)
                    stack.append(follower)
    needed = set(targets) if targets else reached
    stack = list(targets)
    while stack:
        for parent in parents[stack.pop()]:
            if parent not in needed:
                needed.add(parent)
                stack.append(parent)
    waiting: dict[Any, int] = defaultdict(int)
    for follower in needed:
        waiting[follower] = sum(parent in needed for parent in parents[follower])
    return needed, waiting


def _fit(grad: Tensor, metadata: Any) -> Tensor:
    """In shape and type of the value whose gradient it is."""
    if tuple(grad.shape) != tuple(metadata.shape):
        grad = grad.sum_to_size(metadata.shape)
    return grad if grad.dtype == metadata.dtype else grad.to(metadata.dtype)


def _add(buffer: dict[int, Tensor], index: int, grad: Tensor) -> None:
    buffer[index] = buffer[index] + grad if index in buffer else grad


def _accumulate(variable: Tensor, grad: Tensor | None, create_graph: bool) -> None:
    """Add to `.grad`; a first gradient is taken as it is, if it has the variable's layout."""
    if grad is None:
        return
    if variable.grad is not None:
        variable.grad = variable.grad + grad
        return
    grad = grad.detach() if grad.requires_grad and not create_graph else grad
    strides = zip(grad.shape, grad.stride(), variable.stride(), strict=True)
    same = all(size == 1 or one == other for size, one, other in strides)
    variable.grad = grad if same else torch.empty_like(variable).copy_(grad)
