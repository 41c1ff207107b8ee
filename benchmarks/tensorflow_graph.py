"""A network stored for TensorFlow.js (model.json and its shards), run by torch: for published weights.

The file is a graph of elementary operations without control flow. Those below are the ones of MAXIM's
published enhancement network. Layouts and paddings are TensorFlow's: pictures are (B, H, W, C), and the
padding SAME may be uneven.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Attributes = Mapping[str, Any]
Operation = Callable[[Sequence[Tensor], Attributes], Tensor]

DTYPES = {"DT_FLOAT": torch.float32, "DT_INT32": torch.int32, "DT_BOOL": torch.bool, "DT_INT64": torch.int64}
_MASKS = ("begin", "end", "shrink_axis", "ellipsis", "new_axis")
STORED = {"float32": np.dtype("<f4"), "int32": np.dtype("<i4"), "bool": np.dtype("?")}


class TensorFlowGraph:
    """A graph of one input and one output.

    Args:
        folder: holds model.json and the files that it names.

    Raises:
        ValueError: it has an operation that is not known here.
    """

    def __init__(self, folder: Path) -> None:
        model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        nodes = model["modelTopology"]["node"]
        if unknown := {node["op"] for node in nodes} - {*OPERATIONS, "Const", "Placeholder"}:
            raise ValueError(f"{folder}: unknown operations {sorted(unknown)}")
        self.constants = _read_weights(folder, model["weightsManifest"])
        self.nodes = {node["name"]: node for node in nodes}
        self.inputs = {
            node["name"]: [name.split(":")[0] for name in node.get("input", []) if name[0] != "^"]
            for node in nodes
        }
        (self.placeholder,) = (node["name"] for node in nodes if node["op"] == "Placeholder")
        (output,) = model["signature"]["outputs"].values()
        self.output = output["name"].split(":")[0]
        self.order = self._sorted()

    @property
    def parameters(self) -> int:
        """Number of values of the constants that are floats."""
        return sum(value.numel() for value in self.constants.values() if value.is_floating_point())

    @torch.inference_mode()
    def __call__(self, picture: Tensor) -> Tensor:
        """The graph's input -> its output, in its own layout."""
        values = {**self.constants, self.placeholder: picture}
        left = Counter(name for node in self.order for name in self.inputs[node])
        for name in self.order:
            node = self.nodes[name]
            found = [values[each] for each in self.inputs[name]]
            values[name] = OPERATIONS[node["op"]](found, node.get("attr", {}))
            for each in self.inputs[name]:  # what nobody needs any more is freed
                left[each] -= 1
                if not left[each] and each not in self.constants:
                    values.pop(each, None)
        return values[self.output]

    def _sorted(self) -> list[str]:
        """The nodes that the output needs, each after its inputs."""
        order: list[str] = []
        done, stack = {*self.constants, self.placeholder}, [self.output]
        while stack:
            missing = [name for name in self.inputs[stack[-1]] if name not in done]
            if missing:
                stack.extend(missing)
                continue
            if (name := stack.pop()) not in done:
                order.append(name)
                done.add(name)
        return order


