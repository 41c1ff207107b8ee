"""Graphs of TensorFlow.js run by torch: layouts, paddings and slices are TensorFlow's."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import rand

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from tensorflow_graph import OPERATIONS, TensorFlowGraph


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def whole(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


def indices(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)


@pytest.mark.parametrize(("size", "kernel", "before", "after"), [(6, 3, 0, 1), (7, 3, 1, 1), (8, 4, 1, 1)])
def test_same_padding_at_stride_2(size: int, kernel: int, before: int, after: int) -> None:
    """An odd rest is padded below and on the right: TensorFlow's rule."""
    picture, weight = rand(1, size, size, 2), rand(kernel, kernel, 2, 3)
    attributes = {"strides": whole(1, 2, 2, 1), "padding": text("SAME")}
    found = OPERATIONS["Conv2D"]([picture, weight], attributes)
    padded = F.pad(picture, (0, 0, before, after, before, after))
    places = range(0, padded.shape[1] - kernel + 1, 2)
    windows = [[padded[0, y : y + kernel, x : x + kernel, :, None] * weight for x in places] for y in places]
    expected = torch.stack([torch.stack([one.sum((0, 1, 2)) for one in row]) for row in windows])[None]
    torch.testing.assert_close(found, expected)
    assert found.shape[1] == -(-size // 2)


@pytest.mark.parametrize("kernel", [2, 3, 4])
def test_the_transposed_convolution_is_the_gradient_of_the_convolution(kernel: int) -> None:
    attributes = {"strides": whole(1, 2, 2, 1), "padding": text("SAME")}
    picture, weight, output = rand(1, 6, 8, 2).requires_grad_(), rand(kernel, kernel, 2, 3), rand(1, 3, 4, 3)
    (OPERATIONS["Conv2D"]([picture, weight], attributes) * output).sum().backward()
    found = OPERATIONS["Conv2DBackpropInput"]([indices(1, 6, 8, 2), weight, output], attributes)
    torch.testing.assert_close(found, picture.grad)


def test_slices_reductions_and_gathering() -> None:
    value = rand(3, 4, 5)
    attributes = {"begin_mask": {"i": "2"}, "end_mask": {"i": "2"}, "shrink_axis_mask": {"i": "1"}}
    found = OPERATIONS["StridedSlice"](
        [value, indices(1, 9, 0), indices(2, 9, 4), indices(1, 1, 2)], attributes
    )
    assert torch.equal(found, value[1, :, 0:4:2])
    back = OPERATIONS["StridedSlice"]([value, indices(2), indices(0), indices(-1)], {})
    assert torch.equal(back, torch.stack([value[2], value[1]]))
    kept = OPERATIONS["Sum"]([value, indices(0, 2)], {"keep_dims": {"b": True}})
    torch.testing.assert_close(kept, value.sum((0, 2), keepdim=True))
    places = torch.tensor([[3, 0], [1, 1]], dtype=torch.int32)
    assert torch.equal(OPERATIONS["GatherV2"]([value, places, torch.tensor(1)], {}), value[:, places.long()])


def write_graph(folder: Path, op: str) -> None:
    """output = op(input, factor) + input; an operation that the output does not need is there, too."""
    factor = np.float32([2.0, 3.0])
    (folder / "a.bin").write_bytes(factor.tobytes())
    nodes = [
        {"name": "sum", "op": "AddV2", "input": ["product", "x"]},  # not in the order of work
        {"name": "product", "op": op, "input": ["x:0", "factor"]},
        {"name": "factor", "op": "Const"},
        {"name": "x", "op": "Placeholder"},
        {"name": "unused", "op": "Neg", "input": ["sum"]},
    ]
    weights = [{"name": "factor", "shape": [2], "dtype": "float32"}]
    model = {
        "signature": {"outputs": {"y": {"name": "sum:0"}}},
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["a.bin"], "weights": weights}],
    }
    (folder / "model.json").write_text(json.dumps(model), encoding="utf-8")


def test_a_graph_from_its_files(tmp_path: Path) -> None:
    write_graph(tmp_path, "Mul")
    graph, value = TensorFlowGraph(tmp_path), rand(4, 2)
    assert graph.parameters == 2
    assert graph.order == ["product", "sum"]
    torch.testing.assert_close(graph(value), value * torch.tensor([3.0, 4.0]))
    write_graph(tmp_path, "FusedEverything")
    with pytest.raises(ValueError, match="FusedEverything"):
        TensorFlowGraph(tmp_path)
