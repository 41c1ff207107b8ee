"""A trained network as a file for other programs: ONNX, or OpenVINO's pair of .xml and .bin."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from lumiface import __version__
from lumiface.core.errors import OutputError, SettingError
from lumiface.registry import (
    find_capabilities,
    find_weights,
    load_model,
    read_licence,
    read_metadata,
    working_sizes,
)
from lumiface.runtimes.check import Parity, compare, probes
from lumiface.runtimes.convert import INPUT, OUTPUT, to_onnx, torch_only
from lumiface.runtimes.engines import EngineNetwork
from lumiface.runtimes.names import require

Format = Literal["onnx", "openvino"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}

PREFIX = "lumiface."
"""Of the names of the metadata in the file."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        files: the file, and for OpenVINO the weights beside it.
        facts: the metadata in it.
        parity: how far the file's outputs are from torch's.
    """

    files: list[Path]
    facts: dict[str, str]
    parity: Parity


def export_model(model: str, target: Path, format: Format = "onnx") -> Exported:  # noqa: A002 (the option)
    """Write a network as a file that needs neither this project nor torch, and run it against torch.

    The file takes batches of pictures of any size. Its metadata say what a caller must know; see `facts_of`.
    It is written and run in a hidden folder beside the target, and appears there complete, if it is right.

    Args:
        model: as of `load_model`.
        target: the file; the weights of OpenVINO's format are written beside it, as .bin.

    Raises:
        InputError: there is no such model, or its file is damaged.
        SettingError: the network cannot be exported, the package of the format is not installed, or the name
            of the file does not end as the format's do.
        OutputError: the file cannot be written.
    """
    if target.suffix.lower() != SUFFIXES[format]:
        raise SettingError(f"{target}: the name of a file of the format {format} ends in {SUFFIXES[format]}")
    if target.is_dir():
        raise OutputError(f"{target} is a folder; name a file in it")
    _require_packages(format)
    network = load_model(model)
    if (why := torch_only(model, network)) is not None:
        raise SettingError(f"{model} cannot be exported: {why}")
    facts = facts_of(model, network)
    data = to_onnx(network)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
            draft = Path(folder) / target.name
            (_write_onnx if format == "onnx" else _write_openvino)(data, facts, draft)
            runs = EngineNetwork(network, draft, format, "float32")
            parity = compare(network, runs, probes(int(facts["min_size"])))
            if not parity.holds("float32"):
                raise SettingError(f"{model} cannot be exported: in this format it differs by {parity}")
            drafts = sorted(Path(folder).iterdir(), key=lambda path: path == draft)  # the weights first
            for path in drafts:
                os.replace(path, target.with_name(path.name))
    except OSError as fault:
        raise OutputError(
            f"{target} cannot be written ({fault.strerror or fault}); check the folder and the free space"
        ) from fault
    return Exported([target.with_name(path.name) for path in reversed(drafts)], facts, parity)


def facts_of(model: str, network: Any) -> dict[str, str]:
    """What a caller of the file must know, by name.

    scale: size of the output over that of the input. min_size: smallest side of the input, pixels. sizes:
    sides of a face at which the network was trained, smallest and largest; empty where it takes whole
    photographs. colour, range, layout: of input and output. task: what it was trained for. source, licence:
    of the weights.
    """
    metadata = read_metadata(model)
    capabilities = find_capabilities(metadata["method"])
    sizes = working_sizes(model)
    faces = f"{sizes.smallest}-{sizes.trusted}" if capabilities.aligned_face else ""
    return {
        "model": Path(model).stem,
        "method": metadata["method"],
        "task": metadata["provenance"].get("run", {}).get("task", capabilities.tasks[0]),
        "scale": str(network.config.scale),
        "min_size": str(capabilities.min_size),
        "sizes": faces,
        "aligned_face": "yes" if capabilities.aligned_face else "no",
        "tiling": "yes" if capabilities.tiling else "no",
        "colour": "RGB",
        "range": "0-1",
        "layout": "NCHW, float32",
        "output": "not clipped: clip to 0-1",
        "source": f"lumiface {__version__}",
        "licence": read_licence(find_weights(model)) or "not stated",
    }


def _require_packages(format: Format) -> None:  # noqa: A002
    require(format)
    if format == "onnx" and find_spec("onnx") is None:
        raise SettingError("the format onnx needs the package onnx: pip install 'lumiface[onnx]'")


def _write_onnx(data: bytes, facts: dict[str, str], path: Path) -> None:
    import onnx

    model = onnx.load_model_from_string(data)
    model.producer_name, model.producer_version = "lumiface", __version__
    model.doc_string = f"{facts['model']}: {INPUT} (N, 3, h, w) RGB, 0 to 1 -> {OUTPUT}, x{facts['scale']}"
    onnx.helper.set_model_props(model, {PREFIX + name: value for name, value in facts.items()})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _write_openvino(data: bytes, facts: dict[str, str], path: Path) -> None:
    import openvino

    graph: Any = openvino.Core().read_model(data)
    for name, value in facts.items():
        graph.set_rt_info(value, ["lumiface", name])
    openvino.save_model(graph, path, compress_to_fp16=False)
