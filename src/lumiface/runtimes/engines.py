"""The engines: an ONNX model in, something that is called like a network of torch out."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lumiface.runtimes.names import Engine, Precision

_HEAVY = ("Convolution", "MatMul")
"""OpenVINO's names of the operations that bf16 makes faster."""


class EngineNetwork:
    """A network that an engine runs on the CPU, by as many threads as torch has when it is made.

    In a forked process, where the threads of an engine do not survive, torch runs it.

    Args:
        network: that of the model; what a caller asks beside outputs comes from it.
        model: in ONNX's format, or for OpenVINO also in its own.
        engine, precision: what runs it, and how.

    Attributes:
        config: that of the network.
        engine, precision: what runs it, and how.

    Shape: as of the network, float32.
    """

    def __init__(self, network: Any, model: bytes | Path, engine: Engine, precision: Precision) -> None:
        self.network, self.config = network, network.config
        self.engine: Engine = engine
        self.precision: Precision = precision
        self._process, self._lock = os.getpid(), threading.Lock()
        start = {"onnx": _onnx_runtime, "openvino": _openvino}[engine]
        layers: Sequence[str] = getattr(network, "float32_layers", ())
        self._run = start(model, torch.get_num_threads(), precision, layers)

    def __call__(self, low: Tensor) -> Tensor:
        if os.getpid() != self._process:
            return self.network(low)
        with self._lock:
            return torch.from_numpy(self._run(low.detach().contiguous().numpy()))

    def __getattr__(self, name: str) -> Any:
        """What else a caller asks of a network: its reach, its scale."""
        if name.startswith("__") or name == "network":
            raise AttributeError(name)
        return getattr(self.network, name)


Network = nn.Module | EngineNetwork

_RunArray = Callable[["np.ndarray[Any, Any]"], "np.ndarray[Any, Any]"]


def _onnx_runtime(
    model: bytes | Path, threads: int, precision: Precision, layers: Sequence[str]
) -> _RunArray:
    import onnxruntime

    del precision, layers  # float32 throughout
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(_source(model), options, providers=["CPUExecutionProvider"])
    name: str = session.get_inputs()[0].name
    return lambda low: np.asarray(session.run(None, {name: low})[0])


def _openvino(model: bytes | Path, threads: int, precision: Precision, layers: Sequence[str]) -> _RunArray:
    import openvino

    core = openvino.Core()
    core.set_property({"ENABLE_MMAP": False})  # a mapped file of weights could not be replaced
    graph: Any = core.read_model(_source(model))
    if precision == "bf16":
        graph = _with_float32_layers(core, graph, layers)
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bf16": "bf16"}[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }
    compiled: Any = core.compile_model(graph, "CPU", settings)
    return lambda low: np.array(compiled(low)[0])


@cache
def has_bf16() -> bool:
    """Whether OpenVINO computes in bf16 on this processor; on others it takes float32 without a word."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _source(model: bytes | Path) -> bytes | str:
    return model if isinstance(model, bytes) else str(model)


def _with_float32_layers(core: Any, graph: Any, layers: Sequence[str]) -> Any:
    """The model with what leads to its first convolution, and the named layers, kept in float32.

    The attribute exists in OpenVINO's file format alone, so the model is written, marked and read again.

    Args:
        layers: names of the network's children.
    """
    import openvino

    first = next((op for op in graph.get_ordered_ops() if op.get_type_name() in _HEAVY), None)
    exact = _ancestors(first) if first is not None else set[str]()
    named = re.compile("|".join(rf"^/{re.escape(layer)}/" for layer in layers) or r"(?!)")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        openvino.save_model(graph, path, compress_to_fp16=False)
        tree, weights = ET.fromstring(path.read_bytes()), path.with_suffix(".bin").read_bytes()
    for layer in tree.iterfind("layers/layer"):
        name = layer.get("name", "")
        if layer.get("type") != "Const" and (name in exact or named.search(name)):
            info = layer.find("rt_info")
            if info is None:  # its place is behind the data
                info = ET.Element("rt_info")
                layer.insert(0 if layer.find("data") is None else 1, info)
            ET.SubElement(info, "attribute", {"name": "precise", "version": "0"})
    buffer = openvino.Tensor(np.frombuffer(weights, dtype=np.uint8).copy())
    return core.read_model(ET.tostring(tree), buffer)


def _ancestors(operation: Any) -> set[str]:
    """Names of an operation and of all that it depends on."""
    found: set[str] = set()
    waiting = [operation]
    while waiting:
        current = waiting.pop()
        if current.get_friendly_name() not in found:
            found.add(current.get_friendly_name())
            waiting += [value.get_source_output().get_node() for value in current.inputs()]
    return found
