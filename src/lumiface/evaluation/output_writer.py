"""Outputs of an evaluation as files, and one grid for the eye."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.files import write_bytes
from lumiface.figures.grid import picture_grid
from lumiface.imaging.io import encode_png

GRID_FACES = 8


class OutputWriter:
    """Writes FOLDER/METHOD/NAME.png for every output, and FOLDER/grid.png with the first faces.

    A row of the grid is one face: the input (enlarged without smoothing), each method's output, the original.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[Tensor] = []

    def keep(self, names: Sequence[str], low: Tensor, high: Tensor, outputs: dict[str, Tensor]) -> None:
        """One batch: names inside the source, inputs (B, 3, h, w), originals and outputs (B, 3, H, W)."""
        for method, pictures in outputs.items():
            place = self.folder / folder_name(method)
            for name, picture in zip(names, pictures, strict=True):
                write_bytes(place / PurePosixPath(name).with_suffix(".png"), encode_png(picture))
        shown = slice(0, max(0, GRID_FACES - len(self.rows)))
        enlarged = F.interpolate(low[shown], size=high.shape[-2:], mode="nearest")
        columns = [enlarged, *(pictures[shown] for pictures in outputs.values()), high[shown]]
        self.rows += list(torch.stack(columns, dim=1).cpu())  # each (columns, 3, H, W)

    def write_grid(self) -> Path:
        """Faces of the first face's size only: in a set of mixed sizes the others do not line up."""
        rows = [row for row in self.rows if row.shape == self.rows[0].shape]
        path = self.folder / "grid.png"
        write_bytes(path, encode_png(picture_grid(torch.cat(rows), columns=len(rows[0]))))
        return path


def folder_name(method: str) -> str:
    """A method's name or file as the name of a folder: "runs/lite/best.safetensors" -> "lite-best"."""
    path = PurePosixPath(method.replace("\\", "/"))
    words = f"{path.parent.name}-{path.stem}" if path.suffix == ".safetensors" else method
    return re.sub(r"[^\w.-]+", "-", words).strip("-.") or "method"
