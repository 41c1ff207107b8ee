"""Enlargement of whole photographs, tile by tile: what surrounds a restored face shall not stay blurred."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.errors import InputError, SettingError
from lumiface.imaging.color import is_grey
from lumiface.imaging.io import Picture
from lumiface.registry import is_foreign, list_models, load_model, read_metadata
from lumiface.runtimes import Precision, Runtime, load_network

BICUBIC = "bicubic"
"""Instead of a model's name: no network."""

SHIPPED = {2: "lumiface-photo-x2", 4: "lumiface-photo-x4"}
"""The shipped network of each scale."""

TILE = 1024
"""Side of a tile without its overlap, in pixels of the result."""

FOREIGN_REACH = 32
"""Overlap of tiles, pixels of the input, for networks that do not state theirs."""


@dataclass(frozen=True, slots=True)
class Upscaler:
    """A network that enlarges pictures of any size.

    Attributes:
        network: (1, 3, h, w) in [0, 1] -> (1, 3, s·h, s·w).
        scale: s.
        reach: an output pixel depends on input pixels up to this far away; the overlap of tiles.
    """

    network: Callable[[Tensor], Tensor]
    scale: int
    reach: int


class Background:
    """Enlarges whole photographs by the network for the scale; its networks are loaded when first needed.

    Args:
        model: None: the shipped networks; "bicubic": none; else a name of `list_models()`, a file written by
            `lumiface train`, or a file that spandrel reads (Real-ESRGAN and others).
        device: where the networks run.
        runtime, precision: as of `load_network`; networks of other projects run by torch.

    Raises:
        InputError: there is no such model, or the file cannot be read.
        SettingError: the network does not enlarge photographs, spandrel is not installed, or there is no
            such runtime on this machine.
    """

    def __init__(
        self,
        model: str | None,
        device: torch.device,
        runtime: Runtime = "auto",
        precision: Precision = "float32",
    ) -> None:
        self._load = partial(load_upscaler, device=device, runtime=runtime, precision=precision)
        self._bicubic = model == BICUBIC
        self._named = None if model is None or self._bicubic else self._load(model)
        self._shipped: dict[int, Upscaler] = {}

    @torch.inference_mode()
    def __call__(self, rgb: Tensor, scale: int) -> Tensor:
        """(1, 3, H, W) in [0, 1] -> (1, 3, scale·H, scale·W) in [0, 1]; the input itself at scale 1.

        A grey picture stays grey. Beyond the result, memory for one tile is needed.
        """
        if scale == 1:
            return rgb
        if self._bicubic:
            return enlarge_bicubic(rgb, scale)
        return enlarge_by_tiles(self._upscaler(scale), rgb, scale)

    def _upscaler(self, scale: int) -> Upscaler:
        if self._named is not None:
            return self._named
        if scale not in self._shipped:
            self._shipped[scale] = self._load(SHIPPED[scale])
        return self._shipped[scale]


def enlarge_bicubic(planes: Tensor, scale: int) -> Tensor:
    """(B, C, H, W) in [0, 1] -> (B, C, scale·H, scale·W), clipped; the input itself at scale 1."""
    if scale == 1:
        return planes
    size = (planes.shape[-2] * scale, planes.shape[-1] * scale)
    return F.interpolate(planes, size=size, mode="bicubic", align_corners=False).clamp_(0.0, 1.0)


def enlarge_by_tiles(upscaler: Upscaler, rgb: Tensor, scale: int, tile: int = TILE) -> Tensor:
    """Enlarge a picture in tiles that overlap by the network's reach, so that no seam arises.

    A network of another scale is used, too: its output is reduced, or enlarged bicubically.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
        scale: size of the result over that of `rgb`.
        tile: side of a tile without its overlap, pixels of the result, a multiple of 4 · scale.

    Returns:
        (1, 3, scale·H, scale·W) in [0, 1].
    """
    height, width = rgb.shape[-2:]
    reach = -(-upscaler.reach // 4) * 4  # tiles begin on the grid of the network's layers
    grey = is_grey(rgb)
    result = rgb.new_empty(len(rgb), 3, height * scale, width * scale)
    step = tile // scale
    for top in range(0, height, step):
        for left in range(0, width, step):
            y, x = max(0, top - reach), max(0, left - reach)
            bottom, right = min(height, top + step), min(width, left + step)
            piece = rgb[..., y : bottom + reach, x : right + reach].contiguous()
            large = _to_scale(upscaler.network(piece).clamp(0.0, 1.0), piece, scale)
            if grey:
                large = large.mean(dim=1, keepdim=True).expand_as(large)
            inner = large[
                ..., (top - y) * scale : (bottom - y) * scale, (left - x) * scale : (right - x) * scale
            ]
            result[..., top * scale : bottom * scale, left * scale : right * scale] = inner
    return result


def load_upscaler(
    model: str,
    device: torch.device | str = "cpu",
    runtime: Runtime = "auto",
    precision: Precision = "float32",
) -> Upscaler:
    """A network that enlarges photographs, by name or file.

    Raises:
        InputError: there is no such model, or the file cannot be read.
        SettingError: the network does something else, or spandrel is needed and not installed.
    """
    if model not in list_models():
        if not Path(model).is_file():
            raise InputError(
                f"{model}: no such file; --background-model is a file, {BICUBIC}, or {SHIPPED[4]}"
            )
        if is_foreign(Path(model)):
            network: Any = load_model(model, device)
            if network.config.kind == "face":
                raise SettingError(f"--background-model {model} redraws faces alone; name it as --model")
            return Upscaler(network, network.config.scale, FOREIGN_REACH)
    trained_for = read_metadata(model)["provenance"].get("run", {}).get("task")
    if trained_for != "sr":
        raise SettingError(
            f"--background-model {model} was not trained to enlarge photographs; name another, or {BICUBIC}"
        )
    network = load_network(model, device, runtime, precision)
    return Upscaler(network, network.config.scale, getattr(network, "reach", FOREIGN_REACH))


def _to_scale(large: Tensor, piece: Tensor, scale: int) -> Tensor:
    """An enlarged tile at the requested scale."""
    size = (piece.shape[-2] * scale, piece.shape[-1] * scale)
    if large.shape[-2:] == size:
        return large
    if large.shape[-1] % size[1] == 0:
        return F.interpolate(large, size=size, mode="area")
    return F.interpolate(large, size=size, mode="bicubic", align_corners=False, antialias=True).clamp(
        0.0, 1.0
    )


def replace_pixels(picture: Picture, rgb: Tensor, scale: int) -> Picture:
    """The picture with other pixels and the alpha channel enlarged to match."""
    alpha = None if picture.alpha is None else enlarge_bicubic(picture.alpha, scale)
    return Picture(rgb.cpu(), alpha, picture.info)
