"""Weights of other projects (Real-ESRGAN, SwinIR, GFPGAN and others) as a network with our interface.

The package spandrel (MIT) recognises the architecture by the names and shapes of the weights. Files are read
as plain tensors: a pickle that holds anything else is refused, not run.
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lumiface.core.errors import InputError, SettingError
from lumiface.core.settings import Settings

Kind = Literal["enlarge", "light", "face", "repair"]

FACE_SIDE = 512
"""Side of the aligned face for which GFPGAN and RestoreFormer were published."""

_BRIGHTENING = ("RetinexFormer", "HVI-CIDNet")
_FORBIDDEN = ("unsupported global", "unsupported class", "trying to call", "can only build")
"""Of `torch.load`'s reason, lower case: the file holds objects other than tensors."""


class ForeignConfig(Settings):
    """What is known of weights of another project."""

    name: str = Field(description="the file's name, without its folder")
    architecture: str = Field(description="as spandrel calls it")
    kind: Kind = Field(description="enlarges; brightens; redraws aligned faces; or repairs pictures")
    scale: int = Field(ge=1, description="upscaling factor")
    min_size: int = Field(ge=0, description="smallest side of the input without padding, pixels")
    sha256: str = Field(description="of the file")


class ForeignNetwork(nn.Module):
    """A network of spandrel with our interface.

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w) in [0, 1]. Networks that redraw faces get them
    at `FACE_SIDE`; the result has the size of the input. Pictures pass one by one: not every architecture
    takes batches. Without gradients.

    Args:
        found: spandrel's descriptor.
        config: what is known of the weights.
    """

    def __init__(self, found: Any, config: ForeignConfig) -> None:
        super().__init__()
        self.body: nn.Module = found.model
        self.config = config
        self._descriptor = found

    @torch.inference_mode()
    def forward(self, picture: Tensor) -> Tensor:
        return torch.cat([self._run(one) for one in picture.split(1)])

    def _run(self, picture: Tensor) -> Tensor:
        if self.config.kind != "face":
            return self._descriptor(picture)
        size = picture.shape[-2:]
        with torch.random.fork_rng(devices=[picture.device] if picture.is_cuda else []):
            torch.manual_seed(0)  # generators draw noise: the same for every face
            face = self._redraw(_resize(picture, (FACE_SIDE, FACE_SIDE)))
        return _resize(face, size)

    def _redraw(self, face: Tensor) -> Tensor:
        if self.config.architecture != "GFPGAN":
            return self._descriptor(face)
        # Its published weights are for values from -1 to 1, which spandrel leaves to the caller.
        return (0.5 + 0.5 * self.body(2.0 * face - 1.0)[0]).clamp(0.0, 1.0)


def load_foreign(path: Path) -> ForeignNetwork:
    """A network of another project by its file of weights (.pth, .pt, .ckpt, .safetensors), float32.

    Raises:
        InputError: the file is damaged, holds more than weights, or weights of no known architecture.
        SettingError: spandrel is not installed, or the network does not map one RGB picture to one.
    """
    try:
        from spandrel import (
            MAIN_REGISTRY,
            ImageModelDescriptor,
            UnsupportedModelError,
            canonicalize_state_dict,
        )
    except ImportError as error:
        raise SettingError(
            f"{path}: weights of another project need spandrel: pip install 'lumiface[peers]'"
        ) from error
    weights = _read_weights(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # spandrel's layers use spellings that torch is going to change
            found = MAIN_REGISTRY.load(canonicalize_state_dict(weights))
    except UnsupportedModelError as error:
        raise InputError(
            f"{path}: not written by lumiface, and of no architecture that spandrel knows; name another file"
        ) from error
    except Exception as error:  # of many kinds: weights that miss a part, are renamed, or have other shapes
        raise InputError(f"{path} cannot be read ({_reason(error)}); name another file") from error
    name, channels = found.architecture.name, (found.input_channels, found.output_channels)
    if not isinstance(found, ImageModelDescriptor):
        raise SettingError(f"{path} ({name}) needs more than a picture as its input; name another file")
    if channels != (3, 3):
        raise SettingError(
            f"{path} ({name}) holds a network that does not map RGB to RGB (channels: {channels[0]} to "
            f"{channels[1]}); name another file"
        )
    if not all(bool(value.isfinite().all()) for value in found.model.parameters()):  # buffers: masks of -inf
        raise InputError(f"{path}: some of its weights are not finite; get it again, or name another file")
    config = ForeignConfig(
        name=path.name,
        architecture=name,
        kind=_kind_of(found),
        scale=found.scale,
        min_size=found.size_requirements.minimum,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    return ForeignNetwork(found.float(), config).eval()


def _kind_of(found: Any) -> Kind:
    if found.purpose == "FaceSR":
        return "face"
    if found.scale > 1:
        return "enlarge"
    return "light" if found.architecture.name in _BRIGHTENING else "repair"


def _read_weights(path: Path) -> Any:
    """What the file holds, as tensors; nothing in it is run.

    Raises:
        InputError: it is damaged, or holds other objects.
    """
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if any(word in str(error).lower() for word in _FORBIDDEN):
            raise InputError(
                f"{path} holds Python objects beside its weights, which could run any program, and is not "
                "loaded; name a file of weights alone (.safetensors)"
            ) from error
        raise InputError(f"{path} cannot be read (no file of weights); get it again") from error
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        reason = "TorchScript" if "TorchScript" in str(error) else _reason(error)
        raise InputError(f"{path} cannot be read ({reason}); get it again, or name another file") from error


def _reason(error: Exception) -> str:
    """The first sentence of an error, or its kind."""
    return str(error).strip().partition("\n")[0].partition(". ")[0][:120] or type(error).__name__


def _resize(picture: Tensor, size: tuple[int, ...]) -> Tensor:
    if picture.shape[-2:] == size:
        return picture
    resized = F.interpolate(picture, size=list(size), mode="bicubic", align_corners=False, antialias=True)
    return resized.clamp(0.0, 1.0)
