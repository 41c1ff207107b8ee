"""The outputs of an evaluation as files, and a grid of the first ones."""

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

    A row of the grid is one face: the input (enlarged by nearest neighbour), all outputs, the target if
    there is one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[Tensor] = []

    def write(
        self, names: Sequence[str], inputs: Tensor, targets: Tensor | None, outputs: dict[str, Tensor]
    ) -> None:
        """One batch: names inside the source, inputs (B, 3, h, w), targets (if any) and outputs
        (B, 3, H, W)."""
        for method, images in outputs.items():
            folder = self.folder / folder_name(method)
            for name, image in zip(names, images, strict=True):
                write_bytes(folder / PurePosixPath(name).with_suffix(".png"), encode_png(image))
        first = slice(0, max(0, GRID_FACES - len(self.rows)))
        shown = [*outputs.values(), *([] if targets is None else [targets])]
        size = shown[0].shape[-2:] if shown else inputs.shape[-2:]
        enlarged = F.interpolate(inputs[first], size=size, mode="nearest")
        columns = [enlarged, *(images[first] for images in shown)]
        self.rows += list(torch.stack(columns, dim=1).cpu())  # each (columns, 3, H, W)

    def write_grid(self) -> Path:
        """The faces that have the first face's size: in a set of mixed sizes the others do not align."""
        rows = [row for row in self.rows if row.shape == self.rows[0].shape]
        path = self.folder / "grid.png"
        write_bytes(path, encode_png(picture_grid(torch.cat(rows), columns=len(rows[0]))))
        return path


def folder_name(method: str) -> str:
    """A method's name or file as the name of a folder: "runs/lite/best.safetensors" -> "lite-best"."""
    path = PurePosixPath(method.replace("\\", "/"))
    name = f"{path.parent.name}-{path.stem}" if path.suffix == ".safetensors" else method
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "method"
