"""Looking at a 3D prior: what was drawn of a face, its depth, and its looks as one walks around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.files import write_bytes
from lumiface.figures.grid import picture_grid
from lumiface.geometry.camera import yaw_camera
from lumiface.imaging.codec.gif import encode_gif
from lumiface.imaging.io import Picture, write_picture

SIDE = 128
"""Pixels at which priors are rendered to be looked at (the paper's)."""

SHOWN_SIDE = 256
"""Pixels at which they are shown."""

TURN = 25.0
"""Degrees to each side."""

FRAMES = 12
"""From one side to the other; the way back shows the same."""


@dataclass(frozen=True, slots=True, eq=False)
class PriorView:
    """One face and its prior.

    Attributes:
        dark, lit: (1, 3, H, H), before and after.
        rendering, depth: (1, 3, h, h) and (1, 1, h, h), near 1, far 0.
        turn: (n, 3, h, h), from `TURN` degrees on one side to as many on the other.
    """

    dark: Tensor
    lit: Tensor
    rendering: Tensor
    depth: Tensor
    turn: Tensor


@torch.inference_mode()
def render_prior_views(network: Any, dark: Tensor, lit: Tensor) -> PriorView | None:
    """Draw the prior of one face (1, 3, H, H) again, the same as the network saw, and look at it.

    Returns:
        None, where the network is led by no prior.
    """
    if getattr(network, "prior", None) is None:
        return None
    drawn = network.predict_prior(dark).drawn
    front = network.render_prior(drawn, drawn.camera, SIDE)
    # As a pendulum swings: slow at the ends.
    angles = [-TURN * math.cos(math.pi * frame / (FRAMES - 1)) for frame in range(FRAMES)]
    turn = [network.render_prior(drawn, yaw_camera(drawn.camera, angle), SIDE).rendering for angle in angles]
    return PriorView(dark.cpu(), lit.cpu(), front.rendering.cpu(), front.depth.cpu(), torch.cat(turn).cpu())


def prior_sheet(views: list[PriorView]) -> Tensor:
    """One row a face: dark, rendering, depth, lit -> (1, 3, H, W) in [0, 1]."""
    shown: list[Tensor] = []
    for view in views:
        relief = view.depth - view.depth.amin()
        relief = relief / relief.amax().clamp_min(1e-6)
        shown += [
            _large(part) for part in (view.dark, view.rendering, relief.expand(-1, 3, -1, -1), view.lit)
        ]
    return picture_grid(torch.cat(shown), columns=4)


def save_prior(views: list[PriorView], result: Path) -> list[Path]:
    """Write the sheet and a turntable beside `result`: party_prior.png and party_turn.gif for party.jpg.

    The turntable shows all faces in a row. Names end as the result's does where it is one of ours, so that a
    later run passes over them.

    Raises:
        OutputError: they cannot be written there.
    """
    stem, ours = result.stem, "_lumiface" if result.stem.endswith("_lumiface") else ""
    stem = stem.removesuffix("_lumiface")
    sheet, turn = (result.with_name(f"{stem}_{what}") for what in (f"prior{ours}.png", f"turn{ours}.gif"))
    write_picture(Picture(prior_sheet(views)), sheet)
    frames = [
        picture_grid(torch.cat([_large(view.turn[frame : frame + 1]) for view in views]), len(views), gap=0)[
            0
        ]
        for frame in range(FRAMES)
    ]
    write_bytes(turn, encode_gif([*frames, *frames[-2:0:-1]], milliseconds=70))
    return [sheet, turn]


def _large(picture: Tensor) -> Tensor:
    size = (SHOWN_SIDE, SHOWN_SIDE)
    return F.interpolate(picture, size=size, mode="bicubic", antialias=True).clamp(0.0, 1.0)
