"""Visualisation of a 3D prior: its rendering, its depth, and a turntable of views."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.files import write_bytes
from lumiface.figures.grid import picture_grid
from lumiface.geometry.camera import yaw_camera
from lumiface.imaging.codec.gif import encode_gif
from lumiface.imaging.io import Picture, write_picture
from lumiface.registry import HasPrior
from lumiface.restoration.files.jobs import SUFFIX

RENDER_SIZE = 128
"""Size at which priors are rendered for display, pixels (the paper's)."""

DISPLAY_SIZE = 256
"""Size at which they are displayed, pixels."""

MAX_YAW = 25.0
"""Largest yaw of the turntable to either side, degrees."""

FRAMES = 12
"""Frames from one side to the other; the way back repeats them in reverse."""


@dataclass(frozen=True, slots=True, eq=False)
class PriorView:
    """One face and its prior.

    Attributes:
        dark, restored: (1, 3, H, H), input and output of the network.
        rendering, depth: (1, 3, h, h) and (1, 1, h, h); depth is large where the face is near, 0 far.
        turntable: (n, 3, h, h), renderings from yaw `-MAX_YAW` to `MAX_YAW`.
    """

    dark: Tensor
    restored: Tensor
    rendering: Tensor
    depth: Tensor
    turntable: Tensor


@torch.inference_mode()
def render_prior_views(network: object, dark: Tensor, restored: Tensor) -> PriorView | None:
    """Sample the prior of one face (1, 3, H, H) again, as in the network's forward pass, and render it.

    Returns:
        None if the network has no prior.
    """
    if not isinstance(network, HasPrior) or network.prior is None:
        return None
    triplane = network.predict_prior(dark).triplane
    front = network.render_prior(triplane, triplane.camera, RENDER_SIZE)
    # The yaw follows a cosine: slow at both ends, as a pendulum.
    angles = [-MAX_YAW * math.cos(math.pi * frame / (FRAMES - 1)) for frame in range(FRAMES)]
    turntable = [
        network.render_prior(triplane, yaw_camera(triplane.camera, angle), RENDER_SIZE).rendering
        for angle in angles
    ]
    return PriorView(
        dark.cpu(), restored.cpu(), front.rendering.cpu(), front.depth.cpu(), torch.cat(turntable).cpu()
    )


def prior_sheet(views: list[PriorView]) -> Tensor:
    """One row per face: dark, rendering, depth, restored -> (1, 3, H, W) in [0, 1]."""
    tiles: list[Tensor] = []
    for view in views:
        relief = view.depth - view.depth.amin()
        relief = relief / relief.amax().clamp_min(1e-6)
        row = (view.dark, view.rendering, relief.expand(-1, 3, -1, -1), view.restored)
        tiles += [_resize_for_display(image) for image in row]
    return picture_grid(torch.cat(tiles), columns=4)


def save_prior(views: list[PriorView], result: Path) -> list[Path]:
    """Write the sheet and a turntable next to `result`: party_prior.png and party_turn.gif for party.jpg.

    The turntable shows all faces in a row. If the result's name ends in `_lumiface`, so do these names, so
    that a later run does not take the files for inputs.

    Raises:
        OutputError: the files cannot be written there.
    """
    stem, suffix = result.stem.removesuffix(SUFFIX), SUFFIX if result.stem.endswith(SUFFIX) else ""
    sheet, turntable = (
        result.with_name(f"{stem}_{name}") for name in (f"prior{suffix}.png", f"turn{suffix}.gif")
    )
    write_picture(Picture(prior_sheet(views)), sheet)
    frames = [
        picture_grid(
            torch.cat([_resize_for_display(view.turntable[frame : frame + 1]) for view in views]),
            len(views),
            gap=0,
        )[0]
        for frame in range(FRAMES)
    ]
    write_bytes(turntable, encode_gif([*frames, *frames[-2:0:-1]], milliseconds=70))
    return [sheet, turntable]


def _resize_for_display(image: Tensor) -> Tensor:
    size = (DISPLAY_SIZE, DISPLAY_SIZE)
    return F.interpolate(image, size=size, mode="bicubic", antialias=True).clamp(0.0, 1.0)
