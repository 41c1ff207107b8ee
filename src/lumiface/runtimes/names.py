"""The names of engines and precisions, and which engines are installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal, get_args

from lumiface.core.errors import SettingError

Engine = Literal["torch", "onnx", "openvino"]
Runtime = Literal["auto", "torch", "onnx", "openvino"]
Precision = Literal["float32", "bf16"]

ENGINES: tuple[Engine, ...] = get_args(Engine)
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

PACKAGES: dict[Engine, str] = {"torch": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
"""The package of each engine; it is installed with the extra of the engine's name."""

WITH_BF16: tuple[Engine, ...] = ("openvino",)
"""Engines that can compute in bfloat16."""


def is_installed(engine: Engine) -> bool:
    return find_spec(PACKAGES[engine]) is not None


def engine_version(engine: Engine) -> str:
    """The version of an engine's package, "?" where it has none."""
    try:
        return version(PACKAGES[engine])
    except PackageNotFoundError:
        return "?"


def require(engine: Engine) -> None:
    """Raises SettingError if the package of an engine is not installed."""
    if not is_installed(engine):
        raise SettingError(
            f"runtime {engine} needs the package {PACKAGES[engine]}: pip install 'lumiface[{engine}]'"
        )