def _read_weights(folder: Path, manifest: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for group in manifest:
        data = b"".join((folder / path).read_bytes() for path in group["paths"])
        start = 0
        for entry in group["weights"]:
            dtype, count = STORED[entry["dtype"]], int(np.prod(entry["shape"], dtype=int))
            values = np.frombuffer(data, dtype, count, start).reshape(entry["shape"])
            found[entry["name"]] = torch.from_numpy(values.copy())
            start += dtype.itemsize * count
    return found


def _text(attributes: Attributes, name: str) -> str:
    return base64.b64decode(attributes[name]["s"]).decode()


def _numbers(attributes: Attributes, name: str) -> list[int]:
    return [int(value) for value in attributes[name]["list"]["i"]]


def _axes(values: Tensor) -> list[int]:
    return [int(value) for value in values.flatten().tolist()]


def _same_padding(size: Sequence[int], kernel: Sequence[int], stride: Sequence[int]) -> list[tuple[int, int]]:
    """Of height and width, (before, after) each: the output is the input over the stride, rounded up."""
    totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel, stride, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


def _conv(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    picture, weight = inputs[0].permute(0, 3, 1, 2), inputs[1].permute(3, 2, 0, 1)
    stride = _numbers(attributes, "strides")[1:3]
    if _text(attributes, "padding") == "SAME":
        (top, bottom), (left, right) = _same_padding(picture.shape[-2:], weight.shape[-2:], stride)
        picture = F.pad(picture, (left, right, top, bottom))
    return F.conv2d(picture, weight, stride=stride).permute(0, 2, 3, 1)


def _conv_transposed(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """The gradient of a convolution by its input, whose shape is the first operand."""
    size, weight = _axes(inputs[0])[1:3], inputs[1].permute(3, 2, 0, 1)
    stride = _numbers(attributes, "strides")[1:3]
    full = F.conv_transpose2d(inputs[2].permute(0, 3, 1, 2), weight, stride=stride)
    top, left = 0, 0
    if _text(attributes, "padding") == "SAME":
        (top, _), (left, _) = _same_padding(size, weight.shape[-2:], stride)
    return full[..., top : top + size[0], left : left + size[1]].permute(0, 2, 3, 1)


def _strided_slice(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    value, begin, end, step = inputs[0], *map(_axes, inputs[1:4])
    masks = {name: int(attributes.get(f"{name}_mask", {}).get("i", 0)) for name in _MASKS}
    if masks["ellipsis"] or masks["new_axis"]:
        raise ValueError("StridedSlice with an ellipsis or a new axis")
    parts: list[int | slice] = []
    for axis in range(len(begin)):
        if masks["shrink_axis"] >> axis & 1:
            parts.append(begin[axis])
            continue
        first = None if masks["begin"] >> axis & 1 else begin[axis]
        last = None if masks["end"] >> axis & 1 else end[axis]
        parts.append(slice(first, last, step[axis]))
    if any(amount < 0 for amount in step):  # torch has no negative steps
        return torch.from_numpy(value.numpy()[tuple(parts)].copy())
    return value[tuple(parts)]


def _divide_down(inputs: Sequence[Tensor], _: Attributes) -> Tensor:
    return torch.div(inputs[0], inputs[1], rounding_mode="floor")


def _sum(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    axes = _axes(inputs[1])
    keep = bool(attributes.get("keep_dims", {}).get("b", False))
    return inputs[0].sum(axes, keepdim=keep, dtype=inputs[0].dtype) if axes else inputs[0]


def _gather(inputs: Sequence[Tensor], _: Attributes) -> Tensor:
    """Places of one axis, in the shape of the places."""
    value, places, axis = inputs[0], inputs[1], int(inputs[2])
    found = value.index_select(axis, places.flatten())
    return found.reshape(*value.shape[:axis], *places.shape, *value.shape[axis + 1 :])


def _squeeze(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    axes = attributes.get("squeeze_dims", {}).get("list", {}).get("i", [])
    return inputs[0].squeeze([int(axis) for axis in axes]) if axes else inputs[0].squeeze()


def _plain(function: Callable[..., Tensor]) -> Operation:
    """An operation without attributes."""
    return lambda inputs, _: function(*inputs)


_SAME_NAME = (
    *("Mul", "Sub", "Square", "Rsqrt", "Tanh", "Abs", "Reciprocal", "Neg", "Exp", "Floor", "Sign"),
    *("Maximum", "Minimum", "Greater", "Less"),
)

OPERATIONS: dict[str, Operation] = {
    **{name: _plain(getattr(torch, name.lower())) for name in _SAME_NAME},
    "AddV2": _plain(torch.add),
    "RealDiv": _plain(torch.div),
    "FloorDiv": _divide_down,
    "FloorMod": _plain(torch.remainder),
    "GreaterEqual": _plain(torch.ge),
    "LessEqual": _plain(torch.le),
    "NotEqual": _plain(torch.ne),
    "LogicalAnd": _plain(torch.logical_and),
    "SelectV2": _plain(torch.where),
    "Identity": lambda inputs, _: inputs[0],
    "Cast": lambda inputs, attributes: inputs[0].to(DTYPES[attributes["DstT"]["type"]]),
    "Shape": lambda inputs, _: torch.tensor(inputs[0].shape, dtype=torch.int32),
    "Reshape": lambda inputs, _: inputs[0].reshape(_axes(inputs[1])),
    "Transpose": lambda inputs, _: inputs[0].permute(_axes(inputs[1])),
    "BroadcastTo": lambda inputs, _: inputs[0].broadcast_to(_axes(inputs[1])),
    "ExpandDims": lambda inputs, _: inputs[0].unsqueeze(int(inputs[1])),
    "Range": lambda inputs, _: torch.arange(*(value.item() for value in inputs), dtype=inputs[0].dtype),
    "Pack": lambda inputs, attributes: torch.stack(
        [*inputs], dim=int(attributes.get("axis", {}).get("i", 0))
    ),
    "ConcatV2": lambda inputs, _: torch.cat([*inputs[:-1]], dim=int(inputs[-1])),
    "GatherV2": _gather,
    "Einsum": lambda inputs, attributes: torch.einsum(_text(attributes, "equation"), *inputs),
    "Sum": _sum,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Conv2D": _conv,
    "Conv2DBackpropInput": _conv_transposed,
}
