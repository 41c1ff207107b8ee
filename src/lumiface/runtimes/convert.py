"""A network of torch -> an ONNX model that takes pictures of any size, in batches of any size."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from lumiface.core.errors import SettingError
from lumiface.registry import HasPrior, Refinable, find_capabilities, find_weights, is_foreign, read_metadata

INPUT, OUTPUT = "input", "output"
"""Names of the model's input and output, (batch, 3, height, width) each."""

OPSET = 18
"""Version of ONNX's operators: what ONNX Runtime has run since 2023."""

_EXAMPLE = (2, 3, 48, 40)
"""Shape of the picture that is traced; three different numbers, none of them 1, which would be a constant."""


def torch_only(model: str, network: nn.Module) -> str | None:
    """Why a network runs by torch alone and cannot be exported, in a few words; None: it can.

    Args:
        model: as of `load_model`.
        network: what that returned.
    """
    path = find_weights(model)
    if not path.is_file():
        return "it has no file of trained weights"
    if is_foreign(path):
        return "its weights are of another project"
    if why := find_capabilities(read_metadata(path)["method"]).torch_only:
        return why
    if isinstance(network, Refinable | HasPrior):
        return "it does more than map a picture to a picture"
    return None


@torch.inference_mode()
def to_onnx(network: nn.Module) -> bytes:
    """The network as an ONNX model, float32, with the batch and the size left open.

    It is traced: a network whose layers depend on the size by more than arithmetic on shapes gives a model
    that is right at one size only, which `check.compare` finds.

    Args:
        network: (B, 3, H, W) in [0, 1] -> (B, 3, s·H, s·W), on the CPU, in evaluation mode.

    Raises:
        SettingError: a layer has no counterpart in ONNX.
    """
    example = torch.linspace(0.05, 0.6, steps=torch.Size(_EXAMPLE).numel()).reshape(_EXAMPLE)
    open_axes = {0: "batch", 2: "height", 3: "width"}
    large_axes = {0: "batch", 2: "large_height", 3: "large_width"}
    try:
        with _silence(), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            # Tracing takes a second where the exporter by torch.export takes ten to twenty, and its nodes
            # have the names of the network's layers.
            torch.onnx.export(
                network,
                (example,),
                path,
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: open_axes, OUTPUT: large_axes},
            )
            return path.read_bytes()
    except Exception as error:  # of many kinds, by layer and version of torch
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise SettingError(f"{type(network).__name__} cannot be converted to ONNX ({reason})") from error


@contextmanager
def _silence() -> Generator[None]:
    """No remarks of torch on tracing, and not the graph that it prints where it fails: the result is checked.

    The graph is written from C++ past Python's streams, so standard output itself is led elsewhere.
    """
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    sys.stdout.flush()
    with open(os.devnull, "wb") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = os.dup(1)
        logger.setLevel(logging.ERROR)
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            logger.setLevel(level)
